package report

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/GoogleContainerTools/kpt-functions-sdk/go/fn"
)

// Terminal is how results look to a person: what to do stands on lines of its own, and below a field its place in the
// file. Everywhere else a result is one line.
type Terminal struct {
	Color bool
	// Place finds where in its file the field of a result stands; nil, or false, where that is not known.
	Place func(*fn.Result) (Place, bool)
}

// Place is where something stands in a file.
type Place struct {
	File string
	Line int // from 1
	// Before is what stands in front of the mark on that line, and Marked what is marked. After is what follows. Marked
	// is "" where the line must not be shown. Values that could be secrets are in none of them.
	Before, Marked, After string
}

// The colours of a terminal (ECMA-48, select graphic rendition).
const (
	red    = "1;31"
	yellow = "1;33"
	blue   = "1;34"
	bold   = "1"
)

// Lines returns the errors and warnings for a terminal.
func (t Terminal) Lines(results fn.Results) string {
	return t.LinesWithInfos(withoutInfos(results))
}

// LinesWithInfos returns all results for a terminal.
func (t Terminal) LinesWithInfos(results fn.Results) string {
	var out strings.Builder
	for _, result := range results {
		t.result(&out, result)
	}
	return out.String()
}

func (t Terminal) result(out *strings.Builder, result *fn.Result) {
	color := map[fn.Severity]string{fn.Error: red, fn.Warning: yellow}[result.Severity]
	head, hints := cutHints(line(result))
	severity, rest, _ := strings.Cut(head, ": ")
	fmt.Fprintf(out, "%s: %s\n", t.paint(color, severity), t.paint(bold, rest))

	margin := " "
	if t.Place != nil {
		if place, found := t.Place(result); found {
			margin = t.place(out, place, color)
		}
	}
	for _, hint := range hints {
		fmt.Fprintf(out, "%s %s %s\n", margin, t.paint(blue, "="), hint)
	}
}

// place writes a line of a file with a mark under the place, and returns the margin that its number takes.
func (t Terminal) place(out *strings.Builder, p Place, color string) (margin string) {
	number := strconv.Itoa(p.Line)
	margin = strings.Repeat(" ", len(number))
	fmt.Fprintf(out, "%s %s %s:%s\n", margin, t.paint(blue, "-->"), oneLine(p.File), number)
	if p.Marked == "" {
		return margin
	}
	before, marked := oneLine(p.Before), oneLine(p.Marked)
	bar := t.paint(blue, "|")
	fmt.Fprintf(out, "%s %s\n", margin, bar)
	fmt.Fprintf(out, "%s %s %s%s%s\n", t.paint(blue, number), bar, before, marked, oneLine(p.After))
	fmt.Fprintf(out, "%s %s %s%s\n", margin, bar,
		strings.Repeat(" ", utf8.RuneCountInString(before)), t.paint(color, strings.Repeat("^", utf8.RuneCountInString(marked))))
	return margin
}

func (t Terminal) paint(color, text string) string {
	if !t.Color || color == "" {
		return text
	}
	return "\x1b[" + color + "m" + text + "\x1b[0m"
}

// cutHints takes what to do from the end of a line, where it stands behind semicolons. One in quotes or brackets is
// part of something else.
func cutHints(line string) (head string, hints []string) {
	var parts []string
	start, depth, quote := 0, 0, rune(0)
	for i, r := range line {
		switch {
		case quote != 0:
			if r == quote {
				quote = 0
			}
		case r == '`' || r == '"':
			quote = r
		case r == '(':
			depth++
		case r == ')':
			depth--
		case r == ';' && depth == 0 && strings.HasPrefix(line[i:], "; "):
			parts = append(parts, line[start:i])
			start = i + len("; ")
		}
	}
	parts = append(parts, line[start:])
	return parts[0], parts[1:]
}
