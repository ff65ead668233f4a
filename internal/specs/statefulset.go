package specs

import (
	"fmt"
	"maps"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/instance"
	"github.com/bizmatters/dragonfly-generator/internal/prepare/handover"
)

const (
	// DataVolume is the name of the claim template, which is immutable.
	DataVolume = "dragonfly-data"
	// DataPath is where it is mounted.
	DataPath  = "/data"
	tmpVolume = "tmp"

	// PortName is the name of the server's port.
	PortName = "dragonfly"
	// HealthPath is what the readiness probe requests from it.
	HealthPath = "/healthz"
	// ContainerName is the name of Dragonfly's container; patches may add others.
	ContainerName = "dragonfly"
	// PrepareContainer is the init container that provides the server's password.
	PrepareContainer = handover.Command
	// CertificateContainer is the sidecar that makes the server reload a renewed certificate.
	CertificateContainer = handover.CertificateCommand

	// The files on the volumes of live instances belong to this user, with mode 0600.
	userID, groupID, fsGroupID = 1000, 1000, 2000

	// A busy node is no reason to restart a store. So a probe waits this long for a response, and the liveness probe gives up
	// only after this many failures in a row, ten seconds apart.
	probeTimeoutSeconds = 5
	livenessFailures    = 6

	// A restarted store is ready as soon as it has loaded, and unready after half a minute without a response.
	readinessPeriodSeconds = 2
	readinessFailures      = 15
)

// StatefulSet returns the StatefulSet that runs one Dragonfly.
func StatefulSet(inst instance.Instance) *appsv1.StatefulSet {
	set := &appsv1.StatefulSet{
		TypeMeta:   metav1.TypeMeta{APIVersion: "apps/v1", Kind: "StatefulSet"},
		ObjectMeta: Metadata(inst, inst.StatefulSet()),
		Spec: appsv1.StatefulSetSpec{
			Replicas:    new(int32(1)),
			ServiceName: inst.Service(),
			Selector:    &metav1.LabelSelector{MatchLabels: map[string]string{"app": inst.Name.Name}}, // immutable on a live one
			Template:    podTemplate(inst),
			PersistentVolumeClaimRetentionPolicy: &appsv1.StatefulSetPersistentVolumeClaimRetentionPolicy{
				WhenDeleted: appsv1.RetainPersistentVolumeClaimRetentionPolicyType,
				WhenScaled:  appsv1.RetainPersistentVolumeClaimRetentionPolicyType,
			},
		},
	}
	if inst.HasVolume() {
		set.Spec.VolumeClaimTemplates = []corev1.PersistentVolumeClaim{dataClaim(inst)}
	}
	return set
}

// podTemplate returns the pod, with the instance's own labels only: an edited label must not restart a database, nor put a
// pod behind another instance's Service.
func podTemplate(inst instance.Instance) corev1.PodTemplateSpec {
	var annotations map[string]string
	if inst.Rotation != "" { // a new password restarts the pod
		annotations = map[string]string{v1alpha1.PasswordRotation: inst.Rotation}
	}
	var pullSecrets []corev1.LocalObjectReference
	for _, secret := range inst.Config.ImagePullSecrets {
		pullSecrets = append(pullSecrets, corev1.LocalObjectReference{Name: secret.Name})
	}
	template := corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: inst.OwnLabels(), Annotations: annotations},
		Spec: corev1.PodSpec{
			// With service links, a Service named dfly-… in the same namespace becomes a DFLY_ variable, and
			// Dragonfly aborts on a variable that is not a flag (dragonfly-operator issue 588).
			EnableServiceLinks:            new(false),
			AutomountServiceAccountToken:  new(false),
			NodeSelector:                  maps.Clone(inst.Config.NodeSelector),
			Tolerations:                   slices.Clone(inst.Config.Tolerations),
			ImagePullSecrets:              pullSecrets,
			TerminationGracePeriodSeconds: new(inst.Size.TerminationGraceSeconds()),
			SecurityContext: &corev1.PodSecurityContext{
				RunAsNonRoot:   new(true),
				RunAsUser:      new(int64(userID)),
				RunAsGroup:     new(int64(groupID)),
				FSGroup:        new(int64(fsGroupID)),
				SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
			},
			Containers: []corev1.Container{container(inst)},
			Volumes: []corev1.Volume{{
				Name:         tmpVolume,
				VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}},
			}},
		},
	}
	addStorage(&template.Spec, inst)
	addPassword(&template.Spec, inst)
	addTLS(&template.Spec, inst)
	addCertificateKeeper(&template.Spec, inst)
	template.Spec.ServiceAccountName = accountName(inst)
	return template
}

