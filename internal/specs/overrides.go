package specs

import (
	"path"
	"reflect"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/config"
	"github.com/bizmatters/dragonfly-generator/internal/decode"
	"github.com/bizmatters/dragonfly-generator/internal/instance"
	"github.com/bizmatters/dragonfly-generator/internal/krm"
	"github.com/bizmatters/dragonfly-generator/internal/prepare/handover"
	"github.com/bizmatters/dragonfly-generator/internal/report"
	"github.com/bizmatters/dragonfly-generator/internal/yamlnode"
)

// CheckOverrides reports what the patches of the configuration, of each profile, change that has to stay ours:
// names, selectors and the labels that they need, the mark, the flags, what makes the password, and where the data
// is. It tries them on two instances that have nothing in common: a patch that sets something can leave one of
// them as it was, but not both.
func CheckOverrides(functionConfig *krm.Item, platform config.Platform, results *report.Results) {
	c := checker{Object: decode.Object{Item: functionConfig, Results: results}}
	for profile, cfg := range platform.All() {
		c.profile = profile
		for i, name := range []string{"first", "second"} {
			size := instance.Size{
				Requests: instance.Resources{CPU: *resource.NewQuantity(int64(1+i), resource.DecimalSI), Memory: *resource.NewQuantity(int64(1+i)<<30, resource.BinarySI)},
				Limits:   instance.Resources{CPU: *resource.NewQuantity(int64(3+i), resource.DecimalSI), Memory: *resource.NewQuantity(int64(3+i)<<30, resource.BinarySI)},
			}
			inst := instance.Instance{
				Name: instance.Name{Namespace: "the-" + name + "-namespace", Name: "the-" + name + "-instance"}, Size: size, StorageGB: 7 + i, Source: v1alpha1.External,
			}
			if i > 0 {
				inst.Source, inst.Rotation = v1alpha1.InCluster, "1"
			}
			c.instance(inst, filled(cfg, inst.Name))
		}
	}
}

// checker tries the patches of a profile.
type checker struct {
	decode.Object
	profile string // "" for none
	cfg     config.Config
}

// instance tries them on an instance.
func (c *checker) instance(inst instance.Instance, cfg config.Config) {
	c.cfg = cfg
	if cfg.Backend == v1alpha1.StatefulSet {
		set := statefulSet(inst, cfg)
		for _, patch := range cfg.Overrides.StatefulSet {
			if set = c.statefulSet(set, patch); set == nil {
				break
			}
		}
		if set != nil {
			c.tls(set)
			if server, found := dragonflyOf(set); found {
				c.bucket(server.Env, server.EnvFrom)
			}
		}
	} else {
		c.dragonfly(inst, cfg)
	}
	service := service(inst, cfg)
	for _, patch := range cfg.Overrides.Service {
		if service = c.service(service, patch); service == nil {
			break
		}
	}
}

// errorf reports a problem with a patch that is tried, at a path in it. One of spec that is a problem in a profile alone
// is the profile's.
func (c *checker) errorf(patch config.Patch, path, format string, args ...any) {
	at := strings.TrimSuffix(patch.Path+"."+path, ".")
	if own := config.Path(c.profile); !strings.HasPrefix(at, own+".") {
		if c.HasProblemIn(at) {
			return
		}
		at = own + strings.TrimPrefix(at, config.Path(""))
	}
	c.Errorf(report.Field{Path: at}, format, args...)
}

func (c *checker) service(ours *corev1.Service, patch config.Patch) *corev1.Service {
	theirs, err := applyPatch(ours, patch.Node)
	if err != nil {
		c.errorf(patch, "", "%s", err)
		return nil
	}
	compare(c, patch, "", ours, theirs, keptOfService)
	return theirs
}

func (c *checker) statefulSet(ours *appsv1.StatefulSet, patch config.Patch) *appsv1.StatefulSet {
	theirs, err := patchStatefulSet(ours, patch.Node)
	if err != nil {
		c.errorf(patch, "", "%s", err)
		return nil
	}
	compare(c, patch, "", ours, theirs, keptOfStatefulSet)
	const containers = "spec.template.spec.containers"
	container, found := dragonflyOf(theirs)
	if !found {
		c.errorf(patch, containers, "the container %s cannot be deleted; remove that from the patch", ContainerName)
		return nil
	}
	before, _ := dragonflyOf(ours)
	compare(c, patch, containers+"["+ContainerName+"].", before, container, keptOfContainer)
	c.merged(patch, "spec.template.spec", theirs)
	return theirs
}

