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

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// TestFullDisk runs out of space at every page of memory that the files take.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	disk, file := filepath.Join(dir, "disk"), filepath.Join(dir, "claims.yaml")
	folder := filepath.Join(disk, "out")
	require.NoError(t, os.Mkdir(disk, 0o755))
	writeClaims(t, file, 3, "")
	want := undisturbed(t, file)

	page := os.Getpagesize()
	t.Cleanup(func() { _ = syscall.Unmount(disk, syscall.MNT_DETACH) }) // if a demand was not met
	for pages := 1; pages <= 12; pages++ {
		size := fmt.Sprintf("size=%d", pages*page)
		err := syscall.Mount("tmpfs", disk, "tmpfs", 0, size)
		if errors.Is(err, syscall.EPERM) {
			t.Log("only root may mount a small disk; TestFileSizeLimit tests something like it")
			return
		}
		require.NoError(t, err)
		fill(t, disk, folder, file, want, pages)
		// A test beside this one may be starting a process, which has the open files of this one for a moment.
		require.NoError(t, syscall.Unmount(disk, syscall.MNT_DETACH))
	}
}

func fill(t *testing.T, disk, folder, file string, want disk, pages int) {
	t.Helper()
	code, stderr := render(t, file, "--prune", "-o", folder)
	before := look(t, folder)
	require.Equal(t, len(want.files), 12)
	if pages < len(want.files) {
		require.Equal(t, 1, code)
		require.Contains(t, stderr, "cannot be written: no space left on device; no file is half-written; fix this and run again")
		require.Less(t, len(before.files), len(want.files))
	}
	require.Zero(t, before.leftovers, "what is of no use takes no space")

	require.NoError(t, syscall.Mount("tmpfs", disk, "tmpfs", syscall.MS_REMOUNT, "size=1m"))
	now := requireComplete(t, folder, want, file, "-o", folder)
	for instance, s := range before.passwords {
		assert.True(t, s == now.passwords[instance], "the password of %s has changed", instance)
	}
}

// TestLinkOut puts a link that leads out of the folder in the place of an instance's folder, and back, all
// the time: whatever a run finds when it reads, checks and writes, nothing lands outside, and what it could
// not see it does not replace.
func TestLinkOut(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	file, folder, outside := filepath.Join(dir, "claims.yaml"), filepath.Join(dir, "out"), filepath.Join(dir, "outside")
	require.NoError(t, os.Mkdir(outside, 0o755))
	writeClaims(t, file, 2, "")
	code, stderr := render(t, file, "--prune", "-o", folder)
	require.Zero(t, code, stderr)
	before := look(t, folder)

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
	require.Empty(t, entries, "nothing may land outside")
	if info, err := os.Lstat(real); err == nil && info.Mode()&os.ModeSymlink != 0 {
		require.NoError(t, unix.Renameat2(unix.AT_FDCWD, real, unix.AT_FDCWD, link, unix.RENAME_EXCHANGE))
	}
	now := requireComplete(t, folder, undisturbed(t, file), file, "-o", folder)
	require.True(t, samePasswords(before.passwords, now.passwords), "the passwords must stay")
}
