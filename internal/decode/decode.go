package decode

import (
	"encoding/json"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/internal/report"
	"github.com/bizmatters/dragonfly-generator/internal/yamlnode"
)

// Decode fills into, which points to a value with the JSON tags of the Kubernetes API, from n, which
// stands at path. It reports every field that the type does not know and every value that does not fit,
// and leaves those as they were, so that whatever is right can be judged further.
//
// It is not left to a library, because those stop at the first wrong type, quote the value, which may be a
// secret, or compile schemas at every start.
func (o *Object) Decode(n *yaml.Node, path string, into any) {
	if t := reflect.TypeOf(into).Elem(); path == "" && o.Homes == nil && t.Kind() == reflect.Struct {
		o.Homes = sync.OnceValue(func() map[string]string { return Homes(t) })
	}
	decoder{Object: o}.value(n, path, reflect.ValueOf(into).Elem(), "")
}

// DecodePatch does the same with a strategic merge patch for such a value: in it, $patch is a directive, and
// a null takes something away. It also reports what keeps a patch from being merged: an element without the key
// of its list, and a directive where the whole list is replaced.
func (o *Object) DecodePatch(n *yaml.Node, path string, into any) {
	homes := o.Homes
	o.Homes = nil // a patch has fields of its own
	defer func() { o.Homes = homes }()
	decoder{Object: o, isPatch: true}.value(n, path, reflect.ValueOf(into).Elem(), "")
}

// Fields returns the names of the fields of a struct type with JSON tags, in their order.
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

// JSONName returns the name that a field of a struct has in JSON, "" if it has none. The fields of an inline one stand
// beside those of its parent.
func JSONName(field reflect.StructField) (name string, inline bool) {
	tag := field.Tag.Get("json")
	name, _, _ = strings.Cut(tag, ",")
	if name == "-" || !field.IsExported() {
		return "", false
	}
	return name, field.Anonymous && name == ""
}

// Join returns the path of a field in what stands at path. A name that is not a plain one stands in
// brackets.
func Join(path, name string) string {
	switch {
	case !IsPlainName(name):
		return path + "[" + name + "]"
	case path == "":
		return name
	}
	return path + "." + name
}

// Element returns the path of an element of a list, by its index from 0.
func Element(path string, index int) string { return path + "[" + strconv.Itoa(index) + "]" }

// IsPlainName reports whether a name consists of letters, digits, dashes and underscores.
func IsPlainName(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_'
	})
}

type decoder struct {
	*Object
	isPatch bool
}

var quantityType = reflect.TypeFor[resource.Quantity]()

// value reports whether something fit. The tag is that of the field, if it is one.
func (d decoder) value(n *yaml.Node, path string, into reflect.Value, tag reflect.StructTag) bool {
	if yamlnode.IsNull(n) {
		return false
	}
	t := into.Type()
	switch {
	case t.Kind() == reflect.Pointer:
		fresh := reflect.New(t.Elem())
		fit := d.value(n, path, fresh.Elem(), tag)
		if fit {
			into.Set(fresh)
		}
		return fit
	case t == quantityType:
		return d.quantity(n, path, into)
	case isOpaque(t):
		return d.opaque(n, path, into)
	case t.Kind() == reflect.Struct:
		return d.object(n, path, into)
	case t.Kind() == reflect.Map:
		return d.mapping(n, path, into)
	case t.Kind() == reflect.Slice:
		return d.list(n, path, into, tag)
	default:
		return d.scalar(n, path, into)
	}
}

// isOpaque reports whether a type decodes itself, as a time or a number-or-text does, or holds anything.
func isOpaque(t reflect.Type) bool {
	_, decodesItself := reflect.PointerTo(t).MethodByName("UnmarshalJSON")
	return decodesItself || t.Kind() == reflect.Interface ||
		t.Kind() == reflect.Struct && t.NumField() == 0 ||
		t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8
}

// opaque lets a type that decodes itself do so.
func (d decoder) opaque(n *yaml.Node, path string, into reflect.Value) bool {
	decoder, ok := into.Addr().Interface().(json.Unmarshaler)
	if !ok {
		return true
	}
	var value any
	err := n.Decode(&value)
	var text []byte
	if err == nil {
		text, err = json.Marshal(value)
	}
	if err == nil {
		err = decoder.UnmarshalJSON(text)
	}
	if err != nil {
		d.Errorf(report.Field{Path: path}, "has the wrong type or format; see `kubectl explain` for the field")
	}
	return err == nil
}

func (d decoder) object(n *yaml.Node, path string, into reflect.Value) bool {
	if n.Kind != yaml.MappingNode {
		d.NotAnObject(n, path)
		return false
	}
	names := Fields(into.Type())
	for key, value := range yamlnode.Fields(n) {
		if d.isDirective(key, value, path) {
			continue
		}
		if d.isKnown(key, path, names) {
			field, tag := fieldOf(into, key.Value)
			d.value(value, Join(path, key.Value), field, tag)
		}
	}
	return true
}

// isDirective takes the directives of a patch, which are the only names with a dollar. Directives other than
// $patch are refused, because few people know what they do, and so is the value merge, which has no effect.
func (d decoder) isDirective(key, value *yaml.Node, path string) bool {
	if !d.isPatch || !strings.HasPrefix(key.Value, "$") {
		return false
	}
	if key.Value != "$patch" || !slices.Contains([]string{"delete", "replace"}, yamlnode.Text(value)) {
		d.Errorf(report.Field{Path: Join(path, key.Value)}, "is not a supported directive; use $patch: delete or replace")
	}
	return true
}

