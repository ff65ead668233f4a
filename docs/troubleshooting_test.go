// Package docs_test keeps troubleshooting.md complete: it has an entry for every message of the program, and
// no other.
//
// Three comparisons do that, and none of them follows values through the program. Every text in the source that
// reads like words is on the page, cut where something is filled in. Every entry of the page is made of texts of
// the source. And every line that the golden cases and the scripts expect on stderr has an entry.
//
// When the wording of a message changes, `make update` changes it on the page too. A new message needs an
// entry by hand: only a person can write what it means and what to do.
package docs_test

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bizmatters/dragonfly-generator/internal/testkit"
)

const page = "troubleshooting.md"

var update = flag.Bool("update", false, "bring the wording of changed messages into the page, for review with git diff")

var (
	// Two words in a row are taken for something that is said to people.
	prose       = regexp.MustCompile(`(?:^|[\s"(])[A-Za-z]{2,}[,;:]? [a-z]{2,}`)
	name        = regexp.MustCompile(`\S*[A-Z./]\S*`) // of a field, a kind, a variable
	verb        = regexp.MustCompile(`%[-+# 0]*[0-9*]*(?:\[[0-9]+\])?[a-zA-Z]`)
	severity    = regexp.MustCompile(`^(error|warning|info): `)
	placeholder = regexp.MustCompile(`<[a-z][a-z ]*>`)
	entryLine   = regexp.MustCompile("^ *- (Warning: )?(`+)")
	heading     = regexp.MustCompile(`^## (Warnings|Infos)?`)
)

// wording cuts a text where something is filled in, and returns the pieces that read like words.
func wording(text string, filledIn *regexp.Regexp) []string {
	var pieces []string
	for _, piece := range filledIn.Split(severity.ReplaceAllString(text, ""), -1) {
		for piece := range strings.SplitSeq(strings.ReplaceAll(piece, "%%", "%"), "\x00") {
			if piece = strings.Trim(piece, " \n\t;,:.?()\"'"); prose.MatchString(piece) {
				pieces = append(pieces, piece)
			}
		}
	}
	return pieces
}

// source returns every text of a Go file, concatenations as one, and a NUL for what is no literal in them.
func source(file *ast.File) []string {
	var texts []string
	var text func(ast.Expr) string
	text = func(e ast.Expr) string {
		switch e := e.(type) {
		case *ast.BasicLit:
			if value, err := strconv.Unquote(e.Value); err == nil && e.Kind == token.STRING {
				return value
			}
		case *ast.BinaryExpr:
			return text(e.X) + text(e.Y)
		}
		return "\x00"
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ImportSpec:
			return false
		case *ast.Field:
			return n.Tag == nil
		case *ast.CallExpr:
			function, ok := n.Fun.(*ast.Ident)
			return !ok || function.Name != "panic"
		case *ast.BinaryExpr:
			if n.Op == token.ADD {
				texts = append(texts, text(n))
				return false
			}
		case *ast.BasicLit:
			texts = append(texts, text(n))
		}
		return true
	})
	return texts
}

// program returns the wording of every text in the source, with the file that has it. Whatever imports the
// package testing is no part of the program.
func program(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	root := testkit.Root(t)
	require.NoError(t, filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if name := entry.Name(); err == nil && entry.IsDir() && (slices.Contains([]string{"test", "tools", "examples", "playground", "testdata"}, name) || strings.HasPrefix(name, ".")) {
			return filepath.SkipDir
		}
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil || slices.ContainsFunc(file.Imports, func(i *ast.ImportSpec) bool { return i.Path.Value == `"testing"` }) {
			return err
		}
		for _, text := range source(file) {
			if strings.Contains(strings.TrimSuffix(text, "\n"), "\n") {
				continue
			}
			for _, piece := range wording(text, verb) {
				found[piece] = path
			}
		}
		return nil
	}))
	return found
}

