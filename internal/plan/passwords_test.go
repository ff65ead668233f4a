package plan_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bizmatters/dragonfly-generator/generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/plan"
	"github.com/bizmatters/dragonfly-generator/internal/report"
)

const (
	mark     = "database.bizmatters.io/generated-from: my-namespace/my-cache"
	rotation = "database.bizmatters.io/password-rotation: "
	rotated2 = rotation + `"2"`

	rotationField = "metadata.annotations[database.bizmatters.io/password-rotation]"
)

// myCache is the claim, with those annotations.
func myCache(annotations ...string) string {
	return claimNamed("my-namespace", "my-cache") + "  annotations: {" + strings.Join(annotations, ", ") + "}\n"
}

// secret is a Secret of my-cache with those annotations, and with that body besides its metadata.
func secret(suffix, body string, annotations ...string) string {
	return fmt.Sprintf("apiVersion: v1\nkind: Secret\nmetadata:\n  name: my-cache-%s\n  namespace: my-namespace\n  annotations: {%s}\n%s\n",
		suffix, strings.Join(annotations, ", "), body)
}

// holds is the body of a Secret whose password is that text.
func holds(text string) string {
	return "data: {password: " + base64.StdEncoding.EncodeToString([]byte(text)) + "}"
}

// sops is the body of a Secret that SOPS has encrypted.
const sops = "data: {password: 'ENC[AES256_GCM,data:hunter2,type:str]'}\nsops: {mac: 'ENC[hunter2]'}"

// object is an object of that apiVersion, kind and name in the namespace of my-cache.
func object(apiVersion, kind, name string, more ...string) string {
	return fmt.Sprintf("apiVersion: %s\nkind: %s\nmetadata: {name: %s, namespace: my-namespace}\n%s", apiVersion, kind, name, strings.Join(more, "\n"))
}

// statefulSet is the StatefulSet of my-cache, with those annotations.
func statefulSet(annotations ...string) string {
	return fmt.Sprintf("apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: my-cache, namespace: my-namespace, annotations: {%s}}\n", strings.Join(annotations, ", "))
}

func sealedSecret(suffix string, more ...string) string {
	return object("bitnami.com/v1alpha1", "SealedSecret", "my-cache-"+suffix, more...)
}

func externalSecret(name string, more ...string) string {
	return object("external-secrets.io/v1", "ExternalSecret", name, more...)
}

// situation is what a build finds.
type situation struct {
	claim  string // without annotations unless set
	items  []string
	kept   bool
	seed   string
	source v1alpha1.PasswordSource // Auto unless set
	random io.Reader               // zeros unless set
}

func (s situation) plan(t *testing.T) (plan.Plan, *report.Results) {
	t.Helper()
	if s.claim == "" {
		s.claim = myCache()
	}
	in := fromSeed(list(t, "", append([]string{s.claim}, s.items...)...))
	in.Kept, in.LookupEnv = s.kept, seedIs(s.seed)
	if s.source != "" {
		in.Config.Password.Source = s.source
	}
	if s.random != nil {
		in.Random = s.random
	}
	results := &report.Results{}
	plans, _ := plan.Make(in, results)
	require.Len(t, plans, 1)
	return plans[0], results
}

