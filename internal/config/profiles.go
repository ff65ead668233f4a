package config

import (
	"maps"
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/decode"
	"github.com/bizmatters/dragonfly-generator/internal/yamlnode"
)

// profiles reads what each profile makes of spec. A problem with a field that a profile says nothing about is one
// of spec, and was reported there.
func (r *reader) profiles(spec v1alpha1.DragonflyGeneratorSpec) map[string]Config {
	if len(spec.Profiles) == 0 {
		return nil
	}
	configs := map[string]Config{}
	for _, name := range slices.Sorted(maps.Keys(spec.Profiles)) {
		path := Path(name)
		node := yamlnode.Get(r.layers[0].node, "profiles", name)
		overlay := overlay{set: map[string]bool{}}
		fields := spec.ProfileSpec
		overlay.fields(reflect.ValueOf(&fields).Elem(), reflect.ValueOf(spec.Profiles[name]), node, "")

		profile := reader{
			Object: r.Overlaid(r.path, path, overlay.says),
			Config: Default(), path: path, layers: append(slices.Clone(r.layers), layer{path, node}),
		}
		profile.CarryAnnotations = r.CarryAnnotations
		if name == "" || len(validation.IsValidLabelValue(name)) > 0 {
			profile.Errorf(r.at(decode.Join("profiles", name)), "is not a valid profile name; use at most 63 letters, digits, dashes, underscores and dots, with a letter or digit at both ends")
		}
		profile.spec(fields)
		configs[name] = profile.Config
	}
	return configs
}

// overlay lays what one mapping says over what stands above it.
type overlay struct {
	set map[string]bool // the paths of the values that it says
}

// fields replaces those fields of a struct that the mapping has: structs field by field, anything else whole. A
// null takes a field away. What is over holds the mapping's fields, decoded.
func (o overlay) fields(into, over reflect.Value, n *yaml.Node, path string) {
	for i := range into.NumField() {
		field := into.Type().Field(i)
		name, _ := decode.JSONName(field)
		value := yamlnode.Get(n, name)
		if value == nil {
			continue
		}
		o.value(into.Field(i), over.Field(i), value, strings.TrimPrefix(path+"."+name, "."))
	}
}

func (o overlay) value(into, over reflect.Value, n *yaml.Node, path string) {
	switch {
	case yamlnode.IsNull(n):
		into.SetZero()
	case isFields(into.Type()) && n.Kind == yaml.MappingNode:
		o.fields(into, over, n, path)
		return
	case into.Kind() == reflect.Pointer && isFields(into.Type().Elem()) && !over.IsNil():
		fresh := reflect.New(into.Type().Elem()) // what is above belongs to spec
		if !into.IsNil() {
			fresh.Elem().Set(into.Elem())
		}
		o.fields(fresh.Elem(), over.Elem(), n, path)
		into.Set(fresh)
		return
	default:
		into.Set(over)
	}
	o.set[path] = true
}

// isFields reports whether a type is a struct of the API with fields of its own.
func isFields(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && t.NumField() > 0 && t.PkgPath() == reflect.TypeFor[v1alpha1.ProfileSpec]().PkgPath()
}

// says reports whether the mapping says something of the value at a path, or of a part of it.
func (o overlay) says(path string) bool {
	for set := range o.set {
		if isIn(path, set) || isIn(set, path) {
			return true
		}
	}
	return false
}

// isIn reports whether a path leads to what another one leads to, or into it.
func isIn(path, parent string) bool {
	rest, found := strings.CutPrefix(path, parent)
	return found && (rest == "" || rest[0] == '.' || rest[0] == '[')
}
