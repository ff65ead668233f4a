package instance

import (
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/internal/krm"
	"github.com/bizmatters/dragonfly-generator/internal/yamlnode"
)

// makes describes the Secrets that one kind of object makes. Paths have dots between their fields.
type makes struct {
	// each leads to a list, each of whose elements makes a Secret; "" where the object itself makes one.
	each string
	// names lead to the Secret's name. The first that is set counts.
	names []string
	// ownName reports that the Secret is named like the object where names are not set.
	ownName bool
	// namespace leads to the namespace of the Secret, which is the object's by default.
	namespace string
	// everywhere reports that the Secret is in no particular namespace.
	everywhere bool
	// unless leads to a field that says, with one of the values, that the object makes no Secret.
	unless string
	values []string
}

// makers are the kinds of objects that make Secrets, as their operators document them. What reads a Secret (PushSecret,
// SecretExport, TriggerAuthentication) is not among them.
var makers = map[schema.GroupKind][]makes{
	{Group: "", Kind: "Secret"}:                  {{ownName: true}},
	{Group: "bitnami.com", Kind: "SealedSecret"}: {{ownName: true}},
	{Group: "external-secrets.io", Kind: "ExternalSecret"}: {{
		names: []string{"spec.target.name"}, ownName: true,
		unless: "spec.target.creationPolicy", values: []string{"Merge", "None"},
	}},
	{Group: "external-secrets.io", Kind: "ClusterExternalSecret"}: {{
		names: []string{"spec.externalSecretSpec.target.name", "spec.externalSecretName"}, ownName: true, everywhere: true,
		unless: "spec.externalSecretSpec.target.creationPolicy", values: []string{"Merge", "None"},
	}},
	{Group: "secrets.hashicorp.com", Kind: "VaultStaticSecret"}: {{
		names: []string{"spec.destination.name"}, unless: "spec.destination.create", values: []string{"false"},
	}},
	{Group: "secrets.hashicorp.com", Kind: "VaultDynamicSecret"}: {{
		names: []string{"spec.destination.name"}, unless: "spec.destination.create", values: []string{"false"},
	}},
	{Group: "onepassword.com", Kind: "OnePasswordItem"}: {{ownName: true}},
	{Group: "secrets.infisical.com", Kind: "InfisicalSecret"}: {
		{names: []string{"spec.managedSecretReference.secretName"}, namespace: "spec.managedSecretReference.secretNamespace"},
		{each: "spec.managedKubeSecretReferences", names: []string{"secretName"}, namespace: "secretNamespace"},
	},
	{Group: "k8s.bitwarden.com", Kind: "BitwardenSecret"}: {{names: []string{"spec.secretName"}}},
	{Group: "isindir.github.com", Kind: "SopsSecret"}:     {{each: "spec.secretTemplates", names: []string{"name"}}},
	{Group: "secrets.doppler.com", Kind: "DopplerSecret"}: {{
		names: []string{"spec.managedSecret.name"}, namespace: "spec.managedSecret.namespace",
	}},
	{Group: "spv.no", Kind: "AzureKeyVaultSecret"}: {{names: []string{"spec.output.secret.name"}}},
}

// MadeBy returns the Secrets that an object makes, the object itself if it is a Secret. One without a namespace is made
// in several.
func MadeBy(item *krm.Item) []krm.ID {
	var made []krm.ID
	for _, m := range makers[schema.GroupKind{Group: item.Group, Kind: item.Kind}] {
		for _, n := range m.elements(item.Node) {
			if id, ok := m.secret(n, item); ok {
				made = append(made, id)
			}
		}
	}
	return made
}

// elements returns the nodes that each make a Secret.
func (m makes) elements(object *yaml.Node) []*yaml.Node {
	if m.each == "" {
		return []*yaml.Node{object}
	}
	list := yamlnode.Follow(field(object, m.each))
	if list == nil || list.Kind != yaml.SequenceNode {
		return nil
	}
	return list.Content
}

func (m makes) secret(n *yaml.Node, item *krm.Item) (krm.ID, bool) {
	id := krm.ID{Kind: "Secret", Namespace: item.Namespace}
	for _, value := range m.values {
		if text(n, m.unless) == value {
			return id, false
		}
	}
	for _, path := range m.names {
		if id.Name == "" {
			id.Name = text(n, path)
		}
	}
	if id.Name == "" && m.ownName {
		id.Name = item.Name
	}
	if namespace := text(n, m.namespace); namespace != "" {
		id.Namespace = namespace
	}
	if m.everywhere {
		id.Namespace = ""
	}
	return id, id.Name != ""
}

func field(n *yaml.Node, path string) *yaml.Node { return yamlnode.Get(n, strings.Split(path, ".")...) }

func text(n *yaml.Node, path string) string { return yamlnode.Text(field(n, path)) }

// MakesEverywhere reports whether an object makes its Secrets in namespaces that it does not name.
func MakesEverywhere(item *krm.Item) bool {
	made := makers[schema.GroupKind{Group: item.Group, Kind: item.Kind}]
	return len(made) > 0 && made[0].everywhere
}
