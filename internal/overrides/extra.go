package overrides

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/config"
	"github.com/bizmatters/dragonfly-generator/internal/decode"
	"github.com/bizmatters/dragonfly-generator/internal/instance"
	"github.com/bizmatters/dragonfly-generator/internal/krm"
	"github.com/bizmatters/dragonfly-generator/internal/operator"
	"github.com/bizmatters/dragonfly-generator/internal/report"
	"github.com/bizmatters/dragonfly-generator/internal/specs"
	"github.com/bizmatters/dragonfly-generator/internal/yamlnode"
)

// probe is an instance with the shortest possible names.
var probe = instance.Name{Namespace: "n", Name: "n"}

// extraObjects checks the extra objects of a profile.
func (c *checker) extraObjects() {
	seen := map[krm.ID]string{}
	for _, raw := range c.spec.Extra {
		item := krm.NewItem(yamlnode.FromJSON(raw.JSON))
		id := item.ID
		id.Name, id.Namespace = v1alpha1.Fill(id.Name, probe.Values("n")), probe.Namespace
		c.extraObject(item, id, raw.Path)
		if first, found := seen[id]; found {
			c.errorf(raw.Path, "is the same object as %s; rename or remove one of them", first)
		}
		seen[id] = raw.Path
	}
}

// extraObject checks an extra object. id is its ID for the instance probe.
func (c *checker) extraObject(item *krm.Item, id krm.ID, path string) {
	n := item.Node
	own := Samples(c.spec)[1] // with the source InCluster, which needs the most objects
	own.Name = probe
	name, namespace := yamlnode.Get(n, "metadata", "name"), yamlnode.Text(n, "metadata", "namespace")
	switch {
	case !yamlnode.IsString(yamlnode.Get(n, "apiVersion")) || item.APIVersion == "":
		c.errorf(path+".apiVersion", "is missing or not a string; set the object's apiVersion")
	case !validKind.MatchString(item.Kind):
		c.errorf(path+".kind", "is missing or not a valid kind; set the object's kind")
	case strings.HasSuffix(item.Kind, "List") && yamlnode.Get(n, "items") != nil:
		c.errorf(path+".kind", "is a list; write each object as a separate element")
	case item.Group == v1alpha1.Group:
		c.errorf(path+".kind", "is a kind for this function, which the cluster does not know; remove the object, or write another claim")
	case item.IsSecret():
		c.errorf(path+".kind", "is a Secret, which would be in plain text in the configuration; use an ExternalSecret or similar, or connectionSecret.extraKeys")
	case slices.Contains(clusterScoped[item.Group], item.Kind):
		c.errorf(path+".kind", "is cluster-scoped, but an instance can only have objects in its namespace; add it as a resource of your own")
	case !strings.Contains(yamlnode.Text(name), "{name}"):
		c.errorf(path+".metadata.name", "must contain {name}, so that each instance has its own")
	case !yamlnode.IsString(name) || len(validation.IsDNS1123Subdomain(id.Name)) > 0:
		c.errorf(path+".metadata.name", "is not a valid name; use lower case letters, digits, dashes and dots besides {name}")
	case namespace != "" && namespace != "{namespace}":
		c.errorf(path+".metadata.namespace", "is another namespace, but an instance can only have objects in its own; remove it")
	case item.Kind == "PersistentVolumeClaim" && slices.Contains([]string{specs.DataVolume + "-" + probe.Name + "-0", operator.DataVolume + "-" + probe.Name + "-0"}, id.Name):
		c.errorf(path+".metadata.name", "is the name of the instance's own volume, which would be deleted with the claim; use another name, such as {name}-extra")
	case slices.ContainsFunc(specs.Objects(own), func(o specs.Object) bool { return o.ID == id }):
		c.errorf(path+".metadata.name", "is the name of the %s that every instance already has; use another name, such as {name}-extra", item.Kind)
	case *c.spec.Backend == v1alpha1.Operator && slices.Contains(probe.OperatorIDs(), id):
		remedy := "use another name, such as {name}-monitoring"
		if item.Kind == "PodDisruptionBudget" {
			remedy = "set overrides.dragonfly.spec.pdb instead"
		}
		c.errorf(path+".metadata.name", "is the name of the %s that the operator creates for every instance; %s", item.Kind, remedy)
	}
	if yamlnode.Get(n, "status") != nil {
		c.errorf(path+".status", "is set by the cluster; remove it")
	}
	for key, value := range yamlnode.Fields(yamlnode.Get(n, "metadata", "labels")) {
		c.text(value, decode.Join(path+".metadata.labels", key.Value), v1alpha1.InvalidLabel(key.Value, v1alpha1.Fill(value.Value, probe.Values("n"))))
	}
	for key, value := range yamlnode.Fields(yamlnode.Get(n, "metadata", "annotations")) {
		c.text(value, decode.Join(path+".metadata.annotations", key.Value), v1alpha1.InvalidAnnotation(key.Value))
	}
}

