//go:build conformance && linux

package conformance

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
)

// applier is a way to get manifests into a cluster.
type applier struct {
	apply []string // the command that applies the manifests on its stdin
	diff  []string // the command that prints something if applying them would change anything
	// tool is the program and its flags, if one process can run several commands and prune.
	tool []string
}

// appliers are the ways that people use. Argo CD and Flux have their own modules for it, which tools/argocd-diff and
// tools/flux-apply call.
var appliers = map[string]applier{
	"client-side apply":        {apply: kubectlCommand("apply"), diff: kubectlCommand("diff")},
	serverSide:                 {apply: kubectlCommand("apply", "--server-side"), diff: kubectlCommand("diff", "--server-side")},
	flux:                       tool("flux-apply"),
	argoCD:                     tool("argocd-diff"),
	"Argo CD, ServerSideDiff":  tool("argocd-diff", "-server-side-diff"),
	"Argo CD, ServerSideApply": tool("argocd-diff", "-server-side-apply"),
	"Argo CD, ServerSideApply, ServerSideDiff": tool("argocd-diff", "-server-side-apply", "-server-side-diff"),
}

const (
	serverSide = "server-side apply"
	flux       = "Flux"
	argoCD     = "Argo CD"
)

func kubectlCommand(verb string, args ...string) []string {
	return append(append([]string{"kubectl", verb}, args...), "-f", "-")
}

func tool(command ...string) applier {
	a := applier{tool: command}
	a.apply, a.diff = a.with("sync"), a.with("diff")
	return a
}

// with returns the tool's command with more arguments.
func (a applier) with(args ...string) []string { return append(slices.Clone(a.tool), args...) }

// replace applies the manifests instead of the previous ones. Appliers that prune (kubectl does not) delete the objects
// that are gone.
func (a applier) replace(t *testing.T, before, manifests string) {
	t.Helper()
	if a.tool == nil {
		a.run(t, a.apply, manifests)
		return
	}
	file := filepath.Join(t.TempDir(), "before.yaml")
	require.NoError(t, os.WriteFile(file, []byte(before), 0o600))
	a.run(t, a.with("-previous", file, "sync"), manifests)
}

// run runs a command with the manifests on its stdin and returns its stdout. It must succeed, or exit with 1 for a
// difference.
func (a applier) run(t *testing.T, command []string, manifests string) string {
	t.Helper()
	cmd := exec.Command(command[0], command[1:]...)
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
func (a applier) unchanged(t *testing.T, p *pod, manifests string) {
	t.Helper()
	password, connection := p.data(t, p.instance+"-password"), p.data(t, p.instance+"-conn")
	if a.tool != nil {
		assert.Empty(t, a.run(t, a.with("diff", "sync", "diff", "sync"), manifests), "nothing must differ from what was applied")
	} else {
		for range 2 {
			assert.Empty(t, a.run(t, a.diff, manifests), "nothing must differ from what was applied")
			a.run(t, a.apply, manifests)
		}
	}
	assert.True(t, equal(password, p.data(t, p.instance+"-password")) && equal(connection, p.data(t, p.instance+"-conn")), "the Secrets must stay as they are")
}

// equal compares without showing a value.
func equal(a, b map[string]string) bool { return fmt.Sprint(a) == fmt.Sprint(b) }

// withExtraKeys is a configuration with keys in the connection Secret that contain the password, and one that does not.
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

// annotated returns the lines of a claim's metadata with annotations in its group, given as pairs of name and value.
func annotated(pairs ...string) string {
	lines := "  annotations:\n"
	for i := 0; i < len(pairs); i += 2 {
		lines += fmt.Sprintf("    database.bizmatters.io/%s: %q\n", pairs[i], pairs[i+1])
	}
	return lines
}

func rotated(rotation string) string { return annotated("password-rotation", rotation) }

// Whoever applies: manifests that are applied, filled in by the pod, and applied again show no difference and keep the
// password.
func TestNoDriftNoLoss(t *testing.T) {
	t.Parallel()
	for name, a := range appliers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ns := "applied-" + strings.Trim(regexp.MustCompile(`[^a-z]+`).ReplaceAllString(strings.ToLower(name), "-"), "-")
			namespace(t, ns)
			manifests, _ := render(t, withExtraKeys, claim(ns, "my-cache", "small"))
			a.run(t, a.apply, manifests)
			p := podOf(t, ns, "my-cache")
			_, first := p.restart(t)
			require.Contains(t, p.data(t, "my-cache-conn")["uri"], first)
			a.unchanged(t, p, manifests)

			raised, _ := render(t, withExtraKeys, claim(ns, "my-cache", "small", rotated("2")))
			assert.NotEmpty(t, a.run(t, a.diff, raised), "a change must show, or nothing was compared")
			a.run(t, a.apply, raised)
			assert.Equal(t, first, p.data(t, "my-cache-password")["password"], "the password must change when the pod restarts")
			a.unchanged(t, p, raised)
			_, second := p.restart(t)
			assert.NotEqual(t, first, second)
			assert.Contains(t, p.data(t, "my-cache-conn")["uri"], second)
			assert.Equal(t, second, p.data(t, "my-cache-conn")["DRAGONFLY_PASSWORD"])
			a.unchanged(t, p, raised)
			assert.Equal(t, "2", p.recorded(t, "my-cache-password"))
			assert.Equal(t, "2", p.recorded(t, "my-cache-conn"))

			// The claim no longer asks for the rotation.
			a.run(t, a.apply, manifests)
			a.unchanged(t, p, manifests)
			log, now := p.restart(t)
			assert.Equal(t, second, now)
			assert.Contains(t, log, "already have the password")

			if name == serverSide { // it leaves what somebody else changed, and says so
				return
			}
			// Fields of the manifests that somebody changed are restored, and the password stays.
			p.patch(t, "my-cache-conn", `{"stringData":{"port":"1"}}`)
			assert.NotEmpty(t, a.run(t, a.diff, manifests))
			a.run(t, a.apply, manifests)
			assert.Equal(t, "6379", p.data(t, "my-cache-conn")["port"])
			a.unchanged(t, p, manifests)
		})
	}
}

