// Package certificate implements the sidecar of a Dragonfly pod with TLS. It makes the server reload a renewed
// certificate.
//
// When cert-manager renews a certificate, the kubelet updates the mounted Secret, but the server keeps presenting the
// certificate that it read at startup, even after it expires. CONFIG SET tls true makes the server reload the files, and
// open connections stay. But it also returns OK for a certificate and key that do not match, and then no new connection
// works. So:
//
//   - The command is sent only if the mounted certificate and key match, and the server presents another certificate.
//   - The result is verified with a new connection, because the files may change before the server reads them.
//   - Until the result is right, the connection that sent the command stays open, and sends it again.
//
// No state is stored between runs, and nothing is ever restarted.
package certificate

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/bizmatters/dragonfly-generator/internal/prepare/handover"
	"github.com/bizmatters/dragonfly-generator/internal/report"
)

const (
	// interval is the time between comparisons.
	interval = 30 * time.Second
	// retryInterval is the same while the server may refuse new connections.
	retryInterval = 2 * time.Second
	// repeatInterval is the time after which a persistent problem is logged again: often enough to be among the last lines
	// of a log.
	repeatInterval = 10 * time.Minute
	// timeout is how long a handshake or a command may take.
	timeout = 10 * time.Second
)

// Environment holds the inputs and outputs of a run.
type Environment struct {
	Getenv func(string) string
	Log    io.Writer // one line for each change and each problem; never with a secret value
	// Sleep pauses between comparisons. It returns an error if ctx ends first.
	Sleep func(ctx context.Context, pause time.Duration) error

	// For tests: Root is the folder that the mount paths start from, instead of /.
	Root string
}

// keeper is one run.
type keeper struct {
	Environment
	request handover.CertificateRequest

	commands *connection   // sent a command whose outcome is not verified yet; or nil
	logged   string        // the last status line
	since    time.Duration // since that line
}

// Run makes sure that the server presents the mounted certificate, until ctx ends.
func Run(ctx context.Context, request handover.CertificateRequest, env Environment) error {
	if env.Getenv("KUBERNETES_SERVICE_HOST") == "" {
		return fmt.Errorf("%s must run in the sidecar of a Dragonfly pod in Kubernetes", handover.CertificateCommand)
	}
	k := &keeper{Environment: env, request: request}
	defer k.release()
	for {
		k.compare(ctx)
		pause := interval
		if k.commands != nil {
			pause = retryInterval
		}
		if k.Sleep(ctx, pause) != nil {
			return nil
		}
		k.since += pause
	}
}

// compare compares once, and makes the server reload the mounted files if it presents another certificate.
func (k *keeper) compare(ctx context.Context) {
	mounted, err := k.mounted()
	if err != nil {
		k.reportMounted(err)
		return
	}
	switch presented, err := k.presented(ctx); {
	case errors.Is(err, errNotReady):
	case err == nil && bytes.Equal(presented, mounted.Raw):
		k.done(mounted)
	default:
		k.reload(ctx, mounted)
	}
}

// reportMounted reports that the mounted files cannot be used. If the server may have loaded them already, the connection
// that can repair this is kept alive, because a server may close idle connections.
func (k *keeper) reportMounted(problem error) {
	if k.commands == nil {
		k.logProblem("%s; the server keeps its current certificate, but will not work after a restart unless the mounted files are corrected", problem)
		return
	}
	k.logProblem("%s; the server may have loaded these files already, and will be told to reload them once they are valid", problem)
	if k.commands.do("PING") != nil {
		k.release()
	}
}

// reload makes the server reload the mounted files, and verifies what it presents then. If that is wrong, the connection
// stays open for the next attempt.
func (k *keeper) reload(ctx context.Context, mounted *x509.Certificate) {
	if err := k.command(ctx); err != nil {
		if !errors.Is(err, errNotReady) && ctx.Err() == nil {
			k.logProblem("the server does not present the mounted certificate, and could not be told to load it: %s", err)
		}
		return
	}
	presented, err := k.presented(ctx)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		k.logProblem("told the server to load the mounted certificate, but it accepts no new connections (%s); repeating this until it does", err)
	case !bytes.Equal(presented, mounted.Raw):
		k.logProblem("told the server to load the mounted certificate, but it presents another one; repeating this until it presents the mounted one")
	default:
		fmt.Fprintln(k.Log, "told the server to load the mounted certificate")
		k.done(mounted)
	}
}

