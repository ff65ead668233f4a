// Package faults_test disrupts `render -o` while it writes: it is killed at random moments, and finds a full disk, a
// read-only folder, a link that leads out of it, or other runs at the same time.
//
// Whatever happens, each file is either as before or as it should become, and the next run completes what an
// undisturbed one would have made.
package faults_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bizmatters/dragonfly-generator/internal/atomicfile"
	"github.com/bizmatters/dragonfly-generator/internal/testkit"
)

// patience limits tests that could go on forever; on a busy machine, they do less in that time.
const patience = 10 * time.Second

func TestMain(m *testing.M) { testkit.Main(m) }

// command returns the program, ready to start.
func command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	return testkit.Command(t.Context(), t, nil, args...)
}

// render runs the program undisturbed and returns its exit code and its stderr.
func render(t *testing.T, args ...string) (exitCode int, stderr string) {
	t.Helper()
	return run(t, command(t, append([]string{"render"}, args...)...))
}

func run(t *testing.T, cmd *exec.Cmd) (exitCode int, stderr string) {
	t.Helper()
	var errOut bytes.Buffer
	cmd.Stderr = &errOut
	err := cmd.Run()
	var exit *exec.ExitError
	require.True(t, err == nil || errors.As(err, &exit), err)
	assert.NotContains(t, errOut.String(), "goroutine ", "no panic")
	return cmd.ProcessState.ExitCode(), errOut.String()
}

// writeClaims writes a file with claims named c0, c1 and so on, with the given rotation, and the given fields in their
// spec.
func writeClaims(t *testing.T, file string, n int, rotation string, spec ...string) {
	t.Helper()
	var claims strings.Builder
	for i := range n {
		fmt.Fprintf(&claims, "---\napiVersion: database.bizmatters.io/v1alpha1\nkind: DragonflyInstance\nmetadata:\n  name: c%d\n  namespace: ns\n", i)
		if rotation != "" {
			fmt.Fprintf(&claims, "  annotations: {database.bizmatters.io/password-rotation: %q}\n", rotation)
		}
		fmt.Fprintf(&claims, "spec: {%s}\n", strings.Join(spec, ", "))
	}
	require.NoError(t, os.WriteFile(file, []byte(claims.String()), 0o644))
}

// disk is the contents of a folder.
type disk struct {
	files     map[string]string // by path
	leftovers int               // temporary files
}

// readDisk reads the folder.
func readDisk(t *testing.T, folder string) disk {
	t.Helper()
	d := disk{files: map[string]string{}}
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // the folder does not exist yet
		}
		require.NoError(t, err)
		if entry.IsDir() {
			return nil
		}
		if atomicfile.IsTemporary(entry.Name()) {
			d.leftovers++
			return nil
		}
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		name, err := filepath.Rel(folder, path)
		require.NoError(t, err)
		d.files[name] = string(text)
		return nil
	})
	require.NoError(t, err)
	return d
}

// requireBetween requires each file to be as before, or as it should become, and nothing in between.
func requireBetween(t *testing.T, before, now, want disk) {
	t.Helper()
	all := maps.Clone(want.files)
	maps.Copy(all, before.files)
	maps.Copy(all, now.files)
	for name := range all {
		text, found := now.files[name]
		old, was := before.files[name]
		future, willBe := want.files[name]
		require.True(t, found == was && text == old || found == willBe && text == future, "%s is neither what it was nor what it should become:\n%s", name, text)
	}
}

// requireComplete renders undisturbed, and compares the result with one for which nothing ever went wrong.
func requireComplete(t *testing.T, folder string, want disk, args ...string) disk {
	t.Helper()
	code, stderr := render(t, args...)
	require.Zero(t, code, stderr)
	got := readDisk(t, folder)
	require.Zero(t, got.leftovers, "temporary files must be gone")
	require.Equal(t, want.files, got.files, "the next run must complete")
	require.NoError(t, filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		require.NoError(t, err)
		if entry.IsDir() {
			entries, err := os.ReadDir(path)
			require.NoError(t, err)
			require.NotEmpty(t, entries, "empty folders must be gone")
		}
		return nil
	}))

	code, stderr = render(t, args...)
	require.Zero(t, code)
	require.Empty(t, stderr, "one more run must have nothing to do")
	require.Equal(t, got.files, readDisk(t, folder).files)
	return got
}

// tempDir returns a folder in memory if possible. That makes no difference to a killed process, and writing hundreds of
// files to a disk takes a while.
func tempDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "faults")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { assert.NoError(t, os.RemoveAll(dir)) })
	return dir
}

// undisturbed returns what the claims become if nothing goes wrong.
func undisturbed(t *testing.T, claims string) disk {
	t.Helper()
	folder := filepath.Join(tempDir(t), "out")
	code, stderr := render(t, claims, "-o", folder)
	require.Zero(t, code, stderr)
	return readDisk(t, folder)
}
