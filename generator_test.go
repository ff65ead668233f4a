package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/internal/sametext"
)

var update = flag.Bool("update", false, "rewrite the expected files from what the program does, for review with git diff")

// runMain makes the test binary behave as the program, so that the golden cases run the real main in a
// process of its own. In scripts it does so when it is called by the program's name.
const runMain = "DRAGONFLY_GENERATOR_TEST_RUN_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(runMain) != "" {
		main()
		return
	}
	testscript.Main(m, map[string]func(){"dragonfly-generator": main})
}

// run runs the program as an orchestrator does.
func run(t *testing.T, stdin []byte, env ...string) (stdout, stderr string, exitCode int) {
	t.Helper()
	cmd := program(t.Context(), t, env...)
	cmd.Stdin = bytes.NewReader(stdin)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Run(); err != nil {
		var exit *exec.ExitError
		require.ErrorAs(t, err, &exit)
		exitCode = exit.ExitCode()
	}
	return out.String(), errOut.String(), exitCode
}

// program is the program with that environment and no other.
func program(ctx context.Context, t *testing.T, env ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append([]string{runMain + "=1", "GOCOVERDIR=" + os.Getenv("GOCOVERDIR")}, env...)
	return cmd
}

// TestGolden runs each directory of testdata: input.yaml on stdin, with the variables of the file env,
// has to give output.yaml on stdout, and stderr.txt with the exit code in its last line.
//
// Beside the files it checks what holds for every input: on an error the items leave as they came; on
// success a second run over the output changes nothing.
func TestGolden(t *testing.T) {
	inputs, err := filepath.Glob("testdata/*/input.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, inputs)
	for _, input := range inputs {
		dir := filepath.Dir(input)
		t.Run(filepath.Base(dir), func(t *testing.T) {
			t.Parallel()
			stdin, err := os.ReadFile(input)
			require.NoError(t, err)
			env := lines(t, filepath.Join(dir, "env"))

			stdout, stderr, exitCode := run(t, stdin, env...)
			if exitCode != 0 {
				stderr += fmt.Sprintf("exit code %d\n", exitCode)
			}
			golden(t, filepath.Join(dir, "output.yaml"), sametext.MaskRandom(stdout))
			golden(t, filepath.Join(dir, "stderr.txt"), stderr)

			if exitCode != 0 {
				if stdout != "" {
					sametext.Assert(t, itemsOf(t, string(stdin)), itemsOf(t, stdout), "the items must leave as they came")
				}
				return
			}
			again, _, exitCode := run(t, []byte(stdout), env...)
			assert.Zero(t, exitCode, "the second run must succeed")
			sametext.Assert(t, stdout, again, "the second run must change nothing")
		})
	}
}

func lines(t *testing.T, file string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	require.NoError(t, err)
	return strings.Split(strings.TrimSpace(string(text)), "\n")
}

// golden compares with a file. No file stands for no text.
func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if got == "" {
			err := os.Remove(file)
			require.True(t, err == nil || errors.Is(err, os.ErrNotExist))
			return
		}
		require.NoError(t, os.WriteFile(file, []byte(got), 0o600))
		return
	}
	want, err := os.ReadFile(file)
	if !errors.Is(err, os.ErrNotExist) {
		require.NoError(t, err)
	}
	sametext.Assert(t, string(want), got, file)
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
	stdout, stderr, exitCode := run(t, []byte(list.String()))
	assert.Equal(t, 1, exitCode)
	got := strings.Split(strings.TrimSpace(stderr), "\n")
	require.Len(t, got, unknown)
	assert.Equal(t, "error: DragonflyInstance my-namespace/my-cache: spec.field0: unknown field; remove it", got[0])
	assert.Equal(t, "error: DragonflyInstance my-namespace/my-cache: spec.field9999: unknown field; remove it", got[unknown-1])
	sametext.Assert(t, itemsOf(t, list.String()), itemsOf(t, stdout), "the items must leave as they came")
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
			_, stderr, exitCode := run(t, []byte(strings.ReplaceAll(lists[where+field], "VALUE", value)))
			assert.Equal(t, want, exitCode, where+field)
			assert.NotContains(t, stderr, "not valid YAML", where+field)
		}
	}

	dataLine := regexp.MustCompile(`(?m)^\s+password: .*$`)
	for where, list := range lists {
		for form, value := range forms {
			t.Run(where+"/"+form, func(t *testing.T) {
				t.Parallel()
				stdout, stderr, exitCode := run(t, []byte(strings.ReplaceAll(list, "VALUE", value)))
				assert.False(t, strings.Contains(stderr, "hunter2"), "stderr must not show the secret")
				assert.NotContains(t, stderr, "goroutine", "no panic")

				_, results, _ := strings.Cut(stdout, "\nresults:\n")
				assert.False(t, strings.Contains(results, "hunter2"), "the results must not show the secret")
				encoded := base64.StdEncoding.EncodeToString([]byte(marker))
				assert.False(t, strings.Contains(stderr+results, encoded[:20]), "nor in base64")

				if exitCode == 0 && where != "in a field of the claim" {
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
			stdout, stderr, exitCode := run(t, []byte(head+"items:"+claim("")), "DRAGONFLY_PASSWORD_SEED="+value)
			assert.Equal(t, 1, exitCode)
			assert.False(t, strings.Contains(stdout+stderr, "hunter2"), "nothing may show the seed")
		})
	}
}
