package specs_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	corev1 "k8s.io/api/core/v1"

	"github.com/bizmatters/dragonfly-generator/internal/config"
)

func TestSecrets(t *testing.T) {
	otherDomain := myCache(t, func(cfg *config.Spec) { cfg.ClusterDomain = new("k8s.example.com") })
	for _, tc := range []struct {
		reason string
		secret *corev1.Secret
		want   map[string][]byte
	}{
		{"The pod writes the password.", secret(t, myCache(t), "secret-password.yaml"), nil},
		{"The pod adds the password to these two keys; no others are promised.", secret(t, myCache(t), "secret-connection.yaml"), map[string][]byte{
			"endpoint": []byte("my-cache.my-namespace.svc.cluster.local"),
			"port":     []byte("6379"),
		}},
		{"The endpoint ends in the cluster's domain.", secret(t, otherDomain, "secret-connection.yaml"), map[string][]byte{
			"endpoint": []byte("my-cache.my-namespace.svc.k8s.example.com"),
			"port":     []byte("6379"),
		}},
	} {
		assert.Equal(t, tc.want, tc.secret.Data, tc.reason)
		assert.Empty(t, tc.secret.StringData, "Kubernetes never returns stringData, so a diff would never end.")
		assert.Equal(t, corev1.SecretTypeOpaque, tc.secret.Type, "The type of a live Secret cannot change.")
		assert.Nil(t, tc.secret.Immutable, "A password can be rotated.")
	}
}

func TestSecretAsYAML(t *testing.T) {
	assert.Equal(t, `apiVersion: v1
kind: Secret
metadata:
  name: my-cache-password
  namespace: my-namespace
  labels:
    app: my-cache
    app.kubernetes.io/component: database
    app.kubernetes.io/instance: my-cache
    app.kubernetes.io/managed-by: dragonfly-generator
    app.kubernetes.io/name: dragonfly
  annotations:
    database.bizmatters.io/generated-from: my-namespace/my-cache
type: Opaque
`, toYAML(t, secret(t, myCache(t), "secret-password.yaml")), "A Secret in Git must look like this.")
}
