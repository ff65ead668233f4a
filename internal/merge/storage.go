package merge

import (
	"fmt"
	"strconv"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/plan"
	"github.com/bizmatters/dragonfly-generator/internal/report"
	"github.com/bizmatters/dragonfly-generator/internal/specs"
	"github.com/bizmatters/dragonfly-generator/internal/yamlnode"
)

// warnOfStorage warns of a StatefulSet whose data moves: onto a volume, from one, or to another bucket. It reports
// whether it does.
func (m *merger) warnOfStorage(old *yaml.Node, p plan.Plan) bool {
	inst := p.Instance
	hadVolume := yamlnode.Named(yamlnode.Get(old, "spec", "volumeClaimTemplates"), specs.DataVolume, "metadata") != nil
	hasVolume := p.Config.Storage.Type == v1alpha1.OnVolume
	was, is := snapshotFolder(flagOf(old, "dir")), ""
	if p.Config.Storage.Type == v1alpha1.InBucket {
		is = specs.BucketFolder(inst, p.Config)
	}
	hadBucket, hasBucket := was != "", is != ""
	hadNothing := !hadVolume && !hadBucket
	if hadVolume == hasVolume && was == is {
		return false
	}
	if hadNothing && yamlnode.Named(yamlnode.Get(old, "spec", "template", "spec", "volumes"), specs.DataVolume) == nil {
		return false // not what we make of a cache, so nobody knows where its data was
	}
	from, to := "a cache without storage", "a cache without storage"
	switch {
	case hadVolume:
		from = fmt.Sprintf("the volume %s-%s-0", specs.DataVolume, inst.StatefulSet())
	case hadBucket:
		from = was
	}
	switch {
	case hasVolume:
		to = "a volume"
	case hasBucket:
		to = is
	}
	steps := "apply it"
	if hadVolume != hasVolume {
		steps = fmt.Sprintf("Kubernetes refuses that on a live StatefulSet, so run `kubectl delete statefulset %s -n %s --cascade=orphan` first, and apply again", inst.StatefulSet(), inst.Namespace)
	}
	data := "the new pod starts empty, and the old data stays where it is until someone deletes it"
	if hadNothing {
		data = "the new pod starts empty, as every pod of a cache does"
	}
	m.results.Warnf(p.Item, "moves from %s to %s: %s; %s; to move the data, see docs/configuration.md", from, to, steps, data)
	return true
}

// flagOf returns the value of a flag of the server, of whatever runs it, "" for none.
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
	if strings.Contains(dir, "://") {
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
