// Package check reports what is wrong with the fields of an object that people write by hand: a claim or
// a configuration. It never shows the value of a field that it does not know, somebody may have put a
// password there.
package check

import (
	"errors"
	"slices"
	"strings"

	"github.com/agext/levenshtein"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/generator/read"
	"github.com/bizmatters/dragonfly-generator/generator/report"
	"github.com/bizmatters/dragonfly-generator/generator/yamlnode"
)

// Object is an object that is being checked.
type Object struct {
	Item    *read.Item
	Results *report.Results
	// Failed says that a problem was found.
	Failed bool
}

// Errorf reports a problem with a field.
func (o *Object) Errorf(field report.Field, format string, args ...any) {
	o.Failed = true
	o.Results.FieldErrorf(o.Item, field, format, args...)
}

// Plain returns the object without aliases and merge keys. It returns nil after reporting a key that is
// there twice, or aliases that cannot be resolved.
func (o *Object) Plain() *yaml.Node {
	node, err := yamlnode.Plain(o.Item.Node)
	if duplicate := (*yamlnode.DuplicateKeyError)(nil); errors.As(err, &duplicate) {
		// Below the fields of spec and metadata nobody knows what a key may be.
		if known := duplicate.Path[:min(2, len(duplicate.Path))]; len(known) == len(duplicate.Path) {
			o.Errorf(report.Field{Path: strings.Join(known, ".")}, "the field is there twice; remove one of them")
		} else {
			o.Errorf(report.Field{Path: strings.Join(known, ".")}, "has a field in it that is there twice; remove one of them")
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
		o.Errorf(report.Field{Path: strings.Join(path, ".")}, "must be an object, but is %s; give it fields of its own", yamlnode.KindName(n))
		return nil
	}
	return n
}

// String returns the string at path, "" where there is none. Something else there is a problem.
func (o *Object) String(n *yaml.Node, path ...string) string {
	n = yamlnode.Get(n, path...)
	if yamlnode.IsNull(n) {
		return ""
	}
	if !yamlnode.IsString(n) {
		o.Errorf(report.Field{Path: strings.Join(path, ".")}, "must be a string; put it in quotes")
		return ""
	}
	return n.Value
}

// Known reports the fields of the mapping n, which stands at path, that are not in names.
func (o *Object) Known(n *yaml.Node, path string, names []string) {
	if n == nil {
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i].Value
		if n.Content[i].Kind != yaml.ScalarNode {
			o.Errorf(report.Field{Path: path}, "has a field whose name is %s; write a plain name", yamlnode.KindName(n.Content[i]))
			continue
		}
		if slices.Contains(names, key) {
			continue
		}
		field := report.Field{Path: strings.TrimPrefix(path+"."+key, ".")}
		if near := Nearest(key, names); near != "" {
			field.Proposed = near
			o.Errorf(field, "unknown field; did you mean %q?", near)
		} else {
			o.Errorf(field, "unknown field; remove it")
		}
	}
}

// maxNearest is the longest text, in bytes, that is compared: nobody meant a longer one.
const maxNearest = 100

// Nearest returns the name that somebody who wrote text probably meant, or "".
func Nearest(text string, names []string) string {
	if len(text) > maxNearest {
		return ""
	}
	best, bestDistance := "", max(2, len(text)/3)+1
	for _, name := range names {
		distance := levenshtein.Distance(strings.ToLower(text), strings.ToLower(name), nil)
		if distance < bestDistance {
			best, bestDistance = name, distance
		}
	}
	return best
}