// done ends a comparison after which the server presents the mounted certificate.
func (k *keeper) done(mounted *x509.Certificate) {
	k.release()
	k.logState("the server presents the mounted certificate, valid until %s", mounted.NotAfter.UTC().Format(time.RFC3339))
}

// mounted returns the mounted certificate if its key is mounted too.
func (k *keeper) mounted() (*x509.Certificate, error) {
	folder := filepath.Join(k.Root, k.request.TLS)
	// The kubelet replaces all files at once, by a link to a new folder. Both files must come from the same folder.
	if version, err := os.Readlink(filepath.Join(folder, "..data")); err == nil {
		folder = filepath.Join(folder, filepath.Base(version))
	}
	var files [2][]byte
	for i, name := range []string{"tls.crt", "tls.key"} {
		text, err := os.ReadFile(filepath.Join(folder, name)) //nolint:gosec // the mount path
		if err != nil {
			return nil, fmt.Errorf("%s/%s cannot be read: %w", k.request.TLS, name, report.Reason(err))
		}
		files[i] = text
	}
	pair, err := tls.X509KeyPair(files[0], files[1])
	if err != nil {
		return nil, fmt.Errorf("the certificate and key in %s are not a valid pair: %w", k.request.TLS, err)
	}
	return pair.Leaf, nil
}

// presented returns the certificate that the server presents to a new connection.
func (k *keeper) presented(ctx context.Context) ([]byte, error) {
	c, err := dialTLS(ctx, k.request.Address)
	if err != nil {
		return nil, err
	}
	_ = c.Close()
	return c.presented, nil
}

// command sends the command, on the connection that sent it before if there is one. The connection stays open.
func (k *keeper) command(ctx context.Context) error {
	if k.commands == nil {
		c, err := k.connect(ctx)
		if err != nil {
			return err
		}
		k.commands = c
	}
	err := k.commands.do("CONFIG", "SET", "tls", "true")
	if err != nil {
		k.release()
	}
	return err
}

// connect opens a connection for commands.
func (k *keeper) connect(ctx context.Context) (*connection, error) {
	if k.request.Admin != "" {
		return dial(ctx, k.request.Admin)
	}
	password, err := k.password()
	if err != nil {
		return nil, err
	}
	c, err := dialTLS(ctx, k.request.Address)
	switch {
	case errors.Is(err, errNotReady):
		return nil, err
	case err != nil:
		return nil, fmt.Errorf("it accepts no new connections (%w); if this persists, delete this pod", err)
	case password == "":
		return c, nil
	}
	if err := c.do("AUTH", password); err != nil {
		_ = c.Close()
		return nil, err
	}
	return c, nil
}

// password returns the server's password, or "" if there is none. It is read again each time.
func (k *keeper) password() (string, error) {
	if !k.request.FlagFile {
		return k.Getenv(handover.PasswordVariable), nil
	}
	text, err := os.ReadFile(filepath.Join(k.Root, handover.FlagFile))
	if err != nil {
		return "", fmt.Errorf("%s cannot be read: %w", handover.FlagFile, report.Reason(err))
	}
	password, found := handover.FlagFilePassword(string(text))
	if !found {
		return "", fmt.Errorf("%s contains no password", handover.FlagFile)
	}
	return password, nil
}

// release closes the connection that sent a command.
func (k *keeper) release() {
	if k.commands != nil {
		_ = k.commands.Close()
		k.commands = nil
	}
}

// logState logs the state if it has changed.
func (k *keeper) logState(format string, args ...any) {
	if line := fmt.Sprintf(format, args...); line != k.logged {
		k.logged, k.since = line, 0
		fmt.Fprintln(k.Log, line)
	}
}

// logProblem logs the problem if it is new or was logged long ago.
func (k *keeper) logProblem(format string, args ...any) {
	if k.since >= repeatInterval {
		k.logged = ""
	}
	k.logState(format, args...)
}
