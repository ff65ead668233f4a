package docs_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/generator"
)

var yamlBlock = regexp.MustCompile("(?ms)^ *```yaml\n(.*?)^ *```$")

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
	pages, err := filepath.Glob("*.md")
	require.NoError(t, err)
	pages = append(pages, "../README.md")
	tried := 0
	for _, page := range pages {
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		for _, match := range yamlBlock.FindAllStringSubmatch(string(text), -1) {
			block := match[1]
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
