//go:build conformance && linux

package conformance

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bizmatters/dragonfly-generator/internal/testkit"
)

// configurationBlock returns the configuration that a section of docs/configuration.md shows, its n-th from zero.
func configurationBlock(t *testing.T, heading string, n int) string {
	t.Helper()
	blocks := testkit.ReadPage(t, "docs/configuration.md").Section(t, heading).Blocks("yaml")
	require.Greater(t, len(blocks), n, heading)
	_, spec, hasSpec := strings.Cut("\n"+blocks[n], "\nspec:\n")
	if !hasSpec {
		spec = blocks[n]
	}
	return "apiVersion: database.bizmatters.io/v1alpha1\nkind: DragonflyGenerator\nmetadata:\n  name: platform\nspec:\n" + spec
}

// The API server accepts everything that the configurations in docs/configuration.md add to an instance.
func TestConfigurationPage(t *testing.T) {
	t.Parallel()
	const ns = "configuration-page"
	namespace(t, ns)
	applied := func(name, config string) {
		manifests, warnings := render(t, config, claim(ns, name, "small"))
		require.Empty(t, warnings)
		apply(t, manifests)
		noDiff(t, manifests)
	}

	t.Run("a NetworkPolicy", func(t *testing.T) {
		applied("guarded", configurationBlock(t, "Add objects", 0))
		assert.Equal(t, "guarded", get(t, ns, "networkpolicy/guarded", ".spec.podSelector.matchLabels.app"))
		assert.Equal(t, ns+"/guarded", get(t, ns, "networkpolicy/guarded", `.metadata.annotations.database\.bizmatters\.io/generated-from`))
	})
	t.Run("a disruption budget and a Service for the replicas", func(t *testing.T) {
		must(t, "", "apply", "--server-side", "-f", os.Getenv("DRAGONFLY_OPERATOR_CRD"))
		testkit.WaitForTrue(t, "crd/dragonflies.dragonflydb.io", "Established")
		applied("replicated", configurationBlock(t, "Add objects", 1))
		assert.Equal(t, "1", get(t, ns, "dragonfly/replicated", ".spec.pdb.maxUnavailable"))
		assert.Equal(t, "replica", get(t, ns, "service/replicated-replicas", ".spec.selector.role"))
	})
	t.Run("two address families", func(t *testing.T) {
		applied("dual", configurationBlock(t, "Use IPv6", 0))
		assert.Equal(t, "IPv6 IPv4", get(t, ns, "service/dual", ".spec.ipFamilies[*]"))
		assert.Regexp(t, `^fd00:.* 10\.0\.0\.`, get(t, ns, "service/dual", ".spec.clusterIPs[*]"))
		assert.Contains(t, get(t, ns, "statefulset/dual", ".spec.template.spec.containers[0].args"), "--bind=::")
	})
}

const configurationHead = "apiVersion: database.bizmatters.io/v1alpha1\nkind: DragonflyGenerator\nmetadata: {name: platform}\nspec:\n"

// Labels, annotations and a type of the connection Secret's own hinder neither the pod nor the next apply. The server
// refuses to change the type exactly where we warn.
func TestConnectionSecretOfItsOwnKind(t *testing.T) {
	t.Parallel()
	const ns = "connection-secret"
	withType := func(secretType string) string {
		return configurationHead + "  connectionSecret: {type: " + secretType + ", labels: {team: search}, annotations: {replicator.v1.mittwald.de/replicate-to: web}}\n"
	}
	p, manifests, password := instanceAppliedBy(t, appliers[serverSide], claim(ns, "my-cache", "small"), withType("servicebinding.io/redis"))
	appliers[serverSide].unchanged(t, p, manifests)
	assert.Equal(t, password, p.data(t, "my-cache-conn")["password"])
	assert.Equal(t, "servicebinding.io/redis", get(t, ns, "secret/my-cache-conn", ".type"))
	assert.Equal(t, "search", get(t, ns, "secret/my-cache-conn", ".metadata.labels.team"))
	assert.Equal(t, "web", get(t, ns, "secret/my-cache-conn", `.metadata.annotations.replicator\.v1\.mittwald\.de/replicate-to`))
	assert.Empty(t, get(t, ns, "secret/my-cache-password", ".metadata.labels.team"))

	rendered := append([]string{kptfile, withType("example.com/other"), claim(ns, "my-cache", "small")}, strings.Split(strings.TrimSuffix(manifests, "---\n"), "---\n")...)
	next, warnings := render(t, rendered...)
	commands := strings.Split(warnings, "`")
	require.Len(t, commands, 5, "the warning must give two commands: %s", warnings)
	_, err := testkit.Kubectl(next, "apply", "--server-side", "-f", "-")
	assert.ErrorContains(t, err, "field is immutable")

	shell(t, t.TempDir(), commands[1])
	apply(t, next)
	assert.Contains(t, commands[3], "kubectl delete pod my-cache-0 -n "+ns)
	_, now := p.restart(t)
	assert.Equal(t, password, now, "the next pod fills it in")
	assert.Equal(t, "example.com/other", get(t, ns, "secret/my-cache-conn", ".type"))
}

// A size whose requests equal its limits makes the pod Guaranteed, whatever runs in it besides the server.
func TestGuaranteed(t *testing.T) {
	t.Parallel()
	const ns = "guaranteed"
	namespace(t, ns)
	manifests, _ := render(t, claim(ns, "my-cache", "fixed"), configurationHead+
		"  sizes: {fixed: {limits: {cpu: \"1\", memory: 1Gi}}}\n  tls: {secretName: my-cache-tls}\n  password: {resources: {requests: {memory: 32Mi}}}\n")
	apply(t, manifests)
	eventually(t, "Guaranteed", "get", "pod/my-cache-0", "-n", ns, "-o", "jsonpath={.status.qosClass}")
	assert.Equal(t, "prepare keep-certificate", get(t, ns, "pod/my-cache-0", ".spec.initContainers[*].name"))
}
