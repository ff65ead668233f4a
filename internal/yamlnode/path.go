package yamlnode

import (
	"strconv"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// Locate returns where the field at a path stands, as messages spell it (`spec.sizes.xl`, `spec.args[1]`): its key and
// its value, or those of the innermost part of the path that is there. An element of a list is its own key. Both are
// nil if not even the first part is there. Names in a path may hold dots, so the longest one that fits is taken.
func Locate(root *yaml.Node, path string) (key, value *yaml.Node) {
	for n := root; path != "" && n != nil; n = value {
		var nextKey, nextValue *yaml.Node
		rest := ""
		switch n.Kind {
		case yaml.MappingNode:
			for k, v := range Fields(n) {
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

// cutName removes the name from the start of a path, where it stands plain or in brackets.
func cutName(path, name string) (rest string, found bool) {
	if rest, found = strings.CutPrefix(path, "["+name+"]"); found {
		return rest, true
	}
	rest, found = strings.CutPrefix(path, name)
	return rest, found && (rest == "" || rest[0] == '.' || rest[0] == '[')
}
