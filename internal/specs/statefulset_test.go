package specs_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/bizmatters/dragonfly-generator/internal/config"
	"github.com/bizmatters/dragonfly-generator/internal/specs"
)

// TestImmutableParts checks the fields that Kubernetes does not let us change on instances made by Crossplane.
func TestImmutableParts(t *testing.T) {
	spec := specs.StatefulSet(myCache(t)).Spec
	assert.Equal(t, "my-cache", spec.ServiceName, "The name of the governing Service is immutable.")
	assert.Equal(t, &metav1.LabelSelector{MatchLabels: map[string]string{"app": "my-cache"}}, spec.Selector, "The selector is immutable.")
	assert.Empty(t, spec.PodManagementPolicy, "The default, which is immutable, is not spelled out.")

	require.Len(t, spec.VolumeClaimTemplates, 1, "The claim templates are immutable.")
	claim := spec.VolumeClaimTemplates[0]
	assert.Equal(t, metav1.ObjectMeta{Name: "dragonfly-data"}, claim.ObjectMeta, "The claim template has this name and no labels.")
	assert.Equal(t, corev1.PersistentVolumeClaimSpec{
		AccessModes:      []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
		StorageClassName: new("local-path"),
		Resources: corev1.VolumeResourceRequirements{
			Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("10Gi")},
		},
	}, claim.Spec, "The volume's spec is immutable.")
	assert.Equal(t, corev1.PersistentVolumeClaimStatus{}, claim.Status)

	pod := spec.Template.Spec.SecurityContext
	for _, id := range []struct {
		reason string
		want   int64
		got    *int64
	}{
		{"The files on the volume belong to this user, with mode 0600.", 1000, pod.RunAsUser},
		{"The files on the volume belong to this group.", 1000, pod.RunAsGroup},
		{"The volume belongs to this group.", 2000, pod.FSGroup},
	} {
		require.NotNil(t, id.got, id.reason)
		assert.Equal(t, id.want, *id.got, id.reason)
	}
}

// TestPodSurvives checks settings that, if different, are known to kill Dragonfly or lose its data.
func TestPodSurvives(t *testing.T) {
	set := specs.StatefulSet(myCache(t))
	spec, pod := set.Spec, set.Spec.Template.Spec
	require.Len(t, pod.Containers, 1, "Nothing runs beside Dragonfly.")
	c := pod.Containers[0]
	require.NotNil(t, c.ReadinessProbe)
	require.NotNil(t, c.LivenessProbe)
	dataPort := intstr.FromString("dragonfly")

	for _, tc := range []struct {
		reason    string
		got, want any
	}{
		{"One pod keeps the data.", spec.Replicas, new(int32(1))},
		{"A Service named dfly-metrics would become a DFLY_ variable, on which Dragonfly aborts.", pod.EnableServiceLinks, new(false)},
		{"Dragonfly has no business with the API server.", pod.AutomountServiceAccountToken, new(false)},
		{"Databases run on their dedicated nodes.", pod.NodeSelector, map[string]string{"workload-type": "stateful"}},
		{"A snapshot is written on SIGTERM, which takes time.", pod.TerminationGracePeriodSeconds, new(int64(600))},
		{"If the volume is deleted with its StatefulSet, the data is lost.", spec.PersistentVolumeClaimRetentionPolicy,
			&appsv1.StatefulSetPersistentVolumeClaimRetentionPolicy{
				WhenDeleted: appsv1.RetainPersistentVolumeClaimRetentionPolicyType,
				WhenScaled:  appsv1.RetainPersistentVolumeClaimRetentionPolicyType,
			}},
		{"The pod carries our labels and nothing from the claim.", spec.Template.Labels, ourLabels},

		{"The image is pinned to a release.", c.Image, "docker.dragonflydb.io/dragonflydb/dragonfly:v1.40.1"},
		{"A pinned image need not be pulled again.", c.ImagePullPolicy, corev1.PullIfNotPresent},
		{"The image's entry point does work that a custom command would skip.", c.Command, []string(nil)},
		{"The password comes from its Secret, under the only name that Dragonfly still accepts.", c.Env, []corev1.EnvVar{{
			Name: "DFLY_requirepass",
			ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
				LocalObjectReference: corev1.LocalObjectReference{Name: "my-cache-password"}, Key: "password",
			}},
		}}},
		{"Without these the password could come from anywhere.", c.EnvFrom, []corev1.EnvFromSource(nil)},
		{"The port has the name that the probes use.", c.Ports, []corev1.ContainerPort{{Name: "dragonfly", ContainerPort: 6379, Protocol: corev1.ProtocolTCP}}},
		{"The data is where Dragonfly writes it, and the root file system is read-only but for /tmp.", c.VolumeMounts, []corev1.VolumeMount{
			{Name: "dragonfly-data", MountPath: "/data"}, {Name: "tmp", MountPath: "/tmp"},
		}},
		{"The contents of /tmp need not survive.", pod.Volumes, []corev1.Volume{{
			Name: "tmp", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}},
		}}},

		{"Traffic waits until the snapshot is loaded.", c.ReadinessProbe.ProbeHandler,
			corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/healthz", Port: dataPort}}},
		{"A pod that is loading its snapshot is alive, although /healthz returns 503.", c.LivenessProbe.ProbeHandler,
			corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: dataPort}}},
		{"A busy node is not a reason to restart a store.", []int32{c.LivenessProbe.TimeoutSeconds, c.LivenessProbe.FailureThreshold, c.ReadinessProbe.TimeoutSeconds}, []int32{5, 6, 5}},
		{"A startup probe would kill a pod that is loading a large snapshot.", c.StartupProbe, (*corev1.Probe)(nil)},
	} {
		assert.Equal(t, tc.want, tc.got, tc.reason)
	}
}

