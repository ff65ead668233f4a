package docs_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bizmatters/dragonfly-generator/internal/testkit"
)

// Every test that SECURITY.md names as evidence exists.
func TestEvidence(t *testing.T) {
	page := testkit.ReadPage(t, "SECURITY.md")
	var tests strings.Builder
	require.NoError(t, filepath.WalkDir(testkit.Root(t), func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		tests.Write(text)
		return err
	}))
	named := regexp.MustCompile("`((?:Test|Fuzz)[A-Za-z]+)`").FindAllStringSubmatch(string(page), -1)
	require.Greater(t, len(named), 15)
	for _, name := range named {
		assert.Contains(t, tests.String(), "\nfunc "+name[1]+"(", "SECURITY.md names a test that does not exist")
	}
}
