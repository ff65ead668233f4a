//go:build node

package node

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	microMaxMemory = 751619276 // 70% of 1Gi
	megabyte       = 1_000_000
)

// A full instance recovers. Its data has grown above 105% of maxmemory, which Dragonfly refuses to load. The next pod
// gets a larger maxmemory, until keys are removed. The same pod cannot get one, so it must be deleted.
func TestFullInstanceComesBack(t *testing.T) {
	t.Parallel()
	if realServer() != "" {
		t.Skip("the numbers only fit the stand-in, which counts the bytes of keys and values")
	}
	i := newInstance(t, "full")
	i.start()
	password := i.password()
	assert.Equal(t, int64(microMaxMemory), i.number(password, "maxmemory"))
	require.Equal(t, "+OK", i.ask(password, "SET answer 42", "DEBUG POPULATE 800 full 1000000"))
	require.Equal(t, "-ERR Out of memory", i.ask(password, "SET more 1"))

	// The container restarts with its pod's flag file.
	i.ask(password, "SHUTDOWN")
	eventually(t, func() error {
		pod, err := i.pod()
		if err == nil {
			if status := pod.Status.ContainerStatuses[0]; status.RestartCount == 0 || status.LastTerminationState.Terminated == nil || status.LastTerminationState.Terminated.ExitCode != 1 {
				err = fmt.Errorf("the server's container has not refused the snapshot")
			}
		}
		return err
	})
	log := i.kubectl("logs", "my-cache-0", "-c", "dragonfly", "--previous")
	assert.Regexp(t, `Could not load snapshot - its used memory is 80\d{7} but the limit is 751619276`, log)
	t.Log("a container that restarts over a grown snapshot exits, until its pod is deleted")

	i.restart()
	t.Log("the next pod: " + strings.TrimSpace(i.logs("maxmemory is")))
	raised := i.number(password, "maxmemory")
	assert.Greater(t, raised, int64(microMaxMemory))
	assert.GreaterOrEqual(t, raised*105/100, int64(800*megabyte), "the snapshot fits")
	assert.Equal(t, "42", i.ask(password, "GET answer"))
	assert.Equal(t, ":801", i.ask(password, "DBSIZE"))
	assert.Equal(t, "-ERR Out of memory", i.ask(password, "SET more 1"))
	assert.Equal(t, ":100", i.ask(password, "DEL"+numbered(" full:", 100)))
	assert.Equal(t, "+OK", i.ask(password, "SET more 1"))
	t.Log("it loads everything, and accepts writes as soon as keys are gone")

	i.restart()
	assert.NotContains(t, i.logs("already have the password"), "maxmemory")
	assert.Equal(t, int64(microMaxMemory), i.number(password, "maxmemory"))
	assert.Equal(t, ":702", i.ask(password, "DBSIZE"))
	t.Log("and the next pod has the configured maxmemory again")

	// Above 85% of the limit there is no room for loading.
	require.Equal(t, "+OK", i.ask(password, "DEBUG POPULATE 250 fuller 1000000"))
	i.kubectl("delete", "pod", "my-cache-0")
	log = i.logs("choose a size with a memory limit of at least")
	assert.Contains(t, log, "and delete the pod my-cache-0")
	t.Log("the next pod stops: " + strings.TrimSpace(log))
	i.apply(manifests(t, strings.Replace(claim(i.namespace), "micro", "small", 1), config))
	i.kubectl("delete", "pod", "my-cache-0")
	i.ready("")
	assert.Equal(t, "42", i.ask(password, "GET answer"))
	assert.Equal(t, ":952", i.ask(password, "DBSIZE"))
	assert.Equal(t, "+OK", i.ask(password, "SET more 1"))
	t.Log("with the next size, and its pod deleted, everything is there")
}

// number returns a setting of the server that is a number.
func (i instance) number(password, name string) (value int64) {
	i.t.Helper()
	_, err := fmt.Sscanf(i.ask(password, "CONFIG GET "+name), name+" %d", &value)
	require.NoError(i.t, err)
	return value
}

// numbered returns a text n times, with a number each time.
func numbered(text string, n int) string {
	var all strings.Builder
	for i := range n {
		fmt.Fprint(&all, text, i)
	}
	return all.String()
}

// A pod is Ready within seconds after loading its snapshot, because the probe runs every two seconds. Loading takes
// long enough for the first probe to fail, as the events show.
func TestReadyWithinSeconds(t *testing.T) {
	i := newInstance(t, "ready-soon")
	i.start()
	const keys = 500_000
	require.Equal(t, "+OK", i.ask(i.password(), fmt.Sprintf("DEBUG POPULATE %d key 10", keys)))
	for range 2 {
		pod := i.restart()
		started := pod.Status.ContainerStatuses[0].State.Running.StartedAt.Time
		for _, condition := range pod.Status.Conditions {
			if condition.Type == "Ready" {
				took := condition.LastTransitionTime.Sub(started)
				assert.LessOrEqual(t, took, 7*time.Second)
				t.Logf("Ready %s after the server's container started, to the second", took)
			}
		}
	}
	assert.Equal(t, fmt.Sprintf(":%d", keys), i.ask(i.password(), "DBSIZE"))
	assert.Contains(t, i.kubectl("get", "events"), "Readiness probe failed")
}
