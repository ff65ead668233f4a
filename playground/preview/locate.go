package preview

import (
	"strconv"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/internal/yamlnode"
)

// locate returns the key and value at a path, which is written as in messages (`spec.sizes.xl`, `spec.args[1]`). If the
// path does not exist, it returns those of its innermost part that does, or nil if not even the first part exists. An
// element of a list is its own key. Names in a path may contain dots, so the longest name that fits is used.
func locate(root *yaml.Node, path string) (key, value *yaml.Node) {
	for n := root; path != "" && n != nil; n = value {
		var nextKey, nextValue *yaml.Node
		rest := ""
		switch n.Kind {
		case yaml.MappingNode:
			for k, v := range yamlnode.Fields(n) {
				if after, found := cutName(path, k.Value); found && (nextKey == nil || len(after) < len(rest)) {
					nextKey, nextValue, rest = k, v, after
				}
			}
		case yaml.SequenceNode:
			number, after, _ := strings.Cut(strings.TrimPrefix(path, "["), "]")
			if i, err := strconv.Atoi(number); err == nil && i >= 0 && i < len(n.Content) {
				nextKey, nextValue, rest = n.Content[i], n.Content[i], after
			}
		}
		if nextKey == nil {
			break
		}
		key, value, path = nextKey, nextValue, strings.TrimPrefix(rest, ".")
	}
	return key, value
}

// cutName removes the name from the start of a path, where it is plain or in brackets.
func cutName(path, name string) (rest string, found bool) {
	if rest, found = strings.CutPrefix(path, "["+name+"]"); found {
		return rest, true
	}
	rest, found = strings.CutPrefix(path, name)
	return rest, found && (rest == "" || rest[0] == '.' || rest[0] == '[')
}