// TestPassword is the table of decisions: a password never changes unless somebody asks for it.
func TestPassword(t *testing.T) {
	ours := secret("password", holds("hunter2-a"), mark)
	theirs := secret("password", holds("hunter2-b"))
	conn := secret("conn", holds("hunter2-c"), mark)
	oursRotated := secret("password", holds("hunter2-a"), mark, rotated2)
	connRotated := secret("conn", holds("hunter2-c"), mark, rotated2)

	type secrets [2]plan.Disposition // the password's and the connection's
	for _, tc := range []struct {
		reason   string
		in       situation
		password string // "" where it is out of sight
		secrets  secrets
		rotation string
		made     bool // it was not there before
		restart  bool // the rotation changes no password
	}{
		// 1. Already there.
		{reason: "Our own is used, and only its labels are renewed.",
			in: situation{items: []string{ours}}, password: "hunter2-a", secrets: secrets{plan.Renew, plan.Write}},
		{reason: "Somebody else's is used and left as it is.",
			in: situation{items: []string{theirs}}, password: "hunter2-b", secrets: secrets{plan.Leave, plan.Write}},
		{reason: "What is there wins over the seed.",
			in: situation{items: []string{ours}, seed: seed}, password: "hunter2-a", secrets: secrets{plan.Renew, plan.Write}},
		{reason: "What is there wins where a random one could be made.",
			in: situation{items: []string{ours}, kept: true}, password: "hunter2-a", secrets: secrets{plan.Renew, plan.Write}},
		{reason: "What is there wins over any source.",
			in: situation{items: []string{theirs}, seed: seed, source: v1alpha1.FromRandom}, password: "hunter2-b", secrets: secrets{plan.Leave, plan.Write}},
		{reason: "A source that makes none takes what is there.",
			in: situation{items: []string{theirs}, source: v1alpha1.Existing}, password: "hunter2-b", secrets: secrets{plan.Leave, plan.Write}},
		{reason: "The password Secret wins over the connection Secret, which is written anew.",
			in: situation{items: []string{conn, ours}}, password: "hunter2-a", secrets: secrets{plan.Renew, plan.Write}},
		{reason: "Failing that, the one in our connection Secret is used.",
			in: situation{items: []string{conn}, seed: seed}, password: "hunter2-c", secrets: secrets{plan.Write, plan.Write}},
		{reason: "A connection Secret keeps an instance from having lost its password.",
			in:       situation{items: []string{conn, statefulSet(mark)}, kept: true},
			password: "hunter2-c", secrets: secrets{plan.Write, plan.Write}},
		{reason: "The password in somebody else's connection Secret is not ours to use.",
			in: situation{items: []string{secret("conn", holds("hunter2-d"))}, seed: seed}, password: seeded, secrets: secrets{plan.Write, plan.Write}, made: true},
		{reason: "As in Kubernetes stringData wins over data.",
			in:       situation{items: []string{secret("password", holds("hunter2-a")+"\nstringData: {password: hunter2-s}")}},
			password: "hunter2-s", secrets: secrets{plan.Leave, plan.Write}},
		{reason: "stringData alone is enough.",
			in:       situation{items: []string{secret("password", "stringData: {password: 'hunter2 äöü'}")}},
			password: "hunter2 äöü", secrets: secrets{plan.Leave, plan.Write}},
		{reason: "stringData without the key leaves data's.",
			in:       situation{items: []string{secret("password", holds("hunter2-a")+"\nstringData: {other: x}")}},
			password: "hunter2-a", secrets: secrets{plan.Leave, plan.Write}},
		{reason: "Base64 may be broken into lines.",
			in:       situation{items: []string{secret("password", "data:\n  password: |\n    aHVu\n    dGVyMg==")}},
			password: "hunter2", secrets: secrets{plan.Leave, plan.Write}},
		{reason: "Data may come by a merge key.",
			in:       situation{items: []string{secret("password", "data: {<<: {password: aHVudGVyMg==}}")}},
			password: "hunter2", secrets: secrets{plan.Leave, plan.Write}},
		{reason: "Another namespace's Secret is another instance's.",
			in: situation{items: []string{strings.Replace(theirs, "my-namespace", "other", 1)}, seed: seed}, password: seeded, secrets: secrets{}, made: true},

		// 2. Derived from the seed.
		{reason: "A seed gives the password, also where results are not kept.",
			in: situation{seed: seed}, password: seeded, made: true},
		{reason: "A seed wins over a random password.",
			in: situation{seed: seed, kept: true}, password: seeded, made: true},
		{reason: "A line break at the end of a seed is stripped.",
			in: situation{seed: seed + "\n"}, password: seeded, made: true},
		{reason: "The source can be pinned to the seed.",
			in: situation{seed: seed, source: v1alpha1.FromSeed}, password: seeded, made: true},
		{reason: "A stateless build derives the password of the rotation that the claim names.",
			in: situation{claim: myCache(rotated2), seed: seed}, password: seededRotated, rotation: "2", made: true},
		{reason: "A seed gives a lost password again that is known to come from it.",
			in: situation{items: []string{statefulSet(mark, "database.bizmatters.io/password-source: Seed")}, seed: seed}, password: seeded, made: true},
		{reason: "Whoever pins the seed as the source says that a lost password came from it.",
			in: situation{items: []string{statefulSet(mark)}, seed: seed, source: v1alpha1.FromSeed}, password: seeded, made: true},

		// 3. Random.
		{reason: "A random password is made where the result is kept.",
			in: situation{kept: true}, password: random, made: true},
		{reason: "A preview that nobody keeps may have a random one where that is asked for.",
			in: situation{source: v1alpha1.FromRandom}, password: random, made: true},
		{reason: "The source can be pinned to random although there is a seed.",
			in: situation{seed: seed, source: v1alpha1.FromRandom}, password: random, made: true},
		{reason: "Somebody else's StatefulSet does not mean that ours has lost its password.",
			in: situation{items: []string{statefulSet()}, kept: true}, password: random, made: true},

		// Rotation.
		{reason: "A rotation makes a new password, and both Secrets change together.",
			in: situation{claim: myCache(rotated2), items: []string{ours, conn}, seed: seed}, password: seededRotated, rotation: "2", made: true},
		{reason: "A rotation without a seed makes a random password.",
			in: situation{claim: myCache(rotated2), items: []string{ours, conn}, kept: true}, password: random, rotation: "2", made: true},
		{reason: "A rotation that is recorded is done.",
			in:       situation{claim: myCache(rotated2), items: []string{oursRotated, connRotated}, seed: seed},
			password: "hunter2-a", secrets: secrets{plan.Renew, plan.Write}, rotation: "2"},
		{reason: "A rotation to another value is another one, whatever the order.",
			in: situation{claim: myCache(rotation + `"1"`), items: []string{oursRotated, connRotated}, kept: true}, password: random, rotation: "1", made: true},
		{reason: "Taking a rotation back changes nothing that is kept.",
			in:       situation{items: []string{oursRotated, connRotated}, seed: seed},
			password: "hunter2-a", secrets: secrets{plan.Renew, plan.Write}, rotation: "2"},
		{reason: "A rotation is that of the password Secret where the two differ.",
			in:       situation{claim: myCache(rotated2), items: []string{oursRotated, conn}, kept: true},
			password: "hunter2-a", secrets: secrets{plan.Renew, plan.Write}, rotation: "2"},
		{reason: "A rotation is that of the connection Secret where that alone is there.",
			in:       situation{claim: myCache(rotated2), items: []string{connRotated}, kept: true},
			password: "hunter2-c", secrets: secrets{plan.Write, plan.Write}, rotation: "2"},
		{reason: "A rotation over a connection Secret alone makes a new password.",
			in: situation{claim: myCache(rotated2), items: []string{conn}, seed: seed}, password: seededRotated, rotation: "2", made: true},
		{reason: "Over somebody else's Secret a rotation only restarts the pod.",
			in:       situation{claim: myCache(rotated2), items: []string{theirs, conn}, seed: seed},
			password: "hunter2-b", secrets: secrets{plan.Leave, plan.Write}, rotation: "2", restart: true},
		{reason: "The restart is done once.",
			in:       situation{claim: myCache(rotated2), items: []string{theirs, connRotated, statefulSet(mark) + "spec: {template: {metadata: {annotations: {" + rotated2 + "}}}}\n"}, seed: seed},
			password: "hunter2-b", secrets: secrets{plan.Leave, plan.Write}, rotation: "2"},

		// Encrypted or sealed.
		{reason: "Where SOPS has encrypted both Secrets nothing has to be written.",
			in:      situation{items: []string{secret("password", sops, mark), secret("conn", sops, mark)}, seed: seed},
			secrets: secrets{plan.Leave, plan.Leave}},
		{reason: "The connection Secret tells the password that SOPS has encrypted.",
			in:       situation{items: []string{secret("password", sops, mark), conn}, seed: seed},
			password: "hunter2-c", secrets: secrets{plan.Leave, plan.Write}},
		{reason: "An encrypted connection Secret stays as it is beside a readable password.",
			in:       situation{items: []string{ours, secret("conn", sops, mark)}, seed: seed},
			password: "hunter2-a", secrets: secrets{plan.Renew, plan.Leave}},
		{reason: "A rotation that is recorded on encrypted Secrets is done.",
			in:      situation{claim: myCache(rotated2), items: []string{secret("password", sops, mark, rotated2), secret("conn", sops, mark, rotated2)}, seed: seed},
			secrets: secrets{plan.Leave, plan.Leave}, rotation: "2"},
		{reason: "Over somebody else's encrypted Secret a rotation only restarts the pod, where the connection Secret has followed.",
			in:      situation{claim: myCache(rotated2), items: []string{secret("password", sops), secret("conn", sops, mark, rotated2)}, seed: seed},
			secrets: secrets{plan.Leave, plan.Leave}, rotation: "2", restart: true},
		{reason: "SealedSecrets stand for both Secrets.",
			in:      situation{items: []string{sealedSecret("password"), sealedSecret("conn")}, seed: seed},
			secrets: secrets{plan.Leave, plan.Leave}},
		{reason: "An ExternalSecret stands for its target, or for its own name.",
			in: situation{items: []string{
				externalSecret("any", "spec: {target: {name: my-cache-password}}"), externalSecret("my-cache-conn"),
			}, seed: seed},
			secrets: secrets{plan.Leave, plan.Leave}},
		{reason: "An ExternalSecret with another target does not stand for its own name.",
			in: situation{items: []string{externalSecret("my-cache-password", "spec: {target: {name: other}}")}, seed: seed}, password: seeded, made: true},
		{reason: "A SealedSecret of another namespace stands for another Secret.",
			in: situation{items: []string{strings.Replace(sealedSecret("password"), "my-namespace", "other", 1)}, seed: seed}, password: seeded, made: true},
		{reason: "A SealedSecret of another group is something else.",
			in: situation{items: []string{object("example.com/v1", "SealedSecret", "my-cache-password")}, seed: seed}, password: seeded, made: true},
		{reason: "The connection Secret tells the password that is sealed.",
			in:       situation{items: []string{sealedSecret("password"), conn}, seed: seed},
			password: "hunter2-c", secrets: secrets{plan.Leave, plan.Write}},
		{reason: "Our own plain Secret beside what stands for it goes, and its password lives on in the connection Secret.",
			in:       situation{items: []string{sealedSecret("password"), ours}, kept: true},
			password: "hunter2-a", secrets: secrets{plan.Remove, plan.Write}},
		{reason: "What clients use wins over a plain copy of what is sealed.",
			in:       situation{items: []string{sealedSecret("password"), ours, conn}, kept: true},
			password: "hunter2-c", secrets: secrets{plan.Remove, plan.Write}},
		{reason: "Our own plain Secrets go where both are sealed.",
			in:      situation{items: []string{sealedSecret("password"), ours, sealedSecret("conn"), conn}, kept: true},
			secrets: secrets{plan.Remove, plan.Remove}},
		{reason: "A plain password stays beside a connection Secret that is sealed.",
			in:       situation{items: []string{ours, sealedSecret("conn")}, seed: seed},
			password: "hunter2-a", secrets: secrets{plan.Renew, plan.Leave}},
		{reason: "A rotation that a SealedSecret's template records is done.",
			in: situation{claim: myCache(rotated2), items: []string{
				sealedSecret("password", "spec: {template: {metadata: {annotations: {"+rotated2+"}}}}"), sealedSecret("conn", "spec: {template: {metadata: {annotations: {"+rotated2+"}}}}"),
			}},
			secrets: secrets{plan.Leave, plan.Leave}, rotation: "2"},
		{reason: "A rotation that an ExternalSecret's template records is done.",
			in: situation{claim: myCache(rotated2), items: []string{
				externalSecret("my-cache-password", "spec: {target: {template: {metadata: {annotations: {"+rotated2+"}}}}}"), externalSecret("my-cache-conn", "spec: {target: {template: {metadata: {annotations: {"+rotated2+"}}}}}"),
			}},
			secrets: secrets{plan.Leave, plan.Leave}, rotation: "2"},

		// After kpt's set-namespace.
		{reason: "Secrets that kpt has moved along with their claim keep their password.",
			in:       situation{items: []string{secret("password", holds("hunter2-a"), "database.bizmatters.io/generated-from: old/my-cache")}, kept: true, seed: seed},
			password: "hunter2-a", secrets: secrets{plan.Renew, plan.Write}},
	} {
		p, results := tc.in.plan(t)
		assertProblems(t, nil, results.All(), tc.reason)
		assert.Equal(t, tc.password, p.Instance.Password.Reveal(), tc.reason)
		assert.Equal(t, tc.secrets, secrets{p.PasswordSecret, p.ConnectionSecret}, tc.reason)
		assert.Equal(t, tc.rotation, p.Instance.Rotation, tc.reason)
		assert.Equal(t, tc.made, p.Origin != "", "People are told where a new password comes from: %s", tc.reason)
		assert.Equal(t, tc.restart, p.RestartOnly, tc.reason)
		assert.False(t, p.Failed, tc.reason)
		assert.False(t, tc.password != "" && strings.Contains(p.Origin, tc.password), "The origin does not tell the password: %s", tc.reason)
	}
}

