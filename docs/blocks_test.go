package docs_test

import (
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/generator"
	"github.com/bizmatters/dragonfly-generator/internal/testkit"
)

// pages returns all pages by their paths in the repository.
func pages(t *testing.T) map[string]testkit.Page {
	t.Helper()
	found := map[string]testkit.Page{}
	root := testkit.Root(t)
	require.NoError(t, filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && slices.Contains([]string{".git", "bin", "dist"}, entry.Name()) {
			return filepath.SkipDir
		}
		if err != nil || filepath.Ext(path) != ".md" {
			return err
		}
		path, err = filepath.Rel(root, path)
		found[filepath.ToSlash(path)] = testkit.ReadPage(t, path)
		return err
	}))
	require.Greater(t, len(found), 25)
	return found
}

// claim works with every configuration on the pages.
const claim = `
apiVersion: database.bizmatters.io/v1alpha1
kind: DragonflyInstance
metadata:
  name: my-cache
  namespace: my-namespace
`

const header = "apiVersion: database.bizmatters.io/v1alpha1\nkind: DragonflyGenerator\nmetadata:\n  name: platform\n"

// configurationIn returns the configuration in a YAML block, which may be a whole object, its spec, or fields of the
// spec. It returns "" if there is none.
func configurationIn(page, block string) string {
	switch {
	case strings.Contains(block, "kind: DragonflyGenerator"):
		return block
	case filepath.Base(page) != "configuration.md":
		return ""
	case strings.HasPrefix(block, "spec:\n"):
		return header + block
	case strings.HasPrefix(block, "  "):
		return header + "spec:\n" + block
	}
	return ""
}

// Whatever people paste is YAML, and the function accepts every configuration on the pages.
func TestBlocks(t *testing.T) {
	tried := 0
	for page, text := range pages(t) {
		for _, block := range text.Blocks("yaml") {
			if strings.Contains(block, "{{") || strings.Contains(block, "…") { // a kubectl template, or an excerpt
				continue
			}
			decoder := yaml.NewDecoder(strings.NewReader(block))
			for err := error(nil); !errors.Is(err, io.EOF); {
				var document yaml.Node
				if err = decoder.Decode(&document); !errors.Is(err, io.EOF) {
					require.NoError(t, err, "%s:\n%s", page, block)
				}
			}
			config := configurationIn(page, block)
			if config == "" {
				continue
			}
			tried++
			list := "apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nfunctionConfig:\n" + indented("  ", config) + "items:\n-" + indented("  ", claim)[1:]
			_, results := generator.Run([]byte(list))
			for _, result := range results {
				assert.NotEqual(t, "error", string(result.Severity), "%s: %s\n%s", page, result, config)
			}
		}
	}
	assert.Greater(t, tried, 12)
}

func indented(by, text string) string {
	var lines []string
	for line := range strings.SplitSeq(strings.TrimSpace(text), "\n") {
		lines = append(lines, by+line)
	}
	return strings.Join(lines, "\n") + "\n"
}
