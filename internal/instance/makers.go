package instance

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/internal/krm"
	"github.com/bizmatters/dragonfly-generator/internal/yamlnode"
)

// makes describes the Secrets that one kind of object makes. Paths have dots between their fields.
type makes struct {
	// each is the path of a list, each of whose elements makes a Secret; "" if the object itself makes one.
	each string
	// names are paths of the Secret's name. The first one that is set counts.
	names []string
	// ownName reports that the Secret has the name of the object if none of names is set.
	ownName bool
	// namespace is the path of the Secret's namespace, which is the object's by default.
	namespace string
	// everywhere reports that the Secret is in no particular namespace.
	everywhere bool
	// unless are fields that prevent the Secret if they have one of the values.
	unless map[string][]string
	// only are fields that must have one of the values for the Secret to be made. A field that is not set has the value
	// "".
	only map[string][]string
}

// yes are the ways to write true: those of YAML 1.2 and those of 1.1, which kubectl reads.
var yes = []string{"true", "yes", "on", "y"}

// makers are the kinds of objects that make Secrets, as their operators document them. What reads a Secret (PushSecret,
// SecretExport, TriggerAuthentication) is not among them. tools/secretmakers compares Sealed Secrets and External Secrets with
// the operators themselves.
var makers = map[schema.GroupKind][]makes{
	{Group: "", Kind: "Secret"}:                  {{ownName: true}},
	{Group: "bitnami.com", Kind: "SealedSecret"}: {{ownName: true}},
	// https://external-secrets.io/latest/api/externalsecret/,
	// https://external-secrets.io/latest/guides/ownership-deletion-policy/
	{Group: "external-secrets.io", Kind: "ExternalSecret"}: {{
		names: []string{"spec.target.name"}, ownName: true,
		unless: map[string][]string{"spec.target.creationPolicy": {"Merge", "None"}},
		only:   map[string][]string{"spec.target.manifest.kind": {"", "Secret"}},
	}},
	{Group: "external-secrets.io", Kind: "ClusterExternalSecret"}: {{
		names: []string{"spec.externalSecretSpec.target.name", "spec.externalSecretName"}, ownName: true, everywhere: true,
		unless: map[string][]string{"spec.externalSecretSpec.target.creationPolicy": {"Merge", "None"}},
		only:   map[string][]string{"spec.externalSecretSpec.target.manifest.kind": {"", "Secret"}},
	}},
	// https://github.com/hashicorp/vault-secrets-operator/blob/main/docs/api/api-reference.md#destination: create is false by
	// default, and then the Secret must exist.
	{Group: "secrets.hashicorp.com", Kind: "VaultStaticSecret"}: {{
		names: []string{"spec.destination.name"}, only: map[string][]string{"spec.destination.create": yes},
	}},
	{Group: "secrets.hashicorp.com", Kind: "VaultDynamicSecret"}: {{
		names: []string{"spec.destination.name"}, only: map[string][]string{"spec.destination.create": yes},
	}},
	// https://github.com/1Password/onepassword-operator: the Secret is named like the item.
	{Group: "onepassword.com", Kind: "OnePasswordItem"}: {{ownName: true}},
	// https://infisical.com/docs/integrations/platforms/kubernetes/infisical-secret-crd; name and namespace are required.
	{Group: "secrets.infisical.com", Kind: "InfisicalSecret"}: {
		{names: []string{"spec.managedSecretReference.secretName"}, namespace: "spec.managedSecretReference.secretNamespace"},
		{each: "spec.managedKubeSecretReferences", names: []string{"secretName"}, namespace: "secretNamespace"},
	},
	// https://infisical.com/docs/integrations/platforms/kubernetes/infisical-static-secret-crd; kind, name and namespace are
	// required, and both policies create.
	{Group: "secrets.infisical.com", Kind: "InfisicalStaticSecret"}: {{
		each: "spec.targets", names: []string{"name"}, namespace: "namespace", only: map[string][]string{"kind": {"Secret"}},
	}},
	// https://bitwarden.com/help/secrets-manager-kubernetes-operator/
	{Group: "k8s.bitwarden.com", Kind: "BitwardenSecret"}: {{names: []string{"spec.secretName"}}},
	// https://github.com/isindir/sops-secrets-operator
	{Group: "isindir.github.com", Kind: "SopsSecret"}: {{each: "spec.secretTemplates", names: []string{"name"}}},
	// https://docs.doppler.com/docs/kubernetes-operator; the namespace defaults to the DopplerSecret's.
	{Group: "secrets.doppler.com", Kind: "DopplerSecret"}: {{
		names: []string{"spec.managedSecret.name"}, namespace: "spec.managedSecret.namespace",
	}},
	// https://akv2k8s.io/reference/azure-key-vault-secret/; without output.secret, the object is only for the injector.
	{Group: "spv.no", Kind: "AzureKeyVaultSecret"}: {{names: []string{"spec.output.secret.name"}}},
}

// MadeBy returns the Secrets that an object creates; if the object is a Secret, that is the object itself. A Secret without
// a namespace is created in several. An object that is not applied to the cluster creates none.
func MadeBy(item *krm.Item) []krm.ID {
	if item.IsLocal() {
		return nil
	}
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
	return yamlnode.Elements(field(object, m.each))
}

func (m makes) secret(n *yaml.Node, item *krm.Item) (krm.ID, bool) {
	id := krm.SecretID(item.Namespace, "")
	for path, values := range m.unless {
		if says(n, path, values) {
			return id, false
		}
	}
	for path, values := range m.only {
		if !says(n, path, values) {
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
	if namespace := text(n, m.namespace); m.namespace != "" && namespace != "" {
		id.Namespace = namespace
	}
	if m.everywhere {
		id.Namespace = ""
	}
	return id, id.Name != "" && !strings.HasPrefix(id.Name, encrypted)
}

// encrypted is the prefix of a value that SOPS has encrypted: if the names in a SopsSecret are encrypted, nothing is known
// about its Secrets.
const encrypted = "ENC["

// says reports whether a field has one of the values, ignoring case.
func says(n *yaml.Node, path string, values []string) bool {
	value := text(n, path)
	return slices.ContainsFunc(values, func(v string) bool { return strings.EqualFold(v, value) })
}

func field(n *yaml.Node, path string) *yaml.Node { return yamlnode.Get(n, strings.Split(path, ".")...) }

func text(n *yaml.Node, path string) string { return yamlnode.Text(field(n, path)) }

// MakesEverywhere reports whether an object makes its Secrets in namespaces that it does not name.
func MakesEverywhere(item *krm.Item) bool {
	made := makers[schema.GroupKind{Group: item.Group, Kind: item.Kind}]
	return len(made) > 0 && made[0].everywhere
}
