package krm

import (
	"bytes"
	"errors"
	"slices"

	"github.com/GoogleContainerTools/kpt-functions-sdk/go/fn"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/internal/yamlnode"
)

// Add appends a new object.
func (l *List) Add(n *yaml.Node) {
	l.append(NewItem(n))
	items := l.field("items")
	items.Style = 0 // so that `items: []` does not put the new ones on one line
	items.Content = append(items.Content, n)
}

// Remove removes the items.
func (l *List) Remove(items []*Item) {
	gone := make(map[*yaml.Node]bool, len(items))
	for _, item := range items {
		gone[item.Node] = true
	}
	isGone := func(item *Item) bool { return gone[item.Node] }
	l.Items = slices.DeleteFunc(l.Items, isGone)
	done := map[ID]bool{} // there may be thousands with the same ID
	for _, item := range items {
		if !done[item.ID] {
			done[item.ID] = true
			l.byID[item.ID] = slices.DeleteFunc(slices.Clone(l.byID[item.ID]), isGone)
		}
	}
	field := l.field("items")
	field.Content = slices.DeleteFunc(field.Content, func(n *yaml.Node) bool { return gone[yamlnode.Follow(n)] })
}

// Bytes returns the list as YAML, with results added to those that it came with. A result that it already has is not
// added again, so that piping a list through the function twice gives the same bytes.
func (l *List) Bytes(results fn.Results) ([]byte, error) {
	if len(results) > 0 {
		if err := l.addResults(results); err != nil {
			return nil, err
		}
	}
	frame, lists := l.frame()
	var text bytes.Buffer
	if err := yaml.NewEncoder(&text).Encode(frame); err != nil {
		return nil, err
	}
	rest := text.Bytes()
	var out bytes.Buffer
	for _, list := range lists {
		mark := []byte("\n- " + list.placeholder + "\n")
		if bytes.Count(rest, mark) != 1 {
			return nil, errors.New("the list contains the text of the placeholder for its items")
		}
		before, after, _ := bytes.Cut(rest, mark)
		out.Write(before)
		out.WriteByte('\n')
		var text bytes.Buffer
		for _, element := range list.elements {
			if err := encodeItem(&out, &text, element); err != nil {
				return nil, err
			}
		}
		rest = after
	}
	out.Write(rest)
	return out.Bytes(), nil
}

// longList is one of the lists that may be long: the items, or the results. A placeholder replaces its elements while the
// rest is encoded.
type longList struct {
	placeholder string
	elements    []*yaml.Node
}

// frame returns the ResourceList with placeholders for its items and results, and those lists in the order of their
// fields. The encoder keeps everything that it has seen of a document in memory, which takes gigabytes for a large list, so
// each item and each result is encoded as a separate document.
func (l *List) frame() (frame *yaml.Node, lists []longList) {
	document, root := *l.document, *l.document.Content[0]
	document.Content, root.Content = []*yaml.Node{&root}, slices.Clone(root.Content)
	for i := 0; i+1 < len(root.Content); i += 2 {
		name, list := root.Content[i].Value, *root.Content[i+1]
		isItems, isResults := name == "items", name == "results" && list.Style&yaml.FlowStyle == 0
		if !isItems && !isResults || len(list.Content) == 0 {
			continue
		}
		long := longList{placeholder: "the-" + name + "-of-this-list-stand-here", elements: list.Content}
		lists = append(lists, long)
		root.Style = 0 // the input may be JSON, but items are written on lines of their own
		list.Style, list.Content = 0, []*yaml.Node{yamlnode.Scalar(long.placeholder)}
		root.Content[i+1] = &list
	}
	return &document, lists
}

// encodeItem writes an element of a list, with its comments before and after it.
func encodeItem(out, text *bytes.Buffer, item *yaml.Node) error {
	alone := *item
	alone.HeadComment, alone.FootComment = "", ""
	text.Reset()
	if err := yaml.NewEncoder(text).Encode(&alone); err != nil {
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
	existing := l.field("results")
	existing.Style = 0
	seen := make(map[string]bool, len(existing.Content))
	for _, n := range existing.Content {
		text, err := yaml.Marshal(n)
		if err != nil {
			return err
		}
		seen[string(text)] = true
	}
	for _, result := range results {
		n, err := FromTyped(result)
		if err != nil {
			return err
		}
		if len(seen) > 0 {
			text, err := yaml.Marshal(n)
			if err != nil {
				return err
			}
			if seen[string(text)] {
				continue
			}
		}
		existing.Content = append(existing.Content, n)
	}
	return nil
}

// field returns the list in the top-level field of that name, which is created if it is missing or null.
func (l *List) field(name string) *yaml.Node {
	root := l.document.Content[0]
	n := yamlnode.Get(root, name)
	if yamlnode.IsNull(n) {
		n = &yaml.Node{Kind: yaml.SequenceNode}
		yamlnode.Set(root, name, n)
	}
	return n
}
