package merge

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/instance"
	"github.com/bizmatters/dragonfly-generator/internal/krm"
	"github.com/bizmatters/dragonfly-generator/internal/specs"
	"github.com/bizmatters/dragonfly-generator/internal/yamlnode"
)

// leftovers decides on the objects with our mark that no claim asks for any more. They are removed where
// results are kept, and only if there are claims left: none at all is more likely a mistake than a wish.
func (m *merger) leftovers() {
	var stayed []string
	gone := map[string][]*krm.Item{} // by mark
	for _, item := range m.List.Items {
		mark := item.Annotation(v1alpha1.GeneratedFrom)
		if m.seen[item] || !IsOurs(item) {
			continue
		}
		isClaimed := m.Owners.IsClaimed(mark)
		switch hasOwnName := hasNameOf(item, instance.ParseMark(mark)); {
		case !hasOwnName && !m.Kept:
			m.refuseRenamed(item)
		case !m.Kept, isClaimed && !hasOwnName:
			// Part of a rendered base, or a copy that somebody keeps under another name.
		case !hasOwnName:
			m.results.Warnf(item, "was made from the claim %s, which is gone, but has another name now, so it stays; remove it, or remove its annotation %s", mark, v1alpha1.GeneratedFrom)
		case item.IsEncrypted():
			m.results.Warnf(item, "was made from the claim %s, which is gone, but is encrypted, so it stays; remove it if that password is no longer needed", mark)
		case isClaimed:
			if !m.isAnchored(item) {
				m.changes.Remove = append(m.changes.Remove, item)
				m.results.Infof(item, "removed, because the instance %s no longer has it", mark)
			}
		case !m.Owners.HasClaims():
			stayed = append(stayed, fmt.Sprintf("%s %s/%s", item.Kind, item.Namespace, item.Name))
		default:
			gone[mark] = append(gone[mark], item)
		}
	}
	if len(stayed) > 0 {
		m.results.Warnf(nil, "no claim is left, which may be a mistake, so the objects made from claims stay: %s; if they are no longer needed, delete their files", strings.Join(stayed, ", "))
	}
	if m.results.HasErrors() {
		return // nothing is done, and a claim that cannot be read is not gone
	}
	for _, item := range m.List.Items { // in their order
		if mark := item.Annotation(v1alpha1.GeneratedFrom); len(gone[mark]) > 0 && gone[mark][0] == item {
			m.leftover(mark, gone[mark])
		}
	}
}

// leftover removes what is left of an instance whose claim is gone.
func (m *merger) leftover(mark string, items []*krm.Item) {
	var what []string
	for _, item := range items {
		if m.Prune && m.isAnchored(item) {
			return
		}
		what = append(what, item.Kind+" "+item.Name)
	}
	hint := m.renamedTo(mark, items)
	if !m.Prune {
		m.results.Warnf(items[0], "its claim %s is gone, but the instance stays (%s); restore the claim, or remove the instance with --prune%s", mark, strings.Join(what, ", "), hint)
		return
	}
	m.changes.Remove = append(m.changes.Remove, items...)
	m.results.Warnf(items[0], "its claim %s is gone, so the instance is removed (%s); if that is a mistake, restore the claim before you apply this%s", mark, strings.Join(what, ", "), hint)
}

// renamedTo returns, for a message, what follows if the claim was renamed or moved: if one that asks for the same
// is new, and has its name or its namespace.
func (m *merger) renamedTo(mark string, items []*krm.Item) string {
	gone := instance.ParseMark(mark)
	for _, item := range items {
		var limits, volume *yaml.Node
		template := ""
		switch item.ID {
		case gone.StatefulSetID():
			template = specs.DataVolume
			limits = yamlnode.Get(yamlnode.Named(yamlnode.Get(item.Node, "spec", "template", "spec", "containers"), specs.ContainerName), "resources", "limits")
			volume = yamlnode.Get(yamlnode.Named(yamlnode.Get(item.Node, "spec", "volumeClaimTemplates"), specs.DataVolume, "metadata"), "spec", "resources", "requests")
		case gone.DragonflyID():
			template = specs.OperatorVolume
			limits = yamlnode.Get(item.Node, "spec", "resources", "limits")
			volume = yamlnode.Get(item.Node, "spec", "snapshot", "persistentVolumeClaimSpec", "resources", "requests")
		default:
			continue
		}
		for _, p := range m.fresh {
			isNear := p.Namespace == gone.Namespace || p.Name.Name == gone.Name
			if isNear && is(yamlnode.Text(limits, "memory"), p.Size.Limits.Memory) && (volume == nil || is(yamlnode.Text(volume, "storage"), resource.MustParse(p.Instance.Storage()))) {
				return fmt.Sprintf("; if it was renamed to %s, that is a new and empty instance, and the data stays on the volume %s-%s-0 of the namespace %s (see docs/scaling.md)", p.Name, template, gone.Name, gone.Namespace)
			}
		}
	}
	return ""
}

// is reports whether a text is that quantity.
func is(text string, quantity resource.Quantity) bool {
	parsed, err := resource.ParseQuantity(text)
	return err == nil && parsed.Cmp(quantity) == 0
}

// refuseRenamed reports an object that was renamed in the same build after we had made it.
func (m *merger) refuseRenamed(item *krm.Item) {
	m.results.Errorf(item, "was made from the claim %s and then renamed or moved to another namespace, so the endpoint in its connection Secret is wrong; run this function once, in the outermost kustomization, after anything that renames", item.Annotation(v1alpha1.GeneratedFrom))
}

// IsOurs reports whether the item carries our mark and is of a kind that we make, or one of a configuration's
// extra objects.
func IsOurs(item *krm.Item) bool {
	return item.Annotation(v1alpha1.GeneratedFrom) != "" && (isOurKind(item) || item.Label(instance.ManagedByLabel) == instance.ManagedBy)
}

func isOurKind(item *krm.Item) bool {
	return slices.ContainsFunc(instance.Name{}.IDs(), func(id krm.ID) bool { return id.Group == item.Group && id.Kind == item.Kind })
}

// hasNameOf reports whether an object has a name that the instance gives its objects of that kind. The names of
// extra objects have the instance's name in them.
func hasNameOf(item *krm.Item, name instance.Name) bool {
	if slices.Contains(name.IDs(), item.ID) {
		return true
	}
	return mayBeExtra(item) && item.Namespace == name.Namespace && strings.Contains(item.Name, name.Name)
}

// mayBeExtra reports whether an object can be an extra one of a configuration: it has our labels. What runs an
// instance and its Secrets cannot: with another name they were renamed.
func mayBeExtra(item *krm.Item) bool {
	return item.Label(instance.ManagedByLabel) == instance.ManagedBy &&
		(!slices.Contains([]string{"StatefulSet", "Dragonfly", "Secret"}, item.Kind) || !isOurKind(item))
}