func TestPasswordIsRefused(t *testing.T) {
	bomb := "x0: &x0 [hunter2]"
	for i := 1; i < 40; i++ {
		bomb += fmt.Sprintf("\nx%d: &x%d [*x%d, *x%d]", i, i, i-1, i-1)
	}
	ours, conn := secret("password", holds("hunter2-a"), mark), secret("conn", holds("hunter2-c"), mark)
	const badValue = "data.password"

	for _, tc := range []struct {
		reason string
		in     situation
		want   []problem
	}{
		// Nowhere to take it from.
		{"A stateless build that made one up would lock every client out at the next.",
			situation{}, []problem{{"", nil, "DRAGONFLY_PASSWORD_SEED"}}},
		{"An instance whose password Secret is lost gets no random one.",
			situation{items: []string{statefulSet(mark)}, kept: true}, []problem{{"", nil, "rendered before"}}},
		{"An instance whose password Secret is lost gets no random one, not even where that is the source.",
			situation{items: []string{statefulSet(mark)}, source: v1alpha1.FromRandom}, []problem{{"", nil, "rendered before"}}},
		{"A source that makes none says so.",
			situation{source: v1alpha1.Existing, kept: true, seed: seed}, []problem{{"", nil, "my-cache-password"}}},
		{"A source that needs a seed says so.",
			situation{source: v1alpha1.FromSeed, kept: true}, []problem{{"", nil, "DRAGONFLY_PASSWORD_SEED"}}},
		{"A random generator that fails gives no password.",
			situation{kept: true, random: iotest.ErrReader(errors.New("no entropy"))}, []problem{{"", nil, "no entropy"}}},
		{"A random generator that ends too early gives no password.",
			situation{kept: true, random: strings.NewReader("hunter2")}, []problem{{"", nil, "random generator"}}},

		// The seed.
		{"A seed that is too short is one problem.",
			situation{seed: "hunter2"}, []problem{{"", nil, "32 bytes"}}},
		{"A seed with white space at its end is one problem, also where a random password could be made.",
			situation{seed: seed + " ", kept: true}, []problem{{"", nil, "white space"}}},
		{"A seed that is wrong is a problem although the password is there: the next claim would fail.",
			situation{seed: "hunter2", items: []string{ours}}, []problem{{"", nil, "32 bytes"}}},

		// Rotation.
		{"A stateless build cannot rotate without a seed.",
			situation{claim: myCache(rotated2), items: []string{ours, conn}}, []problem{{rotationField, nil, "DRAGONFLY_PASSWORD_SEED"}}},
		{"A source that makes none does not rotate.",
			situation{claim: myCache(rotated2), items: []string{ours, conn}, source: v1alpha1.Existing}, []problem{{rotationField, nil, "Existing"}}},
		{"A source that needs a seed does not rotate without one.",
			situation{claim: myCache(rotated2), items: []string{ours, conn}, source: v1alpha1.FromSeed, kept: true}, []problem{{"", nil, "DRAGONFLY_PASSWORD_SEED"}}},

		// Out of sight.
		{"The connection Secret cannot be written where SOPS hides the password.",
			situation{items: []string{secret("password", sops, mark)}, seed: seed}, []problem{{"", nil, "encrypted with SOPS; decrypt"}}},
		{"The connection Secret cannot be written where somebody else's is encrypted.",
			situation{items: []string{secret("password", sops)}, seed: seed}, []problem{{"", nil, "encrypted with SOPS"}}},
		{"The password Secret cannot be written where SOPS hides the password.",
			situation{items: []string{secret("conn", sops, mark)}, seed: seed}, []problem{{"", nil, "my-cache-password has to be written"}}},
		{"The connection Secret cannot be written where the password is sealed.",
			situation{items: []string{sealedSecret("password")}, seed: seed}, []problem{{"", nil, "let another SealedSecret make my-cache-conn too"}}},
		{"The connection Secret cannot be written where the password comes from outside.",
			situation{items: []string{externalSecret("x", "spec: {target: {name: my-cache-password}}")}, kept: true}, []problem{{"", nil, "made by the ExternalSecret x; let another ExternalSecret make my-cache-conn too, with endpoint, port, password"}}},
		{"The password Secret cannot be written where the connection Secret is sealed.",
			situation{items: []string{sealedSecret("conn")}, seed: seed}, []problem{{"", nil, "let another SealedSecret make my-cache-password too"}}},
		{"A rotation cannot be written where SOPS hides the password.",
			situation{claim: myCache(rotated2), items: []string{secret("password", sops, mark), secret("conn", sops, mark)}, seed: seed}, []problem{{rotationField, nil, "decrypt my-cache-password and my-cache-conn"}}},
		{"A rotation cannot be written where SOPS hides the connection Secret.",
			situation{claim: myCache(rotated2), items: []string{ours, secret("conn", sops, mark)}, seed: seed}, []problem{{rotationField, nil, "my-cache-conn is encrypted"}}},
		{"Somebody who has rotated in one of two sealed Secrets expects the other to follow.",
			situation{claim: myCache(rotated2), items: []string{sealedSecret("password", "spec: {template: {metadata: {annotations: {"+rotated2+"}}}}"), sealedSecret("conn")}, seed: seed}, []problem{{rotationField, nil, "my-cache-conn is made by the SealedSecret"}}},
		{"A connection Secret of ours must not go on holding the password that somebody else has changed.",
			situation{claim: myCache(rotated2), items: []string{secret("password", sops), conn}, seed: seed}, []problem{{"", nil, "my-cache-conn has to be written"}}},
		{"A lost password may have been random, so a seed does not replace it silently.",
			situation{items: []string{statefulSet(mark)}, seed: seed, kept: true}, []problem{{"", nil, "rendered before"}}},
		{"A rotation cannot be written where the password is sealed.",
			situation{claim: myCache(rotated2), items: []string{sealedSecret("password"), sealedSecret("conn")}, seed: seed}, []problem{{rotationField, nil, "made by the SealedSecret my-cache-password"}}},
		{"A rotation cannot be written where the password comes from outside.",
			situation{claim: myCache(rotated2), items: []string{externalSecret("my-cache-password"), conn}, seed: seed}, []problem{{rotationField, nil, `its template the annotation database.bizmatters.io/password-rotation: "2"`}}},
		{"An object whose kind is encrypted might be the Secret.",
			situation{items: []string{"apiVersion: 'ENC[hunter2]'\nkind: 'ENC[hunter2]'\nmetadata: {name: 'ENC[hunter2]', namespace: my-namespace}\nsops: {mac: x}"}, seed: seed},
			[]problem{{"", nil, "encrypted_regex: ^(data|stringData)$"}}},
		{"An object whose name is encrypted might be the Secret, wherever it stands.",
			situation{items: []string{"apiVersion: v1\nkind: Secret\nmetadata: {name: 'ENC[hunter2]', annotations: {internal.config.kubernetes.io/path: a.yaml}}\nsops: {mac: x}"}, seed: seed},
			[]problem{{"", nil, "SOPS has encrypted the kind, the name or the annotations of a.yaml"}}},

		// Not clear whose.
		{"A Secret without a namespace would be applied to wherever kubectl points.",
			situation{items: []string{"apiVersion: v1\nkind: Secret\nmetadata: {name: my-cache-password}\n" + holds("hunter2")}, seed: seed},
			[]problem{{"metadata.namespace", "my-namespace", "namespace: my-namespace"}}},

		// What a password may be.
		{"A Secret without the key has no password.", situation{items: []string{secret("password", "data: {other: aHVudGVyMg==}")}, seed: seed}, []problem{{badValue, nil, "has no key password"}}},
		{"A Secret without data has no password.", situation{items: []string{secret("password", "")}, seed: seed}, []problem{{badValue, nil, "has no key password"}}},
		{"A null is no password.", situation{items: []string{secret("password", "data: {password: }")}, seed: seed}, []problem{{badValue, nil, "has no key password"}}},
		{"An empty text is no password.", situation{items: []string{secret("password", `data: {password: ""}`)}, seed: seed}, []problem{{badValue, nil, "is empty"}}},
		{"An empty stringData wins over data, and is no password.", situation{items: []string{secret("password", holds("hunter2")+"\nstringData: {password: \"\"}")}, seed: seed}, []problem{{"stringData.password", nil, "is empty"}}},
		{"Data is in base64.", situation{items: []string{secret("password", "data: {password: hunter2-}")}, seed: seed}, []problem{{badValue, nil, "base64"}}},
		{"A number is no text.", situation{items: []string{secret("password", "stringData: {password: 42}")}, seed: seed}, []problem{{"stringData.password", nil, "must be a string"}}},
		{"A list is no text.", situation{items: []string{secret("password", "data: {password: [hunter2]}")}, seed: seed}, []problem{{badValue, nil, "must be a string"}}},
		{"A trailing line break is the mark of a missing echo -n.", situation{items: []string{secret("password", holds("hunter2\n"))}, seed: seed}, []problem{{badValue, nil, "echo -n"}}},
		{"A line break does not arrive in the environment as it was.", situation{items: []string{secret("password", "stringData: {password: \"hunter2\\nx\"}")}, seed: seed}, []problem{{"stringData.password", nil, "line break"}}},
		{"A NUL ends a variable of the environment.", situation{items: []string{secret("password", holds("hunter2\x00x"))}, seed: seed}, []problem{{badValue, nil, "NUL"}}},
		{"A password is UTF-8.", situation{items: []string{secret("password", holds("hunter2\xff"))}, seed: seed}, []problem{{badValue, nil, "UTF-8"}}},
		{"Of two passwords nobody knows which counts.", situation{items: []string{secret("password", "data: {password: aHVudGVyMg==, password: aHVudGVyMw==}")}, seed: seed}, []problem{{"data", nil, "same key twice"}}},
		{"A key that is there twice can be a secret itself, and is not shown.", situation{items: []string{secret("password", holds("hunter2")+"\nstringData: {hunter2: a, hunter2: b}")}, seed: seed}, []problem{{"data", nil, "same key twice"}}},
		{"An alias bomb is refused quickly.", situation{items: []string{secret("password", holds("hunter2")+"\n"+bomb)}, seed: seed}, []problem{{"data", nil, "aliases"}}},
		{"Our own connection Secret without a password would get another one.", situation{items: []string{secret("conn", "data: {endpoint: eA==}", mark)}, seed: seed}, []problem{{badValue, nil, "has no key password"}}},
		{"The values of both Secrets are judged.", situation{items: []string{secret("password", "data: {password: hunter2-}", mark), secret("conn", "data: {}", mark)}, seed: seed},
			[]problem{{badValue, nil, "base64"}, {badValue, nil, "has no key password"}}},
	} {
		p, results := tc.in.plan(t)
		assertProblems(t, tc.want, results.All(), tc.reason)
		assert.True(t, results.HasErrors(), tc.reason)
		assert.False(t, p.Failed && !p.Instance.Password.IsZero(), "A plan that has failed has no password: %s", tc.reason)
	}
}

