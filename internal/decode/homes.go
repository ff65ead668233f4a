package decode

import "reflect"

// Homes returns the path of the object that each field of an object belongs in, by the field's name: "" for the
// top level. It knows the structs of the package that the type is from, and leaves out names that several of
// them have.
func Homes(t reflect.Type) map[string]string {
	homes, several := map[string]string{}, map[string]bool{}
	var collect func(t reflect.Type, path string)
	collect = func(of reflect.Type, path string) {
		for field := range of.Fields() {
			name, inline := JSONName(field)
			inner := field.Type
			if inner.Kind() == reflect.Pointer {
				inner = inner.Elem()
			}
			switch {
			case inline:
				collect(inner, path)
				continue
			case name == "":
				continue
			}
			if _, found := homes[name]; found {
				several[name] = true
			}
			homes[name] = path
			if inner.Kind() == reflect.Struct && inner.PkgPath() == t.PkgPath() {
				collect(inner, Join(path, name))
			}
		}
	}
	collect(t, "")
	for name := range several {
		delete(homes, name)
	}
	return homes
}
