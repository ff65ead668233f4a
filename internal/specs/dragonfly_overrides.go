package specs

import (
	"fmt"
	"path"
	"reflect"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/bizmatters/dragonfly-generator/internal/config"
	"github.com/bizmatters/dragonfly-generator/internal/decode"
	"github.com/bizmatters/dragonfly-generator/internal/instance"
	"github.com/bizmatters/dragonfly-generator/internal/operator"
	"github.com/bizmatters/dragonfly-generator/internal/report"
)

// dragonfly tries the patches of the operator's object, each on what those before it made.
func (c *checker) dragonfly(inst instance.Instance, cfg config.Config) {
	object, err := dragonfly(inst, cfg)
	if err != nil {
		return // that of a patch of the Service
	}
	for _, patch := range cfg.Overrides.Dragonfly {
		patched, err := applyPatch(object, patch.Node)
		if err != nil {
			c.errorf(patch, "", "%s", err)
			return
		}
		for _, finding := range judgeDragonfly(object, patched) {
			c.errorf(patch, finding.path, "%s", finding.text)
		}
		c.warnOfAccess(patch, object, patched)
		object = patched
	}
	c.bucket(object.Spec.Env, nil)
}

// warnOfAccess warns of what decides about clients, besides the fields that the configuration has for that.
func (c *checker) warnOfAccess(patch config.Patch, ours, theirs *operator.Dragonfly) {
	if ours.Spec.ACLFromSecret == nil && theirs.Spec.ACLFromSecret != nil {
		c.Warnf(report.Field{Path: patch.Path + ".spec.aclFromSecret"}, "decides who gets in, and a file without the user default gives everyone full access; add that user with the instance's password (see docs/scaling.md)")
	}
	if ours.Spec.TLSSecretRef == nil && theirs.Spec.TLSSecretRef != nil {
		c.Warnf(report.Field{Path: patch.Path + ".spec.tlsSecretRef"}, "turns on TLS, but the scheme in the connection Secret does not follow; use spec.tls instead, which sets both")
	}
}

// finding is a problem with a patch of the operator's object: where, below the patch, and what.
type finding struct{ path, text string }

// judgeDragonfly returns what a patch made wrong of the operator's object: what has to stay ours, and what the
// operator or Kubernetes would refuse, which shows in a log of the cluster only.
func judgeDragonfly(ours, theirs *operator.Dragonfly) []finding {
	var found []finding
	for _, part := range keptOfDragonfly {
		isFree := part.path == tlsSecretRef && ours.Spec.TLSSecretRef == nil // a warning is enough
		if !isFree && !reflect.DeepEqual(part.of(ours), part.of(theirs)) {
			found = append(found, finding{path: part.path, text: fmt.Sprintf("cannot be changed here: %s; remove it from the patch", part.why)})
		}
	}
	for _, judge := range []func(ours, theirs *operator.Dragonfly) []finding{managedLabels, snapshots, podIDs, volumes} {
		found = append(found, judge(ours, theirs)...)
	}
	return found
}

const tlsSecretRef = "spec.tlsSecretRef" //nolint:gosec // a path of a field