func TestPasswordSecretThatIsThereTwice(t *testing.T) {
	twice := []string{secret("password", holds("hunter2-a"), mark), secret("password", holds("hunter2-b"), mark)}
	p, results := situation{items: twice, seed: seed, kept: true}.plan(t)
	assertProblems(t, nil, results.All(), "The merge reports it, as it does for every object.")
	assert.True(t, p.Failed, "Of two passwords nobody knows which counts.")
	assert.True(t, p.Instance.Password.IsZero(), "Of two passwords nobody knows which counts.")
}

func TestPasswordOfEachClaim(t *testing.T) {
	in := fromSeed(list(t, "",
		claimNamed("ns", "a"), claimNamed("ns", "b"), claimNamed("ns", "c"),
		"{apiVersion: v1, kind: Secret, metadata: {name: b-password, namespace: ns}, data: {password: hunter2-}}",
		"{apiVersion: v1, kind: Secret, metadata: {name: c-password, namespace: ns}, stringData: {password: hunter2}}",
	))
	in.LookupEnv, in.Kept = seedIs(""), true
	in.Random = io.MultiReader(bytes.NewReader(make([]byte, 16)), iotest.ErrReader(io.ErrUnexpectedEOF))
	var results report.Results
	plans, _ := plan.Make(in, &results)

	assertProblems(t, []problem{{"data.password", nil, "the password of ns/b"}}, results.All(), "Only one password is needed, and only one is wrong.")
	require.Len(t, plans, 3)
	assert.Equal(t, random, plans[0].Instance.Password.Reveal(), "The problem of one claim is not the others'.")
	assert.True(t, plans[1].Failed, "A claim without a password has failed.")
	assert.Equal(t, "hunter2", plans[2].Instance.Password.Reveal(), "The problem of one claim is not the others'.")
}
