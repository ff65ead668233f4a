package v1alpha1

import (
	"regexp"
	"strings"
	"sync"
)

// Placeholders can be used, in braces, in args, labels, annotations, overrides, extraObjects, tls, serviceAccount, and the
// labels and annotations of the connection Secret. None of them is ever a password.
var Placeholders = []string{"name", "namespace", "endpoint"}

// ConnectionPlaceholders can be used, in braces, in the templates of extra keys.
var ConnectionPlaceholders = []string{"endpoint", "port", "scheme", "password", "passwordEncoded", "name", "namespace"}

// word also matches the character before the brace. It distinguishes a placeholder from a shell variable, ${name},
// and from another tool's template, {{name}}.
var word = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`[${]?\{([A-Za-z]+)\}`) })

// Words returns the words in a text that have the form of a placeholder.
func Words(text string) []string {
	var words []string
	for _, match := range word().FindAllStringSubmatch(text, -1) {
		if match[0] == "{"+match[1]+"}" {
			words = append(words, match[1])
		}
	}
	return words
}

// Fill replaces the placeholders in a text that values contains, in a single pass. Everything else stays the same: other
// words, other braces, ${name} and {{name}}.
func Fill(text string, values map[string]string) string {
	if !strings.Contains(text, "{") {
		return text
	}
	return word().ReplaceAllStringFunc(text, func(match string) string {
		if value, found := values[strings.Trim(match, "{}")]; found && match[0] == '{' && match[1] != '{' {
			return value
		}
		return match
	})
}

// shortest fills in the placeholders with the shortest possible values.
func shortest(text string) string {
	return Fill(text, map[string]string{"name": "n", "namespace": "n", "endpoint": "n"})
}
