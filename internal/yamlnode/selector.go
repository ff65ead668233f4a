package yamlnode

import "sigs.k8s.io/kustomize/kyaml/yaml"

// LabelSelector returns the labels that a selector requires, including expressions with a single value. Other expressions
// are left out: they rarely exclude a pod that matches the rest.
func LabelSelector(n *yaml.Node) map[string]string {
	labels := Texts(Get(n, "matchLabels"))
	for _, e := range Elements(n, "matchExpressions") {
		if values := Elements(e, "values"); Text(e, "operator") == "In" && len(values) == 1 {
			labels[Text(e, "key")] = Text(values[0])
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
