package specs

import (
	"strconv"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/config"
	"github.com/bizmatters/dragonfly-generator/internal/instance"
	"github.com/bizmatters/dragonfly-generator/internal/placeholder"
	"github.com/bizmatters/dragonfly-generator/internal/prepare/handover"
	"github.com/bizmatters/dragonfly-generator/internal/prepare/password"
)

// PasswordSecret returns the Secret that Dragonfly reads its password from. It has no data where the instance's
// own pod makes the password: appliers leave what they did not write.
func PasswordSecret(inst instance.Instance, cfg config.Config) *corev1.Secret {
	var data map[string][]byte
	if !inst.InCluster {
		data = map[string][]byte{instance.PasswordKey: []byte(inst.Password.Reveal())}
	}
	return secret(inst, cfg, inst.PasswordSecret(), data)
}

// ConnectionSecret returns the Secret that applications read. What needs the password is missing where the
// instance's own pod makes it.
func ConnectionSecret(inst instance.Instance, cfg config.Config) *corev1.Secret {
	data := map[string][]byte{
		instance.EndpointKey: []byte(inst.Endpoint(cfg.ClusterDomain)),
		instance.PortKey:     []byte(strconv.Itoa(instance.Port)),
	}
	if !inst.InCluster {
		data[instance.PasswordKey] = []byte(inst.Password.Reveal())
	}
	for key, template := range cfg.ExtraKeys {
		filled := fillConnection(template, inst, cfg)
		switch needs := needsPassword(filled); {
		case needs && inst.InCluster:
			continue
		case needs:
			filled = handover.Fill(filled, inst.Password)
		}
		data[key] = []byte(filled)
	}
	return secret(inst, cfg, inst.ConnectionSecret(), data)
}

// keysWithPassword returns the templates of those keys of the connection Secret that need the password, with
// everything else filled in.
func keysWithPassword(inst instance.Instance, cfg config.Config) map[string]string {
	templates := map[string]string{}
	for key, template := range cfg.ExtraKeys {
		if filled := fillConnection(template, inst, cfg); needsPassword(filled) {
			templates[key] = filled
		}
	}
	return templates
}

// fillConnection fills in all placeholders of a template but the password.
func fillConnection(template string, inst instance.Instance, cfg config.Config) string {
	return placeholder.Fill(template, map[string]string{
		"endpoint": inst.Endpoint(cfg.ClusterDomain), "port": strconv.Itoa(instance.Port),
		"name": inst.Name.Name, "namespace": inst.Namespace, "scheme": scheme(cfg),
	})
}

// scheme returns that of the instance's URI.
func scheme(cfg config.Config) string {
	if cfg.TLS.IsOn() {
		return "rediss"
	}
	return "redis"
}

func needsPassword(template string) bool {
	return handover.Fill(template, password.Password{}) != template
}

func secret(inst instance.Instance, cfg config.Config, name string, data map[string][]byte) *corev1.Secret {
	metadata := meta(inst, cfg, name)
	if inst.Rotation != "" && !inst.InCluster { // what makes the password records what it has made it for
		metadata.Annotations[v1alpha1.PasswordRotation] = inst.Rotation
	}
	return &corev1.Secret{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
		ObjectMeta: metadata,
		Type:       corev1.SecretTypeOpaque,
		Data:       data,
	}
}
