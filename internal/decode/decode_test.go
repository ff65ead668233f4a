package decode_test

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/decode"
	"github.com/bizmatters/dragonfly-generator/internal/yamlnode"
)

type inner struct {
	Amount *resource.Quantity `json:"amount,omitempty"`
	Number int32              `json:"number,omitempty"`
}

type Inline struct {
	Beside string `json:"beside,omitempty"`
}

type outer struct {
	Inline    `json:",inline"`
	Text      *string             `json:"text,omitempty"`
	Flag      bool                `json:"flag,omitempty"`
	List      []inner             `json:"list,omitempty"`
	Map       map[string]inner    `json:"map,omitempty"`
	Plain     map[string]string   `json:"plain,omitempty"`
	Either    *intstr.IntOrString `json:"either,omitempty"`
	When      *metav1.Time        `json:"when,omitempty"`
	Anything  v1alpha1.Ignored    `json:"anything,omitempty"`
	Quantity  resource.Quantity   `json:"quantity,omitempty"`
	Raw       *v1alpha1.Object    `json:"raw,omitempty"`
	Hidden    string              `json:"-"`
	unwritten string
}

type outermost struct {
	Spec outer `json:"spec"`
}

func parse(t *testing.T, text string) *yaml.Node {
	t.Helper()
	n, err := yaml.Parse(text)
	require.NoError(t, err, text)
	return n.YNode()
}

// strict decodes a text into an object at a path.
func strict(t *testing.T, text string, into any, o decode.Options) []decode.Problem {
	t.Helper()
	o.Path = "at"
	_, problems := decode.Strict(parse(t, text), into, o)
	for _, problem := range problems {
		assert.NotContains(t, fmt.Sprint(problem), "hunter2", text)
		assert.NotEmpty(t, problem.Message, text)
	}
	return problems
}

func pathsOf(problems []decode.Problem) []string {
	paths := []string{}
	for _, problem := range problems {
		paths = append(paths, problem.Path)
	}
	return paths
}

func TestStrictFillsIn(t *testing.T) {
	var got outer
	assert.Empty(t, strict(t, `
beside: here
text: ""
flag: true
list: [{amount: 0.5, number: -3}]
map: {a.b: {amount: 2Gi}, c: {}}
plain: {}
either: 5
when: "2026-01-01T00:00:00Z"
anything: [at, {all: 1}]
quantity: 10
raw: {z: 1, a: [2, null]}
`, &got, decode.Options{}))
	assert.Equal(t, "here", got.Beside)
	assert.Equal(t, "", *got.Text, "An empty string is a string.")
	assert.True(t, got.Flag)
	assert.Equal(t, "500m", got.List[0].Amount.String())
	assert.Equal(t, int32(-3), got.List[0].Number)
	assert.Equal(t, "2Gi", got.Map["a.b"].Amount.String())
	assert.Contains(t, got.Map, "c")
	assert.NotNil(t, got.Plain, "An empty map is a map.")
	assert.Equal(t, intstr.FromInt32(5), *got.Either)
	assert.Equal(t, 2026, got.When.Year())
	assert.Equal(t, "10", got.Quantity.String())
	assert.Empty(t, got.unwritten)

	var untouched outer
	assert.Empty(t, strict(t, "{text: null, flag: ~, list: , map: , quantity: null, raw: }", &untouched, decode.Options{}))
	assert.Equal(t, outer{}, untouched, "A null means the default.")
}

func TestStrictReportsEverything(t *testing.T) {
	var got outer
	problems := strict(t, `
txt: hunter2
unwritten: hunter2
Hidden: hunter2
Inline: hunter2
text: 1
flag: yes
list: [{amount: hunter2, numbr: 1}, null, hunter2, {number: 010}, {number: "1"}, {number: 3000000000}, {number: 99999999999999999999}]
map: {a b: [hunter2], c: , d: {number: 1.5}, [hunter2]: {}}
plain: {a: {b: hunter2}}
when: hunter2
quantity: {}
raw: [hunter2]
`, &got, decode.Options{})
	want := []struct {
		path, message string
		proposed      any
	}{
		{"at.txt", `did you mean "text"`, "text"},
		{"at.unwritten", "unknown field", nil},
		{"at.Hidden", "unknown field", nil},
		{"at.Inline", "unknown field", nil},
		{"at.text", "must be a string", nil},
		{"at.flag", "must be true or false", nil},
		{"at.list[0].amount", "Kubernetes unit", nil},
		{"at.list[0].numbr", `did you mean "number"`, "number"},
		{"at.list[1]", "is empty", nil},
		{"at.list[2]", "must be an object, not a plain value", nil},
		{"at.list[3].number", "plain digits", nil},
		{"at.list[4].number", "not a string", nil},
		{"at.list[5].number", "out of range", nil},
		{"at.list[6].number", "out of range", nil},
		{"at.map[a b]", "must be an object, not a list", nil},
		{"at.map.c", "is empty", nil},
		{"at.map.d.number", "must be a whole number", nil},
		{"at.map", "name is a list", nil},
		{"at.plain.a", "must be a single value, not an object", nil},
		{"at.when", "wrong type or format", nil},
		{"at.quantity", "Kubernetes unit", nil},
		{"at.raw", "must be an object, not a list", nil},
	}
	require.Len(t, problems, len(want), "%v", problems)
	for i, w := range want {
		assert.Equal(t, w.path, problems[i].Path)
		assert.Contains(t, problems[i].Message, w.message, w.path)
		assert.Equal(t, w.proposed, problems[i].Proposed, w.path)
	}
	assert.Nil(t, got.Text, "A field that does not fit is left as it was.")
}

