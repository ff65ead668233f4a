package lint

import (
	"fmt"
	"strconv"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/instance"
	"github.com/bizmatters/dragonfly-generator/internal/operator"
	"github.com/bizmatters/dragonfly-generator/internal/prepare/handover"
	"github.com/bizmatters/dragonfly-generator/internal/report"
	"github.com/bizmatters/dragonfly-generator/internal/specs"
	"github.com/bizmatters/dragonfly-generator/internal/yamlnode"
)

// runner is what an object that runs an instance says, whichever backend it is for.
type runner struct {
	object     *yaml.Node
	server     *yaml.Node       // the server's container, or the spec of a Dragonfly, whose fields have the same names
	template   string           // the name of the claim template
	volume     *yaml.Node       // its spec, or nil if there is no volume
	bucket     string           // the folder of the snapshots in an object store, or ""
	hasPrepare bool             // the pod has the init container that provides the password
	request    handover.Request // what that container is asked to do
	rotation   string           // of the password
}

func runnerOf(n *yaml.Node) runner {
	r := runner{object: n}
	var pod, metadata *yaml.Node
	var folder string
	if yamlnode.Text(n, "kind") == "Dragonfly" {
		pod, metadata = yamlnode.Get(n, "spec"), yamlnode.Get(n, "spec", "podMetadata")
		r.server, r.template, r.volume = pod, operator.DataVolume, yamlnode.Get(pod, "snapshot", "persistentVolumeClaimSpec")
		folder = yamlnode.Text(pod, "snapshot", "dir")
	} else {
		pod, metadata = yamlnode.Get(n, "spec", "template", "spec"), yamlnode.Get(n, "spec", "template", "metadata")
		r.server, r.template = yamlnode.Named(yamlnode.Get(pod, "containers"), specs.ContainerName), specs.DataVolume
		r.volume = yamlnode.Get(yamlnode.Named(yamlnode.Get(n, "spec", "volumeClaimTemplates"), specs.DataVolume, "metadata"), "spec")
		folder = flagIn(r.server, "dir")
	}
	if prepare := yamlnode.Named(yamlnode.Get(pod, "initContainers"), specs.PrepareContainer); prepare != nil {
		var args []string
		for _, arg := range yamlnode.Elements(prepare, "args") {
			args = append(args, yamlnode.Text(arg))
		}
		r.hasPrepare, r.request = true, handover.ParseArgs(args)
	}
	r.rotation = yamlnode.Text(metadata, "annotations", v1alpha1.PasswordRotation)
	if strings.Contains(folder, "://") {
		r.bucket = folder
	}
	return r
}

// source returns who creates the password, or "" if there is no server yet, or one that gets its password in another way.
func (r runner) source() v1alpha1.PasswordSource {
	switch {
	case r.request.Existing:
		return v1alpha1.Existing
	case r.hasPrepare:
		return v1alpha1.InCluster
	case yamlnode.Named(yamlnode.Get(r.server, "env"), handover.PasswordVariable) != nil, yamlnode.Get(r.server, "authentication") != nil:
		return v1alpha1.External
	}
	return ""
}

// place names where the data is, or where it will be if the volume has no name yet.
func (r runner) place(volume string) string {
	switch {
	case r.volume != nil:
		return volume
	case r.bucket != "":
		return r.bucket
	}
	return "a cache without storage"
}

