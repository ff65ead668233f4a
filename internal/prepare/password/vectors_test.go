package password_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bizmatters/dragonfly-generator/internal/prepare/password"
	"k8s.io/apimachinery/pkg/types"
)

// The test vectors of docs/passwords.md are what people compute passwords by. A program in another
// language has made them, and they never change.
func TestDocumentedVectors(t *testing.T) {
	page, err := os.ReadFile("../../../docs/passwords.md")
	require.NoError(t, err)
	_, table, found := strings.Cut(string(page), "| seed | namespace | name | rotation | password |\n| --- | --- | --- | --- | --- |\n")
	require.True(t, found)
	rows := strings.Split(strings.TrimSpace(table), "\n")
	require.GreaterOrEqual(t, len(rows), 6)
	for _, row := range rows {
		cells := strings.Split(strings.Trim(row, "|"), "|")
		require.Len(t, cells, 5)
		for i := range cells {
			cells[i] = strings.Trim(cells[i], " `")
		}
		seed, err := password.ParseSeed(cells[0])
		require.NoError(t, err)
		id := types.NamespacedName{Namespace: cells[1], Name: cells[2]}
		assert.Equal(t, cells[4], password.Derive(seed, claimKind, id, cells[3]).Reveal(), "the vector of %s/%s, rotation %q", cells[1], cells[2], cells[3])
	}
}
