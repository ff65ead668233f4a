// Package testkit contains what the tests share: the golden cases, runs of the program, and readable comparisons.
package testkit

import (
	"testing"

	"github.com/aymanbagabas/go-udiff"
	"github.com/stretchr/testify/assert"
)

// Same fails if the texts differ, and shows the differences below the reason why there must be none.
func Same(t testing.TB, want, got, reason string) bool {
	t.Helper()
	if want == got {
		return true
	}
	return assert.Fail(t, reason+"\n"+udiff.Unified("want", "got", want, got))
}
