//go:build e2e

package e2e

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A kpt package whose Secrets hold passwords, encrypted with SOPS, renders like one with readable ones: nothing
// changes in a second render, and a changed claim changes its StatefulSet only.
func TestSops(t *testing.T) {
	dir := kptPackage(t, "exec: dragonfly-generator\n    configMap:\n      password.source: Random")
	render(t, dir)
	plain := secretsIn(t, dir)
	require.Len(t, plain, 4, "two instances with two Secrets each")

	keyFile := filepath.Join(t.TempDir(), "age.key")
	succeeds(t, dir, nil, "age-keygen", "-o", keyFile)
	recipient := strings.TrimSpace(succeeds(t, dir, nil, "age-keygen", "-y", keyFile))
	key := []string{"SOPS_AGE_KEY_FILE=" + keyFile}
	for file := range plain {
		succeeds(t, dir, key, "sops", "--indent", "2", "encrypt", "--age", recipient, "--encrypted-regex", "^(data|stringData)$", "--in-place", file)
	}
	encrypted := withoutStatus(tree(t, dir))
	require.True(t, strings.Contains(encrypted["claims/my-cache.my-namespace/secret-password.yaml"], "ENC["), "SOPS must have encrypted it")

	render(t, dir)
	sameTree(t, encrypted, withoutStatus(tree(t, dir)), "a render over encrypted Secrets must change nothing")

	resize(t, filepath.Join(dir, "claims/my-cache.yaml"))
	render(t, dir)
	resized := withoutStatus(tree(t, dir))
	assert.Contains(t, resized["claims/my-cache.my-namespace/statefulset.yaml"], "memory: 8Gi")
	delete(resized, "claims/my-cache.my-namespace/statefulset.yaml")
	delete(encrypted, "claims/my-cache.my-namespace/statefulset.yaml")
	encrypted["claims/my-cache.yaml"] = resized["claims/my-cache.yaml"]
	sameTree(t, encrypted, resized, "another size must change the StatefulSet only")

	t.Run("a rotation is refused", func(t *testing.T) {
		claim := filepath.Join(dir, "claims/my-cache.yaml")
		text, err := os.ReadFile(claim)
		require.NoError(t, err)
		rotated := strings.Replace(string(text), "annotations:\n", "annotations:\n    database.bizmatters.io/password-rotation: \"2\"\n", 1)
		require.NoError(t, os.WriteFile(claim, []byte(rotated), 0o600))
		before := withoutStatus(tree(t, dir))
		r := command(t, dir, nil, "kpt", "fn", "render", "--allow-exec")
		assert.True(t, r.failed)
		assert.Contains(t, r.stderr, "encrypted with SOPS")
		sameTree(t, before, withoutStatus(tree(t, dir)), "a render that fails must change nothing")
		require.NoError(t, os.WriteFile(claim, text, 0o600))
	})

	for file := range plain {
		succeeds(t, dir, key, "sops", "--indent", "2", "decrypt", "--in-place", file)
	}
	assert.True(t, maps.Equal(plain, secretsIn(t, dir)), "what was encrypted must come back")
	render(t, dir)
	assert.True(t, maps.Equal(plain, secretsIn(t, dir)), "a render over what was decrypted must change no password")
}

// secretsIn returns the data of the package's Secrets as one text each, by file.
func secretsIn(t *testing.T, dir string) map[string]string {
	t.Helper()
	secrets := map[string]string{}
	for file, text := range tree(t, dir) {
		if strings.HasPrefix(filepath.Base(file), "secret-") {
			_, data, found := strings.Cut(text, "\ndata:\n")
			require.True(t, found)
			secrets[file], _, _ = strings.Cut(data, "\ntype:")
		}
	}
	return secrets
}
