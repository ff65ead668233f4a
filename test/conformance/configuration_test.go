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
	blocks := testkit.ReadPage(t, "configuration.md").Section(t, heading).Blocks("yaml")
	require.Greater(t, len(blocks), n, heading)
	_, spec, hasSpec := strings.Cut("\n"+blocks[n], "\nspec:\n")
	if !hasSpec {
		spec = blocks[n]
	}
	return "apiVersion: database.bizmatters.io/v1alpha1\nkind: DragonflyGenerator\nmetadata:\n  name: platform\nspec:\n" + spec
}

// The API server accepts what the configurations in docs/configuration.md add to an instance.
func TestConfigurationPage(t *testing.T) {
	t.Parallel()
	const ns = "configuration-page"
	namespace(t, ns)
	applied := func(name, config string) {
		manifests, warnings := render(t, config, claim(ns, name, "small"))
		require.Empty(t, warnings)
		apply(t, manifests)
		diff, stderr, ok := kubectl(t, manifests, "diff", "--server-side", "-f", "-")
		assert.True(t, ok, stderr)
		assert.Empty(t, diff)
	}

	t.Run("a NetworkPolicy", func(t *testing.T) {
		applied("guarded", configurationBlock(t, "Add objects", 0))
		assert.Equal(t, "guarded", get(t, ns, "networkpolicy/guarded", ".spec.podSelector.matchLabels.app"))
		assert.Equal(t, ns+"/guarded", get(t, ns, "networkpolicy/guarded", `.metadata.annotations.database\.bizmatters\.io/generated-from`))
	})
	t.Run("a budget and a Service of the replicas", func(t *testing.T) {
		must(t, "", "apply", "--server-side", "-f", os.Getenv("DRAGONFLY_OPERATOR_CRD"))
		established(t, "dragonflies.dragonflydb.io")
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