// text reports a label or annotation that is not a string or has the given problem.
func (c *checker) text(value *yaml.Node, path, problem string) {
	switch {
	case !yamlnode.IsString(value):
		c.errorf(path, "must be a string; put it in quotes")
	case problem != "":
		c.errorf(path, "%s", problem)
	}
}

var validKind = regexp.MustCompile(`^[A-Z][A-Za-z0-9]*$`)

// clusterScoped are the cluster-scoped kinds of Kubernetes and of the tools that we support. The scope of other kinds is
// not known here.
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

// addExtra adds an extra object, with its placeholders filled in. It reports a name that Kubernetes would refuse.
func (b *Built) addExtra(raw config.Raw, results *report.Results) {
	name := yamlnode.Text(yamlnode.FromJSON(raw.JSON), "metadata", "name")
	nameFor := func(claim string) string {
		return v1alpha1.Fill(name, instance.Name{Namespace: b.Namespace, Name: claim}.Values(*b.Config.ClusterDomain))
	}
	n := yamlnode.FromJSON([]byte(v1alpha1.Fill(string(raw.JSON), b.Values(*b.Config.ClusterDomain))))
	id := krm.NewItem(n).ID
	id.Namespace = b.Namespace
	if len(validation.IsDNS1123Subdomain(id.Name)) > 0 {
		results.Errorf(b.Item, "the name of an extra object of the configuration becomes %q for this instance, which is not a valid name; shorten the name of the claim, or change the field", id.Name)
	}
	b.Objects = append(b.Objects, Object{ID: id, NameFor: nameFor, File: b.extraFile(id, name), Node: extraObject(n, b.Instance)})
}

// extraFile returns the name of the object's file: its kind, and the parts of its name other than the instance's name. If
// another object already has that file, its group and its whole name distinguish the two.
func (b *Built) extraFile(id krm.ID, template string) string {
	kind, rest := strings.ToLower(id.Kind), template
	for _, word := range v1alpha1.Placeholders {
		rest = strings.ReplaceAll(rest, "{"+word+"}", "")
	}
	rest = strings.Trim(rest, "-.")
	for _, parts := range [][]string{{kind, rest}, {kind + "." + id.Group, rest}, {kind, id.Name}} {
		file := strings.TrimSuffix(strings.Join(parts, "-"), "-") + ".yaml"
		if !slices.ContainsFunc(b.Objects, func(o Object) bool { return o.File == file }) {
			return file
		}
	}
	return kind + "." + id.Group + "-" + id.Name + ".yaml"
}

// extraObject completes an extra object: it gets the instance's namespace, and the labels and annotations that all objects
// have. Its own win over those of the configuration and of the claim, but not over ours.
func extraObject(object *yaml.Node, inst instance.Instance) *yaml.Node {
	ours, own := specs.Metadata(inst, ""), map[string]string{v1alpha1.GeneratedFrom: inst.String()}
	given := yamlnode.Get(object, "metadata")
	metadata := yamlnode.NewMapping()
	yamlnode.Set(metadata, "name", yamlnode.Get(given, "name"))
	yamlnode.Set(metadata, "namespace", yamlnode.Scalar(inst.Namespace))
	yamlnode.Set(metadata, "labels", texts(ours.Labels, yamlnode.Get(given, "labels"), inst.OwnLabels()))
	yamlnode.Set(metadata, "annotations", texts(ours.Annotations, yamlnode.Get(given, "annotations"), own))
	addRest(metadata, given)

	fresh := yamlnode.NewMapping()
	yamlnode.Set(fresh, "apiVersion", yamlnode.Get(object, "apiVersion"))
	yamlnode.Set(fresh, "kind", yamlnode.Get(object, "kind"))
	yamlnode.Set(fresh, "metadata", metadata)
	addRest(fresh, object)
	return fresh
}

// addRest adds the fields of another mapping that are missing.
func addRest(n, from *yaml.Node) {
	for key, value := range yamlnode.Fields(from) {
		if yamlnode.Get(n, key.Value) == nil {
			n.Content = append(n.Content, key, value)
		}
	}
}

