package examples_test

import (
	"flag"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bizmatters/dragonfly-generator/examples"
	_ "github.com/bizmatters/dragonfly-generator/internal/cli" // imported so that go test reruns when the program changes
	"github.com/bizmatters/dragonfly-generator/internal/kustomize"
	"github.com/bizmatters/dragonfly-generator/internal/testkit"
)

var update = flag.Bool("update", false, "rewrite expected.yaml with kustomize's output, for review with git diff")

func TestMain(m *testing.M) { os.Exit(runTests(m)) }

// runTests puts the function into PATH, because the examples call it by name.
func runTests(m *testing.M) int {
	bin, err := os.MkdirTemp("", "dragonfly-generator")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(bin) }()
	out, err := exec.Command("go", "build", "-o", filepath.Join(bin, "dragonfly-generator"), "..").CombinedOutput()
	if err != nil {
		log.Printf("%v: %s", err, out)
		return 1
	}
	_ = os.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	return m.Run()
}

func TestExamples(t *testing.T) {
	folders := examples.Kustomizations(".")
	require.Greater(t, len(folders), 12)
	for _, dir := range folders {
		t.Run(dir, func(t *testing.T) {
			first := kustomizeBuild(t, dir)
			assert.True(t, first == kustomizeBuild(t, dir), "two builds must give the same bytes")
			testkit.SameFile(t, filepath.Join(dir, "expected.yaml"), first, *update)
		})
	}
}

// kustomizeBuild is `kustomize build --enable-alpha-plugins --enable-exec dir`. An example must not print warnings.
func kustomizeBuild(t *testing.T, dir string) string {
	t.Helper()
	messages, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	require.NoError(t, err)
	defer func(stderr *os.File) { os.Stderr = stderr }(os.Stderr)
	os.Stderr = messages // kustomize passes it to the function
	text, err := kustomize.Build(dir)
	require.NoError(t, messages.Close())
	printed, failed := os.ReadFile(messages.Name())
	require.NoError(t, failed)
	require.NoError(t, err, string(printed))
	assert.Empty(t, string(printed))
	return string(text)
}
