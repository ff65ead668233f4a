package render

import (
	"errors"
	"slices"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/internal/krm"
	"github.com/bizmatters/dragonfly-generator/internal/yamlnode"
)

// What stands for the values of Secrets in a diff. Neither the value nor its length shows, but whether it
// changes.
const (
	redacted    = "[redacted]"
	redactedOld = "[redacted, as it was]"
	redactedNew = "[redacted, another one]"
)

// redact returns both versions of a file for a diff.
func redact(before, after []byte) (old, changed string, err error) {
	was, err := krm.Documents("", before)
	if err != nil {
		return "", "", errors.New("the file cannot be read again")
	}
	is, err := krm.Documents("", after)
	if err != nil {
		return "", "", errors.New("the file cannot be read again")
	}
	wasThere, isThere := valuesOf(was), valuesOf(is)
	// Also where a Secret goes or comes: a comment that stays beside it may be about it.
	hasSecret := slices.ContainsFunc(slices.Concat(was, is), func(d krm.Document) bool { return d.Node != nil && holdsSecret(d.Node) })
	if old, err = redactDocuments(was, hasSecret, isThere, redactedOld); err != nil {
		return "", "", err
	}
	changed, err = redactDocuments(is, hasSecret, wasThere, redactedNew)
	return old, changed, err
}

// redactDocuments returns the text of a file. If one of its versions has a Secret, all documents are written anew
// without their comments, which may contain values too. Values that differ in the other version get the mark.
func redactDocuments(documents []krm.Document, hasSecret bool, others values, mark string) (string, error) {
	var text []byte
	for _, document := range documents {
		if !hasSecret {
			text = append(text, document.Text...)
			continue
		}
		if document.Node == nil {
			continue // a Secret that is commented out, perhaps
		}
		secrets(document.Node, func(id string, value *yaml.Node) {
			shown := redacted
			if other, found := others[id]; found && other != valueOf(value) {
				shown = mark
			}
			*value = yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: shown}
		})
		withoutComments(document.Node)
		encoded, err := encode(document.Node)
		if err != nil {
			return "", err
		}
		if len(text) > 0 {
			text = append(text, separator...)
		}
		text = append(text, encoded...)
	}
	return string(text), nil
}

// values are those of the Secrets of a file, by Secret and field.
type values map[string]string

func valuesOf(documents []krm.Document) values {
	all := values{}
	for _, document := range documents {
		if document.Node != nil {
			secrets(document.Node, func(id string, value *yaml.Node) { all[id] = valueOf(value) })
		}
	}
	return all
}

// valueOf returns a text that identifies a value.
func valueOf(n *yaml.Node) string {
	text, err := encode(n)
	if err != nil {
		return n.Value
	}
	return n.ShortTag() + " " + string(text)
}

func holdsSecret(n *yaml.Node) bool {
	return isSecret(n) || slices.ContainsFunc(n.Content, holdsSecret)
}

func isSecret(n *yaml.Node) bool {
	return n.Kind == yaml.MappingNode && yamlnode.Text(n, "kind") == "Secret"
}

// secrets visits the values of every Secret in n, which may be a List: the fields of all but what tells
// which Secret it is.
func secrets(n *yaml.Node, visit func(id string, value *yaml.Node)) {
	if !isSecret(n) {
		for _, child := range n.Content {
			secrets(child, visit)
		}
		return
	}
	item := krm.NewItem(n)
	for key, value := range yamlnode.Fields(n) {
		id := item.Namespace + "/" + item.Name + "/" + key.Value
		switch key.Value {
		case "apiVersion", "kind", "type", "immutable":
		case "metadata":
			// In this annotation kubectl repeats the whole Secret.
			const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"
			if annotation := yamlnode.Get(value, "annotations", lastApplied); annotation != nil {
				visit(id+"/"+lastApplied, annotation)
			}
		default:
			if value.Kind != yaml.MappingNode {
				visit(id, value)
				continue
			}
			for key, value := range yamlnode.Fields(value) {
				visit(id+"/"+key.Value, value)
			}
		}
	}
}

func withoutComments(n *yaml.Node) {
	n.HeadComment, n.LineComment, n.FootComment = "", "", ""
	for _, child := range n.Content {
		withoutComments(child)
	}
}
