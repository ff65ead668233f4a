package certificate_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bizmatters/dragonfly-generator/internal/prepare/certificate"
	"github.com/bizmatters/dragonfly-generator/internal/prepare/handover"
)

// marker is a password that is easy to find in the log.
const marker = "marker-hunter2 $(x)"

// pair is a certificate and a key in PEM.
type pair struct{ certificate, key []byte }

// newPair returns a self-signed certificate that expires at the start of the given year.
func newPair(t *testing.T, year int) pair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := x509.Certificate{
		SerialNumber: big.NewInt(int64(year)), Subject: pkix.Name{CommonName: "my-cache"},
		NotBefore: time.Date(year-1, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, key.Public(), key)
	require.NoError(t, err)
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	return pair{
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}),
	}
}

// server is the part of Dragonfly that the sidecar needs. CONFIG SET tls true returns OK whatever is mounted; if the
// certificate and key do not match, no new connection works, but open ones do.
type server struct {
	folder        string // of the mounted files
	address, port string // with TLS, and without

	mu       sync.Mutex
	current  *tls.Certificate // nil if the certificate and key that it read do not match
	password string
	answer   func(command []string) string // overrides the reply; "" keeps it
	before   func()                        // called before it reads the files
	opened   int                           // connections
	commands []string                      // each with the number of its connection, and without the password
	conns    []net.Conn
}

func newServer(t *testing.T, folder string) *server {
	t.Helper()
	s := &server{folder: folder}
	s.read()
	config := &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.current == nil {
			return nil, errors.New("no shared cipher")
		}
		return s.current, nil
	}}
	s.address = s.listen(t, func(c net.Conn) net.Conn { return tls.Server(c, config) })
	s.port = s.listen(t, func(c net.Conn) net.Conn { return c })
	return s
}

func (s *server) listen(t *testing.T, wrap func(net.Conn) net.Conn) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() {
		listener.Close()
		s.closeAll()
	})
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.opened++
			number := s.opened
			s.conns = append(s.conns, conn)
			s.mu.Unlock()
			go s.serve(wrap(conn), number)
		}
	}()
	return listener.Addr().String()
}

func (s *server) closeAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, conn := range s.conns {
		conn.Close()
	}
}

func (s *server) read() {
	s.current = nil
	if pair, err := tls.LoadX509KeyPair(s.folder+"/tls.crt", s.folder+"/tls.key"); err == nil {
		s.current = &pair
	}
}

func (s *server) serve(conn net.Conn, number int) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	_, isTLS := conn.(*tls.Conn)
	authenticated := !isTLS
	for {
		command, err := readCommand(in)
		if err != nil {
			return
		}
		if _, err := io.WriteString(conn, s.do(command, number, &authenticated)+"\r\n"); err != nil {
			return
		}
	}
}

func (s *server) do(command []string, number int, authenticated *bool) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	shown := strings.Join(command, " ")
	if command[0] == "AUTH" {
		shown = "AUTH"
	}
	s.commands = append(s.commands, fmt.Sprintf("%d %s", number, shown))
	if s.answer != nil {
		if answer := s.answer(command); answer != "" {
			return answer
		}
	}
	switch {
	case command[0] == "AUTH":
		if *authenticated = command[1] == s.password; !*authenticated {
			return "-WRONGPASS invalid password " + command[1] // some servers quote what they refuse
		}
		return "+OK"
	case s.password != "" && !*authenticated:
		return "-NOAUTH Authentication required."
	case command[0] == "PING":
		return "+PONG"
	case slices.Equal(command, []string{"CONFIG", "SET", "tls", "true"}):
		if s.before != nil {
			s.before()
		}
		s.read()
		return "+OK"
	}
	return "-ERR unknown command " + shown
}

