//go:build conformance && linux

package conformance

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// takeVolume makes the volume a copy of another pod's, as a restore or a storage snapshot does.
func (p *pod) takeVolume(t *testing.T, from *pod) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(from.root, "data"))
	require.NoError(t, err)
	require.NotEmpty(t, entries, "the record")
	for _, entry := range entries {
		text, err := os.ReadFile(filepath.Join(from.root, "data", entry.Name()))
		require.NoError(t, err)
		file := filepath.Join(p.root, "data", entry.Name())
		require.NoError(t, os.WriteFile(file, text, 0o666))
		require.NoError(t, os.Chown(file, 1000, 1000))
	}
}

// A backup tool has copied a namespace: Secrets, permissions and volume. The pod corrects the copy's endpoint once; if
// something brings the original's back, that is a mistake, and the pod stops.
func TestPrepareCopiedNamespace(t *testing.T) {
	t.Parallel()
	original := newPodOf(t, claim("copy-from", "my-cache", "small"), withExtraKeys)
	_, password := original.start(t)

	// The tool changes metadata and, in a RoleBinding, the subject. It does not know the contents of a Secret.
	copied := ""
	for document := range strings.SplitSeq(original.manifests, "---\n") {
		if !strings.Contains(document, "kind: Secret\n") {
			copied += document + "---\n"
		}
	}
	for _, secret := range []string{"my-cache-password", "my-cache-conn"} {
		copied += must(t, "", "get", "secret", secret, "-n", "copy-from", "-o", "go-template=apiVersion: v1\nkind: Secret\nmetadata: {name: {{.metadata.name}}, namespace: copy-from}\ndata:{{range $key, $value := .data}}\n  {{$key}}: {{$value}}{{end}}\n") + "---\n"
	}
	p := *original
	p.namespace = "copy-to"
	namespace(t, p.namespace)
	must(t, strings.ReplaceAll(copied, "copy-from", "copy-to"), "create", "-f", "-")
	p.makeRoot(t)
	p.authority(t, p.server, nil)
	p.takeVolume(t, original)
	p.mount(t)
	require.Equal(t, "my-cache.copy-from.svc.cluster.local", p.data(t, "my-cache-conn")["endpoint"])

	log, now := p.start(t)
	assert.Equal(t, password, now)
	assert.Contains(t, log, "the volume /data belonged to copy-from/my-cache")
	assert.Contains(t, log, `corrected the endpoint from "my-cache.copy-from.svc.cluster.local" to "my-cache.copy-to.svc.cluster.local"`)
	corrected := map[string]string{
		"endpoint": "my-cache.copy-to.svc.cluster.local", "port": "6379", "password": password, "DRAGONFLY_PASSWORD": password,
		"DRAGONFLY_HOST": "my-cache.copy-to.svc.cluster.local", "uri": "redis://:" + password + "@my-cache.copy-to.svc.cluster.local:6379/0",
	}
	assert.Equal(t, corrected, p.data(t, "my-cache-conn"))
	assert.Equal(t, "my-cache.copy-from.svc.cluster.local", original.data(t, "my-cache-conn")["endpoint"], "the original must be left alone")
	p.mount(t)
	log, _ = p.start(t)
	assert.Equal(t, "both Secrets of copy-to/my-cache already have the password\n", log)

	p.patch(t, "my-cache-conn", `{"stringData":{"endpoint":"my-cache.copy-from.svc.cluster.local"}}`)
	p.mount(t)
	log = p.fail(t)
	assert.Contains(t, log, `error: Secret copy-to/my-cache-conn has the endpoint "my-cache.copy-from.svc.cluster.local" again`)

	manifests, _ := render(t, claim(p.namespace, "my-cache", "small"), withExtraKeys)
	apply(t, manifests, "--force-conflicts")
	_, now = p.restart(t)
	assert.Equal(t, password, now)
	assert.Equal(t, corrected, p.data(t, "my-cache-conn"))
}

// A new instance on a volume that was another's gets a first password. An instance on its own volume does not: its
// password was lost.
func TestPrepareVolumeOfAnother(t *testing.T) {
	t.Parallel()
	original := newPod(t, "volume-from", "my-cache", rotated("2"))
	_, password := original.start(t)
	p := newPod(t, "volume-to", "my-cache", rotated("2"))
	p.takeVolume(t, original)
	p.mount(t)
	log, made := p.start(t)
	assert.Regexp(t, uuid4, made)
	assert.NotEqual(t, password, made)
	assert.Contains(t, log, "the volume /data belonged to volume-from/my-cache: volume-to/my-cache keeps the data but ignores the password record\n")
	assert.Contains(t, log, "created the first password")

	must(t, "", "delete", "secret", "my-cache-password", "my-cache-conn", "-n", p.namespace)
	p.apply(t)
	p.mount(t)
	assert.Contains(t, p.fail(t), "error: the password of volume-to/my-cache is lost", "from now on the volume is its own")
}
