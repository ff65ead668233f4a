package render

import (
	"bytes"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/internal/instance"
	"github.com/bizmatters/dragonfly-generator/internal/krm"
	"github.com/bizmatters/dragonfly-generator/internal/merge"
	"github.com/bizmatters/dragonfly-generator/internal/report"
	"github.com/bizmatters/dragonfly-generator/internal/yamlnode"
)

// separator separates documents.
const separator = "---\n"

// stdout returns the other resources, with the text of their files, followed by ours.
func stdout(in *inputs, changes merge.Changes, results *report.Results) ([]byte, error) {
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
	for _, source := range in.sources {
		var comments []byte // standing alone in front of a document
		for _, document := range source.documents {
			if document.Node == nil {
				comments = append(comments, commentsOf(document.Text)...)
				continue
			}
			if item := document.item; item != nil && !instance.IsMeantAsClaim(item) && !isLocal(item) {
				refuseClaimIn(item, results)
				add(append(comments, body(document.Text)...))
			}
			comments = nil
		}
	}
	for _, addition := range changes.Add {
		text, err := yaml.Marshal(addition.Node)
		if err != nil {
			return nil, err
		}
		add(text)
	}
	return out.Bytes(), nil
}

// refuseClaimIn reports a claim inside a resource that is printed: nothing is generated from it, and the cluster does not know
// its kind. A mere reference to a claim has no metadata.
func refuseClaimIn(item *krm.Item, results *report.Results) {
	for n := range yamlnode.All(item.Node) {
		if n.Kind == yaml.MappingNode && yamlnode.Get(n, "metadata") != nil && instance.IsClaim(krm.NewItem(n)) {
			results.Errorf(item, "contains the claim %s, but nothing is generated from it there; write it as a separate object", yamlnode.Text(n, "metadata", "name"))
		}
	}
}

// isLocal reports whether a resource is for tools and not for the cluster.
func isLocal(item *krm.Item) bool {
	switch {
	case item.IsLocal():
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
