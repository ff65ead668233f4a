package main

import (
	"bytes"
	"errors"
	"fmt"
	"log"
	"path"
	"slices"
	"strconv"
	"strings"
)

// A client is one connection that speaks RESP.
type client struct {
	server        *server
	authenticated bool
	resp3         bool // HELLO 3
	gone          bool // QUIT, SHUTDOWN
}

// whileLoading are the commands that work while the snapshot is loading.
var whileLoading = []string{"DBSIZE", "INFO", "QUIT", "SHUTDOWN"}

// answer runs a command, whose name is in upper case, and returns the reply.
func (c *client) answer(name string, args []string) []byte {
	s := c.server
	switch name {
	case "AUTH":
		return c.auth(args)
	case "HELLO":
		return c.hello(args)
	}
	if s.loading.Load() && !slices.Contains(whileLoading, name) {
		return failure("LOADING Dragonfly is loading the dataset in memory")
	}
	if !c.authenticated && name != "QUIT" {
		return failure("NOAUTH Authentication required.")
	}
	switch {
	case name == "PING" && len(args) == 0:
		return []byte("+PONG\r\n")
	case name == "PING" && len(args) == 1:
		return bulk(args[0])
	case name == "QUIT":
		c.gone = true
		return []byte("+OK\r\n")
	case name == "GET" && len(args) == 1:
		if value, ok := s.keys.get(args[0]); ok {
			return bulk(value)
		}
		return c.null()
	case name == "SET" && len(args) == 2:
		if s.full() {
			return outOfMemory()
		}
		s.keys.set(args[0], args[1])
		return []byte("+OK\r\n")
	case name == "DEL" && len(args) > 0:
		return integer(s.keys.del(args))
	case name == "DBSIZE" && len(args) == 0:
		keys, _ := s.keys.size()
		return integer(keys)
	case name == "DEBUG" && len(args) == 4 && strings.EqualFold(args[0], "POPULATE"):
		return c.populate(args[1], args[2], args[3])
	case name == "INFO" && len(args) <= 1:
		return c.info(args)
	case name == "ACL":
		return c.acl(args)
	case name == "CONFIG" && len(args) > 0:
		return c.config(strings.ToUpper(args[0]), args[1:])
	case name == "SAVE" && len(args) == 0:
		if err := s.save(); err != nil {
			return failure("ERR " + err.Error())
		}
		return []byte("+OK\r\n")
	case name == "STANDIN" && len(args) == 2 && strings.EqualFold(args[0], "USEDMEM"):
		// Dragonfly has no such command. There, it takes hours of filling and restarting to get a snapshot that is too
		// large for its own instance; a test needs one now.
		used, err := strconv.ParseInt(args[1], 10, 64)
		if err != nil {
			return failure("ERR value is not an integer or out of range")
		}
		s.usedMem.Store(used)
		return []byte("+OK\r\n")
	case name == "SHUTDOWN" && len(args) <= 1:
		s.discard.Store(len(args) == 1 && strings.EqualFold(args[0], "NOSAVE"))
		c.gone = true
		s.shutdown()
		return nil
	}
	return failure(fmt.Sprintf("ERR unknown command `%s` or wrong number of arguments; this is a stand-in for Dragonfly", name))
}

// populate sets a number of keys to values of a given size. The values share one string in memory, so that a test can
// fill an instance on a machine with less memory.
func (c *client) populate(count, prefix, size string) []byte {
	keys, err := strconv.ParseUint(count, 10, 30)
	length, err2 := strconv.ParseUint(size, 10, 30)
	if err := errors.Join(err, err2); err != nil {
		return failure("ERR value is not an integer or out of range")
	}
	if c.server.full() {
		return outOfMemory()
	}
	value := strings.Repeat("x", int(length))
	for i := range keys {
		c.server.keys.set(fmt.Sprintf("%s:%d", prefix, i), value)
	}
	return []byte("+OK\r\n")
}

func (c *client) info(sections []string) []byte {
	s := c.server
	keys, used := s.keys.size()
	info := map[string]string{
		"server":      "# Server\r\nserver:stand-in for Dragonfly\r\n",
		"memory":      fmt.Sprintf("# Memory\r\nused_memory:%d\r\nmaxmemory:%d\r\n", used, s.settings.number("maxmemory")),
		"replication": "# Replication\r\nrole:master\r\nconnected_slaves:0\r\n",
		"keyspace":    fmt.Sprintf("# Keyspace\r\ndb0:keys=%d,expires=0,avg_ttl=-1\r\n", keys),
	}
	if len(sections) == 0 {
		return bulk(info["server"] + "\r\n" + info["memory"] + "\r\n" + info["replication"] + "\r\n" + info["keyspace"])
	}
	return bulk(info[strings.ToLower(sections[0])])
}

func (c *client) config(subcommand string, args []string) []byte {
	settings := c.server.settings
	switch {
	case subcommand == "GET" && len(args) == 1:
		var found []string
		for name := range flags {
			if matches, err := path.Match(args[0], name); err == nil && matches {
				found = append(found, name)
			}
		}
		slices.Sort(found)
		var pairs [][]byte
		for _, name := range found {
			pairs = append(pairs, bulk(name), bulk(settings.value(name)))
		}
		return c.table(pairs...)
	case subcommand == "SET" && len(args) == 2:
		return c.configure(strings.ToLower(args[0]), args[1])
	}
	return failure("ERR unknown subcommand or wrong number of arguments for CONFIG")
}

// configure is the command CONFIG SET.
func (c *client) configure(name, value string) []byte {
	if err := c.server.settings.set(name, value); err != nil {
		return failure(err.Error())
	}
	switch name {
	case "requirepass":
		c.server.user.allow(value)
	case "tls":
		if err := c.server.readCertificate(); err != nil {
			log.Print(err)
			return failure(cannotBeSet(name).Error())
		}
	}
	return []byte("+OK\r\n")
}

// table makes a reply from names and values.
func (c *client) table(pairs ...[]byte) []byte {
	sigil, n := '*', len(pairs)
	if c.resp3 {
		sigil, n = '%', n/2
	}
	return append(fmt.Appendf(nil, "%c%d\r\n", sigil, n), bytes.Join(pairs, nil)...)
}

func (c *client) null() []byte {
	if c.resp3 {
		return []byte("_\r\n")
	}
	return []byte("$-1\r\n")
}

func bulk(value string) []byte { return fmt.Appendf(nil, "$%d\r\n%s\r\n", len(value), value) }

func integer(n int) []byte { return fmt.Appendf(nil, ":%d\r\n", n) }

func outOfMemory() []byte { return failure("ERR Out of memory") }

// failure makes an error reply, which is one line.
func failure(message string) []byte {
	return []byte("-" + strings.NewReplacer("\r", " ", "\n", " ").Replace(message) + "\r\n")
}
