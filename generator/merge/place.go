package merge

import (
	"path"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/kio/kioutil"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/generator/plan"
	"github.com/bizmatters/dragonfly-generator/generator/read"
	"github.com/bizmatters/dragonfly-generator/generator/yamlnode"
)

// isBookkeeping says whether an annotation belongs to the orchestrator and not to the object.
func isBookkeeping(annotation string) bool {
	switch annotation {
	case read.SelectedID, kioutil.LegacyPathAnnotation, kioutil.LegacyIndexAnnotation, kioutil.LegacyIdAnnotation,
		"kustomize.config.k8s.io/id",
		"config.kubernetes.io/origin", "alpha.config.kubernetes.io/transformations": // buildMetadata
		return true
	}
	return strings.HasPrefix(annotation, read.InternalPrefix) || strings.HasPrefix(annotation, "internal.kpt.dev/")
}

// place gives a new object its file beside the claim where results are kept, and what kustomize
// remembers of the claim, so that the references of applications follow a prefix.
func (m *merger) place(n *yaml.Node, p plan.Plan, o object) {
	if m.Kept {
		folder := p.Instance.Name.Name + "." + p.Instance.Namespace
		annotate(n, kioutil.PathAnnotation, path.Join(path.Dir(p.Claim.Path()), folder, o.file))
		annotate(n, read.PackagePath, p.Claim.Annotation(read.PackagePath))
	}
	annotate(n, read.PreviousNames, mapList(p.Claim, read.PreviousNames, o.name))
	annotate(n, read.PreviousKinds, mapList(p.Claim, read.PreviousKinds, func(string) string { return o.id.Kind }))
	for _, same := range []string{read.PreviousNamespaces, read.Prefixes, read.Suffixes} {
		annotate(n, same, p.Claim.Annotation(same))
	}
}

func annotate(n *yaml.Node, annotation, text string) {
	if text != "" {
		yamlnode.SetText(n, text, "metadata", "annotations", annotation)
	}
}

// mapList changes each element of an annotation that kustomize writes as a list with commas.
func mapList(claim *read.Item, annotation string, change func(string) string) string {
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

// keepPlace gives n the bookkeeping of the object that it replaces.
func keepPlace(n, old *yaml.Node) {
	annotations := yamlnode.Get(old, "metadata", "annotations")
	for i := 0; annotations != nil && i+1 < len(annotations.Content); i += 2 {
		if key := annotations.Content[i].Value; isBookkeeping(key) {
			annotate(n, key, yamlnode.Text(annotations.Content[i+1]))
		}
	}
}

// keepData gives a Secret the data, of whatever keys, of the one that it replaces.
func keepData(n, old *yaml.Node) {
	for _, field := range []string{"immutable", "data", "stringData"} {
		yamlnode.Set(n, field, yamlnode.Get(old, field))
	}
}