var keptOfDragonfly = []kept[*operator.Dragonfly]{
	{"kind", whyKind, func(d *operator.Dragonfly) any { return d.TypeMeta }},
	{"metadata.name", whyIdentity, func(d *operator.Dragonfly) any { return d.Name }},
	{"metadata.namespace", whyIdentity, func(d *operator.Dragonfly) any { return d.Namespace }},
	{"metadata.labels", whyLabels, func(d *operator.Dragonfly) any { return ownLabels(d.Labels) }},
	{"metadata.annotations", whyMark, func(d *operator.Dragonfly) any { return ownAnnotations(d.Annotations) }},
	{"spec.podMetadata.annotations", whyMark, func(d *operator.Dragonfly) any {
		return ownAnnotations(orZero(d.Spec.PodMetadata).Annotations)
	}},
	{"spec.replicas", "spec.replicas sets it", func(d *operator.Dragonfly) any { return d.Spec.Replicas }},
	{"spec.image", "spec.image sets it", func(d *operator.Dragonfly) any { return d.Spec.Image }},
	{"spec.args", "flags belong in spec.args, where they are checked", func(d *operator.Dragonfly) any { return d.Spec.Args }},
	{"spec.env", "DFLY_… variables are flags, which belong in spec.args, and the password is the instance's", func(d *operator.Dragonfly) any {
		return flagVariables(corev1.Container{Env: d.Spec.Env})
	}},
	{"spec.resources", "CPU, memory and some flags follow from the size, which spec.sizes defines", func(d *operator.Dragonfly) any {
		resources := orZero(d.Spec.Resources)
		return [][2]int64{
			{resources.Requests.Cpu().MilliValue(), resources.Requests.Memory().Value()},
			{resources.Limits.Cpu().MilliValue(), resources.Limits.Memory().Value()},
		}
	}},
	{"spec.authentication.passwordFromSecret", "spec.password sets where the password comes from", func(d *operator.Dragonfly) any {
		return orZero(d.Spec.Authentication).PasswordFromSecret
	}},
	{tlsSecretRef, "spec.tls sets it", func(d *operator.Dragonfly) any { return d.Spec.TLSSecretRef }},
	{"spec.memcachedPort", "its clients need no password", func(d *operator.Dragonfly) any { return d.Spec.MemcachedPort }},
	{"spec.snapshot.cron", "spec.snapshotCron sets it", func(d *operator.Dragonfly) any {
		return orZero(d.Spec.Snapshot).Cron
	}},
	{"spec.snapshot.existingPersistentVolumeClaimName", "all replicas would write their snapshots to one volume, under one name", func(d *operator.Dragonfly) any {
		return orZero(d.Spec.Snapshot).ExistingPersistentVolumeClaimName
	}},
	{"spec.serviceSpec.name", "the endpoint in the connection Secret has the claim's name", func(d *operator.Dragonfly) any {
		return orZero(d.Spec.ServiceSpec).Name
	}},
	{"spec.serviceSpec.type", "the endpoint has to be this Service", func(d *operator.Dragonfly) any {
		return orZero(d.Spec.ServiceSpec).Type == corev1.ServiceTypeExternalName
	}},
	{"spec.serviceAccountName", "it depends on the password source", func(d *operator.Dragonfly) any { return d.Spec.ServiceAccountName }},
	{"spec.initContainers[" + instance.PrepareContainer + "]", whyPrepare, func(d *operator.Dragonfly) any {
		return fixedOf(d.Spec.InitContainers, instance.PrepareContainer)
	}},
	{"spec.initContainers[" + instance.CertificateContainer + "]", whyKeeper, func(d *operator.Dragonfly) any {
		return fixedOf(d.Spec.InitContainers, instance.CertificateContainer)
	}},
	{"spec.additionalVolumes", whyPassword, func(d *operator.Dragonfly) any {
		return those(d.Spec.AdditionalVolumes, func(v corev1.Volume) bool {
			return slices.Contains([]string{tokenVolume, passwordSecretVolume, connectionSecretVolume}, v.Name)
		})
	}},
	{"spec.additionalContainers[" + operator.Container + "]", "it would replace the server's container", func(d *operator.Dragonfly) any {
		return slices.ContainsFunc(d.Spec.AdditionalContainers, func(c corev1.Container) bool { return c.Name == operator.Container })
	}},
	{"spec.labels", "podMetadata has replaced it and overrides it", func(d *operator.Dragonfly) any { return len(d.Spec.Labels) }},
	{"spec.annotations", "podMetadata has replaced it and overrides it", func(d *operator.Dragonfly) any { return len(d.Spec.Annotations) }},
}

// managedLabels finds labels that the operator keeps for itself.
func managedLabels(_, theirs *operator.Dragonfly) []finding {
	var found []finding
	add := func(path string, labels map[string]string, isPod bool) {
		for key := range labels {
			switch {
			case operator.ManagesLabel(key):
				found = append(found, finding{path: decode.Join(path, key), text: "is a label that the operator sets itself, and since v1.6 it ignores an object that has it; remove it"})
			case isPod && operator.TellsPodsApart(key):
				found = append(found, finding{path: decode.Join(path, key), text: "is the label by which the operator tells the master from the replicas; remove it"})
			}
		}
	}
	add("spec.podMetadata.labels", orZero(theirs.Spec.PodMetadata).Labels, true)
	add("spec.ownedObjectsMetadata.labels", orZero(theirs.Spec.OwnedObjectsMetadata).Labels, false)
	add("spec.serviceSpec.labels", orZero(theirs.Spec.ServiceSpec).Labels, false)
	slices.SortFunc(found, func(a, b finding) int { return strings.Compare(a.path, b.path) })
	return found
}

