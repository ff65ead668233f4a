package read

import (
	"bytes"
	"slices"

	"github.com/GoogleContainerTools/kpt-functions-sdk/go/fn"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/generator/yamlnode"
)

// Add appends an object that was not there.
func (l *List) Add(n *yaml.Node) {
	l.append(NewItem(n))
	items := l.field("items", yaml.SequenceNode)
	items.Style = 0 // `items: []` must not put the new ones in one line
	items.Content = append(items.Content, n)
}

// Remove takes the items out.
func (l *List) Remove(items []*Item) {
	gone := make(map[*yaml.Node]bool, len(items))
	for _, item := range items {
		gone[item.Node] = true
	}
	isGone := func(item *Item) bool { return gone[item.Node] }
	l.Items = slices.DeleteFunc(l.Items, isGone)
	for _, item := range items {
		l.byID[item.ID] = slices.DeleteFunc(slices.Clone(l.byID[item.ID]), isGone)
	}
	field := l.field("items", yaml.SequenceNode)
	field.Content = slices.DeleteFunc(field.Content, func(n *yaml.Node) bool { return gone[yamlnode.Follow(n)] })
}

// Bytes returns the list as YAML, with results added to those that came with it. A result that is
// there already is not added again, so that a pipe through the function twice gives the same bytes.
func (l *List) Bytes(results fn.Results) ([]byte, error) {
	if len(results) > 0 {
		if err := l.addResults(results); err != nil {
			return nil, err
		}
	}
	var out bytes.Buffer
	if err := yaml.NewEncoder(&out).Encode(l.document); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func (l *List) addResults(results fn.Results) error {
	there := l.field("results", yaml.SequenceNode)
	there.Style = 0
	seen := make(map[string]bool, len(there.Content))
	for _, n := range there.Content {
		text, err := yaml.Marshal(n)
		if err != nil {
			return err
		}
		seen[string(text)] = true
	}
	for _, result := range results {
		var n yaml.Node
		if err := n.Encode(result); err != nil {
			return err
		}
		text, err := yaml.Marshal(&n)
		if err != nil {
			return err
		}
		if !seen[string(text)] {
			there.Content = append(there.Content, &n)
		}
	}
	return nil
}

// field returns the list's own field of that name and makes it where it is missing or null.
func (l *List) field(name string, kind yaml.Kind) *yaml.Node {
	root := yamlnode.Follow(l.document.Content[0])
	for i := 0; i+1 < len(root.Content); i += 2 {
		if root.Content[i].Value != name {
			continue
		}
		if yamlnode.IsNull(root.Content[i+1]) {
			root.Content[i+1] = &yaml.Node{Kind: kind}
		}
		return yamlnode.Follow(root.Content[i+1])
	}
	n := &yaml.Node{Kind: kind}
	root.Content = append(root.Content, yamlnode.Scalar(name), n)
	return n
}
