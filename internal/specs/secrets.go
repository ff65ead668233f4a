package specs

import (
	"maps"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/bizmatters/dragonfly-generator/internal/config"
	"github.com/bizmatters/dragonfly-generator/internal/instance"
	"github.com/bizmatters/dragonfly-generator/internal/placeholder"
	"github.com/bizmatters/dragonfly-generator/internal/prepare/handover"
)

// PasswordSecret returns the Secret into which the instance's pod writes the password that it makes. It has no data:
// appliers leave what they did not write.
func PasswordSecret(inst instance.Instance, cfg config.Config) *corev1.Secret {
	return &corev1.Secret{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
		ObjectMeta: secretMeta(inst, cfg, inst.PasswordSecret()),
		Type:       corev1.SecretTypeOpaque,
	}
}

// ConnectionSecret returns the Secret that applications read. The instance's pod adds the password, and the extra keys
// that need it.
func ConnectionSecret(inst instance.Instance, cfg config.Config) *corev1.Secret {
	data := map[string][]byte{
		instance.EndpointKey: []byte(inst.Endpoint(cfg.ClusterDomain)),
		instance.PortKey:     []byte(strconv.Itoa(instance.Port)),
	}
	for key, template := range cfg.Connection.ExtraKeys {
		if !handover.NeedsPassword(template) {
			data[key] = []byte(placeholder.Fill(template, connectionValues(inst, cfg)))
		}
	}
	metadata := secretMeta(inst, cfg, inst.ConnectionSecret())
	// Ours and the claim's win.
	metadata.Labels = merged(cfg.Connection.Labels, metadata.Labels)
	metadata.Annotations = merged(cfg.Connection.Annotations, metadata.Annotations)
	return &corev1.Secret{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
		ObjectMeta: metadata,
		Type:       cfg.Connection.Type,
		Data:       data,
	}
}

// secretMeta returns the metadata of one of the instance's Secrets: without what would have an applier replace the live
// Secret by the manifest, which has no password.
func secretMeta(inst instance.Instance, cfg config.Config, name string) metav1.ObjectMeta {
	metadata := meta(inst, cfg, name)
	for _, texts := range []map[string]string{metadata.Labels, metadata.Annotations} {
		for key, value := range texts {
			switch harmless := config.WithoutReplacing(key, value); {
			case harmless == value:
			case harmless == "":
				delete(texts, key)
			default:
				texts[key] = harmless
			}
		}
	}
	return metadata
}

// merged returns both maps in one. The second wins.
func merged(below, above map[string]string) map[string]string {
	all := map[string]string{}
	maps.Copy(all, below)
	maps.Copy(all, above)
	return all
}

// keysForPod returns the templates of the extra keys that the pod fills in, with those placeholders left open that it
// knows the values of.
func keysForPod(inst instance.Instance, cfg config.Config) map[string]string {
	known := map[string]string{}
	for _, word := range []string{"port", "scheme"} {
		known[word] = connectionValues(inst, cfg)[word]
	}
	templates := map[string]string{}
	for key, template := range cfg.Connection.ExtraKeys {
		if handover.NeedsPod(template) {
			templates[key] = placeholder.Fill(template, known)
		}
	}
	return templates
}

// connectionValues are the values of all placeholders of a connection Secret but the password.
func connectionValues(inst instance.Instance, cfg config.Config) map[string]string {
	scheme := "redis"
	if cfg.TLS.IsOn() {
		scheme = "rediss"
	}
	return map[string]string{
		"endpoint": inst.Endpoint(cfg.ClusterDomain), "port": strconv.Itoa(instance.Port),
		"name": inst.Name.Name, "namespace": inst.Namespace, "scheme": scheme,
	}
}
