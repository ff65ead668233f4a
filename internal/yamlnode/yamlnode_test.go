package yamlnode_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/internal/yamlnode"
)

// parse returns the value in the document.
func parse(t *testing.T, text string) *yaml.Node {
	t.Helper()
	var document yaml.Node
	require.NoError(t, yaml.NewDecoder(strings.NewReader(text)).Decode(&document))
	return document.Content[0]
}

func encode(t *testing.T, n *yaml.Node) string {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, yaml.NewEncoder(&out).Encode(n))
	return out.String()
}

func TestText(t *testing.T) {
	const document = `
string: text
quoted: "1"
number: 1
float: 1.50
bool: true
"null": null
tilde: ~
nothing:
quotedNull: "null"
list: [a]
object: {a: b}
alias: &a {deep: {text: found}}
aliased: *a
`
	for _, tc := range []struct {
		reason string
		path   []string
		want   string
	}{
		{"A string is its own text.", []string{"string"}, "text"},
		{"Quotes do not belong to the text.", []string{"quoted"}, "1"},
		{"Kustomize turns a label's string into a number, which still reads as written.", []string{"number"}, "1"},
		{"A number keeps its spelling.", []string{"float"}, "1.50"},
		{"A bool reads as written.", []string{"bool"}, "true"},
		{"A null has no text.", []string{"null"}, ""},
		{"A tilde is a null.", []string{"tilde"}, ""},
		{"A field without a value is a null.", []string{"nothing"}, ""},
		{"The quoted word null is a string.", []string{"quotedNull"}, "null"},
		{"A list has no text.", []string{"list"}, ""},
		{"An object has no text.", []string{"object"}, ""},
		{"An alias on the way is followed.", []string{"aliased", "deep", "text"}, "found"},
		{"There is nothing below a plain value.", []string{"string", "deeper"}, ""},
		{"There is nothing below a list.", []string{"list", "a"}, ""},
		{"A missing field has no text.", []string{"missing", "too"}, ""},
	} {
		assert.Equal(t, tc.want, yamlnode.Text(parse(t, document), tc.path...), tc.reason)
	}
	assert.Empty(t, yamlnode.Text(nil, "any"), "A missing node has no text.")
}

func TestIsNullAndIsString(t *testing.T) {
	for _, tc := range []struct {
		reason           string
		value            string
		isNull, isString bool
	}{
		{"A word is a string.", "word", false, true},
		{"A quoted number is a string.", `"1"`, false, true},
		{"An empty string is a string, not nothing.", `""`, false, true},
		{"A tag makes a number a string.", "!!str 1", false, true},
		{"A number is not a string.", "1", false, false},
		{"A bool is not a string.", "true", false, false},
		{"A date is not a string.", "2001-01-01", false, false},
		{"Binary is not a string.", "!!binary aGk=", false, false},
		{"A null is nothing.", "null", true, false},
		{"No value is nothing.", "", true, false},
		{"An empty list is something.", "[]", false, false},
		{"An empty object is something.", "{}", false, false},
	} {
		n := yamlnode.Get(parse(t, "x: "+tc.value), "x")
		assert.Equal(t, tc.isNull, yamlnode.IsNull(n), tc.reason)
		assert.Equal(t, tc.isString, yamlnode.IsString(n), tc.reason)
	}
	assert.True(t, yamlnode.IsNull(nil), "A missing node is nothing.")
	assert.True(t, yamlnode.IsNull(&yaml.Node{}), "A zero node is nothing.")
	assert.False(t, yamlnode.IsString(nil), "A missing node is not a string.")
}

