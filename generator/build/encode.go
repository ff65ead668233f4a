package build

import (
	"bytes"
	"encoding/json"
	"errors"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/generator/yamlnode"
)

// Node turns a typed Kubernetes object into YAML: its fields in the order of its Go type, apiVersion
// and kind first, without the noise that the types emit (status, nulls and empty maps that mean
// nothing).
func Node(object any) (*yaml.Node, error) {
	text, err := json.Marshal(object)
	if err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	return decode(decoder)
}

// decode reads one JSON value. Unlike a decoder into maps it keeps the order of the fields.
func decode(decoder *json.Decoder) (*yaml.Node, error) {
	token, err := decoder.Token()
	if err != nil {
		return nil, err
	}
	switch token := token.(type) {
	case json.Delim:
		if token == '[' {
			return decodeList(decoder)
		}
		return decodeObject(decoder)
	case string:
		return yamlnode.Scalar(token), nil
	case json.Number:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!int", Value: token.String()}, nil
	case bool:
		if token {
			return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: "true"}, nil
		}
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: "false"}, nil
	case nil:
		return nil, nil
	}
	return nil, errors.New("unexpected JSON token")
}

func decodeList(decoder *json.Decoder) (*yaml.Node, error) {
	list := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
	for decoder.More() {
		element, err := decode(decoder)
		if err != nil {
			return nil, err
		}
		list.Content = append(list.Content, element)
	}
	_, err := decoder.Token()
	return list, err
}

func decodeObject(decoder *json.Decoder) (*yaml.Node, error) {
	object := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	for decoder.More() {
		key, err := decoder.Token()
		if err != nil {
			return nil, err
		}
		value, err := decode(decoder)
		if err != nil {
			return nil, err
		}
		if name, _ := key.(string); !isNoise(name, value) {
			object.Content = append(object.Content, yamlnode.Scalar(name), value)
		}
	}
	if apiVersionFirst(object) {
		yamlnode.Set(object, "status", nil) // the cluster's
	}
	_, err := decoder.Token()
	return object, err
}

// isNoise says whether a field means nothing. Of the empty maps that we emit, only emptyDir says
// something by being there.
func isNoise(name string, value *yaml.Node) bool {
	return value == nil || value.Kind == yaml.MappingNode && len(value.Content) == 0 && name != "emptyDir"
}

// apiVersionFirst moves apiVersion in front of kind, as people write it, and says whether n is an object
// that has both.
func apiVersionFirst(n *yaml.Node) bool {
	c := n.Content
	if len(c) < 4 || c[0].Value != "kind" || c[2].Value != "apiVersion" {
		return false
	}
	c[0], c[1], c[2], c[3] = c[2], c[3], c[0], c[1]
	return true
}
