package plan

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/prepare/password"
)

// everySituation calls check with every combination of facts that there is.
func everySituation(t *testing.T, check func(f facts)) {
	t.Helper()
	one, err := password.Parse("one")
	require.NoError(t, err)
	two, err := password.Parse("two")
	require.NoError(t, err)

	var views []secretView
	for _, rotation := range []string{"", "1", "2"} {
		views = append(views,
			secretView{state: absent, rotation: rotation},
			secretView{state: absent, rotation: rotation, emptied: true},
			secretView{state: readable, rotation: rotation, value: one},
			secretView{state: readable, rotation: rotation, value: two},
			secretView{state: encrypted, rotation: rotation},
			secretView{state: sealed, rotation: rotation},
			secretView{state: sealed, rotation: rotation, shadowed: true, value: one},
			secretView{state: sealed, rotation: rotation, shadowed: true},
		)
	}
	passwordViews := append([]secretView{{state: readable, foreign: true, value: one}, {state: encrypted, foreign: true}}, views...)
	connectionViews := append([]secretView{{state: absent, foreign: true}}, views...)
	n := 0
	for _, pw := range passwordViews {
		for _, conn := range connectionViews {
			for _, asked := range []string{"", "2"} {
				for _, source := range []v1alpha1.PasswordSource{v1alpha1.InCluster, v1alpha1.FromSeed, v1alpha1.FromRandom, v1alpha1.Existing, v1alpha1.External} {
					for _, before := range []rendered{{}, {there: true}, {there: true, rotation: "1"}, {there: true, rotation: "2", inCluster: true}} {
						for _, lacksKeys := range []bool{false, conn.state == encrypted} {
							for _, kept := range []bool{false, true} {
								n++
								check(facts{source: source, asked: asked, kept: kept, password: pw, connection: conn, lacksKeys: lacksKeys, rendered: before})
							}
						}
					}
				}
			}
		}
	}
	t.Logf("%d situations", n)
}

// These hold in every situation there is.
func TestDecideAlways(t *testing.T) {
	everySituation(t, func(f facts) {
		d, pw, conn := decide(f), f.password, f.connection
		require := func(holds bool, why string) {
			t.Helper()
			if !holds {
				t.Fatalf("%s\nfacts:    %s\ndecision: %s", why, show(f), fmt.Sprintf("%+v", d))
			}
		}
		if d.refusal != none {
			return
		}
		isAsked := f.asked != "" && (pw.isThere() && !pw.foreign && pw.rotation != f.asked || !pw.isThere() && conn.isThere() && conn.rotation != f.asked)
		if pw.state == readable && !isAsked {
			require(d.from == thePasswordSecret, "A password that is there, and that nobody asked to change, is the password.")
		}
		if pw.state == absent && conn.state == readable && !isAsked {
			require(d.from == theConnectionSecret, "Without a password Secret, what clients use is the password.")
		}
		if d.from == theSeed || d.from == randomness || d.from == thePod {
			require(isAsked || !pw.isThere() && !conn.isThere(), "A new password is made where there is none, or where one is asked for.")
			require(d.passwordSecret == Write && d.connectionSecret == Write, "A new password goes into both Secrets.")
			require(map[origin]v1alpha1.PasswordSource{theSeed: v1alpha1.FromSeed, randomness: v1alpha1.FromRandom, thePod: v1alpha1.InCluster}[d.from] == f.source, "The source is the one that is stated.")
		}
		require(!pw.foreign || d.passwordSecret == Leave, "A password Secret that is not ours is left.")
		require(pw.state != encrypted || d.passwordSecret == Leave, "An encrypted Secret is left.")
		require(conn.state != encrypted || d.connectionSecret == Leave, "An encrypted Secret is left.")
		require(!pw.shadowed || d.passwordSecret == Remove || f.source == v1alpha1.External, "A plain Secret of ours beside a sealed one goes.")
		isWritten := d.passwordSecret == Write || d.passwordSecret == Renew || d.connectionSecret == Write
		require(!isWritten || d.from != elsewhere, "What is written has a password, or the pod that makes one.")
		switch d.from {
		case thePasswordSecret:
			require(!pw.value.IsZero(), "Where the password is taken from, there is one.")
		case theConnectionSecret:
			require(!conn.value.IsZero(), "Where the password is taken from, there is one.")
		}
		if f.asked != "" && !pw.foreign && d.from != elsewhere {
			require(d.rotation == f.asked, "The password is of the rotation that is asked for.")
		}
		if f.asked == "" && pw.isThere() && !pw.foreign {
			require(d.rotation == pw.rotation, "Removing the rotation changes nothing.")
		}
		isAskedFirst := f.asked != "" && f.asked != f.rendered.rotation
		require(f.source != v1alpha1.FromRandom || !f.rendered.there || isAsked || isAskedFirst || pw.isThere() || conn.isThere(), "A random password that was lost is replaced only where somebody asks for it.")
	})
}

