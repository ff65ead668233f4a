//go:build conformance && linux

package conformance

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bizmatters/dragonfly-generator/internal/testkit"
)

// The commands for a lost password restore it, with a rotation in force.
func TestPutBackPage(t *testing.T) {
	t.Parallel()
	const ns = "put-back"
	page := testkit.ReadPage(t, "docs/passwords.md").Replace("my-namespace", ns)
	p, manifests, password := instanceAppliedBy(t, appliers["client-side apply"], claim(ns, "my-cache", "small", rotated("2")))
	refused := func() {
		t.Helper()
		p.next(t)
		assert.Contains(t, p.fail(t), "error: the password of "+ns+"/my-cache is lost")
		assert.Empty(t, p.data(t, "my-cache-password")["password"])
	}

	// One of the two Secrets.
	p.patch(t, "my-cache-password", `{"data":null}`)
	_, now := p.restart(t)
	assert.Equal(t, password, now)
	must(t, "", "delete", "secret", "my-cache-conn", "-n", ns)
	p.next(t)
	run := p.begin(t)
	run.says(t, "waiting: Secret "+ns+"/my-cache-conn does not exist yet")
	must(t, manifests, "apply", "-f", "-")
	log, err := p.end(t, run)
	require.NoError(t, err, log)
	assert.Equal(t, password, p.password(t))

	// Both emptied, then both deleted.
	p.patch(t, "my-cache-password", `{"data":null}`)
	p.patch(t, "my-cache-conn", `{"data":{"password":null}}`)
	refused()
	must(t, "", "delete", "secret", "my-cache-password", "my-cache-conn", "-n", ns)
	must(t, manifests, "apply", "-f", "-")
	refused()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "password"), []byte(password), 0o600))
	shell(t, dir, page.Section(t, "When a Secret is emptied or deleted").Blocks("sh")...)
	flux := appliers[flux]
	flux.run(t, flux.apply, manifests)
	_, now = p.restart(t)
	assert.Equal(t, password, now, "Flux has run meanwhile")

	// A claim that was deleted and comes back: its volume remembers the password.
	must(t, manifests, "delete", "-f", "-")
	must(t, manifests, "apply", "-f", "-")
	refused()
	manifests, _ = render(t, claim(ns, "my-cache", "small", rotated("3")))
	must(t, manifests, "apply", "-f", "-")
	_, now = p.restart(t)
	assert.NotEqual(t, password, now)
}

// The API server accepts the results of the configurations in docs/passwords.md, and the page's NetworkPolicy, which
// selects the pods.
func TestPasswordsPageConfigurations(t *testing.T) {
	t.Parallel()
	const ns = "configured"
	namespace(t, ns)
	page := testkit.ReadPage(t, "docs/passwords.md").Replace("my-namespace", ns)
	configurations := 0
	for _, file := range page.Files() {
		switch {
		case file.Name == "networkpolicy.yaml":
			apply(t, file.Text)
		case strings.Contains(file.Text, "kind: DragonflyGenerator\n"):
			configurations++
			manifests, _ := render(t, claim(ns, "my-mesh", "small"), file.Text)
			apply(t, manifests)
		}
	}
	assert.Equal(t, 1, configurations)
	eventually(t, "443,6443", "get", "pod", "my-mesh-0", "-n", ns, "-o", `jsonpath={.metadata.annotations.traffic\.sidecar\.istio\.io/excludeOutboundPorts}`)
	eventually(t, "pod/my-mesh-0", "get", "pods", "-n", ns, "-o", "name",
		"-l", "app.kubernetes.io/managed-by="+get(t, ns, "networkpolicy/dragonfly-to-api-server", `.spec.podSelector.matchLabels.app\.kubernetes\.io/managed-by`))
}

// The ServiceAccount that the page tells the platform team to create is enough, and ours is then not among the
// manifests.
func TestServiceAccountOfThePlatform(t *testing.T) {
	t.Parallel()
	const ns = "platform-account"
	namespace(t, ns)
	page := testkit.ReadPage(t, "docs/passwords.md").Replace("my-namespace", ns)
	for _, file := range page.Section(t, "A ServiceAccount that the platform creates").Files() {
		must(t, file.Text, "apply", "-f", "-")
	}
	const config = "apiVersion: database.bizmatters.io/v1alpha1\nkind: DragonflyGenerator\nmetadata: {name: platform}\nspec: {serviceAccount: {name: dragonfly}}\n"
	p := newPodOf(t, claim(ns, "my-cache", "small"), config)
	assert.Equal(t, 2, strings.Count(p.manifests, "\nkind: "), "the two Secrets")
	assert.Equal(t, "dragonfly", p.account)
	_, made := p.start(t)
	assert.Regexp(t, uuid4, made)
	p.mount(t)
	p.rotation = "2"
	_, now := p.start(t)
	assert.NotEqual(t, made, now)
}