// addPassword passes the password to the server: in a file from the init container, which still exists when the server's
// container restarts, or in a variable.
func addPassword(pod *corev1.PodSpec, inst instance.Instance) {
	server := &pod.Containers[0]
	if !inst.HasPrepare() {
		server.Env = append(server.Env, passwordVariable(inst))
		return
	}
	pod.InitContainers = append(pod.InitContainers, prepareContainer(inst))
	pod.Volumes = append(pod.Volumes, prepareVolumes(inst)...)
	server.Args = append(server.Args, "--flagfile="+handover.FlagFile)
	server.VolumeMounts = append(server.VolumeMounts, corev1.VolumeMount{
		Name: flagVolume, MountPath: handover.FlagFolder, ReadOnly: true,
	})
}

func container(inst instance.Instance) corev1.Container {
	port := intstr.FromString(PortName)
	return corev1.Container{
		Name:            ContainerName,
		Image:           *inst.Config.Image,
		ImagePullPolicy: *inst.Config.ImagePullPolicy,
		Args:            flags(inst),
		Ports:           []corev1.ContainerPort{{Name: PortName, ContainerPort: instance.Port, Protocol: corev1.ProtocolTCP}},
		Resources: corev1.ResourceRequirements{
			Requests: resources(inst.Size.Requests),
			Limits:   resources(inst.Size.Limits),
		},
		// While a snapshot loads, /healthz returns 503, however long that takes. So it is only the readiness probe: as a startup
		// or liveness probe, it would kill the pod while it loads.
		ReadinessProbe: &corev1.Probe{
			ProbeHandler:     corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: HealthPath, Port: port}},
			PeriodSeconds:    readinessPeriodSeconds,
			TimeoutSeconds:   probeTimeoutSeconds,
			FailureThreshold: readinessFailures,
		},
		LivenessProbe: &corev1.Probe{
			ProbeHandler:     corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: port}},
			TimeoutSeconds:   probeTimeoutSeconds,
			FailureThreshold: livenessFailures,
		},
		SecurityContext: restricted(),
		VolumeMounts:    []corev1.VolumeMount{{Name: tmpVolume, MountPath: "/tmp"}},
	}
}

// restricted is at least what Pod Security "restricted" requires of a container.
func restricted() *corev1.SecurityContext {
	return &corev1.SecurityContext{
		AllowPrivilegeEscalation: new(false),
		Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		ReadOnlyRootFilesystem:   new(true),
		RunAsNonRoot:             new(true),
		SeccompProfile:           &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
	}
}

// flags returns Dragonfly's flags. The password is not among them, because arguments are visible in the process list.
func flags(inst instance.Instance) []string {
	flags := snapshotFlags(inst)
	if !hasFlagFile(inst) { // otherwise, it is in the flag file, because a snapshot may need more
		flags = append(flags, fmt.Sprintf("--maxmemory=%d", inst.Size.MaxMemory()))
	}
	flags = append(flags,
		fmt.Sprintf("--proactor_threads=%d", inst.Size.ThreadCount()),
		"--version_check=false",
	)
	return append(flags, inst.Config.Args...)
}

func resources(r v1alpha1.Resources) corev1.ResourceList {
	list := corev1.ResourceList{}
	for name, amount := range map[corev1.ResourceName]*resource.Quantity{corev1.ResourceCPU: r.CPU, corev1.ResourceMemory: r.Memory} {
		if amount != nil && !amount.IsZero() {
			list[name] = *amount
		}
	}
	return list
}
