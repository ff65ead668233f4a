package lint

import (
	"fmt"
	"strconv"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/instance"
	"github.com/bizmatters/dragonfly-generator/internal/report"
	"github.com/bizmatters/dragonfly-generator/internal/specs"
	"github.com/bizmatters/dragonfly-generator/internal/yamlnode"
)

// dataPlace is where an instance keeps its data: on a volume, in a bucket, or nowhere.
type dataPlace struct {
	volume bool
	bucket string // the folder in it
}

// placeOfData returns the place that the object that runs an instance states.
func placeOfData(runner *yaml.Node, backend v1alpha1.Backend) dataPlace {
	if backend == v1alpha1.Operator {
		snapshot := yamlnode.Get(runner, "spec", "snapshot")
		return dataPlace{yamlnode.Get(snapshot, "persistentVolumeClaimSpec") != nil, snapshotFolder(yamlnode.Text(snapshot, "dir"))}
	}
	templates := yamlnode.Get(runner, "spec", "volumeClaimTemplates")
	return dataPlace{yamlnode.Named(templates, specs.DataVolume, "metadata") != nil, snapshotFolder(flagOf(runner, "dir"))}
}

// warnOfStorage warns of an instance whose data moves: onto a volume, from one, or to another bucket. It reports
// whether it does.
func (l *linter) warnOfStorage(old, fresh *yaml.Node, c instance.Instance) bool {
	inst, byOperator := c, c.IsByOperator()
	was, is := placeOfData(old, *c.Config.Backend), placeOfData(fresh, *c.Config.Backend)
	hadNothing := was == dataPlace{}
	if was == is {
		return false
	}
	if hadNothing && !byOperator && yamlnode.Named(yamlnode.Get(old, "spec", "template", "spec", "volumes"), specs.DataVolume) == nil {
		return false // not what we make of a cache, so nobody knows where its data was
	}
	volume := specs.DataVolume
	if byOperator {
		volume = specs.OperatorVolume
	}
	from, to := "a cache without storage", "a cache without storage"
	switch {
	case was.volume:
		from = fmt.Sprintf("the volume %s-%s-0", volume, inst.StatefulSet())
	case was.bucket != "":
		from = was.bucket
	}
	switch {
	case is.volume:
		to = "a volume"
	case is.bucket != "":
		to = is.bucket
	}
	steps := "apply it"
	switch {
	case was.volume == is.volume:
	case byOperator:
		steps = fmt.Sprintf("apply it, and run `kubectl delete statefulset %s -n %s --cascade=orphan`, because Kubernetes refuses that on a live StatefulSet; the operator makes it again", inst.StatefulSet(), inst.Namespace)
	default:
		steps = fmt.Sprintf("Kubernetes refuses that on a live StatefulSet, so run `kubectl delete statefulset %s -n %s --cascade=orphan` first, and apply again", inst.StatefulSet(), inst.Namespace)
	}
	data := "the new pod starts empty, and the old data stays where it is until someone deletes it"
	if hadNothing {
		data = "the new pod starts empty, as every pod of a cache does"
	}
	l.results.Warnf(c.Item, "moves from %s to %s: %s; %s; to move the data, see docs/configuration.md", from, to, steps, data)
	return true
}

// flagOf returns the value of a flag of the server, of whatever runs it, or "" if there is none.
func flagOf(runner *yaml.Node, name string) string {
	server := yamlnode.Named(yamlnode.Get(runner, "spec", "template", "spec", "containers"), specs.ContainerName)
	if server == nil {
		server = yamlnode.Get(runner, "spec") // of the operator's Dragonfly
	}
	return flagIn(server, name)
}

// flagIn returns the value of a flag among the arguments of a container, or "" if there is none.
func flagIn(container *yaml.Node, name string) string {
	args := yamlnode.Get(container, "args")
	if args == nil {
		return ""
	}
	for _, arg := range args.Content {
		if value, found := strings.CutPrefix(yamlnode.Text(arg), "--"+name+"="); found {
			return value
		}
	}
	return ""
}

// snapshotFolder returns a folder in an object store, "" for one in the pod.
func snapshotFolder(dir string) string {
	if strings.Contains(dir, "://") {
		return dir
	}
	return ""
}

// warnOfMemory warns of less memory for data than before, by a smaller size or a smaller part of its limit.
func (l *linter) warnOfMemory(old *yaml.Node, c instance.Instance) {
	is, was := c.Size.MaxMemory(), maxMemoryOf(old)
	if was <= is {
		return
	}
	consequence, safe := "Dragonfly exits at start when its snapshot does not fit", is
	if c.HasPrepare() && !c.IsByOperator() {
		consequence, safe = "a pod whose snapshot needs more than 85% of the memory limit does not start", c.Size.Limits.Memory.Value()/100*85
	}
	l.results.FieldWarnf(c.Item, report.Field{Path: "spec.size", Current: *c.Claim.Size},
		"maxmemory drops from %d to %d bytes, and %s; check with `INFO memory` that used_memory is below %d bytes before you apply this, or use a larger size",
		was, is, consequence, safe)
}

// maxMemoryOf returns the memory for data, in bytes, of the server that an object runs, 0 where it does not say. Where an
// init container hands it to the server, it is among the arguments of that one.
func maxMemoryOf(runner *yaml.Node) int64 {
	text := flagOf(runner, "maxmemory")
	prepare := yamlnode.Named(yamlnode.Get(runner, "spec", "template", "spec", "initContainers"), instance.PrepareContainer)
	if request := flagIn(prepare, "max-memory"); request != "" {
		text = request
	}
	bytes, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0
	}
	return bytes
}

// warnOfVolume warns of a volume that is too small for what may be in memory. A snapshot is written beside the
// one before, and a tenth more leaves room for what the file system needs. A full volume goes unnoticed: the
// server keeps answering but no longer saves anything.
func (l *linter) warnOfVolume(c instance.Instance) {
	if !c.HasVolume() {
		if c.HasStorageGB {
			l.results.FieldInfof(c.Item, report.Field{Path: "spec.storageGB", Current: *c.Claim.StorageGB},
				"has no effect, because instances with storage.type: %s have no volume", *c.Config.Storage.Type)
		}
		return
	}
	volume, once := c.StorageBytes(), c.Size.MaxMemory()
	enough := 2*once + once/5
	field := report.Field{Path: "spec.storageGB", Current: *c.Claim.StorageGB, Proposed: (enough + 1<<30 - 1) >> 30}
	switch {
	case volume < once:
		l.results.FieldWarnf(c.Item, field, "the volume is too small for a snapshot of a full instance, and what cannot be saved is lost at the next restart; use a larger volume")
	case volume < enough:
		l.results.FieldWarnf(c.Item, field, "the volume is too small for two snapshots of a full instance, and each is written beside the previous one; use a larger volume, or keep the memory from filling up")
	}
}
