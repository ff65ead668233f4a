package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"strconv"
	"strings"
)

// noCertificate is the exit code if Dragonfly cannot read its certificate or key: it calls exit(-1).
const noCertificate = 255

// certificate reads the certificate and the key that the flags name, or returns nil without --tls.
func (s *settings) certificate() (*tls.Config, error) {
	if on, _ := strconv.ParseBool(s.value("tls")); !on {
		return nil, nil
	}
	if s.value("requirepass") == "" {
		return nil, errors.New("TLS configured but no authentication method is used")
	}
	key, err := os.ReadFile(s.value("tls_key_file"))
	if err != nil {
		return nil, exitError{noCertificate, fmt.Errorf("failed to load TLS key: %w", err)}
	}
	certificate, err := os.ReadFile(s.value("tls_cert_file"))
	if err != nil {
		return nil, exitError{noCertificate, fmt.Errorf("failed to load TLS certificate: %w", err)}
	}
	pair, err := tls.X509KeyPair(certificate, key)
	// OpenSSL silently drops a key that does not match the certificate, and then every handshake fails. With an empty
	// pair, so does every handshake in Go. This error can be recognized only by its text.
	if err != nil && !strings.Contains(err.Error(), "does not match") {
		return nil, exitError{noCertificate, err}
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}, nil
}

// readCertificate reads the certificate for new connections. If it cannot be read, they get the previous one.
func (s *server) readCertificate() error {
	config, err := s.settings.certificate()
	if err == nil {
		s.tls.Store(config)
	}
	return err
}

// secure does the handshake, if there is a certificate, and reports whether the connection is usable.
func (s *server) secure(connection net.Conn) (net.Conn, bool) {
	config := s.tls.Load()
	if config == nil {
		return connection, true
	}
	secured := tls.Server(connection, config)
	err := secured.Handshake()
	var plain tls.RecordHeaderError
	switch {
	case err == nil:
		return secured, true
	case errors.As(err, &plain) && plain.Conn != nil:
		_, _ = io.WriteString(plain.Conn, "-ERR Bad TLS header, double check if you enabled TLS for your client.\r\n")
	case !errors.Is(err, io.EOF): // which is what a probe that only connects does
		log.Printf("Error handshaking %v", err)
	}
	return connection, false
}
