package prepare

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/prepare/handover"
	"github.com/bizmatters/dragonfly-generator/internal/report"
)

// Dragonfly refuses a snapshot whose used memory is more than 105% of maxmemory, and exits at every start. A full
// instance can get into this state by itself: while a snapshot loads, hash tables may split, and the next snapshot records
// up to 117% of maxmemory. So the server gets a maxmemory that its snapshot fits into.

// snapshot is the snapshot that the server will load. The zero value is for an empty volume.
type snapshot struct {
	name       string // of its first file
	usedMemory int64  // in bytes, as the server recorded it; 0 if unknown
}

// findSnapshot finds the snapshot that Dragonfly v1.40.1 loads from a volume, and how much memory it needs. If some of it
// cannot be read, it returns an error together with what could be read.
func findSnapshot(volume fs.FS) (snapshot, error) {
	name, err := findFirstFile(volume)
	if name == "" || err != nil {
		return snapshot{}, err
	}
	s := snapshot{name: name}
	fields, err := readFields(volume, name)
	if err != nil {
		return s, err
	}
	s.usedMemory, err = fields.usedMemory(name)
	for _, shard := range findShards(volume, name) {
		inShard, problem := readFields(volume, shard)
		if problem == nil {
			if inShard[snapshotIDField] != fields[snapshotIDField] {
				continue // left over from when the instance had more threads
			}
			var used int64
			used, problem = inShard.usedMemory(shard)
			s.usedMemory = max(s.usedMemory, used)
		}
		if err == nil {
			err = problem
		}
	}
	return s, err
}

// findFirstFile returns the name of the file that Dragonfly loads first: the one named exactly --dbfilename or else the
// newest whose name starts with it. Dragonfly compares whole seconds and breaks ties by taking the last name.
func findFirstFile(volume fs.FS) (string, error) {
	if _, err := fs.Stat(volume, handover.DBFileName); err == nil {
		return handover.DBFileName, nil
	}
	entries, err := fs.ReadDir(volume, ".")
	if err != nil {
		return "", err
	}
	var newest string
	var modified time.Time
	for _, entry := range entries { // sorted by name
		name := entry.Name()
		if !strings.HasPrefix(name, handover.DBFileName) || !strings.HasSuffix(name, summarySuffix) && !strings.HasSuffix(name, ".rdb") {
			continue
		}
		info, err := fs.Stat(volume, name)
		if err != nil {
			continue // deleted since, or a broken link
		}
		if second := info.ModTime().Truncate(time.Second); newest == "" || !second.Before(modified) {
			newest, modified = name, second
		}
	}
	return newest, nil
}

// A snapshot in Dragonfly's own format has a summary and a file for each thread: dump-summary.dfs, dump-0000.dfs.
const summarySuffix = "summary.dfs"

// findShards returns the names of the files that belong to a summary.
func findShards(volume fs.FS, summary string) []string {
	prefix, found := strings.CutSuffix(summary, summarySuffix)
	if !found {
		return nil
	}
	entries, _ := fs.ReadDir(volume, ".") // it was readable a moment ago
	var shards []string
	for _, entry := range entries {
		if rest, found := strings.CutPrefix(entry.Name(), prefix); found && strings.HasSuffix(rest, ".dfs") && len(rest) == len("0000.dfs") {
			shards = append(shards, entry.Name())
		}
	}
	return shards
}

// headerSize is how much of a file is read, in bytes. The fields that matter are at the start.
const headerSize = 1 << 10

// The fields that matter.
const (
	usedMemoryField = "used-mem"
	snapshotIDField = "snapshot-id"
)

// fields are the auxiliary fields of a file.
type fields map[string]string

func (f fields) usedMemory(file string) (int64, error) {
	used, err := strconv.ParseInt(f[usedMemoryField], 10, 64)
	if err != nil || used < 0 {
		return 0, fmt.Errorf("%s does not record how much memory it needs", file)
	}
	return used, nil
}

// readFields reads the auxiliary fields of a file of a snapshot.
func readFields(volume fs.FS, name string) (fields, error) {
	info, err := fs.Stat(volume, name)
	if err == nil && !info.Mode().IsRegular() { // opening a pipe would block forever
		err = errors.New("not a regular file")
	}
	var file fs.File
	if err == nil {
		file, err = volume.Open(name)
	}
	if err != nil {
		return nil, fmt.Errorf("%s cannot be read: %w", name, report.Reason(err))
	}
	defer file.Close()
	header, err := io.ReadAll(io.LimitReader(file, headerSize))
	if err != nil {
		return nil, fmt.Errorf("%s cannot be read: %w", name, report.Reason(err))
	}
	f, found := parseFields(header)
	if !found {
		return nil, fmt.Errorf("%s is not a snapshot", name)
	}
	return f, nil
}

