package explain_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bizmatters/dragonfly-generator/internal/config"
	"github.com/bizmatters/dragonfly-generator/internal/explain"
)

// Whatever a shell completes can be explained, and says something.
func TestEveryWordIsExplained(t *testing.T) {
	words := explain.Words()
	require.Greater(t, len(words), 50)
	for _, word := range words {
		if word == "profile" || word == "profiles" {
			continue // of a configuration
		}
		text, err := explain.Explain([]string{word}, explain.Platform{Platform: config.Platform{Config: config.Default()}})
		require.NoError(t, err, word)
		assert.Greater(t, len(strings.Fields(text)), 6, "%s: %s", word, text)
		for line := range strings.Lines(text) {
			if !strings.Contains(line, "pattern ") && !strings.Contains(line, "example ") {
				assert.LessOrEqual(t, len([]rune(line)), 101, "%s: %s", word, line)
			}
		}
	}
}
