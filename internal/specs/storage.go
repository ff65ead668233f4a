package specs

import (
	"cmp"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/bizmatters/dragonfly-generator/internal/instance"
	"github.com/bizmatters/dragonfly-generator/internal/operator"
	"github.com/bizmatters/dragonfly-generator/internal/prepare/handover"
)

// dataClaim returns the claim template of an instance whose data is on a volume.
func dataClaim(inst instance.Instance) corev1.PersistentVolumeClaim {
	var class *string // the cluster's default
	if *inst.Config.StorageClassName != "" {
		class = inst.Config.StorageClassName
	}
	return corev1.PersistentVolumeClaim{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "PersistentVolumeClaim"},
		ObjectMeta: metav1.ObjectMeta{Name: DataVolume},
		Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes:      []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			StorageClassName: class,
			Resources: corev1.VolumeResourceRequirements{
				Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse(inst.Storage())},
			},
		},
	}
}

// dataVolumeOf returns the name of the data volume, which is different with the operator.
func dataVolumeOf(inst instance.Instance) string {
	if inst.IsByOperator() {
		return operator.DataVolume
	}
	return DataVolume
}

// addStorage gives the server the folder for its snapshots. A cache also has one, so that --dir exists; nothing is written to
// it, and it disappears with the pod.
func addStorage(pod *corev1.PodSpec, inst instance.Instance) {
	if inst.Bucket() != "" {
		return
	}
	server := &pod.Containers[0]
	server.VolumeMounts = append([]corev1.VolumeMount{{Name: DataVolume, MountPath: DataPath}}, server.VolumeMounts...)
	if inst.IsCache() {
		pod.Volumes = append([]corev1.Volume{{
			Name: DataVolume, VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}},
		}}, pod.Volumes...)
	}
}

// snapshotFlags say where snapshots go, and when one is written.
func snapshotFlags(inst instance.Instance) []string {
	if inst.IsCache() {
		// Without a file name, Dragonfly neither writes a snapshot at shutdown nor loads one at startup.
		return []string{"--dir=" + DataPath, "--dbfilename="}
	}
	flags := []string{
		"--dir=" + cmp.Or(inst.Bucket(), DataPath),
		// The default name has a timestamp in it and keeps every snapshot until the volume is full
		// (dragonfly issue 1377, operator issues 179 and 566).
		"--dbfilename=" + handover.DBFileName,
	}
	if *inst.Config.SnapshotCron != "" {
		flags = append(flags, "--snapshot_cron="+*inst.Config.SnapshotCron)
	}
	return flags
}
