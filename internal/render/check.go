package render

import (
	"fmt"
	"strings"

	"github.com/aymanbagabas/go-udiff"

	"github.com/bizmatters/dragonfly-generator/internal/report"
)

// check prints what would change.
func (f *folder) check(s Streams, changes []change, results *report.Results) bool {
	fmt.Fprint(s.Err, report.Lines(results.All()))
	if results.HasErrors() {
		return false
	}
	var diff strings.Builder
	for _, c := range changes {
		diff.WriteString(c.diff(f.path(c.file)))
	}
	if !report.Stdout(s.Out, s.Err, []byte(diff.String())) {
		return false
	}
	if len(changes) > 0 {
		fmt.Fprintf(s.Err, "error: %s is not up to date, and the diff shows what would change; run the same command without --check\n", f.name)
	}
	return len(changes) == 0
}

// diff returns the change as a unified diff.
func (c change) diff(name string) string {
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
