package main

import (
	"encoding/hex"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// keeping returns the flags for a snapshot in a folder.
func keeping(dir, name string) []string { return []string{"--dir=" + dir, "--dbfilename=" + name} }

// snapshotOf makes a snapshot of the data that the commands set.
func snapshotOf(t *testing.T, flags []string, commands ...string) {
	t.Helper()
	p := start(t, flags...)
	c := p.dial(t)
	for _, command := range append(commands, "SAVE") {
		require.Equal(t, "OK", c.do(command), command)
	}
	c.send("SHUTDOWN NOSAVE")
	require.Equal(t, 0, p.wait(t))
}

func TestSnapshot(t *testing.T) {
	dir := t.TempDir()
	kept := keeping(dir, "dump")

	p := start(t, kept...)
	c := p.dial(t)
	assert.Equal(t, "OK", c.do("SET a 1"))
	assert.Equal(t, "OK", c.do("SAVE"))
	assert.FileExists(t, filepath.Join(dir, "dump-summary.dfs"))
	c.do("SET b 2")
	assert.Equal(t, 0, p.terminate(t))

	p = start(t, kept...)
	c = p.dial(t)
	assert.Equal(t, "1", c.do("GET a"))
	assert.Equal(t, "2", c.do("GET b"), "changes after SAVE must be in the snapshot that termination writes")
	c.do("SET c 3")
	c.send("SHUTDOWN NOSAVE")
	assert.Equal(t, 0, p.wait(t))

	p = start(t, kept...)
	c = p.dial(t)
	assert.Equal(t, "2", c.do("DBSIZE"), "SHUTDOWN NOSAVE must not write one")
	c.send("SHUTDOWN")
	assert.Equal(t, 0, p.wait(t))
}

func TestSnapshotThatCannotBeWritten(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	p := start(t, keeping(file, "dump")...)
	c := p.dial(t)
	assert.Equal(t, "OK", c.do("SET a 1"))
	assert.Contains(t, c.do("SAVE"), "-ERR ")
	assert.Equal(t, 0, p.terminate(t), "the exit code does not show the failure")
	assert.Contains(t, p.log.String(), "Failed to perform snapshot")

	assert.Contains(t, start(t, "--dbfilename=").dial(t).do("SAVE"), "filename is not specified")
}

// The fields of a real pair from v1.40.1, which has the same format as the stand-in's.
func TestHeaderIsDragonflys(t *testing.T) {
	const fields = "524544495330303039fa0b736e617073686f742d69642065316238666230343134656530633063396266343663393266643738363663" +
		"33fa0972656469732d76657206362e322e3131fa0664662d7665720a64662d76312e34302e31fa0a72656469732d62697473c040fa056374" +
		"696d65c2b9670c6bfa08757365642d6d656dc2886f0400fa0c616f662d707265616d626c65c000"
	const at = 0x6b0c67b9
	h := header{id: "e1b8fb0414ee0c0c9bf46c92fd7866c3", used: 290696}
	assert.Equal(t, fields+"fa0873686172642d6964c000", hex.EncodeToString(h.write(false, at)), "a shard")
	assert.Equal(t, fields+"fa0b73686172642d636f756e74c001"+"fa0873686172642d6964c000", hex.EncodeToString(h.write(true, at)),
		"the summary, except for table-mem, which comes before shard-id")
}

func TestUsedMem(t *testing.T) {
	for used, value := range map[int64]string{
		0: "c000", 127: "c07f", 128: "c18000", 32767: "c1ff7f", 32768: "c200800000",
		2147483647: "c2ffffff7f", 2147483648: "0a" + hex.EncodeToString([]byte("2147483648")),
	} {
		data := append(header{id: "x", used: used}.write(false, 0), "rest"...)
		assert.Contains(t, hex.EncodeToString(data), hex.EncodeToString([]byte("used-mem"))+value)
		h, rest, err := readHeader(data)
		require.NoError(t, err)
		assert.Equal(t, header{id: "x", used: used}, h)
		assert.Equal(t, "rest", string(rest))
	}
	for _, text := range []string{"", "REDIS", "REDIS0009\xfa", "REDIS0009\xfa\x01", "REDIS0009\xfa\x01x\xc2abc", "REDIS0009\xfa\x80"} {
		_, _, err := readHeader([]byte(text))
		assert.ErrorIs(t, err, errNoSnapshot, "%q", text)
	}
}

func TestSnapshotsAreFoundByTime(t *testing.T) {
	dir := t.TempDir()
	snapshotOf(t, keeping(dir, "dump"), "SET from dump")
	snapshotOf(t, keeping(dir, "dump-2026-01-31T00:00:00"), "SET from january")
	snapshotOf(t, keeping(dir, "other"), "SET from other")
	from := func(name string) string { return start(t, keeping(dir, name)...).dial(t).do("GET from") }

	age := func(name string, hours time.Duration) {
		at := time.Now().Add(-hours * time.Hour)
		require.NoError(t, os.Chtimes(filepath.Join(dir, name+"-summary.dfs"), at, at))
	}
	age("dump-2026-01-31T00:00:00", 2)
	age("dump", 1)
	assert.Equal(t, "dump", from("dump"))
	age("dump", 3)
	assert.Equal(t, "january", from("dump"), "the name is not what counts")
	assert.Equal(t, "january", from("dump-{timestamp}"))
	assert.Equal(t, "(nil)", from("none"))

	require.NoError(t, os.WriteFile(filepath.Join(dir, "dump-none"), nil, 0o600))
	assert.Equal(t, "january", from("dump"), "a file with another extension")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "dump"), nil, 0o600))
	code, _ := exit(t, keeping(dir, "dump")...)
	assert.Equal(t, 1, code, "a file with exactly that name comes first, and is not a snapshot")
}

