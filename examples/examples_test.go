// Package examples holds directories that show the function at work. Its test runs them with the
// kustomize library; the end-to-end tests run them with the programs themselves.
package examples

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/bizmatters/dragonfly-generator/internal/sametext"
)

var update = flag.Bool("update", false, "rewrite expected.yaml from what kustomize prints, for review with git diff")

// seed is the one that the READMEs of the examples name.
const seed = "an example seed, not for production"

func TestExamples(t *testing.T) {
	// The examples call the function by its name, so it has to be in PATH.
	bin := t.TempDir()
	build := exec.Command("go", "build", "-o", filepath.Join(bin, "dragonfly-generator"), "..")
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	t.Setenv("DRAGONFLY_PASSWORD_SEED", seed)

	for _, dir := range []string{
		"agent-executor-cache", "overlays/dev", "overlays/prod", "generators/one-claim", "generators/folder",
	} {
		t.Run(dir, func(t *testing.T) {
			first := kustomizeBuild(t, dir)
			assert.True(t, first == kustomizeBuild(t, dir), "two builds must give the same bytes")

			file := filepath.Join(dir, "expected.yaml")
			if *update {
				require.NoError(t, os.WriteFile(file, []byte(first), 0o600))
			}
			want, err := os.ReadFile(file)
			require.NoError(t, err)
			sametext.Assert(t, string(want), first, file)
		})
	}
}

// kustomizeBuild is `kustomize build --enable-alpha-plugins --enable-exec dir`.
func kustomizeBuild(t *testing.T, dir string) string {
	t.Helper()
	options := krusty.MakeDefaultOptions()
	options.Reorder = krusty.ReorderOptionUnspecified
	options.PluginConfig = types.EnabledPluginConfig(types.BploUseStaticallyLinked)
	options.PluginConfig.FnpLoadingOptions.EnableExec = true
	resources, err := krusty.MakeKustomizer(options).Run(filesys.MakeFsOnDisk(), dir)
	require.NoError(t, err)
	text, err := resources.AsYaml()
	require.NoError(t, err)
	return string(text)
}
