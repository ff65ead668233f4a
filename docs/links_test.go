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

var (
	fence   = regexp.MustCompile("(?ms)^ *```.*?^ *```")
	code    = regexp.MustCompile("``.+?``|`[^`]+`")
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	title   = regexp.MustCompile(`(?m)^#+ (.*)$`)
	unslugs = regexp.MustCompile(`[^\p{L}\p{N}\- _]`)
)

// anchors returns the fragments that GitHub generates from a page's headings.
func anchors(page string) map[string]bool {
	found := map[string]bool{}
	for _, heading := range title.FindAllStringSubmatch(fence.ReplaceAllString(page, ""), -1) {
		slug := strings.ReplaceAll(unslugs.ReplaceAllString(strings.ToLower(heading[1]), ""), " ", "-")
		found[slug] = true
	}
	return found
}

// Every link between the pages leads to a file and a heading that exist, and docs/README.md links to every page.
func TestLinks(t *testing.T) {
	root := testkit.Root(t)
	pages := map[string]string{}
	require.NoError(t, filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && (entry.Name() == "bin" || entry.Name() == "dist" || path != root && strings.HasPrefix(entry.Name(), ".")) {
			return filepath.SkipDir
		}
		if err != nil || filepath.Ext(path) != ".md" {
			return err
		}
		text, err := os.ReadFile(path)
		pages[path] = string(text)
		return err
	}))
	require.Greater(t, len(pages), 25)
	for page, text := range pages {
		for _, target := range link.FindAllStringSubmatch(code.ReplaceAllString(fence.ReplaceAllString(text, ""), ""), -1) {
			if strings.Contains(target[1], "://") {
				continue
			}
			name, anchor, _ := strings.Cut(target[1], "#")
			file := page
			if name != "" {
				file = filepath.Join(filepath.Dir(page), filepath.FromSlash(name))
			}
			if _, err := os.Stat(file); !assert.NoError(t, err, "%s links to %s", page, target[1]) || anchor == "" {
				continue
			}
			assert.True(t, anchors(pages[file])[anchor], "%s links to %s, which has no such heading", page, target[1])
		}
	}
	contents := pages[filepath.Join(root, "docs", "README.md")]
	for page := range pages {
		if filepath.Dir(page) == filepath.Join(root, "docs") && filepath.Base(page) != "README.md" {
			assert.Contains(t, contents, "]("+filepath.Base(page), "the table of contents must link to every page")
		}
	}
}
