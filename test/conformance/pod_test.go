//go:build conformance && linux

package conformance

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bizmatters/dragonfly-generator/internal/instance"
	"github.com/bizmatters/dragonfly-generator/internal/prepare/handover"
)

// podOf returns the pod of an instance that was applied, as far as its init container goes. No kubelet runs it, so
// the tests do, with restart. Its volume is there from one restart to the next.
func podOf(t *testing.T, namespace, name string) *keptInstance {
	t.Helper()
	k := &keptInstance{namespace: namespace, name: name, pod: name + "-0", server: apiServer(t)}
	k.makeRoot(t)
	k.authority(t, k.server, nil)
	return k
}

// hasLived puts a snapshot on the volume, which a server has written before there was an init container.
func (k *keptInstance) hasLived(t *testing.T) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(k.root, "data", "dump-summary.dfs"), nil, 0o666))
}

// prepare takes over what the live StatefulSet asks of the init container, and mounts a fresh token and the Secrets as
// they are.
func (k *keptInstance) prepare(t *testing.T) {
	t.Helper()
	text := get(t, k.namespace, "statefulset/"+k.name, `.spec.template.spec.initContainers[?(@.name=="`+instance.PrepareContainer+`")].args`)
	var args []string
	require.NoError(t, json.Unmarshal([]byte(text), &args), "the live StatefulSet must have the init container: %s", text)
	for i := range args {
		args[i] = strings.ReplaceAll(args[i], "$$", "$") // as the kubelet does
	}
	var err error
	k.request, err = handover.Parse(args)
	require.NoError(t, err)
	k.token(t, k.freshToken(t))
	k.mount(t)
}

// restart runs the init container as the live StatefulSet has it. It has to succeed.
func (k *keptInstance) restart(t *testing.T) (log, password string) {
	t.Helper()
	k.prepare(t)
	return k.start(t)
}
