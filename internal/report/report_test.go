package report_test

import (
	"strings"
	"testing"

	"github.com/GoogleContainerTools/kpt-functions-sdk/go/fn"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/internal/krm"
	"github.com/bizmatters/dragonfly-generator/internal/report"
)

func item(t *testing.T, text string) *krm.Item {
	t.Helper()
	n, err := yaml.Parse(text)
	require.NoError(t, err)
	return krm.NewItem(n.YNode())
}

const inFile = `
apiVersion: database.bizmatters.io/v1alpha1
kind: DragonflyInstance
metadata:
  name: my-cache
  namespace: ns
  annotations:
    internal.config.kubernetes.io/path: claims/a.yaml
    internal.config.kubernetes.io/index: '2'
`

func TestResults(t *testing.T) {
	plain := item(t, "{apiVersion: v1, kind: Secret, metadata: {name: a}}")
	file := item(t, inFile)
	for _, tc := range []struct {
		reason string
		add    func(*report.Results)
		want   fn.Result
	}{{
		reason: "A result can be about nothing in particular.",
		add:    func(r *report.Results) { r.Errorf(nil, "the name %s", "is long") },
		want:   fn.Result{Message: "the name is long", Severity: fn.Error},
	}, {
		reason: "A result names its object, and no file if none is known.",
		add:    func(r *report.Results) { r.Infof(plain, "created") },
		want: fn.Result{Message: "created", Severity: fn.Info,
			ResourceRef: &fn.ResourceRef{APIVersion: "v1", Kind: "Secret", Name: "a"}},
	}, {
		reason: "A result names its field with both values, and its file with the index in it.",
		add: func(r *report.Results) {
			r.FieldErrorf(file, report.Field{Path: "spec.size", Current: "smal", Proposed: "small"}, "unknown size")
		},
		want: fn.Result{Message: "unknown size", Severity: fn.Error,
			ResourceRef: &fn.ResourceRef{APIVersion: "database.bizmatters.io/v1alpha1", Kind: "DragonflyInstance", Namespace: "ns", Name: "my-cache"},
			Field:       &fn.Field{Path: "spec.size", CurrentValue: "smal", ProposedValue: "small"},
			File:        &fn.File{Path: "claims/a.yaml", Index: 2}},
	}, {
		reason: "A field need not have values that can be shown.",
		add:    func(r *report.Results) { r.FieldInfof(plain, report.Field{Path: "data"}, "is ignored") },
		want: fn.Result{Message: "is ignored", Severity: fn.Info,
			ResourceRef: &fn.ResourceRef{APIVersion: "v1", Kind: "Secret", Name: "a"},
			Field:       &fn.Field{Path: "data"}},
	}} {
		var results report.Results
		tc.add(&results)
		require.Len(t, results.All(), 1, tc.reason)
		assert.Equal(t, tc.want, *results.All()[0], tc.reason)
		assert.Equal(t, tc.want.Severity == fn.Error, results.HasErrors(), "Only an error fails: "+tc.reason)
	}
	assert.False(t, new(report.Results).HasErrors(), "No results means success.")
}

func TestAfterAnErrorThereAreNoInfos(t *testing.T) {
	var results report.Results
	results.Infof(nil, "created")
	assert.Len(t, results.All(), 1, "An info reports what was done.")
	results.Errorf(nil, "wrong")
	results.Infof(nil, "updated")
	require.Len(t, results.All(), 1, "After an error, nothing was done.")
	assert.Equal(t, "wrong", results.All()[0].Message)
}

func TestLines(t *testing.T) {
	var results report.Results
	results.Errorf(nil, "first")
	results.FieldErrorf(item(t, inFile), report.Field{Path: "spec.size", Current: "x"}, "unknown size %q", "x")
	results.Errorf(item(t, "{kind: Namespace, metadata: {name: a}}"), "without a namespace")
	results.Errorf(item(t, "{kind: Nothing}"), "without a name")
	all := append(results.All(), &fn.Result{Message: "not on stderr", Severity: fn.Info}, &fn.Result{Message: "careful", Severity: fn.Warning})

	assert.Equal(t, `error: first
error: claims/a.yaml[2]: DragonflyInstance ns/my-cache: spec.size: unknown size "x"
error: Namespace a: without a namespace
error: Nothing: without a name
warning: careful
`, report.Lines(all), "Errors and warnings have a line each, in order; infos have none.")
	assert.Empty(t, report.Lines(nil), "Without results, there is nothing to print.")
}

func TestLinesCannotBeForged(t *testing.T) {
	const forged = "x\nerror: forged"
	for _, tc := range []struct {
		reason, text string
		want         string
	}{
		{"A line break would start a new line.", "x\nerror: forged", `x\nerror: forged`},
		{"A carriage return would overwrite the line.", "x\rerror: forged", `x\rerror: forged`},
		{"An escape sequence would color the terminal, or worse.", "\x1b[2Jx", `\x1b[2Jx`},
		{"A NUL would end the line for some readers.", "x\x00y", `x\x00y`},
		{"A next-line character is a Unicode line break.", "x\u0085y", `x\u0085y`},
		{"A line separator is a Unicode line break.", "x\u2028y", `x\u2028y`},
		{"A paragraph separator is a Unicode line break.", "x\u2029y", `x\u2029y`},
		{"An override would show the line backwards.", "x\u202ey", `x\u202ey`},
		{"Broken UTF-8 is shown as bytes.", "x\xffy", `x\xffy`},
		{"Quotes and backslashes stay readable.", `a "b" \c`, `a "b" \c`},
		{"Letters of all languages stay readable.", "größe 日本", "größe 日本"},
	} {
		for where, result := range map[string]*fn.Result{
			"error: " + tc.want:                 {Severity: fn.Error, Message: tc.text},
			"error: " + tc.want + ": m":         {Severity: fn.Error, Message: "m", File: &fn.File{Path: tc.text}},
			"error: K " + tc.want + ": m":       {Severity: fn.Error, Message: "m", ResourceRef: &fn.ResourceRef{Kind: "K", Name: tc.text}},
			"error: K " + tc.want + "/n: m":     {Severity: fn.Error, Message: "m", ResourceRef: &fn.ResourceRef{Kind: "K", Namespace: tc.text, Name: "n"}},
			"error: " + tc.want + " n: m":       {Severity: fn.Error, Message: "m", ResourceRef: &fn.ResourceRef{Kind: tc.text, Name: "n"}},
			"error: spec." + tc.want + "[0]: m": {Severity: fn.Error, Message: "m", Field: &fn.Field{Path: "spec." + tc.text + "[0]"}},
		} {
			assert.Equal(t, where+"\n", report.Lines(fn.Results{result}), tc.reason)
		}
	}

	var results report.Results
	results.FieldErrorf(item(t, `{kind: "`+strings.ReplaceAll(forged, "\n", `\n`)+`"}`), report.Field{Path: forged}, "%s", forged)
	assert.Equal(t, 1, strings.Count(report.Lines(results.All()), "\n"), "Anything from the input stays on one line.")
}
