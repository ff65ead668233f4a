package specs

import (
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/internal/claim"
	"github.com/bizmatters/dragonfly-generator/internal/config"
	"github.com/bizmatters/dragonfly-generator/internal/instance"
	"github.com/bizmatters/dragonfly-generator/internal/report"
	"github.com/bizmatters/dragonfly-generator/internal/yamlnode"
)

// filled returns the configuration with its placeholders filled in for an instance, but for those of the
// connection Secret and of the extra objects, which are filled in where they are made.
func filled(cfg config.Config, name instance.Name) config.Config {
	values := cfg.ValuesOf(name)
	cfg.Args = slices.Clone(cfg.Args)
	for i, arg := range cfg.Args {
		cfg.Args[i] = values.Fill(arg)
	}
	for _, texts := range []*map[string]string{&cfg.Labels, &cfg.Annotations, &cfg.ServiceAccountAnnotations, &cfg.Connection.Labels, &cfg.Connection.Annotations} {
		*texts = maps.Clone(*texts)
		for key, text := range *texts {
			(*texts)[key] = values.Fill(text)
		}
	}
	cfg.TLS.SecretName = values.Fill(cfg.TLS.SecretName)
	cfg.ServiceAccount = values.Fill(cfg.ServiceAccount)
	issuer := &cfg.TLS.Issuer
	issuer.Group, issuer.Kind, issuer.Name = values.Fill(issuer.Group), values.Fill(issuer.Kind), values.Fill(issuer.Name)
	for _, patches := range []*[]config.Patch{&cfg.Overrides.StatefulSet, &cfg.Overrides.Service, &cfg.Overrides.Dragonfly} {
		*patches = slices.Clone(*patches)
		for i, patch := range *patches {
			(*patches)[i].Node = fillNode(patch.Node, values)
		}
	}
	return cfg
}

// fillNode returns a copy of a tree with the placeholders of its texts filled in, without comments and style. Keys
// stay as they are.
func fillNode(n *yaml.Node, values config.Values) *yaml.Node {
	if n.Kind == yaml.ScalarNode {
		if yamlnode.IsString(n) {
			return yamlnode.Scalar(values.Fill(n.Value))
		}
		return &yaml.Node{Kind: n.Kind, Tag: n.Tag, Value: n.Value}
	}
	fresh := &yaml.Node{Kind: n.Kind, Tag: n.Tag, Content: make([]*yaml.Node, len(n.Content))}
	for i, child := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 {
			fresh.Content[i] = &yaml.Node{Kind: child.Kind, Tag: child.Tag, Value: child.Value, Style: child.Style}
			continue
		}
		fresh.Content[i] = fillNode(child, values)
	}
	return fresh
}

// CheckFilled reports what the placeholders of the configuration make of this instance's names that Kubernetes
// would not take.
func CheckFilled(c claim.Claim, results *report.Results) {
	cfg := filled(c.Config, c.Name)
	for _, key := range slices.Sorted(maps.Keys(cfg.Labels)) {
		if value := cfg.Labels[key]; value != c.Config.Labels[key] && len(validation.IsValidLabelValue(value)) > 0 {
			results.Errorf(c.Item, "the label %s of the configuration becomes %q for this instance, but a label may have at most 63 letters, digits, dashes, underscores and dots; shorten the name of the claim, or change the label", key, value)
		}
	}
	if name := cfg.TLS.SecretName; strings.Contains(c.Config.TLS.SecretName, "{") && len(validation.IsDNS1123Subdomain(name)) > 0 {
		results.Errorf(c.Item, "tls.secretName of the configuration becomes %q for this instance, which is not a valid name; shorten the name of the claim, or change the field", name)
	}
	for _, template := range cfg.ExtraObjects {
		if name := extraID(template, c.Instance, cfg).Name; len(validation.IsDNS1123Subdomain(name)) > 0 {
			results.Errorf(c.Item, "the name of an extra object of the configuration becomes %q for this instance, which is not a valid name; shorten the name of the claim, or change the field", name)
		}
	}
}
