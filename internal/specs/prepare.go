package specs

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/instance"
	"github.com/bizmatters/dragonfly-generator/internal/prepare/handover"
)

// The volumes of the init container that provides the server's password.
const (
	tokenVolume            = "password-token"
	passwordSecretVolume   = "password-secret"
	connectionSecretVolume = "connection-secret"
	flagVolume             = "password-flags"
)

// OwnVolumes are the names of these volumes.
var OwnVolumes = []string{tokenVolume, passwordSecretVolume, connectionSecretVolume, flagVolume}

// tokenExpirationSeconds is how long the init container's token is valid: the shortest duration that Kubernetes accepts.
// The kubelet renews it.
const tokenExpirationSeconds = 600

// prepareContainer returns the init container that provides the server's password.
func prepareContainer(inst instance.Instance) corev1.Container {
	request := handover.Request{Existing: inst.Source == v1alpha1.Existing, Keys: keysForPod(inst)}
	mounts := []corev1.VolumeMount{
		{Name: tokenVolume, MountPath: handover.TokenPath, ReadOnly: true},
		{Name: passwordSecretVolume, MountPath: handover.PasswordSecretPath, ReadOnly: true},
		{Name: connectionSecretVolume, MountPath: handover.ConnectionSecretPath, ReadOnly: true},
	}
	if inst.HasVolume() {
		request.Data = DataPath
		mounts = append(mounts, corev1.VolumeMount{Name: dataVolumeOf(inst), MountPath: DataPath})
	}
	request.Bucket = inst.Bucket()
	switch {
	case hasFlagFile(inst):
		request.FlagFile, request.MaxMemory, request.MemoryLimit = true, inst.Size.MaxMemory(), inst.Size.MemoryLimit()
		mounts = append(mounts, corev1.VolumeMount{Name: flagVolume, MountPath: handover.FlagFolder})
	case inst.Source == v1alpha1.InCluster:
		request.RotationKey = passwordKey(inst).Key
	}
	return corev1.Container{
		Name:            PrepareContainer,
		Image:           *inst.Config.Password.Image,
		ImagePullPolicy: *inst.Config.ImagePullPolicy,
		Args:            request.Args(),
		Env: []corev1.EnvVar{
			fieldVariable(handover.PodNameVariable, "metadata.name"),
			fieldVariable(handover.PodNamespaceVariable, "metadata.namespace"),
			// The value is read from the annotation, so that a tool that changes the manifests cannot make the two differ.
			fieldVariable(handover.PasswordRotationVariable, "metadata.annotations['"+v1alpha1.PasswordRotation+"']"),
		},
		Resources:       ownResources(inst),
		SecurityContext: restricted(),
		VolumeMounts:    mounts,
	}
}

// ownResources are the resources of the containers that run this program.
func ownResources(inst instance.Instance) corev1.ResourceRequirements {
	requests, limits := inst.Config.Password.ContainerResources()
	return corev1.ResourceRequirements{Requests: resources(requests), Limits: resources(limits)}
}

// hasFlagFile reports whether the init container passes the password to the server in a file. The operator cannot mount
// files of ours into the server's container.
func hasFlagFile(inst instance.Instance) bool {
	return inst.HasPrepare() && !inst.IsByOperator()
}

func fieldVariable(name, path string) corev1.EnvVar {
	return corev1.EnvVar{Name: name, ValueFrom: &corev1.EnvVarSource{
		FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: path},
	}}
}

// prepareVolumes returns the volumes that prepareContainer mounts, besides the one with the data.
func prepareVolumes(inst instance.Instance) []corev1.Volume {
	secret := func(volume, name string) corev1.Volume {
		return corev1.Volume{Name: volume, VolumeSource: corev1.VolumeSource{
			// If the pod network cannot reach the API server, the mounted copies are enough for a restart.
			Secret: &corev1.SecretVolumeSource{SecretName: name, Optional: new(true)},
		}}
	}
	volumes := []corev1.Volume{
		{Name: tokenVolume, VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
			// The same files that the kubelet would mount here by itself, but only into this container.
			Sources: []corev1.VolumeProjection{
				{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Path: "token", ExpirationSeconds: new(int64(tokenExpirationSeconds))}},
				{ConfigMap: &corev1.ConfigMapProjection{
					LocalObjectReference: corev1.LocalObjectReference{Name: "kube-root-ca.crt"},
					Items:                []corev1.KeyToPath{{Key: "ca.crt", Path: "ca.crt"}},
				}},
			},
		}}},
		secret(passwordSecretVolume, inst.PasswordSecret()),
		secret(connectionSecretVolume, inst.ConnectionSecret()),
	}
	if hasFlagFile(inst) {
		volumes = append(volumes, corev1.Volume{Name: flagVolume, VolumeSource: corev1.VolumeSource{
			EmptyDir: &corev1.EmptyDirVolumeSource{Medium: corev1.StorageMediumMemory, SizeLimit: new(resource.MustParse("1Mi"))},
		}})
	}
	return volumes
}

// passwordVariable returns the variable from which Dragonfly reads a password that no init container provides. The more
// obvious DFLY_PASSWORD has been refused since 1.14.
func passwordVariable(inst instance.Instance) corev1.EnvVar {
	return corev1.EnvVar{Name: handover.PasswordVariable, ValueFrom: &corev1.EnvVarSource{
		SecretKeyRef: passwordKey(inst),
	}}
}

// passwordKey returns the key of the password Secret that the server reads. With InCluster, it is the key of the rotation,
// which does not exist until the password of the rotation does.
func passwordKey(inst instance.Instance) *corev1.SecretKeySelector {
	key := v1alpha1.PasswordKey
	if inst.Source == v1alpha1.InCluster {
		key = handover.RotationKey(inst.Rotation)
	}
	return &corev1.SecretKeySelector{
		LocalObjectReference: corev1.LocalObjectReference{Name: inst.PasswordSecret()}, Key: key,
	}
}
