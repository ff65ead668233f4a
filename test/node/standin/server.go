package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
)

// A server holds the keys and answers clients.
type server struct {
	settings *settings
	shutdown context.CancelFunc
	tls      atomic.Pointer[tls.Config] // nil without TLS
	user     *user
	keys     *keyspace
	loading  atomic.Bool
	usedMem  atomic.Int64 // STANDIN USEDMEM: what snapshots say; 0 means what the keys use
	discard  atomic.Bool  // SHUTDOWN NOSAVE
}

func (s *server) serve(listener net.Listener) {
	for {
		connection, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			connection, usable := s.secure(connection)
			defer connection.Close()
			if !usable {
				return
			}
			input := bufio.NewReader(connection)
			if isHTTP(input) {
				s.serveHTTP(input, connection)
				return
			}
			s.serveRESP(input, connection)
		}()
	}
}

// isHTTP reports whether the first line starts an HTTP request. GET alone does not prove it: it is a command too, and
// commands may be plain lines.
func isHTTP(input *bufio.Reader) bool {
	for n := 1; n <= 4096; n++ {
		start, err := input.Peek(n)
		if err != nil || start[0] == '*' {
			return false
		}
		if start[n-1] == '\n' {
			return bytes.Contains(start, []byte(" HTTP/1."))
		}
	}
	return false
}

// serveHTTP answers one request, without a password.
func (s *server) serveHTTP(input *bufio.Reader, output io.Writer) {
	request, err := http.ReadRequest(input)
	if err != nil {
		return
	}
	response := http.Response{StatusCode: http.StatusOK, ProtoMajor: 1, ProtoMinor: 1, Request: request, Header: http.Header{}, Close: true}
	response.Header.Set("Content-Type", "text/plain")
	body := "OK\n"
	switch request.URL.Path {
	case "/healthz":
		if s.loading.Load() {
			response.StatusCode, body = http.StatusServiceUnavailable, "loading\n"
		}
	case "/metrics":
		keys, used := s.keys.size()
		body = fmt.Sprintf("# TYPE dragonfly_memory_used_bytes gauge\ndragonfly_memory_used_bytes %d\n"+
			"# TYPE dragonfly_memory_max_bytes gauge\ndragonfly_memory_max_bytes %d\n"+
			"# TYPE dragonfly_db_keys gauge\ndragonfly_db_keys{db=\"db0\"} %d\n", used, s.settings.number("maxmemory"), keys)
	default:
		response.StatusCode, body = http.StatusNotFound, ""
	}
	response.ContentLength = int64(len(body))
	response.Body = io.NopCloser(strings.NewReader(body))
	_ = response.Write(output)
}

// serveRESP answers commands until the client leaves.
func (s *server) serveRESP(input *bufio.Reader, output io.Writer) {
	// Whether this connection needs a password is decided now, even if the password changes later.
	client := client{server: s, authenticated: s.user.accepts("default", "")}
	for {
		command, err := readCommand(input)
		if err != nil {
			if !errors.Is(err, io.EOF) {
				fmt.Fprintf(output, "-ERR Protocol error\r\n")
			}
			return
		}
		if len(command) == 0 {
			continue
		}
		reply := client.answer(strings.ToUpper(command[0]), command[1:])
		if _, err := output.Write(reply); err != nil || client.gone {
			return
		}
	}
}

// limit is the maximum length of a string, in bytes, and of a command, in strings.
const limit = 1 << 20

// readCommand reads an array of bulk strings, or a plain line.
func readCommand(input *bufio.Reader) ([]string, error) {
	line, err := readLine(input)
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(line, "*") {
		return strings.Fields(line), nil
	}
	count, err := length(line, '*')
	if err != nil {
		return nil, err
	}
	var command []string
	for range count {
		line, err := readLine(input)
		if err != nil {
			return nil, err
		}
		size, err := length(line, '$')
		if err != nil {
			return nil, err
		}
		data := make([]byte, size+len("\r\n"))
		if _, err := io.ReadFull(input, data); err != nil {
			return nil, err
		}
		command = append(command, string(data[:size]))
	}
	return command, nil
}

func readLine(input *bufio.Reader) (string, error) {
	line, err := input.ReadSlice('\n')
	return strings.TrimRight(string(line), "\r\n"), err
}

func length(line string, sigil byte) (int, error) {
	if line == "" || line[0] != sigil {
		return 0, fmt.Errorf("wanted %q", sigil)
	}
	n, err := strconv.Atoi(line[1:])
	if err == nil && (n < 0 || n > limit) {
		err = errors.New("too long")
	}
	return n, err
}

// full reports whether writes are refused. Without maxmemory there is no limit; Dragonfly would determine one.
func (s *server) full() bool {
	_, used := s.keys.size()
	limit := s.settings.number("maxmemory")
	return limit > 0 && used > limit
}

// load loads the snapshot at a path, if there is one. Until that is done, clients get no data.
func (s *server) load(path string) error {
	if path == "" {
		log.Print("Load snapshot: No snapshot found")
	} else if err := s.keys.load(path, s.settings.number("maxmemory")); err != nil {
		return err
	}
	keys, _ := s.keys.size()
	log.Printf("Load finished, num keys read: %d", keys)
	s.loading.Store(false)
	return nil
}

func (s *server) save() error {
	return s.keys.save(s.settings.value("dir"), s.settings.value("dbfilename"), s.usedMem.Load())
}