// instanceAppliedBy applies an instance, and lets its pod make the password.
func instanceAppliedBy(t *testing.T, a applier, documents ...string) (p *pod, manifests, password string) {
	t.Helper()
	manifests, _ = render(t, documents...)
	p = &pod{}
	p.render(t, documents...)
	namespace(t, p.namespace)
	a.run(t, a.apply, manifests)
	p = podOf(t, p.namespace, p.instance)
	_, password = p.restart(t)
	return p, manifests, password
}

// Teams change their tools. Whichever applier follows whichever, the password stays.
func TestAppliersTakeTurns(t *testing.T) {
	t.Parallel()
	p, manifests, _ := instanceAppliedBy(t, appliers["client-side apply"], claim("in-turn", "my-cache", "small", rotated("2")), withExtraKeys)
	password, connection := p.data(t, "my-cache-password"), p.data(t, "my-cache-conn")
	for _, name := range []string{argoCD, flux, "Argo CD, ServerSideApply", "client-side apply", flux, argoCD, serverSide} {
		a := appliers[name]
		if name == serverSide {
			a.apply = append(slices.Clone(a.apply), "--force-conflicts")
		}
		a.run(t, a.apply, manifests)
		require.True(t, equal(password, p.data(t, "my-cache-password")) && equal(connection, p.data(t, "my-cache-conn")), "the Secrets must stay as they are: %s", name)
	}
	log, _ := p.restart(t)
	assert.Contains(t, log, "already have the password")
}

// Replacing a whole object removes the password, as the docs say. The pod then stops, and does not silently make
// another one. Our Secrets never ask for that: the options that do are kept off them. TestHelmPage covers Helm.
func TestReplacingLosesThePassword(t *testing.T) {
	t.Parallel()
	for name, replace := range map[string][]string{
		"kubectl replace":  kubectlCommand("replace"),
		"Argo CD, Replace": tool("argocd-diff", "-replace").apply,
	} {
		t.Run(name, func(t *testing.T) {
			a := appliers["client-side apply"]
			ns := "replaced-" + strings.ToLower(strings.NewReplacer(" ", "-", ",", "").Replace(name))
			p, manifests, password := instanceAppliedBy(t, a, claim(ns, "my-cache", "small"))
			a.run(t, a.apply, manifests)
			require.Equal(t, password, p.data(t, "my-cache-password")["password"], "applying without replacing must leave it")

			a.run(t, replace, manifests)
			assert.Empty(t, p.data(t, "my-cache-password"))
			assert.NotContains(t, p.data(t, "my-cache-conn"), "password")
			p.next(t)
			assert.Contains(t, p.fail(t), "error: the password of "+ns+"/my-cache is lost")
		})
	}
}