// merged reports what a merge easily leaves behind: two kinds of a probe or a volume, if a patch added one
// without removing the other, and mounts of volumes that it removed.
func (c *checker) merged(patch config.Patch, path string, set *appsv1.StatefulSet) {
	pod := set.Spec.Template.Spec
	volumes := []string{volumeOf(c.cfg)} // a pod without it is refused elsewhere
	for _, template := range set.Spec.VolumeClaimTemplates {
		volumes = append(volumes, template.Name)
	}
	for _, volume := range pod.Volumes {
		volumes = append(volumes, volume.Name)
		if kinds(volume.VolumeSource) > 1 {
			c.errorf(patch, path+".volumes["+volume.Name+"]", "has two volume types after the patch; set the original one to null")
		}
	}
	for _, list := range []struct {
		name       string
		containers []corev1.Container
	}{{"initContainers", pod.InitContainers}, {"containers", pod.Containers}} {
		for _, container := range list.containers {
			if container.Name == instance.PrepareContainer || container.Name == instance.CertificateContainer {
				continue // of which no such thing may change
			}
			at := path + "." + list.name + "[" + container.Name + "]"
			for _, probe := range []struct {
				name string
				*corev1.Probe
			}{{"livenessProbe", container.LivenessProbe}, {"readinessProbe", container.ReadinessProbe}, {"startupProbe", container.StartupProbe}} {
				if probe.Probe != nil && kinds(probe.ProbeHandler) > 1 {
					c.errorf(patch, at+"."+probe.name, "has two probe types after the patch; set the original one to null")
				}
			}
			for _, mount := range container.VolumeMounts {
				if !slices.Contains(volumes, mount.Name) {
					c.errorf(patch, at+".volumeMounts", "mounts a volume that does not exist; add the volume, or delete the mount too")
				}
			}
		}
	}
}

// tls warns of a server that speaks TLS by a flag of args, where nothing brings it a certificate or the probe does
// not speak TLS.
func (c *checker) tls(set *appsv1.StatefulSet) {
	cfg := c.cfg
	at := slices.IndexFunc(cfg.Args, func(arg string) bool {
		arg = strings.ToLower(strings.TrimLeft(arg, "-"))
		return arg == "tls" || arg == "tls=true"
	})
	if cfg.TLS.IsOn() || at < 0 {
		return
	}
	server, _ := dragonflyOf(set)
	probe := server.ReadinessProbe
	hasProbe := probe == nil || probe.HTTPGet == nil || probe.HTTPGet.Scheme == corev1.URISchemeHTTPS
	hasCertificate := slices.ContainsFunc(cfg.Args, func(arg string) bool {
		_, file, found := strings.Cut(arg, "tls_cert_file=")
		return found && slices.ContainsFunc(server.VolumeMounts, func(mount corev1.VolumeMount) bool {
			return file == mount.MountPath || strings.HasPrefix(file, strings.TrimSuffix(mount.MountPath, "/")+"/")
		})
	})
	if !hasProbe || !hasCertificate {
		// Args are replaced whole, so they are the profile's if it has any; else it was reported of spec.
		if c.profile != "" && !c.hasArgs() {
			return
		}
		c.Warnf(report.Field{Path: decode.Element(config.Path(c.profile)+".args", at)}, "turns on TLS without a mounted certificate or without a readiness probe over HTTPS, so pods never become ready; use spec.tls instead, which adds both")
	}
}