// snapshots finds snapshots that are not stored, or that share a location with another instance.
func snapshots(ours, theirs *operator.Dragonfly) []finding {
	before, after := orZero(ours.Spec.Snapshot), orZero(theirs.Spec.Snapshot)
	if reflect.DeepEqual(before, after) {
		return nil
	}
	const at = "spec.snapshot"
	var found []finding
	volumeBefore, volume := orZero(before.PersistentVolumeClaimSpec), after.PersistentVolumeClaimSpec
	switch inBucket := IsBucket(after.Dir); {
	case IsBucket(before.Dir) && after.Dir != before.Dir:
		return []finding{{path: at + ".dir", text: "cannot be changed here: spec.storage sets the bucket; remove it from the patch"}}
	case inBucket && volume != nil:
		found = append(found, finding{path: at + ".dir", text: "is in a bucket, but there is a volume too, which cannot be mounted there; set persistentVolumeClaimSpec to null"})
	case inBucket && (!strings.Contains(after.Dir, theirs.Namespace) || !strings.Contains(after.Dir, theirs.Name)):
		found = append(found, finding{path: at + ".dir", text: "is the same for several instances, which would load each other's data; put {namespace}/{name} in it"})
	case !inBucket && volume == nil && before.PersistentVolumeClaimSpec != nil:
		return []finding{{path: at + ".persistentVolumeClaimSpec", text: "cannot be removed unless dir names a bucket, because the data would be lost with the pod; set dir, or keep the volume"}}
	case !inBucket && after.Dir != "" && (!path.IsAbs(after.Dir) || path.Clean(after.Dir) == "/"):
		found = append(found, finding{path: at + ".dir", text: "is neither a bucket nor a path to mount the volume at; start it with a slash"})
	}
	if volume == nil {
		return found
	}
	class := func(v corev1.PersistentVolumeClaimSpec) string { return orZero(v.StorageClassName) }
	if volumeBefore.Resources.Requests.Storage().Cmp(*volume.Resources.Requests.Storage()) != 0 || class(volumeBefore) != class(*volume) {
		found = append(found, finding{path: at + ".persistentVolumeClaimSpec", text: "cannot be changed here: size and class follow from storageGB and spec.storageClassName; remove them from the patch"})
	}
	return found
}

// podIDs finds a group of the volumes that is asked for and refused at once.
func podIDs(_, theirs *operator.Dragonfly) []finding {
	if group := orZero(theirs.Spec.PodSecurityContext).FSGroup; theirs.Spec.SkipFSGroup && group != nil {
		return []finding{{path: "spec.skipFSGroup", text: "has no effect while podSecurityContext has an fsGroup; set runAsUser, runAsGroup and fsGroup in it to null too"}}
	}
	return nil
}

// volumes finds what a merge easily leaves behind, as it does in a StatefulSet, and a volume in the place of the
// one with the data.
func volumes(_, theirs *operator.Dragonfly) []finding {
	var found []finding
	names := []string{operator.DataVolume, "tiering", "dragonfly-tls", "client-ca-cert", "dragonfly-acl", "liveness-probe", "readiness-probe", "startup-probe"}
	for _, volume := range theirs.Spec.AdditionalVolumes {
		at := "spec.additionalVolumes[" + volume.Name + "]"
		switch {
		case volume.Name == operator.DataVolume:
			found = append(found, finding{path: at, text: "has the name of the operator's data volume; use another name"})
		case kinds(volume.VolumeSource) > 1:
			found = append(found, finding{path: at, text: "has two volume types after the patch; set the original one to null"})
		}
		names = append(names, volume.Name)
	}
	for _, list := range []struct {
		name       string
		containers []corev1.Container
	}{{"initContainers", theirs.Spec.InitContainers}, {"additionalContainers", theirs.Spec.AdditionalContainers}} {
		for _, container := range list.containers {
			for _, mount := range container.VolumeMounts {
				if !slices.Contains(names, mount.Name) {
					found = append(found, finding{path: "spec." + list.name + "[" + container.Name + "].volumeMounts", text: "mounts a volume that does not exist; add the volume, or delete the mount too"})
				}
			}
		}
	}
	if budget := orZero(theirs.Spec.PDB); budget.MinAvailable != nil && budget.MaxUnavailable != nil {
		found = append(found, finding{path: "spec.pdb", text: "has both minAvailable and maxUnavailable; remove one of them"})
	}
	return found
}

// orZero returns what a pointer points to, or the zero value.
func orZero[T any](pointer *T) T {
	if pointer == nil {
		return *new(T)
	}
	return *pointer
}
