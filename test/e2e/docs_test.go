//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var pythonBlock = regexp.MustCompile("(?s)```python\n(.*?)```")

// The Python of docs/passwords.md gives the passwords that kustomize build gives.
func TestDocumentedDerivation(t *testing.T) {
	text, err := os.ReadFile("../../docs/passwords.md")
	require.NoError(t, err)
	block := pythonBlock.FindSubmatch(text)
	require.NotNil(t, block)
	dir := write(t, map[string]string{"derive.py": string(block[1])})

	objects := parse(t, build(t, "../../examples/seed", seed))
	for _, rotation := range []string{"", "2"} {
		want := strings.TrimSpace(succeeds(t, dir, []string{seed}, "python3", "derive.py", "my-namespace", "orders-cache", rotation))
		if rotation != "" {
			folder := write(t, tree(t, "../../examples/seed"))
			claim := filepath.Join(folder, "claim.yaml")
			text, err := os.ReadFile(claim)
			require.NoError(t, err)
			rotated := strings.Replace(string(text), "metadata:\n", "metadata:\n  annotations: {database.bizmatters.io/password-rotation: \""+rotation+"\"}\n", 1)
			require.NoError(t, os.WriteFile(claim, []byte(rotated), 0o600))
			objects = parse(t, build(t, folder, seed))
		}
		assert.True(t, want == objects.secret(t, "orders-cache-conn")["password"], "the documented derivation must give the password of rotation %q", rotation)
	}
}
