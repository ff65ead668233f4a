package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strconv"
)

// Dragonfly's snapshots begin as Redis' do: a magic, then fields, each a name and a value.
const (
	magic = "REDIS0009"
	aux   = 0xFA // before each field
	eof   = 0xFF // after the fields; in the stand-in's files its own payload follows
)

// A header is what the stand-in reads of the fields.
type header struct {
	id   string // snapshot-id, which tells what files belong together
	used int64  // used-mem, in bytes
}

// write returns the start of a shard, or of the summary, made at a time in seconds. The fields are those that a
// real v1.40.1 writes, but for the summary's table-mem.
func (h header) write(summary bool, at int64) []byte {
	data := []byte(magic)
	field := func(name string, value []byte) {
		data = append(append(append(data, aux), encodeText(name)...), value...)
	}
	field("snapshot-id", encodeText(h.id))
	field("redis-ver", encodeText("6.2.11"))
	field("df-ver", encodeText("df-v1.40.1"))
	field("redis-bits", encodeNumber(64))
	field("ctime", encodeNumber(at))
	field("used-mem", encodeNumber(h.used))
	field("aof-preamble", encodeNumber(0))
	if summary {
		field("shard-count", encodeNumber(1))
	}
	field("shard-id", encodeNumber(0))
	return data
}

// encodeText writes a string of less than 64 bytes.
func encodeText(text string) []byte { return append([]byte{byte(len(text))}, text...) }

// What stands in the place of a short string's length where an integer of 8, 16 or 32 bits follows.
const int8Follows, int16Follows, int32Follows = 0xC0, 0xC1, 0xC2

// encodeNumber writes an integer in as few bytes as hold it and its sign. What needs more than 32 bits is text.
func encodeNumber(n int64) []byte {
	switch {
	case n == int64(int8(n)): //nolint:gosec // whether it fits
		return []byte{int8Follows, byte(n)}
	case n == int64(int16(n)): //nolint:gosec // whether it fits
		return binary.LittleEndian.AppendUint16([]byte{int16Follows}, uint16(n)) //nolint:gosec // the sign is a bit of it
	case n == int64(int32(n)): //nolint:gosec // whether it fits
		return binary.LittleEndian.AppendUint32([]byte{int32Follows}, uint32(n)) //nolint:gosec // the sign is a bit of it
	}
	return encodeText(strconv.FormatInt(n, 10))
}

var errNoSnapshot = errors.New("not a snapshot")

// readHeader returns the header of a file and what follows it.
func readHeader(data []byte) (h header, rest []byte, err error) {
	rest, found := bytes.CutPrefix(data, []byte(magic))
	if !found {
		return h, nil, errNoSnapshot
	}
	for len(rest) > 0 && rest[0] == aux {
		var name, value string
		name, rest, err = readValue(rest[1:])
		if err == nil {
			value, rest, err = readValue(rest)
		}
		switch name {
		case "snapshot-id":
			h.id = value
		case "used-mem":
			h.used, _ = strconv.ParseInt(value, 10, 64) // what is no number has no limit, for Dragonfly too
		}
		if err != nil {
			return h, nil, err
		}
	}
	return h, rest, nil
}

// readValue returns a short string, or an integer as text, and what follows it.
func readValue(data []byte) (value string, rest []byte, err error) {
	if len(data) == 0 {
		return "", nil, errNoSnapshot
	}
	size, data := int(data[0]), data[1:]
	var integer func([]byte) int64
	switch size {
	case int8Follows:
		size, integer = 1, func(b []byte) int64 { return int64(int8(b[0])) } //nolint:gosec // the sign is a bit of it
	case int16Follows:
		size, integer = 2, func(b []byte) int64 { return int64(int16(binary.LittleEndian.Uint16(b))) } //nolint:gosec // the same
	case int32Follows:
		size, integer = 4, func(b []byte) int64 { return int64(int32(binary.LittleEndian.Uint32(b))) } //nolint:gosec // the same
	default:
		if size >= 64 {
			return "", nil, errNoSnapshot
		}
	}
	if len(data) < size {
		return "", nil, errNoSnapshot
	}
	value, rest = string(data[:size]), data[size:]
	if integer != nil {
		value = strconv.FormatInt(integer(data), 10)
	}
	return value, rest, nil
}
