//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The blocks that are files, and those with commands for a test to run.
var (
	fileBlock  = regexp.MustCompile("(?s)```yaml\n# (\\S+)\n(.*?)```")
	shellBlock = regexp.MustCompile("(?s)```sh\n(.*?)```")
)

// section returns the text below a heading, up to the next heading of the same level.
func section(t *testing.T, page, heading string) string {
	t.Helper()
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	_, found, ok := strings.Cut(string(text), "\n## "+heading+"\n")
	require.True(t, ok, "%s has no heading %q", page, heading)
	found, _, _ = strings.Cut(found, "\n## ")
	return found
}

// writeBlocks writes the files of a section.
func writeBlocks(t *testing.T, dir, section string) {
	t.Helper()
	found := fileBlock.FindAllStringSubmatch(section, -1)
	require.NotEmpty(t, found)
	for _, file := range found {
		writeTo(t, dir, map[string]string{file[1]: file[2]})
	}
}

// Everything in the README can be pasted: each way renders the instance, and needs no file that is not shown.
func TestReadme(t *testing.T) {
	const page = "../../README.md"
	dir := t.TempDir()
	run := func(heading string) string {
		return succeeds(t, dir, nil, "bash", "-euo", "pipefail", "-c", consoleBlock(t, page, heading))
	}
	kustomize := section(t, page, "In kustomize")
	writeBlocks(t, dir, kustomize)
	built := run("In kustomize")
	assert.Contains(t, built, "kind: StatefulSet\n")
	assert.NotContains(t, built, "kind: DragonflyInstance\n")

	// The platform's configuration replaces the function's file.
	writeBlocks(t, dir, section(t, page, "What a platform team sets once"))
	assert.Contains(t, run("In kustomize"), "storageClassName: standard\n")

	writeTo(t, dir, map[string]string{"kustomization.yaml": "resources: [claim.yaml]\n"})
	require.NoError(t, os.Remove(filepath.Join(dir, "dragonfly-generator.yaml")))
	assert.Equal(t, 2, strings.Count(run("With neither"), "kind: StatefulSet\n"), "one to stdout, and one after the pipe")
	assert.FileExists(t, filepath.Join(dir, "manifests/my-cache.my-namespace/statefulset.yaml"))

	dir = t.TempDir()
	writeBlocks(t, dir, kustomize)
	for _, name := range []string{"kustomization.yaml", "dragonfly-generator.yaml"} {
		require.NoError(t, os.Remove(filepath.Join(dir, name)))
	}
	writeBlocks(t, dir, section(t, page, "In kpt"))
	run("In kpt")
	assert.FileExists(t, filepath.Join(dir, "my-cache.my-namespace/statefulset.yaml"))
}

// The commands of docs/quickstart.md that need no cluster, in order, in an empty folder.
func TestQuickstart(t *testing.T) {
	dir := t.TempDir()
	for heading, files := range map[string][]string{
		"With kustomize": {"my-cache.yaml"},
		"With kpt":       {"package/my-cache.my-namespace/statefulset.yaml", "package/my-cache.my-namespace/rolebinding.yaml"},
		"With render":    {"manifests/my-cache.my-namespace/statefulset.yaml", "manifests/my-cache.my-namespace/secret-connection.yaml"},
	} {
		dir := filepath.Join(dir, strings.Fields(heading)[1])
		writeBlocks(t, dir, section(t, "../../docs/quickstart.md", "With kustomize"))
		text := section(t, "../../docs/quickstart.md", heading)
		for _, file := range fileBlock.FindAllStringSubmatch(text, -1) {
			writeTo(t, dir, map[string]string{file[1]: file[2]})
		}
		var script strings.Builder
		for _, block := range shellBlock.FindAllStringSubmatch(text, -1) {
			for line := range strings.Lines(block[1]) {
				if !strings.HasPrefix(line, "kubectl ") {
					script.WriteString(line)
				}
			}
		}
		require.NotEmpty(t, script.String())
		printed := succeeds(t, dir, nil, "bash", "-euo", "pipefail", "-c", script.String())
		for _, file := range files {
			assert.FileExists(t, filepath.Join(dir, file))
		}
		if heading == "With kustomize" {
			assert.Contains(t, text, "```text\n"+printed+"```", "the page must show what is printed")
		}
	}
}