// bucket warns of snapshots in a bucket for which the server lacks what its client reads: Dragonfly v1.40's client for S3
// takes us-east-1 without a region, and the one for Azure needs the account, and reads no federated token.
func (c *checker) bucket(env []corev1.EnvVar, from []corev1.EnvFromSource) {
	has := func(names ...string) bool {
		return len(from) > 0 || slices.ContainsFunc(env, func(v corev1.EnvVar) bool { return slices.Contains(names, v.Name) })
	}
	field := report.Field{Path: config.Path(c.profile) + ".storage.bucket"}
	scheme, _, _ := strings.Cut(c.cfg.Storage.Bucket, "://")
	_, hasRole := c.cfg.ServiceAccountAnnotations["eks.amazonaws.com/role-arn"] // with which a webhook sets the region
	isElsewhere := hasRole || c.cfg.ServiceAccount != "" || slices.ContainsFunc(c.cfg.Args, func(arg string) bool { return strings.Contains(arg, "s3_endpoint") })
	switch {
	case c.cfg.Storage.Type != v1alpha1.InBucket:
	case scheme == "s3" && !isElsewhere && !has("AWS_REGION", "AWS_DEFAULT_REGION"):
		c.Warnf(field, "no region is set, so Dragonfly's S3 client uses us-east-1; set the variable AWS_REGION of the container (see docs/configuration.md)")
	case scheme == "az" && !has("AZURE_STORAGE_ACCOUNT"):
		c.Warnf(field, "Dragonfly's Azure client needs the variable AZURE_STORAGE_ACCOUNT and a key or connection string, and reads no token of a workload identity; set them on the container (see docs/configuration.md)")
	}
}

// hasArgs reports whether the profile has args of its own.
func (c *checker) hasArgs() bool {
	return yamlnode.Get(c.Item.Node, "spec", "profiles", c.profile, "args") != nil
}

// kinds counts the fields that are set in a struct that may have only one.
func kinds(union any) int {
	set := 0
	for _, field := range reflect.ValueOf(union).Fields() {
		if !field.IsZero() {
			set++
		}
	}
	return set
}

// kept is a part of an object that a patch may not change.
type kept[T any] struct {
	path string
	why  string
	of   func(T) any
}

func compare[T any](c *checker, patch config.Patch, path string, ours, theirs T, parts []kept[T]) {
	for _, part := range parts {
		if !reflect.DeepEqual(part.of(ours), part.of(theirs)) {
			c.errorf(patch, path+part.path, "cannot be changed here: %s; remove it from the patch", part.why)
		}
	}
}

const (
	whyKind     = "a patch cannot turn an object into another"
	whyIdentity = "names and namespaces follow from the claim"
	whySelector = "the selector of a live instance is fixed"
	whyLabels   = "the labels app and app.kubernetes.io/… follow from the claim"
	whyPassword = "the password reaches the server by it"
	whyKeeper   = "it knows the password, so only its resources can be changed, and its security context made stricter"
	whyPrepare  = "it brings the server its password, so only its resources can be changed, and its security context made stricter"
	whyMark     = "this function needs the annotations of database.bizmatters.io, and kustomize and kpt those of config.kubernetes.io, to track objects"
)

