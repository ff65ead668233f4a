package merge

import (
	"slices"
	"strings"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/instance"
	"github.com/bizmatters/dragonfly-generator/internal/krm"
	"github.com/bizmatters/dragonfly-generator/internal/specs"
)

// Gone is an instance whose claim is gone.
type Gone struct {
	Instance instance.Name
	Items    []*krm.Item
	// Removed reports whether its objects are removed or stay.
	Removed bool
}

// leftover is what is known about an object that has our mark and that no instance needs.
type leftover struct {
	inPlace bool // the result is written in place
	claimed bool // the claim that the mark names exists
	ownName bool // the object has a name that an object of that claim would have
}

// leftoverFate is what happens to a leftover.
type leftoverFate int

const (
	stays     leftoverFate = iota
	dropped                // it is removed, because its instance no longer has it
	gone                   // it is removed or stays with the rest of an instance whose claim is gone
	moved                  // it stays, and the user has to decide
	isChanged              // an error: the change would be lost
	isRenamed              // an error: the endpoint is stale
)

func (l leftover) fate() leftoverFate {
	switch {
	case !l.inPlace && !l.ownName:
		return isRenamed
	case !l.inPlace && l.claimed:
		return isChanged
	case !l.inPlace: // it may come from a rendered base
		return stays
	case l.claimed && l.ownName:
		return dropped
	case l.claimed: // a copy kept under another name
		return stays
	case l.ownName:
		return gone
	}
	return moved
}

// leftovers decides what happens to the objects that have our mark and that no instance needs.
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
		if m.Claims[mark] != nil && !decided[mark] {
			continue // that claim has errors of its own
		}
		l := leftover{inPlace: m.InPlace, claimed: m.Claims[mark] != nil, ownName: HasNameOf(item, instance.ParseMark(mark))}
		switch l.fate() {
		case stays:
		case dropped:
			m.remove(item, instance.ParseMark(mark), Dropped)
		case gone:
			if byMark[mark] == nil {
				marks = append(marks, mark)
			}
			byMark[mark] = append(byMark[mark], item)
		case moved:
			m.results.Warnf(item, "was renamed after it was generated from the claim %s, which is gone, so this object stays; remove it or, to keep it, remove its annotation %s", mark, v1alpha1.GeneratedFrom)
		case isChanged:
			m.refuseChanged(item)
		case isRenamed:
			m.refuseRenamed(item)
		}
	}
	if m.results.HasErrors() {
		return // nothing will be changed, and a claim with errors is not gone
	}
	for _, mark := range marks {
		m.gone(instance.ParseMark(mark), byMark[mark])
	}
}

// gone decides what happens to the objects of an instance whose claim is gone. They are removed only in place, and only
// if other claims are left, and nothing of that name looks like its claim: both are more likely a mistake than intended.
func (m *merger) gone(name instance.Name, items []*krm.Item) {
	g := Gone{Instance: name, Items: items, Removed: m.Prune && len(m.Claims) > 0 && !m.hasLookalike(name)}
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

// hasLookalike reports whether an item of the instance's name looks like a claim without being one.
func (m *merger) hasLookalike(name instance.Name) bool {
	return slices.ContainsFunc(m.List.Items, func(item *krm.Item) bool {
		return item.Namespace == name.Namespace && item.Name == name.Name && instance.LikenessOf(item) != instance.Unlike
	})
}

func markOf(item *krm.Item) string { return item.Annotation(v1alpha1.GeneratedFrom) }

// refuseRenamed reports an object that was renamed in the same build after we made it.
func (m *merger) refuseRenamed(item *krm.Item) {
	m.results.Errorf(item, "was generated from the claim %s and then renamed or moved to another namespace, so the endpoint in its connection Secret is wrong; run this function once, in the outermost kustomization, after everything that renames objects", markOf(item))
}

// IsOurs reports whether the item has our mark and is of a kind that we make, or is an extra object of a
// configuration.
func IsOurs(item *krm.Item) bool {
	return markOf(item) != "" && (isOurKind(item) || item.Label(v1alpha1.ManagedByLabel) == v1alpha1.ManagedBy)
}

func isOurKind(item *krm.Item) bool {
	return slices.ContainsFunc(specs.IDs(instance.Name{}), func(id krm.ID) bool { return id.Group == item.Group && id.Kind == item.Kind })
}

// HasNameOf reports whether an object has a name that the instance gives to objects of that kind. The names of extra
// objects contain the instance's name.
func HasNameOf(item *krm.Item, name instance.Name) bool {
	if slices.Contains(specs.IDs(name), item.ID) {
		return true
	}
	return mayBeExtra(item) && item.Namespace == name.Namespace && strings.Contains(item.Name, name.Name)
}

// mayBeExtra reports whether an object can be an extra object of a configuration: it has our label. An instance's runner
// and Secrets cannot: if they have another name, they were renamed.
func mayBeExtra(item *krm.Item) bool {
	return item.Label(v1alpha1.ManagedByLabel) == v1alpha1.ManagedBy &&
		(!slices.Contains([]string{"StatefulSet", "Dragonfly", "Secret"}, item.Kind) || !isOurKind(item))
}
