// Package decode decodes handwritten objects strictly into the API types, as Kubernetes does, and reports every field that
// does not fit, with its path. It never shows a value, because that may be a password.
package decode

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"math/big"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	kjson "sigs.k8s.io/json"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/nearest"
	"github.com/bizmatters/dragonfly-generator/internal/report"
	"github.com/bizmatters/dragonfly-generator/internal/yamlnode"
)

// Problem is a field that cannot be decoded. If its name is unknown, Proposed is the name that was probably meant, or nil.
type Problem struct {
	report.Field
	Message string
}

// Report adds the problems to the subject's results.
func Report(subject *report.Subject, problems ...Problem) {
	for _, problem := range problems {
		subject.Errorf(problem.Field, "%s", problem.Message)
	}
}

// Options describe special treatment of an object. The zero value is for an ordinary object.
type Options struct {
	// Path is the path of the object, for the paths of problems; "" for the top level.
	Path string
	// IsText reports whether the scalars at a path are strings, whatever type YAML gives them.
	IsText func(path string) bool
	// Hint returns what to do about an unknown field, or "" for the usual: the nearest name, or where it belongs.
	Hint func(path, name string) string
	// Refuse returns why a known field of a type must not be set, or "".
	Refuse func(t reflect.Type, name string) string
	// IsPatch reports that the object is a strategic merge patch: $patch is a directive, and a null removes something.
	IsPatch bool
}

// ProblemOf converts an error of yamlnode.Plain about an object of type t into a problem.
func ProblemOf(err error, t reflect.Type) Problem {
	var duplicate *yamlnode.DuplicateKeyError
	if !errors.As(err, &duplicate) {
		return Problem{Message: err.Error() + "; write the values out"}
	}
	path, what := "", "the field"
	for i, step := range duplicate.Path {
		if t = inside(t, step); t == nil && i >= 2 { // further down, an unknown name can be a secret
			what = "a field in it"
			break
		}
		switch step := step.(type) {
		case int:
			path = Element(path, step)
		case string:
			path = Join(path, step)
		}
	}
	return Problem{report.Field{Path: path}, what + " appears twice; remove one of them"}
}

// inside returns the type of a field, by name, or of an element, by index, or nil if t has none. Everything
// inside an Object counts as an Object too.
func inside(t reflect.Type, step any) reflect.Type {
	if t == nil {
		return nil
	}
	name, isName := step.(string)
	switch t = pointedTo(t); {
	case t == reflect.TypeFor[v1alpha1.Object]():
		return t
	case t.Kind() == reflect.Map && isName, t.Kind() == reflect.Slice && !isName:
		return t.Elem()
	case t.Kind() == reflect.Struct && isName:
		field, _ := FieldOf(t, name)
		return field
	}
	return nil
}

// Strict decodes n, a mapping without aliases, into the value that into points to, and returns the decoded fields as JSON.
// A field with a problem is left out; an object is empty.
func Strict(n *yaml.Node, into any, o Options) (json.RawMessage, []Problem) {
	c := checker{Options: o, instead: map[*yaml.Node]string{}}
	c.value(n, reflect.TypeOf(into).Elem(), o.Path)
	e := encoder{Options: o, instead: c.instead}
	e.write(n, o.Path)
	text := e.text.Bytes()
	if err := kjson.UnmarshalCaseSensitivePreserveInts(text, into); err != nil { // every field was checked
		c.add(n, o.Path, "cannot be decoded; please report this as a bug")
	}
	return text, c.problems
}

// checker finds fields that do not fit.
type checker struct {
	Options
	problems []Problem
	instead  map[*yaml.Node]string // what to decode instead of values with a problem, as JSON
}

func (c *checker) add(n *yaml.Node, path, message string) {
	c.problems = append(c.problems, Problem{report.Field{Path: path}, message})
	c.instead[n] = "null"
}

var unmarshaler = reflect.TypeFor[json.Unmarshaler]()

