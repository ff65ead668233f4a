package lint

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/instance"
	"github.com/bizmatters/dragonfly-generator/internal/krm"
	"github.com/bizmatters/dragonfly-generator/internal/operator"
	"github.com/bizmatters/dragonfly-generator/internal/specs"
	"github.com/bizmatters/dragonfly-generator/internal/yamlnode"
)

// neighbors are the items that share the label app of an instance, by kind and name.
type neighbors struct{ pods, selectors []string }

// noteNeighbor notes pods that have the label app of an instance, and selectors that match its pod by that label.
func (l *linter) noteNeighbor(item *krm.Item) {
	namesake := instance.Name{Namespace: item.Namespace, Name: item.Name}
	if l.neighbors[namesake] != nil && slices.Contains(specs.IDs(namesake), item.ID) && slices.Contains(l.list.Items, item) {
		return // there is an error about it, unless it is in a List
	}
	what := item.Kind + " " + item.Name
	if pod := podOf(item); pod != nil {
		if n := l.neighbors[instance.Name{Namespace: item.Namespace, Name: yamlnode.Text(pod, "metadata", "labels", "app")}]; n != nil {
			n.pods = append(n.pods, what)
		}
		return
	}
	var selector map[string]string
	switch {
	case item.Group == "" && item.Kind == "Service":
		selector = yamlnode.Texts(yamlnode.Get(item.Node, "spec", "selector"))
	case item.Group == "policy" && item.Kind == "PodDisruptionBudget":
		selector = labelSelector(yamlnode.Get(item.Node, "spec", "selector"))
	case item.Group == "networking.k8s.io" && item.Kind == "NetworkPolicy":
		selector = labelSelector(yamlnode.Get(item.Node, "spec", "podSelector"))
	}
	if l.warnOfSecondBudget(item) {
		return
	}
	name := instance.Name{Namespace: item.Namespace, Name: selector["app"]}
	n := l.neighbors[name]
	if n != nil && labels.SelectorFromSet(selector).Matches(labels.Set(name.OwnLabels())) && !meansInstance(selector) {
		n.selectors = append(n.selectors, what)
	}
}

func (l *linter) warnOfNeighbors() {
	for _, inst := range l.instances {
		n := l.neighbors[inst.Name]
		if len(n.pods)+len(n.selectors) == 0 {
			continue
		}
		var all []string
		if len(n.pods) > 0 {
			all = append(all, "the pods of "+strings.Join(n.pods, ", ")+" have the same label app: "+inst.Name.Name)
		}
		if len(n.selectors) > 0 {
			all = append(all, "the selectors of "+strings.Join(n.selectors, ", ")+" match its pod by the label app: "+inst.Name.Name)
		}
		l.results.Warnf(inst.Item, "%s, so each can select the other's pods; rename the claim, for example to %s, or add app.kubernetes.io/name: dragonfly to any selector that is meant for the instance",
			strings.Join(all, ", and "), otherName(inst.Name.Name))
	}
}

// labelSelector returns the labels that a selector requires, including expressions with a single value. Other expressions
// are left out: they rarely exclude a pod that matches the rest.
func labelSelector(n *yaml.Node) map[string]string {
	required := yamlnode.Texts(yamlnode.Get(n, "matchLabels"))
	for _, e := range yamlnode.Elements(n, "matchExpressions") {
		if values := yamlnode.Elements(e, "values"); yamlnode.Text(e, "operator") == "In" && len(values) == 1 {
			required[yamlnode.Text(e, "key")] = yamlnode.Text(values[0])
		}
	}
	return required
}

// otherName proposes a name for a claim that has the name of its application.
func otherName(name string) string {
	if strings.HasSuffix(name, "cache") {
		return name + "-dragonfly"
	}
	return name + "-cache"
}

// meansInstance reports whether a selector has a label that only instances have.
func meansInstance(selector map[string]string) bool {
	return selector["app.kubernetes.io/name"] != "" || selector[v1alpha1.ManagedByLabel] != ""
}

// warnOfSecondBudget warns about a PodDisruptionBudget for the pods of an instance for which the operator creates one too, and
// reports whether the item is one.
func (l *linter) warnOfSecondBudget(item *krm.Item) bool {
	if item.Group != "policy" || item.Kind != "PodDisruptionBudget" {
		return false
	}
	for _, inst := range l.instances {
		if inst.IsByOperator() && inst.Namespace == item.Namespace && operator.Selects(yamlnode.Get(item.Node, "spec", "selector"), inst.Name.Name) {
			l.results.Warnf(item, "selects the pods of the instance %s, for which the operator also creates a PodDisruptionBudget, and with two of them Kubernetes refuses every eviction; remove this one, and set overrides.dragonfly.spec.pdb in the configuration", inst.Name)
			return true
		}
	}
	return false
}
