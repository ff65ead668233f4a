package preview

import (
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/kio/kioutil"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/krm"
	"github.com/bizmatters/dragonfly-generator/internal/yamlnode"
)

// source is one object in a text. Its nodes have line numbers.
type source struct {
	file  string
	index int // of the document in the text, from 0
	root  *yaml.Node
}

// searchedLines is the maximum length of a text, in lines, in which we search for the line of an error: each line is
// another attempt.
const searchedLines = 300

// notYAML returns the message for an error of the YAML library. The text stays on the user's own screen, so the message may
// quote it.
func notYAML(file, content string, err error) Message {
	found := lineInError.FindStringSubmatch(err.Error())
	line, _ := strconv.Atoi(found[1])
	// The library reports the line where the block with the error starts. The error itself is right after the longest part of
	// the text that is still valid YAML.
	if lines := strings.SplitAfter(content, "\n"); len(lines) <= searchedLines {
		line = len(lines)
		for !isYAML(strings.Join(lines[:line-1], "")) {
			line--
		}
	}
	return Message{
		Severity: Error, File: file, Line: max(line, 1),
		Text: "is not valid YAML: " + strings.TrimPrefix(err.Error(), found[0]),
	}
}

func isYAML(content string) bool {
	decoder := yaml.NewDecoder(strings.NewReader(content))
	for {
		var document yaml.Node
		if err := decoder.Decode(&document); err != nil {
			return errors.Is(err, io.EOF)
		}
	}
}

var lineInError = regexp.MustCompile(`^(?:yaml: )?(?:line ([0-9]+): )?`)

// parse reads the documents of a text, each of which is an object. Empty documents are skipped.
func parse(file, content string) ([]source, []Message) {
	var sources []source
	decoder := yaml.NewDecoder(strings.NewReader(content))
	for index := 0; ; {
		var document yaml.Node
		err := decoder.Decode(&document)
		if errors.Is(err, io.EOF) {
			return sources, nil
		}
		if err != nil {
			return sources, []Message{notYAML(file, content, err)}
		}
		root := document.Content[0]
		if root.Kind == yaml.ScalarNode && root.Tag == yaml.NodeTagNull {
			continue
		}
		if root.Kind != yaml.MappingNode {
			return sources, []Message{{
				Severity: Error, File: file, Line: root.Line,
				Text: "is not an object; write apiVersion, kind, metadata and spec, one to a line",
			}}
		}
		sources = append(sources, source{file: file, index: index, root: root})
		index++
	}
}

// annotate records in the object where it comes from, unless its metadata is malformed.
func (s source) annotate() {
	metadata := yamlnode.Get(s.root, "metadata")
	annotations := yamlnode.Get(metadata, "annotations")
	if metadata == nil || len(metadata.Content) == 0 || !yamlnode.CanSet(s.root, "metadata", "annotations", kioutil.PathAnnotation) ||
		yamlnode.Get(annotations, kioutil.PathAnnotation) != nil || yamlnode.Get(annotations, kioutil.IndexAnnotation) != nil {
		return
	}
	yamlnode.SetText(s.root, s.file, "metadata", "annotations", kioutil.PathAnnotation)
	yamlnode.SetText(s.root, strconv.Itoa(s.index), "metadata", "annotations", kioutil.IndexAnnotation)
	// Otherwise, the function takes the page for a tool that renders in place.
	yamlnode.SetText(s.root, "preview", "metadata", "annotations", krm.KustomizeID)
}

// removeBookkeeping removes an orchestrator's annotations, as orchestrators do at the end.
func removeBookkeeping(item *yaml.Node) {
	metadata := yamlnode.Get(item, "metadata")
	annotations := yamlnode.Get(metadata, "annotations")
	if annotations == nil || annotations.Kind != yaml.MappingNode {
		return
	}
	var kept []*yaml.Node
	for key, value := range yamlnode.Fields(annotations) {
		if !v1alpha1.IsBookkeeping(key.Value) {
			kept = append(kept, key, value)
		}
	}
	if annotations.Content = kept; len(kept) == 0 {
		yamlnode.Set(metadata, "annotations", nil)
	}
}

// lineOf returns the line of the field, or of the innermost part of its path that exists.
func lineOf(root *yaml.Node, path string) int {
	if key, _ := locate(root, path); key != nil {
		return key.Line
	}
	return root.Line
}

// entry returns the key and the value of that name, the first if there are two.
func entry(n *yaml.Node, name string) (key, value *yaml.Node) {
	for key, value := range yamlnode.Fields(n) {
		if key.Value == name {
			return key, value
		}
	}
	return nil, nil
}

// keys returns the keys of a mapping, in order.
func keys(n *yaml.Node) []string {
	var names []string
	for key := range yamlnode.Fields(n) {
		names = append(names, key.Value)
	}
	return names
}

// encode writes a node as kustomize does.
func encode(n *yaml.Node) string {
	text, _ := yaml.Marshal(n) // nodes that were just decoded can be encoded
	return string(text)
}
