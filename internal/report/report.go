// Package report collects what the user sees: KRM results, and a line on stderr for each error and warning,
// because kustomize shows only stderr.
//
// The rules for messages: a message starts in lower case and has no period at the end. It says what is wrong and then,
// after a semicolon, what to do. The file, the resource and the field are printed in front of it, so it does not repeat
// them. It never contains a password or the text of a YAML, JSON or decode error, which may quote one. A message that
// docs/troubleshooting.md quotes must match it, or a test fails.
package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/GoogleContainerTools/kpt-functions-sdk/go/fn"

	"github.com/bizmatters/dragonfly-generator/internal/krm"
)

// Results collects results in the order in which they are found, which follows the order of the items.
type Results struct {
	all fn.Results
}

// All returns the collected results. If there are errors, it leaves out the infos: they report changes, and none were
// made.
func (r *Results) All() fn.Results {
	if !r.HasErrors() {
		return r.all
	}
	return withoutInfos(r.all)
}

func withoutInfos(results fn.Results) fn.Results {
	return slices.DeleteFunc(slices.Clone(results), func(result *fn.Result) bool { return result.Severity == fn.Info })
}

// HasErrors reports whether there are any errors.
func (r *Results) HasErrors() bool { return r.all.ExitCode() != 0 }

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

// Field is the field of the item that a result is about. Current is its value, or nil if that is not shown. Proposed is a better
// value, or nil or "" if there is none.
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

// Subject is an item being checked. It reports only the first error about a field and the fields inside or around it,
// because later ones are usually consequences.
type Subject struct {
	Item    *krm.Item
	Results *Results

	reported []string // paths
}

// Errorf adds an error about a field, unless one was already reported for this field, a field inside it, or a field
// that contains it. Without a path, the error is about the whole item.
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

// Fork returns a subject for a part of the item. It leaves out what was reported before, but not what other parts report.
func (s *Subject) Fork() Subject {
	return Subject{Item: s.Item, Results: s.Results, reported: slices.Clone(s.reported)}
}

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
		if field.Proposed == "" {
			result.Field.ProposedValue = nil
		}
	}
	r.all = append(r.all, result)
}

// Lines returns the errors and warnings for stderr, one per line.
func Lines(results fn.Results) string {
	return LinesWithInfos(withoutInfos(results))
}

// LinesWithInfos returns all results for stderr, one per line.
func LinesWithInfos(results fn.Results) string {
	var lines strings.Builder
	for _, result := range results {
		lines.WriteString(line(result))
		lines.WriteByte('\n')
	}
	return lines.String()
}

// line formats a result as a single line, whatever the input contains.
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
