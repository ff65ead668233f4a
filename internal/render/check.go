package render

import (
	"fmt"
	"slices"
	"strings"

	"github.com/aymanbagabas/go-udiff"

	"github.com/bizmatters/dragonfly-generator/internal/report"
)

// check prints what would change, and the command that changes it. The values of Secrets are not shown.
func check(o Options, s Streams, in *inputs, changes []change, passwords int, results *report.Results) bool {
	if results.HasErrors() {
		fmt.Fprint(s.Err, s.lines(in, results.All()))
		return false
	}
	slices.SortFunc(changes, func(a, b change) int { return strings.Compare(a.file, b.file) }) // as people look for them
	var diff strings.Builder
	for _, c := range changes {
		text, err := c.diff(o)
		if err != nil {
			reportBug(err, results)
			break
		}
		diff.WriteString(text)
	}
	fmt.Fprint(s.Err, s.lines(in, results.All()))
	if results.HasErrors() || !report.Stdout(s.Out, s.Err, []byte(diff.String())) {
		return false
	}
	if len(changes) == 0 {
		return true
	}
	made := ""
	if passwords > 0 {
		made = fmt.Sprintf(" (it makes %d random %s, once)", passwords, plural("password", passwords))
	}
	fmt.Fprintf(s.Err, "error: %s is not up to date: %d %s would change; run `%s`%s\n",
		o.Folder, len(changes), plural("file", len(changes)), o.command(), made)
	return false
}

func plural(word string, n int) string {
	if n == 1 {
		return word
	}
	return word + "s"
}

// command returns the command that renders.
func (o Options) command() string {
	words := append([]string{"dragonfly-generator", "render"}, o.Paths...)
	if o.Config != "" {
		words = append(words, "--config", o.Config)
	}
	words = append(words, "-o", o.Folder)
	if o.Prune {
		words = append(words, "--prune")
	}
	for i, word := range words {
		if word == "" || strings.ContainsFunc(word, isSpecial) {
			words[i] = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
		}
	}
	return strings.Join(words, " ")
}

// isSpecial reports whether a shell might take the character for something else.
func isSpecial(r rune) bool {
	return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./,:@%+=", r)
}

// diff returns the change as a unified diff, "" where there is nothing to see.
func (c change) diff(o Options) (string, error) {
	before, after, err := redact(c.before, c.after)
	if err != nil {
		return "", err
	}
	name := (&folder{name: o.Folder}).path(c.file)
	from, to := name, name
	if c.before == nil {
		from = "/dev/null"
	}
	if c.after == nil {
		to = "/dev/null"
	}
	return udiff.Unified(from, to, before, after), nil
}
