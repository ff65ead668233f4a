package faults_test

import (
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// TestConcurrent starts several runs at once, over a folder that does not exist yet. If one notices another's change,
// it exits with an error, and the next run completes what is missing. Some have an invalid claim, and so remove the
// folder that they make.
func TestConcurrent(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	good, wrong := filepath.Join(dir, "claims.yaml"), filepath.Join(dir, "wrong.yaml")
	writeClaims(t, good, 4, "")
	writeClaims(t, wrong, 4, "", "size: tiny")
	want := undisturbed(t, good)

	start := time.Now()
	for round := 0; round < 12 && (round < 2 || time.Since(start) < patience); round++ {
		runs := []int{2, 8}[round%2]
		folder := filepath.Join(dir, fmt.Sprint("out", round))
		var all sync.WaitGroup
		for i := range runs {
			file := good
			if i%4 == 3 {
				file = wrong
			}
			cmd := command(t, "render", file, "--prune", "-o", folder)
			all.Go(func() {
				if code, stderr := run(t, cmd); file == wrong || code != 0 {
					assert.Equal(t, 1, code, stderr)
					assert.Contains(t, stderr, "error: ")
				}
			})
		}
		all.Wait()
		requireBetween(t, disk{}, readDisk(t, folder), want)
		requireComplete(t, folder, want, good, "-o", folder)
	}
}

// TestConcurrentKills kills some of the runs that write at the same time.
func TestConcurrentKills(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	file, folder := filepath.Join(dir, "claims.yaml"), filepath.Join(dir, "out")
	random := newRandom()
	before := readDisk(t, folder)
	start := time.Now()
	for round := 0; round < 12 && (round < 2 || time.Since(start) < patience); round++ {
		rotation := fmt.Sprint(round)
		writeClaims(t, file, 4, rotation)
		var all sync.WaitGroup
		for i := range 8 {
			cmd, after := command(t, "render", file, "--prune", "-o", folder), time.Duration(random.Int64N(int64(200*time.Millisecond)))
			if i%2 == 0 {
				all.Go(func() { kill(t, cmd, after) })
			} else {
				all.Go(func() { run(t, cmd) })
			}
		}
		all.Wait()
		want := undisturbed(t, file)
		requireBetween(t, before, readDisk(t, folder), want)
		before = requireComplete(t, folder, want, file, "-o", folder)
	}
}