func readCommand(in *bufio.Reader) ([]string, error) {
	number := func(prefix string) (int, error) {
		line, err := in.ReadString('\n')
		if err != nil {
			return 0, err
		}
		return strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(line, prefix), "\r\n"))
	}
	count, err := number("*")
	if err != nil {
		return nil, err
	}
	var command []string
	for range count {
		length, err := number("$")
		if err != nil {
			return nil, err
		}
		word := make([]byte, length+2)
		if _, err := io.ReadFull(in, word); err != nil {
			return nil, err
		}
		command = append(command, string(word[:length]))
	}
	return command, nil
}

// forget empties the list of commands and returns it.
func (s *server) forget() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	commands := s.commands
	s.commands = nil
	return commands
}

// set changes the server.
func (s *server) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

// sidecar runs the sidecar step by step.
type sidecar struct {
	*server
	root    string
	request handover.CertificateRequest
	env     map[string]string

	ctx    context.Context
	stop   context.CancelFunc
	log    bytes.Buffer // only read it between steps
	paused chan time.Duration
	resume chan struct{}
	done   chan error
}

// newSidecar returns the sidecar of a pod with a flag file, whose server presents the given pair.
func newSidecar(t *testing.T, mounted pair) *sidecar {
	t.Helper()
	s := &sidecar{
		root: t.TempDir(), env: map[string]string{"KUBERNETES_SERVICE_HOST": "10.96.0.1"},
		paused: make(chan time.Duration), resume: make(chan struct{}), done: make(chan error, 1),
	}
	require.NoError(t, os.MkdirAll(filepath.Join(s.root, "tls"), 0o755))
	require.NoError(t, os.MkdirAll(filepath.Join(s.root, handover.FlagFolder), 0o755))
	s.mount(t, mounted)
	s.server = newServer(t, filepath.Join(s.root, "tls"))
	s.setPassword(t, marker)
	s.request = handover.CertificateRequest{TLS: "/tls", Address: s.address, FlagFile: true}
	s.ctx, s.stop = context.WithCancel(t.Context())
	return s
}

// mount replaces the mounted files as the kubelet does: with a new folder and a link to it.
func (s *sidecar) mount(t *testing.T, p pair) {
	t.Helper()
	folder := filepath.Join(s.root, "tls")
	version, err := os.MkdirTemp(folder, "..2026_")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(version, "tls.crt"), p.certificate, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(version, "tls.key"), p.key, 0o600))
	require.NoError(t, os.Symlink(filepath.Base(version), filepath.Join(folder, "..data_tmp")))
	require.NoError(t, os.Rename(filepath.Join(folder, "..data_tmp"), filepath.Join(folder, "..data")))
	for _, name := range []string{"tls.crt", "tls.key"} {
		_ = os.Symlink(filepath.Join("..data", name), filepath.Join(folder, name))
	}
}

func (s *sidecar) setPassword(t *testing.T, password string) {
	t.Helper()
	s.set(func() { s.password = password })
	require.NoError(t, os.WriteFile(filepath.Join(s.root, handover.FlagFile), []byte(handover.FlagFileText(password, 751619276)), 0o600))
}

// start starts a run and returns after the first comparison. The run ends with the test.
func (s *sidecar) start(t *testing.T) {
	t.Helper()
	go func() {
		s.done <- certificate.Run(s.ctx, s.request, certificate.Environment{
			Getenv: func(name string) string { return s.env[name] },
			Log:    &s.log, Root: s.root,
			Sleep: func(ctx context.Context, pause time.Duration) error {
				select {
				case s.paused <- pause:
				case <-ctx.Done():
					return ctx.Err()
				}
				select {
				case <-s.resume:
					return nil
				case <-ctx.Done():
					return ctx.Err()
				}
			},
		})
	}()
	t.Cleanup(func() {
		s.stop()
		select {
		case err := <-s.done:
			assert.NoError(t, err)
		case <-time.After(20 * time.Second):
			t.Error("the run did not end")
		}
		assert.NotContains(t, s.log.String(), "hunter2")
	})
	s.wait(t, 30*time.Second)
}

// step lets it compare once more, and checks the pause after that.
func (s *sidecar) step(t *testing.T, pause time.Duration) {
	t.Helper()
	s.resume <- struct{}{}
	s.wait(t, pause)
}

