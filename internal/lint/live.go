package lint

import (
	"cmp"
	"fmt"

	"golang.org/x/mod/semver"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/instance"
	"github.com/bizmatters/dragonfly-generator/internal/operator"
	"github.com/bizmatters/dragonfly-generator/internal/report"
	"github.com/bizmatters/dragonfly-generator/internal/specs"
	"github.com/bizmatters/dragonfly-generator/internal/yamlnode"
)

// live compares the object that runs an instance with the one that replaces it, and warns about what the cluster will
// refuse and what Dragonfly may not survive.
func (l *linter) live(before, after runner, inst instance.Instance) {
	l.warnOfMemory(before, inst)
	if l.warnOfStorage(before, after, inst) {
		return
	}
	switch {
	case inst.IsByOperator():
		if before.volume != nil && inst.HasVolume() && changesClaim(before.volume, after.volume) {
			l.results.Warnf(inst.Item, "Kubernetes refuses to change the claim template of a live StatefulSet; apply this, then run `%s`; the operator recreates the StatefulSet, and existing volumes stay as they are", orphanPods(inst))
		}
	case changesImmutable(before.object, after.object):
		l.results.Warnf(inst.Item, "Kubernetes refuses to change podManagementPolicy or the claim templates of a live StatefulSet; run `%s`, then apply again; existing volumes stay as they are", orphanPods(inst))
	}
	l.warnOfImage(inst, yamlnode.Text(before.server, "image"))
	if !inst.HasVolume() {
		return
	}
	l.warnOfVolumeSize(before, inst)
	if class := yamlnode.Text(before.volume, "storageClassName"); before.volume != nil && class != *inst.Config.StorageClassName {
		l.results.Warnf(inst.Item, "Kubernetes refuses to change the storage class (%s before, %s now) of a live StatefulSet, and a volume cannot change its class; keep the old class, or move the data to a new instance",
			className(class), className(*inst.Config.StorageClassName))
	}
}

// warnOfSecretType warns of another type of the connection Secret than before.
func (l *linter) warnOfSecretType(old *yaml.Node, inst instance.Instance) {
	if was, is := cmp.Or(yamlnode.Text(old, "type"), string(corev1.SecretTypeOpaque)), *inst.Config.ConnectionSecret.Type; was != is {
		l.results.Warnf(inst.Item, "Kubernetes refuses to change the type (%s before, %s now) of a live Secret; run `kubectl delete secret %s -n %s`, apply, and run `kubectl delete pod %s-0 -n %s`, so that the new pod fills it in",
			was, is, inst.ConnectionSecret(), inst.Namespace, inst.StatefulSet(), inst.Namespace)
	}
}

// warnOfSource reports whether the password source is new, and warns if the change can remove the live password.
func (l *linter) warnOfSource(was runner, dropsSecret bool, inst instance.Instance) bool {
	before, now := was.source(), inst.Source
	from := func(source v1alpha1.PasswordSource) bool { return before == source && before != now }
	switch {
	case dropsSecret, from(v1alpha1.InCluster), from(v1alpha1.Existing) && now == v1alpha1.External:
		l.results.Warnf(inst.Item, "its password source is %s now, so generated manifests of its Secrets are removed, and a tool that prunes would then delete the live Secrets, including the password; before you apply this, annotate the live Secrets with argocd.argoproj.io/sync-options: Prune=false (Argo CD) or kustomize.toolkit.fluxcd.io/prune: disabled (Flux), and see docs/passwords.md", now)
	case from(v1alpha1.External) && now == v1alpha1.InCluster && (inst.Rotation == "" || inst.Rotation == was.rotation):
		l.results.Warnf(inst.Item, "its password source changes from %s to %s, and the current password is lost if its Secrets are deleted along with the objects that created them; give the annotation %s a new value in the same commit, and restart the applications afterwards (see docs/passwords.md)", before, now, v1alpha1.PasswordRotation)
	case from(v1alpha1.Existing) && now == v1alpha1.InCluster && inst.Rotation != "" && inst.Rotation == was.rotation && !inst.HasVolume():
		l.results.Warnf(inst.Item, "its password source changes from %s to %s, and without a volume, the pod cannot tell that the password already belongs to the requested rotation, so it creates a new one; to keep the current password, remove %s from the claim", before, now, v1alpha1.PasswordRotation)
	}
	return before != now
}

// warnOfImage warns of an older Dragonfly than before.
func (l *linter) warnOfImage(inst instance.Instance, image string) {
	if before, after := v1alpha1.Release(image), v1alpha1.Release(*inst.Config.Image); before != "" && after != "" && semver.Compare(before, after) > 0 {
		l.results.Warnf(inst.Item, "the image goes back from %s to %s, and an older Dragonfly exits on a snapshot written by a newer one; if the newer one has already run, set it as spec.image in the configuration", before, after)
	}
}