// What is refused, and what is not, in the situations that people meet.
func TestDecide(t *testing.T) {
	one, err := password.Parse("one")
	require.NoError(t, err)
	ours := secretView{state: readable, value: one}
	theirs := secretView{state: readable, foreign: true, value: one}
	hidden := secretView{state: encrypted}
	for _, tc := range []struct {
		reason  string
		facts   facts
		from    origin
		refusal refusal
		notes   Notes
	}{
		{"By default the pod makes the first password.", facts{source: v1alpha1.InCluster}, thePod, none, Notes{}},
		{"An instance whose manifests held the password moves into the cluster with a warning.", facts{source: v1alpha1.InCluster, rendered: rendered{there: true}}, thePod, none, Notes{EntersCluster: true}},
		{"Once it is there, nothing is said.", facts{source: v1alpha1.InCluster, rendered: rendered{there: true, inCluster: true}}, thePod, none, Notes{}},
		{"A plain password stays, and may move.", facts{source: v1alpha1.InCluster, password: ours, connection: ours}, thePasswordSecret, none, Notes{CouldMove: true}},
		{"A rotation over a plain password moves it into the cluster, where the pod makes the new one.", facts{source: v1alpha1.InCluster, asked: "2", password: ours, connection: ours}, thePod, none, Notes{EntersCluster: true}},
		{"A password of somebody else's stays theirs.", facts{source: v1alpha1.InCluster, password: theirs}, thePasswordSecret, none, Notes{}},
		{"A rotation over it restarts the pod.", facts{source: v1alpha1.InCluster, asked: "2", password: theirs}, thePasswordSecret, none, Notes{RestartOnly: true}},
		{"A seed derives the password.", facts{source: v1alpha1.FromSeed, rendered: rendered{there: true}}, theSeed, none, Notes{}},
		{"The seed's password is another one than the pod's.", facts{source: v1alpha1.FromSeed, rendered: rendered{there: true, inCluster: true}}, theSeed, none, Notes{LeavesCluster: true}},
		{"A random password that is kept is in plain text.", facts{source: v1alpha1.FromRandom, kept: true}, randomness, none, Notes{NewPlain: true}},
		{"A preview that nobody keeps says nothing of it.", facts{source: v1alpha1.FromRandom}, randomness, none, Notes{}},
		{"A random password that is lost is an error.", facts{source: v1alpha1.FromRandom, kept: true, rendered: rendered{there: true}}, randomness, lost, Notes{}},
		{"It is replaced where somebody asks for another one.", facts{source: v1alpha1.FromRandom, kept: true, asked: "2", rendered: rendered{there: true, rotation: "1"}}, randomness, none, Notes{NewPlain: true}},
		{"It is not for a rotation that was done.", facts{source: v1alpha1.FromRandom, kept: true, asked: "1", rendered: rendered{there: true, rotation: "1"}}, randomness, lost, Notes{}},
		{"Existing makes none.", facts{source: v1alpha1.Existing}, elsewhere, notExisting, Notes{}},
		{"Existing takes the one that is there.", facts{source: v1alpha1.Existing, password: ours}, thePasswordSecret, none, Notes{}},
		{"Existing does not rotate.", facts{source: v1alpha1.Existing, asked: "2", password: ours}, elsewhere, rotatesExisting, Notes{}},
		{"External writes neither Secret.", facts{source: v1alpha1.External}, elsewhere, none, Notes{}},
		{"External warns of Secrets that an earlier run has left.", facts{source: v1alpha1.External, password: secretView{emptied: true}, connection: secretView{emptied: true}}, elsewhere, none, Notes{LeftBehind: true}},
		{"External leaves the other Secret to what brings the first.", facts{source: v1alpha1.External, password: hidden}, elsewhere, none, Notes{}},
		{"A rotation with External restarts the pod.", facts{source: v1alpha1.External, asked: "2"}, elsewhere, none, Notes{RestartOnly: true}},
		{"A hidden password cannot be written into the connection Secret.", facts{source: v1alpha1.InCluster, password: hidden}, elsewhere, hidesPasswordOfConnection, Notes{}},
		{"Two hidden Secrets need nothing.", facts{source: v1alpha1.InCluster, password: hidden, connection: hidden}, elsewhere, none, Notes{}},
		{"An encrypted connection Secret without a key that it should have is an error.", facts{source: v1alpha1.InCluster, password: hidden, connection: hidden, lacksKeys: true}, elsewhere, connectionLacksKeys, Notes{}},
		{"A hidden password cannot be rotated here.", facts{source: v1alpha1.FromSeed, asked: "2", password: hidden, connection: hidden}, elsewhere, rotatesHiddenPassword, Notes{}},
	} {
		d := decide(tc.facts)
		assert.Equal(t, tc.refusal, d.refusal, tc.reason)
		assert.Equal(t, tc.from, d.from, tc.reason)
		if d.refusal == none {
			assert.Equal(t, tc.notes, d.notes, tc.reason)
		}
	}
}

func show(f facts) string { return fmt.Sprintf("%+v", f) }