// A field with a problem is left out; the rest is decoded, so that it can be validated too.
func TestStrictDecodesTheRest(t *testing.T) {
	var got outer
	text, problems := decode.Strict(parse(t, "{beside: a, text: 1, map: {a: {number: 1, amount: hunter2}}, plain: {b: c}}"), &got, decode.Options{})
	assert.Equal(t, []string{"text", "map.a.amount"}, pathsOf(problems), "At the top, paths have no leading dot.")
	assert.Equal(t, `{"beside":"a","text":null,"map":{"a":{"number":1,"amount":null}},"plain":{"b":"c"}}`, string(text))
	assert.Equal(t, outer{Inline: Inline{Beside: "a"}, Map: map[string]inner{"a": {Number: 1}}, Plain: map[string]string{"b": "c"}}, got)
}

func TestStrictIsCaseSensitive(t *testing.T) {
	problems := strict(t, "{Text: hunter2}", new(outer), decode.Options{})
	require.Len(t, problems, 1)
	assert.Equal(t, "text", problems[0].Proposed)
}

func TestStrictTexts(t *testing.T) {
	var got struct {
		Labels map[string]intstr.IntOrString `json:"labels"`
	}
	isText := decode.Options{IsText: func(path string) bool { return path == "at.labels.a" || path == "at.labels.b" }}
	assert.Empty(t, strict(t, "{labels: {a: 010, b: true, c: 7}}", &got, isText))
	assert.Equal(t, map[string]intstr.IntOrString{"a": intstr.FromString("010"), "b": intstr.FromString("true"), "c": intstr.FromInt32(7)}, got.Labels)
	assert.Equal(t, []string{"at.labels.a"}, pathsOf(strict(t, "{labels: {a: [hunter2]}}", &got, isText)))
}

func TestStrictHints(t *testing.T) {
	hint := decode.Options{Hint: func(path, name string) string { return "it is " + name + " at " + path }}
	problems := strict(t, "{somethingElse: hunter2, list: [{unheardOf: hunter2}]}", new(outer), hint)
	require.Len(t, problems, 2)
	assert.Contains(t, problems[0].Message, "it is somethingElse at at")
	assert.Contains(t, problems[1].Message, "it is unheardOf at at.list[0]")

	problems = strict(t, "{txt: hunter2}", new(outer), hint)
	require.Len(t, problems, 1)
	assert.Contains(t, problems[0].Message, "it is txt at at", "It knows better than a near name.")

	problems = strict(t, "{quantity: hunter2}", new(outermost), decode.Options{})
	require.Len(t, problems, 1)
	assert.Contains(t, problems[0].Message, "move it under at.spec")
}

func TestStrictPatch(t *testing.T) {
	const directives = `
spec:
  $patch: replace
  minReadySeconds: null
  template:
    spec:
      containers: [{name: a, $patch: delete}]
      volumes: [{name: a, secret: {defaultMode: 0440}}]
      nodeSelector: {a: null}
`
	patch := decode.Options{IsPatch: true}
	var got appsv1.StatefulSet
	assert.Empty(t, strict(t, directives, &got, patch), "A patch may contain directives and nulls.")
	assert.EqualValues(t, 0o440, *got.Spec.Template.Spec.Volumes[0].Secret.DefaultMode)
	assert.Equal(t, []string{
		"at.spec[$patch]", "at.spec.template.spec.containers[0][$patch]",
		"at.spec.template.spec.volumes[0].secret.defaultMode", "at.spec.template.spec.nodeSelector.a",
	}, pathsOf(strict(t, directives, new(appsv1.StatefulSet), decode.Options{})), "Nothing else may.")
	assert.Equal(t, []string{"at.metadata.creationTimestamp", "at.spec.updateStrategy.rollingUpdate.maxUnavailable"},
		pathsOf(strict(t, "{metadata: {creationTimestamp: [x]}, spec: {updateStrategy: {rollingUpdate: {maxUnavailable: [x]}}}}", new(appsv1.StatefulSet), patch)),
		"A type's own UnmarshalJSON is called.")
	problems := strict(t, "spec: {template: {spec: {containers: [{name: a, imag: x}]}}}", new(appsv1.StatefulSet), patch)
	require.Equal(t, []string{"at.spec.template.spec.containers[0].imag"}, pathsOf(problems))
	assert.Equal(t, "image", problems[0].Proposed)
}

