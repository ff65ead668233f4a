// Package testkit contains what the tests share: the golden cases, runs of the program, the pages of the docs, kubectl, and
// readable comparisons.
package testkit

import (
	"os"
	"testing"

	"github.com/aymanbagabas/go-udiff"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Same fails if the texts differ, and shows the differences below the reason why there must be none.
func Same(t testing.TB, want, got, reason string) bool {
	t.Helper()
	if want == got {
		return true
	}
	return assert.Fail(t, reason+"\n"+udiff.Unified("want", "got", want, got))
}

// SameFile fails if the text differs from a file. With update, it writes the file instead.
func SameFile(t testing.TB, file, got string, update bool) {
	t.Helper()
	if update {
		require.NoError(t, os.WriteFile(file, []byte(got), 0o600))
	}
	want, err := os.ReadFile(file) //nolint:gosec // a file that a test names
	require.NoError(t, err)
	Same(t, string(want), got, file)
}
