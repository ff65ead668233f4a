package generator_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/bizmatters/dragonfly-generator/generator"
)

// The zero Environment is the process's own: its variables, and the system's random generator.
func TestZeroEnvironment(t *testing.T) {
	claim := func(source string) []byte {
		return []byte("apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nitems:\n" +
			"- apiVersion: database.bizmatters.io/v1alpha1\n  kind: DragonflyInstance\n" +
			"  metadata: {name: a, namespace: ns, annotations: {database.bizmatters.io/password-source: " + source + "}}\n")
	}
	first, results := generator.Run(claim("Random"), generator.Environment{})
	assert.Zero(t, results.ExitCode())
	second, _ := generator.Run(claim("Random"), generator.Environment{})
	assert.NotEqual(t, string(first), string(second), "Two random passwords differ.")

	t.Setenv("DRAGONFLY_PASSWORD_SEED", "an example seed, not for production")
	first, results = generator.Run(claim("Seed"), generator.Environment{})
	assert.Zero(t, results.ExitCode())
	second, _ = generator.Run(claim("Seed"), generator.Environment{})
	assert.Equal(t, string(first), string(second), "A seed gives the same password each time.")
}
