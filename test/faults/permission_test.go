//go:build unix

package faults_test

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestFileSizeLimit lets a run write only the first bytes of a file, as a quota does.
func TestFileSizeLimit(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, folder := filepath.Join(dir, "claims.yaml"), filepath.Join(dir, "out")
	writeClaims(t, file, 3, "")
	want := undisturbed(t, file)
	program := command(t, "render", file, "--prune", "-o", folder)

	// In units of 512 or 1024 bytes, depending on the shell: the other objects fit, the StatefulSets do not.
	cmd := exec.Command("sh", "-c", `ulimit -f 2; exec "$@"`, "sh")
	cmd.Args, cmd.Env = append(cmd.Args, program.Args...), program.Env
	require.Error(t, cmd.Run())
	before := readDisk(t, folder)
	require.NotEmpty(t, before.files)
	requireBetween(t, disk{}, before, want)
	for name := range before.files {
		assert.NotEqual(t, "statefulset.yaml", filepath.Base(name))
	}
	requireComplete(t, folder, want, file, "-o", folder)
}

// TestReadOnly removes write permission from the whole folder, or from one instance's folder.
func TestReadOnly(t *testing.T) {
	t.Parallel()
	dir, user := unprivileged(t)
	file, folder := filepath.Join(dir, "claims.yaml"), filepath.Join(dir, "out")
	start := func(args ...string) (int, string) {
		cmd := command(t, append([]string{"render", file, "--prune", "-o", folder}, args...)...)
		cmd.Path = filepath.Join(dir, "program")
		cmd.SysProcAttr = user
		return run(t, cmd)
	}
	writeClaims(t, file, 3, "")
	code, stderr := start()
	require.Zero(t, code, stderr)
	before := readDisk(t, folder)

	chmod(t, folder, 0o555)
	code, stderr = start()
	require.Zero(t, code, stderr, "a folder that is up to date need not be written")

	for _, readOnly := range []string{"c0.ns", "c1.ns", "c2.ns"} {
		writeClaims(t, file, 3, readOnly) // as a rotation does
		chmod(t, filepath.Join(folder, readOnly), 0o555)
		code, _ = start("--check")
		require.Equal(t, 1, code)
		require.Equal(t, before.files, readDisk(t, folder).files, "--check must write nothing")

		code, stderr = start()
		require.Equal(t, 1, code)
		require.Contains(t, stderr, filepath.Join(folder, readOnly, "statefulset.yaml")+" cannot be written: permission denied; no file is half-written")
		now := readDisk(t, folder)
		want := undisturbed(t, file)
		requireBetween(t, before, now, want)
		require.Equal(t, before.files[readOnly+"/statefulset.yaml"], now.files[readOnly+"/statefulset.yaml"])
		require.Zero(t, now.leftovers)

		chmod(t, filepath.Join(folder, readOnly), 0o755)
		code, stderr = start()
		require.Zero(t, code, stderr)
		before = readDisk(t, folder)
		require.Equal(t, want.files, before.files)
	}

	// A new instance has nowhere to go.
	writeClaims(t, file, 4, "c2.ns")
	code, stderr = start()
	require.Equal(t, 1, code)
	require.Contains(t, stderr, "cannot be written: permission denied")
	require.Equal(t, before.files, readDisk(t, folder).files)
}

func chmod(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	require.NoError(t, os.Chmod(path, mode))
}

// unprivileged returns a folder with the program in it and, if we are root, another user to run it as, because root can
// write everywhere.
func unprivileged(t *testing.T) (dir string, user *syscall.SysProcAttr) {
	t.Helper()
	dir, err := os.MkdirTemp("", "faults")
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, os.RemoveAll(dir)) })
	chmod(t, dir, 0o755)

	self, err := os.Executable()
	require.NoError(t, err)
	from, err := os.Open(self)
	require.NoError(t, err)
	defer from.Close()
	to, err := os.OpenFile(filepath.Join(dir, "program"), os.O_CREATE|os.O_WRONLY, 0o755)
	require.NoError(t, err)
	_, err = io.Copy(to, from)
	require.NoError(t, err)
	require.NoError(t, to.Close())

	if os.Getuid() != 0 {
		return dir, nil
	}
	const nobody = 65534
	require.NoError(t, os.Chown(dir, nobody, nobody))
	return dir, &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
}
