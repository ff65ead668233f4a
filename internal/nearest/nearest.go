// Package nearest finds the name that a misspelled one was probably meant to be.
package nearest

import (
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
	best, bestDistance := "", max(2, len(text)/3)+1
	for _, name := range names {
		distance := Distance(strings.ToLower(text), strings.ToLower(name))
		if distance < bestDistance {
			best, bestDistance = name, distance
		}
	}
	return best
}

// Distance returns how many letters must be added, removed or changed to turn one text into the other.
func Distance(a, b string) int { return levenshtein.Distance(a, b, nil) }
