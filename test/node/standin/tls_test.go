package main

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A certificate is two files in a folder.
type certificate struct{ folder string }

func newCertificate(t *testing.T, serial int64) certificate {
	t.Helper()
	c := certificate{t.TempDir()}
	c.renew(t, serial)
	return c
}

func (c certificate) crt() string { return filepath.Join(c.folder, "tls.crt") }
func (c certificate) key() string { return filepath.Join(c.folder, "tls.key") }

// renew replaces certificate and key.
func (c certificate) renew(t *testing.T, serial int64) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), NotAfter: time.Now().Add(time.Hour)}
	text, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	c.write(t, c.crt(), "CERTIFICATE", text)
	text, err = x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	c.write(t, c.key(), "PRIVATE KEY", text)
}

// mismatch replaces the certificate, but not the key.
func (c certificate) mismatch(t *testing.T) {
	t.Helper()
	key, err := os.ReadFile(c.key())
	require.NoError(t, err)
	c.renew(t, 0)
	require.NoError(t, os.WriteFile(c.key(), key, 0o600))
}

func (c certificate) write(t *testing.T, path, kind string, text []byte) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: text}), 0o600))
}

// flags are the flags of an instance with TLS and the password x.
func (c certificate) flags() []string {
	return []string{"--tls=true", "--tls_cert_file=" + c.crt(), "--tls_key_file=" + c.key(), "--requirepass=x"}
}

// presented returns the serial number of the certificate that a new connection gets.
func (p *process) presented(t *testing.T) (int64, error) {
	t.Helper()
	connection, err := tls.DialWithDialer(&net.Dialer{Timeout: 10 * time.Second}, "tcp", p.address, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		return 0, err
	}
	defer connection.Close()
	return connection.ConnectionState().PeerCertificates[0].SerialNumber.Int64(), nil
}

func TestTLS(t *testing.T) {
	pair := newCertificate(t, 1)
	p := start(t, pair.flags()...)
	c := p.dial(t)
	assert.Equal(t, "-NOAUTH Authentication required.", c.do("PING"))
	assert.Equal(t, "OK", c.do("AUTH x"))
	assert.Equal(t, "PONG", c.do("PING"))
	assert.Equal(t, http.StatusOK, p.get(t, "/healthz"), "without a password and a client certificate")

	plain, err := net.Dial("tcp", p.address)
	require.NoError(t, err)
	defer plain.Close()
	_, err = io.WriteString(plain, "PING\r\n")
	require.NoError(t, err)
	line, err := bufio.NewReader(plain).ReadString('\n')
	require.NoError(t, err)
	assert.Equal(t, "-ERR Bad TLS header, double check if you enabled TLS for your client.\r\n", line)
}

func TestCertificateIsReadWhenAsked(t *testing.T) {
	pair := newCertificate(t, 1)
	p := start(t, pair.flags()...)
	held := p.dial(t)
	require.Equal(t, "OK", held.do("AUTH x"))
	presents := func(want int64) {
		t.Helper()
		serial, err := p.presented(t)
		require.NoError(t, err)
		assert.Equal(t, want, serial)
		assert.Equal(t, "PONG", held.do("PING"), "connections stay")
	}
	pair.renew(t, 2)
	presents(1)
	assert.Equal(t, "OK", held.do("CONFIG SET tls true"))
	presents(2)

	pair.mismatch(t)
	assert.Equal(t, "OK", held.do("CONFIG SET tls true"), "although")
	_, err := p.presented(t)
	require.ErrorContains(t, err, "handshake failure")
	assert.Zero(t, p.get(t, "/healthz"))
	assert.Equal(t, "PONG", held.do("PING"), "connections stay")

	pair.renew(t, 3)
	_, err = p.presented(t)
	require.Error(t, err)
	assert.Equal(t, "OK", held.do("CONFIG SET tls true"))
	presents(3)

	require.NoError(t, os.WriteFile(pair.crt(), []byte("no certificate"), 0o600))
	const refused = "-ERR CONFIG SET failed (possibly related to argument 'tls') - argument can not be set"
	assert.Equal(t, refused, held.do("CONFIG SET tls true"))
	presents(3)
	require.NoError(t, os.Remove(pair.key()))
	assert.Equal(t, refused, held.do("CONFIG SET tls true"))
	presents(3)
}

func TestCertificateAtStart(t *testing.T) {
	pair := newCertificate(t, 1)
	pair.mismatch(t)
	p := launch(t, pair.flags()...)
	p.eventually(t, func() bool {
		connection, err := net.Dial("tcp", p.address)
		if err == nil {
			connection.Close()
		}
		return err == nil
	})
	_, err := p.presented(t)
	require.ErrorContains(t, err, "handshake failure")
	assert.Zero(t, p.get(t, "/healthz"), "it must run, but never become ready")
	assert.Equal(t, 0, p.terminate(t))

	for reason, spoil := range map[string]func(c certificate) error{
		"the key is missing":         func(c certificate) error { return os.Remove(c.key()) },
		"the certificate is missing": func(c certificate) error { return os.Remove(c.crt()) },
		"the key is broken":          func(c certificate) error { return os.Truncate(c.key(), 100) },
		"the certificate is broken":  func(c certificate) error { return os.Truncate(c.crt(), 100) },
		"the key is empty":           func(c certificate) error { return os.Truncate(c.key(), 0) },
	} {
		pair := newCertificate(t, 1)
		require.NoError(t, spoil(pair))
		code, _ := exit(t, pair.flags()...)
		assert.Equal(t, 255, code, reason)
	}

	code, log := exit(t, newCertificate(t, 1).flags()[:3]...)
	assert.Equal(t, 1, code)
	assert.Contains(t, log, "TLS configured but no authentication method is used")
}
