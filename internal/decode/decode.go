// Package decode decodes handwritten objects strictly into the types of the API, as Kubernetes does, and reports every
// field that does not fit with its path. It never shows a value, which may be a password.
package decode

import (
	"bytes"
	"encoding/json"
	"errors"
	"math/big"
	"reflect"
	"strconv"
	"strings"

	kjson "sigs.k8s.io/json"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/internal/yamlnode"
)

// Problem is a field that cannot be decoded.
type Problem struct {
	Path, Message string
	// Proposed is the name that the field was probably meant to have, or "".
	Proposed string
}

// Options say what is special about an object. The zero value is for an ordinary one.
type Options struct {
	// Path is where the object stands, for the paths of problems; "" for the top level.
	Path string
	// IsText reports whether the scalars at a path are texts, whatever YAML takes them for.
	IsText func(path string) bool
	// Hint returns what to do about an unknown field, or "".
	Hint func(path, name string) string
	// IsPatch reports that the object is a strategic merge patch: names with a dollar are directives, and a null takes
	// something away.
	IsPatch bool
}

// Strict decodes n, a mapping without aliases, into what into points to. After a problem, what was decoded is of no use.
func Strict(n *yaml.Node, into any, o Options) []Problem {
	c := checker{Options: o}
	c.value(n, reflect.TypeOf(into).Elem(), o.Path)
	if len(c.problems) > 0 {
		return c.problems
	}
	text, err := JSON(n, o)
	if err == nil {
		err = kjson.UnmarshalCaseSensitivePreserveInts(text, into)
	}
	if err != nil {
		return []Problem{{Path: o.Path, Message: "has a value of the wrong type; see docs/configuration.md"}}
	}
	return nil
}

// checker finds what does not fit.
type checker struct {
	Options
	problems []Problem
}

func (c *checker) add(path, message string) {
	c.problems = append(c.problems, Problem{Path: path, Message: message})
}

var unmarshaler = reflect.TypeFor[json.Unmarshaler]()

func (c *checker) value(n *yaml.Node, t reflect.Type, path string) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case yamlnode.IsNull(n):
	case reflect.PointerTo(t).Implements(unmarshaler):
		text, err := JSON(n, Options{Path: path, IsText: c.IsText, IsPatch: c.IsPatch})
		if err == nil {
			err = json.Unmarshal(text, reflect.New(t).Interface())
		}
		if err != nil {
			c.add(path, "has the wrong type or format; for CPU and memory, use a number with a Kubernetes unit, such as 500m or 2Gi")
		}
	case t.Kind() == reflect.Struct && t.NumField() == 0, t.Kind() == reflect.Interface:
	case t.Kind() == reflect.Struct, t.Kind() == reflect.Map:
		c.mapping(n, t, path)
	case t.Kind() == reflect.Slice && t.Elem().Kind() != reflect.Uint8:
		if n.Kind != yaml.SequenceNode {
			c.add(path, "must be a list, not "+yamlnode.KindName(n)+"; start each element with a dash")
			return
		}
		for i, element := range n.Content {
			if at := Element(path, i); yamlnode.IsNull(element) {
				c.add(at, "is empty; set a value, or remove it")
			} else {
				c.value(element, t.Elem(), at)
			}
		}
	default:
		c.scalar(n, t.Kind(), path)
	}
}

func (c *checker) mapping(n *yaml.Node, t reflect.Type, path string) {
	if n.Kind != yaml.MappingNode {
		c.add(path, "must be an object, not "+yamlnode.KindName(n)+"; write its fields below it")
		return
	}
	for key, value := range yamlnode.Fields(n) {
		at := Join(path, key.Value)
		switch {
		case key.Kind != yaml.ScalarNode:
			c.add(path, "has a field whose name is "+yamlnode.KindName(key)+"; use a plain name")
		case c.IsPatch && strings.HasPrefix(key.Value, "$"):
		case t.Kind() == reflect.Map && yamlnode.IsNull(value) && !c.IsPatch:
			c.add(at, "is empty; set a value, or remove it")
		case t.Kind() == reflect.Map:
			c.value(value, t.Elem(), at)
		default:
			if field, found := fieldOf(t, key.Value); found {
				c.value(value, field.Type, at)
			} else {
				c.unknown(path, key.Value, t)
			}
		}
	}
}

