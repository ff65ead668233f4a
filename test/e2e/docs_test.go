//go:build e2e

package e2e

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bizmatters/dragonfly-generator/internal/testkit"
)

// Everything in the README can be pasted: each way renders the instance, and needs no file that is not shown.
func TestReadme(t *testing.T) {
	page := testkit.ReadPage(t, "README.md")
	dir := t.TempDir()
	run := func(heading string) string {
		commands := page.Section(t, heading).Commands(t)
		require.NotEmpty(t, commands)
		return succeeds(t, dir, nil, "bash", "-euo", "pipefail", "-c", commands[0])
	}
	kustomize := page.Section(t, "In kustomize")
	kustomize.WriteFiles(t, dir)
	built := run("In kustomize")
	assert.Contains(t, built, "kind: StatefulSet\n")
	assert.NotContains(t, built, "kind: DragonflyInstance\n")

	// The platform's configuration replaces the function's file.
	page.Section(t, "What a platform team sets once").WriteFiles(t, dir)
	assert.Contains(t, run("In kustomize"), "storageClassName: standard\n")

	writeTo(t, dir, map[string]string{"kustomization.yaml": "resources: [claim.yaml]\n"})
	remove(t, dir, "dragonfly-generator.yaml")
	assert.Equal(t, 2, strings.Count(run("With neither"), "kind: StatefulSet\n"), "one to stdout, and one after the pipe")
	assert.FileExists(t, filepath.Join(dir, "manifests/my-cache.my-namespace/statefulset.yaml"))

	dir = t.TempDir()
	kustomize.WriteFiles(t, dir)
	for _, name := range []string{"kustomization.yaml", "dragonfly-generator.yaml"} {
		remove(t, dir, name)
	}
	page.Section(t, "In kpt").WriteFiles(t, dir)
	run("In kpt")
	assert.FileExists(t, filepath.Join(dir, "my-cache.my-namespace/statefulset.yaml"))
}

// The commands of docs/quickstart.md that need no cluster, in order, in an empty folder.
func TestQuickstart(t *testing.T) {
	page := testkit.ReadPage(t, "docs/quickstart.md")
	for heading, files := range map[string][]string{
		"With kustomize": {"my-cache.yaml"},
		"With kpt":       {"package/my-cache.my-namespace/statefulset.yaml", "package/my-cache.my-namespace/rolebinding.yaml"},
		"With render":    {"manifests/my-cache.my-namespace/statefulset.yaml", "manifests/my-cache.my-namespace/secret-connection.yaml"},
	} {
		dir, section := t.TempDir(), page.Section(t, heading)
		page.Section(t, "With kustomize").WriteFiles(t, dir)
		section.WriteFiles(t, dir)
		var script strings.Builder
		for _, block := range section.Blocks("sh") {
			for line := range strings.Lines(block) {
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
			assert.Equal(t, []string{printed}, section.Blocks("text"), "the page must show what is printed")
		}
	}
}
