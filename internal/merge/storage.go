package merge

import (
	"fmt"
	"strconv"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/plan"
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
func (m *merger) warnOfStorage(old, fresh *yaml.Node, p plan.Plan) bool {
	inst, byOperator := p.Instance, p.Config.Backend == v1alpha1.Operator
	was, is := placeOfData(old, p.Config.Backend), placeOfData(fresh, p.Config.Backend)
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
	m.results.Warnf(p.Item, "moves from %s to %s: %s; %s; to move the data, see docs/configuration.md", from, to, steps, data)
	return true
}

// flagOf returns the value of a flag of the server, of whatever runs it, or "" if there is none.
func flagOf(runner *yaml.Node, name string) string {
	server := yamlnode.Named(yamlnode.Get(runner, "spec", "template", "spec", "containers"), specs.ContainerName)
	if server == nil {
		server = yamlnode.Get(runner, "spec") // of the operator's Dragonfly
	}
	args := yamlnode.Get(server, "args")
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
	if specs.IsBucket(dir) {
		return dir
	}
	return ""
}

// warnOfMemory warns of less memory for data than before, by a smaller size or a smaller part of its limit.
func (m *merger) warnOfMemory(old *yaml.Node, p plan.Plan) {
	is := p.Instance.Size.MaxMemory()
	was, err := strconv.ParseInt(flagOf(old, "maxmemory"), 10, 64)
	if err != nil || was <= is {
		return
	}
	m.results.FieldWarnf(p.Item, report.Field{Path: "spec.size", Current: p.Instance.Size.Name},
		"maxmemory drops from %d to %d bytes, and Dragonfly exits at start when its snapshot does not fit; check with `INFO memory` that used_memory is below %d bytes before you apply this, or use a larger size",
		was, is, is)
}
