package decode_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/internal/decode"
	"github.com/bizmatters/dragonfly-generator/internal/krm"
	"github.com/bizmatters/dragonfly-generator/internal/report"
)

type inner struct {
	Amount *resource.Quantity `json:"amount,omitempty"`
	Number int32              `json:"number,omitempty"`
}

type embedded struct {
	Inline string `json:"inline,omitempty"`
}

type outer struct {
	embedded  `json:"-"`
	Text      *string             `json:"text,omitempty"`
	Flag      bool                `json:"flag,omitempty"`
	List      []inner             `json:"list,omitempty"`
	Map       map[string]inner    `json:"map,omitempty"`
	Plain     map[string]string   `json:"plain,omitempty"`
	Either    *intstr.IntOrString `json:"either,omitempty"`
	When      *metav1.Time        `json:"when,omitempty"`
	Anything  struct{}            `json:"anything,omitempty"`
	Quantity  resource.Quantity   `json:"quantity,omitempty"`
	unwritten string
}

func decoded(t *testing.T, text string, into any, patch bool) []string {
	t.Helper()
	n, err := yaml.Parse(text)
	require.NoError(t, err)
	var results report.Results
	object := decode.Object{Item: krm.NewItem(n.YNode()), Results: &results}
	if patch {
		object.DecodePatch(n.YNode(), "at", into)
	} else {
		object.Decode(n.YNode(), "at", into)
	}
	problems := []string{}
	for _, result := range results.All() {
		problems = append(problems, result.Field.Path+": "+result.Message)
	}
	return problems
}

func TestDecodeFillsIn(t *testing.T) {
	var got outer
	assert.Empty(t, decoded(t, `
text: ""
flag: true
list: [{amount: 0.5, number: -3}]
map: {a.b: {amount: 2Gi}, c: {}}
plain: {}
either: 5
when: "2026-01-01T00:00:00Z"
anything: [at, {all: 1}]
quantity: 10
`, &got, false))
	assert.Equal(t, "", *got.Text, "An empty string is one.")
	assert.True(t, got.Flag)
	assert.Equal(t, "500m", got.List[0].Amount.String())
	assert.Equal(t, int32(-3), got.List[0].Number)
	assert.Equal(t, "2Gi", got.Map["a.b"].Amount.String())
	assert.Contains(t, got.Map, "c")
	assert.NotNil(t, got.Plain, "An empty map is one.")
	assert.Equal(t, "10", got.Quantity.String())
	assert.Empty(t, got.unwritten)

	var untouched outer
	assert.Empty(t, decoded(t, "{text: null, flag: ~, list: , map: , quantity: null}", &untouched, false))
	assert.Equal(t, outer{}, untouched, "A null is the default.")
}

func TestDecodeReportsEverything(t *testing.T) {
	var got outer
	problems := decoded(t, `
txt: hunter2
unwritten: hunter2
text: 1
flag: yes
list: [{amount: hunter2, numbr: 1}, null, hunter2, {number: 010}, {number: "1"}, {number: 3000000000}]
map: {a b: [hunter2], c: , d: {number: 1.5}}
plain: {a: {b: hunter2}}
quantity: {}
`, &got, false)
	assert.Equal(t, []string{
		`at.txt: unknown field; did you mean "text"?`,
		"at.unwritten: unknown field; remove it",
		"at.text: must be a string; put it in quotes",
		"at.flag: must be true or false, without quotes; use one of them",
		"at.list[0].amount: is not a valid quantity; use a number with a Kubernetes unit, such as 500m for CPU and 2Gi for memory",
		`at.list[0].numbr: unknown field; did you mean "number"?`,
		"at.list[1]: is empty; set a value, or remove it",
		"at.list[2]: must be an object, not a plain value; write its fields below it",
		"at.list[3].number: must be a whole number; write it in plain digits, without a unit",
		"at.list[4].number: must be a number, not a string; remove the quotes",
		"at.list[5].number: must be a whole number; write it in plain digits, without a unit",
		"at.map[a b]: must be an object, not a list; write its fields below it",
		"at.map.c: is empty; set a value, or remove it",
		"at.map.d.number: must be a whole number; write it in plain digits, without a unit",
		"at.plain.a: must be a single value, not an object",
		"at.quantity: is not a valid quantity; use a number with a Kubernetes unit, such as 500m for CPU and 2Gi for memory",
	}, problems)
	assert.Nil(t, got.Text, "What does not fit stays as it was.")
}

