package render

import (
	"bytes"

	"github.com/GoogleContainerTools/kpt-functions-sdk/go/fn"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/generator"
	"github.com/bizmatters/dragonfly-generator/internal/krm"
)

// separator stands between documents.
const separator = "---\n"

// stdout returns the other resources, as they stand in their files, and then ours.
func stdout(in *inputs, expansion generator.Expansion) ([]byte, error) {
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
	local := map[*krm.Item]bool{}
	for _, item := range expansion.Local {
		local[item] = true
	}
	for _, source := range in.sources {
		var comments []byte // that stand alone in front of a document
		for i, document := range source.documents {
			item := source.items[i]
			switch {
			case document.Node == nil:
				comments = append(comments, commentsOf(document.Text)...)
				continue
			case item != nil && !local[item] && !isLocal(item):
				add(append(comments, body(document.Text)...))
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

// isLocal says whether a resource is for tools and not for the cluster.
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

// body returns a document without the dashes in front of it. What follows on their line stays.
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

// commentsOf returns the comments of a document that has nothing else.
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