var keptOfStatefulSet = []kept[*appsv1.StatefulSet]{
	{"kind", whyKind, func(s *appsv1.StatefulSet) any { return s.TypeMeta }},
	{"metadata.name", whyIdentity, func(s *appsv1.StatefulSet) any { return s.Name }},
	{"metadata.namespace", whyIdentity, func(s *appsv1.StatefulSet) any { return s.Namespace }},
	{"metadata.labels", whyLabels, func(s *appsv1.StatefulSet) any { return ownLabels(s.Labels) }},
	{"metadata.annotations", whyMark, func(s *appsv1.StatefulSet) any { return ownAnnotations(s.Annotations) }},
	{"spec.selector", whySelector, func(s *appsv1.StatefulSet) any { return s.Spec.Selector }},
	{"spec.serviceName", "it is fixed for a live instance", func(s *appsv1.StatefulSet) any { return s.Spec.ServiceName }},
	{"spec.replicas", "the pods would be separate stores behind one Service", func(s *appsv1.StatefulSet) any {
		return s.Spec.Replicas == nil || *s.Spec.Replicas == 0 || *s.Spec.Replicas == 1 // 0 is a pause
	}},
	{"spec.ordinals", "the pod would get another name, and with it a new, empty volume", func(s *appsv1.StatefulSet) any { return s.Spec.Ordinals }},
	{"spec.template.metadata.labels", whyLabels, func(s *appsv1.StatefulSet) any { return ownLabels(s.Spec.Template.Labels) }},
	{"spec.template.metadata.annotations", whyMark, func(s *appsv1.StatefulSet) any { return ownAnnotations(s.Spec.Template.Annotations) }},
	{"spec.template.spec.enableServiceLinks", "with service links, a Service named dfly-… stops every Dragonfly in its namespace", func(s *appsv1.StatefulSet) any {
		return s.Spec.Template.Spec.EnableServiceLinks
	}},
	{"spec.template.spec.serviceAccountName", "it depends on the password source and on spec.serviceAccount", func(s *appsv1.StatefulSet) any {
		return s.Spec.Template.Spec.ServiceAccountName
	}},
	{"spec.template.spec.serviceAccount", "it depends on the password source and on spec.serviceAccount", func(s *appsv1.StatefulSet) any {
		return s.Spec.Template.Spec.DeprecatedServiceAccount
	}},
	{"spec.template.spec.automountServiceAccountToken", "the server needs no token, and the init container has its own", func(s *appsv1.StatefulSet) any {
		return s.Spec.Template.Spec.AutomountServiceAccountToken
	}},
	{"spec.template.spec.initContainers[" + instance.PrepareContainer + "]", whyPrepare, func(s *appsv1.StatefulSet) any {
		return fixedOf(s.Spec.Template.Spec.InitContainers, instance.PrepareContainer)
	}},
	{"spec.template.spec.initContainers[" + instance.CertificateContainer + "]", whyKeeper, func(s *appsv1.StatefulSet) any {
		return fixedOf(s.Spec.Template.Spec.InitContainers, instance.CertificateContainer)
	}},
	{"spec.template.spec.volumes", whyPassword, func(s *appsv1.StatefulSet) any {
		return those(s.Spec.Template.Spec.Volumes, func(v corev1.Volume) bool { return isOwnVolume(v.Name) })
	}},
	{"spec.volumeClaimTemplates", "the volume " + DataVolume + " follows from storageGB and spec.storageClassName", func(s *appsv1.StatefulSet) any { return dataClaimsOf(s) }},
}

var keptOfContainer = []kept[corev1.Container]{
	{"image", "the image has a field of its own, spec.image, where its version is checked", func(c corev1.Container) any { return c.Image }},
	{"command", "the image's own entry point starts Dragonfly", func(c corev1.Container) any { return c.Command }},
	{"args", "flags belong in spec.args, where they are checked", func(c corev1.Container) any { return c.Args }},
	{"env", "DFLY_… variables are flags, which belong in spec.args, and the password is the instance's", func(c corev1.Container) any { return flagVariables(c) }},
	{"envFrom", "a key named DFLY_… would set a flag, unless it has a prefix or is listed under env", func(c corev1.Container) any { return opensFlags(c) }},
	{"resources", "CPU, memory and some flags follow from the size, which spec.sizes defines", func(c corev1.Container) any {
		return [][2]int64{
			{c.Resources.Requests.Cpu().MilliValue(), c.Resources.Requests.Memory().Value()},
			{c.Resources.Limits.Cpu().MilliValue(), c.Resources.Limits.Memory().Value()},
		}
	}},
	{"ports", "the Service and the probes need the port " + portName, func(c corev1.Container) any {
		return those(c.Ports, func(p corev1.ContainerPort) bool {
			return p.Name == portName || p.ContainerPort == instance.Port
		})
	}},
	{"volumeMounts", "without its volume at " + dataPath + " the data would be lost with the pod", func(c corev1.Container) any {
		return those(c.VolumeMounts, func(m corev1.VolumeMount) bool {
			return m.Name == DataVolume || path.Clean(m.MountPath) == dataPath
		})
	}},
	{"volumeMounts", whyPassword, func(c corev1.Container) any {
		return those(c.VolumeMounts, func(m corev1.VolumeMount) bool {
			return isOwnVolume(m.Name) || strings.HasPrefix(path.Clean(m.MountPath)+"/", handover.FlagFolder+"/")
		})
	}},
}

// fixedOf returns what may not change of a container that runs this program: all but its resources, and a security
// context that is as strict as ours.
func fixedOf(initContainers []corev1.Container, name string) []corev1.Container {
	found := those(initContainers, func(c corev1.Container) bool { return c.Name == name })
	for i, c := range found {
		found[i].Resources = corev1.ResourceRequirements{}
		if isRestricted(c.SecurityContext) {
			found[i].SecurityContext = nil
		}
	}
	return found
}

