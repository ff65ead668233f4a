package config

import (
	"regexp"
	"slices"
	"sync"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/internal/yamlnode"
)

// VariableMessage is the message about a claim or configuration that contains a variable.
const VariableMessage = "contains a variable, `${...}`, which would only be filled in after this function has read it; fill it in first (`flux envsubst --strict`, or kustomize's replacements)"

// variable matches a variable of envsubst, as Flux uses it. Two dollar signs escape it.
var variable = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`(^|[^$])\$\{[A-Za-z_]`) })

// HoldsVariable reports whether a string in n contains a variable.
func HoldsVariable(n *yaml.Node) bool {
	if n == nil {
		return false
	}
	return n.Kind == yaml.ScalarNode && variable().MatchString(n.Value) || slices.ContainsFunc(n.Content, HoldsVariable)
}

// holdsVariable reports whether a configuration contains a variable anywhere but in patches and extra objects, which may
// contain scripts.
func holdsVariable(config *yaml.Node) bool {
	for _, layer := range append([]*yaml.Node{yamlnode.Get(config, "spec")}, profileNodes(config)...) {
		for key, value := range yamlnode.Fields(layer) {
			if !slices.Contains([]string{"overrides", "extraObjects", "profiles"}, key.Value) && HoldsVariable(value) {
				return true
			}
		}
	}
	return false
}

func profileNodes(config *yaml.Node) []*yaml.Node {
	var nodes []*yaml.Node
	for _, profile := range yamlnode.Fields(yamlnode.Get(config, "spec", "profiles")) {
		nodes = append(nodes, profile)
	}
	return nodes
}