// Aliases must have been expanded before, and with two fields of the same name it is unclear which one counts.
func TestProblemOf(t *testing.T) {
	for text, want := range map[string]struct{ path, message string }{
		"{spec: {size: hunter2, size: hunter2}}":                           {"spec.size", "twice"},
		"{spec: {}, spec: {a: hunter2}}":                                   {"spec", "twice"},
		"{spec: {a: {hunter2: {hunter2: 1, hunter2: 1}}}}":                 {"spec.a", "twice"},
		"{spec: {password: {source: {hunter2: 1, hunter2: 1}}}}":           {"spec.password.source", "a field in it"},
		"{spec: {password: {hunter2: 1, hunter2: 1}}}":                     {"spec.password", "a field in it"},
		"{spec: {extraObjects: [a, {data: {b/c: 1, b/c: hunter2}}]}}":      {"spec.extraObjects[1].data[b/c]", "the field"},
		"{spec: {overrides: {service: {spec: {a: 1, a: hunter2}}}}}":       {"spec.overrides.service.spec.a", "the field"},
		"{spec: {profiles: {a: {tolerations: [{key: a, key: hunter2}]}}}}": {"spec.profiles.a.tolerations[0].key", "the field"},
		"{metadata: {a b: {c: 1, c: 2}}}":                                  {"metadata[a b]", "twice"},
		"{spec: &s {a: *s}}":                                               {"", "aliases"},
	} {
		_, err := yamlnode.Plain(parse(t, text))
		require.Error(t, err, text)
		problem := decode.ProblemOf(err, reflect.TypeFor[v1alpha1.DragonflyGenerator]())
		assert.Equal(t, want.path, problem.Path, text)
		assert.Contains(t, problem.Message, want.message, text)
		assert.NotContains(t, problem.Path+problem.Message, "hunter2", text)
	}
}

func TestJSON(t *testing.T) {
	for text, want := range map[string]string{
		"{b: 1, a: {d: x, c: [y, ~]}}":           `{"b":1,"a":{"d":"x","c":["y",null]}}`,
		"{a: yes, b: True, c: false, d: 'true'}": `{"a":"yes","b":true,"c":false,"d":"true"}`,
		"{a: 0x10, b: 1_000, c: 0o17, d: -1}":    `{"a":16,"b":1000,"c":15,"d":-1}`,
		"{a: 1.50, b: 1e3, c: '1'}":              `{"a":1.5,"b":1000,"c":"1"}`,
		`{a: "<&>\n\"", b: 2026-01-01}`:          `{"a":"<&>\n\"","b":"2026-01-01"}`,
		"{a: 9223372036854775807}":               `{"a":9223372036854775807}`,
		"{}":                                     `{}`,
		"[]":                                     `[]`,
	} {
		assert.Equal(t, want, string(decode.JSON(parse(t, text), decode.Options{})), text)
	}
	assert.Equal(t, `{"a":".inf"}`, string(decode.JSON(parse(t, "{a: .inf}"), decode.Options{})), "JSON has no infinity.")
	assert.Equal(t, "null", string(decode.JSON(nil, decode.Options{})))
}

func TestFields(t *testing.T) {
	assert.Equal(t, []string{"beside", "text", "flag", "list", "map", "plain", "either", "when", "anything", "quantity", "raw"}, decode.Fields(reflect.TypeFor[outer]()))
	assert.Empty(t, decode.Fields(reflect.TypeFor[resource.Quantity]()), "An embedded field need not be a struct.")
}

func TestPaths(t *testing.T) {
	assert.Equal(t, "a", decode.Join("", "a"))
	assert.Equal(t, "a.b-c_1", decode.Join("a", "b-c_1"))
	assert.Equal(t, "a[b.c/d]", decode.Join("a", "b.c/d"))
	assert.Equal(t, "a[]", decode.Join("a", ""))
	assert.Equal(t, "a[2]", decode.Element("a", 2))
}