// isRestricted reports whether a security context is at least as strict as restricted.
func isRestricted(c *corev1.SecurityContext) bool {
	if c == nil {
		return false
	}
	is := func(flag *bool, want bool) bool { return flag != nil && *flag == want }
	capabilities, seccomp, appArmor := orZero(c.Capabilities), orZero(c.SeccompProfile), orZero(c.AppArmorProfile)
	return is(c.AllowPrivilegeEscalation, false) && is(c.ReadOnlyRootFilesystem, true) && is(c.RunAsNonRoot, true) &&
		!is(c.Privileged, true) && orZero(c.ProcMount) != corev1.UnmaskedProcMount &&
		slices.Contains(capabilities.Drop, "ALL") && len(capabilities.Add) == 0 &&
		c.SeccompProfile != nil && seccomp.Type != corev1.SeccompProfileTypeUnconfined &&
		appArmor.Type != corev1.AppArmorProfileTypeUnconfined
}

// isOwnVolume reports whether a volume is one of those that the password comes by, or the data of an instance
// without a claim template.
func isOwnVolume(name string) bool {
	return slices.Contains([]string{tokenVolume, passwordSecretVolume, connectionSecretVolume, flagVolume, DataVolume}, name)
}

var keptOfService = []kept[*corev1.Service]{
	{"kind", whyKind, func(s *corev1.Service) any { return s.TypeMeta }},
	{"metadata.name", whyIdentity, func(s *corev1.Service) any { return s.Name }},
	{"metadata.namespace", whyIdentity, func(s *corev1.Service) any { return s.Namespace }},
	{"metadata.labels", whyLabels, func(s *corev1.Service) any { return ownLabels(s.Labels) }},
	{"metadata.annotations", whyMark, func(s *corev1.Service) any { return ownAnnotations(s.Annotations) }},
	{"spec.selector", whySelector, func(s *corev1.Service) any { return s.Spec.Selector }},
	{"spec.type", "the endpoint has to be this Service", func(s *corev1.Service) any { return s.Spec.Type == corev1.ServiceTypeExternalName }},
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
}

// those returns the elements of a list that are wanted, or nil if there is none.
func those[T any](list []T, wanted func(T) bool) []T {
	var found []T
	for _, element := range list {
		if wanted(element) {
			found = append(found, element)
		}
	}
	return found
}

// ownLabels returns those labels that follow from the claim.
func ownLabels(labels map[string]string) map[string]string {
	own := instance.Name{}.OwnLabels()
	return only(labels, func(key string) bool { _, found := own[key]; return found })
}

func ownAnnotations(annotations map[string]string) map[string]string {
	return only(annotations, func(key string) bool {
		return strings.HasPrefix(key, v1alpha1.Group+"/") || krm.IsOrchestrators(key)
	})
}

func only(from map[string]string, wanted func(key string) bool) map[string]string {
	selected := map[string]string{}
	for key, value := range from {
		if wanted(key) {
			selected[key] = value
		}
	}
	return selected
}

// dataClaimsOf returns what may not change of the claim templates that are ours: that there is one, how
// large it is, and its class. Nor may there be one without a name.
func dataClaimsOf(set *appsv1.StatefulSet) []string {
	var found []string
	for _, claim := range set.Spec.VolumeClaimTemplates {
		if claim.Name == DataVolume || claim.Name == "" {
			class := ""
			if claim.Spec.StorageClassName != nil {
				class = *claim.Spec.StorageClassName
			}
			found = append(found, claim.Name, claim.Spec.Resources.Requests.Storage().String(), class)
		}
	}
	return found
}

func dragonflyOf(set *appsv1.StatefulSet) (corev1.Container, bool) {
	for _, container := range set.Spec.Template.Spec.Containers {
		if container.Name == ContainerName {
			return container, true
		}
	}
	return corev1.Container{}, false
}

func flagVariables(c corev1.Container) []corev1.EnvVar {
	return those(c.Env, func(variable corev1.EnvVar) bool { return strings.HasPrefix(variable.Name, config.FlagVariable) })
}

// opensFlags reports whether the container gets variables with unknown names, which could be flags.
func opensFlags(c corev1.Container) bool {
	return slices.ContainsFunc(c.EnvFrom, func(from corev1.EnvFromSource) bool {
		shared := min(len(from.Prefix), len(config.FlagVariable))
		return from.Prefix[:shared] == config.FlagVariable[:shared]
	})
}
