package claim

import (
	"github.com/bizmatters/dragonfly-generator/generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/instance"
	"github.com/bizmatters/dragonfly-generator/internal/krm"
)

// Owners tells whose an object is that has the name of one of ours.
type Owners struct {
	kept    bool
	claimed map[string]*krm.Item // by mark, those with problems included
}

// HasClaims reports whether there is any claim.
func (o Owners) HasClaims() bool { return len(o.claimed) > 0 }

// IsClaimed reports whether the claim that the mark names is there.
func (o Owners) IsClaimed(mark string) bool { return o.claimed[mark] != nil }

// Ownership is whose an object is.
type Ownership int

const (
	// Theirs has no mark of ours.
	Theirs Ownership = iota
	// Ours was made for this very claim.
	Ours
	// Renamed was made by us for a claim of another name or namespace, and renamed since.
	Renamed
)

// Whose tells whose the item is, seen from the instance that would make it. Where results are kept, an
// object whose former claim is gone follows its present name: kpt's set-namespace has moved both.
func (o Owners) Whose(item *krm.Item, name instance.Name) Ownership {
	switch mark := item.Annotation(v1alpha1.GeneratedFrom); {
	case mark == "":
		return Theirs
	case mark == name.String(), o.kept && !o.IsClaimed(mark):
		return Ours
	default:
		return Renamed
	}
}
