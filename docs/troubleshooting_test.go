// Package docs_test keeps troubleshooting.md complete: it has an entry for every message of the program, and
// no other.
//
// The messages are found in the source, not in a list: a new one fails the test until it has an entry, a
// changed one until its entry is changed too. What the golden cases and the scripts of testdata expect on
// stderr is held against the page as well, which shows that messages are found as they are printed.
package docs_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const page = "troubleshooting.md"

// Far fewer than there are: if less is found, the test has gone blind.
const (
	leastMessages = 220
	leastPrinted  = 350
)

// entry is a message on the page: an item of a list that begins with a code, or with the word Warning and a
// code. Its placeholders stand in angle brackets.
type entry struct {
	severity, text string
	line           int
}

var (
	heading     = regexp.MustCompile(`^## (Warnings|Infos)?`)
	entryLine   = regexp.MustCompile("^ *- (Warning: )?(`+)")
	placeholder = regexp.MustCompile(`<[a-z][a-z ]*>`)
	fieldPrefix = regexp.MustCompile(`^\S+: `)
)

// entries returns the messages of the page.
func entries(t testing.TB, text string) []entry {
	t.Helper()
	var found []entry
	severity := "error"
	for i, line := range strings.Split(text, "\n") {
		if section := heading.FindStringSubmatch(line); section != nil {
			severity = map[string]string{"": "error", "Warnings": "warning", "Infos": "info"}[section[1]]
		}
		begin := entryLine.FindStringSubmatch(line)
		if begin == nil {
			continue
		}
		code, _, closed := strings.Cut(line[len(begin[0]):], begin[2])
		require.True(t, closed, "line %d has no whole code: a message stands on one line", i+1)
		e := entry{severity, strings.TrimSpace(code), i + 1}
		if begin[1] != "" {
			e.severity = "warning"
		}
		found = append(found, e)
	}
	return found
}

// compare returns what is wrong: messages without an entry, and entries without a message.
func compare(p *program, found []entry) []string {
	d := deriver{fragments: p.fragments(), known: map[string][]int{}}
	used := map[int]bool{}
	var problems []string
	for _, e := range found {
		// The field in front is a value.
		derivation := append(d.derive(e.text), d.derive(fieldPrefix.ReplaceAllString(e.text, ""))...)
		if len(derivation) == 0 {
			problems = append(problems, fmt.Sprintf("%s:%d: the program prints no such message: %s", page, e.line, e.text))
		}
		for _, fragment := range derivation {
			used[fragment] = true
		}
	}
	for i, m := range p.messages() { // which the fragments begin with
		if !used[i] {
			problems = append(problems, fmt.Sprintf("%s: %s has no entry for: %s", m.at, page, m))
		}
	}
	return problems
}

// deriver puts texts together from the fragments of the source.
type deriver struct {
	fragments []message
	known     map[string][]int
}

// derive returns the fragments that a text can be put together from, nil where it cannot.
func (d *deriver) derive(text string) []int {
	if used, found := d.known[text]; found {
		return used
	}
	var used []int
	for i, fragment := range d.fragments {
		texts := len(fragment.parts)
		if !letter.MatchString(fragment.String()) {
			texts = 1 // such as "%s %s": it says nothing by itself, and fits everything
		}
		if within, ok := d.fit(fragment.parts, text, texts); ok {
			used = append(append(used, i), within...)
		}
	}
	slices.Sort(used)
	used = slices.Compact(used)
	d.known[text] = used
	return used
}

// fit says whether a text has those parts, and between them placeholders and so many other values or texts
// that can be derived in their turn.
func (d *deriver) fit(parts []string, text string, texts int) (used []int, ok bool) {
	rest, ok := strings.CutPrefix(text, parts[0])
	if !ok || len(parts) == 1 {
		return nil, ok && rest == ""
	}
	isLast := len(parts) == 2 && parts[1] == ""
	for at := 0; at <= len(rest); at++ {
		next := strings.Index(rest[at:], parts[1])
		switch {
		case next < 0:
			return nil, false
		case isLast:
			at = len(rest)
		default:
			at += next
		}
		left := texts
		if !isPlaceholder(rest[:at]) {
			left--
		}
		if left < 0 {
			continue
		}
		if further, ok := d.fit(parts[1:], rest[at:], left); ok {
			if filled, ok := d.fill(rest[:at]); ok {
				return append(slices.Clone(filled), further...), true
			}
		}
	}
	return nil, false
}

