package prepare

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"math"
	"math/big"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
)

// auxiliary returns an auxiliary field with an encoded value.
func auxiliary(name, encoded string) string { return "\xFA" + encode(name) + encoded }

// encode encodes a short string.
func encode(text string) string { return string([]byte{byte(len(text))}) + text }

func header(fields ...string) string { return "REDIS0009" + strings.Join(fields, "") + "\xFE\x00data" }

func usedMem(text string) string { return auxiliary("used-mem", encode(text)) }

func id(text string) string { return auxiliary("snapshot-id", encode(text)) }

// file returns a file that was modified the given number of seconds ago.
func file(ago int, text string) *fstest.MapFile {
	return &fstest.MapFile{Data: []byte(text), ModTime: time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC).Add(-time.Duration(ago) * time.Second)}
}

// A snapshot written by a real Dragonfly v1.40.1.
func TestRealSnapshot(t *testing.T) {
	s, err := findSnapshot(os.DirFS("testdata"))
	require.NoError(t, err)
	assert.Equal(t, snapshot{name: "dump-summary.dfs", usedMemory: 290696}, s)
	for name, shards := range map[string]string{"dump-summary.dfs": "1", "dump-0000.dfs": ""} {
		text, err := os.ReadFile("testdata/" + name)
		require.NoError(t, err)
		f, found := parseFields(text)
		assert.True(t, found)
		assert.Equal(t, "e1b8fb0414ee0c0c9bf46c92fd7866c3", f[snapshotIDField], name)
		assert.Equal(t, "df-v1.40.1", f["df-ver"])
		assert.Equal(t, shards, f["shard-count"])
	}
}

