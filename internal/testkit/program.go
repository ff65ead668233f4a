package testkit

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bizmatters/dragonfly-generator/internal/cli"
)

// runMain makes a test binary behave as the program.
const runMain = "DRAGONFLY_GENERATOR_TEST_RUN_MAIN"

// Main is for a TestMain. It makes the test binary behave as the program when Command starts it.
func Main(m *testing.M) {
	if os.Getenv(runMain) != "" {
		Program()
	}
	os.Exit(m.Run())
}

// Program is what main does.
func Program() { os.Exit(cli.Run(os.Args[1:], cli.System())) }

// Result is the result of a run of the program.
type Result struct {
	Stdout, Stderr string
	ExitCode       int
}

// Call runs the function as main does, but in this process.
func Call(stdin []byte) Result {
	var stdout, stderr bytes.Buffer
	exitCode := cli.Run(nil, cli.Streams{
		In: bytes.NewReader(stdin), Out: &stdout, Err: &stderr,
	})
	return Result{stdout.String(), stderr.String(), exitCode}
}

// Start runs the function in its own process, as an orchestrator does.
func Start(t testing.TB, stdin []byte, env ...string) Result {
	t.Helper()
	cmd := Command(t.Context(), t, env)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(stdin), &stdout, &stderr
	if err := cmd.Run(); err != nil {
		var exit *exec.ExitError
		require.True(t, errors.As(err, &exit), "%v", err)
	}
	return Result{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// Command returns the program, ready to start, with only the given environment. The package's TestMain must call Main.
func Command(ctx context.Context, t testing.TB, env []string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(ctx, self, args...) //nolint:gosec // the test itself
	cmd.Env = append([]string{runMain + "=1", "GOCOVERDIR=" + os.Getenv("GOCOVERDIR")}, env...)
	return cmd
}
