package krm_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bizmatters/dragonfly-generator/internal/krm"
)

// head is the beginning of a ResourceList.
const head = "apiVersion: config.kubernetes.io/v1\nkind: ResourceList\n"

// list reads a ResourceList with the given fields in addition.
func list(t *testing.T, fields string) *krm.List {
	t.Helper()
	l, err := krm.ResourceList([]byte(head + fields))
	require.NoError(t, err)
	return l
}

func TestResourceListErrors(t *testing.T) {
	const marker = "hunter2"
	for _, tc := range []struct{ reason, in, want string }{
		{"Somebody forgot the pipe.", "", "stdin is empty"},
		{"White space counts as empty.", " \n\n\t\n", "stdin is empty"},
		{"Comments count as empty.", "# hunter2\n", "only comments"},
		{"A null is not a list.", "---\n", "not a ResourceList"},
		{"A word is not a list.", "hunter2", "not a ResourceList but a plain value"},
		{"A YAML list is not a ResourceList.", "- hunter2\n", "not a ResourceList but a list"},
		{"An object without a kind is not one.", "a: hunter2\n", "an object without a kind"},
		{"A manifest is not one, and the error says what it is instead.", "apiVersion: v1\nkind: Secret\ndata: {password: hunter2}\n", `"Secret" of "v1"`},
		{"A ResourceList in another group is not one.", "apiVersion: example.com/v1\nkind: ResourceList\n", `"example.com/v1"`},
		{"Nor is one without a group.", "apiVersion: v1\nkind: ResourceList\n", `"v1"`},
		{"Two lists are one too many.", head + "---\n" + head + "# hunter2\n", "more than one YAML document"},
		{"Whatever follows the list must be YAML.", head + "---\n*hunter2\n", "not valid YAML"},
		{"An unknown alias is quoted by the YAML library.", head + "items:\n- data: {password: *hunter2}\n", "not valid YAML"},
		{"An error about a misplaced tab has a line number.", head + "items:\n- a: b\n\thunter2: x\n", "near line"},
		{"So does one about an extra colon.", head + "items:\n- password: hunter2: x\n", "near line 4"},
		{"So does one about an unclosed quote.", head + "items:\n- password: \"hunter2\n", "line"},
		{"So does one about an unclosed bracket.", head + "items: [hunter2\n", "line"},
		{"A control character is not YAML.", head + "a: hunter2\x01\n", "not valid YAML"},
		{"Broken UTF-8 is not YAML.", head + "a: hunter2\xff\n", "not valid YAML"},
		{"An unknown escape is not YAML.", head + `a: "\hunter2"` + "\n", "not valid YAML"},
		{"An invalid tag directive is not YAML.", "%TAG hunter2\n---\n" + head, "not valid YAML"},
		{"An anchor without a value after it is not YAML.", head + "a: &hunter2 *hunter2\n", "not valid YAML"},
		{"Readers would disagree on which of two items counts.", head + "items: []\nitems: [{password: hunter2}]\n", `"items" twice`},
		{"Readers would disagree on which of two functionConfigs counts.", head + "functionConfig: {a: hunter2}\nfunctionConfig: {}\n", `"functionConfig" twice`},
		{"Items must be a list.", head + "items: {a: hunter2}\n", "items of the ResourceList must be a list, not an object"},
		{"Items must not be a string.", head + "items: hunter2\n", "items of the ResourceList must be a list, not a plain value"},
		{"An item must be an object.", head + "items:\n- a: b\n- hunter2\n", "items[1] of the ResourceList must be an object, not a plain value"},
		{"An item must not be a list.", head + "items:\n- [hunter2]\n", "items[0] of the ResourceList must be an object, not a list"},
		{"An item must not be null.", head + "items:\n- a: hunter2\n-\n", "items[1] of the ResourceList must be an object"},
		{"The functionConfig must be an object.", head + "functionConfig: hunter2\n", "functionConfig of the ResourceList must be an object, not a plain value"},
		{"The functionConfig must not be a list.", head + "functionConfig: [hunter2]\n", "functionConfig of the ResourceList must be an object, not a list"},
		{"Results must be a list.", head + "results: {message: hunter2}\n", "results of the ResourceList must be a list, not an object"},
	} {
		l, err := krm.ResourceList([]byte(tc.in))
		require.ErrorContains(t, err, tc.want, tc.reason)
		assert.Nil(t, l, tc.reason)
		assert.NotContains(t, err.Error(), marker, "No input is quoted: "+tc.reason)
		assert.NotContains(t, err.Error(), "\n", "An error is one line: "+tc.reason)
	}
}