// magic starts an RDB file. The version follows, in four digits.
const magic = "REDIS"

// parseFields parses the auxiliary fields at the start of an RDB file, as far as they can be read. It reports whether the
// file is an RDB file at all.
func parseFields(header []byte) (fields, bool) {
	const versionSize = 4
	const auxiliary = 0xFA // the opcode
	if len(header) < len(magic)+versionSize || string(header[:len(magic)]) != magic {
		return nil, false
	}
	f := fields{}
	for rest := header[len(magic)+versionSize:]; len(rest) > 0 && rest[0] == auxiliary; {
		name, after, ok := parseString(rest[1:])
		if !ok {
			break
		}
		value, after, ok := parseString(after)
		if !ok {
			break
		}
		f[name], rest = value, after
	}
	return f, true
}

// parseString parses a string of an RDB file and returns what follows it. The first two bits say how the string, or its
// length, is encoded. Long and compressed strings are not supported: the fields that matter are neither.
func parseString(b []byte) (text string, rest []byte, ok bool) {
	if len(b) == 0 {
		return "", nil, false
	}
	integer := func(size int, read func([]byte) int64) (string, []byte, bool) {
		if len(b) < 1+size {
			return "", nil, false
		}
		return strconv.FormatInt(read(b[1:1+size]), 10), b[1+size:], true
	}
	var length int
	switch first := b[0]; {
	case first == 0xC0:
		return integer(1, func(b []byte) int64 { return int64(int8(b[0])) }) //nolint:gosec // signed
	case first == 0xC1:
		return integer(2, func(b []byte) int64 { return int64(int16(binary.LittleEndian.Uint16(b))) }) //nolint:gosec // signed
	case first == 0xC2:
		return integer(4, func(b []byte) int64 { return int64(int32(binary.LittleEndian.Uint32(b))) }) //nolint:gosec // signed
	case first>>6 == 0:
		length, b = int(first), b[1:]
	case first>>6 == 1 && len(b) > 1:
		length, b = int(first&0x3F)<<8|int(b[1]), b[2:]
	default:
		return "", nil, false
	}
	if len(b) < length {
		return "", nil, false
	}
	return string(b[:length]), b[length:], true
}

// memory is the memory of a server, in bytes.
type memory struct {
	maxMemory int64 // configured
	limit     int64 // of the container; 0 if unknown
}

// errTooLarge reports a snapshot that does not fit in the container.
var errTooLarge = errors.New("the snapshot is too large")

// fit returns the maxmemory with which the server can load a snapshot: the configured one or, if Dragonfly would refuse
// the snapshot with that, 1% more than the minimum. If the snapshot needs more than handover.LoadablePercent
// of the limit, the error is errTooLarge.
func (m memory) fit(usedMemory int64) (int64, error) {
	switch {
	case usedMemory-m.maxMemory <= m.maxMemory/20:
		return m.maxMemory, nil
	case m.limit != 0 && usedMemory > v1alpha1.Percent(m.limit, handover.LoadablePercent):
		return 0, errTooLarge
	}
	// 1/1.05 and 1%, rounded up, in an order that does not overflow.
	return usedMemory/105*101 + (usedMemory%105*101+104)/105, nil
}

// needed returns the smallest memory limit, in bytes, with which a snapshot loads and leaves the instance below its
// maxmemory, provided that maxmemory remains the same share of the limit.
func (m memory) needed(usedMemory int64) float64 {
	toLoad := float64(usedMemory) / handover.LoadablePercent * 100
	toWrite := float64(usedMemory) / 1.05 * float64(m.limit) / float64(m.maxMemory)
	return max(toLoad, toWrite)
}

// quantity formats a number of bytes as a Kubernetes quantity, rounded up.
func quantity(bytes float64) string {
	const mebi, gibi = 1 << 20, 1 << 30
	if bytes < gibi {
		return strconv.FormatFloat(math.Ceil(bytes/mebi), 'f', -1, 64) + "Mi"
	}
	return strconv.FormatFloat(math.Ceil(bytes/gibi*10)/10, 'f', -1, 64) + "Gi"
}