func (s *sidecar) wait(t *testing.T, pause time.Duration) {
	t.Helper()
	select {
	case got := <-s.paused:
		require.Equal(t, pause, got)
	case <-time.After(20 * time.Second):
		t.Fatal("the run does not pause")
	}
}

// said returns what was logged since the last call.
func (s *sidecar) said() string {
	defer s.log.Reset()
	return s.log.String()
}

func presents(year int) string {
	return fmt.Sprintf("the server presents the mounted certificate, valid until %d-01-01T00:00:00Z\n", year)
}

const (
	told    = "told the server to load the mounted certificate\n"
	normal  = 30 * time.Second
	holding = 2 * time.Second
)

func TestRenewal(t *testing.T) {
	for _, tc := range []struct {
		reason string
		setUp  func(s *sidecar)
		auth   bool
	}{
		{"The password is in the flag file.", func(*sidecar) {}, true},
		{"The password is in a variable.", func(s *sidecar) {
			s.request.FlagFile = false
			s.env[handover.PasswordVariable] = marker
		}, true},
		{"There is no password.", func(s *sidecar) {
			s.request.FlagFile = false
			s.password = ""
		}, false},
		{"The operator's port accepts commands without a password.", func(s *sidecar) {
			s.request.FlagFile, s.request.Admin = false, s.port
		}, false},
		{"No password is sent there even if there is one.", func(s *sidecar) { s.request.Admin = s.port }, false},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			s := newSidecar(t, newPair(t, 2027))
			tc.setUp(s)
			s.start(t)
			assert.Equal(t, presents(2027), s.said())
			s.step(t, normal)
			assert.Empty(t, s.said())
			assert.Empty(t, s.forget(), "It only compares.")
			for _, year := range []int{2028, 2029} {
				s.mount(t, newPair(t, year))
				s.step(t, normal)
				assert.Equal(t, told+presents(year), s.said())
				commands := s.forget()
				require.NotEmpty(t, commands)
				number, _, _ := strings.Cut(commands[0], " ")
				want := []string{number + " CONFIG SET tls true"}
				if tc.auth {
					want = append([]string{number + " AUTH"}, want...)
				}
				assert.Equal(t, want, commands)
				for range 40 {
					s.step(t, normal)
				}
				assert.Empty(t, s.said(), "A state without a problem is logged once.")
			}
		})
	}
}

// The flag file is read each time, because a password that is set by hand does not restart the pod.
func TestPasswordIsReadAgain(t *testing.T) {
	s := newSidecar(t, newPair(t, 2027))
	s.start(t)
	s.mount(t, newPair(t, 2028))
	s.set(func() { s.password = "another" })
	s.step(t, normal)
	assert.Equal(t, presents(2027)+`the server does not present the mounted certificate, and could not be told to load it: it replied "-WRONGPASS" to AUTH`+"\n", s.said())
	s.setPassword(t, "another")
	s.step(t, normal)
	assert.Equal(t, told+presents(2028), s.said())

	require.NoError(t, os.WriteFile(filepath.Join(s.root, handover.FlagFile), []byte("--maxmemory=1\n"), 0o600))
	s.mount(t, newPair(t, 2029))
	s.step(t, normal)
	assert.Contains(t, s.said(), "could not be told to load it: /run/dragonfly/flags/flagfile contains no password\n")
	require.NoError(t, os.Remove(filepath.Join(s.root, handover.FlagFile)))
	s.step(t, normal)
	assert.Contains(t, s.said(), "could not be told to load it: /run/dragonfly/flags/flagfile cannot be read: no such file or directory\n")
}

