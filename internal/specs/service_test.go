package specs_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"github.com/bizmatters/dragonfly-generator/internal/specs"
)

func TestService(t *testing.T) {
	spec := specs.Service(myCache(t)).Spec
	assert.Equal(t, corev1.ServiceTypeClusterIP, spec.Type, "Live Services have this type.")
	assert.Empty(t, spec.ClusterIP, "The IP is allocated: neither None nor a fixed one can be applied over a live Service.")
	assert.Equal(t, map[string]string{"app": "my-cache", "app.kubernetes.io/name": "dragonfly"}, spec.Selector, "Applications are often labeled app: my-cache too, so that label alone would select them.")

	require.Len(t, spec.Ports, 1)
	port := spec.Ports[0]
	assert.Equal(t, "dragonfly", port.Name)
	assert.EqualValues(t, 6379, port.Port, "The connection Secret says so.")
	assert.Equal(t, corev1.ProtocolTCP, port.Protocol)
	assert.EqualValues(t, 6379, port.TargetPort.IntValue(), "The pods of an adopted instance do not name their port.")
}
