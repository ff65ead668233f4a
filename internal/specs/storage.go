package specs

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/config"
	"github.com/bizmatters/dragonfly-generator/internal/instance"
)

// dataClaims returns the claim templates of an instance: one, where the data is on a volume.
func dataClaims(inst instance.Instance, cfg config.Config) []corev1.PersistentVolumeClaim {
	if cfg.Storage.Type != v1alpha1.OnVolume {
		return nil
	}
	return []corev1.PersistentVolumeClaim{dataClaim(inst, cfg)}
}

func dataClaim(inst instance.Instance, cfg config.Config) corev1.PersistentVolumeClaim {
	var class *string // the cluster's default
	if cfg.StorageClassName != "" {
		class = &cfg.StorageClassName
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

// volumeOf returns the name of the data volume, or "" if no volume outlives the pod.
func volumeOf(cfg config.Config) string {
	if cfg.Storage.Type != v1alpha1.OnVolume {
		return ""
	}
	return DataVolume
}

// addStorage gives the server the folder that it writes its snapshots to. A cache has one too, which goes with the
// pod and which nothing is written to, so that --dir leads somewhere.
func addStorage(pod *corev1.PodSpec, cfg config.Config) {
	if cfg.Storage.Type == v1alpha1.InBucket {
		return
	}
	server := &pod.Containers[0]
	server.VolumeMounts = append([]corev1.VolumeMount{{Name: DataVolume, MountPath: dataPath}}, server.VolumeMounts...)
	if cfg.Storage.Type == v1alpha1.NoStorage {
		pod.Volumes = append([]corev1.Volume{{
			Name: DataVolume, VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}},
		}}, pod.Volumes...)
	}
}

// snapshotFlags say where snapshots go, and when one is written.
func snapshotFlags(inst instance.Instance, cfg config.Config) []string {
	if cfg.Storage.Type == v1alpha1.NoStorage {
		// Without a file name, Dragonfly neither writes a snapshot at shutdown nor loads one at startup.
		return []string{"--dir=" + dataPath, "--dbfilename="}
	}
	dir := dataPath
	if cfg.Storage.Type == v1alpha1.InBucket {
		dir = BucketFolder(inst, cfg)
	}
	flags := []string{
		"--dir=" + dir,
		// The default name has a timestamp in it and keeps every snapshot until the volume is full
		// (dragonfly issue 1377, operator issues 179 and 566).
		"--dbfilename=dump",
	}
	if cfg.SnapshotCron != "" {
		flags = append(flags, "--snapshot_cron="+cfg.SnapshotCron)
	}
	return flags
}

// BucketFolder returns where the snapshots of an instance go in the bucket. It is unique, so that no instance
// loads the data of another.
func BucketFolder(inst instance.Instance, cfg config.Config) string {
	return cfg.Storage.Bucket + "/" + inst.Namespace + "/" + inst.Name.Name
}