// texts returns a mapping of labels or annotations, sorted by name. Later maps win.
func texts(below map[string]string, given *yaml.Node, above map[string]string) *yaml.Node {
	all := instance.Merged(below, yamlnode.Texts(given), above)
	n := yamlnode.NewMapping()
	for _, key := range slices.Sorted(maps.Keys(all)) {
		n.Content = append(n.Content, yamlnode.Scalar(key), yamlnode.Scalar(all[key]))
	}
	return n
}

// checkFilled reports values that Kubernetes would refuse after the placeholders of the configuration are filled in with
// this instance's names.
func checkFilled(inst instance.Instance, results *report.Results) {
	for _, labels := range []map[string]string{inst.Config.Labels, inst.Config.ConnectionSecret.Labels} {
		for _, key := range slices.Sorted(maps.Keys(labels)) {
			if len(validation.IsValidLabelValue(labels[key])) > 0 {
				results.Errorf(inst.Item, "the label %s of the configuration becomes %q for this instance, but a label may have at most 63 letters, digits, dashes, underscores and dots; shorten the name of the claim, or change the label", key, labels[key])
			}
		}
	}
	if tls := inst.Config.TLS; tls != nil && len(validation.IsDNS1123Subdomain(*tls.SecretName)) > 0 {
		results.Errorf(inst.Item, "tls.secretName of the configuration becomes %q for this instance, which is not a valid name; shorten the name of the claim, or change the field", *tls.SecretName)
	}
}

// refuseExtraObjects reports extra objects that conflict with an object of another instance, or with the Secrets of their
// own instance.
func refuseExtraObjects(built []Built, results *report.Results) {
	if !slices.ContainsFunc(built, func(b Built) bool { return len(b.Config.Extra) > 0 }) {
		return // without extra objects, names are as unique as the claims
	}
	owners := map[krm.ID]int{}
	for i, b := range built {
		refuseMakers(b, results)
		for _, o := range b.Objects {
			if first, found := owners[o.ID]; found {
				results.Errorf(b.Item, "needs a %s %s, but the claim %s has one from an extra object of the configuration; rename one of the claims, or the extra object", o.Kind, o.Name, built[first].Name)
				break
			}
			owners[o.ID] = i
		}
	}
}

// refuseMakers reports extra objects that create Secrets that the instance already has.
func refuseMakers(b Built, results *report.Results) {
	set := "set password.source in the configuration to "
	if b.Item.Annotation(v1alpha1.PasswordSourceAnnotation) != "" {
		set = "set the claim's annotation " + v1alpha1.PasswordSourceAnnotation + " to "
	}
	remedy := set + string(v1alpha1.Existing)
	var refused []string
	for _, o := range b.Objects {
		if o.Node == nil || o.Kind == "Secret" {
			continue
		}
		for _, id := range instance.MadeBy(krm.NewItem(o.Node)) {
			switch {
			case id == b.ConnectionSecretID() && b.Source != v1alpha1.External:
				remedy = "remove the extra object, or, if something creates both Secrets of each claim, " + set + string(v1alpha1.External)
			case id == b.PasswordSecretID() && b.Source == v1alpha1.InCluster:
			default:
				continue
			}
			refused = append(refused, fmt.Sprintf("the extra object %s %s creates the Secret %s, but the password source is %s", o.Kind, o.Name, id.Name, b.Source))
		}
	}
	for _, problem := range refused {
		results.Errorf(b.Item, "%s; %s", problem, remedy)
	}
}

// refuseHashedNames reports Secrets that a custom resource of an instance refers to and that kustomize will rename: it
// appends a hash after this function runs, and updates only references in built-in kinds.
func refuseHashedNames(list *krm.List, built []Built, results *report.Results) {
	hashed := map[krm.ID]*krm.Item{}
	for _, item := range list.Items {
		if item.IsSecret() && item.GetsHashSuffix() {
			hashed[item.ID] = item
		}
	}
	if len(hashed) == 0 {
		return
	}
	for _, b := range built {
		for _, o := range b.Objects {
			if o.Node == nil || !strings.Contains(o.Group, ".") || strings.HasSuffix(o.Group, ".k8s.io") {
				continue
			}
			texts := map[string]bool{}
			for n := range yamlnode.All(o.Node) {
				texts[n.Value] = true
			}
			for _, name := range slices.Sorted(maps.Keys(texts)) {
				if item := hashed[krm.SecretID(b.Namespace, name)]; item != nil {
					results.Errorf(item, "is referenced by the %s %s, but kustomize appends a hash to its name after this function and does not update that reference; set `options: {disableNameSuffixHash: true}` in its secretGenerator", o.Kind, o.Name)
				}
			}
		}
	}
}
