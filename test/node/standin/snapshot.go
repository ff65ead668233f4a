package main

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"encoding/gob"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// A snapshot with one thread consists of two files: a summary, by which it is found, and one shard with the keys.
const shardEnding, summaryEnding = "-0000.dfs", "-summary.dfs"

// timestamp in --dbfilename stands for the snapshot's time.
const timestamp = "{timestamp}"

// find returns the path of the snapshot to load, or "" if there is none. Like v1.40.1, it prefers a file with exactly
// that name, which then is not a snapshot, to the newest snapshot whose name starts with it.
func find(dir, name string) (string, error) {
	if name == "" {
		return "", nil
	}
	path := filepath.Join(dir, name)
	switch _, err := os.Stat(path); { //nolint:gosec // a path from the command line
	case err == nil:
		return path, nil
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
	default:
		return "", exitError{aborted, err} // Dragonfly does not catch the exception for a folder that it cannot search
	}
	pattern := strings.ReplaceAll(path, timestamp, "*")
	if filepath.Ext(pattern) == "" {
		pattern += "*"
	}
	paths, err := filepath.Glob(pattern)
	if err != nil {
		return "", err
	}
	var newest string
	var modified time.Time
	for _, path := range paths {
		info, err := os.Stat(path) //nolint:gosec // a path from the command line
		if err == nil && (strings.HasSuffix(path, ".rdb") || strings.HasSuffix(path, "summary.dfs")) && !info.ModTime().Before(modified) {
			newest, modified = path, info.ModTime()
		}
	}
	return newest, nil
}

// expand returns the files of the snapshot at a path, the summary first.
func expand(path string) ([]string, error) {
	if strings.HasSuffix(path, ".rdb") {
		return []string{path}, nil
	}
	if !strings.HasSuffix(path, "summary.dfs") {
		return nil, fmt.Errorf("bad filename extension: %s", path)
	}
	shards, err := filepath.Glob(strings.ReplaceAll(path, "summary", "????"))
	if err == nil && len(shards) == 0 {
		err = fs.ErrNotExist
	}
	if err != nil {
		return nil, fmt.Errorf("shards of %s: %w", path, err)
	}
	return append([]string{path}, shards...), nil
}

// load adds the keys of the snapshot at a path, unless that says it needs more memory than Dragonfly grants, which is
// 5% above the limit.
func (k *keyspace) load(path string, maxmemory int64) error {
	files, err := expand(path)
	if err != nil {
		return err
	}
	var id string
	for i, file := range files {
		data, err := os.ReadFile(file) //nolint:gosec // a path from the command line
		if err != nil {
			return err
		}
		h, payload, err := readHeader(data)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		if i == 0 {
			id = h.id
		} else if h.id != id {
			log.Printf("%s belongs to another snapshot", file) // an instance with more threads left it behind
			continue
		}
		if maxmemory > 0 && float64(h.used) > 1.05*float64(maxmemory) {
			log.Printf("Could not load snapshot - its used memory is %d but the limit is %d", h.used, maxmemory)
			return fmt.Errorf("%s: out of memory", file)
		}
		if err := k.read(payload); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	return nil
}

// A payload lists the keys for each value. Each value appears once, so that the values set by DEBUG POPULATE stay small
// in the file, and in memory after loading.
type payload map[string][]string

func (k *keyspace) read(data []byte) error {
	if len(data) == 0 || data[0] != eof {
		return errNoSnapshot
	}
	var values payload
	if err := gob.NewDecoder(bytes.NewReader(data[1:])).Decode(&values); err != nil {
		return err
	}
	for value, keys := range values {
		for _, key := range keys {
			k.set(key, value)
		}
	}
	return nil
}

// save writes a snapshot that claims to need the given bytes of memory, or as many as the keys use if used is 0. Each
// of its files is replaced completely or not at all.
func (k *keyspace) save(dir, name string, used int64) error {
	if name == "" {
		return errors.New("filename is not specified")
	}
	now := time.Now()
	path := filepath.Join(dir, strings.ReplaceAll(name, timestamp, now.Format("2006-01-02T15:04:05")))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	values := payload{}
	k.mu.Lock()
	for key, value := range k.values {
		values[value] = append(values[value], key)
	}
	h := header{id: newID(), used: cmp.Or(used, k.used)}
	k.mu.Unlock()
	if err := replace(path+shardEnding, h.write(false, now.Unix()), values); err != nil {
		return err
	}
	return replace(path+summaryEnding, h.write(true, now.Unix()), nil)
}

func newID() string {
	id := make([]byte, 16)
	_, _ = rand.Read(id) // never fails
	return hex.EncodeToString(id)
}

// replace writes a file with a header and a payload.
func replace(path string, header []byte, values payload) error {
	data := bytes.NewBuffer(append(slices.Clone(header), eof))
	if err := gob.NewEncoder(data).Encode(values); err != nil {
		return err
	}
	if err := os.WriteFile(path+".tmp", data.Bytes(), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".tmp", path)
}