func TestFindSnapshot(t *testing.T) {
	for _, tc := range []struct {
		reason string
		volume fstest.MapFS
		want   snapshot
		err    string
	}{
		{"An empty volume.", fstest.MapFS{}, snapshot{}, ""},
		{"Nothing that the server would load.", fstest.MapFS{
			"lost+found": {Mode: fs.ModeDir}, ".dragonfly-generator": file(0, "{}"), "dump-0000.dfs": file(0, header(usedMem("9"))), "my-dump.rdb": file(0, header(usedMem("9"))),
		}, snapshot{}, ""},
		{"The exact name comes first.", fstest.MapFS{
			"dump": file(99, header(usedMem("1"))), "dump-summary.dfs": file(0, header(usedMem("2"))),
		}, snapshot{"dump", 1}, ""},
		{"The newest comes next.", fstest.MapFS{
			"dump-2026-08-01T00:00:00-summary.dfs": file(9, header(usedMem("1"))), "dump-summary.dfs": file(2, header(usedMem("2"))), "dump.rdb": file(5, header(usedMem("3"))),
		}, snapshot{"dump-summary.dfs", 2}, ""},
		{"The newest may be in Redis' format.", fstest.MapFS{
			"dump-summary.dfs": file(5, header(usedMem("2"))), "dump-0000.dfs": file(5, header(usedMem("7"))), "dump.rdb": file(4, header(usedMem("3"))),
		}, snapshot{"dump.rdb", 3}, ""},
		{"If two have the same second, the last name counts.", fstest.MapFS{
			"dump-b-summary.dfs": file(5, header(usedMem("2"))), "dump-a-summary.dfs": file(5, header(usedMem("1"))),
		}, snapshot{"dump-b-summary.dfs", 2}, ""},
		{"The largest of the summary and its shards.", fstest.MapFS{
			"dump-summary.dfs": file(0, header(id("a"), usedMem("5"))), "dump-0000.dfs": file(0, header(id("a"), usedMem("4"))), "dump-0001.dfs": file(0, header(id("a"), usedMem("6"))),
		}, snapshot{"dump-summary.dfs", 6}, ""},
		{"A shard left over from when the instance had more threads does not count.", fstest.MapFS{
			"dump-summary.dfs": file(0, header(id("a"), usedMem("5"))), "dump-0000.dfs": file(0, header(id("a"), usedMem("6"))), "dump-0001.dfs": file(0, header(id("b"), usedMem("9"))),
		}, snapshot{"dump-summary.dfs", 6}, ""},
		{"A shard of another snapshot does not count.", fstest.MapFS{
			"dump-summary.dfs": file(0, header(usedMem("5"))), "dump-2026-0000.dfs": file(0, header(usedMem("9"))), "dump-00000.dfs": file(0, header(usedMem("9"))), "dump-0000.rdb": file(7, header(usedMem("9"))),
		}, snapshot{"dump-summary.dfs", 5}, ""},
		{"Older snapshots have no id.", fstest.MapFS{
			"dump-summary.dfs": file(0, header(usedMem("5"))), "dump-0000.dfs": file(0, header(usedMem("6"))),
		}, snapshot{"dump-summary.dfs", 6}, ""},
		{"The summary is corrupt.", fstest.MapFS{
			"dump-summary.dfs": file(0, "REDIS"), "dump-0000.dfs": file(0, header(usedMem("6"))),
		}, snapshot{"dump-summary.dfs", 0}, "dump-summary.dfs is not a snapshot"},
		{"The summary is empty.", fstest.MapFS{"dump-summary.dfs": file(0, "")}, snapshot{"dump-summary.dfs", 0}, "dump-summary.dfs is not a snapshot"},
		{"A shard is corrupt, and the others count.", fstest.MapFS{
			"dump-summary.dfs": file(0, header(usedMem("5"))), "dump-0000.dfs": file(0, "x"), "dump-0001.dfs": file(0, header(usedMem("6"))), "dump-0002.dfs": file(0, "y"),
		}, snapshot{"dump-summary.dfs", 6}, "dump-0000.dfs is not a snapshot"},
		{"The summary does not record its memory.", fstest.MapFS{
			"dump-summary.dfs": file(0, header(id("a"))), "dump-0000.dfs": file(0, header(id("a"), usedMem("6"))),
		}, snapshot{"dump-summary.dfs", 6}, "dump-summary.dfs does not record how much memory it needs"},
		{"It records something that is not a number.", fstest.MapFS{"dump-summary.dfs": file(0, header(usedMem("much")))}, snapshot{"dump-summary.dfs", 0}, "does not record how much memory it needs"},
		{"It records a negative number.", fstest.MapFS{"dump-summary.dfs": file(0, header(usedMem("-1")))}, snapshot{"dump-summary.dfs", 0}, "does not record how much memory it needs"},
		{"It records a number that does not fit in 64 bits.", fstest.MapFS{"dump-summary.dfs": file(0, header(usedMem("9223372036854775808")))}, snapshot{"dump-summary.dfs", 0}, "does not record how much memory it needs"},
		{"It is a folder.", fstest.MapFS{"dump.rdb": {Mode: fs.ModeDir}}, snapshot{"dump.rdb", 0}, "dump.rdb cannot be read: not a regular file"},
		{"It is a pipe.", fstest.MapFS{"dump.rdb": {Mode: fs.ModeNamedPipe}}, snapshot{"dump.rdb", 0}, "dump.rdb cannot be read: not a regular file"},
	} {
		got, err := findSnapshot(tc.volume)
		assert.Equal(t, tc.want, got, tc.reason)
		if tc.err == "" {
			require.NoError(t, err, tc.reason)
		} else {
			require.ErrorContains(t, err, tc.err, tc.reason)
		}
	}
}

// broken is a folder that cannot be read, or whose files cannot.
type broken struct {
	fs.FS
	files bool
}

func (b broken) ReadDir(name string) ([]fs.DirEntry, error) {
	if b.files {
		return fs.ReadDir(b.FS, name)
	}
	return nil, fs.ErrPermission
}

func (b broken) Open(name string) (fs.File, error) {
	file, err := b.FS.Open(name)
	return unreadable{file}, err
}

type unreadable struct{ fs.File }

func (unreadable) Read([]byte) (int, error) { return 0, errors.New("input/output error") }

func TestUnreadableSnapshot(t *testing.T) {
	volume := fstest.MapFS{"dump-summary.dfs": file(0, header(usedMem("5")))}
	_, err := findSnapshot(broken{volume, false})
	require.ErrorIs(t, err, fs.ErrPermission)
	s, err := findSnapshot(broken{volume, true})
	require.EqualError(t, err, "dump-summary.dfs cannot be read: input/output error")
	assert.Equal(t, snapshot{name: "dump-summary.dfs"}, s)

	folder := t.TempDir()
	require.NoError(t, os.Symlink("nowhere", folder+"/dump.rdb"))
	s, err = findSnapshot(os.DirFS(folder))
	require.NoError(t, err, "For the server, a broken link does not exist either.")
	assert.Zero(t, s)
}

