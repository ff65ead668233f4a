package plan_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/GoogleContainerTools/kpt-functions-sdk/go/fn"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bizmatters/dragonfly-generator/internal/config"
	"github.com/bizmatters/dragonfly-generator/internal/instance"
	"github.com/bizmatters/dragonfly-generator/internal/krm"
	"github.com/bizmatters/dragonfly-generator/internal/plan"
	"github.com/bizmatters/dragonfly-generator/internal/report"
)

// list reads the items, each a YAML object, into a ResourceList. The functionConfig may be empty.
func list(t *testing.T, functionConfig string, items ...string) *krm.List {
	t.Helper()
	indent := func(text string) string { return strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n  ") }
	text := "apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nfunctionConfig:\n  " + indent(functionConfig) + "\nitems:\n"
	for _, item := range items {
		text += "- " + indent(item) + "\n"
	}
	l, err := krm.ResourceList([]byte(text))
	require.NoError(t, err)
	return l
}

// fromSeed returns what a build that has a seed, and keeps nothing, is made from.
// seedIs is an environment with that seed, or with none.
func seedIs(seed string) func(string) (string, bool) {
	return func(name string) (string, bool) { return seed, name == plan.SeedVariable && seed != "" }
}

func fromSeed(l *krm.List) plan.Input {
	return plan.Input{
		List: l, Config: config.Default(), LookupEnv: seedIs(seed), Random: bytes.NewReader(make([]byte, 16*10)),
	}
}

// The seed, and the passwords of my-cache in my-namespace that belong to it, without a rotation and with
// the rotation 2; and what the random generator of these tests gives first.
const (
	seed          = "0123456789abcdef0123456789abcdef"
	seeded        = "3feeb79a-3911-83d9-b68f-e32b7576e245"
	seededRotated = "349fe002-716a-802d-a6eb-27c1c2b5c362"
	random        = "00000000-0000-4000-8000-000000000000"
)

// problem is an error, as far as these tests look at it: the whole path and proposed value of its field,
// and a part of its message.
type problem struct {
	field    string
	proposed any
	message  string
}

// assertProblems fails unless the results are those errors, in that order.
func assertProblems(t *testing.T, want []problem, results fn.Results, reason string) {
	t.Helper()
	for i, result := range results {
		assert.Equal(t, fn.Error, result.Severity, "What a plan reports is an error: %s", reason)
		if i >= len(want) {
			t.Errorf("there is a further problem, %q: %s", result, reason)
			continue
		}
		field := fn.Field{}
		if result.Field != nil {
			field = *result.Field
		}
		assert.Equal(t, want[i].field, field.Path, reason)
		assert.Equal(t, want[i].proposed, field.ProposedValue, reason)
		assert.Contains(t, result.Message, want[i].message, reason)
	}
	for _, missing := range want[min(len(results), len(want)):] {
		t.Errorf("the problem %q is not reported: %s", missing, reason)
	}
	assertHidden(t, results, reason)
}

// marker is a part of everything that is secret in these tests, but for the seed.
const marker = "hunter2"

// assertHidden fails when a result, or what goes to stderr, has a secret in it.
func assertHidden(t *testing.T, results fn.Results, reason string) {
	t.Helper()
	text, err := json.Marshal(results)
	require.NoError(t, err)
	shown := string(text) + report.Lines(results)
	for _, secret := range []string{marker, base64.StdEncoding.EncodeToString([]byte(marker))[:8], seed[:8], seeded[:8], seededRotated[:8]} {
		assert.False(t, strings.Contains(shown, secret), "A secret is shown: %s", reason)
	}
}

func claimNamed(namespace, name string) string {
	return fmt.Sprintf("apiVersion: database.bizmatters.io/v1alpha1\nkind: DragonflyInstance\nmetadata:\n  name: %s\n  namespace: %s\n", name, namespace)
}

func TestMake(t *testing.T) {
	l := list(t, "", claimNamed("ns", "b"), "{apiVersion: v1, kind: ConfigMap, metadata: {name: x, namespace: ns}}", claimNamed("ns", "a"), claimNamed("ns", "A"))
	var results report.Results
	plans, _ := plan.Make(fromSeed(l), &results)

	require.Len(t, plans, 2, "A claim that is wrong gets no plan, and does not stand in the way of the others'.")
	assert.Equal(t, instance.Name{Namespace: "ns", Name: "b"}, plans[0].Instance.Name, "Plans come in the order of the claims.")
	assert.Equal(t, instance.Name{Namespace: "ns", Name: "a"}, plans[1].Instance.Name, "Plans come in the order of the claims.")
	assert.Same(t, l.Items[0], plans[0].Claim, "A plan knows its claim.")
	assert.False(t, plans[0].Failed || plans[1].Failed, "Both have a password.")
	assert.NotEqual(t, plans[0].Instance.Password.Reveal(), plans[1].Instance.Password.Reveal(), "Each instance has a password of its own.")
}

func TestMakeWithoutClaims(t *testing.T) {
	in := fromSeed(list(t, "", "{apiVersion: v1, kind: ConfigMap, metadata: {name: x}}"))
	in.LookupEnv = seedIs("short")
	var results report.Results
	plans, _ := plan.Make(in, &results)
	assert.Empty(t, plans, "There is nothing to plan.")
	assert.Empty(t, results.All(), "Without a claim nobody needs the seed, so it is not looked at.")
}

func TestWhose(t *testing.T) {
	marked := func(mark string) *krm.Item {
		return list(t, "", "{kind: Secret, metadata: {annotations: {"+mark+"}}}").Items[0]
	}
	for _, tc := range []struct {
		reason, mark string
		stateless    plan.Ownership
		kept         plan.Ownership
	}{
		{"Without our mark it is somebody else's.", "other: ns/a", plan.Theirs, plan.Theirs},
		{"An empty mark is none.", `database.bizmatters.io/generated-from: ""`, plan.Theirs, plan.Theirs},
		{"The mark of this claim makes it ours.", "database.bizmatters.io/generated-from: ns/a", plan.Ours, plan.Ours},
		{"The mark of another claim that is there is that claim's.", "database.bizmatters.io/generated-from: ns/b", plan.Renamed, plan.Renamed},
		{"The mark of a claim that is gone has moved with it, but only kpt moves both.", "database.bizmatters.io/generated-from: old/a", plan.Renamed, plan.Ours},
	} {
		for kept, want := range map[bool]plan.Ownership{false: tc.stateless, true: tc.kept} {
			in := fromSeed(list(t, "", claimNamed("ns", "a"), claimNamed("ns", "b")))
			in.Kept = kept
			_, owners := plan.Make(in, &report.Results{})
			assert.Equal(t, want, owners.Whose(marked(tc.mark), instance.Name{Namespace: "ns", Name: "a"}), "%s (kept: %t)", tc.reason, kept)
		}
	}
}
