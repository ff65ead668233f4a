package main

import (
	"bytes"
	"encoding/gob"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// A snapshot is two files, named as Dragonfly names those of one thread: the keys, and a summary that makes
// them count.
const shardEnding, summaryEnding = "-0000.dfs", "-summary.dfs"

// load returns the keys of the snapshot at path, or none if there is no snapshot.
func load(path string) (map[string]string, error) {
	keys := map[string]string{}
	if path == "" {
		return keys, nil
	}
	var count int
	err := read(path+summaryEnding, &count)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return keys, nil
	}
	if err == nil {
		err = read(path+shardEnding, &keys)
	}
	if err == nil && len(keys) != count {
		err = fmt.Errorf("%s%s has %d keys, but the summary says %d", path, shardEnding, len(keys), count)
	}
	if err != nil {
		return nil, fmt.Errorf("snapshot not loaded: %w", err)
	}
	return keys, nil
}

// store writes the snapshot at path; each of its files is replaced whole or not at all.
func store(path string, keys map[string]string) error {
	if path == "" {
		return nil
	}
	if err := replace(path+shardEnding, keys); err != nil {
		return err
	}
	return replace(path+summaryEnding, len(keys))
}

func read(path string, value any) error {
	data, err := os.ReadFile(path) //nolint:gosec // a path from the command line
	if err != nil {
		return err
	}
	return gob.NewDecoder(bytes.NewReader(data)).Decode(value) //nolint:gosec // a snapshot of our own
}

func replace(path string, value any) error {
	var data bytes.Buffer
	if err := gob.NewEncoder(&data).Encode(value); err != nil {
		return err
	}
	if err := os.WriteFile(path+".part", data.Bytes(), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".part", path)
}
