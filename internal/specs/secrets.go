package specs

import (
	"strconv"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/instance"
	"github.com/bizmatters/dragonfly-generator/internal/prepare/handover"
)

func hasPasswordSecret(inst instance.Instance) bool { return inst.Source == v1alpha1.InCluster }

// passwordSecret returns the Secret into which the instance's pod writes the password that it creates. It has no data, and
// appliers do not touch data that they did not write.
func passwordSecret(inst instance.Instance) *corev1.Secret {
	return &corev1.Secret{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
		ObjectMeta: secretMeta(inst, inst.PasswordSecret(), nil, nil),
		Type:       corev1.SecretTypeOpaque,
	}
}

// connectionSecret returns the Secret that applications read. The instance's pod adds the password, and the extra keys
// that need it.
func connectionSecret(inst instance.Instance) *corev1.Secret {
	data := map[string][]byte{
		v1alpha1.EndpointKey: []byte(inst.Endpoint(*inst.Config.ClusterDomain)),
		v1alpha1.PortKey:     []byte(strconv.Itoa(instance.Port)),
	}
	for key, template := range inst.Config.ConnectionSecret.ExtraKeys {
		if !handover.NeedsPassword(template) {
			data[key] = []byte(v1alpha1.Fill(template, connectionValues(inst)))
		}
	}
	more := inst.Config.ConnectionSecret
	return &corev1.Secret{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
		ObjectMeta: secretMeta(inst, inst.ConnectionSecret(), more.Labels, more.Annotations),
		Type:       corev1.SecretType(*inst.Config.ConnectionSecret.Type),
		Data:       data,
	}
}

// secretMeta returns the metadata of one of the instance's Secrets, without labels and annotations that would make an applier
// replace the live Secret with the manifest, which has no password.
func secretMeta(inst instance.Instance, name string, labels, annotations map[string]string) metav1.ObjectMeta {
	metadata := Metadata(inst, name)
	metadata.Labels = instance.Merged(labels, metadata.Labels)
	metadata.Annotations = instance.Merged(annotations, metadata.Annotations)
	for _, texts := range []map[string]string{metadata.Labels, metadata.Annotations} {
		for key, value := range texts {
			texts[key] = v1alpha1.WithoutReplacing(key, value)
			if texts[key] == "" && value != "" {
				delete(texts, key)
			}
		}
	}
	return metadata
}

// keysForPod returns the templates of the extra keys that the pod fills in. Only placeholders whose values the pod knows are
// left in them.
func keysForPod(inst instance.Instance) map[string]string {
	values := connectionValues(inst)
	known := map[string]string{"port": values["port"], "scheme": values["scheme"]}
	templates := map[string]string{}
	for key, template := range inst.Config.ConnectionSecret.ExtraKeys {
		if handover.NeedsPod(template) {
			templates[key] = v1alpha1.Fill(template, known)
		}
	}
	return templates
}

// connectionValues are the values of all placeholders of a connection Secret except the password.
func connectionValues(inst instance.Instance) map[string]string {
	scheme := "redis"
	if inst.Config.TLS != nil {
		scheme = "rediss"
	}
	values := inst.Values(*inst.Config.ClusterDomain)
	values["port"], values["scheme"] = strconv.Itoa(instance.Port), scheme
	return values
}
