package render

import (
	"fmt"
	"strings"

	"github.com/aymanbagabas/go-udiff"

	"github.com/bizmatters/dragonfly-generator/internal/report"
)

// check prints what would change, and the command that would change it.
func check(o Options, s Streams, changes []change, results *report.Results) bool {
	if results.HasErrors() {
		fmt.Fprint(s.Err, report.Lines(results.All()))
		return false
	}
	var diff strings.Builder
	for _, c := range changes {
		diff.WriteString(c.diff(o))
	}
	fmt.Fprint(s.Err, report.Lines(results.All()))
	if results.HasErrors() || !report.Stdout(s.Out, s.Err, []byte(diff.String())) {
		return false
	}
	if len(changes) == 0 {
		return true
	}
	fmt.Fprintf(s.Err, "error: %s is not up to date: %d %s would change; run `%s`\n",
		o.Folder, len(changes), plural("file", len(changes)), o.command())
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

// isSpecial reports whether a shell might give the character a special meaning.
func isSpecial(r rune) bool {
	return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./,:@%+=", r)
}

// diff returns the change as a unified diff.
func (c change) diff(o Options) string {
	name := (&folder{name: o.Folder}).path(c.file)
	from, to := name, name
	if c.before == nil {
		from = "/dev/null"
	}
	if c.after == nil {
		to = "/dev/null"
	}
	if c.nearSecret {
		return fmt.Sprintf("--- %s\n+++ %s\n(not shown, because a Secret in this file contains something that this program did not write)\n", from, to)
	}
	return udiff.Unified(from, to, string(c.before), string(c.after))
}
