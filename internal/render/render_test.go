package render_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bizmatters/dragonfly-generator/internal/render"
)

const claim = `apiVersion: database.bizmatters.io/v1alpha1
kind: DragonflyInstance
metadata: {name: my-cache, namespace: my-namespace, annotations: {ANNOTATION}}
`

// run renders in a folder with the given files.
func run(t *testing.T, o render.Options, files map[string]string) (ok bool, stdout, stderr string) {
	t.Helper()
	t.Chdir(t.TempDir())
	for name, text := range files {
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o755))
		require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
	}
	var out, errOut bytes.Buffer
	ok = render.Run(o, render.Streams{
		In: iotest.ErrReader(errors.New("reset")), Out: &out, Err: &errOut,
	})
	return ok, out.String(), errOut.String()
}

func TestStdinBreaks(t *testing.T) {
	ok, stdout, stderr := run(t, render.Options{Paths: []string{"-"}}, nil)
	assert.False(t, ok)
	assert.Empty(t, stdout)
	assert.Equal(t, "error: stdin cannot be read: reset\n", stderr, "Partly read input is not rendered, and nothing is reported about what is missing.")
}

// A file that cannot be read is skipped only if it cannot be a claim.
func TestFilesInUTF16(t *testing.T) {
	for text, want := range map[string]string{"apiVersion": "error: claims/a.json is in UTF-16", "comment": "error: there is no DragonflyInstance in claims"} {
		utf16 := "\xff\xfe" + strings.Join(strings.Split(`{"`+text+`": ""}`, ""), "\x00") + "\x00"
		_, _, stderr := run(t, render.Options{Paths: []string{"claims"}}, map[string]string{"claims/a.json": utf16})
		assert.True(t, strings.HasPrefix(stderr, want), stderr)
	}
}

// TestNoLeaks passes in a marker as a password, in every form that YAML has, through everything that rendering does,
// and looks for it in everything that is not a manifest.
func TestNoLeaks(t *testing.T) {
	const marker = "hunter2-hunter2-hunter2-hunter2-hunter2"
	encoded := base64.StdEncoding.EncodeToString([]byte(marker))
	forms := map[string]string{
		"plain":            marker,
		"base64":           encoded,
		"line break":       `"` + marker + `\n"`,
		"alias":            "*" + marker,
		"anchor":           "&" + marker + " x",
		"anchor and alias": "&a " + marker + "\n  again: *a",
		"tag":              "!" + marker + " x",
		"tag of a number":  "!!int " + marker,
		"list":             "[" + marker + "]",
		"map with it":      "{a: " + marker + ", " + marker + ": b}",
		"quote left open":  `"` + marker,
		"literal":          "|\n    " + marker + "\n    " + marker,
		"folded":           ">-\n    " + marker + "\n\n    " + marker,
		"comment":          "x # " + marker,
		"comment below":    "x\n  # " + marker + "\n  # " + marker,
		"another document": "x\n---\n# stringData: {password: " + marker + "}\n---\nkind: Secret\napiVersion: v1\nmetadata: {name: x}\nstringData: {password: " + marker + "}",
		"in a List":        "x\n---\nkind: List\napiVersion: v1\nitems:\n- kind: Secret\n  apiVersion: v1\n  metadata: {name: x}\n  stringData: {password: " + marker + "}",
	}
	// One of our Services that has to change, and somebody's Secret after it in the same file.
	file := func(field, value string) string {
		return "apiVersion: v1\nkind: Service\nmetadata:\n  name: my-cache\n  namespace: my-namespace\n" +
			"  annotations: {database.bizmatters.io/generated-from: my-namespace/my-cache}\n---\n" +
			"apiVersion: v1\nkind: Secret\nmetadata: {name: my-cache-password, namespace: my-namespace}\n" + field + ":\n  password: " + value + "\n"
	}
	changed := 0
	for form, value := range forms {
		for _, field := range []string{"data", "stringData"} {
			for _, o := range []render.Options{{}, {Folder: "out"}, {Folder: "out", Check: true}} {
				o.Paths = []string{"claim.yaml"}
				_, stdout, stderr := run(t, o, map[string]string{
					"claim.yaml":   strings.Replace(claim, "ANNOTATION", "", 1),
					"out/all.yaml": file(field, value),
				})
				said := stderr
				if o.Check {
					said += stdout
					changed += strings.Count(stdout, "+++ out/all.yaml")
				}
				assert.False(t, strings.Contains(said, "hunter2"), "%s, %s, %v", form, field, o)
				assert.False(t, strings.Contains(said, encoded[:16]), "%s, %s, %v", form, field, o)
			}
		}
	}
	require.Greater(t, changed, 20, "the file must have changed, or this proves nothing")
}
