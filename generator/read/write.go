package read

import (
	"bytes"
	"errors"
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
	frame, items := l.frame()
	var text bytes.Buffer
	if err := yaml.NewEncoder(&text).Encode(frame); err != nil {
		return nil, err
	}
	if len(items) == 0 {
		return text.Bytes(), nil
	}
	mark := []byte("\n- " + placeholder + "\n")
	if bytes.Count(text.Bytes(), mark) != 1 {
		return nil, errors.New("the list holds the text that stands for its items while it is written")
	}
	before, after, _ := bytes.Cut(text.Bytes(), mark)
	var out bytes.Buffer
	out.Write(before)
	out.WriteByte('\n')
	for _, item := range items {
		if err := encodeItem(&out, item); err != nil {
			return nil, err
		}
	}
	out.Write(after)
	return out.Bytes(), nil
}

// placeholder stands for the items while the rest of the list is encoded.
const placeholder = "the-items-of-this-list-stand-here"

// frame returns the list with a placeholder for its items, and the items. The encoder remembers all that
// it has seen of a document, which takes gigabytes for a large list, so the items are documents of their
// own to it.
func (l *List) frame() (frame *yaml.Node, items []*yaml.Node) {
	document, root := *l.document, *l.document.Content[0]
	document.Content, root.Content = []*yaml.Node{&root}, slices.Clone(root.Content)
	for i := 0; i+1 < len(root.Content); i += 2 {
		list := *root.Content[i+1]
		if root.Content[i].Value == "items" && len(list.Content) > 0 {
			items = list.Content
			root.Style = 0 // of a list in JSON, say: the items are written in lines of their own
			list.Style, list.Content = 0, []*yaml.Node{yamlnode.Scalar(placeholder)}
			root.Content[i+1] = &list
		}
	}
	return &document, items
}

// encodeItem writes an element of the list of items, with its comments around the dash.
func encodeItem(out *bytes.Buffer, item *yaml.Node) error {
	alone := *item
	alone.HeadComment, alone.FootComment = "", ""
	var text bytes.Buffer
	if err := yaml.NewEncoder(&text).Encode(&alone); err != nil {
		return err
	}
	writeComment(out, item.HeadComment)
	mark := "- "
	for line := range bytes.Lines(text.Bytes()) {
		if len(bytes.TrimRight(line, "\n")) > 0 {
			out.WriteString(mark)
		}
		out.Write(line)
		mark = "  "
	}
	writeComment(out, item.FootComment)
	return nil
}

func writeComment(out *bytes.Buffer, comment string) {
	if comment != "" {
		out.WriteString(comment)
		out.WriteByte('\n')
	}
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
		if len(seen) > 0 {
			text, err := yaml.Marshal(&n)
			if err != nil {
				return err
			}
			if seen[string(text)] {
				continue
			}
		}
		there.Content = append(there.Content, &n)
	}
	return nil
}

// field returns the list's own field of that name and makes it where it is missing or null.
func (l *List) field(name string, kind yaml.Kind) *yaml.Node {
	root := l.document.Content[0]
	for i := 0; i+1 < len(root.Content); i += 2 {
		if root.Content[i].Value != name {
			continue
		}
		if yamlnode.IsNull(root.Content[i+1]) {
			root.Content[i+1] = &yaml.Node{Kind: kind}
		}
		return root.Content[i+1]
	}
	n := &yaml.Node{Kind: kind}
	root.Content = append(root.Content, yamlnode.Scalar(name), n)
	return n
}
