package merge

import (
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/generator/plan"
	"github.com/bizmatters/dragonfly-generator/generator/read"
	"github.com/bizmatters/dragonfly-generator/generator/report"
	"github.com/bizmatters/dragonfly-generator/generator/yamlnode"
)

// warn compares a StatefulSet with the one that replaces it, and warns of what the cluster will refuse
// and of what Dragonfly may not survive.
func (m *merger) warn(old *read.Item, p plan.Plan, o object) {
	if o.id.Kind != "StatefulSet" {
		return
	}
	inst := p.Instance
	volume := first(yamlnode.Get(old.Node, "spec", "volumeClaimTemplates"))
	if was := yamlnode.Text(volume, "spec", "resources", "requests", "storage"); differ(was, inst.Storage()) {
		m.results.FieldWarnf(p.Claim, report.Field{Path: "spec.storageGB", Current: inst.StorageGB},
			"Kubernetes refuses another volume size (%s before) on a live StatefulSet; grow the volume with `kubectl patch pvc %s-%s-0 -n %s -p '{\"spec\":{\"resources\":{\"requests\":{\"storage\":\"%s\"}}}}'` where its storage class allows that, then `kubectl delete statefulset %s -n %s --cascade=orphan`, and apply again; a volume cannot shrink",
			was, yamlnode.Text(volume, "metadata", "name"), inst.StatefulSet(), inst.Namespace, inst.Storage(), inst.StatefulSet(), inst.Namespace)
	}
	if was := yamlnode.Text(volume, "spec", "storageClassName"); was != "" && was != m.Config.StorageClassName {
		m.results.Warnf(p.Claim, "Kubernetes refuses another storage class (%s before, %s now) on a live StatefulSet, and a volume cannot change its class; keep the class, or move the data to a new instance",
			was, m.Config.StorageClassName)
	}
	container := first(yamlnode.Get(old.Node, "spec", "template", "spec", "containers"))
	if was, err := resource.ParseQuantity(yamlnode.Text(container, "resources", "limits", "memory")); err == nil && was.Cmp(inst.Size.Limits.Memory) > 0 {
		m.results.FieldWarnf(p.Claim, report.Field{Path: "spec.size", Current: inst.Size.Name},
			"the memory limit goes from %s down to %s, and Dragonfly exits at start when its snapshot does not fit; see with `INFO memory` that used_memory is below %d bytes before you apply this",
			&was, &inst.Size.Limits.Memory, inst.Size.MaxMemory())
	}
}

// differ says whether two quantities are not the same amount. What is no quantity differs from nothing.
func differ(a, b string) bool {
	left, err := resource.ParseQuantity(a)
	if err != nil {
		return false
	}
	right, err := resource.ParseQuantity(b)
	return err == nil && left.Cmp(right) != 0
}

func first(list *yaml.Node) *yaml.Node {
	if list == nil || list.Kind != yaml.SequenceNode || len(list.Content) == 0 {
		return nil
	}
	return list.Content[0]
}
