package plan

import (
	"cmp"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/prepare/password"
)

// facts are what can be seen of a claim's password. The rotations are texts that are only compared.
type facts struct {
	source   v1alpha1.PasswordSource
	asked    string // the rotation that the claim asks for, "" for none
	kept     bool
	password secretView
	// connection is the connection Secret. One that is not ours has been refused before.
	connection secretView
	// lacksKeys reports that the connection Secret is encrypted and lacks keys that it should have.
	lacksKeys bool
	rendered  rendered
}

// rendered is what an earlier run made of the claim, aside from the Secrets.
type rendered struct {
	there     bool   // something
	rotation  string // that the pod was last restarted for
	inCluster bool   // its pod makes the password
}

// state is how a Secret is there.
type state int

const (
	absent    state = iota // or without a password in it
	readable               // in plain text
	encrypted              // with SOPS: kept as it is
	sealed                 // a SealedSecret or an ExternalSecret stands for it
)

// secretView is what can be seen of one of the two Secrets of a claim.
type secretView struct {
	state    state
	rotation string            // the one recorded, if it is ours
	value    password.Password // zero where it cannot be read
	foreign  bool              // made by somebody else, readable or encrypted
	shadowed bool              // with sealed: our own readable one is there too
	emptied  bool              // with absent: ours, and without a password in it
}

func (s secretView) isThere() bool  { return s.state != absent }
func (s secretView) isHidden() bool { return s.state == encrypted || s.state == sealed }

// disposition is what happens to the Secret unless there is a new password for it.
func (s secretView) disposition() Disposition {
	switch {
	case s.shadowed:
		return Remove
	case s.isHidden() || s.foreign:
		return Leave
	default:
		return Write
	}
}

// origin is where a password comes from.
type origin int

const (
	elsewhere origin = iota // in Secrets that we cannot read, or do not write
	thePasswordSecret
	theConnectionSecret
	theSeed
	randomness
	thePod
)

// refusal is why there is no password.
type refusal int

const (
	none refusal = iota
	rotatesHiddenPassword
	rotatesHiddenConnection
	hidesPasswordOfConnection // the connection Secret has to be written, and the password Secret hides the password
	hidesPasswordOfPassword   // the other way round
	connectionLacksKeys
	rotatesExisting
	notExisting
	lost
)

// decision is what follows from the facts.
type decision struct {
	refusal                          refusal
	from                             origin
	rotation                         string // that the password belongs to, "" for the first
	passwordSecret, connectionSecret Disposition
	notes                            Notes
}

// recorded returns the rotation that the password belongs to. Our password Secret records it. Without one, the other
// objects do.
func (f facts) recorded() string {
	if f.password.isThere() && !f.password.foreign {
		return f.password.rotation
	}
	return cmp.Or(f.connection.rotation, f.rendered.rotation)
}

// isStale reports whether a Secret is of before the rotation that is asked for.
func (f facts) isStale(s secretView) bool {
	return s.isThere() && f.asked != "" && s.rotation != f.asked
}

// rotates reports whether a new password is asked for.
func (f facts) rotates() bool {
	if f.password.isThere() {
		return f.isStale(f.password) && !f.password.foreign
	}
	return f.isStale(f.connection)
}

// isNewRotation reports whether the pod was not yet restarted for the rotation.
func (f facts) isNewRotation() bool { return f.asked != "" && f.asked != f.rendered.rotation }

func (f facts) isExternal() bool { return f.source == v1alpha1.External }

// decide decides where the password comes from.
func decide(f facts) decision {
	pw, conn := f.password, f.connection
	d := decision{passwordSecret: pw.disposition(), connectionSecret: conn.disposition(), rotation: cmp.Or(f.asked, f.recorded())}
	d.notes.RestartOnly = f.isNewRotation() && (pw.foreign || f.isExternal() && !pw.isThere())
	if d.refusal = f.refusesRotation(); d.refusal != none {
		return d
	}
	switch {
	case f.rotates() || !pw.isThere() && !conn.isThere():
		return d.fresh(f)
	case conn.state == encrypted && f.lacksKeys:
		d.refusal = connectionLacksKeys
		return d
	case pw.isHidden() && conn.isHidden(): // nothing of ours has to be written
		return d
	}
	return d.existing(f)
}

// refusesRotation returns why the Secrets cannot follow a change of the rotation, in the claim or in one of the two.
func (f facts) refusesRotation() refusal {
	pw, conn := f.password, f.connection
	switch {
	case f.rotates() && pw.isHidden():
		return rotatesHiddenPassword
	case conn.isHidden() && (f.rotates() || f.isStale(conn)):
		return rotatesHiddenConnection
	case pw.isHidden() && f.isStale(conn):
		return hidesPasswordOfConnection
	}
	return none
}

// existing decides which of the two Secrets has the password, where at least one is there and can be read.
func (d decision) existing(f facts) decision {
	pw, conn := f.password, f.connection
	switch {
	case pw.isThere() && !pw.isHidden():
		d.from = thePasswordSecret
		if !pw.foreign {
			d.passwordSecret = Renew
		}
	case pw.isHidden() && !conn.value.IsZero():
		// What the connection Secret holds is what clients use.
		d.from = theConnectionSecret
	case pw.isHidden() && !pw.value.IsZero():
		d.from = thePasswordSecret // our own copy beside what is sealed
	case f.isExternal() && pw.isHidden() != conn.isHidden() && pw.isThere() != conn.isThere():
		d.passwordSecret, d.connectionSecret = Leave, Leave // something else brings the other one, too
		return d
	case pw.isHidden():
		d.refusal = hidesPasswordOfConnection
	case conn.value.IsZero():
		d.refusal = hidesPasswordOfPassword
	default:
		d.from = theConnectionSecret
	}
	d.notes.LeftBehind = f.isExternal() && (pw.state == readable && !pw.foreign || conn.state == readable)
	d.notes.OneHidden = pw.isHidden() != conn.isHidden()
	d.notes.CouldMove = f.source == v1alpha1.InCluster && !pw.foreign && !pw.isHidden() && !conn.isHidden()
	return d
}

// fresh decides where a password comes from that is not there yet, or the next one of a rotation.
func (d decision) fresh(f facts) decision {
	d.passwordSecret, d.connectionSecret = Write, Write
	switch f.source {
	case v1alpha1.External:
		d.passwordSecret, d.connectionSecret = Leave, Leave
		d.notes.LeftBehind = f.password.emptied || f.connection.emptied
	case v1alpha1.InCluster:
		d.from = thePod
		d.notes.EntersCluster = !f.rendered.inCluster && (f.rendered.there || f.rotates())
	case v1alpha1.FromSeed:
		d.from = theSeed
		d.notes.LeavesCluster = f.rendered.inCluster
	case v1alpha1.FromRandom:
		d.from = randomness
		d.notes.NewPlain = f.kept
		if f.rendered.there && !f.rotates() && !f.isNewRotation() {
			d.refusal = lost
		}
	case v1alpha1.Existing:
		d.refusal = notExisting
		if f.rotates() {
			d.refusal = rotatesExisting
		}
	}
	return d
}
