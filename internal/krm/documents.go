package krm

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/internal/yamlnode"
)

// NewList returns a list of items that did not come from an orchestrator, with the functionConfig, which may be nil. It
// is only for looking up items and cannot be written.
func NewList(items []*Item, functionConfig *Item) *List {
	list := &List{FunctionConfig: functionConfig, byID: map[ID][]*Item{}}
	for _, item := range items {
		list.append(item)
	}
	return list
}

// Document is one document of a file or stream of plain YAML, with its text. The texts of all documents of a file,
// concatenated, are the file.
type Document struct {
	// Text begins with the line of dashes that separates the document from the previous one, if there is one.
	Text []byte
	// Node is nil if there is nothing but comments.
	Node *yaml.Node
}

// Documents splits a file or stream of YAML or JSON into documents. Errors refer to it as source, say what is wrong, and
// quote nothing.
func Documents(source string, text []byte) ([]Document, error) {
	if bytes.HasPrefix(text, []byte("\xff\xfe")) || bytes.HasPrefix(text, []byte("\xfe\xff")) {
		return nil, fmt.Errorf("%s is in UTF-16, which `>` in Windows PowerShell produces; convert it to UTF-8 (in PowerShell, write `| Out-File -Encoding utf8` instead of `>`)", source)
	}
	var documents []Document
	line := 0
	for _, part := range split(text) {
		node, err := document(source, line, part)
		if err != nil {
			return nil, err
		}
		documents = append(documents, Document{Text: part, Node: node})
		line += bytes.Count(part, []byte("\n"))
	}
	return documents, nil
}

// NewFileItem wraps an object that we read from a file, where it is the document with that index.
func NewFileItem(n *yaml.Node, file string, index int) *Item {
	item := NewItem(n)
	item.file, item.index = file, index
	return item
}

// split cuts in front of each separator. In YAML, dashes at the start of a line separate documents wherever they are,
// even in the middle of a text.
func split(text []byte) [][]byte {
	var parts [][]byte
	start, at := 0, 0
	for line := range bytes.Lines(text) {
		if at > start && IsSeparator(line) {
			parts = append(parts, text[start:at:at])
			start = at
		}
		at += len(line)
	}
	return append(parts, text[start:])
}

// IsSeparator reports whether a line separates documents. A comment or a value may follow on the same line.
func IsSeparator(line []byte) bool {
	rest, found := bytes.CutPrefix(line, []byte("---"))
	return found && (len(rest) == 0 || bytes.IndexByte([]byte(" \t\r\n"), rest[0]) >= 0)
}

// document reads one document that starts after the given number of lines. It returns nil if there is no content.
func document(source string, lines int, text []byte) (*yaml.Node, error) {
	if !hasContent(text) {
		return nil, nil
	}
	if json.Valid(text) {
		text = bytes.ReplaceAll(text, []byte("\t"), []byte(" ")) // YAML does not allow them as indentation
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var first, next yaml.Node
	if err := decoder.Decode(&first); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		if bytes.Contains(text, []byte("{{")) {
			return nil, fmt.Errorf("%s is not valid YAML and contains `{{`, like a Helm template; render it first (`helm template`), or list it in .krmignore", source)
		}
		return nil, notYAML(source, lines, err)
	}
	switch err := decoder.Decode(&next); {
	case err == nil:
		return nil, fmt.Errorf("%s contains documents without a separator; write `---` between them", source)
	case !errors.Is(err, io.EOF):
		return nil, notYAML(source, lines, err)
	}
	if yamlnode.IsNull(first.Content[0]) {
		return nil, nil
	}
	steady(&first, false)
	return &first, nil
}

// hasContent reports whether there is anything besides comments and directives.
func hasContent(text []byte) bool {
	for line := range bytes.Lines(text) {
		line = bytes.TrimSpace(line)
		if len(line) > 0 && line[0] != '#' && line[0] != '%' && !bytes.Equal(line, []byte("---")) {
			return true
		}
	}
	return false
}
