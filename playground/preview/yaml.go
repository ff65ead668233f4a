package preview

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/kio/kioutil"
	"sigs.k8s.io/kustomize/kyaml/yaml"

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

// kustomizeID is the annotation with which kustomize distinguishes its resources.
const kustomizeID = "kustomize.config.k8s.io/id"

// annotate records in the object where it comes from, unless its metadata is malformed.
func (s source) annotate() {
	metadata := get(s.root, "metadata")
	if metadata == nil || metadata.Kind != yaml.MappingNode || len(metadata.Content) == 0 {
		return
	}
	annotations := get(metadata, "annotations")
	if annotations == nil {
		annotations = &yaml.Node{Kind: yaml.MappingNode, Style: metadata.Style}
		metadata.Content = append(metadata.Content, scalar("annotations"), annotations)
	}
	if annotations.Kind != yaml.MappingNode || get(annotations, kioutil.PathAnnotation) != nil || get(annotations, kioutil.IndexAnnotation) != nil {
		return
	}
	index := scalar(strconv.Itoa(s.index))
	index.Style = yaml.DoubleQuotedStyle
	annotations.Content = append(annotations.Content,
		scalar(kioutil.PathAnnotation), scalar(s.file), scalar(kioutil.IndexAnnotation), index,
		scalar(kustomizeID), scalar("preview")) // or the function takes the page for a tool that renders in place
}

// removeBookkeeping removes an orchestrator's annotations, as orchestrators do at the end.
func removeBookkeeping(item *yaml.Node) {
	metadata := get(item, "metadata")
	annotations := get(metadata, "annotations")
	if annotations == nil || annotations.Kind != yaml.MappingNode {
		return
	}
	var kept []*yaml.Node
	for key, value := range yamlnode.Fields(annotations) {
		domain, _, _ := strings.Cut(key.Value, "/")
		if domain != "config.kubernetes.io" && domain != "internal.config.kubernetes.io" && key.Value != kustomizeID {
			kept = append(kept, key, value)
		}
	}
	annotations.Content = kept
	if len(kept) > 0 {
		return
	}
	yamlnode.Set(metadata, "annotations", nil)
}

// lineOf returns the line of the field, or of the innermost part of its path that exists.
func lineOf(root *yaml.Node, path string) int {
	if key, _ := yamlnode.Locate(root, path); key != nil {
		return key.Line
	}
	return root.Line
}

// get returns the value at the path of keys, or nil if there is none.
func get(n *yaml.Node, path ...string) *yaml.Node {
	for _, name := range path {
		_, value := entry(n, name)
		if value == nil {
			return nil
		}
		n = value
	}
	return n
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

// text returns the scalar at the path of keys, "" if there is none.
func text(n *yaml.Node, path ...string) string {
	if n = get(n, path...); n == nil || n.Kind != yaml.ScalarNode || n.Tag == yaml.NodeTagNull {
		return ""
	}
	return n.Value
}

// keys returns the keys of a mapping, in order.
func keys(n *yaml.Node) []string {
	var names []string
	for key := range yamlnode.Fields(n) {
		names = append(names, key.Value)
	}
	return names
}

func scalar(value string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: yaml.NodeTagString, Value: value}
}

// encode writes a node as kustomize does.
func encode(n *yaml.Node) string {
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	if err := encoder.Encode(n); err != nil {
		return "" // nodes that were just decoded can be encoded
	}
	if err := encoder.Close(); err != nil {
		return ""
	}
	return out.String()
}
