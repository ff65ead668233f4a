package specs

import (
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/instance"
	"github.com/bizmatters/dragonfly-generator/internal/operator"
)

// Dragonfly returns the object from which the Dragonfly Operator creates a StatefulSet and a Service, with
// the same names as ours.
func Dragonfly(inst instance.Instance) *operator.Dragonfly {
	metadata, template := Metadata(inst, inst.Name.Name), podTemplate(inst)
	pod, container := template.Spec, template.Spec.Containers[0]
	object := &operator.Dragonfly{
		TypeMeta:   metav1.TypeMeta{APIVersion: "dragonflydb.io/v1alpha1", Kind: "Dragonfly"},
		ObjectMeta: metadata,
		Spec: operator.Spec{
			Replicas:                  *inst.Config.Replicas,
			Image:                     container.Image,
			ImagePullPolicy:           container.ImagePullPolicy,
			ImagePullSecrets:          pod.ImagePullSecrets,
			Args:                      withoutOperatorFlags(container.Args),
			Resources:                 &container.Resources,
			Authentication:            &operator.Authentication{PasswordFromSecret: passwordKey(inst)},
			Snapshot:                  snapshotOfOperator(inst),
			NodeSelector:              pod.NodeSelector,
			Tolerations:               pod.Tolerations,
			TopologySpreadConstraints: spread(inst),
			PodMetadata:               metadataOf(nil, template.Annotations),
			OwnedObjectsMetadata:      metadataOf(theirLabels(metadata.Labels), theirAnnotations(metadata.Annotations)),
			PodSecurityContext:        pod.SecurityContext,
			ContainerSecurityContext:  container.SecurityContext,
			ServiceAccountName:        pod.ServiceAccountName,
			InitContainers:            pod.InitContainers,
		},
	}
	if inst.Config.TLS != nil {
		object.Spec.TLSSecretRef = &corev1.SecretReference{Name: *inst.Config.TLS.SecretName}
	}
	if inst.HasPrepare() {
		object.Spec.AdditionalVolumes = prepareVolumes(inst)
	}
	return object
}

// spread makes the scheduler put each pod on its own node if there are enough nodes. Otherwise, a replica on the same node
// as the master can still take over when the master's process dies.
func spread(inst instance.Instance) []corev1.TopologySpreadConstraint {
	return []corev1.TopologySpreadConstraint{{
		MaxSkew:           1,
		TopologyKey:       corev1.LabelHostname,
		WhenUnsatisfiable: corev1.ScheduleAnyway,
		// Labels that the operator gives its pods.
		LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": inst.Name.Name, "app.kubernetes.io/name": "dragonfly"}},
	}}
}

// snapshotOfOperator returns where the operator's Dragonfly stores its snapshots, or nil if it stores none.
func snapshotOfOperator(inst instance.Instance) *operator.Snapshot {
	switch {
	case inst.IsCache():
		return nil
	case inst.HasVolume():
		volume := dataClaim(inst).Spec
		return &operator.Snapshot{Cron: *inst.Config.SnapshotCron, PersistentVolumeClaimSpec: &volume}
	}
	return &operator.Snapshot{
		Cron: *inst.Config.SnapshotCron, Dir: inst.Bucket(),
		EnableOnMasterOnly: *inst.Config.Replicas > 1, // otherwise, all pods would write to the same folder, under the same name
	}
}

// withoutOperatorFlags leaves out the flags that the operator derives from the snapshot, and the flag file, which it cannot
// mount into the server's container.
func withoutOperatorFlags(flags []string) []string {
	return slices.DeleteFunc(flags, func(flag string) bool {
		return strings.HasPrefix(flag, "--dir=") || strings.HasPrefix(flag, "--snapshot_cron=") || strings.HasPrefix(flag, "--flagfile=")
	})
}

// OperatorService returns the operator's settings for its Service, taken from the patched Service.
func OperatorService(service *corev1.Service) *operator.Service {
	settings := &operator.Service{
		Type: service.Spec.Type, Labels: theirLabels(service.Labels), Annotations: theirAnnotations(service.Annotations),
	}
	for _, port := range service.Spec.Ports {
		if port.Port == instance.Port {
			settings.NodePort = port.NodePort
		}
	}
	return settings
}

func metadataOf(labels, annotations map[string]string) *operator.Metadata {
	if len(labels) == 0 && len(annotations) == 0 {
		return nil
	}
	return &operator.Metadata{Labels: labels, Annotations: annotations}
}

// theirLabels are the labels of the claim and the configuration, except those that the operator manages.
func theirLabels(labels map[string]string) map[string]string {
	labels = maps.Clone(labels)
	maps.DeleteFunc(labels, func(key, _ string) bool { return operator.ManagesLabel(key) })
	return labels
}

// theirAnnotations are the annotations of the claim and the configuration.
func theirAnnotations(annotations map[string]string) map[string]string {
	annotations = maps.Clone(annotations)
	maps.DeleteFunc(annotations, func(key, _ string) bool { return strings.HasPrefix(key, v1alpha1.Group+"/") })
	return annotations
}