// TestPodSecurityRestricted checks what the Pod Security standard `restricted` requires.
func TestPodSecurityRestricted(t *testing.T) {
	pod := pod(myCache(t))
	runtimeDefault := &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}

	require.NotNil(t, pod.SecurityContext)
	assert.Equal(t, new(true), pod.SecurityContext.RunAsNonRoot, "The pod does not run as root.")
	assert.Equal(t, runtimeDefault, pod.SecurityContext.SeccompProfile, "The pod has a seccomp profile.")
	assert.False(t, pod.HostNetwork || pod.HostPID || pod.HostIPC, "The pod shares nothing with its host.")
	require.Len(t, pod.Containers, 1)
	assert.Equal(t, &corev1.SecurityContext{
		AllowPrivilegeEscalation: new(false),
		Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		ReadOnlyRootFilesystem:   new(true),
		RunAsNonRoot:             new(true),
		SeccompProfile:           runtimeDefault,
	}, pod.Containers[0].SecurityContext, "The container sets it too: some policies look only there.")
}

func TestFlags(t *testing.T) {
	for _, tc := range []struct {
		size               string
		maxMemory, threads string
	}{
		{"micro", "751619276", "1"},
		{"small", "1503238553", "1"},
		{"medium", "3006477107", "2"},
		{"large", "6012954214", "4"},
	} {
		inst := myCache(t)
		inst.Size = inst.Config.Sizes[tc.size]
		c := pod(inst).Containers[0]
		assert.Equal(t, []string{
			"--dir=/data", "--dbfilename=dump", "--snapshot_cron=*/30 * * * *",
			"--maxmemory=" + tc.maxMemory, "--proactor_threads=" + tc.threads, "--version_check=false",
		}, c.Args, "The flags of the size %s.", tc.size)
		assert.Equal(t, corev1.ResourceRequirements{
			Requests: corev1.ResourceList{corev1.ResourceCPU: *inst.Size.Requests.CPU, corev1.ResourceMemory: *inst.Size.Requests.Memory},
			Limits:   corev1.ResourceList{corev1.ResourceCPU: *inst.Size.Limits.CPU, corev1.ResourceMemory: *inst.Size.Limits.Memory},
		}, c.Resources, "The resources of the size %s.", tc.size)
	}
}

func TestStatefulSetAsConfigured(t *testing.T) {
	inst := myCache(t, func(cfg *config.Spec) {
		cfg.Image = new("registry.example.com/dragonfly:v1.41.0")
		cfg.ImagePullPolicy = new(corev1.PullAlways)
		cfg.StorageClassName = new("fast")
		cfg.NodeSelector = map[string]string{"disk": "ssd"}
	})
	inst.Claim.StorageGB = new(int32(500))
	set := specs.StatefulSet(inst)
	pod, claim := set.Spec.Template.Spec, set.Spec.VolumeClaimTemplates[0].Spec

	assert.Equal(t, "registry.example.com/dragonfly:v1.41.0", pod.Containers[0].Image, "The configuration sets the image.")
	assert.Equal(t, corev1.PullAlways, pod.Containers[0].ImagePullPolicy, "The configuration sets the pull policy.")
	assert.Equal(t, new("fast"), claim.StorageClassName, "The configuration sets the storage class.")
	assert.Equal(t, map[string]string{"disk": "ssd"}, pod.NodeSelector, "The configuration's node selector replaces ours.")
	assert.Equal(t, "500Gi", claim.Resources.Requests.Storage().String(), "The claim sets the storage, in GiB.")

	pod.NodeSelector["disk"] = "hdd"
	assert.Equal(t, map[string]string{"disk": "ssd"}, inst.Config.NodeSelector, "Changes to one instance do not leak into the next.")
}

func TestNoFlagHoldsThePassword(t *testing.T) {
	for _, arg := range pod(myCache(t)).Containers[0].Args {
		assert.False(t, strings.Contains(arg, "requirepass"), "Arguments are visible in the process list: %s", arg)
	}
}
