package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The tests run a program as the node does, and talk to it through its socket. With DRAGONFLY=PROGRAM, that is a real
// Dragonfly, which must pass the same tests as the stand-in; otherwise it is this test binary, as the stand-in.
func TestMain(m *testing.M) {
	if os.Getenv("STANDIN") != "" {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// onlyStandin skips a test of something that only the stand-in has.
func onlyStandin(t *testing.T) {
	t.Helper()
	if os.Getenv("DRAGONFLY") != "" {
		t.Skip("this is only about the stand-in")
	}
}

// command returns the program with arguments. It writes no snapshot unless they say so.
func command(t *testing.T, args []string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	program := os.Getenv("DRAGONFLY")
	if program == "" {
		var err error
		program, err = os.Executable()
		require.NoError(t, err)
	}
	args = append([]string{"--logtostderr", "--version_check=false", "--proactor_threads=1", "--dbfilename="}, args...)
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Env = append(os.Environ(), "STANDIN=1")
	var log bytes.Buffer
	cmd.Stderr = &log
	return cmd, &log
}

// exit runs the program, which must exit by itself, and returns its exit code and its log.
func exit(t *testing.T, args ...string) (int, string) {
	t.Helper()
	p := launch(t, args...)
	return p.wait(t), p.log.String()
}

// A process is the program while it runs.
type process struct {
	address string
	tls     bool
	log     *bytes.Buffer // to be read only after the process has ended
	command *exec.Cmd
	ended   chan struct{}
}

// launch runs the program on its own port.
func launch(t *testing.T, args ...string) *process {
	t.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	free.Close()
	_, port, err := net.SplitHostPort(free.Addr().String())
	require.NoError(t, err)
	p := &process{address: free.Addr().String(), ended: make(chan struct{})}
	for _, arg := range args {
		p.tls = p.tls || arg == "--tls=true"
	}
	p.command, p.log = command(t, append([]string{"--bind=127.0.0.1", "--port=" + port}, args...))
	require.NoError(t, p.command.Start())
	go func() {
		_ = p.command.Wait()
		close(p.ended)
	}()
	t.Cleanup(func() {
		_ = p.command.Process.Kill()
		<-p.ended
		if t.Failed() {
			t.Logf("%s\n%s", strings.Join(args, " "), p.log)
		}
	})
	return p
}

// start runs the program and waits until it is healthy.
func start(t *testing.T, args ...string) *process {
	t.Helper()
	p := launch(t, args...)
	p.eventually(t, func() bool { return p.get(t, "/healthz") == http.StatusOK })
	return p
}

// eventually waits until check is true.
func (p *process) eventually(t *testing.T, check func() bool) {
	t.Helper()
	require.Eventually(t, func() bool {
		select {
		case <-p.ended:
			t.Error("the program has exited")
			return true
		default:
			return check()
		}
	}, 30*time.Second, 10*time.Millisecond)
}

// terminate does what the kubelet does, and returns the exit code.
func (p *process) terminate(t *testing.T) int {
	t.Helper()
	require.NoError(t, p.command.Process.Signal(syscall.SIGTERM))
	return p.wait(t)
}

// wait returns the exit code as a container has it.
func (p *process) wait(t *testing.T) int {
	t.Helper()
	select {
	case <-p.ended:
	case <-time.After(30 * time.Second):
		t.Fatal("the program does not exit")
	}
	if status, ok := p.command.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return p.command.ProcessState.ExitCode()
}

// get returns the status of a page, or 0 if there is no answer.
func (p *process) get(t *testing.T, path string) int {
	t.Helper()
	transport := &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	scheme := "http"
	if p.tls {
		scheme = "https"
	}
	client := http.Client{Transport: transport, Timeout: 10 * time.Second}
	response, err := client.Get(scheme + "://" + p.address + path)
	if err != nil {
		return 0
	}
	response.Body.Close()
	return response.StatusCode
}

// dial connects.
func (p *process) dial(t *testing.T) *session {
	t.Helper()
	var connection net.Conn
	connection, err := net.Dial("tcp", p.address)
	require.NoError(t, err)
	t.Cleanup(func() { connection.Close() })
	require.NoError(t, connection.SetDeadline(time.Now().Add(30*time.Second)))
	if p.tls {
		secured := tls.Client(connection, &tls.Config{InsecureSkipVerify: true})
		require.NoError(t, secured.Handshake())
		connection = secured
	}
	return &session{t, connection, bufio.NewReader(connection)}
}

// A session is a connection on which commands are sent one after the other.
type session struct {
	t *testing.T
	net.Conn
	replies *bufio.Reader
}

// do sends a command and returns its reply. A single argument is the whole command line.
func (s *session) do(words ...string) string {
	s.t.Helper()
	s.send(words...)
	return s.reply()
}

func (s *session) send(words ...string) {
	s.t.Helper()
	if len(words) == 1 {
		words = strings.Fields(words[0])
	}
	command := fmt.Sprintf("*%d\r\n", len(words))
	for _, word := range words {
		command += fmt.Sprintf("$%d\r\n%s\r\n", len(word), word)
	}
	_, err := io.WriteString(s, command)
	require.NoError(s.t, err)
}

// reply reads a RESP 2 or 3 reply. An error keeps its dash, and several values are joined on one line.
func (s *session) reply() string {
	s.t.Helper()
	line, err := s.replies.ReadString('\n')
	require.NoError(s.t, err)
	require.NotEmpty(s.t, strings.TrimSpace(line))
	kind, rest := line[0], strings.TrimRight(line[1:], "\r\n")
	switch kind {
	case '-':
		return "-" + rest
	case '+', ':':
		return rest
	case '_':
		return "(nil)"
	}
	n, err := strconv.Atoi(rest)
	require.NoError(s.t, err, line)
	switch {
	case n < 0:
		return "(nil)"
	case kind == '$' || kind == '=':
		text := make([]byte, n+len("\r\n"))
		_, err := io.ReadFull(s.replies, text)
		require.NoError(s.t, err)
		return strings.TrimPrefix(string(text[:n]), "txt:")
	case kind == '%':
		n *= 2
	}
	var all []string
	for range n {
		all = append(all, s.reply())
	}
	return strings.Join(all, " ")
}