func (c *checker) unknown(path, name string, t reflect.Type) {
	problem := Problem{Path: strings.TrimPrefix(path+"."+name, "."), Message: "unknown field; remove it"}
	hint := ""
	if c.Hint != nil {
		hint = c.Hint(path, name)
	}
	if near := Nearest(name, Fields(t)); near != "" {
		problem.Proposed, problem.Message = near, "unknown field; did you mean "+strconv.Quote(near)+"?"
	} else if hint != "" {
		problem.Message = "unknown field; " + hint
	}
	c.problems = append(c.problems, problem)
}

func (c *checker) scalar(n *yaml.Node, kind reflect.Kind, path string) {
	if n.Kind != yaml.ScalarNode {
		c.add(path, "must be a single value, not "+yamlnode.KindName(n))
		return
	}
	switch kind {
	case reflect.String, reflect.Slice:
		if !yamlnode.IsString(n) && !c.isText(path) {
			c.add(path, "must be a string; put it in quotes")
		}
	case reflect.Bool:
		if n.ShortTag() != "!!bool" {
			c.add(path, "must be true or false, without quotes; use one of them")
		}
	default:
		number, err := strconv.ParseInt(n.Value, 10, 64)
		switch isInt := n.ShortTag() == "!!int"; {
		case errors.Is(err, strconv.ErrRange), err == nil && isInt && kind == reflect.Int32 && number != int64(int32(number)): //nolint:gosec // which is asked
			c.add(path, "is out of range; use a smaller number")
		case n.ShortTag() == "!!str" && err == nil:
			c.add(path, "must be a number, not a string; remove the quotes")
		// YAML 1.1 reads 010 as 8 and 1_0 as 10: what looks different from what it means is refused, but for the mode of a
		// file in a patch.
		case !isInt || !c.IsPatch && (err != nil || strconv.FormatInt(number, 10) != n.Value):
			c.add(path, "must be a whole number; write it in plain digits, without a unit")
		}
	}
}

func (o Options) isText(path string) bool { return o.IsText != nil && o.IsText(path) }

// JSON returns n as JSON, with the fields in their order.
func JSON(n *yaml.Node, o Options) ([]byte, error) {
	var text bytes.Buffer
	if err := write(&text, n, o.Path, o); err != nil {
		return nil, err
	}
	return text.Bytes(), nil
}

func write(text *bytes.Buffer, n *yaml.Node, path string, o Options) error {
	switch {
	case n == nil || yamlnode.IsNull(n):
		text.WriteString("null")
	case n.Kind == yaml.MappingNode:
		text.WriteByte('{')
		for i := 0; i+1 < len(n.Content); i += 2 {
			if i > 0 {
				text.WriteByte(',')
			}
			name := n.Content[i].Value
			quote(text, name)
			text.WriteByte(':')
			if err := write(text, n.Content[i+1], Join(path, name), o); err != nil {
				return err
			}
		}
		text.WriteByte('}')
	case n.Kind == yaml.SequenceNode:
		text.WriteByte('[')
		for i, element := range n.Content {
			if i > 0 {
				text.WriteByte(',')
			}
			if err := write(text, element, Element(path, i), o); err != nil {
				return err
			}
		}
		text.WriteByte(']')
	case o.isText(path):
		quote(text, n.Value)
	default:
		return writeScalar(text, n)
	}
	return nil
}

// writeScalar writes what YAML takes for a boolean or a number as that, and everything else as a string.
func writeScalar(text *bytes.Buffer, n *yaml.Node) error {
	switch n.ShortTag() {
	case "!!bool":
		text.WriteString(strings.ToLower(n.Value))
	case "!!int":
		number, ok := new(big.Int).SetString(strings.ReplaceAll(n.Value, "_", ""), 0)
		if !ok {
			return errors.New("not a number")
		}
		text.WriteString(number.String())
	case "!!float":
		var number float64
		if err := n.Decode(&number); err != nil {
			return err
		}
		encoded, err := json.Marshal(number) // not of infinity
		if err != nil {
			return err
		}
		text.Write(encoded)
	default:
		quote(text, n.Value)
	}
	return nil
}

func quote(text *bytes.Buffer, value string) {
	encoder := json.NewEncoder(text)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(value)     // cannot fail for a string
	text.Truncate(text.Len() - 1) // the line break
}
