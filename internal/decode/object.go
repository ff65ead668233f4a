// Package decode decodes the fields of a handwritten object, a claim or a configuration, and reports
// problems. It never shows the value of an unknown field, which may be a password.
package decode

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/agext/levenshtein"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/internal/krm"
	"github.com/bizmatters/dragonfly-generator/internal/report"
	"github.com/bizmatters/dragonfly-generator/internal/yamlnode"
)

// Object is an object that is being decoded.
type Object struct {
	Item    *krm.Item
	Results *report.Results
	// Failed reports that there was a problem.
	Failed bool
	// Homes, if set, returns the path where a field of a given name belongs; see the function Homes.
	Homes func() map[string]string
	// Hint, if set, returns a hint for any other unknown field, or "".
	Hint func(path, name string) string

	reported map[string]bool // by path
	warned   map[string]bool // by path
	misspelt map[string]bool // the names that unknown fields were probably meant to have
}

// Errorf reports a problem with a field, unless one was reported for the field or a parent, of which this one
// may be a consequence.
func (o *Object) Errorf(field report.Field, format string, args ...any) {
	o.Failed = true
	for i, c := range field.Path + "." {
		if (c == '.' || c == '[') && o.reported[field.Path[:i]] {
			return
		}
	}
	if o.reported == nil {
		o.reported = map[string]bool{}
	}
	o.reported[field.Path] = true
	o.Results.FieldErrorf(o.Item, field, format, args...)
}

// Warnf adds a warning about a field, at most one per field.
func (o *Object) Warnf(field report.Field, format string, args ...any) {
	if o.warned[field.Path] {
		return
	}
	if o.warned == nil {
		o.warned = map[string]bool{}
	}
	o.warned[field.Path] = true
	o.Results.FieldWarnf(o.Item, field, format, args...)
}

// Overlaid returns an Object for the same item, for the fields at the path to that stand in for those at the
// path from. What was reported of one that is not replaced counts as reported of the one that stands in for it.
func (o *Object) Overlaid(from, to string, isReplaced func(path string) bool) Object {
	inherit := func(reported map[string]bool) map[string]bool {
		all := maps.Clone(reported)
		for path := range reported {
			if rest, found := strings.CutPrefix(path, from+"."); found && !isReplaced(rest) {
				all[to+"."+rest] = true
			}
		}
		return all
	}
	return Object{
		Item: o.Item, Results: o.Results, misspelt: maps.Clone(o.misspelt),
		reported: inherit(o.reported), warned: inherit(o.warned),
	}
}

// HasProblemIn reports whether a problem was reported for a field, or for one in it.
func (o *Object) HasProblemIn(path string) bool {
	for reported := range o.reported {
		if rest, found := strings.CutPrefix(reported, path); found && (rest == "" || rest[0] == '.' || rest[0] == '[') {
			return true
		}
	}
	return false
}

// Misspelt reports whether an unknown field was reported that was probably meant to have this name.
func (o *Object) Misspelt(name string) bool { return o.misspelt[name] }

// Passes reports whether a judgement reports nothing.
func (o *Object) Passes(judge func()) bool {
	before := o.Failed
	o.Failed = false
	judge()
	passes := !o.Failed
	o.Failed = o.Failed || before
	return passes
}

// Plain returns the object without aliases and merge keys. It returns nil after reporting a key that is
// there twice, or aliases that cannot be resolved.
func (o *Object) Plain() *yaml.Node {
	node, err := yamlnode.Plain(o.Item.Node)
	if duplicate := (*yamlnode.DuplicateKeyError)(nil); errors.As(err, &duplicate) {
		// Below the fields of spec and metadata nobody knows what a key may be.
		if known := duplicate.Path[:min(2, len(duplicate.Path))]; len(known) == len(duplicate.Path) {
			o.Errorf(report.Field{Path: strings.Join(known, ".")}, "the field appears twice; remove one of them")
		} else {
			o.Errorf(report.Field{Path: strings.Join(known, ".")}, "contains a field that appears twice; remove one of them")
		}
		return nil
	} else if err != nil {
		o.Failed = true
		o.Results.Errorf(o.Item, "%s; write the values out", err)
		return nil
	}
	return node
}