func TestDecodePatch(t *testing.T) {
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
	assert.Empty(t, decoded(t, directives, new(appsv1.StatefulSet), true), "Directives and nulls belong to a patch.")
	assert.NotEmpty(t, decoded(t, directives, new(appsv1.StatefulSet), false), "They belong to nothing else.")
	assert.Len(t, decoded(t, "{$retainKeys: [{}], $ptach: delete, metadata: {labels: {$patch: remove, 1: a}}, spec: {$patch: [delete]}}", new(appsv1.StatefulSet), true), 5,
		"Only one directive is known.")
	assert.Len(t, decoded(t, "{metadata: {creationTimestamp: [x]}, spec: {updateStrategy: {rollingUpdate: {maxUnavailable: [x]}}}}", new(appsv1.StatefulSet), true), 2,
		"What decodes itself is asked.")
	assert.Equal(t, []string{`at.spec.template.spec.containers[0].imag: unknown field; did you mean "image"?`},
		decoded(t, "spec: {template: {spec: {containers: [{name: a, imag: x}]}}}", new(appsv1.StatefulSet), true))
}

// What keeps a patch from being merged is found before it is: each problem, in its place.
func TestDecodePatchThatCannotBeMerged(t *testing.T) {
	const pod = "at.spec.template.spec"
	for _, tc := range []struct {
		reason, pod string
		want        []string
	}{
		{"Ports are merged by their numbers.", "containers: [{name: a, ports: [{name: metrics}]}]",
			[]string{pod + ".containers[0].ports[0].containerPort: is missing, but the elements of this list are merged by it; add it"}},
		{"Both are reported.", "volumes: [{name: a}, {emptyDir: {}}], containers: [{image: a, env: [{value: b}]}]", []string{
			pod + ".volumes[1].name: is missing, but the elements of this list are merged by it; add it",
			pod + ".containers[0].name: is missing, but the elements of this list are merged by it; add it",
			pod + ".containers[0].env[0].name: is missing, but the elements of this list are merged by it; add it"}},
		{"Tolerations are replaced.", "tolerations: [{key: a, $patch: delete}]",
			[]string{pod + ".tolerations[0][$patch]: has no effect in a list that is replaced as a whole; remove it, and write the whole list"}},
		{"This would drop the element.", "containers: [{name: a, $patch: replace, image: b}]",
			[]string{pod + ".containers[0][$patch]: would replace the whole list and drop the fields beside it; write `$patch: replace` as a separate element, or delete the old element first"}},
		{"This is how a list is replaced.", "containers: [{$patch: replace}, {name: a}]", []string{}},
		{"A key is enough.", "containers: [{name: a, ports: [{containerPort: 1}], volumeMounts: [{mountPath: /a, $patch: delete}]}]", []string{}},
	} {
		assert.Equal(t, tc.want, decoded(t, "{spec: {template: {spec: {"+tc.pod+"}}}}", new(appsv1.StatefulSet), true), tc.reason)
	}
}

// One cause has one error.
func TestWhatFollowsIsNotReported(t *testing.T) {
	var results report.Results
	object := decode.Object{Results: &results}
	for _, path := range []string{"spec.a", "spec.a", "spec.a.b", "spec.a[0].b", "spec.ab", "spec", "spec.c", "status"} {
		object.Errorf(report.Field{Path: path}, "x")
	}
	var paths []string
	for _, result := range results.All() {
		paths = append(paths, result.Field.Path)
	}
	assert.Equal(t, []string{"spec.a", "spec.ab", "spec", "status"}, paths)
}
