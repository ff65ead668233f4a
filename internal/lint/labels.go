package lint

import (
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/internal/instance"
	"github.com/bizmatters/dragonfly-generator/internal/krm"
	"github.com/bizmatters/dragonfly-generator/internal/yamlnode"
)

// meets is what shares the label app of an instance, by kind and name.
type meets struct{ pods, selectors []string }

// neighbour notes pods that carry the label app of an instance, and selectors that match its pod by that.
func (l *linter) neighbour(item *krm.Item) {
	what := item.Kind + " " + item.Name
	if pod := podOf(item); pod != nil {
		name := instance.Name{Namespace: item.Namespace, Name: yamlnode.Text(pod, "metadata", "labels", "app")}
		if _, found := l.byName[name]; found {
			m := l.meet(name)
			m.pods = append(m.pods, what)
		}
		return
	}
	var selector map[string]string
	switch {
	case item.Group == "" && item.Kind == "Service":
		selector = texts(yamlnode.Get(item.Node, "spec", "selector"))
	case item.Group == "policy" && item.Kind == "PodDisruptionBudget":
		selector = labelSelector(yamlnode.Get(item.Node, "spec", "selector"))
	case item.Group == "networking.k8s.io" && item.Kind == "NetworkPolicy":
		selector = labelSelector(yamlnode.Get(item.Node, "spec", "podSelector"))
	}
	name := instance.Name{Namespace: item.Namespace, Name: selector["app"]}
	if _, found := l.byName[name]; !found || !matches(selector, name.OwnLabels()) || meansInstance(selector) {
		return
	}
	m := l.meet(name)
	m.selectors = append(m.selectors, what)
}

func (l *linter) meet(name instance.Name) *meets {
	if l.meets[name] == nil {
		l.meets[name] = &meets{}
	}
	return l.meets[name]
}

func (l *linter) warnOfNeighbours() {
	for _, c := range l.Instances {
		m := l.meets[c.Name]
		if m == nil {
			continue
		}
		var all []string
		if len(m.pods) > 0 {
			all = append(all, "the pods of "+strings.Join(m.pods, ", ")+" have the same label app: "+c.Name.Name)
		}
		if len(m.selectors) > 0 {
			all = append(all, "the selectors of "+strings.Join(m.selectors, ", ")+" match its pod by the label app: "+c.Name.Name)
		}
		l.results.Warnf(c.Item, "%s, so each reaches or counts the other's pods; rename the claim, for example to %s, or add app.kubernetes.io/name: dragonfly to a selector that is meant for the instance",
			strings.Join(all, ", and "), otherName(c.Name.Name))
	}
}

// otherName proposes a name for a claim that is called as its application.
func otherName(name string) string {
	if strings.HasSuffix(name, "cache") {
		return name + "-dragonfly"
	}
	return name + "-cache"
}

// meansInstance reports whether a selector names one of the labels that no application has.
func meansInstance(selector map[string]string) bool {
	return selector["app.kubernetes.io/name"] != "" || selector[instance.ManagedByLabel] != ""
}

func matches(selector, labels map[string]string) bool {
	for key, value := range selector {
		if labels[key] != value {
			return false
		}
	}
	return true
}

// labelSelector returns the labels that a selector asks for, those of an expression with one value included.
// Other expressions are left out: they seldom keep a pod away that the rest finds.
func labelSelector(n *yaml.Node) map[string]string {
	labels := texts(yamlnode.Get(n, "matchLabels"))
	expressions := yamlnode.Get(n, "matchExpressions")
	if expressions == nil {
		return labels
	}
	for _, e := range expressions.Content {
		values := yamlnode.Get(e, "values")
		if yamlnode.Text(e, "operator") == "In" && values != nil && len(values.Content) == 1 {
			labels[yamlnode.Text(e, "key")] = yamlnode.Text(values.Content[0])
		}
	}
	return labels
}

// texts returns the fields of a mapping.
func texts(n *yaml.Node) map[string]string {
	all := map[string]string{}
	for key, value := range yamlnode.Fields(n) {
		all[key.Value] = yamlnode.Text(value)
	}
	return all
}
