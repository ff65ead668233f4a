package testkit

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// ModuleFolder downloads a Go module and returns its folder. The module is given as module@version, or without a version
// as required by the go.mod in the given folder.
func ModuleFolder(t testing.TB, folder, module string) string {
	t.Helper()
	download := exec.Command("go", "mod", "download", "-json", module) //nolint:gosec // a module that a test names
	download.Dir = folder
	out, err := download.Output()
	require.NoError(t, err, "%s", out)
	var downloaded struct{ Dir string }
	require.NoError(t, json.Unmarshal(out, &downloaded))
	return downloaded.Dir
}

// ModuleFile returns the text of a file in a Go module.
func ModuleFile(t testing.TB, folder, module, file string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(ModuleFolder(t, folder, module), file)) //nolint:gosec // a file that a test names
	require.NoError(t, err)
	return string(text)
}
