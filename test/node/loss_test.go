//go:build node

package node

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSecretsEmptied(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "secrets-emptied")
	before := i.start()
	password := i.password()
	require.Equal(t, "+OK", i.ask(password, "SET answer 42", "SAVE"))
	const empty = `{"data": {"password": null}}`
	i.kubectl("patch", "secret", "my-cache-password", "--type=merge", "-p", empty)
	i.kubectl("patch", "secret", "my-cache-conn", "--type=merge", "-p", empty)
	assert.Equal(t, "42", i.ask(password, "GET answer"))
	t.Log("both Secrets are emptied: the server keeps running")

	restartServer(i, password)
	assert.Equal(t, "42", i.ask(password, "GET answer"))
	assert.Contains(t, i.ask("wrong", "PING"), "-WRONGPASS")
	t.Log("the server's container restarts: it keeps its password, which is in the flag file")

	i.kubectl("delete", "pod", "my-cache-0")
	t.Log("the next pod is refused: " + strings.TrimSpace(i.logs("is lost")))
	pod, err := i.pod()
	require.NoError(t, err)
	assert.NotEqual(t, before.UID, pod.UID)
	assert.NotNil(t, pod.Status.ContainerStatuses[0].State.Waiting, "the server must not start")
	assert.Empty(t, i.secret("my-cache-password", "password"), "there must be no second first password")

	put := fmt.Sprintf(`{"stringData": {"password": %q}}`, password)
	i.kubectl("patch", "secret", "my-cache-password", "--type=merge", "-p", put)
	i.ready("")
	assert.Equal(t, "42", i.ask(password, "GET answer"))
	assert.Equal(t, password, i.password())
	t.Log("the password is restored in the password Secret: the pod starts by itself, and the connection Secret has it too")
}

func TestLostPasswordRotated(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "lost-and-rotated")
	i.start()
	old := i.password()
	require.Equal(t, "+OK", i.ask(old, "SET answer 42"))
	i.kubectl("delete", "secret", "my-cache-password", "my-cache-conn")
	i.apply(manifests(t, claim(i.namespace), config))
	i.kubectl("delete", "pod", "my-cache-0")
	i.logs("is lost")
	lost, err := i.pod()
	require.NoError(t, err)
	t.Log("both Secrets are deleted and applied again, empty: the next pod is refused")

	const rotation = `2026-11: "after" 100% $(POD_NAME) \n`
	i.apply(manifests(t, rotated(i.namespace, rotation), config))
	// The StatefulSet's controller does not replace a pod by itself if it was never Ready.
	// https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#forced-rollback
	i.kubectl("delete", "pod", "my-cache-0")
	i.ready(string(lost.UID))
	assert.NotEqual(t, old, i.password())
	assert.Equal(t, "42", i.ask(i.password(), "GET answer"))
	assert.Contains(t, i.ask(old, "PING"), "-WRONGPASS")
	for _, secret := range []string{"my-cache-password", "my-cache-conn"} {
		recorded := i.kubectl("get", "secret", secret, "-o", `jsonpath={.metadata.annotations.database\.bizmatters\.io/password-rotation}`)
		assert.Equal(t, rotation, recorded)
	}
	t.Log("a rotation makes a new password, whatever its value, and the data is still there")
}

// restartServer ends the server's process and waits until the kubelet has started its container again.
func restartServer(i instance, password string) {
	i.t.Helper()
	before, err := i.pod()
	require.NoError(i.t, err)
	i.ask(password, "SHUTDOWN")
	eventually(i.t, func() error {
		pod, err := i.pod()
		if err != nil {
			return err
		}
		if status := pod.Status.ContainerStatuses[0]; !status.Ready || status.RestartCount == before.Status.ContainerStatuses[0].RestartCount {
			return fmt.Errorf("the server's container has not been restarted")
		}
		if pod.UID != before.UID {
			i.t.Fatal("it is a different pod")
		}
		return nil
	})
}

func TestVolumeNotWritable(t *testing.T) {
	t.Parallel()
	i := instance{t, "volume-not-writable"}
	i.createNamespace()
	// fsGroup has no effect on a hostPath, and the folder belongs to root.
	i.createVolume("hostPath: {path: " + i.folder() + ", type: Directory}")
	i.apply(manifests(t, claim(i.namespace), config))
	t.Log("the pod stops: " + strings.TrimSpace(i.logs("cannot be written to by uid 1000")))
	pod, err := i.pod()
	require.NoError(t, err)
	assert.NotNil(t, pod.Status.ContainerStatuses[0].State.Waiting, "the server must not start")
	assert.Empty(t, i.secret("my-cache-password", "password"))

	inside(t, "chown", "1000:1000", i.folder())
	i.ready("")
	assert.Equal(t, "+OK", i.ask(i.password(), "SET answer 42", "SAVE"))
	t.Log("the folder's owner changes: the pod starts by itself, and can save")
}