// warnOfVolumeSize warns about a change of the volume size in the claim template.
func (l *linter) warnOfVolumeSize(before runner, inst instance.Instance) {
	was := yamlnode.Text(before.volume, "resources", "requests", "storage")
	size, err := resource.ParseQuantity(was)
	if err != nil {
		return // there was no volume, or its size is unknown
	}
	field := report.Field{Path: "spec.storageGB", Current: *inst.Claim.StorageGB}
	switch size.Cmp(resource.MustParse(inst.Storage())) {
	case -1:
		grow := fmt.Sprintf("if the storage class allows expansion, grow the volume with `%s`, run `%s`, then apply again", patchVolume(before.template, inst), orphanPods(inst))
		if inst.IsByOperator() {
			grow = fmt.Sprintf("if the storage class allows expansion, grow the volume of each pod with `%s`, apply this, then run `%s`; the operator recreates the StatefulSet", patchVolume(before.template, inst), orphanPods(inst))
		}
		l.results.FieldWarnf(inst.Item, field, "Kubernetes refuses to change the volume size (%s before) of a live StatefulSet; %s", was, grow)
	case 1:
		field.Proposed = gibibytes(size.Value())
		l.results.FieldWarnf(inst.Item, field, "Kubernetes refuses to change the volume size (%s before) of a live StatefulSet, and a volume cannot shrink; keep the old size, or move the data to a new instance", was)
	}
}

// patchVolume returns the command that requests a larger volume.
func patchVolume(template string, inst instance.Instance) string {
	return fmt.Sprintf(`kubectl patch pvc %s-%s-0 -n %s -p '{"spec":{"resources":{"requests":{"storage":"%s"}}}}'`,
		template, inst.StatefulSet(), inst.Namespace, inst.Storage())
}

// orphanPods returns the command that deletes the StatefulSet and leaves its pods running.
func orphanPods(inst instance.Instance) string {
	return fmt.Sprintf("kubectl delete statefulset %s -n %s --cascade=orphan", inst.StatefulSet(), inst.Namespace)
}

// warnOfBackend warns about what a move from one backend to the other means for the live instance.
func (l *linter) warnOfBackend(was runner, inst instance.Instance) {
	if inst.HasVolume() || inst.Bucket() != "" { // otherwise, the new pods start empty
		l.warnOfMemory(was, inst)
		l.warnOfImage(inst, yamlnode.Text(was.server, "image"))
	}
	if !inst.HasVolume() {
		l.results.Warnf(inst.Item, "moves to backend: %s, whose StatefulSet and Service have the same names; unless the old ones are deleted first, the pods of both serve clients, each with its own data; the new pods do not read the old pods' volume; follow docs/operator.md before you apply this", *inst.Config.Backend)
		return
	}
	from, to, who := specs.DataVolume+"-"+inst.StatefulSet()+"-0", operator.DataVolume+"-"+inst.StatefulSet()+"-0", "the Dragonfly Operator creates a StatefulSet and a Service with the same names"
	if !inst.IsByOperator() {
		from, to, who = "of the master ("+to+", or that of another pod)", from, "the operator's StatefulSet and Service have the same names as the new ones"
	}
	l.results.Warnf(inst.Item, "moves to backend: %s, and %s, so the old ones must be deleted first; its data stays on the volume %s until it is moved to %s; follow docs/operator.md before you apply this",
		*inst.Config.Backend, who, from, to)
}

// changesImmutable reports whether the cluster will refuse the change to a StatefulSet, apart from the size and class of
// the volume, which have warnings of their own.
func changesImmutable(old, fresh *yaml.Node) bool {
	policy := func(set *yaml.Node) string {
		return cmp.Or(yamlnode.Text(set, "spec", "podManagementPolicy"), string(appsv1.OrderedReadyPodManagement))
	}
	had, has := yamlnode.Get(old, "spec", "volumeClaimTemplates"), yamlnode.Elements(fresh, "spec", "volumeClaimTemplates")
	switch {
	case policy(old) != policy(fresh):
		return true
	case len(yamlnode.Elements(had)) == 0:
		return false
	case len(yamlnode.Elements(had)) != len(has):
		return true
	}
	for _, after := range has {
		name := yamlnode.Text(after, "metadata", "name")
		before := yamlnode.Named(had, name, "metadata")
		differs := func(path ...string) bool {
			return !yamlnode.Equal(yamlnode.Get(before, path...), yamlnode.Get(after, path...))
		}
		switch {
		case before == nil, differs("metadata", "labels"), differs("metadata", "annotations"):
			return true
		case name == specs.DataVolume && changesClaim(yamlnode.Get(before, "spec"), yamlnode.Get(after, "spec")):
			return true
		case name != specs.DataVolume && differs("spec"):
			return true
		}
	}
	return false
}

// changesClaim reports whether two claims for a volume differ, apart from size and class. What the old one does not state is
// the default.
func changesClaim(old, fresh *yaml.Node) bool {
	names := map[string]bool{}
	for _, spec := range []*yaml.Node{old, fresh} {
		for key := range yamlnode.Fields(spec) {
			names[key.Value] = true
		}
	}
	for name := range names {
		before, after := yamlnode.Get(old, name), yamlnode.Get(fresh, name)
		switch name {
		case "resources", "storageClassName":
			continue
		case "accessModes":
			if before == nil {
				continue
			}
		case "volumeMode":
			mode := func(n *yaml.Node) string { return cmp.Or(yamlnode.Text(n), string(corev1.PersistentVolumeFilesystem)) }
			if mode(before) == mode(after) {
				continue
			}
		}
		if !yamlnode.Equal(before, after) {
			return true
		}
	}
	return false
}

func className(name string) string { return cmp.Or(name, "the cluster's default") }