// A pair that does not match is never applied, and is logged every ten minutes.
func TestWrongPair(t *testing.T) {
	first, second := newPair(t, 2027), newPair(t, 2028)
	const after = "; the server keeps its current certificate, but will not work after a restart unless the mounted files are corrected\n"
	for reason, tc := range map[string]struct {
		wrong pair
		said  string
	}{
		"A new certificate, the old key.": {pair{second.certificate, first.key}, "the certificate and key in /tls are not a valid pair: tls: private key does not match public key"},
		"The old certificate, a new key.": {pair{first.certificate, second.key}, "the certificate and key in /tls are not a valid pair: tls: private key does not match public key"},
		"No certificate.":                 {pair{nil, first.key}, "the certificate and key in /tls are not a valid pair: tls: failed to find any PEM data in certificate input"},
	} {
		t.Run(reason, func(t *testing.T) {
			s := newSidecar(t, first)
			s.start(t)
			require.Equal(t, presents(2027), s.said())
			s.mount(t, tc.wrong)
			s.step(t, normal)
			assert.Equal(t, tc.said+after, s.said())
			for range 19 {
				s.step(t, normal)
			}
			assert.Empty(t, s.said())
			s.step(t, normal)
			assert.Equal(t, tc.said+after, s.said(), "After ten minutes.")
			require.NoError(t, os.Remove(filepath.Join(s.root, "tls", "..data", "tls.key")))
			s.step(t, normal)
			assert.Equal(t, "/tls/tls.key cannot be read: no such file or directory"+after, s.said(), "Another problem is logged at once.")
			assert.Empty(t, s.forget())

			s.mount(t, second)
			s.step(t, normal)
			assert.Equal(t, told+presents(2028), s.said())
		})
	}
}

// The pair changes after we read it and before the server does: the server returns OK but accepts no new connections. The
// connection that sent the command is the only one left, and repairs it.
func TestPairChangesMeanwhile(t *testing.T) {
	for _, admin := range []bool{false, true} {
		first, second, third := newPair(t, 2027), newPair(t, 2028), newPair(t, 2029)
		s := newSidecar(t, first)
		if admin {
			s.request.Admin = s.port
		}
		s.start(t)
		s.forget()
		s.said()
		s.mount(t, second)
		s.set(func() { s.before = func() { s.mount(t, pair{third.certificate, second.key}) } })
		s.step(t, holding)
		assert.Equal(t, "told the server to load the mounted certificate, but it accepts no new connections (tls: internal error); repeating this until it does\n", s.said())
		commands := s.forget()
		number, _, _ := strings.Cut(commands[len(commands)-1], " ")
		s.set(func() { s.before = nil })

		s.step(t, holding)
		assert.Equal(t, "the certificate and key in /tls are not a valid pair: tls: private key does not match public key; the server may have loaded these files already, and will be told to reload them once they are valid\n", s.said())
		s.step(t, holding)
		assert.Empty(t, s.said())
		assert.Equal(t, []string{number + " PING", number + " PING"}, s.forget())

		s.mount(t, third)
		s.step(t, normal)
		assert.Equal(t, told+presents(2029), s.said())
		assert.Equal(t, []string{number + " CONFIG SET tls true"}, s.forget(), "The same connection is used.")
		s.step(t, normal)
		assert.Empty(t, s.said())
	}
}

// The server reads an even newer pair that matches, so the command need not be repeated.
func TestNewerPairMeanwhile(t *testing.T) {
	s := newSidecar(t, newPair(t, 2027))
	s.start(t)
	third := newPair(t, 2029)
	s.mount(t, newPair(t, 2028))
	s.set(func() { s.before = func() { s.mount(t, third) } })
	s.said()
	s.step(t, holding)
	assert.Equal(t, "told the server to load the mounted certificate, but it presents another one; repeating this until it presents the mounted one\n", s.said())
	s.forget()
	s.step(t, normal)
	assert.Equal(t, presents(2029), s.said())
	assert.Empty(t, s.forget())
}

