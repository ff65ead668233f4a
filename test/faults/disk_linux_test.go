package faults_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// TestFullDisk runs out of space at every page of memory that the files need.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	mount, file := filepath.Join(dir, "disk"), filepath.Join(dir, "claims.yaml")
	folder := filepath.Join(mount, "out")
	require.NoError(t, os.Mkdir(mount, 0o755))
	writeClaims(t, file, 3, "")
	want := undisturbed(t, file)

	page := os.Getpagesize()
	t.Cleanup(func() { _ = syscall.Unmount(mount, syscall.MNT_DETACH) }) // if an assertion failed
	completed := false
	for pages := 1; !completed; pages++ {
		size := fmt.Sprintf("size=%d", pages*page)
		err := syscall.Mount("tmpfs", mount, "tmpfs", 0, size)
		if errors.Is(err, syscall.EPERM) {
			t.Log("only root can mount a small disk; TestFileSizeLimit tests something similar")
			return
		}
		require.NoError(t, err)
		completed = fill(t, mount, folder, file, want)
		require.False(t, completed && pages < len(want.files), "%d pages cannot hold %d files", pages, len(want.files))
		// A parallel test may be starting a process, which briefly inherits this one's open files.
		require.NoError(t, syscall.Unmount(mount, syscall.MNT_DETACH))
	}
}

// fill renders onto a small disk, and again once it is large enough. It reports whether it was large enough at first.
func fill(t *testing.T, mount, folder, file string, want disk) (completed bool) {
	t.Helper()
	code, stderr := render(t, file, "--prune", "-o", folder)
	now := readDisk(t, folder)
	require.Zero(t, now.leftovers, "a useless partial write must not take up space")
	requireBetween(t, disk{}, now, want)
	if code != 0 {
		require.Equal(t, 1, code)
		require.Contains(t, stderr, "cannot be written: no space left on device; no file is half-written; fix this and run again")
		require.Less(t, len(now.files), len(want.files))
	}
	require.NoError(t, syscall.Mount("tmpfs", mount, "tmpfs", syscall.MS_REMOUNT, "size=1m"))
	requireComplete(t, folder, want, file, "-o", folder)
	return code == 0
}

// TestLinkOut keeps swapping an instance's folder with a link that leads outside: whatever a run finds when it reads,
// checks and writes, nothing ends up outside.
func TestLinkOut(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	file, folder, outside := filepath.Join(dir, "claims.yaml"), filepath.Join(dir, "out"), filepath.Join(dir, "outside")
	require.NoError(t, os.Mkdir(outside, 0o755))
	writeClaims(t, file, 2, "")
	code, stderr := render(t, file, "--prune", "-o", folder)
	require.Zero(t, code, stderr)

	real, link := filepath.Join(folder, "c0.ns"), filepath.Join(dir, "link")
	require.NoError(t, os.Symlink(outside, link))
	stop, exchanges := make(chan struct{}), 0
	var exchanging sync.WaitGroup
	exchanging.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				if unix.Renameat2(unix.AT_FDCWD, real, unix.AT_FDCWD, link, unix.RENAME_EXCHANGE) == nil {
					exchanges++
				}
			}
		}
	})
	refused := 0
	start := time.Now()
	for round := 0; round < 60 && (round < 10 || time.Since(start) < patience); round++ {
		writeClaims(t, file, 2, "", "size: "+[]string{"small", "medium"}[round%2])
		if code, _ := render(t, file, "--prune", "-o", folder); code != 0 {
			refused++
		}
	}
	close(stop)
	exchanging.Wait()
	require.Greater(t, exchanges, 60)
	require.Positive(t, refused)

	entries, err := os.ReadDir(outside)
	require.NoError(t, err)
	require.Empty(t, entries, "nothing may end up outside")
	if info, err := os.Lstat(real); err == nil && info.Mode()&os.ModeSymlink != 0 {
		require.NoError(t, unix.Renameat2(unix.AT_FDCWD, real, unix.AT_FDCWD, link, unix.RENAME_EXCHANGE))
	}
	requireComplete(t, folder, undisturbed(t, file), file, "-o", folder)
}