func TestSetText(t *testing.T) {
	for _, tc := range []struct {
		reason, in, want string
	}{{
		reason: "All missing parents are created, at the end.",
		in:     "kind: A\n",
		want:   "kind: A\nmetadata:\n  annotations:\n    key: new\n",
	}, {
		reason: "A field is added at the end of its parent, and the existing fields keep their order, quoting and comments.",
		in: `# head
metadata: # of metadata
  # above annotations
  annotations: # of annotations
    z: 'quoted' # of z
    # above a
    a: "1"
  # below annotations
  name: x
# foot
`,
		want: `# head
metadata: # of metadata
  # above annotations
  annotations: # of annotations
    z: 'quoted' # of z
    # above a
    a: "1"
    key: new
  # below annotations
  name: x
# foot
`,
	}, {
		reason: "A null parent, on which kyaml silently gives up, becomes an object in its place.",
		in:     "metadata:\n  annotations: null\n  name: x # of name\n",
		want:   "metadata:\n  annotations:\n    key: new\n  name: x # of name\n",
	}, {
		reason: "A parent without a value is a null too.",
		in:     "metadata:\n  annotations:\n  name: x\n",
		want:   "metadata:\n  annotations:\n    key: new\n  name: x\n",
	}, {
		reason: "A parent in flow style stays in flow style.",
		in:     "metadata: {name: x, annotations: {a: b}} # flow\n",
		want:   "metadata: {name: x, annotations: {a: b, key: new}} # flow\n",
	}, {
		reason: "An empty parent in flow style accepts the field.",
		in:     "metadata: {annotations: {}}\n",
		want:   "metadata: {annotations: {key: new}}\n",
	}, {
		reason: "A comment beside a null parent stays beside its key.",
		in:     "metadata:\n  annotations: null # none yet\n  name: x\n",
		want:   "metadata:\n  annotations: # none yet\n    key: new\n  name: x\n",
	}, {
		reason: "An existing value is replaced in place, and keeps its comments.",
		in:     "metadata:\n  annotations:\n    # above\n    key: old # beside\n    z: y\n",
		want:   "metadata:\n  annotations:\n    # above\n    key: new # beside\n    z: y\n",
	}, {
		reason: "A value that is an alias is replaced, and its anchor elsewhere stays.",
		in:     "x: &old text\nmetadata:\n  annotations:\n    key: *old\n",
		want:   "x: &old text\nmetadata:\n  annotations:\n    key: new\n",
	}, {
		reason: "A null value is replaced.",
		in:     "metadata:\n  annotations:\n    key: null\n",
		want:   "metadata:\n  annotations:\n    key: new\n",
	}} {
		n := parse(t, tc.in)
		assert.True(t, yamlnode.CanSet(n, "metadata", "annotations", "key"), tc.reason)
		yamlnode.SetText(n, "new", "metadata", "annotations", "key")
		assert.Equal(t, tc.want, encode(t, n), tc.reason)
	}
}

func TestCanSet(t *testing.T) {
	for _, tc := range []struct{ reason, in string }{
		{"The target of an alias belongs to another field.", "x: &x {a: b}\nmetadata: {annotations: *x}\n"},
		{"The target of an alias further up belongs to another field.", "x: &x {annotations: {}}\nmetadata: *x\n"},
		{"A value with an anchor may be shared.", "metadata: {annotations: &x {a: b}}\n"},
		{"A value below an anchor may be shared.", "metadata: &x {annotations: {a: b}}\n"},
		{"It would hide what a merge key brings in.", "metadata: {<<: {annotations: {a: b}}, name: x}\n"},
		{"A list has no fields.", "metadata: {annotations: []}\n"},
		{"A plain value has no fields.", "metadata: text\n"},
	} {
		assert.False(t, yamlnode.CanSet(parse(t, tc.in), "metadata", "annotations", "key"), tc.reason)
	}
	assert.True(t, yamlnode.CanSet(parse(t, "metadata: {<<: {labels: {}}, annotations: {<<: {a: b}}}"), "metadata", "annotations", "key"),
		"A merge key beside it does no harm.")
}

func TestSetTextQuotesWhatIsNoString(t *testing.T) {
	n := parse(t, "{}")
	yamlnode.SetText(n, "true", "metadata", "annotations", "key")
	assert.Equal(t, "true", yamlnode.Text(parse(t, encode(t, n)), "metadata", "annotations", "key"))
	assert.True(t, yamlnode.IsString(yamlnode.Get(parse(t, encode(t, n)), "metadata", "annotations", "key")),
		"An annotation is a string, whatever it looks like.")
}

func TestScalarStaysAString(t *testing.T) {
	for _, text := range []string{
		"", "~", "null", "true", "False", "0", "08", "010", "0x1f", "0o7", "0b1", "1_000", "1.5", ".5", "+1", "-1",
		"1e3", ".inf", ".nan", "2001-01-01", "a: b", "a #b", "# a", "- a", "*a", "&a", "!a", "%a", "@a", "`a`", "[a]",
		"{a}", "'a'", `"a"`, " a ", "a\nb", "a\n", "\ta", "ü", "\u0085", "\u2028", "*/30 * * * *",
	} {
		n := yamlnode.Get(parse(t, encode(t, &yaml.Node{
			Kind: yaml.MappingNode, Content: []*yaml.Node{yamlnode.Scalar("key"), yamlnode.Scalar(text)},
		})), "key")
		assert.Equalf(t, text, n.Value, "The text %q must come back unchanged.", text)
		assert.Truef(t, yamlnode.IsString(n), "The text %q must come back as a string.", text)
	}
}

func TestFromJSONKeepsKeys(t *testing.T) {
	assert.Equal(t, "\"<<\": x\n\"1\": z\n", encode(t, yamlnode.FromJSON([]byte(`{"<<": "x", "1": "z"}`))), "A merge key or a number would be something else.")
}

