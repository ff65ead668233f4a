package render_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bizmatters/dragonfly-generator/generator"
	"github.com/bizmatters/dragonfly-generator/internal/render"
)

// Where an error is shown in its file, and what of the file is not.
func TestPlacesAtATerminal(t *testing.T) {
	const claim = "apiVersion: database.bizmatters.io/v1alpha1\nkind: DragonflyInstance\nmetadata: {name: a, namespace: ns}\n"
	for _, tc := range []struct{ reason, text, want string }{
		{"A wrong value is marked.", claim + "spec:\n  size: 'smal' # hidden\n", "5 |   size: 'smal'\n  |         ^^^^^^\n"},
		{"The lines of the documents before count.", "# hidden\n---\n" + claim + "spec:\n  size: smal\n", "7 |   size: smal\n"},
		{"A document in a List is found by its name.", "apiVersion: v1\nkind: List\nitems:\n- apiVersion: database.bizmatters.io/v1alpha1\n  kind: DragonflyInstance\n" +
			"  metadata: {name: a, namespace: ns}\n  spec:\n    size: smal\n", "8 |     size: smal\n"},
		{"The value of an unknown field may be a secret.", claim + "spec:\n  password: hidden\n", "5 |   password: …\n  |   ^^^^^^^^\n"},
		{"So may anything on a line with braces.", claim + "spec: {size: smal, password: hidden}\n", " --> "},
		{"A value below its key is not on its line.", claim + "spec:\n  size:\n    smal\n", "5 |   size: …\n"},
		{"What is missing is shown where it belongs.", "apiVersion: database.bizmatters.io/v1alpha1\nkind: DragonflyInstance\nmetadata:\n  name: a\n", "3 | metadata:\n  | ^^^^^^^^\n"},
	} {
		file := filepath.Join(t.TempDir(), "claim.yaml")
		require.NoError(t, os.WriteFile(file, []byte(tc.text), 0o600))
		var stdout, stderr bytes.Buffer
		ok := render.Run(render.Options{Paths: []string{file}}, render.Streams{
			Out: &stdout, Err: &stderr, Terminal: true,
			Env: generator.Environment{LookupEnv: func(string) (string, bool) { return "", false }},
		})
		assert.False(t, ok, tc.reason)
		assert.Contains(t, stderr.String(), tc.want, tc.reason)
		assert.NotContains(t, stderr.String(), "hidden", tc.reason)
	}
}
