package specs

import (
	"fmt"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/bizmatters/dragonfly-generator/generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/config"
	"github.com/bizmatters/dragonfly-generator/internal/instance"
)

// PasswordSecret returns the Secret that Dragonfly reads its password from.
func PasswordSecret(inst instance.Instance, cfg config.Config) *corev1.Secret {
	return secret(inst, cfg, inst.PasswordSecret(), map[string][]byte{
		instance.PasswordKey: []byte(inst.Password.Reveal()),
	})
}

// ConnectionSecret returns the Secret that applications read.
func ConnectionSecret(inst instance.Instance, cfg config.Config) *corev1.Secret {
	endpoint, port, password := inst.Endpoint(cfg.ClusterDomain), strconv.Itoa(instance.Port), inst.Password.Reveal()
	data := map[string][]byte{
		instance.EndpointKey: []byte(endpoint),
		instance.PortKey:     []byte(port),
		instance.PasswordKey: []byte(password),
	}
	fill := strings.NewReplacer(
		"{endpoint}", endpoint, "{port}", port, "{password}", password, "{passwordEncoded}", encode(password),
		"{name}", inst.Name.Name, "{namespace}", inst.Namespace,
	)
	for key, template := range cfg.ExtraKeys {
		data[key] = []byte(fill.Replace(template))
	}
	return secret(inst, cfg, inst.ConnectionSecret(), data)
}

// encode escapes all but the unreserved characters of RFC 3986, so that a password stands in a URI as it
// is. The escapes of net/url leave more as it is, and write blanks as plus signs.
func encode(text string) string {
	const unreserved = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
	var encoded strings.Builder
	for _, b := range []byte(text) {
		if strings.IndexByte(unreserved, b) >= 0 {
			encoded.WriteByte(b)
		} else {
			fmt.Fprintf(&encoded, "%%%02X", b)
		}
	}
	return encoded.String()
}

func secret(inst instance.Instance, cfg config.Config, name string, data map[string][]byte) *corev1.Secret {
	metadata := meta(inst, cfg, name)
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