func TestSet(t *testing.T) {
	for _, tc := range []struct {
		reason, in string
		value      *yaml.Node
		want       string
	}{
		{"A missing field is added at the end.", "a: 1\n", yamlnode.Scalar("new"), "a: 1\nkey: new\n"},
		{"An existing field keeps its place.", "key: old\na: 1\n", yamlnode.Scalar("new"), "key: new\na: 1\n"},
		{"No value removes the field.", "key: old\na: 1\n", nil, "a: 1\n"},
		{"No value for a missing field changes nothing.", "a: 1\n", nil, "a: 1\n"},
	} {
		n := parse(t, tc.in)
		yamlnode.Set(n, "key", tc.value)
		assert.Equal(t, tc.want, encode(t, n), tc.reason)
	}
}

func TestEqual(t *testing.T) {
	for _, tc := range []struct {
		reason, a, b string
		want         bool
	}{
		{"The same text is equal.", "a: b", "a: b", true},
		{"The order of keys does not matter.", "{a: 1, b: 2}", "{b: 2, a: 1}", true},
		{"The order of a list matters.", "[a, b]", "[b, a]", false},
		{"Quotes around a string do not matter.", `a: "b"`, "a: 'b'", true},
		{"Quotes turn a number into a string.", `a: "1"`, "a: 1", false},
		{"Quotes turn a bool into a string.", `a: "true"`, "a: true", false},
		{"Quotes turn a null into a string.", `a: "null"`, "a: null", false},
		{"Comments and style do not matter.", "a: {b: [c]} # x", "# y\na:\n  b:\n  - c\n", true},
		{"All spellings of null are the same.", "a: ~", "a:", true},
		{"A null is not an empty string.", `a: ""`, "a:", false},
		{"A null is not an empty object.", "a: {}", "a:", false},
		{"An empty object is not an empty list.", "a: {}", "a: []", false},
		{"An extra key on the left is a difference.", "{a: 1, b: 2}", "{a: 1}", false},
		{"An extra key on the right is a difference.", "{a: 1}", "{a: 1, b: 2}", false},
		{"Another key is a difference.", "{a: 1}", "{b: 1}", false},
		{"A key with a null still counts.", "{a: 1, b: null}", "{a: 1, c: null}", false},
		{"An extra element is a difference.", "[a]", "[a, b]", false},
		{"An alias equals what it stands for.", "{x: &x {a: 1}, y: *x}", "{x: {a: 1}, y: {a: 1}}", true},
		{"A difference behind an alias counts.", "{x: &x {a: 1}, y: *x}", "{x: {a: 1}, y: {a: 2}}", false},
		{"A value is not the same as a list of it.", "a: b", "a: [b]", false},
	} {
		a, b := parse(t, tc.a), parse(t, tc.b)
		assert.Equal(t, tc.want, yamlnode.Equal(a, b), tc.reason)
		assert.Equal(t, tc.want, yamlnode.Equal(b, a), "The other way round: "+tc.reason)
	}
	assert.True(t, yamlnode.Equal(nil, parse(t, "null")), "A missing spec is the same as a null one.")
	assert.False(t, yamlnode.Equal(nil, parse(t, "{}")), "A missing spec is not the same as an empty one.")
}

