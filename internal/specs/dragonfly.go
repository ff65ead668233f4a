package specs

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/config"
	"github.com/bizmatters/dragonfly-generator/internal/instance"
	"github.com/bizmatters/dragonfly-generator/internal/operator"
)

// Dragonfly returns the object from which the Dragonfly Operator creates a StatefulSet and a Service, with
// the same names as ours. The error is that of a patch in the configuration that CheckOverrides would have
// refused.
func Dragonfly(inst instance.Instance, cfg config.Config) (any, error) {
	object, err := dragonfly(inst, cfg)
	for _, patch := range cfg.Overrides.Dragonfly {
		if err != nil {
			break
		}
		object, err = applyPatch(object, patch.Node)
	}
	if err != nil {
		return nil, err
	}
	settleSnapshots(&object.Spec, inst, cfg)
	return object, nil
}

func dragonfly(inst instance.Instance, cfg config.Config) (*operator.Dragonfly, error) {
	service, err := serviceOfOperator(inst, cfg)
	if err != nil {
		return nil, err
	}
	metadata, template := meta(inst, cfg, inst.Name.Name), podTemplate(inst, cfg)
	pod, container := template.Spec, template.Spec.Containers[0]
	object := &operator.Dragonfly{
		TypeMeta:   metav1.TypeMeta{APIVersion: "dragonflydb.io/v1alpha1", Kind: "Dragonfly"},
		ObjectMeta: metadata,
		Spec: operator.Spec{
			Replicas:                  int32(cfg.Replicas), //nolint:gosec // read as an int32
			Image:                     container.Image,
			ImagePullPolicy:           container.ImagePullPolicy,
			ImagePullSecrets:          pod.ImagePullSecrets,
			Args:                      withoutOperatorFlags(container.Args),
			Resources:                 &container.Resources,
			Authentication:            &operator.Authentication{PasswordFromSecret: passwordKey(inst)},
			Snapshot:                  snapshotOfOperator(inst, cfg),
			NodeSelector:              pod.NodeSelector,
			Tolerations:               pod.Tolerations,
			TopologySpreadConstraints: spread(inst),
			PodMetadata:               metadataOf(nil, template.Annotations),
			OwnedObjectsMetadata:      metadataOf(theirLabels(metadata.Labels), theirAnnotations(metadata.Annotations)),
			PodSecurityContext:        pod.SecurityContext,
			ContainerSecurityContext:  container.SecurityContext,
			ServiceSpec:               service,
		},
	}
	if cfg.TLS.IsOn() {
		object.Spec.TLSSecretRef = &corev1.SecretReference{Name: cfg.TLS.SecretName}
	}
	object.Spec.ServiceAccountName = accountName(inst, cfg)
	if inst.HasPrepare() {
		object.Spec.InitContainers = []corev1.Container{prepareContainer(inst, cfg, operatorVolumeOf(cfg))}
		object.Spec.AdditionalVolumes = prepareVolumes(inst, cfg)
	}
	object.Spec.InitContainers = addCertificateKeeper(object.Spec.InitContainers, inst, cfg)
	return object, nil
}

// spread has the scheduler put each pod on a node of its own where there are enough of them. Where there are not, a
// replica beside the master still takes over from a process that dies.
func spread(inst instance.Instance) []corev1.TopologySpreadConstraint {
	return []corev1.TopologySpreadConstraint{{
		MaxSkew:           1,
		TopologyKey:       corev1.LabelHostname,
		WhenUnsatisfiable: corev1.ScheduleAnyway,
		// Labels that the operator gives its pods.
		LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": inst.Name.Name, "app.kubernetes.io/name": "dragonfly"}},
	}}
}

// settleSnapshots brings what stands elsewhere in line with where the snapshots go, which a patch can change.
func settleSnapshots(spec *operator.Spec, inst instance.Instance, cfg config.Config) {
	if spec.Snapshot != nil && IsBucket(spec.Snapshot.Dir) && cfg.Replicas > 1 {
		spec.Snapshot.EnableOnMasterOnly = true // all pods would write to one place, under one name
	}
	if spec.Snapshot != nil && spec.Snapshot.PersistentVolumeClaimSpec != nil {
		return
	}
	at := slices.IndexFunc(spec.InitContainers, func(c corev1.Container) bool { return c.Name == instance.PrepareContainer })
	if at >= 0 {
		without := prepareContainer(inst, cfg, "")
		spec.InitContainers[at].Args, spec.InitContainers[at].VolumeMounts = without.Args, without.VolumeMounts
	}
}

// IsBucket reports whether a folder for snapshots is in an object store.
func IsBucket(dir string) bool { return strings.Contains(dir, "://") }

// OperatorVolume is the name that the operator gives the claim template of the data.
const OperatorVolume = operator.DataVolume

// snapshotOfOperator returns where the operator's Dragonfly keeps its snapshots, nil for nowhere.
func snapshotOfOperator(inst instance.Instance, cfg config.Config) *operator.Snapshot {
	switch cfg.Storage.Type {
	case v1alpha1.NoStorage:
		return nil
	case v1alpha1.InBucket:
		return &operator.Snapshot{Cron: cfg.SnapshotCron, Dir: BucketFolder(inst, cfg)}
	}
	volume := dataClaim(inst, cfg).Spec
	return &operator.Snapshot{Cron: cfg.SnapshotCron, PersistentVolumeClaimSpec: &volume}
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
func serviceOfOperator(inst instance.Instance, cfg config.Config) (*operator.Service, error) {
	if len(cfg.Overrides.Service) == 0 {
		return nil, nil
	}
	service, err := Service(inst, cfg)
	if err != nil {
		return nil, err
	}
	settings := &operator.Service{
		Type: service.Spec.Type, Labels: theirLabels(service.Labels), Annotations: theirAnnotations(service.Annotations),
	}
	for _, port := range service.Spec.Ports {
		if port.Port == instance.Port {
			settings.NodePort = port.NodePort
		}
	}
	return settings, nil
}

func metadataOf(labels, annotations map[string]string) *operator.Metadata {
	if len(labels) == 0 && len(annotations) == 0 {
		return nil
	}
	return &operator.Metadata{Labels: labels, Annotations: annotations}
}

// theirLabels are those of the claim and the configuration, but for what the operator manages.
func theirLabels(labels map[string]string) map[string]string {
	return only(labels, func(key string) bool { return !operator.ManagesLabel(key) })
}

// theirAnnotations are those of the claim and the configuration.
func theirAnnotations(annotations map[string]string) map[string]string {
	return only(annotations, func(key string) bool { return !strings.HasPrefix(key, v1alpha1.Group+"/") })
}
