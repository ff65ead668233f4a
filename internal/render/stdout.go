package render

import (
	"bytes"
	"slices"

	"github.com/GoogleContainerTools/kpt-functions-sdk/go/fn"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/internal/expand"
	"github.com/bizmatters/dragonfly-generator/internal/instance"
	"github.com/bizmatters/dragonfly-generator/internal/krm"
	"github.com/bizmatters/dragonfly-generator/internal/report"
	"github.com/bizmatters/dragonfly-generator/internal/yamlnode"
)

// separator separates documents.
const separator = "---\n"

// stdout returns the other resources, with the text of their files, followed by ours.
func stdout(in *inputs, expansion expand.Expansion, results *report.Results) ([]byte, error) {
	var out bytes.Buffer
	add := func(text []byte) {
		if out.Len() > 0 {
			out.WriteString(separator)
		}
		out.Write(text)
		if !bytes.HasSuffix(text, []byte("\n")) {
			out.WriteByte('\n')
		}
	}
	local := map[*yaml.Node]bool{}
	for _, item := range expansion.Local {
		local[item.Node] = true
	}
	staysHere := func(item *krm.Item) bool { return local[item.Node] || isLocal(item) || isConfig(item) }
	for _, source := range in.sources {
		var comments []byte // standing alone in front of a document
		for i, document := range source.documents {
			if document.Node == nil {
				comments = append(comments, commentsOf(document.Text)...)
				continue
			}
			if item := source.items[i]; item != nil && !staysHere(item) {
				text, err := printed(document, item, staysHere, results)
				if err != nil {
					return nil, err
				}
				if text != nil {
					add(append(comments, text...))
				}
			}
			comments = nil
		}
	}
	for _, addition := range expansion.Add {
		text, err := encode(addition.Node)
		if err != nil {
			return nil, err
		}
		add(text)
	}
	return out.Bytes(), nil
}

// printed returns the text of a resource, and a List without the objects that are not printed, or nil if none are
// left.
func printed(document krm.Document, item *krm.Item, staysHere func(*krm.Item) bool, results *report.Results) ([]byte, error) {
	dropped := map[*yaml.Node]bool{}
	for _, listed := range item.Listed() {
		if staysHere(listed) {
			dropped[listed.Node] = true
		}
	}
	if len(dropped) == 0 {
		refuseClaimIn(item, item.Node, map[*yaml.Node]bool{}, results)
		return body(document.Text), nil
	}
	list, holds := without(item.Node, dropped, map[*yaml.Node]bool{})
	if !holds {
		return nil, nil
	}
	refuseClaimIn(item, list, map[*yaml.Node]bool{}, results)
	if yamlnode.HasAnchors(item.Node) { // an anchor may have been in a dropped object
		var err error
		if list, err = yamlnode.Plain(list); err != nil {
			results.Errorf(item, "%s; write the values out", err)
			return nil, nil
		}
	}
	root := *document.Node
	root.Content = []*yaml.Node{list}
	return encode(&root)
}

// without returns a copy of a List without some objects of it and of the Lists inside it, and whether any are left.
func without(list *yaml.Node, dropped, open map[*yaml.Node]bool) (rest *yaml.Node, holds bool) {
	if open[list] || len(krm.NewItem(list).Listed()) == 0 { // open if aliases make it contain itself
		return list, true
	}
	open[list] = true
	defer delete(open, list)
	root, items := *list, *yamlnode.Get(list, "items")
	root.Content, items.Content, items.Anchor = slices.Clone(list.Content), nil, ""
	for _, n := range yamlnode.Get(list, "items").Content {
		if n = yamlnode.Follow(n); dropped[n] {
			continue
		}
		if inner, found := without(n, dropped, open); found {
			items.Content = append(items.Content, inner)
		}
	}
	yamlnode.Set(&root, "items", &items)
	return &root, len(items.Content) > 0
}

// refuseClaimIn reports a claim nested inside a printed resource: it is not expanded, and a cluster does not know its kind.
// A mere reference to a claim has no metadata.
func refuseClaimIn(item *krm.Item, n *yaml.Node, seen map[*yaml.Node]bool, results *report.Results) {
	if n = yamlnode.Follow(n); seen[n] {
		return
	}
	seen[n] = true
	if n.Kind == yaml.MappingNode && yamlnode.Get(n, "metadata") != nil && instance.IsClaim(krm.NewItem(n)) {
		results.Errorf(item, "contains the claim %s, but nothing is made from it there; write it as a separate object", yamlnode.Text(n, "metadata", "name"))
		return
	}
	for _, child := range n.Content {
		refuseClaimIn(item, child, seen, results)
	}
}

// isLocal reports whether a resource is for tools and not for the cluster.
func isLocal(item *krm.Item) bool {
	switch {
	case item.Annotation(fn.KptLocalConfig) == "true":
		return true
	case item.Group == "kpt.dev":
		return item.Kind == "Kptfile"
	case item.Group == "config.kubernetes.io", item.Group == "config.k8s.io":
		return item.Kind == "Krmfile"
	}
	return false
}

// body returns a document without the dashes at its start, but with the rest of their line.
func body(text []byte) []byte {
	line, rest, _ := bytes.Cut(text, []byte("\n"))
	switch {
	case !krm.IsSeparator(line):
		return text
	case len(bytes.TrimSpace(line)) == len("---"):
		return rest
	}
	return append(bytes.TrimLeft(bytes.TrimPrefix(line, []byte("---")), " \t"), append([]byte("\n"), rest...)...)
}

// commentsOf returns the comments of a document that contains nothing else.
func commentsOf(text []byte) []byte {
	var comments []byte
	for line := range bytes.Lines(text) {
		if bytes.HasPrefix(bytes.TrimSpace(line), []byte("#")) {
			comments = append(comments, bytes.TrimRight(line, "\r\n")...)
			comments = append(comments, '\n')
		}
	}
	return comments
}

// encode writes a document.
func encode(n *yaml.Node) ([]byte, error) {
	var text bytes.Buffer
	err := yaml.NewEncoder(&text).Encode(n)
	return text.Bytes(), err
}