func TestParseFields(t *testing.T) {
	little := func(opcode byte, n any) string {
		b, err := binary.Append([]byte{opcode}, binary.LittleEndian, n)
		require.NoError(t, err)
		return string(b)
	}
	for _, tc := range []struct {
		reason string
		header string
		want   fields // nil for not an RDB file
	}{
		{"A string.", header(auxiliary("a", encode("b"))), fields{"a": "b"}},
		{"Several fields.", header(auxiliary("a", encode("b")), auxiliary("", encode("")), usedMem("7")), fields{"a": "b", "": "", "used-mem": "7"}},
		{"8 bits, signed.", header(auxiliary("a", little(0xC0, int8(127))), auxiliary("b", little(0xC0, int8(-128)))), fields{"a": "127", "b": "-128"}},
		{"16 bits.", header(auxiliary("a", little(0xC1, int16(32767))), auxiliary("b", little(0xC1, int16(-2)))), fields{"a": "32767", "b": "-2"}},
		{"32 bits.", header(auxiliary("a", little(0xC2, int32(math.MaxInt32))), auxiliary("b", little(0xC2, int32(math.MinInt32)))), fields{"a": "2147483647", "b": "-2147483648"}},
		{"A string with a length of 14 bits.", header(auxiliary("a", "\x41\x02"+strings.Repeat("x", 258)), usedMem("7")), fields{"a": strings.Repeat("x", 258), "used-mem": "7"}},
		{"A string with a longer length ends the parsing.", header(usedMem("7"), auxiliary("lua", "\x80\x00\x00\x40\x00"+strings.Repeat("x", 16384))), fields{"used-mem": "7"}},
		{"A compressed string does too.", header(usedMem("7"), auxiliary("a", "\xC3\x01\x02x"), auxiliary("b", encode("c"))), fields{"used-mem": "7"}},
		{"The header ends within a value.", "REDIS0009" + usedMem("7") + "\xFA" + encode("lua") + "\x05abcd", fields{"used-mem": "7"}},
		{"It ends within a number.", "REDIS0009" + usedMem("7") + "\xFA" + encode("a") + "\xC2\x01\x02\x03", fields{"used-mem": "7"}},
		{"It ends within a length.", "REDIS0009" + usedMem("7") + "\xFA" + encode("a") + "\x41", fields{"used-mem": "7"}},
		{"It ends before a value.", "REDIS0009" + usedMem("7") + "\xFA" + encode("a"), fields{"used-mem": "7"}},
		{"It ends within a name.", "REDIS0009" + usedMem("7") + "\xFA\x05ab", fields{"used-mem": "7"}},
		{"It ends before a name.", "REDIS0009\xFA", fields{}},
		{"The last one counts.", header(usedMem("7"), usedMem("8")), fields{"used-mem": "8"}},
		{"No fields.", "REDIS0009", fields{}},
		{"Nothing.", "", nil},
		{"Too short.", "REDIS000", nil},
		{"Something else.", "REDIR0009" + usedMem("7"), nil},
	} {
		got, found := parseFields([]byte(tc.header))
		assert.Equal(t, tc.want, got, tc.reason)
		assert.Equal(t, tc.want != nil, found, tc.reason)
	}
}