func TestPlain(t *testing.T) {
	for _, tc := range []struct {
		reason, in, want string
	}{{
		reason: "Aliases are expanded, without the anchors.",
		in:     "a: &a {b: [&c x, *c]}\nd: *a\n",
		want:   "a: {b: [x, x]}\nd: {b: [x, x]}\n",
	}, {
		reason: "The fields of a merge key come after the others, without the key.",
		in:     "a: &a {b: 1, c: 2}\nd:\n  <<: *a\n  e: 3\n",
		want:   "a: {b: 1, c: 2}\nd:\n  e: 3\n  b: 1\n  c: 2\n",
	}, {
		reason: "A field beside the merge key wins over it, wherever it is.",
		in:     "a: &a {b: 1, c: 2, d: 3}\ne:\n  b: 4\n  <<: *a\n  c: 5\n",
		want:   "a: {b: 1, c: 2, d: 3}\ne:\n  b: 4\n  c: 5\n  d: 3\n",
	}, {
		reason: "In a list of mappings, earlier ones win.",
		in:     "a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc:\n  <<: [*a, *b, {z: 3, w: 3}]\n",
		want:   "a: {x: 1, y: 1}\nb: {y: 2, z: 2}\nc:\n  x: 1\n  y: 1\n  z: 2\n  w: 3\n",
	}, {
		reason: "The list of a merge key can be an alias.",
		in:     "a: &a [{x: 1}, {x: 2}]\nc:\n  <<: *a\n",
		want:   "a: [{x: 1}, {x: 2}]\nc:\n  x: 1\n",
	}, {
		reason: "A merged mapping can have its own merge key, over which its own fields win.",
		in:     "a: &a {x: 1, y: 1}\nb: &b {<<: *a, y: 2}\nc:\n  <<: *b\n",
		want:   "a: {x: 1, y: 1}\nb: {y: 2, x: 1}\nc:\n  y: 2\n  x: 1\n",
	}, {
		reason: "A merge key can contain an inline mapping.",
		in:     "a:\n  <<: {x: 1}\n",
		want:   "a:\n  x: 1\n",
	}, {
		reason: "A quoted << is a key like any other.",
		in:     "x: &x 1\na:\n  \"<<\": *x\n",
		want:   "x: 1\na:\n  \"<<\": 1\n",
	}, {
		reason: "A merge key without a mapping adds nothing.",
		in:     "a:\n  <<: null\n  b: 1\n",
		want:   "a:\n  b: 1\n",
	}, {
		reason: "Two keys of the same name in different mappings are not the same key.",
		in:     "a: {x: 1}\nb: [{x: 1}, {x: 1}]\n",
		want:   "a: {x: 1}\nb: [{x: 1}, {x: 1}]\n",
	}} {
		n := parse(t, tc.in)
		before := encode(t, n)
		got, err := yamlnode.Plain(n)
		require.NoError(t, err, tc.reason)
		assert.Equal(t, tc.want, encode(t, got), tc.reason)
		assert.Equal(t, before, encode(t, n), "The original is unchanged: "+tc.reason)
	}
}

func TestPlainWithoutAliasesIsTheSameNode(t *testing.T) {
	n := parse(t, "a: {b: c} # comment\n")
	got, err := yamlnode.Plain(n)
	require.NoError(t, err)
	assert.Same(t, n, got, "A node without aliases is not copied: a list can have thousands of objects.")
}

func TestPlainErrors(t *testing.T) {
	const marker = "hunter2"
	bomb := "a0: &a0 [" + marker + "]\n"
	for i := 1; i < 40; i++ {
		bomb += fmt.Sprintf("a%d: &a%d [*a%d, *a%d]\n", i, i, i-1, i-1)
	}
	mergeBomb := "a0: &a0 {k0: x}\n"
	for i := 1; i < 40; i++ {
		mergeBomb += fmt.Sprintf("a%d: &a%d {<<: [*a%d, *a%d], k%d: x}\n", i, i, i-1, i-1, i)
	}
	for _, tc := range []struct {
		reason, in, duplicate string
	}{
		{"A key at the top appears twice.", "a: 1\nb: 2\na: hunter2\n", "[a]"},
		{"The path leads to a key deep down.", "a: {b: {c: 1, d: 2, c: hunter2}}\n", "[a b c]"},
		{"A misplaced key can be a secret, so only the path contains it.", "hunter2: {a: 1, a: 2}\n", "[hunter2 a]"},
		{"The path leads through lists.", "a: [{b: 1}, {c: {d: 1, d: hunter2}}]\n", "[a 1 c d]"},
		{"Quotes do not make it a different key.", "a: 1\n\"a\": 2\n", "[a]"},
		{"Two merge keys are the same key twice.", "x: &x {a: 1}\ny: {<<: *x, <<: *x}\n", "[y <<]"},
		{"A list contains itself.", "a: &a [*a]\n", ""},
		{"An object contains itself by way of another.", "a: &a {b: &b {c: *a, d: *b}}\n", ""},
		{"A merge key merges its own mapping.", "a: &a {<<: *a, b: hunter2}\n", ""},
		{"Aliases of aliases double at each step.", bomb, ""},
		{"Merge keys of merge keys double at each step.", mergeBomb, ""},
	} {
		n, start := parse(t, tc.in), time.Now()
		_, err := yamlnode.Plain(n)
		require.Error(t, err, tc.reason)
		assert.Less(t, time.Since(start), 2*time.Second, "It is refused quickly: "+tc.reason)
		assert.NotContains(t, err.Error(), marker, "Nothing is quoted: "+tc.reason)
		var duplicate *yamlnode.DuplicateKeyError
		if tc.duplicate == "" {
			assert.NotErrorAs(t, err, &duplicate, tc.reason)
			assert.ErrorContains(t, err, "alias", tc.reason)
			continue
		}
		if assert.ErrorAs(t, err, &duplicate, tc.reason) {
			assert.Equal(t, tc.duplicate, fmt.Sprint(duplicate.Path), tc.reason)
		}
	}
}
