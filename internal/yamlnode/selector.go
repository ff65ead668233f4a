package yamlnode

import "sigs.k8s.io/kustomize/kyaml/yaml"

// LabelSelector returns the labels that a selector requires, including expressions with a single value. Other expressions
// are left out: they rarely exclude a pod that matches the rest.
func LabelSelector(n *yaml.Node) map[string]string {
	labels := Texts(Get(n, "matchLabels"))
	expressions := Get(n, "matchExpressions")
	if expressions == nil {
		return labels
	}
	for _, e := range expressions.Content {
		values := Get(e, "values")
		if Text(e, "operator") == "In" && values != nil && len(values.Content) == 1 {
			labels[Text(e, "key")] = Text(values.Content[0])
		}
	}
	return labels
}

// Texts returns the fields of a mapping.
func Texts(n *yaml.Node) map[string]string {
	all := map[string]string{}
	for key, value := range Fields(n) {
		all[key.Value] = Text(value)
	}
	return all
}