func TestSnapshotInOneFile(t *testing.T) {
	onlyStandin(t) // a real one's is Redis's RDB
	dir := t.TempDir()
	snapshotOf(t, keeping(dir, "dump"), "SET a 1")
	require.NoError(t, os.Rename(filepath.Join(dir, "dump-0000.dfs"), filepath.Join(dir, "dump.rdb")))
	require.NoError(t, os.Remove(filepath.Join(dir, "dump-summary.dfs")))
	assert.Equal(t, "1", start(t, keeping(dir, "dump")...).dial(t).do("GET a"))
}

func TestSnapshotNames(t *testing.T) {
	dir := t.TempDir()
	snapshotOf(t, keeping(dir, "dump-{timestamp}"), "SET a 1")
	for _, ending := range []string{"-0000.dfs", "-summary.dfs"} {
		names, err := filepath.Glob(filepath.Join(dir, "dump-20??-??-??T??:??:??"+ending))
		require.NoError(t, err)
		assert.Len(t, names, 1, ending)
	}
}

func TestSnapshotTooLarge(t *testing.T) {
	dir := t.TempDir()
	kept := keeping(dir, "dump")
	snapshotOf(t, append(kept, "--maxmemory=600000000"), "DEBUG POPULATE 290 fill 1000000", "SET a 1")

	code, log := exit(t, append(kept, "--maxmemory=268435456")...)
	assert.Equal(t, 1, code)
	assert.Regexp(t, `Could not load snapshot - its used memory is 29\d{7} but the limit is 268435456\n`, log)

	c := start(t, append(kept, "--maxmemory=285000000")...).dial(t)
	assert.Equal(t, "1", c.do("GET a"), "5% above the limit is granted")
	assert.Equal(t, "-ERR Out of memory", c.do("SET a 2"))
	for i := range 10 {
		assert.Equal(t, "1", c.do("DEL fill:"+strconv.Itoa(i)))
	}
	require.Eventually(t, func() bool { return c.do("SET a 2") == "OK" }, 10*time.Second, 10*time.Millisecond)
}

func TestSnapshotSaysMoreThanItNeeds(t *testing.T) {
	onlyStandin(t)
	const limit, granted = 1 << 28, 281857228 // 1.05 of it, rounded down
	for _, used := range []int64{granted, granted + 1, 5_000_000_000} {
		dir := t.TempDir()
		kept := keeping(dir, "dump")
		snapshotOf(t, kept, "SET a 1", fmt.Sprintf("STANDIN USEDMEM %d", used))
		kept = append(kept, fmt.Sprintf("--maxmemory=%d", limit))
		if used == granted {
			assert.Equal(t, "1", start(t, kept...).dial(t).do("GET a"))
			continue
		}
		code, log := exit(t, kept...)
		assert.Equal(t, 1, code)
		assert.Contains(t, log, fmt.Sprintf("Could not load snapshot - its used memory is %d but the limit is %d", used, limit))
	}
}

func TestSnapshotWithoutSummary(t *testing.T) {
	dir := t.TempDir()
	kept := keeping(dir, "dump")
	snapshotOf(t, kept, "SET a 1")
	require.NoError(t, os.Remove(filepath.Join(dir, "dump-summary.dfs")))
	p := start(t, kept...)
	assert.Equal(t, "0", p.dial(t).do("DBSIZE"))
	assert.Equal(t, 0, p.terminate(t))
	assert.Contains(t, p.log.String(), "No snapshot found")
	assert.FileExists(t, filepath.Join(dir, "dump-summary.dfs"), "the old snapshot is overwritten")
}

