package overrides

import (
	"path"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/instance"
	"github.com/bizmatters/dragonfly-generator/internal/operator"
	"github.com/bizmatters/dragonfly-generator/internal/prepare/handover"
	"github.com/bizmatters/dragonfly-generator/internal/specs"
)

// fixed is a part of an object that a patch may not change.
type fixed[T any] struct {
	path, why string
	of        func(T) any
}

// identity is fixed in every object: its kind and names, the labels that select it, and the annotations by which
// kustomize, kpt and this function recognize it.
func identity[T metav1.Object](kind func(T) any) []fixed[T] {
	return []fixed[T]{
		{"kind", "a patch cannot turn an object into another", kind},
		{"metadata.name", "names and namespaces follow from the claim", func(o T) any { return o.GetName() }},
		{"metadata.namespace", "names and namespaces follow from the claim", func(o T) any { return o.GetNamespace() }},
		{"metadata.labels", whyLabels, func(o T) any { return only(o.GetLabels(), v1alpha1.IsOwnLabel) }},
		{"metadata.annotations", whyMark, func(o T) any { return only(o.GetAnnotations(), isOwnAnnotation) }},
	}
}

const (
	whyLabels   = "the labels app and app.kubernetes.io/… follow from the claim"
	whyMark     = "this function needs the annotations of database.bizmatters.io, and kustomize and kpt those of config.kubernetes.io, to track objects"
	whyPassword = "the password reaches the server through it"
	whyOwn      = "it runs this program, so only its resources can be changed and its security context made stricter"
	whyFlags    = "flags belong in spec.args, where they are checked"
	whyEnv      = "DFLY_… variables are flags, which belong in spec.args, and the password is the instance's"
	whySize     = "CPU, memory and some flags follow from the size, which spec.sizes defines"
	whyAccount  = "it depends on the password source and on spec.serviceAccount"
)

func isOwnAnnotation(key string) bool {
	return strings.HasPrefix(key, v1alpha1.Group+"/") || v1alpha1.IsBookkeeping(key)
}

