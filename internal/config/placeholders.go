package config

import (
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/internal/decode"
	"github.com/bizmatters/dragonfly-generator/internal/instance"
	"github.com/bizmatters/dragonfly-generator/internal/placeholder"
	"github.com/bizmatters/dragonfly-generator/internal/report"
	"github.com/bizmatters/dragonfly-generator/internal/yamlnode"
)

// Placeholders are what args, labels, annotations, overrides, extraObjects, tls and serviceAccount may hold, in
// braces. None of them is ever a password.
var Placeholders = []string{"name", "namespace", "endpoint"}

// ConnectionPlaceholders are what the templates of ExtraKeys may hold, in braces: facts of the connection.
// passwordEncoded is the password for a URI, with all but the unreserved characters of RFC 3986 escaped.
var ConnectionPlaceholders = []string{"endpoint", "port", "scheme", "password", "passwordEncoded", "name", "namespace"}

// Values are what the placeholders stand for.
type Values struct{ Name, Namespace, Endpoint string }

// ValuesOf returns what the placeholders stand for in an instance.
func (c Config) ValuesOf(name instance.Name) Values {
	return Values{name.Name, name.Namespace, name.Endpoint(c.ClusterDomain)}
}

// Fill fills in the placeholders of a text. Other braces stay as they are, so do ${name} and {{name}}.
func (v Values) Fill(text string) string {
	return placeholder.Fill(text, map[string]string{"name": v.Name, "namespace": v.Namespace, "endpoint": v.Endpoint})
}

// probe is an instance whose names are as short as names get.
var probe = Values{Name: "n", Namespace: "n", Endpoint: "n"}

// placeholders warns of what was clearly meant as a placeholder but is not one. It returns the text with the others
// filled in, as short as it gets.
func (r *reader) placeholders(field report.Field, text string) string {
	for _, word := range placeholder.Words(text) {
		switch {
		case slices.Contains(Placeholders, word):
		case slices.Contains(ConnectionPlaceholders, word):
			r.Warnf(field, "leaves {%s} as it is, because that is a placeholder in connectionSecret.extraKeys only; the placeholders here are {%s}", word, strings.Join(Placeholders, "} {"))
		default:
			if near := misspelling(word); near != "" {
				field.Proposed = "{" + near + "}"
				r.Warnf(field, "leaves {%s} as it is, because that is not a placeholder; did you mean {%s}?", word, near)
			}
		}
	}
	return probe.Fill(text)
}

// placeholdersIn does the same with the texts of a tree.
func (r *reader) placeholdersIn(n *yaml.Node, path string) {
	switch n.Kind {
	case yaml.MappingNode:
		for key, value := range yamlnode.Fields(n) {
			r.placeholdersIn(value, decode.Join(path, key.Value))
		}
	case yaml.SequenceNode:
		for i, element := range n.Content {
			r.placeholdersIn(element, decode.Element(path, i))
		}
	case yaml.ScalarNode:
		r.placeholders(report.Field{Path: path}, n.Value)
	}
}

// misspelling returns the placeholder that a word has the letters of, but for one, or "". Words in braces can be
// anything, so it takes less for one than for a field.
func misspelling(word string) string {
	lower := strings.ToLower(word)
	for _, name := range Placeholders {
		if decode.Distance(lower, name) <= 1 || sorted(lower) == sorted(name) {
			return name
		}
	}
	return ""
}

func sorted(text string) string {
	letters := []byte(text)
	slices.Sort(letters)
	return string(letters)
}
