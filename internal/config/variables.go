package config

import (
	"regexp"
	"slices"
	"sync"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/internal/decode"
	"github.com/bizmatters/dragonfly-generator/internal/report"
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

// refuseVariables reports the fields of a mapping that contain a variable.
func (r *reader) refuseVariables(n *yaml.Node, path string, except ...string) {
	for key, value := range yamlnode.Fields(n) {
		switch at := decode.Join(path, key.Value); {
		case slices.Contains(except, key.Value):
		case value.Kind == yaml.MappingNode && !HoldsVariable(key):
			r.refuseVariables(value, at)
		case HoldsVariable(key), HoldsVariable(value):
			r.Errorf(report.Field{Path: at}, "%s", VariableMessage)
		}
	}
}