var fixedOfStatefulSet = append(identity(func(s *appsv1.StatefulSet) any { return s.TypeMeta }), []fixed[*appsv1.StatefulSet]{
	{"spec.selector", "the selector of a live instance is fixed", func(s *appsv1.StatefulSet) any { return s.Spec.Selector }},
	{"spec.serviceName", "it is fixed for a live instance", func(s *appsv1.StatefulSet) any { return s.Spec.ServiceName }},
	{"spec.replicas", "the pods would be separate stores behind one Service", func(s *appsv1.StatefulSet) any {
		return s.Spec.Replicas == nil || *s.Spec.Replicas == 0 || *s.Spec.Replicas == 1 // 0 is a pause
	}},
	{"spec.ordinals", "the pod would get another name, and with it a new, empty volume", func(s *appsv1.StatefulSet) any { return s.Spec.Ordinals }},
	{"spec.volumeClaimTemplates", "the volume " + specs.DataVolume + " follows from storageGB and spec.storageClassName", func(s *appsv1.StatefulSet) any {
		var found []string
		for _, claim := range s.Spec.VolumeClaimTemplates {
			if claim.Name == specs.DataVolume || claim.Name == "" {
				found = append(found, claim.Name, claim.Spec.Resources.Requests.Storage().String(), orZero(claim.Spec.StorageClassName))
			}
		}
		return found
	}},
	{"spec.persistentVolumeClaimRetentionPolicy", "the volume would be deleted with the StatefulSet, or by a pause", func(s *appsv1.StatefulSet) any {
		policy := orZero(s.Spec.PersistentVolumeClaimRetentionPolicy)
		return policy.WhenDeleted == appsv1.DeletePersistentVolumeClaimRetentionPolicyType || policy.WhenScaled == appsv1.DeletePersistentVolumeClaimRetentionPolicyType
	}},
	{"spec.template.metadata.labels", whyLabels, func(s *appsv1.StatefulSet) any { return only(s.Spec.Template.Labels, v1alpha1.IsOwnLabel) }},
	{"spec.template.metadata.annotations", whyMark, func(s *appsv1.StatefulSet) any { return only(s.Spec.Template.Annotations, isOwnAnnotation) }},
	{"spec.template.spec.enableServiceLinks", "with service links, a Service named dfly-… stops every Dragonfly in its namespace", func(s *appsv1.StatefulSet) any {
		return s.Spec.Template.Spec.EnableServiceLinks
	}},
	{"spec.template.spec.serviceAccountName", whyAccount, func(s *appsv1.StatefulSet) any {
		return s.Spec.Template.Spec.ServiceAccountName + s.Spec.Template.Spec.DeprecatedServiceAccount
	}},
	{"spec.template.spec.automountServiceAccountToken", "the server needs no token, and the init container has its own", func(s *appsv1.StatefulSet) any {
		return s.Spec.Template.Spec.AutomountServiceAccountToken
	}},
	{"spec.template.spec.initContainers[" + specs.PrepareContainer + "]", whyOwn, func(s *appsv1.StatefulSet) any {
		return ownContainers(s.Spec.Template.Spec.InitContainers, specs.PrepareContainer)
	}},
	{"spec.template.spec.initContainers[" + specs.CertificateContainer + "]", whyOwn, func(s *appsv1.StatefulSet) any {
		return ownContainers(s.Spec.Template.Spec.InitContainers, specs.CertificateContainer)
	}},
	{"spec.template.spec.volumes", whyPassword, func(s *appsv1.StatefulSet) any {
		return withNames(s.Spec.Template.Spec.Volumes, volumeName, specs.OwnVolumes...)
	}},
	{"spec.template.spec.containers", "the server's container cannot be deleted", func(s *appsv1.StatefulSet) any {
		return len(withNames(s.Spec.Template.Spec.Containers, containerName, specs.ContainerName))
	}},
	ofServer("image", "the image has a field of its own, spec.image, where its version is checked", func(c corev1.Container) any { return c.Image }),
	ofServer("command", "the image's own entry point starts Dragonfly", func(c corev1.Container) any { return c.Command }),
	ofServer("args", whyFlags, func(c corev1.Container) any { return c.Args }),
	ofServer("env", whyEnv, func(c corev1.Container) any { return flagVariables(c.Env) }),
	ofServer("envFrom", "a key named DFLY_… would set a flag, unless it has a prefix or is listed under env", func(c corev1.Container) any {
		return slices.ContainsFunc(c.EnvFrom, func(from corev1.EnvFromSource) bool {
			shared := min(len(from.Prefix), len(v1alpha1.FlagVariable))
			return from.Prefix[:shared] == v1alpha1.FlagVariable[:shared]
		})
	}),
	ofServer("resources", whySize, func(c corev1.Container) any { return amounts(c.Resources) }),
	ofServer("ports", "the Service and the probes need the port dragonfly", func(c corev1.Container) any {
		return filter(c.Ports, func(p corev1.ContainerPort) bool { return p.Name == "dragonfly" || p.ContainerPort == instance.Port })
	}),
	ofServer("volumeMounts", "the data would be lost with the pod, or the password would not reach the server", func(c corev1.Container) any {
		return filter(c.VolumeMounts, func(m corev1.VolumeMount) bool {
			at := path.Clean(m.MountPath)
			return slices.Contains(specs.OwnVolumes, m.Name) || m.Name == specs.DataVolume || at == specs.DataPath || strings.HasPrefix(at+"/", handover.FlagFolder+"/")
		})
	}),
}...)

