package examples_test

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bizmatters/dragonfly-generator/examples"
	_ "github.com/bizmatters/dragonfly-generator/internal/cli" // imported so that go test does not reuse a result from before a change of the program
	"github.com/bizmatters/dragonfly-generator/internal/kustomize"
	"github.com/bizmatters/dragonfly-generator/internal/sametext"
)

var update = flag.Bool("update", false, "rewrite expected.yaml from what kustomize prints, for review with git diff")

func TestExamples(t *testing.T) {
	// The examples call the function by name, so it must be in PATH.
	bin := t.TempDir()
	build := exec.Command("go", "build", "-o", filepath.Join(bin, "dragonfly-generator"), "..")
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))

	folders := examples.Kustomizations(".")
	require.Greater(t, len(folders), 7)
	for _, dir := range folders {
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
	text, err := kustomize.Build(dir)
	require.NoError(t, err)
	return string(text)
}
