// Package config holds what a platform team sets once for all instances.
package config

import (
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/generator/check"
	"github.com/bizmatters/dragonfly-generator/generator/instance"
	"github.com/bizmatters/dragonfly-generator/generator/read"
	"github.com/bizmatters/dragonfly-generator/generator/report"
	"github.com/bizmatters/dragonfly-generator/generator/yamlnode"
)

// Config is the configuration with its defaults filled in.
type Config struct {
	// Image is pinned: what runs must not change because a registry did.
	Image           string
	ImagePullPolicy string
	ClusterDomain   string
	// StorageClassName cannot change on a live instance.
	StorageClassName string
	// SnapshotCron is when Dragonfly writes a snapshot, in five plain fields.
	SnapshotCron string
	DefaultSize  string
	Sizes        instance.Sizes
	Storage      Storage
	NodeSelector map[string]string
	Password     PasswordPolicy
	// ExtraKeys are further keys of the connection Secret, as templates; see Placeholders.
	ExtraKeys map[string]string
}

// Placeholders are what the templates of ExtraKeys may hold, in braces: facts of the connection.
// passwordEncoded is the password for a URI, with all but the unreserved characters of RFC 3986 escaped.
var Placeholders = []string{"endpoint", "port", "password", "passwordEncoded", "name", "namespace"}

// Storage bounds what a claim may ask for, in GiB.
type Storage struct {
	MinGB, DefaultGB int
}

// PasswordPolicy says how a password that is not there yet comes about.
type PasswordPolicy struct {
	Source PasswordSource
	// SeedSecret names the Secret in the items, and SeedKey the key in it, that holds the seed. Zero for
	// none: the seed comes from the environment or not at all.
	SeedSecret read.ID
	SeedKey    string
}

// PasswordSource is one way, or the choice between them.
type PasswordSource string

const (
	// Auto takes the seed where there is one, and a random password where the result is kept.
	Auto PasswordSource = "Auto"
	// Existing never makes one.
	Existing PasswordSource = "Existing"
	// FromSeed derives it from the seed.
	FromSeed PasswordSource = "Seed"
	// FromRandom makes a random one, also where the result is not kept.
	FromRandom PasswordSource = "Random"
)

var passwordSources = []string{string(Auto), string(Existing), string(FromSeed), string(FromRandom)}

// Default returns what holds without a configuration.
func Default() Config {
	return Config{
		Image:            "docker.dragonflydb.io/dragonflydb/dragonfly:v1.40.1",
		ImagePullPolicy:  "IfNotPresent",
		ClusterDomain:    "cluster.local",
		StorageClassName: "local-path",
		SnapshotCron:     "*/30 * * * *",
		DefaultSize:      "small",
		Sizes:            instance.DefaultSizes(),
		Storage:          Storage{MinGB: 1, DefaultGB: 10},
		NodeSelector:     map[string]string{"workload-type": "stateful"},
		Password:         PasswordPolicy{Source: Auto},
	}
}

// Read returns the configuration that the functionConfig holds, with the defaults for what it does not
// say, and reports what is wrong with it. A claim as functionConfig, or none at all, is the default
// configuration.
func Read(functionConfig *read.Item, results *report.Results) Config {
	cfg := Default()
	if functionConfig == nil || isEmptyConfigMap(functionConfig) || functionConfig.Group == v1alpha1.Group && functionConfig.Kind == v1alpha1.ClaimKind {
		return cfg
	}
	if functionConfig.APIVersion != v1alpha1.APIVersion || functionConfig.Kind != v1alpha1.ConfigKind {
		results.FieldErrorf(functionConfig, report.Field{Path: "kind"}, "this function takes a %s or a %s of %s as its functionConfig, nothing else; write one of them",
			v1alpha1.ConfigKind, v1alpha1.ClaimKind, v1alpha1.APIVersion)
		return cfg
	}
	object := check.Object{Item: functionConfig, Results: results}
	node := object.Plain()
	object.Known(node, "", []string{"apiVersion", "kind", "metadata", "spec"})
	spec := object.Mapping(node, "spec")
	object.Known(spec, "spec", []string{"connectionSecret", "password"})
	cfg.ExtraKeys = readExtraKeys(&object, node)
	cfg.Password = readPassword(&object, node)
	return cfg
}

