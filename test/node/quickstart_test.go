//go:build node

package node

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bizmatters/dragonfly-generator/internal/testkit"
)

// The quickstart does what it says, block by block, up to Argo CD, on this cluster instead of kind's, with images under
// the names that it uses. Dragonfly's is the stand-in; Redis's contains Debian's redis-cli and busybox.
func TestQuickstart(t *testing.T) {
	require.NoError(t, loadServer("docker.dragonflydb.io/dragonflydb/dragonfly:v1.40.1"))
	require.NoError(t, loadGenerator("ghcr.io/bizmatters/dragonfly-generator:v0.1.0"))
	require.NoError(t, loadRedis("docker.io/library/redis:8-alpine"))
	const folder = "/var/lib/volumes/quickstart"
	inside(t, "mkdir", "-p", folder)
	_, err := testkit.Kubectl(`
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: standard}
provisioner: kubernetes.io/no-provisioner
volumeBindingMode: WaitForFirstConsumer
---
apiVersion: v1
kind: PersistentVolume
metadata: {name: quickstart}
spec:
  storageClassName: standard
  capacity: {storage: 10Gi}
  accessModes: [ReadWriteOnce]
  claimRef: {namespace: my-namespace, name: dragonfly-data-my-cache-0}
  nodeAffinity: {required: {nodeSelectorTerms: [{matchExpressions: [{key: kubernetes.io/hostname, operator: In, values: [node]}]}]}}
  local: {path: `+folder+`}
`, "apply", "-f", "-")
	require.NoError(t, err)
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(instance{t, "my-namespace"}.evidence())
		}
		_, _ = testkit.Kubectl("", "delete", "namespace", "my-namespace", "--wait=false")
	})

	bin, err := filepath.Abs("../../bin")
	require.NoError(t, err)
	dir := t.TempDir()
	testkit.FollowQuickstart(t, dir, func(script string) string {
		shell := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", script)
		shell.Dir, shell.Env = dir, append(os.Environ(), "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"))
		out, err := shell.CombinedOutput()
		require.NoError(t, err, "%s\n%s", script, out)
		t.Logf("%s\n%s", script, out)
		return string(out)
	})
}

// loadRedis gives the node an image with a shell and redis-cli from Debian.
func loadRedis(name string) error {
	client, err := exec.LookPath("redis-cli")
	if err != nil {
		return fmt.Errorf("install Debian's redis-tools: %w", err)
	}
	files := map[string]string{
		"bin/sh":            "/bin/busybox", // Debian's busybox-static; called sh, it acts as a shell
		"usr/bin/redis-cli": client,
	}
	if err := addLibraries(files, client); err != nil {
		return err
	}
	return loadImage(name, `{"Env": ["PATH=/usr/bin:/bin"]}`, files)
}
