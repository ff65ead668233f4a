package main

import (
	"bytes"
	"encoding/base64"
	"flag"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/internal/golden"
	"github.com/bizmatters/dragonfly-generator/internal/program"
	"github.com/bizmatters/dragonfly-generator/internal/sametext"
)

var update = flag.Bool("update", false, "rewrite the expected output from what the program does, for review with git diff")

func TestMain(m *testing.M) { program.Main(m) }

// TestGolden runs each case of testdata/golden.
//
// Beside what the case expects it checks what holds for every input: on an error the items leave as they
// came; on success a second run over the output changes nothing.
func TestGolden(t *testing.T) {
	byFamily := map[string][]golden.Case{}
	for _, c := range golden.Cases(t) {
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

func checkCase(t *testing.T, c golden.Case) {
	t.Helper()
	got := program.Call(c.Input, c.Env...)
	stdout, stderr := sametext.MaskRandom(got.Stdout), withExitCode(got)
	if *update {
		require.NoError(t, c.Update(stdout, stderr))
	} else {
		sametext.Assert(t, c.Output, stdout, c.Reason)
		sametext.Assert(t, c.Stderr, stderr, c.Reason)
	}
	if got.ExitCode != 0 {
		if got.Stdout != "" {
			sametext.Assert(t, itemsOf(t, string(c.Input)), itemsOf(t, got.Stdout), "the items must leave as they came")
		}
		return
	}
	again := program.Call([]byte(got.Stdout), c.Env...)
	assert.Zero(t, again.ExitCode, "the second run must succeed")
	sametext.Assert(t, got.Stdout, again.Stdout, "the second run must change nothing")
}

// withExitCode returns what is on stderr, with the exit code in the last line unless that is 0.
func withExitCode(r program.Result) string {
	if r.ExitCode == 0 {
		return r.Stderr
	}
	return r.Stderr + fmt.Sprintf("exit code %d\n", r.ExitCode)
}

// The golden cases run in the test's own process. These show that as a process of its own, with real streams and
// a real environment, the program does the same.
func TestGoldenAsProcess(t *testing.T) {
	for _, name := range []string{"claim/size-small", "claim/every-problem-at-once", "config/image-latest", "kpt/first-render", "input/empty", "seed/white-space"} {
		t.Run(name, func(t *testing.T) {
			c := golden.Find(t, name)
			got := program.Start(t, c.Input, c.Env...)
			sametext.Assert(t, c.Output, sametext.MaskRandom(got.Stdout), c.Reason)
			sametext.Assert(t, c.Stderr, withExitCode(got), c.Reason)
		})
	}
}

// Windows ends lines in its own way, which changes nothing in what is made. (Editors and Git change line breaks in
// golden cases, so this is not one of them.)
func TestWindowsLineBreaks(t *testing.T) {
	c := golden.Find(t, "claim/size-small")
	got := program.Call(bytes.ReplaceAll(c.Input, []byte("\n"), []byte("\r\n")), c.Env...)
	assert.Zero(t, got.ExitCode)
	assert.Empty(t, got.Stderr)
	sametext.Assert(t, c.Output, got.Stdout, "the output must be that of plain line breaks")
	again := program.Call([]byte(got.Stdout), c.Env...)
	sametext.Assert(t, got.Stdout, again.Stdout, "the second run must change nothing")
}

// itemsOf returns the items in one form, whatever the indentation they came in.
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
	result := program.Call([]byte(list.String()))
	assert.Equal(t, 1, result.ExitCode)
	got := strings.Split(strings.TrimSpace(result.Stderr), "\n")
	require.Len(t, got, unknown)
	assert.Equal(t, "error: DragonflyInstance my-namespace/my-cache: spec.field0: unknown field; remove it", got[0])
	assert.Equal(t, "error: DragonflyInstance my-namespace/my-cache: spec.field9999: unknown field; remove it", got[unknown-1])
	sametext.Assert(t, itemsOf(t, list.String()), itemsOf(t, result.Stdout), "the items must leave as they came")
}

// TestNoLeaks sends a marker in as password, as seed and as encrypted value, in every form that YAML has,
// through successes and failures, and looks for it everywhere but in the data of Secrets.
func TestNoLeaks(t *testing.T) {
	const marker = "hunter2-hunter2-hunter2-hunter2-hunter2"
	forms := map[string]string{
		"plain":              marker,
		"with a line break":  `"` + marker + `\n"`,
		"with a NUL":         `"` + marker + `\0"`,
		"not UTF-8":          "!!binary " + base64.StdEncoding.EncodeToString([]byte(marker+"\xff")),
		"base64":             base64.StdEncoding.EncodeToString([]byte(marker)),
		"base64, broken off": base64.StdEncoding.EncodeToString([]byte(marker))[:50],
		"base64, line break": base64.StdEncoding.EncodeToString([]byte(marker + "\n")),
		"alias":              "*" + marker,
		"anchor":             "&" + marker + " x",
		"tag":                "!" + marker + " x",
		"tag of a number":    "!!int " + marker,
		"tag of a float":     "!!float " + marker,
		"list":               "[" + marker + "]",
		"map":                "{" + marker + ": " + marker + "}",
		"map with it twice":  "{" + marker + ": a, " + marker + ": b}",
		"merge key":          "{<<: " + marker + "}",
		"quote left open":    `"` + marker,
		"brace left open":    "{" + marker + ": [",
		"literal":            "|\n        " + marker,
		"key twice":          marker + "\n      password: " + marker + "2",
		"encrypted":          "ENC[AES256_GCM,data:" + marker + ",type:str]",
		"control character":  "\"" + marker + "\x01\x1b[31m\"",
		"a tab where blanks": "\n\t" + marker,
	}
	const secret = `
  - apiVersion: v1
    kind: Secret
    metadata:
      name: NAME
      namespace: my-namespace
      annotations: {MARK}
    FIELD:
      password: VALUE
`
	claim := func(annotations string) string {
		return `
  - apiVersion: database.bizmatters.io/v1alpha1
    kind: DragonflyInstance
    metadata:
      name: my-cache
      namespace: my-namespace
      annotations: {` + annotations + `}
`
	}
	const (
		head    = "apiVersion: config.kubernetes.io/v1\nkind: ResourceList\n"
		kptfile = "\n  - {apiVersion: kpt.dev/v1, kind: Kptfile, metadata: {name: x}}\n"
		mark    = "database.bizmatters.io/generated-from: my-namespace/my-cache"
		rotate  = `database.bizmatters.io/password-rotation: "2"`
		sops    = "    sops: {mac: VALUE}\n"
		service = "\n  - {apiVersion: v1, kind: Service, metadata: {name: my-cache, namespace: my-namespace}}\n"
		seedRef = "functionConfig:\n  apiVersion: database.bizmatters.io/v1alpha1\n  kind: DragonflyGenerator\n  metadata: {name: x}\n" +
			"  spec: {password: {seedSecretRef: {namespace: my-namespace, name: seed, key: password}}}\n"
	)
	make := func(name, mark, field string) string {
		return strings.NewReplacer("NAME", name, "MARK", mark, "FIELD", field).Replace(secret)
	}
	lists := map[string]string{}
	for _, field := range []string{"data", "stringData"} {
		lists["brought along, "+field] = head + "items:" + claim("") + make("my-cache-password", "", field)
		lists["brought along, refused, "+field] = head + "items:" + claim("") + service + make("my-cache-password", "", field)
		lists["ours, "+field] = head + "items:" + kptfile + claim("") + make("my-cache-password", mark, field)
		lists["ours, rotated, "+field] = head + "items:" + kptfile + claim(rotate) + make("my-cache-password", mark, field)
		lists["ours, encrypted, "+field] = head + "items:" + kptfile + claim(rotate) + make("my-cache-password", mark, field) + sops
		lists["in the connection Secret, "+field] = head + "items:" + kptfile + claim("") + make("my-cache-conn", mark, field)
		lists["as the seed, "+field] = head + seedRef + "items:" + claim("") + make("seed", "", field)
	}
	lists["in a field of the claim"] = head + "items:" + claim("") + "    spec:\n      password: VALUE\n"
	lists["as the list itself"] = "password: VALUE\n"

	// The test would be worth nothing if every list failed for another reason.
	for where, want := range map[string]int{
		"brought along, ": 0, "brought along, refused, ": 1, "ours, ": 0, "ours, rotated, ": 0, "ours, encrypted, ": 1,
		"in the connection Secret, ": 0, "as the seed, ": 0,
	} {
		for field, value := range map[string]string{"data": forms["base64"], "stringData": forms["plain"]} {
			got := program.Call([]byte(strings.ReplaceAll(lists[where+field], "VALUE", value)))
			assert.Equal(t, want, got.ExitCode, where+field)
			assert.NotContains(t, got.Stderr, "not valid YAML", where+field)
		}
	}

	dataLine := regexp.MustCompile(`(?m)^\s+password: .*$`)
	for where, list := range lists {
		for form, value := range forms {
			t.Run(where+"/"+form, func(t *testing.T) {
				t.Parallel()
				got := program.Call([]byte(strings.ReplaceAll(list, "VALUE", value)))
				stdout, stderr := got.Stdout, got.Stderr
				assert.False(t, strings.Contains(stderr, "hunter2"), "stderr must not show the secret")
				_, results, _ := strings.Cut(stdout, "\nresults:\n")
				assert.False(t, strings.Contains(results, "hunter2"), "the results must not show the secret")
				encoded := base64.StdEncoding.EncodeToString([]byte(marker))
				assert.False(t, strings.Contains(stderr+results, encoded[:20]), "nor in base64")

				if got.ExitCode == 0 && where != "in a field of the claim" {
					rest := dataLine.ReplaceAllString(stdout, "")
					assert.False(t, strings.Contains(rest, encoded[:20]), "only the data of Secrets may hold it")
					if !strings.Contains(value, "\n") {
						assert.False(t, strings.Contains(rest, "hunter2"), "only the data of Secrets may hold it")
					}
				}
			})
		}
	}

	for form, value := range map[string]string{"whole": marker + " ", "short": "hunter2"} {
		t.Run("seed in the environment/"+form, func(t *testing.T) {
			got := program.Call([]byte(head+"items:"+claim("")), "DRAGONFLY_PASSWORD_SEED="+value)
			assert.Equal(t, 1, got.ExitCode)
			assert.False(t, strings.Contains(got.Stdout+got.Stderr, "hunter2"), "nothing may show the seed")
		})
	}
}
