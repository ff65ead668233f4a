// Package testkit holds what the tests share: the golden cases, runs of the program, and readable comparisons.
package testkit

import (
	"testing"

	"github.com/aymanbagabas/go-udiff"
	"github.com/stretchr/testify/assert"
)

// Same fails when the texts differ, and shows how, below the reason why they must not.
func Same(t testing.TB, want, got, reason string) bool {
	t.Helper()
	if want == got {
		return true
	}
	return assert.Fail(t, reason+"\n"+udiff.Unified("want", "got", want, got))
}
