//go:build conformance && linux

package conformance

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// applier is a way by which manifests come into a cluster.
type applier struct {
	apply []string // the command that applies the manifests on its stdin
	diff  []string // the command that prints something where applying them would change something
}

// appliers are the ways that people take. What Flux does is server-side apply that takes over conflicts; Argo CD has
// a module of its own for it, which tools/argocd-diff calls.
var appliers = map[string]applier{
	"client-side apply":        {apply: kubectlCommand("apply"), diff: kubectlCommand("diff")},
	serverSide:                 {apply: kubectlCommand("apply", "--server-side"), diff: kubectlCommand("diff", "--server-side")},
	"as Flux does":             {apply: kubectlCommand("apply", flux...), diff: kubectlCommand("diff", flux...)},
	"Argo CD":                  {apply: argoCD("sync"), diff: argoCD("diff")},
	"Argo CD, ServerSideDiff":  {apply: argoCD("sync"), diff: argoCD("diff", "-server-side")},
	"Argo CD, ServerSideApply": {apply: argoCD("sync", "-server-side"), diff: argoCD("diff", "-structured")},
	"Argo CD, ServerSideApply, ServerSideDiff": {apply: argoCD("sync", "-server-side"), diff: argoCD("diff", "-server-side")},
}

const serverSide = "server-side apply"

var flux = []string{"--server-side", "--force-conflicts", "--field-manager=kustomize-controller"}

func kubectlCommand(verb string, args ...string) []string {
	return append(append([]string{"kubectl", verb}, args...), "-f", "-")
}

func argoCD(verb string, args ...string) []string {
	return append([]string{"argocd-diff", verb}, args...)
}

// run runs a command with the manifests on its stdin and returns its stdout. It has to succeed, or exit with 1 for a
// difference.
func (a applier) run(t *testing.T, command []string, manifests string) string {
	t.Helper()
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig)
	cmd.Stdin = strings.NewReader(manifests)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if isDiff := command[0] == "kubectl" && command[1] == "diff" && cmd.ProcessState.ExitCode() == 1; !isDiff {
		require.NoError(t, err, "%s: %s", command, stderr.String())
	}
	return string(out)
}

// unchanged applies the manifests again, and checks that there is nothing to change before and after, and that the
// Secrets stay as they are.
func (a applier) unchanged(t *testing.T, k *keptInstance, manifests string) {
	t.Helper()
	password, connection := k.data(t, k.name+"-password"), k.data(t, k.name+"-conn")
	for range 2 {
		assert.Empty(t, a.run(t, a.diff, manifests), "nothing differs from what was applied")
		a.run(t, a.apply, manifests)
		assert.True(t, equal(password, k.data(t, k.name+"-password")) && equal(connection, k.data(t, k.name+"-conn")), "the Secrets stay as they are")
	}
}

// equal compares without showing a value.
func equal(a, b map[string]string) bool { return fmt.Sprint(a) == fmt.Sprint(b) }

// withExtraKeys is a configuration with keys of the connection Secret that hold the password, and one that does not.
const withExtraKeys = `
apiVersion: database.bizmatters.io/v1alpha1
kind: DragonflyGenerator
metadata:
  name: platform
spec:
  connectionSecret:
    extraKeys:
      uri: "redis://:{passwordEncoded}@{endpoint}:{port}/0"
      DRAGONFLY_PASSWORD: "{password}"
      DRAGONFLY_HOST: "{endpoint}"
`

const rotation = "  annotations: {database.bizmatters.io/password-rotation: \"%s\"}\n"

// Whoever applies: what is applied, filled by the pod, and applied again, differs in nothing and keeps its password.
func TestNoDriftNoLoss(t *testing.T) {
	for name, a := range appliers {
		t.Run(name, func(t *testing.T) {
			ns := "applied-" + strings.Trim(regexp.MustCompile(`[^a-z]+`).ReplaceAllString(strings.ToLower(name), "-"), "-")
			namespace(t, ns)
			manifests, _ := render(t, withExtraKeys, claim(ns, "my-cache", "small"))
			a.run(t, a.apply, manifests)
			k := podOf(t, ns, "my-cache")
			_, first := k.restart(t)
			require.Contains(t, k.data(t, "my-cache-conn")["uri"], first)
			a.unchanged(t, k, manifests)

			rotated, _ := render(t, withExtraKeys, claim(ns, "my-cache", "small", fmt.Sprintf(rotation, "2")))
			assert.NotEmpty(t, a.run(t, a.diff, rotated), "a change must show, else nothing was compared")
			a.run(t, a.apply, rotated)
			assert.Equal(t, first, k.data(t, "my-cache-password")["password"], "the password changes when the pod restarts")
			a.unchanged(t, k, rotated)
			_, second := k.restart(t)
			assert.NotEqual(t, first, second)
			assert.Contains(t, k.data(t, "my-cache-conn")["uri"], second)
			assert.Equal(t, second, k.data(t, "my-cache-conn")["DRAGONFLY_PASSWORD"])
			a.unchanged(t, k, rotated)
			assert.Equal(t, "2", k.annotation(t, "my-cache-password"))
			assert.Equal(t, "2", k.annotation(t, "my-cache-conn"))

			// The claim no longer asks for the rotation.
			a.run(t, a.apply, manifests)
			a.unchanged(t, k, manifests)
			log, now := k.restart(t)
			assert.Equal(t, second, now)
			assert.Contains(t, log, "have the password already")

			if name == serverSide { // it leaves what somebody else has changed, and says so
				return
			}
			// What somebody has changed of the manifests' own is put back, and the password stays.
			k.patch(t, "my-cache-conn", `{"stringData":{"port":"1"}}`)
			assert.NotEmpty(t, a.run(t, a.diff, manifests))
			a.run(t, a.apply, manifests)
			assert.Equal(t, "6379", k.data(t, "my-cache-conn")["port"])
			a.unchanged(t, k, manifests)
		})
	}
}
