package render

import (
	"bytes"
	"strings"

	"github.com/GoogleContainerTools/kpt-functions-sdk/go/fn"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/internal/krm"
	"github.com/bizmatters/dragonfly-generator/internal/report"
	"github.com/bizmatters/dragonfly-generator/internal/yamlnode"
)

// lines returns the errors and warnings for stderr: for a person at a terminal with their places, otherwise a line each.
// What was read may be nil.
func (s Streams) lines(in *inputs, results fn.Results) string {
	if !s.Terminal {
		return report.Lines(results)
	}
	return s.terminal(in).Lines(results)
}

// linesWithInfos returns all results in the same way.
func (s Streams) linesWithInfos(in *inputs, results fn.Results) string {
	if !s.Terminal {
		return report.LinesWithInfos(results)
	}
	return s.terminal(in).LinesWithInfos(results)
}

func (s Streams) terminal(in *inputs) report.Terminal {
	terminal := report.Terminal{Color: s.Color}
	if in != nil {
		terminal.Place = in.place
	}
	return terminal
}

// place finds where in its file the field of a result stands.
func (in *inputs) place(result *fn.Result) (report.Place, bool) {
	if result.File == nil || result.Field == nil {
		return report.Place{}, false
	}
	sources := in.sources
	if in.configSource != nil {
		sources = append([]*source{in.configSource}, sources...)
	}
	for _, source := range sources {
		if source.name != result.File.Path {
			continue
		}
		index, before := 0, 0
		for _, document := range source.documents {
			if document.Node != nil {
				if index == result.File.Index {
					return placeIn(source.name, document, before, result)
				}
				index++
			}
			before += bytes.Count(document.Text, []byte("\n"))
		}
	}
	return report.Place{}, false
}

// placeIn finds the field in a document that begins after so many lines of its file.
func placeIn(file string, document krm.Document, linesBefore int, result *fn.Result) (report.Place, bool) {
	object := document.Node.Content[0]
	if ref := result.ResourceRef; ref != nil {
		for _, item := range krm.NewItem(object).Listed() {
			if item.Kind == ref.Kind && item.Name == ref.Name && item.Namespace == ref.Namespace {
				object = item.Node
				break
			}
		}
	}
	key, value := yamlnode.Place(object, result.Field.Path)
	if key == nil {
		return report.Place{File: file, Line: linesBefore + object.Line}, true
	}
	place := report.Place{File: file, Line: linesBefore + key.Line}
	lines := strings.Split(string(document.Text), "\n")
	if key.Line < 1 || key.Line > len(lines) {
		return place, true
	}
	place.Before, place.Marked, place.After = marked([]rune(strings.TrimSuffix(lines[key.Line-1], "\r")), key, value, result.Field.CurrentValue != nil)
	return place, true
}

// hidden stands for a value that may be a secret.
const hidden = "…"

// marked takes a line apart at a field: the value is marked, or the key where the value cannot be shown. A value is
// shown only if the message may show it, too; and a line with other fields in it, in braces, is not shown at all.
func marked(line []rune, key, value *yaml.Node, showValue bool) (before, mark, after string) {
	at := key.Column - 1
	if at < 0 || at > len(line) || strings.Trim(string(line[:at]), " -") != "" {
		return "", "", ""
	}
	before = string(line[:at])
	if key == value { // an element of a list
		if text := scalarOn(line, value); showValue && text != "" {
			return before, text, ""
		}
		return before, hidden, ""
	}
	mark = key.Value
	if key.Style != 0 || !strings.HasPrefix(string(line[at:]), mark) {
		return "", "", "" // a key in quotes, or over several lines
	}
	switch {
	case value.Kind != yaml.ScalarNode:
		return before, mark, ":"
	case value.Line != key.Line || !showValue:
		return before, mark, ": " + hidden
	}
	if text := scalarOn(line, value); text != "" {
		return string(line[:value.Column-1]), text, ""
	}
	return before, mark, ": " + hidden
}

// scalarOn returns a plain value as it stands on its line, in its quotes; "" where it is anything else.
func scalarOn(line []rune, value *yaml.Node) string {
	at := value.Column - 1
	if value.Kind != yaml.ScalarNode || at < 0 || at >= len(line) {
		return ""
	}
	for _, quote := range []string{"", `"`, "'"} {
		if text := quote + value.Value + quote; value.Value != "" && strings.HasPrefix(string(line[at:]), text) {
			return text
		}
	}
	return ""
}
