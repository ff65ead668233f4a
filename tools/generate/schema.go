package main

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

// jsonSchema returns a kind's schema in the dialect that editors read.
func (api *api) jsonSchema(props apiextensions.JSONSchemaProps, kind string) ([]byte, error) {
	schema, err := plain(props)
	if err != nil {
		return nil, err
	}
	if spec, ok := schema["properties"].(map[string]any)["spec"].(map[string]any); ok {
		if profiles, ok := spec["properties"].(map[string]any)["profiles"].(map[string]any); ok {
			lessThan(profiles["additionalProperties"].(map[string]any))
		}
	}
	editors(schema)
	schema["$schema"] = "http://json-schema.org/draft-07/schema#"
	schema["title"] = kind
	required, _ := schema["required"].([]any)
	schema["required"] = append([]any{"apiVersion", "kind"}, required...)
	properties := schema["properties"].(map[string]any)
	properties["apiVersion"] = map[string]any{"const": api.group + "/" + api.version}
	properties["kind"] = map[string]any{"const": kind}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	err = encoder.Encode(schema)
	return text.Bytes(), err
}

// lessThan turns a complete schema into one for a part that overrides another part: defaults are stated there, and
// required fields may be set there.
func lessThan(schema map[string]any) {
	delete(schema, "default")
	properties, _ := schema["properties"].(map[string]any)
	if properties == nil {
		return
	}
	delete(schema, "required")
	for _, child := range properties {
		lessThan(child.(map[string]any))
	}
}

// plain returns the schema as plain JSON values, with each paragraph of a description on one line.
func plain(props apiextensions.JSONSchemaProps) (map[string]any, error) {
	text, err := json.Marshal(props)
	if err != nil {
		return nil, err
	}
	var schema map[string]any
	if err = json.Unmarshal(text, &schema); err == nil {
		tidy(schema)
	}
	return schema, err
}

func tidy(schema map[string]any) {
	for key, value := range schema {
		switch value := value.(type) {
		case map[string]any:
			tidy(value)
		case string:
			if key == "description" {
				schema[key] = strings.Join(strings.Fields(value), " ")
			}
		case float64:
			if key == "minimum" || key == "maximum" { // YAML would write them as floats
				schema[key] = int64(value)
			}
		}
	}
}

// editors changes a schema of a CustomResourceDefinition into one for editors. In the former, unknown fields
// are dropped silently; here they are errors. A null means the default.
func editors(schema map[string]any) {
	if unit, found := schema["format"]; found {
		delete(schema, "format")
		if unit != "int32" && unit != "int64" { // how many bits a number has
			schema["x-unit"] = unit
		}
	}
	if example, found := schema["example"]; found {
		delete(schema, "example")
		schema["examples"] = []any{example}
	}
	open := schema["x-kubernetes-preserve-unknown-fields"] == true
	delete(schema, "x-kubernetes-preserve-unknown-fields")
	if schema["x-kubernetes-int-or-string"] == true {
		delete(schema, "x-kubernetes-int-or-string")
		delete(schema, "anyOf")
		schema["type"] = []any{"number", "string"}
		if schema["pattern"] == nil { // not a quantity but a label's or annotation's value, which the function reads as text
			schema["type"] = []any{"boolean", "number", "string"}
		}
	}
	for _, keyword := range []string{"items", "additionalProperties"} {
		if child, ok := schema[keyword].(map[string]any); ok {
			editors(child)
		}
	}
	properties, _ := schema["properties"].(map[string]any)
	if properties == nil {
		return
	}
	if !open {
		schema["additionalProperties"] = false
	}
	required, _ := schema["required"].([]any)
	for name, child := range properties {
		child := child.(map[string]any)
		editors(child)
		if !slices.Contains(required, any(name)) {
			orNull(child)
		}
	}
}

func orNull(schema map[string]any) {
	switch types := schema["type"].(type) {
	case string:
		schema["type"] = []any{types, "null"}
	case []any:
		schema["type"] = append(types, "null")
	}
	if values, found := schema["enum"].([]any); found {
		schema["enum"] = append(values, nil)
	}
}