func isPlaceholder(text string) bool { return text != "" && placeholder.FindString(text) == text }

// fill says whether a text can stand where something is filled in: a placeholder, a value, or a derived text.
func (d *deriver) fill(text string) (used []int, ok bool) {
	used = d.derive(text)
	return used, used != nil || !prose.MatchString(placeholder.ReplaceAllString(text, ""))
}

func readPage(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	return string(text)
}

func TestEveryMessageHasItsEntry(t *testing.T) {
	p, err := load(os.DirFS(".."))
	require.NoError(t, err)
	require.Greater(t, len(p.messages()), leastMessages, "most messages are not found in the source")
	for _, problem := range compare(p, entries(t, readPage(t))) {
		t.Error(problem)
	}
}

// pattern matches a line on stderr.
func (e entry) pattern() *regexp.Regexp {
	var body strings.Builder
	for i, part := range placeholder.Split(e.text, -1) {
		if i > 0 {
			body.WriteString(".*")
		}
		body.WriteString(regexp.QuoteMeta(part))
	}
	return regexp.MustCompile("^" + e.severity + ": (?:.+: )?" + body.String() + "$")
}

// Every line that the golden cases and the scripts expect on stderr is on the page.
func TestWhatIsPrintedHasItsEntry(t *testing.T) {
	var patterns []*regexp.Regexp
	for _, e := range entries(t, readPage(t)) {
		patterns = append(patterns, e.pattern())
	}
	printed := printedLines(t)
	require.Greater(t, len(printed), leastPrinted, "most lines are not found in testdata")
	for _, line := range printed {
		if !matches(patterns, line) {
			t.Errorf("%s has no entry for: %s", page, line)
		}
	}
}

func matches(patterns []*regexp.Regexp, line string) bool {
	for _, pattern := range patterns {
		if pattern.MatchString(line) {
			return true
		}
	}
	return false
}

var (
	printedLine = regexp.MustCompile(`^(error|warning|info): .`)
	assertion   = regexp.MustCompile(`^stderr '\^?((?:error|warning|info): .*)'$`)
	escaped     = regexp.MustCompile(`\\(.)`)
)

// printedLines returns what testdata says that is printed: the stderr of the golden cases and, in the
// scripts, the files to compare with and the patterns of whole lines.
func printedLines(t testing.TB) []string {
	t.Helper()
	cases, err := filepath.Glob("../testdata/golden/*/*.txtar")
	require.NoError(t, err)
	scripts, err := filepath.Glob("../test/script/testdata/*.txtar")
	require.NoError(t, err)
	var printed []string
	for _, name := range append(cases, scripts...) {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		for i, line := range strings.Split(string(text), "\n") {
			if pattern := assertion.FindStringSubmatch(line); pattern != nil {
				whole, ok := strings.CutSuffix(pattern[1], "$")
				require.True(t, ok, "%s:%d has part of a message; write all of it", name, i+1)
				line = escaped.ReplaceAllString(strings.ReplaceAll(whole, "''", "'"), "$1")
			}
			if printedLine.MatchString(line) {
				printed = append(printed, line)
			}
		}
	}
	return printed
}

// A program in which messages are made in every way that there is.
const sample = `package main

import (
	"errors"
	"fmt"

	"example.com/other"
)

const (
	name  = "NAME"
	least = 32
	long  = "is " + name + " and was before; take it out"
)

type Name string

const kind Name = "Kind"

var reasons = map[string]string{"a": "it would call home"}

func main() {
	r := other.Results{}
	r.Errorf(nil, "is missing")
	r.FieldErrorf(nil, other.Field{Path: "a field"}, "set %s to %q: %d bytes, 80%% of %s", name, kind, least, r)
	r.Errorf(nil, long)
	r.Errorf(nil, "broken")
	hint := "did you mean " + r.Name + "? "
	hint += "or not, "
	r.Warnf(nil, "is unknown; %swrite one", hint)
	problem := "is in the way"
	r.Errorf(nil, "%s %s", r.Name, problem)
	if err := broken(); err != nil {
		r.Errorf(nil, "this is a bug (%T)", err)
	}
	fmt.Fprintf(r, "error: %s is late\n", errors.New("the train " + r.Name))
}

func broken() error { return inner() }

func inner() error { return errors.New("nobody reads this") }
`

