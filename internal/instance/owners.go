package instance

import (
	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/krm"
)

// Owners finds the owner of an object that has the name of one of ours.
type Owners struct {
	inPlace bool
	claimed map[string]*krm.Item // by mark, including those with problems
}

// HasClaims reports whether there is any claim.
func (o Owners) HasClaims() bool { return len(o.claimed) > 0 }

// IsClaimed reports whether the claim that the mark names exists.
func (o Owners) IsClaimed(mark string) bool { return o.claimed[mark] != nil }

// Ownership is the owner of an object.
type Ownership int

const (
	// Nobody owns an object that does not exist.
	Nobody Ownership = iota
	// Theirs does not have our mark.
	Theirs
	// Ours was created for this claim.
	Ours
	// Renamed was created for a claim with another name or namespace, and renamed since.
	Renamed
)

// Whose returns the owner of the item from the point of view of an instance that has an object of that name. If the result
// is written in place and the object's former claim is gone, the object belongs to the new name, because kpt's
// set-namespace has moved both.
func (o Owners) Whose(item *krm.Item, name Name) Ownership {
	switch mark := item.Annotation(v1alpha1.GeneratedFrom); {
	case mark == "":
		return Theirs
	case mark == name.String(), o.inPlace && !o.IsClaimed(mark):
		return Ours
	default:
		return Renamed
	}
}
