package faults_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestKill kills runs that create, change and remove instances, again and again until one completes: a few hundred
// times, or until our patience runs out.
func TestKill(t *testing.T) {
	t.Parallel()
	const claims, wanted = 8, 300
	dir := t.TempDir() // on a disk, if possible: the slower it is, the more kills hit something
	file, folder := filepath.Join(dir, "claims.yaml"), filepath.Join(dir, "out")
	writeClaims(t, file, claims, "")
	aFew := timeToWrite(t, file, dir) / 16
	random := newRandom()
	before := readDisk(t, folder)

	kills, midway, stage := 0, 0, 0
	for start := time.Now(); kills < wanted && time.Since(start) < patience*3/2; stage++ {
		n, rotation := claims, fmt.Sprint("r", stage)
		if stage%3 == 2 {
			n = 1 + stage%2 // the others are removed, and are back in the next stage
		}
		writeClaims(t, file, n, rotation)
		want := undisturbed(t, file)
		for through := false; !through; {
			cmd := command(t, "render", file, "--prune", "-o", folder)
			if random.IntN(8) == 0 {
				through = kill(t, cmd, time.Duration(random.Int64N(int64(50*time.Millisecond))))
			} else {
				through = killMidway(t, cmd, folder, time.Duration(random.Int64N(int64(aFew))))
			}
			now := readDisk(t, folder)
			requireBetween(t, before, now, want)
			if !through {
				kills++
				if now.leftovers > 0 || !maps.Equal(now.files, before.files) {
					midway++
				}
			}
			before = now
		}
		before = requireComplete(t, folder, want, file, "-o", folder)
	}
	t.Logf("%d kills in %d stages, %d of them left something half done", kills, stage, midway)
	require.Greater(t, midway, kills/4, "kills that are too early or too late test nothing")
}

// timeToWrite returns how long a run writes into a folder in dir.
func timeToWrite(t *testing.T, file, dir string) time.Duration {
	t.Helper()
	timed := func() time.Duration {
		start := time.Now()
		code, stderr := render(t, file, "-o", filepath.Join(dir, "timed"))
		require.Zero(t, code, stderr)
		return time.Since(start)
	}
	first := timed()
	return max(first-timed(), time.Millisecond)
}

// newRandom returns the same moments each time; how far a run has got by then varies anyway.
func newRandom() *rand.Rand { return rand.New(rand.NewPCG(1, 2)) }

// kill starts the program and kills it after a while. It reports whether the program completed first.
func kill(t *testing.T, cmd *exec.Cmd, after time.Duration) (through bool) {
	t.Helper()
	require.NoError(t, cmd.Start())
	timer := time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	return cmd.Wait() == nil
}

// killMidway kills the program a while after it has started to write.
func killMidway(t *testing.T, cmd *exec.Cmd, folder string, after time.Duration) (through bool) {
	t.Helper()
	before := times(folder)
	require.NoError(t, cmd.Start())
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	for {
		select {
		case err := <-done:
			return err == nil
		case <-time.After(20 * time.Microsecond):
		}
		if times(folder) != before {
			time.Sleep(after)
			_ = cmd.Process.Kill()
			return <-done == nil
		}
	}
}

// times returns when files were last created in or removed from the folder and its subfolders.
func times(folder string) string {
	var times strings.Builder
	entries, _ := os.ReadDir(folder) // which may not exist yet
	for _, entry := range entries {
		if info, err := entry.Info(); err == nil {
			fmt.Fprintln(&times, entry.Name(), info.ModTime())
		}
	}
	return times.String()
}
