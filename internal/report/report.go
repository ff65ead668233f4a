// Package report collects what the user sees: KRM results, and a line on stderr for each error and warning,
// because kustomize shows only stderr.
//
// The rules of that output: a message starts in lower case and has no full stop; it says what is wrong,
// then what to do, after a semicolon. The resource, the file and the field stand in front of it, so the
// message does not repeat them. A password, a seed, or the text of a YAML, JSON or decode error never
// goes into one. Each has its entry in docs/troubleshooting.md, or a test fails.
package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/GoogleContainerTools/kpt-functions-sdk/go/fn"

	"github.com/bizmatters/dragonfly-generator/internal/krm"
)

// Results collects results in the order in which they are found, which is the order of the items.
type Results struct {
	all fn.Results
}

// All returns what was collected. After an error there are no infos: they say what was done, and nothing
// was.
func (r *Results) All() fn.Results {
	if !r.HasErrors() {
		return r.all
	}
	return withoutInfos(r.all)
}

func withoutInfos(results fn.Results) fn.Results {
	return slices.DeleteFunc(slices.Clone(results), func(result *fn.Result) bool { return result.Severity == fn.Info })
}

// HasErrors reports whether there is an error.
func (r *Results) HasErrors() bool { return r.all.ExitCode() != 0 }

// Errors returns the number of errors.
func (r *Results) Errors() int {
	return len(slices.DeleteFunc(slices.Clone(r.all), func(result *fn.Result) bool { return result.Severity != fn.Error }))
}

// Errorf adds an error about the item, which may be nil.
func (r *Results) Errorf(item *krm.Item, format string, args ...any) {
	r.add(fn.Error, item, nil, format, args...)
}

// Warnf adds a warning about the item, which may be nil.
func (r *Results) Warnf(item *krm.Item, format string, args ...any) {
	r.add(fn.Warning, item, nil, format, args...)
}

// Infof adds an info about the item.
func (r *Results) Infof(item *krm.Item, format string, args ...any) {
	r.add(fn.Info, item, nil, format, args...)
}

// Field is a field of the item that a result is about. Current and Proposed are its value and a better
// one; nil where there is none to show.
type Field struct {
	Path              string
	Current, Proposed any
}

// FieldErrorf adds an error about a field of the item.
func (r *Results) FieldErrorf(item *krm.Item, field Field, format string, args ...any) {
	r.add(fn.Error, item, &field, format, args...)
}

// FieldWarnf adds a warning about a field of the item.
func (r *Results) FieldWarnf(item *krm.Item, field Field, format string, args ...any) {
	r.add(fn.Warning, item, &field, format, args...)
}

// FieldInfof adds an info about a field of the item.
func (r *Results) FieldInfof(item *krm.Item, field Field, format string, args ...any) {
	r.add(fn.Info, item, &field, format, args...)
}

// Subject is an item that is checked: it reports the first error of each field, as what is wrong below a field, or above
// it, is mostly a consequence.
type Subject struct {
	Item    *krm.Item
	Results *Results

	reported []string // paths
}

// Errorf adds an error about a field, unless there is one of it, of what it contains, or of what contains it. Without a
// path it is about the whole item.
func (s *Subject) Errorf(field Field, format string, args ...any) {
	contains := func(outer, inner string) bool {
		rest, found := strings.CutPrefix(inner, outer)
		return found && (rest == "" || rest[0] == '.' || rest[0] == '[')
	}
	for _, path := range s.reported {
		if contains(path, field.Path) || contains(field.Path, path) {
			return
		}
	}
	s.reported = append(s.reported, field.Path)
	if field.Path == "" {
		s.Results.Errorf(s.Item, format, args...)
		return
	}
	s.Results.FieldErrorf(s.Item, field, format, args...)
}

// Errors returns the number of errors.
func (s *Subject) Errors() int { return len(s.reported) }

func (r *Results) add(severity fn.Severity, item *krm.Item, field *Field, format string, args ...any) {
	result := &fn.Result{Severity: severity, Message: fmt.Sprintf(format, args...)}
	if item != nil {
		result.ResourceRef = &fn.ResourceRef{
			APIVersion: item.APIVersion, Kind: item.Kind, Namespace: item.Namespace, Name: item.Name,
		}
		if path := item.Path(); path != "" {
			result.File = &fn.File{Path: path, Index: item.Index()}
		}
	}
	if field != nil {
		result.Field = &fn.Field{Path: field.Path, CurrentValue: field.Current, ProposedValue: field.Proposed}
	}
	r.all = append(r.all, result)
}

// Lines returns the errors and warnings for stderr, a line each.
func Lines(results fn.Results) string {
	return LinesWithInfos(withoutInfos(results))
}

// LinesWithInfos returns all results for stderr, a line each.
func LinesWithInfos(results fn.Results) string {
	var lines strings.Builder
	for _, result := range results {
		lines.WriteString(line(result))
		lines.WriteByte('\n')
	}
	return lines.String()
}

// line puts what comes from the input on one line, whatever is in it.
func line(result *fn.Result) string {
	parts := []string{string(result.Severity)}
	if file := result.File; file != nil {
		parts = append(parts, oneLine(krm.InFile(file.Path, file.Index)))
	}
	if ref := result.ResourceRef; ref != nil {
		name := ref.Name
		if ref.Namespace != "" {
			name = ref.Namespace + "/" + name
		}
		if subject := strings.TrimSpace(ref.Kind + " " + name); subject != "" {
			parts = append(parts, oneLine(subject))
		}
	}
	if field := result.Field; field != nil {
		parts = append(parts, oneLine(field.Path))
	}
	return strings.Join(append(parts, oneLine(result.Message)), ": ")
}

// oneLine shows control characters as escapes: a name in the input must not be able to forge a line.
func oneLine(text string) string {
	quoted := fmt.Sprintf("%q", text)
	return strings.NewReplacer(`\"`, `"`, `\\`, `\`).Replace(quoted[1 : len(quoted)-1])
}