// noMessages are texts of the source that need no entry: errors that are replaced by others, a bug, values of
// objects, and help that the script about help does not show.
var noMessages = map[string]bool{
	"Prints the help, or that of a command":                            true,
	"Prints the version":                                               true,
	"make a new password when the recorded rotation is not `ROTATION`": true,
	"keep the record in `DIR`, the folder of the volume":               true,
	"write the password to":                                            true,
	"for the server":                                                   true,
	"add `KEY=TEMPLATE` to the connection Secret; may be repeated":     true,
	"digital signature":                                                true,
	"key encipherment":                                                 true,
	"server auth":                                                      true,
	"the list holds the text that stands for its items while it is written": true,
	"makes more than a plain value of itself":                               true,
	"the file cannot be read again":                                         true,
}

// explained is the folder of what answers questions. Its errors need entries, as the scripts show them, its answers none.
var explained = filepath.Join("internal", "explain") + string(filepath.Separator)

// entry is a message on the page: an item of a list that begins with a code, or with the word Warning and a
// code. Its placeholders stand in angle brackets.
type entry struct{ severity, text string }

func entries(t *testing.T, text string) []entry {
	t.Helper()
	var found []entry
	section := "error"
	for i, line := range strings.Split(text, "\n") {
		if h := heading.FindStringSubmatch(line); h != nil {
			section = map[string]string{"": "error", "Warnings": "warning", "Infos": "info"}[h[1]]
		}
		begin := entryLine.FindStringSubmatch(line)
		if begin == nil {
			continue
		}
		code, _, closed := strings.Cut(line[len(begin[0]):], begin[2])
		require.True(t, closed, "line %d has no whole code: a message stands on one line", i+1)
		e := entry{section, strings.TrimSpace(code)}
		if begin[1] != "" {
			e.severity = "warning"
		}
		found = append(found, e)
	}
	return found
}

// compare returns the wording in the source that no entry has, and that of entries which is not in the source.
func compare(inSource []string, found []entry) (missing, stale []string) {
	var all strings.Builder
	for _, e := range found {
		all.WriteString(e.text + "\n")
		rest := []byte(e.text)
		for _, piece := range inSource {
			for at := range e.text {
				if strings.HasPrefix(e.text[at:], piece) {
					copy(rest[at:], make([]byte, len(piece)))
				}
			}
		}
		stale = append(stale, wording(name.ReplaceAllString(string(rest), "\x00"), placeholder)...)
	}
	for _, piece := range inSource {
		if !strings.Contains(all.String(), piece) {
			missing = append(missing, piece)
		}
	}
	return missing, stale
}

// closest returns the text that has most words in common with one, if that is more than half of them.
func closest(to string, texts []string) (best string, found bool) {
	most := 0.5
	for _, text := range texts {
		a, b := strings.Fields(to), strings.Fields(text)
		common := 0
		for _, word := range a {
			if slices.Contains(b, word) {
				common++
			}
		}
		if share := 2 * float64(common) / float64(len(a)+len(b)); share > most {
			most, best, found = share, text, true
		}
	}
	return best, found
}

func TestEveryMessageHasItsEntry(t *testing.T) {
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	messages := program(t)
	require.Greater(t, len(messages), 200, "most messages are not found in the source")
	inSource := slices.Sorted(maps.Keys(messages))
	help, err := os.ReadFile(filepath.Join(testkit.Root(t), "test", "script", "testdata", "help.txtar"))
	require.NoError(t, err)
	check := func() (missing, stale []string) {
		missing, stale = compare(inSource, entries(t, string(text)))
		return slices.DeleteFunc(missing, func(piece string) bool {
			return noMessages[piece] || strings.Contains(messages[piece], explained) || strings.Contains(string(help), strings.ReplaceAll(piece, "`", ""))
		}), stale
	}
	missing, stale := check()
	if *update {
		for _, old := range stale {
			if fresh, found := closest(old, missing); found {
				text = []byte(strings.ReplaceAll(string(text), old, fresh))
			}
		}
		require.NoError(t, os.WriteFile(page, text, 0o644))
		missing, stale = check()
	}
	for _, piece := range missing {
		t.Errorf("%s: %s has no entry with: %s", messages[piece], page, piece)
	}
	for _, piece := range stale {
		t.Errorf("%s: the program prints no such words: %s", page, piece)
	}
}