var placeholder = regexp.MustCompile(`\{([^{}]*)\}`)

func readExtraKeys(object *check.Object, node *yaml.Node) map[string]string {
	object.Known(object.Mapping(node, "spec", "connectionSecret"), "spec.connectionSecret", []string{"extraKeys"})
	keys := object.Mapping(node, "spec", "connectionSecret", "extraKeys")
	if keys == nil {
		return nil
	}
	extra := map[string]string{}
	for i := 0; i+1 < len(keys.Content); i += 2 {
		key := keys.Content[i].Value
		field := report.Field{Path: "spec.connectionSecret.extraKeys." + key}
		switch {
		case len(validation.IsConfigMapKey(key)) > 0:
			object.Errorf(field, "is no key of a Secret; use letters, digits, dashes, underscores and dots")
		case key == instance.EndpointKey || key == instance.PortKey || key == instance.PasswordKey:
			object.Errorf(field, "is a key that every connection Secret has; give it another name")
		}
		if yamlnode.IsNull(keys.Content[i+1]) {
			object.Errorf(field, "is empty; write a template, or take the key out")
		}
		extra[key] = object.String(node, "spec", "connectionSecret", "extraKeys", key)
		for _, match := range placeholder.FindAllStringSubmatch(extra[key], -1) {
			if !slices.Contains(Placeholders, match[1]) {
				object.Errorf(field, "has the unknown placeholder %s; the placeholders are {%s}", match[0], strings.Join(Placeholders, "} {"))
			}
		}
	}
	return extra
}

// isEmptyConfigMap says whether there is nothing in it: kpt fn eval passes such a ConfigMap where it was
// given no configuration.
func isEmptyConfigMap(item *read.Item) bool {
	data := yamlnode.Get(item.Node, "data")
	return item.APIVersion == "v1" && item.Kind == "ConfigMap" && (yamlnode.IsNull(data) || data.Kind == yaml.MappingNode && len(data.Content) == 0)
}

func readPassword(object *check.Object, node *yaml.Node) PasswordPolicy {
	policy := Default().Password
	at := func(fields ...string) []string { return append([]string{"spec", "password"}, fields...) }
	object.Known(object.Mapping(node, at()...), "spec.password", []string{"source", "seedSecretRef"})

	if !yamlnode.IsNull(yamlnode.Get(node, at("source")...)) {
		source := object.String(node, at("source")...)
		policy.Source = PasswordSource(source)
		if !slices.Contains(passwordSources, source) {
			field := report.Field{Path: "spec.password.source"} // without its value, it may be a seed
			if near := check.Nearest(source, passwordSources); near != "" {
				field.Proposed = near
			}
			object.Errorf(field, "is no source; write one of %s", strings.Join(passwordSources, ", "))
		}
	}

	ref := object.Mapping(node, at("seedSecretRef")...)
	if ref == nil {
		return policy
	}
	object.Known(ref, "spec.password.seedSecretRef", []string{"namespace", "name", "key"})
	policy.SeedSecret = read.ID{
		Kind:      "Secret",
		Namespace: object.String(node, at("seedSecretRef", "namespace")...),
		Name:      object.String(node, at("seedSecretRef", "name")...),
	}
	policy.SeedKey = object.String(node, at("seedSecretRef", "key")...)
	for _, field := range []string{"name", "key"} {
		if yamlnode.Text(ref, field) == "" {
			object.Errorf(report.Field{Path: "spec.password.seedSecretRef." + field}, "is missing; write which Secret of the items holds the seed, and under which key")
		}
	}
	return policy
}
