package specs

import (
	"maps"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/claim"
	"github.com/bizmatters/dragonfly-generator/internal/config"
	"github.com/bizmatters/dragonfly-generator/internal/instance"
	"github.com/bizmatters/dragonfly-generator/internal/krm"
	"github.com/bizmatters/dragonfly-generator/internal/report"
	"github.com/bizmatters/dragonfly-generator/internal/yamlnode"
)

// extra adds an object that the platform wants of every instance.
func (b *builder) extra(template config.ExtraObject, inst instance.Instance, cfg config.Config) {
	nameFor := func(claim string) string {
		return cfg.ValuesOf(instance.Name{Namespace: inst.Namespace, Name: claim}).Fill(yamlnode.Text(template.Node, "metadata", "name"))
	}
	o := Object{ID: extraID(template, inst, cfg), NameFor: nameFor}
	o.File = b.extraFile(template, o.ID)
	o.Node = extraObject(template, inst, cfg)
	b.objects = append(b.objects, o)
}

func extraID(template config.ExtraObject, inst instance.Instance, cfg config.Config) krm.ID {
	id := krm.NewItem(template.Node).ID
	id.Namespace, id.Name = inst.Namespace, cfg.ValuesOf(inst.Name).Fill(id.Name)
	return id
}

// extraFile returns the name of the object's file: its kind, and what its name has beside the instance's. Where
// that is taken by another, its group or its whole name tell the two apart.
func (b *builder) extraFile(template config.ExtraObject, id krm.ID) string {
	kind := strings.ToLower(id.Kind)
	rest := yamlnode.Text(template.Node, "metadata", "name")
	for _, word := range config.Placeholders {
		rest = strings.ReplaceAll(rest, "{"+word+"}", "")
	}
	rest = strings.Trim(rest, "-.")
	for _, parts := range [][]string{{kind, rest}, {kind + "." + id.Group, rest}, {kind, id.Name}, {kind + "." + id.Group, id.Name}} {
		file := strings.TrimSuffix(strings.Join(parts, "-"), "-") + ".yaml"
		if !slices.ContainsFunc(b.objects, func(o Object) bool { return o.File == file }) {
			return file
		}
	}
	return kind + "." + id.Group + "-" + id.Name + ".yaml" // the same object twice, which is reported
}

// extraObject makes the object of its template: in the instance's namespace, with the labels and annotations that
// all objects have. What the template says itself wins over those of the configuration and of the claim, but not
// over our own.
func extraObject(template config.ExtraObject, inst instance.Instance, cfg config.Config) *yaml.Node {
	object := fillNode(template.Node, cfg.ValuesOf(inst.Name))
	ours := meta(inst, cfg, "")
	own := meta(instance.Instance{Name: inst.Name}, config.Config{}, "")

	given := yamlnode.Get(object, "metadata")
	metadata := newObject()
	yamlnode.Set(metadata, "name", yamlnode.Get(given, "name"))
	yamlnode.Set(metadata, "namespace", yamlnode.Scalar(inst.Namespace))
	yamlnode.Set(metadata, "labels", texts(ours.Labels, yamlnode.Get(given, "labels"), own.Labels))
	yamlnode.Set(metadata, "annotations", texts(ours.Annotations, yamlnode.Get(given, "annotations"), own.Annotations))
	addRest(metadata, given)

	fresh := newObject()
	yamlnode.Set(fresh, "apiVersion", yamlnode.Get(object, "apiVersion"))
	yamlnode.Set(fresh, "kind", yamlnode.Get(object, "kind"))
	yamlnode.Set(fresh, "metadata", metadata)
	addRest(fresh, object)
	return fresh
}

// addRest adds the fields of another mapping that are not there.
func addRest(n, from *yaml.Node) {
	for key, value := range yamlnode.Fields(from) {
		if yamlnode.Get(n, key.Value) == nil {
			n.Content = append(n.Content, key, value)
		}
	}
}

// texts returns a mapping of labels or annotations, in the order of their names. The later ones win.
func texts(below map[string]string, given *yaml.Node, above map[string]string) *yaml.Node {
	all := maps.Clone(below)
	for key, value := range yamlnode.Fields(given) {
		all[key.Value] = yamlnode.Text(value)
	}
	maps.Copy(all, above)
	n := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	for _, key := range slices.Sorted(maps.Keys(all)) {
		n.Content = append(n.Content, yamlnode.Scalar(key), yamlnode.Scalar(all[key]))
	}
	return n
}

// RefuseExtraObjects reports extra objects that are in the way: of another instance that has the same name, or of the
// Secrets of their own.
func RefuseExtraObjects(instances []Instance, results *report.Results) {
	if !slices.ContainsFunc(instances, func(inst Instance) bool { return len(inst.Config.ExtraObjects) > 0 }) {
		return // without extra objects, names of one kind are as different as the claims
	}
	owners := map[krm.ID]int{}
	for i, inst := range instances {
		for _, o := range inst.Objects {
			refuseMaker(inst.Claim, o, results)
			if first, found := owners[o.ID]; found {
				results.Errorf(inst.Item, "needs a %s %s, but the claim %s has one from an extra object of the configuration; rename one of the claims, or the extra object", o.Kind, o.Name, instances[first].Name)
				break
			}
			owners[o.ID] = i
		}
	}
}

// refuseMaker reports an extra object that makes one of the Secrets that the instance has anyway.
func refuseMaker(c claim.Claim, o Object, results *report.Results) {
	if o.Node == nil || o.Kind == "Secret" {
		return
	}
	for _, id := range instance.MadeBy(krm.NewItem(o.Node)) {
		source := v1alpha1.External
		switch {
		case id == c.PasswordSecretID() && c.Source == v1alpha1.InCluster:
			source = v1alpha1.Existing
		case id == c.ConnectionSecretID() && c.Source != v1alpha1.External:
		default:
			continue
		}
		results.Errorf(c.Item, "the extra object %s %s makes the Secret %s, but the password source is %s; set password.source: %s", o.Kind, o.Name, id.Name, c.Source, source)
	}
}

// RefuseHashedNames reports Secrets that a custom resource of an instance names and that kustomize will rename: it
// appends a hash after this function, and follows the name in kinds of Kubernetes' own only.
func RefuseHashedNames(list *krm.List, instances []Instance, results *report.Results) {
	hashed := map[krm.ID]*krm.Item{}
	for _, item := range list.Items {
		if item.Group == "" && item.Kind == "Secret" && item.GetsHashSuffix() {
			hashed[item.ID] = item
		}
	}
	if len(hashed) == 0 {
		return
	}
	for _, inst := range instances {
		for _, o := range inst.Objects {
			if o.Node == nil || !strings.Contains(o.Group, ".") || strings.HasSuffix(o.Group, ".k8s.io") {
				continue
			}
			for _, name := range slices.Sorted(maps.Keys(textsIn(o.Node))) {
				id := inst.SecretID(name)
				if item := hashed[id]; item != nil {
					results.Errorf(item, "is named by the %s %s, but kustomize appends a hash to its name after this function and does not follow it there; set `options: {disableNameSuffixHash: true}` in its secretGenerator", o.Kind, o.Name)
				}
			}
		}
	}
}

// textsIn returns the strings of a tree.
func textsIn(n *yaml.Node) map[string]bool {
	found := map[string]bool{}
	var visit func(n *yaml.Node)
	visit = func(n *yaml.Node) {
		if n.Kind == yaml.ScalarNode {
			found[n.Value] = true
		}
		for _, child := range n.Content {
			visit(child)
		}
	}
	visit(yamlnode.Get(n))
	return found
}
