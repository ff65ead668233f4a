package config

import (
	"regexp"
	"slices"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/decode"
	"github.com/bizmatters/dragonfly-generator/internal/instance"
	"github.com/bizmatters/dragonfly-generator/internal/krm"
	"github.com/bizmatters/dragonfly-generator/internal/operator"
	"github.com/bizmatters/dragonfly-generator/internal/report"
	"github.com/bizmatters/dragonfly-generator/internal/yamlnode"
)

// extraObjects takes the templates of further objects, from each layer in turn.
func (r *reader) extraObjects() {
	for _, layer := range r.layers {
		if isSetToNull(layer.node, "extraObjects") {
			r.ExtraObjects = nil
		}
		list := yamlnode.Get(layer.node, "extraObjects")
		if list == nil || list.Kind != yaml.SequenceNode {
			continue
		}
		for i, n := range list.Content {
			path := decode.Element(layer.path+".extraObjects", i)
			if !yamlnode.IsNull(n) && r.Passes(func() { r.extraObject(n, path) }) {
				r.placeholdersIn(n, path)
				r.ExtraObjects = append(r.ExtraObjects, ExtraObject{path, n})
			}
		}
	}
	seen := map[krm.ID]string{}
	for _, object := range r.ExtraObjects {
		id := object.id(probe)
		if first, found := seen[id]; found {
			r.Errorf(report.Field{Path: object.Path}, "is the same object as %s; rename or remove one of them", first)
		}
		seen[id] = object.Path
	}
}

// id returns what identifies an instance's object.
func (o ExtraObject) id(values Values) krm.ID {
	id := krm.NewItem(o.Node).ID
	id.Name, id.Namespace = values.Fill(id.Name), values.Namespace
	return id
}