// ofServer is a fixed part of the server's container.
func ofServer(path, why string, of func(corev1.Container) any) fixed[*appsv1.StatefulSet] {
	return fixed[*appsv1.StatefulSet]{"spec.template.spec.containers[" + specs.ContainerName + "]." + path, why, func(s *appsv1.StatefulSet) any {
		return of(append(withNames(s.Spec.Template.Spec.Containers, containerName, specs.ContainerName), corev1.Container{})[0])
	}}
}

var fixedOfService = append(identity(func(s *corev1.Service) any { return s.TypeMeta }), []fixed[*corev1.Service]{
	{"spec.selector", "the selector of a live instance is fixed", func(s *corev1.Service) any { return s.Spec.Selector }},
	{"spec.type", "the endpoint must be this Service", func(s *corev1.Service) any { return s.Spec.Type == corev1.ServiceTypeExternalName }},
	{"spec.ports", "the endpoint uses this port", func(s *corev1.Service) any {
		i := slices.IndexFunc(s.Spec.Ports, func(p corev1.ServicePort) bool { return p.Port == instance.Port })
		if i < 0 {
			return nil
		}
		return []any{s.Spec.Ports[i].TargetPort, s.Spec.Ports[i].Protocol}
	}},
	{"spec.clusterIP", "the Service has its own address, which is fixed for a live instance", func(s *corev1.Service) any {
		return append(s.Spec.ClusterIPs, s.Spec.ClusterIP)
	}},
}...)

var fixedOfDragonfly = append(identity(func(d *operator.Dragonfly) any { return d.TypeMeta }), []fixed[*operator.Dragonfly]{
	{"spec.podMetadata.annotations", whyMark, func(d *operator.Dragonfly) any {
		return only(orZero(d.Spec.PodMetadata).Annotations, isOwnAnnotation)
	}},
	{"spec.replicas", "spec.replicas sets it", func(d *operator.Dragonfly) any { return d.Spec.Replicas }},
	{"spec.image", "spec.image sets it", func(d *operator.Dragonfly) any { return d.Spec.Image }},
	{"spec.args", whyFlags, func(d *operator.Dragonfly) any { return d.Spec.Args }},
	{"spec.env", whyEnv, func(d *operator.Dragonfly) any { return flagVariables(d.Spec.Env) }},
	{"spec.resources", whySize, func(d *operator.Dragonfly) any { return amounts(orZero(d.Spec.Resources)) }},
	{"spec.authentication.passwordFromSecret", "spec.password sets who creates the password", func(d *operator.Dragonfly) any {
		return orZero(d.Spec.Authentication).PasswordFromSecret
	}},
	{"spec.tlsSecretRef", "spec.tls sets it, and with it the scheme in the connection Secret", func(d *operator.Dragonfly) any { return d.Spec.TLSSecretRef }},
	{"spec.memcachedPort", "its clients need no password", func(d *operator.Dragonfly) any { return d.Spec.MemcachedPort }},
	{"spec.snapshot", "spec.storage, spec.snapshotCron and storageGB set it", func(d *operator.Dragonfly) any {
		snapshot := orZero(d.Spec.Snapshot)
		claim := orZero(snapshot.PersistentVolumeClaimSpec)
		return []any{snapshot.Dir, snapshot.Cron, snapshot.ExistingPersistentVolumeClaimName, claim.Resources.Requests.Storage().String(), orZero(claim.StorageClassName)}
	}},
	{"spec.serviceSpec", "the endpoint must be a Service with the claim's name", func(d *operator.Dragonfly) any {
		service := orZero(d.Spec.ServiceSpec)
		return []any{service.Name, service.Type == corev1.ServiceTypeExternalName}
	}},
	{"spec.serviceAccountName", whyAccount, func(d *operator.Dragonfly) any { return d.Spec.ServiceAccountName }},
	{"spec.initContainers[" + specs.PrepareContainer + "]", whyOwn, func(d *operator.Dragonfly) any {
		return ownContainers(d.Spec.InitContainers, specs.PrepareContainer)
	}},
	{"spec.initContainers[" + specs.CertificateContainer + "]", whyOwn, func(d *operator.Dragonfly) any {
		return ownContainers(d.Spec.InitContainers, specs.CertificateContainer)
	}},
	{"spec.additionalVolumes", whyPassword, func(d *operator.Dragonfly) any {
		return withNames(d.Spec.AdditionalVolumes, volumeName, append(specs.OwnVolumes, operator.DataVolume)...)
	}},
	{"spec.additionalContainers", "a container of that name would replace the server's", func(d *operator.Dragonfly) any {
		return withNames(d.Spec.AdditionalContainers, containerName, operator.Container)
	}},
	{"spec.labels", "podMetadata has replaced it and overrides it", func(d *operator.Dragonfly) any { return len(d.Spec.Labels) }},
	{"spec.annotations", "podMetadata has replaced it and overrides it", func(d *operator.Dragonfly) any { return len(d.Spec.Annotations) }},
	{"spec.podMetadata.labels", whyManaged, func(d *operator.Dragonfly) any {
		return only(orZero(d.Spec.PodMetadata).Labels, operator.ManagesLabel)
	}},
	{"spec.podMetadata.labels.role", "the operator uses it to tell the master from the replicas", func(d *operator.Dragonfly) any {
		return only(orZero(d.Spec.PodMetadata).Labels, operator.TellsPodsApart)
	}},
	{"spec.ownedObjectsMetadata.labels", whyManaged, func(d *operator.Dragonfly) any {
		return only(orZero(d.Spec.OwnedObjectsMetadata).Labels, operator.ManagesLabel)
	}},
	{"spec.serviceSpec.labels", whyManaged, func(d *operator.Dragonfly) any {
		return only(orZero(d.Spec.ServiceSpec).Labels, operator.ManagesLabel)
	}},
}...)