func (c *checker) value(n *yaml.Node, t reflect.Type, path string) {
	switch t = pointedTo(t); {
	case yamlnode.IsNull(n):
	case reflect.PointerTo(t).Implements(unmarshaler):
		c.opaque(n, t, path)
	case t.Kind() == reflect.Interface:
	case t.Kind() == reflect.Struct, t.Kind() == reflect.Map:
		c.mapping(n, t, path)
	case t.Kind() == reflect.Slice && t.Elem().Kind() != reflect.Uint8:
		if n.Kind != yaml.SequenceNode {
			c.add(n, path, "must be a list, not "+yamlnode.KindName(n)+"; start each element with a dash")
			return
		}
		for i, element := range n.Content {
			if at := Element(path, i); yamlnode.IsNull(element) {
				c.add(element, at, "is empty; set a value, or remove it")
			} else {
				c.value(element, t.Elem(), at)
			}
		}
	default:
		c.scalar(n, t.Kind(), path)
	}
}

// opaque checks a value that decodes itself.
func (c *checker) opaque(n *yaml.Node, t reflect.Type, path string) {
	text := JSON(n, Options{Path: path, IsText: c.IsText})
	switch err := json.Unmarshal(text, reflect.New(t).Interface()); {
	case err == nil:
	case t == reflect.TypeFor[resource.Quantity]():
		c.add(n, path, "is not a valid quantity; use a number with a Kubernetes unit, such as 500m for CPU and 2Gi for memory")
	case n.Kind != yaml.MappingNode && t == reflect.TypeFor[v1alpha1.Object]():
		c.add(n, path, "must be an object, not "+yamlnode.KindName(n)+"; write its fields below it")
	case n.Kind != yaml.ScalarNode:
		c.add(n, path, "must be a single value, not "+yamlnode.KindName(n)+"; write one value")
	default:
		c.add(n, path, "has the wrong type or format; see the Kubernetes reference for the field")
	}
}

func (c *checker) mapping(n *yaml.Node, t reflect.Type, path string) {
	if n.Kind != yaml.MappingNode {
		c.add(n, path, "must be an object, not "+yamlnode.KindName(n)+"; write its fields below it")
		c.instead[n] = "{}" // it was set, and other fields may depend on that
		return
	}
	for key, value := range yamlnode.Fields(n) {
		at := Join(path, key.Value)
		switch {
		case key.Kind != yaml.ScalarNode:
			c.add(n, path, "has a field whose name is "+yamlnode.KindName(key)+"; use a plain name")
		case c.IsPatch && key.Value == "$patch":
			c.value(value, reflect.TypeFor[string](), at)
		case t.Kind() == reflect.Map && yamlnode.IsNull(value) && !c.IsPatch:
			c.add(value, at, "is empty; set a value, or remove it")
		case t.Kind() == reflect.Map:
			c.value(value, t.Elem(), at)
		default:
			field, found := FieldOf(t, key.Value)
			switch {
			case !found:
				c.unknown(value, path, key.Value, t)
			case c.Refuse != nil && c.Refuse(t, key.Value) != "":
				c.add(value, at, c.Refuse(t, key.Value))
			default:
				c.value(value, field, at)
			}
		}
	}
}

func (c *checker) unknown(value *yaml.Node, path, name string, t reflect.Type) {
	problem := Problem{report.Field{Path: Join(path, name)}, "unknown field; remove it"}
	hint := ""
	if c.Hint != nil {
		hint = c.Hint(path, name)
	}
	known := slices.DeleteFunc(Fields(t), func(name string) bool {
		field, _ := FieldOf(t, name)
		return pointedTo(field) == reflect.TypeFor[v1alpha1.Ignored]()
	})
	if near := nearest.To(name, known); near != "" && hint == "" {
		problem.Proposed, problem.Message = near, "unknown field; did you mean "+strconv.Quote(near)+"?"
	} else if hint = cmp.Or(hint, below(path, name, t)); hint != "" {
		problem.Message = "unknown field; " + hint
	}
	c.problems, c.instead[value] = append(c.problems, problem), "null"
}

