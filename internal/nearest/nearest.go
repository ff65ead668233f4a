// Package nearest finds the name that a misspelled one was probably meant to be.
package nearest

import (
	"fmt"
	"strings"

	"github.com/agext/levenshtein"
)

// maxNearest is the maximum length of a text, in bytes, for which To searches for a name.
const maxNearest = 100

// To returns the name that text is probably a misspelling of, or "".
func To(text string, names []string) string {
	if len(text) > maxNearest {
		return ""
	}
	text = strings.ToLower(text)
	best, bestDistance := "", max(2, len(text)/3)+1
	for _, name := range names {
		lower := strings.ToLower(name)
		distance := Distance(text, lower)
		// host is not a misspelled port.
		isOtherWord := len(text) < 6 && distance > 1 && !strings.HasPrefix(lower, text[:min(1, len(text))])
		if distance < bestDistance && !isOtherWord {
			best, bestDistance = name, distance
		}
	}
	return best
}

// Hint returns the name that text is probably a misspelling of, and a question about it for a message: `did you mean "x"? `.
// Both are empty if there is none.
func Hint(text string, names []string) (near, question string) {
	if near = To(text, names); near != "" {
		question = fmt.Sprintf("did you mean %q? ", near)
	}
	return near, question
}

// Distance returns how many letters must be added, removed or changed to turn one text into the other.
func Distance(a, b string) int { return levenshtein.Distance(a, b, nil) }
