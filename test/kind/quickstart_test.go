//go:build kind

// Package kind runs the quickstart in a kind cluster, with the real Dragonfly. It needs Docker, kubectl and kpt, a
// network to pull images, and what `make kind-test` builds.
package kind

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bizmatters/dragonfly-generator/internal/testkit"
)

// The quickstart works word for word, up to Argo CD, and an instance's data survives a restart. With
// QUICKSTART_IMAGE=released, the pod runs the dragonfly-generator image from the registry instead of one built here.
func TestQuickstart(t *testing.T) {
	page := testkit.ReadPage(t, "docs/quickstart.md")
	q := &quickstart{root: testkit.Root(t), folder: t.TempDir()}
	q.environ = append(os.Environ(), "KUBECONFIG="+filepath.Join(t.TempDir(), "kubeconfig"),
		"PATH="+filepath.Join(goPath(t), "bin")+":"+filepath.Join(q.root, "bin")+":"+os.Getenv("PATH"))
	released := os.Getenv("QUICKSTART_IMAGE") == "released"

	cluster := page.Section(t, "The program and a cluster").Commands(t)
	require.Len(t, cluster, 2)
	clean := page.Section(t, "Clean up").Commands(t)
	require.Len(t, clean, 1)
	for _, block := range cluster {
		for line := range strings.Lines(block) {
			switch {
			case strings.HasPrefix(line, "git clone "): // this is the clone
			case released && (strings.HasPrefix(line, "make image ") || strings.HasPrefix(line, "kind load ")):
			default:
				q.run(t, q.root, line)
			}
			if strings.HasPrefix(line, "kind create ") { // not before, because the cluster could be somebody else's
				t.Cleanup(func() {
					if t.Failed() {
						q.evidence(t)
					}
					q.run(t, q.root, clean[0])
				})
			}
		}
	}

	testkit.FollowQuickstart(t, q.folder, func(script string) string { return q.run(t, q.folder, script) })
	first := q.pod(t)
	ping := page.Section(t, "With kustomize").Files()[3]
	require.Equal(t, "ping.yaml", ping.Name)
	assert.Equal(t, "OK\n", q.job(t, ping.Text, "write", "SET kept 'through a restart'"))
	q.run(t, q.folder, "kubectl delete pod my-cache-0 -n my-namespace")
	require.Eventually(t, func() bool {
		now := q.try(t, "kubectl get pod my-cache-0 -n my-namespace -o "+podState)
		uid, isReady := strings.CutSuffix(now, " True")
		return isReady && uid != first
	}, 10*time.Minute, time.Second)
	assert.Equal(t, "through a restart\n", q.job(t, ping.Text, "read", "GET kept"))
}

const podState = `jsonpath='{.metadata.uid} {.status.conditions[?(@.type=="Ready")].status}'`

type quickstart struct {
	root, folder string // the repository, and the folder in which the reader starts
	environ      []string
}

// goPath is the folder in whose bin `go install` puts programs.
func goPath(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("go", "env", "GOPATH").Output()
	require.NoError(t, err)
	return strings.TrimSpace(string(out))
}

// pod returns the UID of the pod, which must be ready.
func (q *quickstart) pod(t *testing.T) string {
	t.Helper()
	uid, isReady := strings.CutSuffix(q.run(t, q.folder, "kubectl get pod my-cache-0 -n my-namespace -o "+podState), " True")
	require.True(t, isReady)
	return uid
}

// job runs the page's Job with another Redis command, and returns its output.
func (q *quickstart) job(t *testing.T, ping, name, command string) string {
	t.Helper()
	manifest := strings.NewReplacer("  name: ping\n  namespace", "  name: "+name+"\n  namespace",
		`[sh, -c, 'redis-cli -h "$REDIS_HOST" -p "$REDIS_PORT" ping']`,
		`[sh, -c, "redis-cli -h $REDIS_HOST -p $REDIS_PORT `+command+`"]`).Replace(ping)
	require.Contains(t, manifest, command)
	testkit.File{Name: name + ".yaml", Text: manifest}.Write(t, q.folder)
	q.run(t, q.folder, "kubectl apply -f "+name+".yaml\nkubectl wait --for condition=complete job/"+name+" -n my-namespace --timeout 5m")
	return q.run(t, q.folder, "kubectl logs job/"+name+" -n my-namespace")
}

// run runs a script, which must succeed, and returns its output.
func (q *quickstart) run(t *testing.T, folder, script string) string {
	t.Helper()
	out, err := q.shell(t, folder, script)
	t.Logf("%s\n%s", script, out)
	require.NoError(t, err)
	return out
}

// try is run for scripts that may fail.
func (q *quickstart) try(t *testing.T, script string) string {
	t.Helper()
	out, _ := q.shell(t, q.folder, script)
	return out
}

func (q *quickstart) shell(t *testing.T, folder, script string) (string, error) {
	t.Helper()
	shell := exec.Command("bash", "-euo", "pipefail", "-c", script)
	shell.Dir, shell.Env = folder, q.environ
	out, err := shell.CombinedOutput()
	return string(out), err
}

// evidence logs what the cluster says about a failure, without any Secret.
func (q *quickstart) evidence(t *testing.T) {
	t.Helper()
	t.Log(q.try(t, "kubectl get events -n my-namespace --sort-by .lastTimestamp || true\n"+
		"kubectl describe pods -n my-namespace || true\n"+
		"kubectl logs my-cache-0 -n my-namespace --all-containers --tail 100 || true"))
}
