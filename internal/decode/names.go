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
		name, inline := jsonName(field)
		switch {
		case inline:
			names = append(names, Fields(field.Type)...)
		case name != "":
			names = append(names, name)
		}
	}
	return names
}

// jsonName returns the name of a struct field in JSON, or "" if it has none. The fields of an inlined struct appear beside
// those of its parent.
func jsonName(field reflect.StructField) (name string, inline bool) {
	tag := field.Tag.Get("json")
	name, _, _ = strings.Cut(tag, ",")
	if name == "-" || !field.IsExported() {
		return "", false
	}
	return name, field.Anonymous && name == "" && field.Type.Kind() == reflect.Struct
}

// FieldOf returns the type of the field of a struct with that name in JSON, or the type that it points to.
func FieldOf(t reflect.Type, name string) (of reflect.Type, found bool) {
	for field := range t.Fields() {
		switch known, inline := jsonName(field); {
		case inline:
			if of, found = FieldOf(field.Type, name); found {
				return of, true
			}
		case known != "" && known == name:
			return pointedTo(field.Type), true
		}
	}
	return nil, false
}

// Has reports whether the struct T has a field with that name in JSON.
func Has[T any](name string) bool {
	_, found := FieldOf(reflect.TypeFor[T](), name)
	return found
}

// pointedTo returns the type that t points to, or t if it is not a pointer.
func pointedTo(t reflect.Type) reflect.Type {
	if t.Kind() == reflect.Pointer {
		return t.Elem()
	}
	return t
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
