package docs_test

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

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
func anchors(page testkit.Page) map[string]bool {
	found := map[string]bool{}
	for _, heading := range title.FindAllStringSubmatch(fence.ReplaceAllString(string(page), ""), -1) {
		slug := strings.ReplaceAll(unslugs.ReplaceAllString(strings.ToLower(heading[1]), ""), " ", "-")
		found[slug] = true
	}
	return found
}

// Every link between the pages leads to a file and a heading that exist, and docs/README.md links to every page.
func TestLinks(t *testing.T) {
	root, pages := testkit.Root(t), pages(t)
	for page, text := range pages {
		for _, target := range link.FindAllStringSubmatch(code.ReplaceAllString(fence.ReplaceAllString(string(text), ""), ""), -1) {
			if strings.Contains(target[1], "://") {
				continue
			}
			name, anchor, _ := strings.Cut(target[1], "#")
			file := page
			if name != "" {
				file = path.Join(path.Dir(page), name)
			}
			if _, err := os.Stat(filepath.Join(root, file)); !assert.NoError(t, err, "%s links to %s", page, target[1]) || anchor == "" {
				continue
			}
			assert.True(t, anchors(pages[file])[anchor], "%s links to %s, which has no such heading", page, target[1])
		}
	}
	contents := pages["docs/README.md"]
	for page := range pages {
		if path.Dir(page) == "docs" && page != "docs/README.md" {
			assert.Contains(t, contents, "]("+path.Base(page), "the table of contents must link to every page")
		}
	}
}
