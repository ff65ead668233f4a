package merge

import (
	"slices"
	"strings"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/instance"
	"github.com/bizmatters/dragonfly-generator/internal/krm"
)

// Gone is an instance whose claim is gone.
type Gone struct {
	Instance instance.Name
	Items    []*krm.Item
	// Removed reports that its objects are removed. Otherwise, they stay.
	Removed bool
}

// leftover is what is known about an object with our mark that no instance needs.
type leftover struct {
	kept    bool // results are
	claimed bool // the claim that the mark names is there
	ownName bool // the object has a name that it would have as an object of that claim
}

// leftoverFate is what happens to such an object.
type leftoverFate int

const (
	stays     leftoverFate = iota
	notHad                 // it goes, because its instance no longer has it
	gone                   // it goes or stays with the rest of an instance whose claim is gone
	renamed                // it stays, and somebody has to decide
	isChanged              // an error: nobody would keep the change
	isRenamed              // an error: the endpoint is stale
)

func (l leftover) fate() leftoverFate {
	switch {
	case !l.kept && !l.ownName:
		return isRenamed
	case !l.kept && l.claimed:
		return isChanged
	case !l.kept: // it may come from somebody's rendered base
		return stays
	case l.claimed && l.ownName:
		return notHad
	case l.claimed: // a copy that somebody keeps under another name
		return stays
	case l.ownName:
		return gone
	}
	return renamed
}

// leftovers decides on the objects with our mark that no instance needs any more.
func (m *merger) leftovers() {
	byMark := map[string][]*krm.Item{}
	var marks []string // in the order of the items
	decided := map[string]bool{}
	for _, inst := range m.Instances {
		decided[inst.String()] = true
	}
	for _, item := range m.List.Items {
		if m.seen[item] || !IsOurs(item) {
			continue
		}
		mark := markOf(item)
		if m.Owners.IsClaimed(mark) && !decided[mark] {
			continue // see the errors of that claim
		}
		l := leftover{kept: m.Kept, claimed: m.Owners.IsClaimed(mark), ownName: hasNameOf(item, instance.ParseMark(mark))}
		switch l.fate() {
		case stays:
		case notHad:
			m.remove(item, instance.ParseMark(mark), NotHad)
		case gone:
			if byMark[mark] == nil {
				marks = append(marks, mark)
			}
			byMark[mark] = append(byMark[mark], item)
		case renamed:
			m.results.Warnf(item, "was made from the claim %s, which is gone, but has another name now, so it stays; remove it, or remove its annotation %s", mark, v1alpha1.GeneratedFrom)
		case isChanged:
			m.refuseChanged(item)
		case isRenamed:
			m.refuseRenamed(item)
		}
	}
	if m.results.HasErrors() {
		return // nothing is done, and a claim that cannot be read is not gone
	}
	for _, mark := range marks {
		m.gone(instance.ParseMark(mark), byMark[mark])
	}
}

// gone decides on the objects of an instance whose claim is gone. They are removed where results are kept, and only if
// there are claims left: none at all is more likely a mistake than a wish.
func (m *merger) gone(name instance.Name, items []*krm.Item) {
	g := Gone{Instance: name, Items: items, Removed: m.Prune && m.Owners.HasClaims()}
	if g.Removed {
		if slices.ContainsFunc(items, m.isAnchored) {
			return
		}
		for _, item := range items {
			m.remove(item, name, ClaimGone)
		}
	}
	m.changes.Gone = append(m.changes.Gone, g)
}

func markOf(item *krm.Item) string { return item.Annotation(v1alpha1.GeneratedFrom) }

// refuseRenamed reports an object that was renamed in the same build after we had made it.
func (m *merger) refuseRenamed(item *krm.Item) {
	m.results.Errorf(item, "was made from the claim %s and then renamed or moved to another namespace, so the endpoint in its connection Secret is wrong; run this function once, in the outermost kustomization, after anything that renames", markOf(item))
}

// IsOurs reports whether the item carries our mark and is of a kind that we make, or one of a configuration's
// extra objects.
func IsOurs(item *krm.Item) bool {
	return markOf(item) != "" && (isOurKind(item) || item.Label(v1alpha1.ManagedByLabel) == v1alpha1.ManagedBy)
}

func isOurKind(item *krm.Item) bool {
	return slices.ContainsFunc(instance.Name{}.IDs(), func(id krm.ID) bool { return id.Group == item.Group && id.Kind == item.Kind })
}

// hasNameOf reports whether an object has a name that the instance gives its objects of that kind. The names of
// extra objects have the instance's name in them.
func hasNameOf(item *krm.Item, name instance.Name) bool {
	if slices.Contains(name.IDs(), item.ID) {
		return true
	}
	return mayBeExtra(item) && item.Namespace == name.Namespace && strings.Contains(item.Name, name.Name)
}

// mayBeExtra reports whether an object can be an extra one of a configuration: it has our labels. What runs an
// instance and its Secrets cannot: with another name they were renamed.
func mayBeExtra(item *krm.Item) bool {
	return item.Label(v1alpha1.ManagedByLabel) == v1alpha1.ManagedBy &&
		(!slices.Contains([]string{"StatefulSet", "Dragonfly", "Secret"}, item.Kind) || !isOurKind(item))
}
