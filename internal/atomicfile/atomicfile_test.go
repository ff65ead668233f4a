package atomicfile_test

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bizmatters/dragonfly-generator/internal/atomicfile"
)

func open(t *testing.T) (*os.Root, string) {
	t.Helper()
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, root.Close()) })
	return root, dir
}

func TestReplace(t *testing.T) {
	root, dir := open(t)
	require.NoError(t, atomicfile.Replace(root, "a.yaml", 0o600, strings.NewReader("one")))
	require.NoError(t, os.Chmod(filepath.Join(dir, "a.yaml"), 0o640))
	require.NoError(t, atomicfile.Replace(root, "a.yaml", 0o644, strings.NewReader("two")))

	text, err := os.ReadFile(filepath.Join(dir, "a.yaml"))
	require.NoError(t, err)
	assert.Equal(t, "two", string(text))
	info, err := os.Stat(filepath.Join(dir, "a.yaml"))
	require.NoError(t, err)
	assert.Equal(t, fs.FileMode(0o640), info.Mode().Perm(), "An existing file keeps its permissions.")
	require.NoError(t, atomicfile.Replace(root, "a.yaml", 0o600, strings.NewReader("a password")))
	info, err = os.Stat(filepath.Join(dir, "a.yaml"))
	require.NoError(t, err)
	assert.Equal(t, fs.FileMode(0o600), info.Mode().Perm(), "But only the owner's, if nobody else may read the new content.")
	assert.Equal(t, []string{"a.yaml"}, names(t, dir), "No temporary file is left behind.")
}

func TestReplaceFails(t *testing.T) {
	root, dir := open(t)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a.yaml"), []byte("one"), 0o600))

	broken := io.MultiReader(strings.NewReader("tw"), iotest.ErrReader(errors.New("gone")))
	require.ErrorContains(t, atomicfile.Replace(root, "a.yaml", 0o600, broken), "gone")
	text, err := os.ReadFile(filepath.Join(dir, "a.yaml"))
	require.NoError(t, err)
	assert.Equal(t, "one", string(text), "An incomplete write changes nothing.")

	require.NoError(t, os.Mkdir(filepath.Join(dir, "folder"), 0o700))
	require.Error(t, atomicfile.Replace(root, "folder", 0o600, strings.NewReader("one")))
	assert.Equal(t, []string{"a.yaml", "folder"}, names(t, dir), "No temporary file is left behind.")
}

func TestNothingOutside(t *testing.T) {
	root, dir := open(t)
	outside := t.TempDir()
	require.NoError(t, os.Symlink(outside, filepath.Join(dir, "out")))
	assert.Error(t, atomicfile.Replace(root, "out/a.yaml", 0o600, strings.NewReader("one")))
	assert.Error(t, atomicfile.Replace(root, "../a.yaml", 0o600, strings.NewReader("one")))
	assert.Empty(t, names(t, outside))
}

func TestIsTemporary(t *testing.T) {
	assert.True(t, atomicfile.IsTemporary(".dragonfly-generator-ABC.tmp"))
	assert.False(t, atomicfile.IsTemporary("dragonfly-generator.yaml"))
	assert.False(t, atomicfile.IsTemporary(".dragonfly-generator.yaml"))
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	names := []string{}
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}
