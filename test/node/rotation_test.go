//go:build node

package node

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"
)

// Thirty rotations on a busy node: five each of six instances at the same time, with every CPU spinning.
func TestRotationUnderLoad(t *testing.T) {
	const instances, rotations = 6, 5
	spin(t)
	var done atomic.Int32
	t.Run("instances", func(t *testing.T) {
		for n := range instances {
			t.Run(strconv.Itoa(n), func(t *testing.T) {
				t.Parallel()
				i := newInstance(t, fmt.Sprintf("rotation-%d", n))
				pod := i.start()
				require.Equal(t, "+OK", i.ask(i.password(), "SET answer 42"))
				for rotation := range rotations {
					old := i.password()
					i.apply(manifests(t, rotated(i.namespace, strconv.Itoa(rotation+2)), config))
					pod = i.ready(string(pod.UID))
					require.Zero(t, pod.Status.ContainerStatuses[0].RestartCount, "this must be how the server was started at first")
					require.NotEqual(t, old, i.password())
					require.Contains(t, i.ask(old, "PING"), "-WRONGPASS")
					require.Equal(t, "42", i.ask(i.password(), "GET answer"))
					done.Add(1)
				}
			})
		}
	})
	assert.EqualValues(t, instances*rotations, done.Load())
	t.Logf("%d rotations under load: the old password never worked afterwards, the new one always did", done.Load())
}

// spin keeps every CPU busy until the test ends.
func spin(t *testing.T) {
	var stop atomic.Bool
	for range runtime.NumCPU() {
		go func() {
			for !stop.Load() { //nolint:revive // that is the point
			}
		}()
	}
	t.Cleanup(func() { stop.Store(true) })
}

// The kubelet's connection to the API server stalls from before the new password is written until after the server has
// started, so the kubelet has an old copy of the Secret. A second server in the pod, the witness, gets the password
// from the Secret through a variable: it starts with the old one, which proves that the test would catch a server that
// does.
func TestRotationWhileTheKubeletIsHeldUp(t *testing.T) {
	const times, witnessPort = 3, "6380"
	i := newInstance(t, "kubelet-held-up")
	i.apply(withWitness(t, manifests(t, claim(i.namespace), config), witnessPort))
	i.ready("")
	for n := range times {
		old := i.password()
		before, err := i.pod()
		require.NoError(t, err)

		// The init container must wait, so that the kubelet can be stalled before the password is written.
		allow := drop(t, "--source "+podNetwork()+" --protocol tcp --dport 6443")
		i.apply(withWitness(t, manifests(t, rotated(i.namespace, strconv.Itoa(n+2)), config), witnessPort))
		var address string
		eventually(t, func() error {
			pod, err := i.pod()
			switch {
			case err != nil:
				return err
			case pod.UID == before.UID || len(pod.Status.InitContainerStatuses) == 0 || pod.Status.InitContainerStatuses[0].State.Running == nil:
				return fmt.Errorf("the init container is not running")
			}
			address = pod.Status.PodIP
			return nil
		})
		release := drop(t, "--in-interface lo --source 127.0.0.2 --protocol tcp --sport 6443")
		allow()
		eventually(t, func() error {
			if i.secret("my-cache-conn", "password") == old {
				return fmt.Errorf("no new password")
			}
			return nil
		})
		started := time.Now()
		eventually(t, func() error { return listens(address, witnessPort) })
		eventually(t, func() error { return listens(address, "6379") })

		assert.Equal(t, "+PONG", ask(t, address+":"+witnessPort, old, "PING"), "the kubelet is stalled, so the witness must have the old password")
		assert.Contains(t, ask(t, address+":6379", old, "PING"), "-WRONGPASS")
		assert.Equal(t, "+PONG", ask(t, address+":6379", i.password(), "PING"))
		t.Logf("the kubelet is stalled: the variable is old, the server's password is new, %s after it was written", time.Since(started).Round(time.Millisecond))

		release()
		i.ready(string(before.UID))
		assert.Equal(t, "+PONG", i.ask(i.password(), "PING"))
	}
}

// withWitness adds a second server, with the password in a variable, to the pod of the StatefulSet.
func withWitness(t *testing.T, manifests, port string) string {
	t.Helper()
	var documents []string
	found := false
	for _, document := range strings.Split(manifests, "\n---\n") {
		var object map[string]any
		require.NoError(t, yaml.Unmarshal([]byte(document), &object))
		if object["kind"] == "StatefulSet" {
			found = true
			pod := object["spec"].(map[string]any)["template"].(map[string]any)["spec"].(map[string]any)
			var witness map[string]any
			require.NoError(t, json.Unmarshal([]byte(`{
				"name": "witness", "image": "`+serverImage+`", "imagePullPolicy": "Never",
				"args": ["--port=`+port+`", "--dbfilename="],
				"env": [{"name": "DFLY_requirepass", "valueFrom": {"secretKeyRef": {"name": "my-cache-password", "key": "password"}}}],
				"securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}}
			}`), &witness))
			pod["containers"] = append(pod["containers"].([]any), witness)
		}
		text, err := yaml.Marshal(object)
		require.NoError(t, err)
		documents = append(documents, string(text))
	}
	require.True(t, found)
	return strings.Join(documents, "---\n")
}
