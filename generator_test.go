package main

import (
	"bytes"
	"encoding/base64"
	"flag"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/kustomize/kyaml/yaml"
	k8syaml "sigs.k8s.io/yaml"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/testkit"
)

var update = flag.Bool("update", false, "rewrite the expected output with the program's own, for review with git diff")

func TestMain(m *testing.M) { testkit.Main(m) }

// TestGolden runs each case of testdata/golden.
//
// Besides what the case expects, it checks what holds for every input: an error leaves the items unchanged; after a
// success, a second run over the output changes nothing.
func TestGolden(t *testing.T) {
	byFamily := map[string][]testkit.Case{}
	for _, c := range testkit.Cases(t) {
		byFamily[c.Family] = append(byFamily[c.Family], c)
	}
	for family, cases := range byFamily {
		t.Run(family, func(t *testing.T) {
			for _, c := range cases {
				t.Run(c.Name, func(t *testing.T) {
					t.Parallel()
					checkCase(t, c)
				})
			}
		})
	}
}

func checkCase(t *testing.T, c testkit.Case) {
	t.Helper()
	got := testkit.Call(c.Input)
	stdout, stderr := c.View(t, got.Stdout), withExitCode(got)
	if *update {
		require.NoError(t, c.Update(stdout, stderr))
	} else {
		testkit.Same(t, c.Output, stdout, c.Reason)
		testkit.Same(t, c.Stderr, stderr, c.Reason)
	}
	if got.ExitCode != 0 {
		if got.Stdout != "" {
			testkit.Same(t, itemsOf(t, string(c.Input)), itemsOf(t, got.Stdout), "the items must be unchanged")
		}
		return
	}
	again := testkit.Call([]byte(got.Stdout))
	assert.Zero(t, again.ExitCode, "the second run must succeed")
	testkit.Same(t, got.Stdout, again.Stdout, "the second run must change nothing")
}

// withExitCode returns stderr, with the exit code in the last line unless it is 0.
func withExitCode(r testkit.Result) string {
	if r.ExitCode == 0 {
		return r.Stderr
	}
	return r.Stderr + fmt.Sprintf("exit code %d\n", r.ExitCode)
}

// The cases named "everything" set every field of the configuration, so that nobody forgets to add a new one.
func TestEverythingIsSet(t *testing.T) {
	var set []reflect.Value // the settings of both cases, and of their profiles
	for _, name := range []string{"config/everything", "operator/everything"} {
		c := testkit.Find(t, name)
		assert.Empty(t, c.Stderr, "%s must succeed, without a warning", name)
		var list struct {
			FunctionConfig v1alpha1.DragonflyGenerator `json:"functionConfig"`
		}
		require.NoError(t, k8syaml.Unmarshal(c.Input, &list))
		set = append(set, reflect.ValueOf(list.FunctionConfig.Spec))
		for _, profile := range list.FunctionConfig.Spec.Profiles {
			set = append(set, reflect.ValueOf(v1alpha1.DragonflyGeneratorSpec{ProfileSpec: profile}))
		}
	}
	everythingIsSet(t, "spec", set)
}

// everythingIsSet checks that each field of a struct is set in one of its values.
func everythingIsSet(t *testing.T, path string, values []reflect.Value) {
	t.Helper()
	of := values[0].Type()
	for field := range of.Fields() {
		var set []reflect.Value
		for _, value := range values {
			set = append(set, inside(value.FieldByIndex(field.Index))...)
		}
		at := path + "." + field.Name
		if !assert.NotEmpty(t, set, "%s must be set in config/everything or operator/everything", at) || field.Name == "Profiles" {
			continue
		}
		if inner := set[0].Type(); inner.Kind() == reflect.Struct && inner.PkgPath() == of.PkgPath() {
			everythingIsSet(t, at, set)
		}
	}
}

// inside returns the contents of a field: the elements of a list or map, the target of a pointer, or a nonzero value.
func inside(v reflect.Value) []reflect.Value {
	var all []reflect.Value
	switch {
	case v.IsZero():
	case v.Kind() == reflect.Pointer:
		all = append(all, v.Elem())
	case v.Kind() == reflect.Slice, v.Kind() == reflect.Map:
		for _, element := range v.Seq2() {
			all = append(all, element)
		}
	default:
		all = append(all, v)
	}
	return all
}

// The golden cases run in the test's process. These runs show that the program does the same as a separate process,
// with real streams and a real environment.
func TestGoldenAsProcess(t *testing.T) {
	for _, name := range []string{"claim/size-small", "claim/every-problem-at-once", "config/image-latest", "kpt/first-render", "input/empty"} {
		t.Run(name, func(t *testing.T) {
			c := testkit.Find(t, name)
			got := testkit.Start(t, c.Input)
			testkit.Same(t, c.Output, c.View(t, got.Stdout), c.Reason)
			testkit.Same(t, c.Stderr, withExitCode(got), c.Reason)
		})
	}
}

// Windows line breaks do not change the output. (This is not a golden case, because editors and Git change line breaks
// there.)
func TestWindowsLineBreaks(t *testing.T) {
	c := testkit.Find(t, "claim/size-small")
	got := testkit.Call(bytes.ReplaceAll(c.Input, []byte("\n"), []byte("\r\n")))
	assert.Zero(t, got.ExitCode)
	assert.Empty(t, got.Stderr)
	testkit.Same(t, c.Output, c.View(t, got.Stdout), "the output must be the same as with Unix line breaks")
	again := testkit.Call([]byte(got.Stdout))
	testkit.Same(t, got.Stdout, again.Stdout, "the second run must change nothing")
}