// With RespectIgnoreDifferences and /data of all Secrets ignored, a common setting, Argo CD writes back what it has
// read, and so owns the password. The next sync without that setting removes it, except with server-side apply, because
// the pod owns it too.
func TestArgoCDRespectIgnoreDifferences(t *testing.T) {
	t.Parallel()
	for name, flags := range map[string][]string{"client-side": nil, "server-side": {"-server-side-apply"}} {
		t.Run(name, func(t *testing.T) {
			plain := tool(append([]string{"argocd-diff"}, flags...)...)
			respecting := tool(append([]string{"argocd-diff", "-respect-ignored"}, flags...)...)
			p, manifests, password := instanceAppliedBy(t, plain, claim("ignored-"+name, "my-cache", "small"))
			plain.run(t, plain.apply, manifests)
			require.Equal(t, password, p.data(t, "my-cache-password")["password"])

			respecting.run(t, respecting.apply, manifests)
			assert.Equal(t, password, p.data(t, "my-cache-password")["password"])
			assert.Contains(t, p.ownersOfPassword(t, "my-cache-password"), "argocd-controller", "Argo CD must own the password now")

			plain.run(t, plain.apply, manifests)
			if flags == nil {
				assert.Empty(t, p.data(t, "my-cache-password"), "and must remove it without the setting")
			} else {
				assert.Equal(t, password, p.data(t, "my-cache-password")["password"])
				assert.Equal(t, []string{"dragonfly-generator-prepare"}, p.ownersOfPassword(t, "my-cache-password"))
			}
		})
	}
}

// ownersOfPassword returns who applied or wrote a Secret's key password: the field managers, and Argo CD if the
// annotation of client-side apply contains the value.
func (p *pod) ownersOfPassword(t *testing.T, secret string) []string {
	t.Helper()
	var object corev1.Secret
	require.NoError(t, json.Unmarshal([]byte(must(t, "", "get", "secret", secret, "-n", p.namespace, "-o", "json", "--show-managed-fields")), &object))
	var owners []string
	for _, entry := range object.ManagedFields {
		if strings.Contains(entry.FieldsV1.String(), `"f:password":`) {
			owners = append(owners, entry.Manager)
		}
	}
	if strings.Contains(object.Annotations[corev1.LastAppliedConfigAnnotation], `"password":`) {
		owners = append(owners, "argocd-controller")
	}
	return owners
}

// At each interval, Flux takes over the fields of managers that start with kubectl, and drops those that are not in
// Git. It leaves what the pod has written, and what people write as the docs say, as the manager dragonfly-password.
func TestFluxDropsWhatKubectlWrote(t *testing.T) {
	t.Parallel()
	a := appliers[flux]
	p, manifests, password := instanceAppliedBy(t, a, claim("fluxed", "my-cache", "small", rotated("2")))
	a.run(t, a.apply, manifests)
	require.Equal(t, password, p.data(t, "my-cache-password")["password"])
	require.Equal(t, "2", p.recorded(t, "my-cache-password"))
	assert.Equal(t, []string{"dragonfly-generator-prepare"}, p.ownersOfPassword(t, "my-cache-password"))

	putBack := func(args ...string) {
		must(t, "", append([]string{"patch", "secret", "my-cache-password", "-n", p.namespace, "--type=merge", "-p",
			fmt.Sprintf(`{"stringData":{"password":%q},"metadata":{"annotations":{"database.bizmatters.io/password-rotation":"2"}}}`, password)}, args...)...)
		a.run(t, a.apply, manifests)
	}
	const empty = `{"data":null,"metadata":{"annotations":{"database.bizmatters.io/password-rotation":null}}}`
	p.patch(t, "my-cache-password", empty)
	putBack()
	assert.Empty(t, p.data(t, "my-cache-password"))
	assert.Empty(t, p.recorded(t, "my-cache-password"))

	putBack("--field-manager=dragonfly-password")
	assert.Equal(t, password, p.data(t, "my-cache-password")["password"])
	assert.Equal(t, "2", p.recorded(t, "my-cache-password"))
	a.unchanged(t, p, manifests)
}
