// Package placeholder fills in the placeholders of a text: words in braces, like {name}.
package placeholder

import (
	"regexp"
	"strings"
	"sync"
)

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

// Fill replaces the placeholders of a text that values has, in a single pass. Everything else stays as it is:
// other words, other braces, ${name} and {{name}}.
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
