package decode

import (
	"reflect"
	"strconv"
	"strings"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
)

// Fields returns the names of the fields of a struct type with JSON tags, in order.
func Fields(t reflect.Type) []string {
	var names []string
	for field := range t.Fields() {
		name, inline := JSONName(field)
		switch {
		case inline:
			names = append(names, Fields(field.Type)...)
		case name != "":
			names = append(names, name)
		}
	}
	return names
}

// JSONName returns the name of a struct field in JSON, or "" if it has none. The fields of an inlined struct appear beside
// those of its parent.
func JSONName(field reflect.StructField) (name string, inline bool) {
	tag := field.Tag.Get("json")
	name, _, _ = strings.Cut(tag, ",")
	if name == "-" || !field.IsExported() {
		return "", false
	}
	return name, field.Anonymous && name == "" && field.Type.Kind() == reflect.Struct
}

// fieldOf returns the field of a struct with that name in JSON.
func fieldOf(t reflect.Type, name string) (reflect.StructField, bool) {
	for field := range t.Fields() {
		switch known, inline := JSONName(field); {
		case inline:
			if found, ok := fieldOf(field.Type, name); ok {
				return found, true
			}
		case known != "" && known == name:
			return field, true
		}
	}
	return reflect.StructField{}, false
}

// Join appends the name of a field to a path. A name that is not plain is put in brackets.
func Join(path, name string) string {
	switch {
	case !v1alpha1.IsPlainName(name):
		return path + "[" + name + "]"
	case path == "":
		return name
	}
	return path + "." + name
}

// Element returns the path of an element of a list, by its index from 0.
func Element(path string, index int) string { return path + "[" + strconv.Itoa(index) + "]" }
