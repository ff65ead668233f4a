package specs

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/bizmatters/dragonfly-generator/generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/config"
	"github.com/bizmatters/dragonfly-generator/internal/instance"
)

// The object of the Dragonfly Operator, as far as we fill it in. Its module is not to be had through the
// Go module proxy, so these are the fields of its CRD, v1.6.1, with the types that it has them of.
type (
	dragonfly struct {
		metav1.TypeMeta   `json:",inline"`
		metav1.ObjectMeta `json:"metadata,omitempty"`
		Spec              dragonflySpec `json:"spec,omitempty"`
	}

	dragonflySpec struct {
		Replicas                 int32                         `json:"replicas"`
		Image                    string                        `json:"image,omitempty"`
		ImagePullPolicy          corev1.PullPolicy             `json:"imagePullPolicy,omitempty"`
		ImagePullSecrets         []corev1.LocalObjectReference `json:"imagePullSecrets,omitempty"`
		Args                     []string                      `json:"args,omitempty"`
		Resources                *corev1.ResourceRequirements  `json:"resources,omitempty"`
		Authentication           *dragonflyAuthentication      `json:"authentication,omitempty"`
		Snapshot                 *dragonflySnapshot            `json:"snapshot,omitempty"`
		NodeSelector             map[string]string             `json:"nodeSelector,omitempty"`
		Tolerations              []corev1.Toleration           `json:"tolerations,omitempty"`
		PodMetadata              *dragonflyMetadata            `json:"podMetadata,omitempty"`
		OwnedObjectsMetadata     *dragonflyMetadata            `json:"ownedObjectsMetadata,omitempty"`
		PodSecurityContext       *corev1.PodSecurityContext    `json:"podSecurityContext,omitempty"`
		ContainerSecurityContext *corev1.SecurityContext       `json:"containerSecurityContext,omitempty"`
		ServiceSpec              *dragonflyService             `json:"serviceSpec,omitempty"`
		ServiceAccountName       string                        `json:"serviceAccountName,omitempty"`
		InitContainers           []corev1.Container            `json:"initContainers,omitempty"`
		AdditionalVolumes        []corev1.Volume               `json:"additionalVolumes,omitempty"`
		TLSSecretRef             *corev1.SecretReference       `json:"tlsSecretRef,omitempty"`
	}

	dragonflyAuthentication struct {
		PasswordFromSecret *corev1.SecretKeySelector `json:"passwordFromSecret,omitempty"`
	}

	dragonflySnapshot struct {
		Dir                       string                            `json:"dir,omitempty"`
		Cron                      string                            `json:"cron,omitempty"`
		PersistentVolumeClaimSpec *corev1.PersistentVolumeClaimSpec `json:"persistentVolumeClaimSpec,omitempty"`
	}

	dragonflyMetadata struct {
		Labels      map[string]string `json:"labels,omitempty"`
		Annotations map[string]string `json:"annotations,omitempty"`
	}

	dragonflyService struct {
		Type        corev1.ServiceType `json:"type,omitempty"`
		NodePort    int32              `json:"nodePort,omitempty"`
		Labels      map[string]string  `json:"labels,omitempty"`
		Annotations map[string]string  `json:"annotations,omitempty"`
	}
)