func TestShardOfAnotherSnapshot(t *testing.T) {
	dir := t.TempDir()
	snapshotOf(t, keeping(dir, "larger"), "SET b 2", "DEBUG POPULATE 290 fill 1000000")
	require.NoError(t, os.Rename(filepath.Join(dir, "larger-0000.dfs"), filepath.Join(dir, "dump-0001.dfs")))
	snapshotOf(t, keeping(dir, "dump"), "SET a 1")
	c := start(t, append(keeping(dir, "dump"), "--maxmemory=268435456")...).dial(t)
	assert.Equal(t, "1", c.do("GET a"))
	assert.Equal(t, "(nil)", c.do("GET b"), "a shard with another ID is skipped, however much memory it says it needs")
}

func TestSnapshotThatCannotBeRead(t *testing.T) {
	tests := []struct {
		reason string
		spoil  func(t *testing.T, dir string)
		code   int
	}{
		{"the shard cannot be read", func(t *testing.T, dir string) { folder(t, dir, "dump-0000.dfs") }, 1},
		{"the summary cannot be read", func(t *testing.T, dir string) { folder(t, dir, "dump-summary.dfs") }, 1},
		{"the shard is missing", func(t *testing.T, dir string) {
			require.NoError(t, os.Remove(filepath.Join(dir, "dump-0000.dfs")))
		}, 1},
		{"the shard is truncated", func(t *testing.T, dir string) {
			path := filepath.Join(dir, "dump-0000.dfs")
			info, err := os.Stat(path)
			require.NoError(t, err)
			require.NoError(t, os.Truncate(path, info.Size()/2))
		}, 1},
		{"the shard is something else", func(t *testing.T, dir string) {
			require.NoError(t, os.WriteFile(filepath.Join(dir, "dump-0000.dfs"), []byte("no snapshot"), 0o600))
		}, 1},
		// Root can search any folder, but cannot follow a link to itself.
		{"the folder cannot be searched", func(t *testing.T, dir string) {
			require.NoError(t, os.Symlink("dump", filepath.Join(dir, "dump")))
		}, 134},
	}
	for _, test := range tests {
		t.Run(test.reason, func(t *testing.T) {
			dir := t.TempDir()
			snapshotOf(t, keeping(dir, "dump"), "SET a 1")
			test.spoil(t, dir)
			code, _ := exit(t, keeping(dir, "dump")...)
			assert.Equal(t, test.code, code)
		})
	}
}

// folder replaces a file with a folder, which nobody can read as a file, not even root.
func folder(t *testing.T, dir, name string) {
	t.Helper()
	path := filepath.Join(dir, name)
	require.NoError(t, os.Remove(path))
	require.NoError(t, os.Mkdir(path, 0o700))
}

// The shard is a pipe, so loading takes until something is written to it.
func TestLoading(t *testing.T) {
	onlyStandin(t)
	dir := t.TempDir()
	kept := append(keeping(dir, "dump"), "--requirepass=x")
	p := start(t, kept...)
	c := p.dial(t)
	c.do("AUTH x")
	c.do("SET a 1")
	require.Equal(t, 0, p.terminate(t))
	shard, summary := filepath.Join(dir, "dump-0000.dfs"), filepath.Join(dir, "dump-summary.dfs")
	data, err := os.ReadFile(shard)
	require.NoError(t, err)
	before, err := os.ReadFile(summary)
	require.NoError(t, err)
	require.NoError(t, os.Remove(shard))
	require.NoError(t, exec.CommandContext(t.Context(), "mkfifo", shard).Run())

	load := func() *process {
		p := launch(t, kept...)
		p.eventually(t, func() bool { return p.get(t, "/healthz") == http.StatusServiceUnavailable })
		return p
	}
	p = load()
	c = p.dial(t)
	const loading = "-LOADING Dragonfly is loading the dataset in memory"
	assert.Equal(t, loading, c.do("PING"))
	assert.Equal(t, "OK", c.do("AUTH x"))
	assert.Equal(t, loading, c.do("GET a"))
	assert.Equal(t, 0, p.terminate(t))
	after, err := os.ReadFile(summary)
	require.NoError(t, err)
	assert.Equal(t, before, after, "a snapshot that is not loaded yet must not be overwritten")

	p = load()
	require.NoError(t, os.WriteFile(shard, data, 0o600))
	p.eventually(t, func() bool { return p.get(t, "/healthz") == http.StatusOK })
	c = p.dial(t)
	c.do("AUTH x")
	assert.Equal(t, "1", c.do("GET a"))
	c.send("SHUTDOWN NOSAVE")
	assert.Equal(t, 0, p.wait(t))
	assert.Contains(t, p.log.String(), "num keys read: 1")
}