// The connection that could repair the server is lost. Only a restart helps, unless there is an admin port.
func TestNoConnectionLeft(t *testing.T) {
	s := newSidecar(t, newPair(t, 2027))
	second := newPair(t, 2028)
	s.start(t)
	s.said()
	s.mount(t, second)
	s.set(func() { s.before = func() { s.mount(t, pair{second.certificate, nil}) } })
	s.step(t, holding)
	s.set(func() { s.before = nil })
	s.closeAll()
	s.step(t, normal)
	s.said()
	s.mount(t, second)
	s.step(t, normal)
	assert.Equal(t, "the server does not present the mounted certificate, and could not be told to load it: it accepts no new connections (tls: internal error); if this persists, delete this pod\n", s.said())

	withAdmin := newSidecar(t, newPair(t, 2027))
	withAdmin.current = nil
	withAdmin.request.Admin = withAdmin.port
	withAdmin.start(t)
	assert.Equal(t, told+presents(2027), withAdmin.said(), "A server whose pair never matched is repaired.")
}

// The connection is lost when the mounted pair is valid again.
func TestConnectionLostBeforeCommand(t *testing.T) {
	s := newSidecar(t, newPair(t, 2027))
	second := newPair(t, 2028)
	s.request.Admin = s.port
	s.start(t)
	s.mount(t, second)
	s.set(func() { s.before = func() { s.mount(t, pair{second.certificate, nil}) } })
	s.step(t, holding)
	s.set(func() { s.before = nil })
	s.mount(t, second)
	s.closeAll()
	s.said()
	s.step(t, normal)
	assert.Contains(t, s.said(), "the server does not present the mounted certificate, and could not be told to load it: ")
	s.step(t, normal)
	assert.Equal(t, told+presents(2028), s.said())
}

// The sidecar starts before the server, and logs nothing while the server loads.
func TestServerIsNotReady(t *testing.T) {
	s := newSidecar(t, newPair(t, 2027))
	s.request.Address = "127.0.0.1:1"
	s.start(t)
	s.step(t, normal)
	assert.Empty(t, s.said())

	for _, loading := range []string{"AUTH", "CONFIG"} {
		s := newSidecar(t, newPair(t, 2027))
		s.mount(t, newPair(t, 2028))
		s.answer = func(command []string) string {
			if command[0] == loading {
				return "-LOADING Dragonfly is loading the dataset in memory"
			}
			return ""
		}
		s.start(t)
		s.step(t, normal)
		assert.Empty(t, s.said())
		s.set(func() { s.answer = nil })
		s.step(t, normal)
		assert.Equal(t, told+presents(2028), s.said())
	}
}

func TestServerRefuses(t *testing.T) {
	for answer, said := range map[string]string{
		"-ERR wrong " + marker: `it replied "-ERR" to CONFIG`,
		":1":                   `it replied ":1" to CONFIG`,
	} {
		s := newSidecar(t, newPair(t, 2027))
		s.mount(t, newPair(t, 2028))
		s.answer = func(command []string) string {
			if command[0] == "CONFIG" {
				return answer
			}
			return ""
		}
		s.start(t)
		s.step(t, normal)
		assert.Equal(t, "the server does not present the mounted certificate, and could not be told to load it: "+said+"\n", s.said())
	}
}

// SIGTERM ends it at once, whatever it is waiting for.
func TestEnds(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer silent.Close()
	accepted := make(chan struct{}, 1)
	go func() {
		for {
			if _, err := silent.Accept(); err != nil {
				return
			}
			accepted <- struct{}{}
		}
	}()
	for reason, setUp := range map[string]func(s *sidecar){
		"It waits for a handshake.": func(s *sidecar) { s.request.Address = silent.Addr().String() },
		"It waits for a reply.": func(s *sidecar) {
			s.current, s.request.Admin = nil, silent.Addr().String()
		},
	} {
		s := newSidecar(t, newPair(t, 2027))
		setUp(s)
		done := make(chan error, 1)
		go func() {
			done <- certificate.Run(s.ctx, s.request, certificate.Environment{
				Getenv: func(name string) string { return s.env[name] }, Log: &s.log, Root: s.root,
				Sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
			})
		}()
		<-accepted
		s.stop()
		select {
		case err := <-done:
			require.NoError(t, err, reason)
			assert.Empty(t, s.log.String(), reason)
		case <-time.After(5 * time.Second):
			t.Error(reason)
		}
	}
}
