package explain

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
)

// schema is the part of a JSON schema that people want to know.
type schema struct {
	Description   string
	Type          any // a name, or a list of them
	Const         string
	Default       any
	Enum          []any
	Examples      []any
	Minimum       *json.Number
	Maximum       *json.Number
	MaxLength     *json.Number
	Pattern       string
	Unit          string `json:"x-unit"`
	Required      []string
	Properties    map[string]*schema
	Items         *schema
	AdditionalRaw json.RawMessage `json:"additionalProperties"`
}

// additional returns the schema of a map's values, nil where it is no map.
func (s *schema) additional() *schema {
	var values schema
	if len(s.AdditionalRaw) == 0 || s.AdditionalRaw[0] != '{' || unmarshal(s.AdditionalRaw, &values) != nil {
		return nil
	}
	return &values
}

// isIgnored reports a field that is accepted and means nothing.
func (s *schema) isIgnored() bool {
	return s.Type == nil && s.Const == "" && len(s.Properties) == 0
}

func unmarshal(text []byte, into *schema) error {
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	decoder.UseNumber()
	return decoder.Decode(into)
}

// kinds are the kinds of the API, the one that most people ask about first.
var kinds = []string{v1alpha1.ClaimKind, v1alpha1.ConfigKind}

// field is a field of a kind.
type field struct {
	kind, path string
	schema     *schema
	required   bool
}

// fields returns all fields of both kinds, those of an object in front of its own. A profile has the fields of spec,
// which are not said twice; an element of a list is written [], and the name of a map's entry *.
func fields() ([]field, error) {
	var all []field
	for _, kind := range kinds {
		var root schema
		if err := unmarshal(v1alpha1.Schema(kind), &root); err != nil {
			return nil, fmt.Errorf("the schema of %s: %w", kind, err)
		}
		all = append(all, field{kind: kind, schema: &root})
		all = append(all, below(kind, "", &root)...)
	}
	return all, nil
}

func below(kind, path string, s *schema) []field {
	var all []field
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		child := s.Properties[name]
		childPath := strings.TrimPrefix(path+"."+name, ".")
		all = append(all, field{kind, childPath, child, slices.Contains(s.Required, name)})
		if childPath == "spec.profiles" {
			continue
		}
		switch values := child.additional(); {
		case child.Items != nil:
			all = append(all, below(kind, childPath+"[]", child.Items)...)
		case values != nil:
			all = append(all, below(kind, childPath+".*", values)...)
		default:
			all = append(all, below(kind, childPath, child)...)
		}
	}
	return all
}

// find returns the fields that somebody means: by the whole path, with or without the kind and spec in front of it, or
// else by its end.
func find(all []field, asked string) []field {
	for _, matches := range []func(f field) bool{
		func(f field) bool { return strings.EqualFold(f.kind, asked) && f.path == "" },
		func(f field) bool { return fits(f.path, asked) || fits(f.kind+"."+f.path, asked) },
		func(f field) bool { return fits(f.path, "spec."+asked) },
		func(f field) bool { return hasEnd(f.path, asked) },
	} {
		if found := slices.DeleteFunc(slices.Clone(all), func(f field) bool { return !matches(f) }); len(found) > 0 {
			return found
		}
	}
	return nil
}

// fits reports whether a path as it is asked for is that of a field: `sizes.xl.limits` of `sizes.*.limits`, `args[1]` or
// `args` of `args`.
func fits(path, asked string) bool {
	have, want := segments(path), segments(asked)
	if len(have) != len(want) {
		return false
	}
	for i := range have {
		if have[i] != "*" && have[i] != want[i] {
			return false
		}
	}
	return true
}

func hasEnd(path, asked string) bool {
	have, want := segments(path), segments(asked)
	return len(want) > 0 && len(have) > len(want) && slices.Equal(have[len(have)-len(want):], want)
}

// segments takes a path apart, without the places in lists.
func segments(path string) []string {
	var all []string
	for _, segment := range strings.Split(path, ".") {
		segment, _, _ = strings.Cut(segment, "[")
		all = append(all, segment)
	}
	return all
}

// typeName returns how a value is written.
func typeName(s *schema) string {
	values := s.additional()
	switch {
	case s.Const != "":
		return s.Const
	case s.isIgnored():
		return "anything"
	case s.Items != nil:
		return "list of " + typeName(s.Items) + "s"
	case values != nil:
		return "map of " + typeName(values) + "s"
	}
	switch types := s.Type.(type) {
	case string:
		return types
	case []any:
		var names []string
		for _, name := range types {
			if name != "null" { // which stands for the default everywhere
				names = append(names, fmt.Sprint(name))
			}
		}
		if slices.Equal(names, []string{"number", "string"}) {
			return "quantity"
		}
		return strings.Join(names, " or ")
	}
	return ""
}