// Mapping returns the mapping at path, nil where there is none. Something else there is a problem.
func (o *Object) Mapping(n *yaml.Node, path ...string) *yaml.Node {
	n = yamlnode.Get(n, path...)
	if yamlnode.IsNull(n) {
		return nil
	}
	if n.Kind != yaml.MappingNode {
		o.NotAnObject(n, strings.Join(path, "."))
		return nil
	}
	return n
}

// NotAnObject reports what stands at path in place of an object.
func (o *Object) NotAnObject(n *yaml.Node, path string) {
	o.Errorf(report.Field{Path: path}, "must be an object, not %s; write its fields below it", yamlnode.KindName(n))
}

// Known reports the fields of the mapping n, which stands at path, that are not in names.
func (o *Object) Known(n *yaml.Node, path string, names []string) {
	for key := range yamlnode.Fields(n) {
		o.isKnown(key, path, names)
	}
}

func (o *Object) isKnown(key *yaml.Node, path string, names []string) bool {
	if key.Kind != yaml.ScalarNode {
		o.Errorf(report.Field{Path: path}, "has a field whose name is %s; use a plain name", yamlnode.KindName(key))
		return false
	}
	if slices.Contains(names, key.Value) {
		return true
	}
	field := report.Field{Path: strings.TrimPrefix(path+"."+key.Value, ".")}
	if home, found := o.home(path, key.Value); found {
		o.Errorf(field, "is not a field of this object; move it %s", home)
	} else if near := Nearest(key.Value, names); near != "" {
		field.Proposed = near
		if o.misspelt == nil {
			o.misspelt = map[string]bool{}
		}
		o.misspelt[near] = true
		o.Errorf(field, "unknown field; did you mean %q?", near)
	} else if hint := o.hint(path, key.Value); hint != "" {
		o.Errorf(field, "unknown field; %s", hint)
	} else {
		o.Errorf(field, "unknown field; remove it")
	}
	return false
}

// home returns where a field belongs that stands at the wrong path.
func (o *Object) home(path, name string) (where string, found bool) {
	if o.Homes == nil {
		return "", false
	}
	switch home, found := o.Homes()[name]; {
	// Beside or above a part of the configuration, a field of that name means something else.
	case !found || home == path || strings.HasPrefix(path, "spec.") && !strings.HasPrefix(home, path+"."):
		return "", false
	case home == "":
		return "to the top level (is it indented too far?)", true
	default:
		return "under " + home, true
	}
}

func (o *Object) hint(path, name string) string {
	if o.Hint == nil {
		return ""
	}
	return o.Hint(path, name)
}

// Label reports a label that Kubernetes would refuse.
func (o *Object) Label(field report.Field, key, value string) bool {
	switch {
	case len(validation.IsQualifiedName(key)) > 0:
		o.Errorf(field, "is not a valid label name; use at most 63 letters, digits, dashes, underscores and dots, optionally with a domain and a slash in front")
	case len(validation.IsValidLabelValue(value)) > 0:
		field.Current = value
		o.Errorf(field, "is not a valid label value; use at most 63 letters, digits, dashes, underscores and dots, with a letter or digit at both ends")
	default:
		return true
	}
	return false
}

// maxNearest is the length of the longest text, in bytes, for which Nearest looks for a name.
const maxNearest = 100

// Nearest returns the name that text is probably a misspelling of, or "".
func Nearest(text string, names []string) string {
	if len(text) > maxNearest {
		return ""
	}
	best, bestDistance := "", max(2, len(text)/3)+1
	for _, name := range names {
		distance := Distance(strings.ToLower(text), strings.ToLower(name))
		if distance < bestDistance {
			best, bestDistance = name, distance
		}
	}
	return best
}

// Distance returns how many letters have to be added, removed or changed to make one text the other.
func Distance(a, b string) int { return levenshtein.Distance(a, b, nil) }
