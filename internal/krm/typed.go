package krm

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/internal/yamlnode"
)

// FromTyped turns a typed Kubernetes object into YAML: its fields in the order of its Go type, apiVersion and kind first,
// without the noise that the types emit (status, nulls, and meaningless empty maps).
//
// It follows the encoding/json tags of the types but does not use json.Marshal, which first builds encoders for every
// type that a pod could contain, used or not. That took a quarter of the time spent on a single claim.
//
// The nodes of field names are shared between objects, which saves a third of the memory of a large list: replace them, but
// do not change them.
func FromTyped(object any) (*yaml.Node, error) {
	return encodeValue(reflect.ValueOf(object))
}

// encodeValue returns nil for what JSON would write as null.
func encodeValue(v reflect.Value) (*yaml.Node, error) {
	switch v.Kind() {
	case reflect.Invalid:
		return nil, nil
	case reflect.Pointer, reflect.Interface, reflect.Map, reflect.Slice:
		if v.IsNil() {
			return nil, nil
		}
	}
	if marshalsItself(v.Type()) {
		return encodePlain(v)
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		return encodeValue(v.Elem())
	case reflect.String:
		return yamlnode.Scalar(v.String()), nil
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return yamlnode.Scalar(base64.StdEncoding.EncodeToString(v.Bytes())), nil
		}
		return encodeList(v)
	case reflect.Map:
		return encodeMap(v)
	case reflect.Struct:
		return encodeStruct(v)
	default:
		return encodePlain(v)
	}
}

func marshalsItself(t reflect.Type) bool {
	return t.Implements(reflect.TypeFor[json.Marshaler]()) || t == reflect.TypeFor[json.Number]()
}

// encodePlain encodes numbers, bools, and types that marshal themselves to a single value, such as quantities.
func encodePlain(v reflect.Value) (*yaml.Node, error) {
	text, err := json.Marshal(v.Interface())
	if err != nil {
		return nil, err
	}
	switch text[0] {
	case 'n':
		return nil, nil
	case '"':
		var decoded string
		if err := json.Unmarshal(text, &decoded); err != nil {
			return nil, err
		}
		return yamlnode.Scalar(decoded), nil
	case '{', '[':
		return nil, fmt.Errorf("a %s marshals itself to more than a single value", v.Type())
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Value: string(text)}, nil
}

func encodeList(v reflect.Value) (*yaml.Node, error) {
	list := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
	for i := range v.Len() {
		element, err := encodeValue(v.Index(i))
		if err != nil {
			return nil, err
		}
		if element == nil {
			element = &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"} // the other elements keep their index
		}
		list.Content = append(list.Content, element)
	}
	return list, nil
}

// encodeMap sorts the keys, because the same input must give the same bytes.
func encodeMap(v reflect.Value) (*yaml.Node, error) {
	values := make(map[string]reflect.Value, v.Len())
	for entry := v.MapRange(); entry.Next(); {
		values[entry.Key().String()] = entry.Value()
	}
	object := newObject()
	for _, key := range slices.Sorted(maps.Keys(values)) {
		if err := add(object, yamlnode.Scalar(key), values[key]); err != nil {
			return nil, err
		}
	}
	return object, nil
}

func encodeStruct(v reflect.Value) (*yaml.Node, error) {
	object := newObject()
	for _, f := range fieldsOf(v.Type()) {
		value := v.FieldByIndex(f.index)
		if f.omitEmpty && isEmpty(value) || f.omitZero && value.IsZero() {
			continue
		}
		if err := add(object, f.key, value); err != nil {
			return nil, err
		}
	}
	if apiVersionFirst(object) {
		yamlnode.Set(object, "status", nil) // the cluster's
	}
	return object, nil
}

func newObject() *yaml.Node { return &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"} }

// add appends a field, unless it is noise.
func add(object, key *yaml.Node, v reflect.Value) error {
	value, err := encodeValue(v)
	if err != nil || isNoise(key.Value, value) {
		return err
	}
	object.Content = append(object.Content, key, value)
	return nil
}

// isNoise reports whether a field means nothing. The types write some empty objects whether they are set or not. Any
// other empty object has a meaning, such as emptyDir, or a selector that selects everything.
func isNoise(name string, value *yaml.Node) bool {
	return value == nil || value.Kind == yaml.MappingNode && len(value.Content) == 0 && alwaysWritten[name]
}

// alwaysWritten are the fields of the API types that are structs rather than pointers to structs.
var alwaysWritten = map[string]bool{
	"metadata": true, "spec": true, "status": true, "loadBalancer": true, "resources": true, "updateStrategy": true,
}

// apiVersionFirst moves apiVersion in front of kind, as people write it, and reports whether n is an object
// that has both.
func apiVersionFirst(n *yaml.Node) bool {
	c := n.Content
	if len(c) < 4 || c[0].Value != "kind" || c[2].Value != "apiVersion" {
		return false
	}
	c[0], c[1], c[2], c[3] = c[2], c[3], c[0], c[1]
	return true
}

// field is a field of a struct as JSON sees it.
type field struct {
	key                 *yaml.Node // shared by all objects
	index               []int
	omitEmpty, omitZero bool
}

// known caches the fields of struct types: reading tags takes longer than reading values.
var known sync.Map

func fieldsOf(t reflect.Type) []field {
	if cached, found := known.Load(t); found {
		return cached.([]field)
	}
	var fields []field
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case !f.IsExported() || name == "-":
		case f.Anonymous && name == "" && f.Type.Kind() == reflect.Struct: // its fields are inlined
			for _, inner := range fieldsOf(f.Type) {
				inner.index = append(slices.Clone(f.Index), inner.index...)
				fields = append(fields, inner)
			}
		default:
			has := strings.Split(options, ",")
			fields = append(fields, field{
				key:       yamlnode.Scalar(cmp.Or(name, f.Name)),
				index:     f.Index,
				omitEmpty: slices.Contains(has, "omitempty"), omitZero: slices.Contains(has, "omitzero"),
			})
		}
	}
	known.Store(t, fields)
	return fields
}

// isEmpty reports whether `omitempty` leaves the value out. It never leaves out a struct.
func isEmpty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Map, reflect.Slice, reflect.String:
		return v.Len() == 0
	case reflect.Struct:
		return false
	default:
		return v.IsZero()
	}
}
