package instance_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/instance"
)

// TestNames checks the names that applications refer to. A change here breaks every application.
func TestNames(t *testing.T) {
	name := instance.Name{Namespace: "my-namespace", Name: "my-cache"}
	for _, tc := range []struct{ reason, got, want string }{
		{"The mark on our objects is the claim's namespace and name.", name.String(), "my-namespace/my-cache"},
		{"The StatefulSet has the claim's name.", name.StatefulSet(), "my-cache"},
		{"The Service has the claim's name.", name.Service(), "my-cache"},
		{"Dragonfly reads its password from there.", name.PasswordSecret(), "my-cache-password"},
		{"Applications read this.", name.ConnectionSecret(), "my-cache-conn"},
		{"The password Secret's name works for any claim name.", instance.PasswordSecretName("eu-x"), "eu-x-password"},
		{"The connection Secret's name works for any claim name.", instance.ConnectionSecretName("eu-x"), "eu-x-conn"},
		{"The endpoint is the Service's host with the cluster's usual domain.", name.Endpoint("cluster.local"), "my-cache.my-namespace.svc.cluster.local"},
		{"A cluster can have another domain.", name.Endpoint("k8s.example.com"), "my-cache.my-namespace.svc.k8s.example.com"},
		{"The volume's size is in GiB, although the field says GB.", instance.Instance{Claim: v1alpha1.DragonflyInstanceSpec{StorageGB: new(int32(10))}}.Storage(), "10Gi"},
	} {
		assert.Equal(t, tc.want, tc.got, tc.reason)
	}
}
