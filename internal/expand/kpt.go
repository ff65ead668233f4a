package expand

import (
	"path"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/instance"
	"github.com/bizmatters/dragonfly-generator/internal/krm"
	"github.com/bizmatters/dragonfly-generator/internal/merge"
	"github.com/bizmatters/dragonfly-generator/internal/report"
	"github.com/bizmatters/dragonfly-generator/internal/yamlnode"
)

// function is the name of this function's image and program.
const function = "dragonfly-generator"

// isKptfile reports whether an item is the file that makes a folder a package.
func isKptfile(item *krm.Item) bool { return item.Group == "kpt.dev" && item.Kind == "Kptfile" }

// tree holds the packages among the items: the one that kpt is rendering, and the ones below it.
type tree struct {
	count   int
	root    string          // the path of the one that kpt is rendering; "" if kpt does not name it
	callers map[string]bool // the paths of the packages that call this function
	configs map[string]bool // the files that some package names as the configuration of a function
}

// newTree finds the packages among the items.
func newTree(items []*krm.Item) tree {
	t := tree{callers: map[string]bool{}, configs: map[string]bool{}}
	for _, item := range items {
		if !isKptfile(item) {
			continue
		}
		at := item.Annotation(krm.PackagePath)
		if t.count == 0 || len(at) < len(t.root) { // the other packages are below it
			t.root = at
		}
		t.count++
		for _, f := range append(yamlnode.Elements(item.Node, "pipeline", "mutators"), yamlnode.Elements(item.Node, "pipeline", "validators")...) {
			if file := yamlnode.Text(f, "configPath"); file != "" {
				t.configs[path.Join(at, file)] = true
			}
			if isThis(f) {
				t.callers[at] = true
			}
		}
	}
	return t
}

// isElsewhere reports whether an item belongs to a nested package that calls this function itself. What counts is the
// nearest package that does.
func (t tree) isElsewhere(item *krm.Item) bool {
	for at := item.Annotation(krm.PackagePath); at != "" && at != t.root; at = path.Dir(at) {
		if t.callers[at] {
			return true
		}
		if at == path.Dir(at) {
			break
		}
	}
	return false
}

// isConfig reports whether some package names the item's file as the configuration of a function.
func (t tree) isConfig(item *krm.Item) bool {
	return t.configs[path.Join(item.Annotation(krm.PackagePath), item.AnnotatedPath())]
}

// isThis reports whether an entry of a pipeline is this function, judging by the name of its image or program.
func isThis(f *yaml.Node) bool {
	image, _, _ := strings.Cut(path.Base(yamlnode.Text(f, "image")), "@")
	image, _, _ = strings.Cut(image, ":")
	program, _, _ := strings.Cut(strings.TrimSpace(yamlnode.Text(f, "exec")), " ")
	return image == function || path.Base(program) == function
}

// ownPart returns the list without the items of nested kpt packages that call this function themselves.
func ownPart(list *krm.List, packages tree) *krm.List {
	if packages.count < 2 {
		return list
	}
	return list.Without(func(item *krm.Item) bool {
		isOurs := item.Group == v1alpha1.Group || item.Annotation(v1alpha1.GeneratedFrom) != ""
		return isOurs && packages.isElsewhere(item)
	})
}

// refuseTwice reports claims that a nested package has too, and objects that are in a different package from their claim:
// after one of the two was moved, both packages would have objects of the instance.
func refuseTwice(list, own *krm.List, results *report.Results) {
	if own == list {
		return
	}
	isOwn := map[*krm.Item]bool{}
	for _, item := range own.Items {
		isOwn[item] = true
	}
	claims := map[bool]map[string]*krm.Item{true: {}, false: {}} // by isOwn and name
	for _, item := range list.Items {
		if instance.IsClaim(item) {
			claims[isOwn[item]][item.Namespace+"/"+item.Name] = item
		}
	}
	for _, item := range list.Items {
		here, there := claims[isOwn[item]], claims[!isOwn[item]]
		if claim := there[item.Namespace+"/"+item.Name]; claim != nil && instance.IsClaim(item) && !isOwn[item] {
			results.Errorf(item, "the same claim is in %s and %s; remove one of them", claim.Location(), item.Location())
		}
		mark := item.Annotation(v1alpha1.GeneratedFrom)
		if merge.IsOurs(item) && merge.HasNameOf(item, instance.ParseMark(mark)) && here[mark] == nil && there[mark] != nil {
			results.Errorf(item, "belongs to the claim %s, which is in another package; remove this object, or move its file into the claim's package", mark)
		}
	}
}

// warnOfInPlace warns about files that are rendered in place without a Kptfile: the next run could not recognize the
// objects of this one as its own. kustomize gives each item an ID, so an item with a path but without an ID comes from a
// tool that writes the result back (kpt fn eval, kustomize fn run).
func warnOfInPlace(list *krm.List, results *report.Results) {
	for _, item := range list.Items {
		if item.Annotation(krm.KustomizeID) != "" {
			return
		}
	}
	for _, item := range list.Items {
		if item.Group == v1alpha1.Group && item.Kind == v1alpha1.ClaimKind && item.AnnotatedPath() != "" {
			results.Warnf(item, "is rendered in place, but without a Kptfile, so the next run cannot tell which objects are its own and fails when the claim changes; add a Kptfile (`kpt pkg init`), or use `dragonfly-generator render -o`")
			return
		}
	}
}

// isInPlace reports whether the result is written back to the files that the items came from. Only a Kptfile among the
// items proves that. A path annotation does not, because kustomize also adds them. It also refuses kpt's selectors, which
// could hide objects of ours.
func isInPlace(list *krm.List, results *report.Results) bool {
	inPlace := false
	var inPackage, selected *krm.Item
	for _, item := range list.Items {
		inPlace = inPlace || isKptfile(item)
		if inPackage == nil && item.Annotation(krm.PackagePath) != "" {
			inPackage = item
		}
		if selected == nil && item.Annotation(krm.SelectedID) != "" {
			selected = item
		}
	}
	if !inPlace && inPackage != nil {
		selected = inPackage // and the Kptfile is hidden
	}
	if selected != nil {
		results.Errorf(selected, "was selected by `selectors:` or `exclude:` of the pipeline, which may hide what this function wrote before; remove them from this function, which changes only its own objects")
	}
	return inPlace
}