// warnOfStorage warns about an instance whose data moves: to or from a volume, or to another bucket. It reports whether it
// does.
func (l *linter) warnOfStorage(before, after runner, inst instance.Instance) bool {
	hadVolume, hasVolume := before.volume != nil, after.volume != nil
	hadNothing := !hadVolume && before.bucket == ""
	switch {
	case hadVolume == hasVolume && before.bucket == after.bucket:
		return false
	case hadNothing && !inst.IsByOperator() && yamlnode.Named(yamlnode.Get(before.object, "spec", "template", "spec", "volumes"), specs.DataVolume) == nil:
		return false // not a cache made by this function, so the location is unknown
	}
	steps := "apply this"
	switch {
	case hadVolume == hasVolume:
	case inst.IsByOperator():
		steps = fmt.Sprintf("apply this, then run `%s`, because Kubernetes refuses this change to a live StatefulSet; the operator recreates the StatefulSet", orphanPods(inst))
	default:
		steps = fmt.Sprintf("Kubernetes refuses this change to a live StatefulSet, so run `%s` first, then apply", orphanPods(inst))
	}
	data := "the new pod starts empty, and the old data stays where it is until someone deletes it; to move the data, see docs/configuration.md"
	if hadNothing {
		data = "the new pod starts empty, as every pod of a cache does"
	}
	l.results.Warnf(inst.Item, "moves from %s to %s: %s; %s",
		before.place(fmt.Sprintf("the volume %s-%s-0", before.template, inst.StatefulSet())), after.place("a volume"), steps, data)
	return true
}

// flagIn returns the value of a flag in the arguments of a container, or "" if it is not set.
func flagIn(container *yaml.Node, name string) string {
	for _, arg := range yamlnode.Elements(container, "args") {
		if value, found := strings.CutPrefix(yamlnode.Text(arg), "--"+name+"="); found {
			return value
		}
	}
	return ""
}

// warnOfMemory warns if there is less memory for data than before, from a smaller size or a smaller share of its limit.
func (l *linter) warnOfMemory(was runner, inst instance.Instance) {
	after, before := inst.Size.MaxMemory(), was.maxMemory()
	if before <= after {
		return
	}
	consequence, safe := "Dragonfly exits at start when its snapshot does not fit", after
	if inst.HasPrepare() && !inst.IsByOperator() {
		consequence, safe = fmt.Sprintf("a pod whose snapshot needs more than %d%% of the memory limit does not start", handover.LoadablePercent), v1alpha1.Percent(inst.Size.MemoryLimit(), handover.LoadablePercent)
	}
	l.results.FieldWarnf(inst.Item, report.Field{Path: "spec.size", Current: *inst.Claim.Size},
		"maxmemory drops from %d to %d bytes, and %s; check with `INFO memory` that used_memory is below %d bytes before you apply this, or use a larger size",
		before, after, consequence, safe)
}

// maxMemory returns the server's memory for data, in bytes, or 0 if the object does not say. If an init container passes it
// to the server, it is in the arguments of that container.
func (r runner) maxMemory() int64 {
	if r.request.MaxMemory != 0 {
		return r.request.MaxMemory
	}
	bytes, err := strconv.ParseInt(flagIn(r.server, "maxmemory"), 10, 64)
	if err != nil {
		return 0
	}
	return bytes
}

// gibibytes returns a number of bytes in GiB, rounded up.
func gibibytes(bytes int64) int64 { return (bytes + 1<<30 - 1) >> 30 }

// warnOfVolume warns about a volume that is too small for what may be in memory. Each snapshot is written beside the
// previous one, and a tenth more leaves room for the file system. A full volume goes unnoticed: the server keeps serving but
// no longer saves anything.
func (l *linter) warnOfVolume(inst instance.Instance) {
	if !inst.HasVolume() {
		if !yamlnode.IsNull(yamlnode.Get(inst.Item.Node, "spec", "storageGB")) {
			l.results.FieldInfof(inst.Item, report.Field{Path: "spec.storageGB", Current: *inst.Claim.StorageGB},
				"has no effect, because instances with storage.type: %s have no volume", *inst.Config.Storage.Type)
		}
		return
	}
	volume, once := inst.StorageBytes(), inst.Size.MaxMemory()
	enough := 2*once + once/5
	field := report.Field{Path: "spec.storageGB", Current: *inst.Claim.StorageGB, Proposed: gibibytes(enough)}
	switch {
	case volume < once:
		l.results.FieldWarnf(inst.Item, field, "the volume is too small for a snapshot of a full instance, and data that cannot be saved is lost at the next restart; set storageGB to %d or more", field.Proposed)
	case volume < enough:
		l.results.FieldWarnf(inst.Item, field, "the volume is too small for two snapshots of a full instance, and each is written beside the previous one; set storageGB to %d or more, or keep the memory from filling up", field.Proposed)
	}
}