func findIn(t *testing.T, source string) *program {
	t.Helper()
	p, err := load(fstest.MapFS{
		"main.go":       {Data: []byte(source)},
		"main_other.go": {Data: []byte("//go:build plan9\n\npackage main\n\nvar other = \"on another system\"\n")},
		"main_test.go":  {Data: []byte("package main\n\nvar test = \"is only tested\"\n")},
	})
	require.NoError(t, err)
	return p
}

func TestMessagesAreFound(t *testing.T) {
	var found []string
	for _, m := range findIn(t, sample).messages() {
		found = append(found, m.String())
	}
	assert.Equal(t, []string{
		"is NAME and was before; take it out", "it would call home",
		"is missing", `set NAME to "Kind": 32 bytes, 80% of …`,
		"broken", "did you mean …? ", "…or not, ", "is unknown; …write one", "is in the way", "this is a bug (…)", "… is late", "the train …",
		"on another system",
	}, found)
}

// An error that is read anywhere is one that people read.
func TestErrorsThatNobodyReads(t *testing.T) {
	for name, change := range map[string][2]string{
		"printed where it arrives": {`(%T)`, `(%s)`},
		"printed on its way":       {"return inner()", "err := inner(); fmt.Println(err); return err"},
		"stored":                   {"return inner()", "kept = inner(); return kept"},
		"in a function value":      {"return inner()", "f := inner; return f()"},
		"behind an interface":      {"func inner() error {", "func inner() error { return nil }\n\nfunc (Name) Close() error {"},
		"with a name":              {"func broken() error { return inner() }", "func broken() (err error) { err = inner(); return }"},
	} {
		t.Run(name, func(t *testing.T) {
			source := strings.Replace(sample, change[0], change[1], 1)
			require.NotEqual(t, sample, source)
			var found []string
			for _, m := range findIn(t, source).messages() {
				found = append(found, m.String())
			}
			assert.Contains(t, found, "nobody reads this")
		})
	}
}

func TestCompare(t *testing.T) {
	const complete = "- `spec.a: is missing`\n- Warning: `is unknown; did you mean <name>? or not, write one`\n  and more\n" +
		"- `is NAME and was before; take it out`\n- `it would call home`\n- ``set NAME to \"Kind\": 32 bytes, 80% of <name>``\n" +
		"- `broken`\n- `<name> is in the way`\n- `this is a bug (<type>)`\n  - `the train <name> is late`\n- `on another system`\n"
	for _, tc := range []struct{ reason, old, new, want string }{
		{"A page that has them all is fine.", "", "", ""},
		{"A message needs an entry.", "- `spec.a: is missing`\n", "", "has no entry for: is missing"},
		{"A hint needs one, too.", "did you mean <name>? or", "or", "has no entry for: did you mean …? "},
		{"So does a reason.", "<name> is in the way", "<name> <reason>", "has no entry for: is in the way"},
		{"The text is that of the message.", "it would call home", "it would call a home", "has no entry for: it would call home"},
		{"An entry is that of a message.", "it would call home", "it would call a home", "the program prints no such message: it would call a home"},
		{"A value is none of many words.", "80% of <name>", "80% of what there is", "the program prints no such message"},
		{"An entry that is a message and more is none.", "on another system", "on another system today", "the program prints no such message"},
	} {
		problems := strings.Join(compare(findIn(t, sample), entries(t, strings.Replace(complete, tc.old, tc.new, 1))), "\n")
		if tc.want == "" {
			assert.Empty(t, problems, tc.reason)
		} else {
			assert.Contains(t, problems, tc.want, tc.reason)
		}
	}
}

func TestSeverity(t *testing.T) {
	found := entries(t, "## A\n- `a <b>`\n- Warning: `c`\n## Warnings about d\n- `d`\n## Infos\n- `e`\n## F\n- ``f `g` ``\\\n  more\n")
	assert.Equal(t, []entry{
		{"error", "a <b>", 2}, {"warning", "c", 3}, {"warning", "d", 5}, {"info", "e", 7}, {"error", "f `g`", 9},
	}, found)
	assert.True(t, found[0].pattern().MatchString("error: file.yaml: Kind ns/name: field: a b"))
	assert.False(t, found[0].pattern().MatchString("warning: file.yaml: Kind ns/name: field: a b"))
	assert.False(t, found[0].pattern().MatchString("error: file.yaml: Kind ns/name: not a b"))
}
