package certificate

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// errNotReady reports a server that is not running, does not respond, or is loading its data. The server logs that itself.
var errNotReady = errors.New("no response")

// connection is a connection to the server, for commands in the Redis protocol (RESP).
type connection struct {
	net.Conn
	presented []byte // the server's certificate, with TLS
	stop      func() bool
}

// dial connects without TLS. When ctx ends, the connection is closed.
func dial(ctx context.Context, address string) (*connection, error) {
	within, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(within, "tcp", address)
	if err != nil {
		return nil, errNotReady
	}
	return &connection{Conn: conn, stop: context.AfterFunc(ctx, func() { _ = conn.Close() })}, nil
}

// dialTLS connects with TLS.
func dialTLS(ctx context.Context, address string) (*connection, error) {
	c, err := dial(ctx, address)
	if err != nil {
		return nil, err
	}
	// The presented certificate is compared with the mounted one instead. It may be expired, and has no loopback address.
	secured := tls.Client(c.Conn, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}) //nolint:gosec // see above
	within, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if err := secured.HandshakeContext(within); err != nil {
		_ = c.Close()
		return nil, reason(err)
	}
	c.Conn, c.presented = secured, secured.ConnectionState().PeerCertificates[0].Raw
	return c, nil
}

// Close implements net.Conn.
func (c *connection) Close() error {
	c.stop()
	return c.Conn.Close()
}

// do sends a command and reads the reply. Errors contain nothing that was sent, although a reply may quote it.
func (c *connection) do(command ...string) error {
	var request strings.Builder
	fmt.Fprintf(&request, "*%d\r\n", len(command))
	for _, word := range command {
		fmt.Fprintf(&request, "$%d\r\n%s\r\n", len(word), word)
	}
	if err := c.SetDeadline(time.Now().Add(timeout)); err != nil {
		return reason(err)
	}
	if _, err := io.WriteString(c, request.String()); err != nil {
		return reason(err)
	}
	const longest = 1 << 10
	answer, err := bufio.NewReader(io.LimitReader(c, longest)).ReadString('\n')
	if err != nil {
		return reason(err)
	}
	if answer[0] == '+' {
		return nil
	}
	code, _, _ := strings.Cut(strings.TrimSpace(answer), " ")
	if code == "-LOADING" {
		return errNotReady
	}
	return fmt.Errorf("it replied %s to %s", strconv.Quote(code), command[0])
}

// reason returns why something failed, without the details that differ between attempts.
func reason(err error) error {
	var operation *net.OpError
	switch timeout := net.Error(nil); {
	case errors.As(err, &timeout) && timeout.Timeout():
		return errNotReady
	case errors.As(err, &operation):
		return operation.Err
	}
	return err
}