const whyManaged = "the operator sets such labels itself, and since v1.6 it ignores an object that has them"

// ownContainers returns the fixed parts of a container that runs this program: everything but its resources and a security
// context that is at least as strict as ours.
func ownContainers(initContainers []corev1.Container, name string) []corev1.Container {
	found := withNames(initContainers, containerName, name)
	for i, c := range found {
		found[i].Resources = corev1.ResourceRequirements{}
		if isRestricted(c.SecurityContext) {
			found[i].SecurityContext = nil
		}
	}
	return found
}

// isRestricted reports whether a security context is at least as strict as ours.
func isRestricted(c *corev1.SecurityContext) bool {
	if c == nil {
		return false
	}
	equals := func(flag *bool, want bool) bool { return flag != nil && *flag == want }
	capabilities, seccomp, appArmor := orZero(c.Capabilities), orZero(c.SeccompProfile), orZero(c.AppArmorProfile)
	return equals(c.AllowPrivilegeEscalation, false) && equals(c.ReadOnlyRootFilesystem, true) && equals(c.RunAsNonRoot, true) &&
		!equals(c.Privileged, true) && orZero(c.ProcMount) != corev1.UnmaskedProcMount &&
		slices.Contains(capabilities.Drop, "ALL") && len(capabilities.Add) == 0 &&
		c.SeccompProfile != nil && seccomp.Type != corev1.SeccompProfileTypeUnconfined &&
		appArmor.Type != corev1.AppArmorProfileTypeUnconfined
}

func flagVariables(env []corev1.EnvVar) []corev1.EnvVar {
	return filter(env, func(variable corev1.EnvVar) bool { return strings.HasPrefix(variable.Name, v1alpha1.FlagVariable) })
}

// amounts are the amounts of CPU and memory, however they are written.
func amounts(r corev1.ResourceRequirements) [4]int64 {
	return [4]int64{
		r.Requests.Cpu().MilliValue(), r.Requests.Memory().Value(), r.Limits.Cpu().MilliValue(), r.Limits.Memory().Value(),
	}
}
