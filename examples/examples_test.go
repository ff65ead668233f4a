package examples_test

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/bizmatters/dragonfly-generator/examples"
	_ "github.com/bizmatters/dragonfly-generator/internal/cli" // what is built below, so that go test takes no older result for this one
	"github.com/bizmatters/dragonfly-generator/internal/sametext"
)

var update = flag.Bool("update", false, "rewrite expected.yaml from what kustomize prints, for review with git diff")

func TestExamples(t *testing.T) {
	// The examples call the function by its name, so it has to be in PATH.
	bin := t.TempDir()
	build := exec.Command("go", "build", "-o", filepath.Join(bin, "dragonfly-generator"), "..")
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))

	folders := examples.Kustomizations(".")
	require.Greater(t, len(folders), 7)
	for _, dir := range folders {
		t.Run(dir, func(t *testing.T) {
			for _, variable := range examples.Env(dir) {
				name, value, _ := strings.Cut(variable, "=")
				t.Setenv(name, value)
			}
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
