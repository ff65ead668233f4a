package report_test

import (
	"testing"

	"github.com/GoogleContainerTools/kpt-functions-sdk/go/fn"
	"github.com/stretchr/testify/assert"

	"github.com/bizmatters/dragonfly-generator/internal/report"
)

func TestTerminal(t *testing.T) {
	result := &fn.Result{Severity: fn.Error, Message: "unknown size; write small; or medium", Field: &fn.Field{Path: "spec.size"}}
	for _, tc := range []struct {
		reason string
		result *fn.Result
		place  report.Place
		want   string
	}{{
		reason: "The place stands below what is wrong, and what to do below that.",
		result: result,
		place:  report.Place{File: "a.yaml", Line: 12, Before: "  size: ", Marked: "smal"},
		want:   "error: spec.size: unknown size\n   --> a.yaml:12\n   |\n12 |   size: smal\n   |         ^^^^\n   = write small\n   = or medium\n",
	}, {
		reason: "A line that must not be shown is not, and its number is.",
		result: result,
		place:  report.Place{File: "a.yaml", Line: 7},
		want:   "error: spec.size: unknown size\n  --> a.yaml:7\n  = write small\n  = or medium\n",
	}, {
		reason: "What is unknown is left out.",
		result: result,
		want:   "error: spec.size: unknown size\n  = write small\n  = or medium\n",
	}, {
		reason: "A semicolon in a quotation or in brackets separates nothing.",
		result: &fn.Result{Severity: fn.Warning, Message: "run `a; b` (c; d) \"e; f\"; then wait"},
		want:   "warning: run `a; b` (c; d) \"e; f\"\n  = then wait\n",
	}, {
		reason: "A file cannot colour the terminal.",
		result: &fn.Result{Severity: fn.Error, Message: "wrong"},
		place:  report.Place{File: "\x1b[31m", Line: 1, Before: "\u202e", Marked: "\x1b[2J", After: "\u2028"},
		want: "error: wrong\n  --> \\x1b[31m:1\n  |\n1 | \\u202e\\x1b[2J\\u2028\n" +
			"  |       ^^^^^^^\n",
	}} {
		find := func(*fn.Result) (report.Place, bool) { return tc.place, tc.place.File != "" }
		assert.Equal(t, tc.want, report.Terminal{Place: find}.LinesWithInfos(fn.Results{tc.result}), tc.reason)
		assert.NotContains(t, report.Terminal{Place: find}.LinesWithInfos(fn.Results{tc.result}), "\x1b", tc.reason)
	}
	assert.Equal(t, "\x1b[1;31merror\x1b[0m: \x1b[1mwrong\x1b[0m\n",
		report.Terminal{Color: true}.Lines(fn.Results{{Severity: fn.Error, Message: "wrong"}, {Severity: fn.Info, Message: "done"}}), "An info is for kpt.")
}
