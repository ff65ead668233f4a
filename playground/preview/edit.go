package preview

import (
	"regexp"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/instance"
	"github.com/bizmatters/dragonfly-generator/internal/krm"
)

// WithSize returns the text with the size of the claim that starts at the line, or with none if the size is "".
// If changing a line cannot do that, it returns the text unchanged.
func WithSize(content string, line int, size string) string {
	return with(content, line, size, "spec", "size")
}

// WithProfile does the same with the profile.
func WithProfile(content string, line int, profile string) string {
	return with(content, line, profile, "metadata", "annotations", v1alpha1.Profile)
}

// with edits the text as a person would, so that comments and everything else stay the same.
func with(content string, line int, value string, path ...string) string {
	sources, _ := parse(ClaimFile, content)
	for _, s := range sources {
		if s.root.Line != line || !instance.IsClaim(krm.NewItem(s.root)) {
			continue
		}
		e := editor{lines: strings.Split(content, "\n")}
		if value == "" {
			e.remove(s.root, path)
		} else {
			e.set(s.root, value, path)
		}
		return strings.Join(e.lines, "\n")
	}
	return content
}

type editor struct{ lines []string }

// set writes the value at the path below the mapping, and creates what is missing on the path.
func (e *editor) set(n *yaml.Node, value string, path []string) {
	key, inner := entry(n, path[0])
	switch {
	case key == nil && len(path) > 1 && path[0] == "spec":
		e.append(n, block(path, value, n.Column-1))
	case key == nil:
		e.insert(n, path, value)
	case inner.Kind == yaml.MappingNode && len(inner.Content) > 0 && len(path) > 1:
		e.set(inner, value, path[1:])
	case len(path) == 1 && inner.Kind == yaml.ScalarNode && inner.Value != "":
		e.replace(inner, value)
	case n.Style&yaml.FlowStyle == 0 && (inner.Kind == yaml.ScalarNode && inner.Tag == yaml.NodeTagNull || len(inner.Content) == 0):
		// `spec:`, `spec: {}`, `size:`: the line is rewritten.
		e.splice(key.Line-1, 1, block(path, value, key.Column-1))
	}
}

// insert writes the field before the first one of the mapping.
func (e *editor) insert(n *yaml.Node, path []string, value string) {
	if n.Style&yaml.FlowStyle == 0 {
		first := n.Content[0]
		e.splice(first.Line-1, 0, block(path, value, first.Column-1))
		return
	}
	if len(path) == 1 { // {a: b}
		at := e.lines[n.Line-1]
		column := offset(at, n.Column) + 1
		e.lines[n.Line-1] = at[:column] + path[0] + ": " + value + ", " + at[column:]
	}
}

// append writes lines at the end of the document.
func (e *editor) append(root *yaml.Node, lines []string) {
	if root.Style&yaml.FlowStyle != 0 {
		return
	}
	end := root.Line
	for end < len(e.lines) && !strings.HasPrefix(e.lines[end], "---") && !strings.HasPrefix(e.lines[end], "...") {
		end++
	}
	for strings.TrimSpace(e.lines[end-1]) == "" {
		end--
	}
	e.splice(end, 0, lines)
}

// plain matches a scalar on one line, quoted or not.
var plain = regexp.MustCompile(`^("(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[^\s,}\]]+)`)

func (e *editor) replace(n *yaml.Node, value string) {
	at := e.lines[n.Line-1]
	start := offset(at, n.Column)
	if found := plain.FindString(at[start:]); found != "" {
		e.lines[n.Line-1] = at[:start] + value + at[start+len(found):]
	}
}

// remove removes the line of the field, and the lines of mappings that would be empty without it.
func (e *editor) remove(n *yaml.Node, path []string) {
	var key, only *yaml.Node // only is the outermost mapping that contains nothing else
	for i, name := range path {
		var value *yaml.Node
		if key, value = entry(n, name); key == nil || n.Style&yaml.FlowStyle != 0 {
			return
		}
		if i == 0 || len(n.Content) > 2 {
			only = key
		}
		n = value
	}
	if n.Kind == yaml.ScalarNode && n.Line == key.Line {
		e.splice(only.Line-1, key.Line-only.Line+1, nil)
	}
}

func (e *editor) splice(at, removed int, lines []string) {
	e.lines = append(e.lines[:at:at], append(lines, e.lines[at+removed:]...)...)
}

// block writes the field, one line for each part of its path.
func block(path []string, value string, indent int) []string {
	var lines []string
	for i, name := range path {
		line := strings.Repeat(" ", indent+2*i) + name + ":"
		if i == len(path)-1 {
			line += " " + value
		}
		lines = append(lines, line)
	}
	return lines
}

// offset converts a column, in characters from 1, to an offset in bytes.
func offset(line string, column int) int {
	for i := range line {
		if column--; column == 0 {
			return i
		}
	}
	return len(line)
}