func fieldOf(into reflect.Value, name string) (reflect.Value, reflect.StructTag) {
	for i := range into.NumField() {
		known, inline := JSONName(into.Type().Field(i))
		if inline {
			if found, tag := fieldOf(into.Field(i), name); found.IsValid() {
				return found, tag
			}
		} else if known == name {
			return into.Field(i), into.Type().Field(i).Tag
		}
	}
	return reflect.Value{}, ""
}

func (d decoder) mapping(n *yaml.Node, path string, into reflect.Value) bool {
	if n.Kind != yaml.MappingNode {
		d.NotAnObject(n, path)
		return false
	}
	into.Set(reflect.MakeMap(into.Type()))
	for key, value := range yamlnode.Fields(n) {
		at := Join(path, key.Value)
		switch {
		case key.Kind != yaml.ScalarNode:
			d.Errorf(report.Field{Path: path}, "has a name that is %s; use a plain name", yamlnode.KindName(key))
			continue
		case d.isDirective(key, value, path):
			continue
		case d.isPatch && !yamlnode.IsString(key):
			d.Errorf(report.Field{Path: at}, "has a name that is not a string; put it in quotes")
			continue
		case yamlnode.IsNull(value) && !d.isPatch:
			d.Errorf(report.Field{Path: at}, "is empty; set a value, or remove it")
			continue
		}
		element := reflect.New(into.Type().Elem()).Elem()
		d.value(value, at, element, "")
		into.SetMapIndex(reflect.ValueOf(key.Value).Convert(into.Type().Key()), element)
	}
	return true
}

func (d decoder) list(n *yaml.Node, path string, into reflect.Value, tag reflect.StructTag) bool {
	if n.Kind != yaml.SequenceNode {
		d.Errorf(report.Field{Path: path}, "must be a list, not %s; start each element with a dash", yamlnode.KindName(n))
		return false
	}
	into.Set(reflect.MakeSlice(into.Type(), len(n.Content), len(n.Content)))
	for i, element := range n.Content {
		at := Element(path, i)
		if yamlnode.IsNull(element) {
			d.Errorf(report.Field{Path: at}, "is empty; set a value, or remove it")
			continue
		}
		if d.isPatch && d.canMerge(element, at, tag) {
			continue
		}
		d.value(element, at, into.Index(i), "")
	}
	return true
}

// canMerge judges how an element of a list is merged, which the tag of the list's field says. It reports whether the
// element is nothing but a directive.
func (d decoder) canMerge(element *yaml.Node, path string, tag reflect.StructTag) (isDirective bool) {
	directive := yamlnode.Get(element, "$patch")
	key := tag.Get("patchMergeKey")
	merges := strings.Contains(tag.Get("patchStrategy"), "merge")
	switch {
	case element.Kind != yaml.MappingNode:
	case !merges && directive != nil:
		d.Errorf(report.Field{Path: Join(path, "$patch")}, "has no effect in a list that is replaced as a whole; remove it, and write the whole list")
	case merges && yamlnode.Text(directive) == "replace":
		if len(element.Content) > 2 {
			d.Errorf(report.Field{Path: Join(path, "$patch")}, "would replace the whole list and drop the fields beside it; write `$patch: replace` as a separate element, or delete the old element first")
		}
		return true
	case merges && key != "" && yamlnode.IsNull(yamlnode.Get(element, key)):
		d.Errorf(report.Field{Path: Join(path, key)}, "is missing, but the elements of this list are merged by it; add it")
	}
	return false
}

func (d decoder) quantity(n *yaml.Node, path string, into reflect.Value) bool {
	amount, err := resource.ParseQuantity(n.Value)
	// YAML 1.1 reads 010 as 8, and Kubernetes as 10.
	isOctal := len(n.Value) > 1 && n.Value[0] == '0' && n.Value[1] >= '0' && n.Value[1] <= '9'
	if n.Kind != yaml.ScalarNode || err != nil || isOctal {
		d.Errorf(report.Field{Path: path}, "is not a valid quantity; use a number with a Kubernetes unit, such as 500m for CPU and 2Gi for memory")
		return false
	}
	into.Set(reflect.ValueOf(amount))
	return true
}

func (d decoder) scalar(n *yaml.Node, path string, into reflect.Value) bool {
	field := report.Field{Path: path}
	if n.Kind != yaml.ScalarNode {
		d.Errorf(field, "must be a single value, not %s", yamlnode.KindName(n))
		return false
	}
	switch into.Kind() {
	case reflect.String:
		if !yamlnode.IsString(n) {
			d.Errorf(field, "must be a string; put it in quotes")
			return false
		}
		into.SetString(n.Value)
	case reflect.Bool:
		if n.ShortTag() != "!!bool" {
			d.Errorf(field, "must be true or false, without quotes; use one of them")
			return false
		}
		into.SetBool(strings.EqualFold(n.Value, "true"))
	default:
		number, err := strconv.ParseInt(n.Value, 10, into.Type().Bits())
		if d.isPatch && n.ShortTag() == "!!int" { // the mode of a file is written as 0440
			if n.Decode(&number) == nil && !into.OverflowInt(number) {
				into.SetInt(number)
				return true
			}
		}
		switch {
		case n.ShortTag() == "!!str" && err == nil:
			d.Errorf(field, "must be a number, not a string; remove the quotes")
			return false
		// YAML 1.1 reads 010 as 8 and 1_0 as 10: what looks different from what it means is refused.
		case n.ShortTag() != "!!int" || err != nil || strconv.FormatInt(number, 10) != n.Value:
			d.Errorf(field, "must be a whole number; write it in plain digits, without a unit")
			return false
		}
		into.SetInt(number)
	}
	return true
}
