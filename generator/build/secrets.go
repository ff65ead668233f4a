package build

import (
	"strconv"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/bizmatters/dragonfly-generator/generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/generator/config"
	"github.com/bizmatters/dragonfly-generator/generator/instance"
)

// PasswordSecret returns the Secret that Dragonfly reads its password from.
func PasswordSecret(inst instance.Instance) *corev1.Secret {
	return secret(inst, inst.PasswordSecret(), map[string][]byte{
		instance.PasswordKey: []byte(inst.Password.Reveal()),
	})
}

// ConnectionSecret returns the Secret that applications read.
func ConnectionSecret(inst instance.Instance, cfg config.Config) *corev1.Secret {
	return secret(inst, inst.ConnectionSecret(), map[string][]byte{
		instance.EndpointKey: []byte(inst.Endpoint(cfg.ClusterDomain)),
		instance.PortKey:     []byte(strconv.Itoa(instance.Port)),
		instance.PasswordKey: []byte(inst.Password.Reveal()),
	})
}

func secret(inst instance.Instance, name string, data map[string][]byte) *corev1.Secret {
	metadata := meta(inst, name)
	if inst.Rotation != "" {
		metadata.Annotations[v1alpha1.PasswordRotation] = inst.Rotation
	}
	return &corev1.Secret{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
		ObjectMeta: metadata,
		Type:       corev1.SecretTypeOpaque,
		Data:       data,
	}
}
