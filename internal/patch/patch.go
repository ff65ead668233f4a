// Package patch applies strategic merge patches to typed Kubernetes objects.
//
// Lists are merged where the tags of the Go types say so, by the key that they name, as `kubectl patch` does
// it. Different from kubectl, what a patch adds to a list goes behind what is there, so that the first
// container stays the first, which is the one that kubectl takes; and $patch in an element that has its key
// is about that element, as in kustomize.
//
// k8s.io/apimachinery/pkg/util/strategicpatch links OpenAPI in the form of protobuf, whose initialisation
// was a tenth of the time that one claim takes, with a patch or without. The tests hold this against it.
package patch

import (
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// What keeps a patch from being applied. The texts quote nothing of it.
var (
	errNoKey     = errors.New("cannot be merged; give each entry of a list that is merged by names (containers, volumes, env, ports) its name")
	errDirective = errors.New("has a $patch in a list that is replaced as a whole; write the whole list, without it")
	errNoObject  = errors.New("makes no object of its kind; see `kubectl explain` for the fields")
)

// Apply returns the object, a struct with the JSON tags of the Kubernetes API, with a patch applied.
func Apply[T any](object *T, patch *yaml.Node) (*T, error) {
	ours, err := asJSON(object)
	if err != nil {
		return nil, err
	}
	var fields map[string]any
	if patch.Decode(&fields) != nil {
		return nil, errNoObject
	}
	theirs, err := asJSON(fields)
	if err != nil {
		return nil, errNoObject
	}
	merged, err := mergeObject(reflect.TypeFor[T](), ours, theirs)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(merged)
	if err != nil {
		return nil, errNoObject
	}
	result := new(T)
	if json.Unmarshal(text, result) != nil {
		return nil, errNoObject
	}
	return result, nil
}

// asJSON returns an object as encoding/json reads it: with float64 for every number, and no other types
// than JSON has.
func asJSON(object any) (map[string]any, error) {
	text, err := json.Marshal(object)
	if err != nil {
		return nil, err
	}
	var fields map[string]any
	return fields, json.Unmarshal(text, &fields)
}

const (
	directive = "$patch"
	remove    = "delete"
	replace   = "replace"
)

// mergeObject merges a patch into an object of that type, which is nil where the patch deletes it.
func mergeObject(t reflect.Type, ours, patch map[string]any) (map[string]any, error) {
	merged := maps.Clone(ours)
	switch patch[directive] {
	case remove:
		return nil, nil
	case replace:
		merged = nil
	}
	if merged == nil {
		merged = map[string]any{}
	}
	for name, change := range patch {
		if name == directive {
			continue
		}
		value, err := mergeValue(ruleOf(t, name), merged[name], change)
		if err != nil {
			return nil, err
		}
		if value == nil {
			delete(merged, name)
		} else {
			merged[name] = value
		}
	}
	return merged, nil
}

// mergeValue returns nil where the patch takes the value away.
func mergeValue(rule mergeRule, ours, patch any) (any, error) {
	switch patch := patch.(type) {
	case map[string]any:
		object, _ := ours.(map[string]any)
		merged, err := mergeObject(rule.of, object, patch)
		if merged == nil {
			return nil, err
		}
		return merged, err
	case []any:
		list, _ := ours.([]any)
		if !rule.merge {
			return withoutDirectives(rule, patch)
		}
		return mergeList(rule, list, patch)
	}
	return patch, nil
}

// withoutDirectives returns a list that takes the place of the one that is there.
func withoutDirectives(rule mergeRule, patch []any) (any, error) {
	for _, element := range patch {
		if fields, isObject := element.(map[string]any); isObject && fields[directive] != nil {
			return nil, errDirective
		}
	}
	return mergeList(mergeRule{of: rule.of}, nil, patch)
}

func mergeList(rule mergeRule, ours, patch []any) (any, error) {
	merged := slices.Clone(ours)
	if slices.ContainsFunc(patch, replacesList) {
		merged = nil
	}
	for _, element := range patch {
		if replacesList(element) {
			continue
		}
		key := rule.keyOf(element)
		if rule.key != "" && key == nil {
			return nil, errNoKey
		}
		at := -1
		if rule.merge {
			at = slices.IndexFunc(merged, func(there any) bool { return reflect.DeepEqual(rule.keyOf(there), key) })
		}
		var there any
		if at >= 0 {
			there = merged[at]
		}
		value, err := mergeValue(mergeRule{of: rule.of}, there, element)
		switch {
		case err != nil:
			return nil, err
		case value == nil && at >= 0:
			merged = slices.Delete(merged, at, at+1)
		case value == nil: // it is not there to be deleted
		case at >= 0:
			merged[at] = value
		default:
			merged = append(merged, value)
		}
	}
	if merged == nil {
		merged = []any{}
	}
	return merged, nil
}

// replacesList says whether an element is nothing but the directive that the others are the whole list.
func replacesList(element any) bool {
	fields, isObject := element.(map[string]any)
	return isObject && len(fields) == 1 && fields[directive] == replace
}

// mergeRule is how the API merges a field: of is the type of the object, or of what a list or map holds;
// merge says that a list is merged and not replaced, by the field key of its elements or, where that is
// empty, by the elements themselves.
type mergeRule struct {
	of    reflect.Type
	merge bool
	key   string
}

// ruleOf returns the rule for a field of a struct, by its JSON name, or for the values of a map.
func ruleOf(t reflect.Type, name string) mergeRule {
	if t == nil {
		return mergeRule{}
	}
	if t.Kind() == reflect.Map {
		return mergeRule{of: elementOf(t.Elem())}
	}
	for _, field := range reflect.VisibleFields(t) {
		if tag, _, _ := strings.Cut(field.Tag.Get("json"), ","); tag == name {
			return mergeRule{
				of:    elementOf(field.Type),
				merge: strings.HasPrefix(field.Tag.Get("patchStrategy"), "merge"),
				key:   field.Tag.Get("patchMergeKey"),
			}
		}
	}
	return mergeRule{}
}

// elementOf returns the struct or map that a type points to or lists, or nil.
func elementOf(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct && t.Kind() != reflect.Map {
		return nil
	}
	return t
}

// keyOf returns that by which an element is found in its list.
func (r mergeRule) keyOf(element any) any {
	if r.key == "" {
		return element
	}
	fields, _ := element.(map[string]any)
	return fields[r.key]
}