// below returns where a misplaced field belongs if structs inside t have it, otherwise "".
func below(path, name string, t reflect.Type) string {
	var places []string
	for _, outer := range Fields(t) {
		field, _ := FieldOf(t, outer)
		if inner := pointedTo(field); inner.Kind() == reflect.Struct && inner.PkgPath() == t.PkgPath() && slices.Contains(Fields(inner), name) {
			places = append(places, Join(path, outer))
		}
	}
	if len(places) == 0 {
		return ""
	}
	return "move it under " + strings.Join(places, " or ")
}

func (c *checker) scalar(n *yaml.Node, kind reflect.Kind, path string) {
	if n.Kind != yaml.ScalarNode {
		c.add(n, path, "must be a single value, not "+yamlnode.KindName(n)+"; write one value")
		return
	}
	switch kind {
	case reflect.String, reflect.Slice:
		if !yamlnode.IsString(n) && !c.isText(path) {
			c.add(n, path, "must be a string; put it in quotes")
		}
	case reflect.Bool:
		if n.ShortTag() != "!!bool" {
			c.add(n, path, "must be true or false, without quotes")
		}
	default:
		number, err := strconv.ParseInt(n.Value, 10, 64)
		switch isInt := n.ShortTag() == "!!int"; {
		case errors.Is(err, strconv.ErrRange), err == nil && isInt && kind == reflect.Int32 && number != int64(int32(number)): //nolint:gosec // which is asked
			c.add(n, path, "is out of range; use a smaller number")
		case n.ShortTag() == "!!str" && err == nil:
			c.add(n, path, "must be a number, not a string; remove the quotes")
		// YAML 1.1 reads 010 as 8 and 1_0 as 10. Numbers that look different from what they mean are refused, except for a
		// file mode in a patch.
		case !isInt || !c.IsPatch && (err != nil || strconv.FormatInt(number, 10) != n.Value):
			c.add(n, path, "must be a whole number; write it in plain digits, without a unit")
		}
	}
}

func (o Options) isText(path string) bool { return o.IsText != nil && o.IsText(path) }

// JSON returns n as JSON, with its fields in order.
func JSON(n *yaml.Node, o Options) []byte {
	e := encoder{Options: o}
	e.write(n, o.Path)
	return e.text.Bytes()
}

// encoder writes JSON.
type encoder struct {
	Options
	instead map[*yaml.Node]string // what to write instead of some values
	text    bytes.Buffer
}

func (e *encoder) write(n *yaml.Node, path string) {
	switch {
	case e.instead[n] != "":
		e.text.WriteString(e.instead[n])
	case yamlnode.IsNull(n):
		e.text.WriteString("null")
	case n.Kind == yaml.MappingNode:
		e.text.WriteByte('{')
		for i := 0; i+1 < len(n.Content); i += 2 {
			if i > 0 {
				e.text.WriteByte(',')
			}
			name := n.Content[i].Value
			e.quote(name)
			e.text.WriteByte(':')
			e.write(n.Content[i+1], Join(path, name))
		}
		e.text.WriteByte('}')
	case n.Kind == yaml.SequenceNode:
		e.text.WriteByte('[')
		for i, element := range n.Content {
			if i > 0 {
				e.text.WriteByte(',')
			}
			e.write(element, Element(path, i))
		}
		e.text.WriteByte(']')
	case e.isText(path):
		e.quote(n.Value)
	default:
		e.scalar(n)
	}
}

// scalar writes YAML booleans and numbers as such, and everything else, such as infinity, as a string.
func (e *encoder) scalar(n *yaml.Node) {
	switch n.ShortTag() {
	case "!!bool":
		e.text.WriteString(strings.ToLower(n.Value))
		return
	case "!!int":
		if number, ok := new(big.Int).SetString(strings.ReplaceAll(n.Value, "_", ""), 0); ok {
			e.text.WriteString(number.String())
			return
		}
	case "!!float":
		var number float64
		if n.Decode(&number) == nil {
			if encoded, err := json.Marshal(number); err == nil {
				e.text.Write(encoded)
				return
			}
		}
	}
	e.quote(n.Value)
}

func (e *encoder) quote(value string) {
	quoted := json.NewEncoder(&e.text)
	quoted.SetEscapeHTML(false)
	_ = quoted.Encode(value)          // cannot fail for a string
	e.text.Truncate(e.text.Len() - 1) // the line break
}