// Whatever is on the volume, the memory is never negative, and maxmemory is never less than configured.
func FuzzSnapshot(f *testing.F) {
	for _, name := range []string{"dump-summary.dfs", "dump-0000.dfs"} {
		text, err := os.ReadFile("testdata/" + name)
		require.NoError(f, err)
		f.Add(text[:headerSize], text)
	}
	f.Add([]byte(header(id("a"), usedMem("5"))), []byte(header(id("a"), usedMem("9223372036854775807"))))
	f.Add([]byte("REDIS0009\xFA\x01a\xC2\x01"), []byte("REDIS0009\xFA\x7F\xFF"))
	f.Add([]byte{}, []byte("REDIS"))
	f.Fuzz(func(t *testing.T, summary, shard []byte) {
		s, _ := findSnapshot(fstest.MapFS{"dump-summary.dfs": {Data: summary}, "dump-0000.dfs": {Data: shard}})
		assert.Equal(t, "dump-summary.dfs", s.name)
		assert.GreaterOrEqual(t, s.usedMemory, int64(0))
		for _, limit := range []int64{0, 1 << 30, math.MaxInt64} {
			m := memory{maxMemory: 7 << 20, limit: limit}
			if now, err := m.fit(s.usedMemory); err == nil {
				assert.GreaterOrEqual(t, now, m.maxMemory)
			}
		}
	})
}

func TestFit(t *testing.T) {
	const mebi = 1 << 20
	for _, tc := range []struct {
		reason string
		memory memory
		used   int64
		want   int64 // 0 for too large
	}{
		{"No snapshot.", memory{700, 1000}, 0, 700},
		{"It fits.", memory{700, 1000}, 735, 700},
		{"It does not fit.", memory{700, 1000}, 736, 708}, // 736/1.05*1.01 = 707.96
		{"The largest that loads.", memory{700, 1000}, 850, 818},
		{"One more does not.", memory{700, 1000}, 851, 0},
		{"The limit is unknown.", memory{700, 0}, 10_500, 10_100},
		{"Measured.", memory{300_000_000, 512 * mebi}, 374_336_520, 360_076_082},
		{"A configured maxmemory above 85% of the limit is kept.", memory{900, 1000}, 945, 900},
		{"The largest numbers.", memory{math.MaxInt64, math.MaxInt64}, math.MaxInt64, math.MaxInt64},
		{"The largest that does not fit.", memory{700, 1000}, math.MaxInt64, 0},
	} {
		got, err := tc.memory.fit(tc.used)
		assert.Equal(t, tc.want, got, tc.reason)
		if tc.want == 0 {
			require.ErrorIs(t, err, errTooLarge, tc.reason)
		} else {
			require.NoError(t, err, tc.reason)
		}
	}
}

// The rounding agrees with arbitrary-precision arithmetic.
func TestFitExactly(t *testing.T) {
	ratio := func(n, over, under int64, up bool) int64 {
		q, rest := new(big.Int).QuoRem(new(big.Int).Mul(big.NewInt(n), big.NewInt(over)), big.NewInt(under), new(big.Int))
		if up && rest.Sign() > 0 {
			q.Add(q, big.NewInt(1))
		}
		return q.Int64()
	}
	for _, base := range []int64{0, 1 << 20, 751_619_276, 1 << 40, math.MaxInt64 - 2000} {
		for n := base; n < base+1000; n++ {
			raised, err := memory{}.fit(n + 1)
			require.NoError(t, err)
			require.Equal(t, ratio(n+1, 101, 105, true), raised)
			require.Equal(t, ratio(n, 85, 100, false), v1alpha1.Percent(n, 85))
			if fits := ratio(n, 105, 100, false); fits > n && fits < math.MaxInt64 {
				same, err := memory{maxMemory: n}.fit(fits)
				require.NoError(t, err)
				require.Equal(t, n, same)
				more, err := memory{maxMemory: n}.fit(fits + 1)
				require.NoError(t, err)
				require.Greater(t, more, n)
			}
		}
	}
}

func TestNeeded(t *testing.T) {
	assert.InDelta(t, 900/1.05/0.7, memory{maxMemory: 700, limit: 1000}.needed(900), 0.01, "At 70%, the limit leaves room for writes.")
	assert.InDelta(t, 100/0.85, memory{maxMemory: 95, limit: 100}.needed(100), 0.01, "The limit must also be enough to load.")
}

func TestQuantity(t *testing.T) {
	const gibi = 1 << 30
	for bytes, want := range map[float64]string{
		1: "1Mi", 1 << 20: "1Mi", 1<<20 + 1: "2Mi", gibi - 1: "1024Mi", gibi: "1Gi", gibi + 1: "1.1Gi", 2 * gibi: "2Gi", 2.31 * gibi: "2.4Gi", 1 << 50: "1048576Gi",
	} {
		assert.Equal(t, want, quantity(bytes))
	}
}
