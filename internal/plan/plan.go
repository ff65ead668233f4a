// Package plan decides what is to be done, before anything is changed: which instances the claims ask
// for, and where the password of each comes from.
package plan

import (
	"io"

	"github.com/bizmatters/dragonfly-generator/generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/config"
	"github.com/bizmatters/dragonfly-generator/internal/instance"
	"github.com/bizmatters/dragonfly-generator/internal/krm"
	"github.com/bizmatters/dragonfly-generator/internal/report"
)

// Input is what a plan is made from.
type Input struct {
	List   *krm.List
	Config config.Config

	// Kept says that the result goes back to the files that the items came from, so that the next run
	// sees what this one wrote.
	Kept bool

	// Unclear says that a problem was reported which leaves open where passwords come from. Then none is
	// decided on, since what would be found wrong with it might be a consequence only.
	Unclear bool

	// LookupEnv finds environment variables, and Random is the system's random generator.
	LookupEnv func(name string) (value string, found bool)
	Random    io.Reader
}

// Plan is what one claim becomes.
type Plan struct {
	// Claim is where the claim stands: among the items, or as the functionConfig.
	Claim    *krm.Item
	Instance instance.Instance

	// Failed says that there is no password for it, because of a problem that was reported.
	Failed bool

	// PasswordSecret and ConnectionSecret say what happens to the two Secrets.
	PasswordSecret, ConnectionSecret Disposition

	// Origin says where the password comes from, for people. It is empty where the password was there.
	Origin string
	// OneHidden says that one of the two Secrets is readable and the other is not, so that nobody sees
	// whether they hold the same password.
	OneHidden bool
	// RestartOnly says that a rotation was asked for over a Secret that is not ours.
	RestartOnly bool
	// OwnSecrets are the claim's fields that name a Secret of their own, which will not exist.
	OwnSecrets []string
}

// Disposition is what happens to a Secret.
type Disposition int

const (
	// Write makes it, or makes it anew.
	Write Disposition = iota
	// Renew keeps its data, whatever else is in there, and makes its labels and annotations anew.
	Renew
	// Leave keeps what is there, or what stands for it, as it is.
	Leave
	// Remove takes our own one out, because something encrypted stands for it.
	Remove
)

// Make plans every claim of the list that is valid, in their order, and reports every problem of every
// claim.
func Make(in Input, results *report.Results) ([]Plan, Owners) {
	claims, claimed := findClaims(in.List, in.Config, results)
	owners := Owners{kept: in.Kept, claimed: claimed}
	if len(claims) == 0 {
		return nil, owners
	}
	passwords := newPasswords(in, owners, results)

	plans := make([]Plan, len(claims))
	for i, c := range claims {
		plans[i] = Plan{
			Claim: c.item,
			Instance: instance.Instance{
				Name: c.Name, Size: c.size, StorageGB: c.storageGB, Labels: c.labels, Annotations: c.annotations,
			},
			OwnSecrets: c.ownSecrets,
		}
		plans[i].Failed = !passwords.decide(c, &plans[i])
	}
	return plans, owners
}

// Owners tells whose an object is that has the name of one of ours.
type Owners struct {
	kept    bool
	claimed map[string]*krm.Item // by mark, those with problems included
}

// HasClaims says whether there is any claim.
func (o Owners) HasClaims() bool { return len(o.claimed) > 0 }

// IsClaimed says whether the claim that the mark names is there.
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
