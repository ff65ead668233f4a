//go:build node

package node

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// existing returns the claim with the source Existing and a rotation.
func existing(namespace, rotation string) string {
	return claim(namespace, "password-source", "Existing", "password-rotation", rotation)
}

// Somebody else's Secret arrives after the pod, is there before the next one, and changes together with the claim's
// rotation.
func TestExisting(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "existing")
	i.apply(manifests(t, existing(i.namespace, "1"), config))
	i.logs("does not exist yet; the password source is Existing, so you must provide it")
	i.make("my-cache-password", "password", "of-their-own")
	theirs := i.object("my-cache-password")
	first := i.ready("")
	assert.Equal(t, "of-their-own", i.password())
	require.Equal(t, "+OK", i.ask("of-their-own", "SET answer 42"))
	t.Log("the Secret arrives while the pod waits: the pod becomes Ready by itself, and the connection Secret has the password")

	i.kubectl("delete", "role", "my-cache")
	second := i.restart()
	i.logs("both Secrets of " + i.namespace + "/my-cache already have the password")
	assert.Equal(t, "42", i.ask("of-their-own", "GET answer"))
	assert.Equal(t, theirs, i.object("my-cache-password"))
	t.Log("the Secret is there before the pod: the pod needs no request")

	i.make("my-cache-password", "password", "another")
	theirs = i.object("my-cache-password")
	assert.Equal(t, "42", i.ask("of-their-own", "GET answer"), "the server keeps running until the rotation")
	i.apply(manifests(t, existing(i.namespace, "2"), config))
	third := i.ready(string(second.UID))
	assert.NotEqual(t, first.UID, third.UID)
	assert.Equal(t, "another", i.password())
	assert.Equal(t, "42", i.ask("another", "GET answer"))
	assert.Contains(t, i.ask("of-their-own", "PING"), "-WRONGPASS")
	assert.Equal(t, theirs, i.object("my-cache-password"))
	t.Log("the Secret changes and the rotation is raised: server and connection Secret follow, and nobody has written to the Secret")
}

// A password that the server cannot accept stops the pod. Its value is not shown anywhere.
func TestExistingInvalid(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "existing-invalid")
	i.make("my-cache-password", "password", "hunter2-first\nhunter2-second")
	i.apply(manifests(t, existing(i.namespace, "1"), config))
	i.logs("error: key password of Secret " + i.namespace + "/my-cache-password contains a line break or a NUL")
	for _, args := range [][]string{
		{"logs", "my-cache-0", "-c", "prepare"}, {"describe", "pod", "my-cache-0"}, {"get", "pod", "my-cache-0", "-o", "yaml"}, {"get", "events", "-o", "yaml"},
	} {
		assert.NotContains(t, i.kubectl(args...), "hunter2")
	}
	pod, err := i.pod()
	require.NoError(t, err)
	assert.NotNil(t, pod.Status.ContainerStatuses[0].State.Waiting, "the server must not start")
	assert.Empty(t, i.secret("my-cache-conn", "password"))
	t.Log("the pod stops, and says why without showing the value")

	i.make("my-cache-password", "password", "of-their-own")
	i.ready("")
	assert.Equal(t, "+PONG", i.ask(i.password(), "PING"))
	t.Log("the Secret gets another value: the pod starts by itself")
}

// A Secret from a secretGenerator has a hash in its name. Kustomize's name references update that name in the pod's volume
// and in the Role, but not in prepare's request to the API server.
func TestExistingFromSecretGenerator(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "existing-generated")
	bin, err := filepath.Abs("../../bin")
	require.NoError(t, err)
	build := func(password string) string {
		dir := t.TempDir()
		for name, text := range map[string]string{
			"claim.yaml": claim(i.namespace),
			"dragonfly-generator.yaml": `apiVersion: database.bizmatters.io/v1alpha1
kind: DragonflyGenerator
metadata:
  name: node
  annotations:
    config.kubernetes.io/function: |
      exec: {path: dragonfly-generator}
spec:
  image: ` + serverImage + `
  imagePullPolicy: Never
  password: {image: ` + generatorImage + `}
`,
			"kustomization.yaml": "resources: [claim.yaml]\ntransformers: [dragonfly-generator.yaml]\n" +
				"secretGenerator:\n- {name: my-cache-password, namespace: " + i.namespace + ", literals: [password=" + password + "]}\n",
		} {
			require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
		}
		kustomize := exec.CommandContext(t.Context(), filepath.Join(bin, "kustomize"), "build", "--enable-alpha-plugins", "--enable-exec", dir)
		kustomize.Env, kustomize.Stderr = append(os.Environ(), "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH")), os.Stderr
		out, err := kustomize.Output()
		require.NoError(t, err)
		return string(out)
	}
	i.apply(build("first-of-theirs"))
	pod := i.ready("")
	i.logs("cannot get Secret " + i.namespace + "/my-cache-password from the API server; using the mounted Secret instead, which has another name")
	assert.Equal(t, "first-of-theirs", i.connectionPassword())
	require.Equal(t, "+OK", i.ask("first-of-theirs", "SET answer 42"))
	t.Log("the mounted Secret counts")

	i.apply(build("second-of-theirs"))
	i.ready(string(pod.UID))
	assert.Equal(t, "second-of-theirs", i.connectionPassword())
	assert.Equal(t, "42", i.ask("second-of-theirs", "GET answer"))
	assert.Contains(t, i.ask("first-of-theirs", "PING"), "-WRONGPASS")
	t.Log("another password has another hash: the pod restarts, and the connection Secret follows")
}

// With External, the server reads the Secret itself, and something else makes the one that applications read.
func TestExternal(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "external")
	external := func(rotation string) string {
		return manifests(t, claim(i.namespace, "password-source", "External", "password-rotation", rotation), config)
	}
	connection := func(password string) {
		i.make("my-cache-password", "password", password)
		i.make("my-cache-conn", "endpoint", "my-cache."+i.namespace+".svc.cluster.local", "port", "6379", "password", password)
	}
	i.apply(external("1"))
	eventually(t, func() error {
		pod, err := i.pod()
		if err == nil && (len(pod.Status.ContainerStatuses) == 0 || pod.Status.ContainerStatuses[0].State.Waiting == nil ||
			pod.Status.ContainerStatuses[0].State.Waiting.Reason != "CreateContainerConfigError") {
			err = fmt.Errorf("the server's container is not waiting for the Secret")
		}
		return err
	})
	connection("of-their-own")
	pod := i.ready("")
	assert.Empty(t, pod.Spec.InitContainers)
	require.Equal(t, "+OK", i.ask("of-their-own", "SET answer 42"))
	t.Log("the pod waits for the Secret, and starts by itself")

	connection("another")
	i.apply(external("2"))
	i.ready(string(pod.UID))
	assert.Equal(t, "42", i.ask("another", "GET answer"))
	assert.Contains(t, i.ask("of-their-own", "PING"), "-WRONGPASS")
	t.Log("the Secret changes and the rotation is raised: the server has the new password")
}