func TestResourceListWithout(t *testing.T) {
	for _, tc := range []struct{ reason, fields string }{
		{"The beginning alone is an empty list.", ""},
		{"Null items count as missing.", "items:\nfunctionConfig:\nresults:\n"},
		{"Empty items count as missing, and so does an empty functionConfig.", "items: []\nfunctionConfig: {}\nresults: []\n"},
	} {
		l := list(t, tc.fields)
		assert.Empty(t, l.Items, tc.reason)
		assert.Nil(t, l.FunctionConfig, tc.reason)
	}
}

func TestItems(t *testing.T) {
	l := list(t, `items:
- apiVersion: apps/v1
  kind: StatefulSet
  metadata: {name: a, namespace: ns}
- apiVersion: v1
  kind: Secret
  metadata: {name: 1, namespace: ns}
- kind: Nothing
- &anchored
  apiVersion: a.b/c/d
  kind: Odd
- *anchored
functionConfig:
  apiVersion: v1
  kind: ConfigMap
  metadata: {name: config}
`)
	require.Len(t, l.Items, 5)
	for i, tc := range []struct {
		reason     string
		want       krm.ID
		apiVersion string
	}{
		{"The group is the part before the slash.", krm.ID{Group: "apps", Kind: "StatefulSet", Namespace: "ns", Name: "a"}, "apps/v1"},
		{"The core group is empty, and a name is a string even where YAML reads a number.", krm.ID{Kind: "Secret", Namespace: "ns", Name: "1"}, "v1"},
		{"An object without an apiVersion is of no group.", krm.ID{Kind: "Nothing"}, ""},
		{"The first slash ends the group.", krm.ID{Group: "a.b", Kind: "Odd"}, "a.b/c/d"},
		{"An alias counts as what it stands for.", krm.ID{Group: "a.b", Kind: "Odd"}, "a.b/c/d"},
	} {
		assert.Equal(t, tc.want, l.Items[i].ID, tc.reason)
		assert.Equal(t, tc.apiVersion, l.Items[i].APIVersion, tc.reason)
	}
	require.NotNil(t, l.FunctionConfig)
	assert.Equal(t, "config", l.FunctionConfig.Name, "The functionConfig is read like an item.")
	assert.Empty(t, l.Find(l.FunctionConfig.ID), "The functionConfig is not among the items.")
	assert.Equal(t, []*krm.Item{l.Items[0]}, l.Find(l.Items[0].ID), "An item is found by its identity.")
	assert.Equal(t, []*krm.Item{l.Items[3], l.Items[4]}, l.Find(krm.ID{Group: "a.b", Kind: "Odd"}), "All items with the same identity are found, in order.")
	assert.Empty(t, l.Find(krm.ID{Group: "apps", Kind: "StatefulSet", Namespace: "ns", Name: "b"}), "Nothing is found if nothing matches.")
}

