package others

import (
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/krm"
	"github.com/bizmatters/dragonfly-generator/internal/plan"
	"github.com/bizmatters/dragonfly-generator/internal/yamlnode"
)

// maker notes the Secrets that an item makes, and warns where one of them is an instance's. No list of operators is
// needed for that: what is neither built in nor runs pods, and is called like the Secret or names it as its target,
// most likely makes it.
func (w *warner) maker(item *krm.Item) {
	if item.Group == "" && item.Kind == "Secret" {
		w.made[secret{item.Namespace, item.Name}] = true
		return
	}
	if !isCustom(item) || podOf(item) != nil {
		return
	}
	// The plan knows what a SealedSecret or ExternalSecret stands for. The other kinds of that operator are called
	// like the Secret that they read or generate.
	isKnown := item.Group == "bitnami.com" || strings.HasSuffix(item.Group, "external-secrets.io") && item.Kind != "ClusterExternalSecret"
	names := append([]string{item.Name}, targets(item.Node)...)
	for _, name := range names {
		w.made[secret{item.Namespace, name}] = true
	}
	if isKnown {
		return
	}
	for _, name := range names {
		for _, p := range w.named[name] {
			if item.Namespace == p.Namespace || item.Namespace == "" {
				w.warnOfMaker(item, name, p)
			}
			if item.Namespace == "" { // of the cluster, and its Secrets are in some namespaces
				w.made[secret{p.Namespace, name}] = true
			}
		}
	}
}

func (w *warner) warnOfMaker(item *krm.Item, name string, p *plan.Plan) {
	written := p.PasswordSecret
	if name == p.Instance.ConnectionSecret() {
		written = p.ConnectionSecret
	}
	if p.Failed || written != plan.Write && written != plan.Renew {
		return
	}
	w.results.Warnf(item, "seems to make the Secret %s, which the claim %s makes as well, so the two would overwrite each other; if it does, set the annotation %s: %s on the claim",
		name, p.Name, v1alpha1.PasswordSourceAnnotation, v1alpha1.External)
}

// isCustom reports whether an object is of a kind that Kubernetes does not have itself. None of its own makes Secrets.
func isCustom(item *krm.Item) bool {
	return strings.Contains(item.Group, ".") && !strings.HasSuffix(item.Group, ".k8s.io")
}

// targets returns the names that an object gives to the Secrets that it makes, as far as that can be told from the
// names of its fields: spec.secretName, spec.destination.name, spec.secretTemplates[].name, and so on.
func targets(object *yaml.Node) []string {
	var names []string
	visit(yamlnode.Get(object, "spec"), func(parent, key string, value *yaml.Node) {
		if text := yamlnode.Text(value); text != "" && (key == "secretName" || key == "name" && isTarget(parent)) {
			names = append(names, text)
		}
	})
	return names
}

func isTarget(field string) bool {
	return slices.Contains([]string{"target", "destination", "secretTemplates"}, field) || strings.HasPrefix(field, "write")
}

// visit calls back for every field in n, with the name of the field that it is in, through lists.
func visit(n *yaml.Node, field func(parent, key string, value *yaml.Node)) {
	type place struct {
		parent string
		n      *yaml.Node
	}
	var walk func(parent string, n *yaml.Node)
	seen := map[place]bool{} // aliases can make a node contain itself
	walk = func(parent string, n *yaml.Node) {
		if n = yamlnode.Follow(n); n == nil || seen[place{parent, n}] {
			return
		}
		seen[place{parent, n}] = true
		if n.Kind == yaml.SequenceNode {
			for _, element := range n.Content {
				walk(parent, element)
			}
		}
		for key, value := range yamlnode.Fields(n) {
			field(parent, key.Value, value)
			walk(key.Value, value)
		}
	}
	walk("", n)
}
