//go:build node

package node

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// config is the configuration of every instance here: images that the node has and never pulls.
const config = `
apiVersion: database.bizmatters.io/v1alpha1
kind: DragonflyGenerator
metadata: {name: node}
spec:
  image: ` + serverImage + `
  imagePullPolicy: Never
  password: {image: ` + generatorImage + `}
`

// claim returns the claim of the instance my-cache, with annotations in its group, given as pairs of name and value.
func claim(namespace string, annotations ...string) string {
	text := "apiVersion: database.bizmatters.io/v1alpha1\nkind: DragonflyInstance\nmetadata:\n  name: my-cache\n  namespace: " + namespace + "\n"
	if len(annotations) > 0 {
		text += "  annotations:\n"
	}
	for i := 0; i < len(annotations); i += 2 {
		text += fmt.Sprintf("    database.bizmatters.io/%s: %q\n", annotations[i], annotations[i+1])
	}
	return text + "spec: {size: micro}\n"
}

// rotated returns the claim with a rotation.
func rotated(namespace, rotation string) string {
	return claim(namespace, "password-rotation", rotation)
}

// manifests returns what a claim renders to under a configuration.
func manifests(t *testing.T, claim, config string) string {
	t.Helper()
	program, err := filepath.Abs(filepath.Join("..", "..", "bin", "dragonfly-generator"))
	require.NoError(t, err)
	dir := t.TempDir()
	for name, text := range map[string]string{"claim.yaml": claim, "platform.yaml": config} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	render := exec.CommandContext(t.Context(), program, "render", "claim.yaml", "--config", "platform.yaml")
	render.Dir, render.Stderr = dir, os.Stderr
	text, err := render.Output()
	require.NoError(t, err)
	return string(text)
}
