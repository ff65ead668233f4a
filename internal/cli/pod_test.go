package cli_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/bizmatters/dragonfly-generator/internal/cli"
)

// Outside a pod, the commands of the pod's containers only report that they do not run there.
func TestOutsideAPod(t *testing.T) {
	keep := func(args ...string) []string { return append([]string{"keep-certificate"}, args...) }
	for _, tc := range []struct {
		reason string
		args   []string
		code   int
		stderr string // part of it
	}{
		{"prepare.", []string{"prepare", "--data=/data"}, 1, "error: prepare must run in the init container of a Dragonfly pod in Kubernetes\n"},
		{"keep-certificate.", keep("--tls=/tls", "--address=127.0.0.1:6379"), 1, "error: keep-certificate must run in the sidecar of a Dragonfly pod in Kubernetes\n"},
		{"With an admin port.", keep("--tls=/tls", "--address=127.0.0.1:6379", "--admin=[::1]:9999", "--flag-file"), 1, "must run in the sidecar of a Dragonfly pod in Kubernetes\n"},
		{"prepare takes no arguments.", []string{"prepare", "my-cache"}, 2, `error: unknown command "my-cache" for "dragonfly-generator prepare"`},
		{"A size with a unit.", []string{"prepare", "--max-memory=1Gi"}, 2, "invalid syntax"},
		{"A negative size.", []string{"prepare", "--max-memory=-1"}, 2, "error: --max-memory and --memory-limit cannot be negative; specify a number of bytes\n"},
		{"A negative limit.", []string{"prepare", "--memory-limit=-1"}, 2, "error: --max-memory and --memory-limit cannot be negative; specify a number of bytes\n"},
		{"The rotation is read from the pod's annotation.", []string{"prepare", "--rotation=2"}, 2, "unknown flag: --rotation"},
		{"keep-certificate takes no arguments.", keep("my-cache"), 2, `error: unknown command "my-cache" for "dragonfly-generator keep-certificate"`},
		{"No folder.", keep("--address=127.0.0.1:6379"), 2, "error: keep-certificate needs --tls=DIR; specify the folder of the mounted certificate\n"},
		{"No address.", keep("--tls=/tls"), 2, `error: keep-certificate needs --address=HOST:PORT, not ""`},
		{"Half an address.", keep("--tls=/tls", "--address=127.0.0.1"), 2, `error: keep-certificate needs --address=HOST:PORT, not "127.0.0.1"`},
		{"Half an admin port.", keep("--tls=/tls", "--address=127.0.0.1:6379", "--admin=9999"), 2, `error: --admin needs a HOST:PORT, not "9999"`},
	} {
		var stdout, stderr bytes.Buffer
		code := cli.Run(tc.args, cli.Streams{
			Out: &stdout, Err: &stderr,
		})
		assert.Equal(t, tc.code, code, tc.reason)
		assert.Contains(t, stderr.String(), tc.stderr, tc.reason)
		assert.Empty(t, stdout.String(), tc.reason)
	}
}