// kindName is the name of a kind.
var kindName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Z][A-Za-z0-9]*$`) })

// extraObject judges a template.
func (r *reader) extraObject(n *yaml.Node, path string) {
	if n.Kind != yaml.MappingNode {
		r.NotAnObject(n, path)
		return
	}
	item := krm.NewItem(n)
	id := ExtraObject{Node: n}.id(probe)
	at := func(field string) report.Field { return report.Field{Path: path + "." + field} }
	switch namespace := yamlnode.Text(n, "metadata", "namespace"); {
	case !yamlnode.IsString(yamlnode.Get(n, "apiVersion")) || item.APIVersion == "":
		r.Errorf(at("apiVersion"), "is missing or not a string; set the object's apiVersion")
	case !yamlnode.IsString(yamlnode.Get(n, "kind")) || !kindName().MatchString(item.Kind):
		r.Errorf(at("kind"), "is missing or not a valid kind; set the object's kind")
	case strings.HasSuffix(item.Kind, "List") && yamlnode.Get(n, "items") != nil:
		r.Errorf(at("kind"), "is a list; write each object as a separate element")
	case item.Group == v1alpha1.Group:
		r.Errorf(at("kind"), "is a kind that this function reads and the cluster does not know; remove the object, or write another claim")
	case item.Group == "" && item.Kind == "Secret":
		r.Errorf(at("kind"), "is a Secret, which would be in plain text in the configuration; use an ExternalSecret or similar, or connectionSecret.extraKeys")
	case isClusterScoped(item.Group, item.Kind):
		r.Errorf(at("kind"), "is cluster-scoped, but an instance has objects in its namespace only; add it as a resource of your own")
	case !strings.Contains(yamlnode.Text(n, "metadata", "name"), "{name}"):
		r.Errorf(at("metadata.name"), "must contain {name}, so that each instance has its own")
	case !yamlnode.IsString(yamlnode.Get(n, "metadata", "name")) || len(validation.IsDNS1123Subdomain(id.Name)) > 0:
		r.Errorf(at("metadata.name"), "is not a valid name; use lower case letters, digits, dashes and dots besides {name}")
	case namespace != "" && namespace != "{namespace}":
		r.Errorf(at("metadata.namespace"), "is another namespace, but an instance has objects in its own namespace only; remove it")
	case slices.Contains(instance.Name{Namespace: probe.Namespace, Name: probe.Name}.IDs(), id),
		r.TLS.Issuer.Name != "" && id == instance.Name{Namespace: probe.Namespace, Name: probe.Name}.CertificateID():
		r.Errorf(at("metadata.name"), "is the name of the %s that every instance already has; use another name, such as {name}-extra", item.Kind)
	}
	if r.Backend == v1alpha1.Operator {
		r.besideOperator(item, id, path)
	}
	if yamlnode.Get(n, "status") != nil {
		r.Errorf(at("status"), "is set by the cluster; remove it")
	}
	for key, value := range yamlnode.Fields(yamlnode.Get(n, "metadata", "labels")) {
		field := report.Field{Path: decode.Join(path+".metadata.labels", key.Value)}
		if !yamlnode.IsString(value) {
			r.Errorf(field, "must be a string; put it in quotes")
			continue
		}
		r.Label(field, key.Value, probe.Fill(value.Value))
	}
	for key, value := range yamlnode.Fields(yamlnode.Get(n, "metadata", "annotations")) {
		field := report.Field{Path: decode.Join(path+".metadata.annotations", key.Value)}
		if !yamlnode.IsString(value) {
			r.Errorf(field, "must be a string; put it in quotes")
			continue
		}
		r.annotationName(field, key.Value)
	}
}

// besideOperator reports an object that the operator makes itself: of that name it would be overwritten, and two
// budgets on a pod block every eviction.
func (r *reader) besideOperator(item *krm.Item, id krm.ID, path string) {
	isBudget := item.Group == "policy" && item.Kind == "PodDisruptionBudget"
	isPolicy := item.Group == "networking.k8s.io" && item.Kind == "NetworkPolicy"
	field := report.Field{Path: path + ".metadata.name"}
	switch {
	case (isBudget || isPolicy) && id.Name == probe.Name:
		way := "use another name, such as {name}-monitoring"
		if isBudget {
			way = "set overrides.dragonfly.spec.pdb instead"
		}
		r.Errorf(field, "is the name of the %s that the operator makes for every instance; %s", item.Kind, way)
	case isBudget && operator.Selects(yamlnode.Get(item.Node, "spec", "selector"), instance.Name{Namespace: probe.Namespace, Name: "{name}"}):
		r.Warnf(field, "selects the pods of the instance, for which the operator makes a PodDisruptionBudget too, and with two of them Kubernetes refuses every eviction; set overrides.dragonfly.spec.pdb instead")
	}
}

// clusterScoped are the kinds of Kubernetes, and of what we have to do with, that are in no namespace. The
// scope of other kinds is not known here.
var clusterScoped = map[string][]string{
	"": {"Namespace", "Node", "PersistentVolume"},
	"admissionregistration.k8s.io": {
		"MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding", "MutatingWebhookConfiguration",
		"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding", "ValidatingWebhookConfiguration",
	},
	"apiextensions.k8s.io":         {"CustomResourceDefinition"},
	"apiregistration.k8s.io":       {"APIService"},
	"certificates.k8s.io":          {"CertificateSigningRequest", "ClusterTrustBundle"},
	"cert-manager.io":              {"ClusterIssuer"},
	"flowcontrol.apiserver.k8s.io": {"FlowSchema", "PriorityLevelConfiguration"},
	"networking.k8s.io":            {"IngressClass", "IPAddress", "ServiceCIDR"},
	"node.k8s.io":                  {"RuntimeClass"},
	"rbac.authorization.k8s.io":    {"ClusterRole", "ClusterRoleBinding"},
	"scheduling.k8s.io":            {"PriorityClass"},
	"storage.k8s.io":               {"CSIDriver", "CSINode", "StorageClass", "VolumeAttachment", "VolumeAttributesClass"},
}

func isClusterScoped(group, kind string) bool { return slices.Contains(clusterScoped[group], kind) }
