//go:build node

package node

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bizmatters/dragonfly-generator/internal/testkit"
)

// takeVolume makes the volume a copy of another instance's, as a restore or a storage snapshot does. Neither may have a
// pod.
func (i instance) takeVolume(from instance) {
	i.t.Helper()
	inside(i.t, "cp", "-a", from.folder()+"/.", i.folder())
}

// stop ends an instance's pod, which writes a snapshot.
func (i instance) stop() {
	i.t.Helper()
	i.kubectl("scale", "statefulset", "my-cache", "--replicas=0")
	i.kubectl("wait", "--for=delete", "pod/my-cache-0", "--timeout=2m")
}

func TestVolumeOfAnotherInstance(t *testing.T) {
	t.Parallel()
	original := newInstance(t, "volume-original")
	original.start()
	password := original.password()
	require.Equal(t, "+OK", original.ask(password, "SET answer 42"))
	original.stop()

	i := newInstance(t, "volume-copy")
	i.takeVolume(original)
	i.start()
	log := i.logs("created the first password")
	assert.Contains(t, log, "the volume /data belonged to volume-original/my-cache: volume-copy/my-cache keeps the data but ignores the password record")
	assert.NotEqual(t, password, i.password())
	assert.Equal(t, "42", i.ask(i.password(), "GET answer"))
	assert.Contains(t, i.ask(password, "PING"), "-WRONGPASS")
	t.Log("a new instance on a copy of another's volume has the data, and a first password of its own")
}

// A backup tool copies a namespace: its objects, including the contents of Secrets, and the volume. It changes only
// metadata.
func TestCopiedNamespace(t *testing.T) {
	t.Parallel()
	const keys = "  connectionSecret:\n    extraKeys: {uri: \"redis://:{passwordEncoded}@{endpoint}:{port}/0\"}\n"
	original := newInstance(t, "namespace-original")
	rendered := manifests(t, claim(original.namespace), config+keys)
	original.apply(rendered)
	original.ready("")
	password := original.password()
	require.Equal(t, "+OK", original.ask(password, "SET answer 42"))
	original.stop()

	i := newInstance(t, "namespace-copy")
	i.takeVolume(original)
	original.kubectl("scale", "statefulset", "my-cache", "--replicas=1")
	copied := ""
	for document := range strings.SplitSeq(rendered, "\n---\n") {
		if !strings.Contains(document, "kind: Secret\n") {
			copied += document + "\n---\n"
		}
	}
	secrets := func() {
		for _, name := range []string{"my-cache-password", "my-cache-conn"} {
			var object map[string]any
			require.NoError(t, json.Unmarshal([]byte(original.kubectl("get", "secret", name, "-o", "json")), &object))
			object["metadata"] = map[string]any{"name": name, "namespace": i.namespace}
			text, err := json.Marshal(object)
			require.NoError(t, err)
			_, err = testkit.Kubectl(string(text), "apply", "--server-side", "--force-conflicts", "--field-manager=velero", "-f", "-")
			require.NoError(t, err)
		}
	}
	secrets()
	i.apply(strings.ReplaceAll(copied, original.namespace, i.namespace))
	i.ready("")
	i.logs(`corrected the endpoint from "my-cache.namespace-original.svc.cluster.local" to "my-cache.namespace-copy.svc.cluster.local"`)
	assert.Equal(t, password, i.password())
	assert.Equal(t, "redis://:"+password+"@my-cache.namespace-copy.svc.cluster.local:6379/0", i.secret("my-cache-conn", "uri"))
	assert.Equal(t, "42", i.ask(password, "GET answer"))
	require.Equal(t, "+OK", i.ask(password, "SET answer 43"))
	original.ready("")
	assert.Equal(t, "42", original.ask(password, "GET answer"), "applications of the copy do not write into the original")
	assert.Equal(t, "43", i.ask(password, "GET answer"))
	t.Log("the copy's endpoint is its own, and so is what is written there")

	secrets()
	i.kubectl("delete", "pod", "my-cache-0")
	i.logs(`has the endpoint "my-cache.namespace-original.svc.cluster.local" again`)
	t.Log("if something brings the original's endpoint back, the next pod stops")

	_, err := testkit.Kubectl(manifests(t, claim(i.namespace), config+keys), "apply", "--server-side", "--force-conflicts", "-f", "-")
	require.NoError(t, err)
	i.ready("")
	assert.Equal(t, "43", i.ask(password, "GET answer"))
	t.Log("the copy's own manifests are applied: the pod starts by itself")
}
