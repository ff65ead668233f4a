package merge

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bizmatters/dragonfly-generator/generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/instance"
	"github.com/bizmatters/dragonfly-generator/internal/krm"
)

// leftovers decides on the objects with our mark that no claim asks for any more. They go where results
// are kept, and only if there are claims left: none at all is more likely a mistake than a wish.
func (m *merger) leftovers() {
	var stayed []string
	for _, item := range m.List.Items {
		mark := item.Annotation(v1alpha1.GeneratedFrom)
		if mark == "" || m.seen[item] || !isOurKind(item) {
			continue
		}
		gone := !m.Owners.IsClaimed(mark)
		switch hasOwnName := hasNameOf(item, instance.ParseMark(mark)); {
		case !hasOwnName && !m.Kept:
			m.renamed(item)
		case !gone || !m.Kept:
			// A copy that somebody keeps under a name of his own, or part of a rendered base.
		case !hasOwnName:
			m.results.Warnf(item, "was made from the claim %s, which is gone, and has another name now, so it stays; remove it, or take the annotation %s off it", mark, v1alpha1.GeneratedFrom)
		case item.IsEncrypted():
			m.results.Warnf(item, "was made from the claim %s, which is gone, but is encrypted, so it stays; remove it if nobody needs that password any more", mark)
		case !m.Owners.HasClaims():
			stayed = append(stayed, fmt.Sprintf("%s %s/%s", item.Kind, item.Namespace, item.Name))
		case !m.isAnchored(item):
			m.changes.Remove = append(m.changes.Remove, item)
			m.results.Infof(item, "removed, because its claim %s is gone", mark)
		}
	}
	if len(stayed) > 0 {
		m.results.Warnf(nil, "there is no claim any more, which may be a mistake, so what was made from claims stays: %s; remove the files of these objects if they are to go", strings.Join(stayed, ", "))
	}
}

// renamed reports an object that was renamed in the same build after we had made it.
func (m *merger) renamed(item *krm.Item) {
	m.results.Errorf(item, "was made from the claim %s and has got another name or namespace since, so the endpoint in its connection Secret is wrong; run this function once, after whatever renames: in the outermost kustomization", item.Annotation(v1alpha1.GeneratedFrom))
}

// IsOurs says whether the item carries our mark and is of a kind that we make.
func IsOurs(item *krm.Item) bool {
	return item.Annotation(v1alpha1.GeneratedFrom) != "" && isOurKind(item)
}

// isOurKind leaves out what cannot be ours, whatever it is marked with.
func isOurKind(item *krm.Item) bool {
	return slices.ContainsFunc(instance.Name{}.IDs(), func(id krm.ID) bool { return id.Group == item.Group && id.Kind == item.Kind })
}

// hasNameOf says whether an object is one that the instance has.
func hasNameOf(item *krm.Item, name instance.Name) bool {
	return slices.Contains(name.IDs(), item.ID)
}
