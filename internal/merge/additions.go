package merge

import (
	"path"
	"path/filepath"
	"strings"

	"github.com/GoogleContainerTools/kpt-functions-sdk/go/fn"
	"sigs.k8s.io/kustomize/kyaml/kio/kioutil"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/instance"
	"github.com/bizmatters/dragonfly-generator/internal/krm"
	"github.com/bizmatters/dragonfly-generator/internal/overrides"
	"github.com/bizmatters/dragonfly-generator/internal/yamlnode"
)

// addition gives a new object its file, if it is written in place, and what kustomize remembers about the claim, so that
// kustomize updates references to the object when it adds a prefix.
func (m *merger) addition(inst instance.Instance, o overrides.Object) Addition {
	a := Addition{Instance: inst.Name, Node: o.Node, Claim: inst.Item}
	if m.InPlace {
		a.File = inst.Folder() + "/" + o.File
	}
	annotate(o.Node, krm.PreviousNames, mapList(inst.Item, krm.PreviousNames, o.NameFor))
	annotate(o.Node, krm.PreviousKinds, mapList(inst.Item, krm.PreviousKinds, func(string) string { return o.Kind }))
	for _, unchanged := range []string{krm.PreviousNamespaces, krm.Prefixes, krm.Suffixes} {
		annotate(o.Node, unchanged, inst.Item.Annotation(unchanged))
	}
	return a
}

// annotate sets the path to which the orchestrator writes the object: next to its claim, in the claim's package.
func (a Addition) annotate() {
	if a.File != "" {
		annotate(a.Node, kioutil.PathAnnotation, path.Join(path.Dir(a.Claim.Path()), a.File))
		annotate(a.Node, krm.PackagePath, a.Claim.Annotation(krm.PackagePath))
	}
}

// checkPath reports a claim whose objects would be written outside its package, because its path annotation points
// there.
func (m *merger) checkPath(claim *krm.Item) {
	if file := claim.AnnotatedPath(); m.InPlace && file != "" && !filepath.IsLocal(file) {
		m.results.Errorf(claim, "has a path annotation that points outside the package, where its objects would be written; remove the annotation")
	}
}

func annotate(n *yaml.Node, annotation, text string) {
	if text != "" {
		yamlnode.SetText(n, text, "metadata", "annotations", annotation)
	}
}

// mapList changes each element of an annotation that kustomize writes as a comma-separated list.
func mapList(claim *krm.Item, annotation string, change func(string) string) string {
	text := claim.Annotation(annotation)
	if text == "" {
		return ""
	}
	elements := strings.Split(text, ",")
	for i := range elements {
		elements[i] = change(elements[i])
	}
	return strings.Join(elements, ",")
}

// keepBookkeeping copies the bookkeeping annotations of the replaced object to n, and removes any others.
func keepBookkeeping(n, old *yaml.Node) {
	annotations := yamlnode.Get(n, "metadata", "annotations")
	annotations.Content = append(
		fields(annotations, func(key, _ string) bool { return !v1alpha1.IsBookkeeping(key) }),
		fields(yamlnode.Get(old, "metadata", "annotations"), func(key, text string) bool {
			return text != "" && v1alpha1.IsBookkeeping(key) && key != fn.KptLocalConfig // which would keep it from the cluster
		})...)
}

// fields returns the keys and values of the wanted fields of a mapping.
func fields(n *yaml.Node, wanted func(key, text string) bool) []*yaml.Node {
	var found []*yaml.Node
	for key, value := range yamlnode.Fields(n) {
		if text := yamlnode.Text(value); wanted(key.Value, text) {
			found = append(found, yamlnode.Scalar(key.Value), yamlnode.Scalar(text))
		}
	}
	return found
}
