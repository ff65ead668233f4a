// Package plan decides, for each claim, where its password comes from and what happens to its two Secrets.
//
// A password never changes unless somebody asks for it. The decision has three steps, each in its own file:
// what is known about the Secrets (facts), what follows from it (decide, a pure function whose test
// enumerates all inputs), and the messages of refusals (words).
package plan

import (
	"io"

	"k8s.io/apimachinery/pkg/types"

	"github.com/bizmatters/dragonfly-generator/internal/claim"
	"github.com/bizmatters/dragonfly-generator/internal/instance"
	"github.com/bizmatters/dragonfly-generator/internal/krm"
	"github.com/bizmatters/dragonfly-generator/internal/prepare/password"
	"github.com/bizmatters/dragonfly-generator/internal/report"
)

// Input is what a plan is made from.
type Input struct {
	List   *krm.List
	Claims []claim.Claim
	Owners claim.Owners

	// Kept reports that the result goes back to the files that the items came from, so that the next run
	// sees what this one wrote.
	Kept bool

	// Unclear reports a problem that leaves open where passwords come from. No password is decided on then:
	// whatever would be found wrong with it might only be a consequence.
	Unclear bool

	// LookupEnv finds environment variables, and Random is the system's random generator.
	LookupEnv func(name string) (value string, found bool)
	Random    io.Reader
}

// Plan is the plan for one claim.
type Plan struct {
	claim.Claim
	Instance instance.Instance

	// Failed reports that there is no decision about the password, because of a problem that was reported.
	Failed bool

	// PasswordSecret and ConnectionSecret are what happens to the two Secrets.
	PasswordSecret, ConnectionSecret Disposition

	// Origin describes where a new password comes from, for messages. It is empty if the password already
	// existed.
	Origin string
	// Notes are facts about the password that users should know.
	Notes Notes
}

// Notes are facts about an instance's password that users should know. They are not errors.
type Notes struct {
	// OneHidden reports that only one of the two Secrets can be read, so it is unknown whether they contain
	// the same password.
	OneHidden bool
	// RestartOnly reports that a rotation was asked for over a Secret that is not ours.
	RestartOnly bool
	// NewPlain reports a new random password that is kept in a file in plain text.
	NewPlain bool
	// CouldMove reports a password in plain text that could live in the cluster alone.
	CouldMove bool
	// EntersCluster reports that the manifests held the password until now.
	EntersCluster bool
	// LeftBehind reports Secrets of ours although the source says that something else makes them.
	LeftBehind bool
	// LeavesCluster reports that the pod made the password until now, so that a derived one is another.
	LeavesCluster bool
}

// Disposition is what happens to an object of an instance.
type Disposition int

const (
	// Write creates or replaces the object.
	Write Disposition = iota
	// Renew keeps its data, and replaces its labels and annotations.
	Renew
	// Leave keeps the existing object, or its SealedSecret or ExternalSecret, unchanged.
	Leave
	// Remove removes our object, because an encrypted one replaces it.
	Remove
	// Supersede removes our object, because the other backend needs its name.
	Supersede
)

// Plans are the plans for all claims.
type Plans struct {
	All []Plan
	// Random is the number of random passwords that were made.
	Random int
}

// Make plans every claim, in their order, and reports every problem of every claim.
func Make(in Input, results *report.Results) Plans {
	plans := Plans{All: make([]Plan, len(in.Claims))}
	passwords := newPasswords(in, results)
	for i, c := range in.Claims {
		p := Plan{Claim: c, Instance: instance.Instance{
			Name: c.Name, Size: c.Size, StorageGB: c.StorageGB, Labels: c.Labels, Annotations: c.Annotations,
		}}
		p.Failed = in.Unclear || !passwords.plan(&p)
		plans.All[i] = p
	}
	plans.Random = passwords.made
	return plans
}

// passwords finds the password of each claim.
type passwords struct {
	Input
	results *report.Results

	seeds    map[seedRef]seed
	standIns map[krm.ID]*krm.Item
	former   map[krm.ID]*krm.Item // Secrets by the names that they had before kustomize renamed them

	made int // random passwords
}

func newPasswords(in Input, results *report.Results) *passwords {
	p := &passwords{Input: in, results: results, seeds: map[seedRef]seed{}}
	if len(in.Claims) > 0 {
		p.standIns = findStandIns(in.List)
		p.refuseUnreadable()
		if !in.Unclear { // the configuration may have stated it
			p.refuseUnstatedSeed()
		}
	}
	return p
}

// plan fills in the instance's password, and what happens to its Secrets. It returns false after reporting
// a problem.
func (p *passwords) plan(plan *Plan) bool {
	f, ok := p.look(plan.Claim)
	if !ok {
		return false
	}
	d := decide(f)
	if d.refusal != none {
		p.refuse(d.refusal, f, plan.Claim)
		return false
	}
	plan.PasswordSecret, plan.ConnectionSecret = d.passwordSecret, d.connectionSecret
	plan.Notes = d.notes
	inst := &plan.Instance
	inst.Rotation = d.rotation
	switch d.from {
	case thePasswordSecret:
		inst.Password = f.password.value
	case theConnectionSecret:
		inst.Password = f.connection.value
	case theSeed:
		s := p.seed(plan.Claim)
		if s.IsZero() {
			return false
		}
		inst.Password, plan.Origin = password.Derive(s.Seed, claim.GroupKind, types.NamespacedName(plan.Name), d.rotation), "derived from the seed"
	case randomness:
		random, err := password.Random(p.Random)
		if err != nil {
			p.results.Errorf(plan.Item, "%s; try again", err)
			return false
		}
		p.made++
		inst.Password, plan.Origin = random, "new and random"
	case thePod:
		inst.InCluster, plan.Origin = true, "made by the instance's own pod, in the cluster"
	case elsewhere:
	}
	return true
}
