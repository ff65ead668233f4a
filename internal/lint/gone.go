package lint

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/bizmatters/dragonfly-generator/internal/instance"
	"github.com/bizmatters/dragonfly-generator/internal/merge"
	"github.com/bizmatters/dragonfly-generator/internal/yamlnode"
)

// gone warns about instances whose claims are gone.
func (l *linter) gone(changed map[instance.Name]*changesOf) {
	var stayed []string
	for _, g := range l.planned.Gone {
		var what []string
		for _, item := range g.Items {
			what = append(what, nameOf(item))
			stayed = append(stayed, fmt.Sprintf("%s %s/%s", item.Kind, item.Namespace, item.Name))
		}
		switch hint := l.renamedTo(g, changed); {
		case len(l.instances) == 0:
		case g.Removed:
			l.results.Warnf(g.Items[0], "its claim %s is gone, so the instance is removed (%s); if that is a mistake, restore the claim before you apply this%s", g.Instance, strings.Join(what, ", "), hint)
		default:
			l.results.Warnf(g.Items[0], "its claim %s is gone, but the instance stays (%s); restore the claim, or remove the instance with --prune%s", g.Instance, strings.Join(what, ", "), hint)
		}
	}
	if len(l.instances) == 0 && len(stayed) > 0 {
		l.results.Warnf(nil, "there are no claims left, which may be a mistake, so the objects generated from claims stay: %s; if they are no longer needed, delete their files", strings.Join(stayed, ", "))
	}
}

// renamedTo returns a hint in case the claim was renamed or moved: if there is a new claim that has the same name or
// namespace and asks for the same resources. Otherwise, it returns "".
func (l *linter) renamedTo(g merge.Gone, changed map[instance.Name]*changesOf) string {
	for _, item := range g.Items {
		if !runs(item, g.Instance) {
			continue
		}
		was := runnerOf(item.Node)
		memory, storage := yamlnode.Text(was.server, "resources", "limits", "memory"), yamlnode.Text(was.volume, "resources", "requests", "storage")
		for _, inst := range l.instances {
			isNew := changed[inst.Name] != nil && len(changed[inst.Name].updated) == 0 && len(changed[inst.Name].created) > 0
			isNear := inst.Namespace == g.Instance.Namespace || inst.Name.Name == g.Instance.Name
			if isNew && isNear && isQuantity(memory, *inst.Size.Limits.Memory) &&
				(was.volume == nil || isQuantity(storage, resource.MustParse(inst.Storage()))) {
				return fmt.Sprintf("; if it was renamed to %s, that is a new and empty instance, and the data stays on the volume %s-%s-0 in the namespace %s (see docs/scaling.md)",
					inst.Name, was.template, g.Instance.Name, g.Instance.Namespace)
			}
		}
	}
	return ""
}

// isQuantity reports whether a text is a quantity equal to the given one.
func isQuantity(text string, quantity resource.Quantity) bool {
	parsed, err := resource.ParseQuantity(text)
	return err == nil && parsed.Cmp(quantity) == 0
}