func TestFormerNames(t *testing.T) {
	id := func(namespace, name string) krm.ID { return krm.ID{Kind: "Secret", Namespace: namespace, Name: name} }
	for _, tc := range []struct {
		reason, annotations string
		want                []krm.ID
	}{
		{"Without kustomize, an object has never had another name.", "{}", nil},
		{"Kustomize remembers each name with its namespace.",
			"{internal.config.kubernetes.io/previousNames: 'a,x-a', internal.config.kubernetes.io/previousNamespaces: 'default,prod'}",
			[]krm.ID{id("default", "a"), id("prod", "x-a")}},
		{"A name without a remembered namespace does not count.",
			"{internal.config.kubernetes.io/previousNames: 'a,x-a', internal.config.kubernetes.io/previousNamespaces: ns}",
			[]krm.ID{id("ns", "a")}},
	} {
		l := list(t, "items:\n- {apiVersion: v1, kind: Secret, metadata: {name: eu-a, namespace: prod, annotations: "+tc.annotations+"}}\n")
		assert.Equal(t, tc.want, l.Items[0].FormerNames(), tc.reason)
	}
}

func TestPlace(t *testing.T) {
	l := list(t, `items:
- metadata: {name: none}
- metadata: {annotations: {internal.config.kubernetes.io/path: a/b.yaml, internal.config.kubernetes.io/index: "2"}}
- metadata: {annotations: {config.kubernetes.io/path: old.yaml, config.kubernetes.io/index: "1"}}
- metadata: {annotations: {internal.config.kubernetes.io/path: new.yaml, config.kubernetes.io/path: old.yaml, internal.config.kubernetes.io/index: 3, config.kubernetes.io/index: "1"}}
- metadata: {annotations: {internal.config.kubernetes.io/path: a.yaml, internal.config.kubernetes.io/index: x}}
- metadata: {annotations: {internal.config.kubernetes.io/index: "4"}}
- metadata: {annotations: }
functionConfig: {kind: ConfigMap}
`)
	for i, tc := range []struct {
		reason, place, path string
		index               int
	}{
		{"Without a file, the position among the items identifies it.", "items[0]", "", 0},
		{"With a file, path and index identify it.", "a/b.yaml[2]", "a/b.yaml", 2},
		{"Older orchestrators use other annotations.", "old.yaml[1]", "old.yaml", 1},
		{"If both exist, the newer annotations count.", "new.yaml[3]", "new.yaml", 3},
		{"An invalid index counts as the first, which is not mentioned.", "a.yaml", "a.yaml", 0},
		{"An index without a file has no meaning.", "items[5]", "", 4},
		{"Null annotations count as missing.", "items[6]", "", 0},
	} {
		assert.Equal(t, tc.place, l.Items[i].Location(), tc.reason)
		assert.Equal(t, tc.path, l.Items[i].Path(), tc.reason)
		assert.Equal(t, tc.index, l.Items[i].Index(), tc.reason)
	}
	assert.Equal(t, "functionConfig", l.FunctionConfig.Location(), "An object that is not among the items is the functionConfig.")
}

func TestIsEncrypted(t *testing.T) {
	for _, tc := range []struct {
		reason, item string
		want         bool
	}{
		{"SOPS leaves its own block at the top.", "{kind: Secret, sops: {mac: x}}", true},
		{"Without it, nothing is encrypted.", "{kind: Secret, data: {sops: x}}", false},
		{"A null is not a block.", "{kind: Secret, sops: null}", false},
		{"Whatever it contains, it is not ours to touch.", "{kind: Secret, sops: true}", true},
	} {
		assert.Equal(t, tc.want, list(t, "items:\n- "+tc.item+"\n").Items[0].IsEncrypted(), tc.reason)
	}
}

func TestAliasBombIsNotExpanded(t *testing.T) {
	bomb := "x0: &x0 [a]\n"
	for i := 1; i < 40; i++ {
		bomb += fmt.Sprintf("x%d: &x%d [*x%d, *x%d]\n", i, i, i-1, i-1)
	}
	l := list(t, bomb)
	out, err := l.Bytes(nil)
	require.NoError(t, err)
	assert.Contains(t, string(out), bomb, "An alias bomb is read and written without being expanded.")
}