// pattern matches a line on stderr.
func (e entry) pattern() *regexp.Regexp {
	var parts []string
	for _, part := range placeholder.Split(e.text, -1) {
		parts = append(parts, regexp.QuoteMeta(part))
	}
	return regexp.MustCompile("^" + e.severity + ": (?:.+: )?" + strings.Join(parts, ".*") + "$")
}

var assertion = regexp.MustCompile(`^stderr '\^?((?:error|warning|info): .*)'$`)

var inProfile = regexp.MustCompile(`spec\.profiles\.[^.:]+\.`)

// Every line that the golden cases and the scripts expect on stderr is on the page.
func TestWhatIsPrintedHasItsEntry(t *testing.T) {
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	found := entries(t, string(text))
	printed := 0
	check := func(where, text string) {
		for line := range strings.SplitSeq(text, "\n") {
			if quoted := assertion.FindStringSubmatch(line); quoted != nil {
				whole, ok := strings.CutSuffix(quoted[1], "$")
				require.True(t, ok, "%s has part of a message; write all of it: %s", where, line)
				line = regexp.MustCompile(`\\(.)`).ReplaceAllString(strings.ReplaceAll(whole, "''", "'"), "$1")
			}
			if !severity.MatchString(line) {
				continue
			}
			printed++
			inSpec := inProfile.ReplaceAllString(line, "spec.") // what is wrong in a profile is wrong in spec, too
			if !slices.ContainsFunc(found, func(e entry) bool { return e.pattern().MatchString(line) || e.pattern().MatchString(inSpec) }) {
				t.Errorf("%s: %s has no entry for: %s", where, page, line)
			}
		}
	}
	for _, c := range testkit.Cases(t) {
		check(c.Family+"/"+c.Name, c.Stderr)
	}
	scripts, err := filepath.Glob(filepath.Join(testkit.Root(t), "test", "script", "testdata", "*.txtar"))
	require.NoError(t, err)
	for _, script := range scripts {
		text, err := os.ReadFile(script)
		require.NoError(t, err)
		check(filepath.Base(script), string(text))
	}
	require.Greater(t, printed, 350, "most lines are not found")
}

// Changes to a page that is complete, and what is said of them.
func TestCompare(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "main.go", `package main

func main() {
	r.Errorf("must be an object, but is %s; give it fields", []string{"a plain value", "a list"}[0])
	hint := "did you mean " + name + "? "
	r.Warnf("is unknown here; %swrite one of %d%% or %s", hint, 80, names)
	panic("a bug that nobody reads about")
}
`, 0)
	require.NoError(t, err)
	var inSource []string
	for _, text := range source(file) {
		inSource = append(inSource, wording(text, verb)...)
	}
	const complete = "- `<field>: must be an object, but is a list; give it fields`\n- `must be an object, but is a plain value; give it fields`\n" +
		"- Warning: `<field>: is unknown here; did you mean <name>? write one of <number>% or <names>`\n  More words.\n"
	for _, tc := range []struct{ reason, old, fresh, missing, stale string }{
		{"A page that has them all is fine.", "", "", "", ""},
		{"A message needs an entry.", "is unknown here; ", "", "is unknown here", ""},
		{"A hint needs one, too.", "did you mean <name>? ", "", "did you mean", ""},
		{"The text is that of the message.", "give it fields", "give it a field", "give it fields", "a list; give it a field give it a field"},
		{"An entry that is a message and more is none.", "or <names>", "or <names> today and tomorrow", "", "today and tomorrow"},
		{"Explanations are no entries.", "is a plain value", "is <what it is>", "a plain value", ""},
	} {
		missing, stale := compare(inSource, entries(t, strings.ReplaceAll(complete, tc.old, tc.fresh)))
		assert.Equal(t, tc.missing, strings.Join(missing, " "), tc.reason)
		assert.Equal(t, tc.stale, strings.Join(stale, " "), tc.reason)
	}
	fresh, found := closest("give it fields of its own", []string{"is unknown", "give it the fields of its own"})
	assert.Equal(t, "give it the fields of its own true", fmt.Sprint(fresh, " ", found))
}
