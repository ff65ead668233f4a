//go:build node

package node

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"github.com/bizmatters/dragonfly-generator/internal/testkit"
)

func TestFirstStart(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "first-start")
	pod := i.start()
	password := i.password()
	assert.Equal(t, "PONG", strings.TrimPrefix(i.ask(password, "PING"), "+"))
	assert.Contains(t, i.ask("wrong", "PING"), "-WRONGPASS")
	t.Log("the pod is Ready; what the connection Secret says connects, another password does not")

	assert.Regexp(t, `^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`, password)
	i.apply(manifests(t, claim(i.namespace), config))
	assert.Equal(t, password, i.password())
	again, err := i.pod()
	require.NoError(t, err)
	assert.Equal(t, pod.UID, again.UID)
	t.Log("the manifests are applied once more: same password, same pod")
}

func TestPodSecurityIsEnforced(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "restricted")
	i.start()
	t.Log("Ready in a namespace that enforces Pod Security restricted")
	_, err := testkit.Kubectl("", "-n", i.namespace, "run", "root", "--image="+serverImage)
	require.ErrorContains(t, err, `violates PodSecurity "restricted`)
	t.Log("and it refuses a pod that is not restricted")
}

// The server container's view is read from its process, through the node's /proc.
func TestServerHasNoToken(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "no-token")
	pod := i.start()
	process := serverProcess(t, pod)

	mounts := inside(t, "cat", process+"/mountinfo")
	var places []string
	for line := range strings.Lines(mounts) {
		places = append(places, strings.Fields(line)[4]) // proc_pid_mountinfo(5): the mount point
	}
	assert.Contains(t, places, "/run/dragonfly/flags")
	for _, place := range places {
		assert.NotContains(t, place, "secret", "neither a token nor a Secret")
	}
	inside(t, "test", "!", "-e", process+"/root/var/run/secrets")
	t.Log("the server's container has no token, and no Secret mounted")

	assert.Regexp(t, ` /run/dragonfly/flags ro[ ,].* tmpfs `, mounts)
	inside(t, "test", "-s", process+"/root/run/dragonfly/flags/flagfile")
	t.Log("the folder with its flag file is in memory, and mounted read-only")

	for _, file := range []string{"/environ", "/cmdline"} {
		text := inside(t, "cat", process+file)
		require.NotEmpty(t, text)
		assertWithout(t, text, i.password())
	}
	t.Log("the password is not among its variables and arguments")
}

// serverProcess returns the folder in /proc, on the node, of the server's process.
func serverProcess(t *testing.T, pod corev1.Pod) string {
	t.Helper()
	id := strings.TrimPrefix(pod.Status.ContainerStatuses[0].ContainerID, "containerd://")
	for _, line := range strings.Split(inside(t, "ctr", "--namespace", "k8s.io", "tasks", "list"), "\n") {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == id {
			return "/proc/" + fields[1]
		}
	}
	t.Fatalf("containerd has no task of container %s", id)
	return ""
}

func TestPasswordIsNowhereToRead(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "nowhere")
	pod := i.start()
	before := i.password()
	i.apply(manifests(t, rotated(i.namespace, "2"), config))
	eventually(t, func() error {
		if i.secret("my-cache-conn", "password") == before {
			return fmt.Errorf("no new password")
		}
		return nil
	})
	i.ready(string(pod.UID))

	for _, place := range []struct {
		args  []string
		holds string // proof that the right place was searched
	}{
		{[]string{"describe", "pod", "my-cache-0"}, "prepare"},
		{[]string{"get", "pod", "my-cache-0", "-o", "yaml"}, "prepare"},
		{[]string{"get", "statefulset,controllerrevision", "-o", "yaml"}, "prepare"},
		{[]string{"get", "events", "-o", "yaml"}, "Started"},
		{[]string{"logs", "my-cache-0", "-c", "prepare"}, "my-cache-password"},
		{[]string{"logs", "my-cache-0", "-c", "dragonfly"}, "Load finished"},
	} {
		text := i.kubectl(place.args...)
		assert.Contains(t, text, place.holds)
		assertWithout(t, text, before)
		assertWithout(t, text, i.password())
	}
	for _, log := range []string{"kubelet", "kube-controller-manager", "containerd"} {
		text := inside(t, "cat", "/var/log/"+log+".log")
		require.NotEmpty(t, text)
		assertWithout(t, text, before)
		assertWithout(t, text, i.password())
	}
	t.Log("no password in the pod's description and manifest, in events, in the logs of its containers and of the node")
}

// assertWithout fails if the text contains the password, plain or encoded. It prints neither.
func assertWithout(t *testing.T, text, password string) {
	t.Helper()
	for _, form := range []string{password, base64.StdEncoding.EncodeToString([]byte(password)), url.QueryEscape(password)} {
		if strings.Contains(text, form) {
			t.Error("a text contains the password that must not")
		}
	}
}

func TestSecondStartMakesNoRequest(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "second-start")
	i.start()
	password := i.password()
	i.kubectl("delete", "role", "my-cache")
	i.restart()
	assert.Equal(t, "+PONG", i.ask(password, "PING"))
	assert.Contains(t, i.logs("already"), "both Secrets of "+i.namespace+"/my-cache already have the password")
	t.Log("the Role is gone, and the pod starts again: it needs no request")
}

func TestPodDeleted(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "pod-deleted")
	i.start()
	password := i.password()
	require.Equal(t, "+OK", i.ask(password, "SET answer 42"))
	i.restart()
	assert.Equal(t, "42", i.ask(password, "GET answer"))
	assert.Equal(t, password, i.password())
	t.Log("the pod is deleted: the next one has its data and its password")
}

// This cluster's network does not support NetworkPolicy, so the node's firewall denies what an egress policy would.
func TestEgressDeniedAfterFirstStart(t *testing.T) {
	i := newInstance(t, "egress-denied")
	i.start()
	password := i.password()
	allow := drop(t, "--source "+podNetwork()+" --protocol tcp --dport 6443")
	i.restart()
	assert.Equal(t, "+PONG", i.ask(password, "PING"))
	t.Log("pods do not reach the API server any more, and the pod starts again")

	other := newInstance(t, "egress-denied-from-the-start")
	other.apply(manifests(t, claim(other.namespace), config))
	t.Log("a first start waits: " + strings.TrimSpace(other.logs("no response from the API server")))
	allow()
	other.ready("")
	assert.Equal(t, "+PONG", other.ask(other.password(), "PING"))
	t.Log("pods reach the API server again, and the waiting pod becomes Ready by itself")
}

// The whole node goes down without a clean shutdown, as in a power failure: API server, kubelet, containerd and pods.
func TestNodeRebooted(t *testing.T) {
	i := newInstance(t, "node-rebooted")
	before := i.start()
	password := i.password()
	require.Equal(t, "+OK", i.ask(password, "SET answer 42", "SAVE"))
	reboot(t)
	eventually(t, func() error {
		pod, err := i.pod()
		if err == nil && pod.Status.ContainerStatuses[0].ContainerID == before.Status.ContainerStatuses[0].ContainerID {
			err = fmt.Errorf("the server's container is still the old one")
		}
		return err
	})
	after := i.ready("")
	assert.Equal(t, before.UID, after.UID)
	assert.Equal(t, "42", i.ask(password, "GET answer"))
	assert.Equal(t, password, i.password())
	t.Log("the node starts again, and so does the same pod, with its data and its password")
}