// Dragonfly returns the object of which the Dragonfly Operator makes StatefulSet and Service, of the same
// names as ours. The error is that of a patch in the configuration that CheckOverrides would have refused.
func Dragonfly(inst instance.Instance, cfg config.Config) (any, error) {
	service, err := serviceOfOperator(inst, cfg)
	if err != nil {
		return nil, err
	}
	metadata, template := meta(inst, cfg, inst.Name.Name), podTemplate(inst, cfg)
	pod, container := template.Spec, template.Spec.Containers[0]
	// The operator has Dragonfly write its log to files too, in the temporary folder, and mounts nothing
	// there.
	container.SecurityContext.ReadOnlyRootFilesystem = nil
	object := &dragonfly{
		TypeMeta:   metav1.TypeMeta{APIVersion: "dragonflydb.io/v1alpha1", Kind: "Dragonfly"},
		ObjectMeta: metadata,
		Spec: dragonflySpec{
			Replicas:                 int32(cfg.Replicas), //nolint:gosec // read as an int32
			Image:                    container.Image,
			ImagePullPolicy:          container.ImagePullPolicy,
			ImagePullSecrets:         pod.ImagePullSecrets,
			Args:                     withoutOperatorFlags(container.Args),
			Resources:                &container.Resources,
			Authentication:           &dragonflyAuthentication{PasswordFromSecret: passwordKey(inst)},
			Snapshot:                 snapshotOfOperator(inst, cfg),
			NodeSelector:             pod.NodeSelector,
			Tolerations:              pod.Tolerations,
			PodMetadata:              metadataOf(nil, template.Annotations),
			OwnedObjectsMetadata:     metadataOf(theirLabels(metadata.Labels), theirAnnotations(metadata.Annotations)),
			PodSecurityContext:       pod.SecurityContext,
			ContainerSecurityContext: container.SecurityContext,
			ServiceSpec:              service,
		},
	}
	if cfg.TLS.IsOn() {
		object.Spec.TLSSecretRef = &corev1.SecretReference{Name: cfg.TLS.SecretName}
	}
	if needsAccount(inst, cfg) {
		object.Spec.ServiceAccountName = inst.ServiceAccount()
	}
	if inst.InCluster {
		object.Spec.InitContainers = []corev1.Container{passwordContainer(inst, cfg, operatorVolumeOf(cfg), false)}
		object.Spec.AdditionalVolumes = passwordVolumes(inst, false)
	}
	return object, nil
}

// OperatorVolume is the name that the operator gives the claim template of the data.
const OperatorVolume = "df"

// snapshotOfOperator returns where the operator's Dragonfly keeps its snapshots, nil for nowhere.
func snapshotOfOperator(inst instance.Instance, cfg config.Config) *dragonflySnapshot {
	switch cfg.Storage.Type {
	case v1alpha1.NoStorage:
		return nil
	case v1alpha1.InBucket:
		return &dragonflySnapshot{Cron: cfg.SnapshotCron, Dir: BucketFolder(inst, cfg)}
	}
	volume := dataClaim(inst, cfg).Spec
	return &dragonflySnapshot{Cron: cfg.SnapshotCron, PersistentVolumeClaimSpec: &volume}
}

func operatorVolumeOf(cfg config.Config) string {
	if volumeOf(cfg) == "" {
		return ""
	}
	return OperatorVolume
}

// withoutOperatorFlags leaves out what the operator makes of the snapshot, and the file that it cannot mount into
// the server's container.
func withoutOperatorFlags(flags []string) []string {
	return slices.DeleteFunc(flags, func(flag string) bool {
		return strings.HasPrefix(flag, "--dir=") || strings.HasPrefix(flag, "--snapshot_cron=") || strings.HasPrefix(flag, "--flagfile=")
	})
}

// serviceOfOperator returns what the configuration's patch says of the Service, nil without one.
func serviceOfOperator(inst instance.Instance, cfg config.Config) (*dragonflyService, error) {
	if len(cfg.Overrides.Service) == 0 {
		return nil, nil
	}
	service, err := Service(inst, cfg)
	if err != nil {
		return nil, err
	}
	settings := &dragonflyService{
		Type: service.Spec.Type, Labels: service.Labels, Annotations: theirAnnotations(service.Annotations),
	}
	for _, port := range service.Spec.Ports {
		if port.Port == instance.Port {
			settings.NodePort = port.NodePort
		}
	}
	return settings, nil
}

func metadataOf(labels, annotations map[string]string) *dragonflyMetadata {
	if len(labels) == 0 && len(annotations) == 0 {
		return nil
	}
	return &dragonflyMetadata{Labels: labels, Annotations: annotations}
}

// theirLabels are those of the claim and the configuration: the operator sets its own.
func theirLabels(labels map[string]string) map[string]string {
	own := instance.Name{}.OwnLabels()
	return only(labels, func(key string) bool { _, found := own[key]; return !found })
}

// theirAnnotations are those of the claim and the configuration.
func theirAnnotations(annotations map[string]string) map[string]string {
	return only(annotations, func(key string) bool { return !strings.HasPrefix(key, v1alpha1.Group+"/") })
}
