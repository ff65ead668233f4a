package krm_test

import (
	"slices"
	"testing"

	"github.com/GoogleContainerTools/kpt-functions-sdk/go/fn"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/internal/krm"
	"github.com/bizmatters/dragonfly-generator/internal/yamlnode"
)

func bytesOf(t *testing.T, l *krm.List, results ...*fn.Result) string {
	t.Helper()
	out, err := l.Bytes(results)
	require.NoError(t, err)
	return string(out)
}

func TestBytesKeepsWhatIsThere(t *testing.T) {
	for _, tc := range []struct{ reason, fields string }{
		{"The order of fields stays as it is.", "items:\n- z: 1\n  a: 2\n  kind: X\n  apiVersion: v1\n"},
		{"The order of items stays as it is.", "items:\n- kind: Z\n- kind: A\n"},
		{"Quotes stay as they are.", "items:\n- a: 'x'\n  b: \"x\"\n  c: x\n  'd': x\n"},
		{"Numbers stay as they are written.", "items:\n- a: 1.0\n  b: 0x1F\n  c: 010\n  d: 1e3\n  e: 1_000\n  f: +1\n"},
		{"Words that some readers take for bools stay as they are.", "items:\n- a: yes\n  b: \"no\"\n  c: on\n  d: True\n"},
		{"Nulls stay as they are written.", "items:\n- a: null\n  b: ~\n  c:\n  d: \"\"\n"},
		{"Dates stay as they are.", "items:\n- a: 2026-08-01\n  b: 2026-08-01T00:00:00Z\n"},
		{"Flow style stays as it is.", "items:\n- {a: {b: [c, d]}, e: []}\n- a: {}\n"},
		{"Comments stay where they are.", "# a\nitems: # b\n# c\n- a: 1 # d\n  # e\n  b: 2\n  # f\n- c: 3 # g\n# h\n"},
		{"Literal blocks stay as they are.", "items:\n- a: |\n    x\n      y\n    z\n  b: |-\n    x\n  c: |+\n    x\n\n  d: x\n"},
		{"Long lines are not wrapped.", "items:\n- a: " + long + "\n  b: \"" + long + "\"\n"},
		{"Anchors, aliases and merge keys stay as they are.", "items:\n- a: &a\n    x: 1\n  b: *a\n  c:\n    <<: *a\n    y: 2\n  d:\n    <<: [*a, *a]\n"},
		{"Tags stay as they are.", "items:\n- a: !!str 1\n  b: !!binary aGk=\n  c: !mine x\n"},
		{"Duplicate keys are not ours to judge.", "items:\n- a: 1\n  a: 2\n"},
		{"Letters of all languages stay as they are.", "items:\n- ä: 日本語\n"},
		{"Unknown fields of the list stay as they are.", "items: []\nextra: {a: 1}\nfunctionConfig: {kind: X}\nresults:\n- message: x # y\n"},
	} {
		assert.Equal(t, head+tc.fields, bytesOf(t, list(t, tc.fields)), tc.reason)
	}
}

const long = "a very long text that goes on and on and on, so that an encoder that breaks lines after eighty characters would break it, even twice"

func TestAdd(t *testing.T) {
	n := func() *yaml.Node {
		n := &yaml.Node{Kind: yaml.MappingNode}
		yamlnode.SetText(n, "Secret", "kind")
		yamlnode.SetText(n, "new", "metadata", "name")
		return n
	}
	const added = "- kind: Secret\n  metadata:\n    name: new\n"
	for _, tc := range []struct{ reason, fields, want string }{
		{"The new one comes last.", "items:\n- kind: Z # z\n", "items:\n- kind: Z # z\n" + added},
		{"An empty list in flow style does not put it on one line.", "items: []\n", "items:\n" + added},
		{"A list in flow style becomes block style.", "items: [{kind: Z}]\n", "items:\n- {kind: Z}\n" + added},
		{"Null items become a list.", "items: null\n", "items:\n" + added},
		{"Missing items become a list, at the end.", "functionConfig: {kind: X}\n", "functionConfig: {kind: X}\nitems:\n" + added},
	} {
		l := list(t, tc.fields)
		l.Add(n())
		assert.Equal(t, head+tc.want, bytesOf(t, l), tc.reason)
		found := l.Find(krm.ID{Kind: "Secret", Name: "new"})
		require.Len(t, found, 1, "An added item can be found: "+tc.reason)
		assert.Same(t, l.Items[len(l.Items)-1], found[0], tc.reason)
	}
}

func TestRemove(t *testing.T) {
	l := list(t, "items:\n- kind: A\n- kind: B # b\n- kind: B # b too\n- kind: C # c\n")
	l.Remove(l.Items[1:2])
	assert.Equal(t, head+"items:\n- kind: A\n- kind: B # b too\n- kind: C # c\n", bytesOf(t, l), "The item is removed, and its twin stays.")
	assert.Len(t, l.Items, 3)
	assert.Equal(t, []*krm.Item{l.Items[1]}, l.Find(krm.ID{Kind: "B"}), "The remaining one is found, the other is not.")

	l.Remove(slices.Clone(l.Items))
	assert.Equal(t, head+"items: []\n", bytesOf(t, l), "No item is left.")
	assert.Empty(t, l.Find(krm.ID{Kind: "C"}))
}

func TestResults(t *testing.T) {
	first := &fn.Result{Message: "first", Severity: fn.Info}
	second := &fn.Result{
		Message: "second: \"quoted\"", Severity: fn.Error,
		ResourceRef: &fn.ResourceRef{APIVersion: "v1", Kind: "Secret", Name: "a"},
		Field:       &fn.Field{Path: "metadata.name", CurrentValue: "1", ProposedValue: 2},
		File:        &fn.File{Path: "a.yaml", Index: 1},
	}
	const one = "- message: first\n  severity: info\n"
	const two = `- message: 'second: "quoted"'
  severity: error
  resourceRef:
    apiVersion: v1
    kind: Secret
    name: a
  field:
    path: metadata.name
    currentValue: "1"
    proposedValue: 2
  file:
    path: a.yaml
    index: 1
`
	for _, tc := range []struct{ reason, fields, want string }{
		{"Results are added at the end.", "items: []\n", "items: []\nresults:\n" + one + two},
		{"Null results become a list.", "results: null\nitems: []\n", "results:\n" + one + two + "items: []\n"},
		{"An empty list in flow style does not put them on one line.", "results: []\n", "results:\n" + one + two},
		{"Results of earlier functions stay.", "results:\n- message: theirs # t\n", "results:\n- message: theirs # t\n" + one + two},
		{"Results already present are not added again.", "results:\n" + two + "- message: theirs\n" + one, "results:\n" + two + "- message: theirs\n" + one},
		{"One with a different severity is a different result.", "results:\n- message: first\n  severity: warning\n", "results:\n- message: first\n  severity: warning\n" + one + two},
	} {
		assert.Equal(t, head+tc.want, bytesOf(t, list(t, tc.fields), first, second), tc.reason)
	}
	again := bytesOf(t, list(t, "items: []\n"), first, second)
	l, err := krm.ResourceList([]byte(again))
	require.NoError(t, err)
	assert.Equal(t, again, bytesOf(t, l, first, second), "A second run changes nothing.")
	assert.Equal(t, head+"items: []\n", bytesOf(t, list(t, "items: []\n")), "Without results, there is no field for them.")
}