// itemsOf returns the items in a normal form, whatever their indentation was.
func itemsOf(t *testing.T, list string) string {
	t.Helper()
	var parsed struct {
		Items yaml.Node `yaml:"items"`
	}
	require.True(t, yaml.Unmarshal([]byte(list), &parsed) == nil, "the list must be YAML") // an error would quote it
	text, err := yaml.Marshal(&parsed.Items)
	require.NoError(t, err)
	return string(text)
}

// A claim with thousands of mistakes gets thousands of errors, in the order of the claim.
func TestManyProblems(t *testing.T) {
	const unknown = 10_000
	var list strings.Builder
	list.WriteString("apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nitems:\n" +
		"- apiVersion: database.bizmatters.io/v1alpha1\n  kind: DragonflyInstance\n" +
		"  metadata: {name: my-cache, namespace: my-namespace}\n  spec:\n")
	for i := range unknown {
		fmt.Fprintf(&list, "    field%d: x\n", i)
	}
	result := testkit.Call([]byte(list.String()))
	assert.Equal(t, 1, result.ExitCode)
	got := strings.Split(strings.TrimSpace(result.Stderr), "\n")
	require.Len(t, got, unknown)
	assert.Equal(t, "error: DragonflyInstance my-namespace/my-cache: spec.field0: unknown field; remove it", got[0])
	assert.Equal(t, "error: DragonflyInstance my-namespace/my-cache: spec.field9999: unknown field; remove it", got[unknown-1])
	testkit.Same(t, itemsOf(t, list.String()), itemsOf(t, result.Stdout), "the items must be unchanged")
}

// TestNoLeaks passes in a marker as somebody's password, in every form that YAML has, through successes and failures.
// It must come out in their Secret, and nowhere else.
func TestNoLeaks(t *testing.T) {
	const marker = "hunter2-hunter2-hunter2-hunter2-hunter2"
	encoded := base64.StdEncoding.EncodeToString([]byte(marker))
	forms := []string{
		marker, `"` + marker + `\n"`, `"` + marker + `\0"`, "!!binary " + encoded, encoded, encoded[:50],
		"*" + marker, "&" + marker + " x", "!" + marker + " x", "!!int " + marker, "[" + marker + "]", "{" + marker + ": " + marker + "}",
		"{" + marker + ": a, " + marker + ": b}", "{<<: " + marker + "}", `"` + marker, "{" + marker + ": [", "|\n        " + marker,
		marker + "\n      password: " + marker + "2", "ENC[AES256_GCM,data:" + marker + ",type:str]", "\"" + marker + "\x01\x1b[31m\"",
	}
	const (
		head   = "apiVersion: config.kubernetes.io/v1\nkind: ResourceList\n"
		claim  = "  - {apiVersion: database.bizmatters.io/v1alpha1, kind: DragonflyInstance, metadata: {name: my-cache, namespace: my-namespace}}\n"
		secret = "  - apiVersion: v1\n    kind: Secret\n    metadata:\n      name: NAME\n      namespace: my-namespace\n      annotations: {MARK}\n    FIELD:\n      password: VALUE\n"
		mark   = "database.bizmatters.io/generated-from: my-namespace/my-cache"
	)
	lists := map[string]string{
		"in a field of the claim": head + "items:\n" + strings.Replace(claim, "}}\n", "}, spec: {password: VALUE}}\n", 1),
		"in the configuration":    head + "functionConfig: {apiVersion: database.bizmatters.io/v1alpha1, kind: DragonflyGenerator, metadata: {name: x}, spec: {password: {value: VALUE, source: VALUE}}}\nitems:\n" + claim,
		"as the list itself":      "password: VALUE\n",
	}
	for _, field := range []string{"data", "stringData"} {
		for _, name := range []string{"my-cache-password", "my-cache-conn"} {
			lists[name+", theirs, "+field] = head + "items:\n" + claim + strings.NewReplacer("NAME", name, "MARK", "", "FIELD", field).Replace(secret)
			lists[name+", ours, "+field] = head + "items:\n" + claim + strings.NewReplacer("NAME", name, "MARK", mark, "FIELD", field).Replace(secret)
		}
	}
	succeeded := 0
	for where, list := range lists {
		for _, form := range forms {
			in := strings.ReplaceAll(list, "VALUE", form)
			got := testkit.Call([]byte(in))
			_, results, _ := strings.Cut(got.Stdout, "\nresults:\n")
			for _, text := range []string{got.Stderr, results} {
				assert.False(t, strings.Contains(text, "hunter2") || strings.Contains(text, encoded[:20]), "%s: nothing may show the password", where)
			}
			if got.ExitCode == 0 {
				succeeded++
				assert.Equal(t, strings.Count(in, "  password: "), strings.Count(got.Stdout, "  password: "), "%s: only their Secret may contain the password", where)
			}
		}
	}
	assert.Greater(t, succeeded, 10, "the test would prove nothing if every list failed for another reason")
}
