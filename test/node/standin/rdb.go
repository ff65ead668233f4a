package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"strconv"
)

// Dragonfly's snapshots begin like Redis's: a magic string, then fields, each with a name and a value.
const (
	magic = "REDIS0009"
	aux   = 0xFA // before each field
	eof   = 0xFF // after the fields; in the stand-in's files its own payload follows
)

// A header is the part of the fields that the stand-in reads.
type header struct {
	id   string // snapshot-id, which says which files belong together
	used int64  // used-mem, in bytes
}

// write returns the start of a shard, or of the summary, with its creation time in seconds. The fields are those that a
// real v1.40.1 writes, except for the summary's table-mem.
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
func encodeText(text string) []byte {
	return append([]byte{byte(len(text))}, text...) //nolint:gosec // less than 64
}

// The markers in place of a short string's length if an integer of 8, 16 or 32 bits follows.
const int8Follows, int16Follows, int32Follows = 0xC0, 0xC1, 0xC2

// encodeNumber writes a signed integer in as few bytes as possible. An integer of more than 32 bits is written as text.
func encodeNumber(n int64) []byte {
	var data []byte
	switch {
	case n >= math.MinInt8 && n <= math.MaxInt8:
		data, _ = binary.Append([]byte{int8Follows}, binary.LittleEndian, int8(n))
	case n >= math.MinInt16 && n <= math.MaxInt16:
		data, _ = binary.Append([]byte{int16Follows}, binary.LittleEndian, int16(n))
	case n >= math.MinInt32 && n <= math.MaxInt32:
		data, _ = binary.Append([]byte{int32Follows}, binary.LittleEndian, int32(n))
	default:
		data = encodeText(strconv.FormatInt(n, 10))
	}
	return data
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
		if name, rest, err = readValue(rest[1:]); err != nil {
			return h, nil, err
		}
		if value, rest, err = readValue(rest); err != nil {
			return h, nil, err
		}
		switch name {
		case "snapshot-id":
			h.id = value
		case "used-mem":
			h.used, _ = strconv.ParseInt(value, 10, 64) // Dragonfly loads files without a number too
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
	switch {
	case size == int8Follows:
		return readNumber[int8](data)
	case size == int16Follows:
		return readNumber[int16](data)
	case size == int32Follows:
		return readNumber[int32](data)
	case size >= 64 || size > len(data):
		return "", nil, errNoSnapshot
	}
	return string(data[:size]), data[size:], nil
}

func readNumber[N int8 | int16 | int32](data []byte) (value string, rest []byte, err error) {
	var n N
	size, err := binary.Decode(data, binary.LittleEndian, &n)
	if err != nil {
		return "", nil, errNoSnapshot
	}
	return strconv.FormatInt(int64(n), 10), data[size:], nil
}
