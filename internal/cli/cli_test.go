package cli_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bizmatters/dragonfly-generator/internal/cli"
)

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

func TestRun(t *testing.T) {
	const empty = "apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nitems: []\n"
	for _, tc := range []struct {
		reason         string
		args           []string
		stdin          string
		terminal       bool
		exitCode       int
		stdout, stderr string // part of it; "" means no output
	}{
		{reason: "With a pipe on stdin, it runs the function.", stdin: empty, stdout: "kind: ResourceList"},
		{reason: "Errors in the list go to stderr.", stdin: "a: b\n", exitCode: 1, stderr: "error: stdin is not a ResourceList"},
		{reason: "Nobody types a ResourceList, so a terminal gets the help.", terminal: true, exitCode: 2, stderr: "Usage:"},
		{reason: "Help that was asked for goes to stdout.", args: []string{"help"}, stdout: "It is a KRM function"},
		{reason: "So does help by option.", args: []string{"--help"}, stdout: "It is a KRM function"},
		{reason: "The version is a single line.", args: []string{"version"}, stdout: "\n"},
		{reason: "An unknown command is a usage error.", args: []string{"rendr"}, exitCode: 2, stderr: `error: unknown command "rendr"`},
	} {
		var stdout, stderr bytes.Buffer
		code := cli.Run(tc.args, cli.Streams{
			In: strings.NewReader(tc.stdin), Terminal: tc.terminal, Out: &stdout, Err: &stderr,
		})
		assert.Equal(t, tc.exitCode, code, tc.reason)
		assert.Contains(t, stdout.String(), tc.stdout, tc.reason)
		assert.Equal(t, tc.stdout == "", stdout.Len() == 0, tc.reason)
		assert.Contains(t, stderr.String(), tc.stderr, tc.reason)
		assert.Equal(t, tc.stderr == "", stderr.Len() == 0, tc.reason)
	}
}

func TestStreamsThatBreak(t *testing.T) {
	var stdout, stderr bytes.Buffer
	assert.Equal(t, 1, cli.Run(nil, cli.Streams{In: iotest.ErrReader(errors.New("reset")), Out: &stdout, Err: &stderr}))
	assert.Equal(t, "error: stdin cannot be read: reset\n", stderr.String(), "A list that was only partly read is not used.")
	assert.Empty(t, stdout.String())

	stderr.Reset()
	list := strings.NewReader("apiVersion: config.kubernetes.io/v1\nkind: ResourceList\n")
	assert.Equal(t, 1, cli.Run(nil, cli.Streams{In: list, Out: brokenPipe{}, Err: &stderr}), "Output that cannot be written is a failure.")
	assert.Equal(t, "error: stdout cannot be written: broken pipe\n", stderr.String())
}

// Each setting in the starter files can be uncommented, by itself or with the others.
func TestStarterSettings(t *testing.T) {
	dir := t.TempDir()
	require.Equal(t, 0, cli.Run([]string{"init", dir}, cli.Streams{Out: io.Discard, Err: io.Discard}))
	config := filepath.Join(dir, "dragonfly-generator.yaml")
	text, err := os.ReadFile(config) //nolint:gosec // just written
	require.NoError(t, err)
	_, settings, found := strings.Cut(string(text), "spec:\n")
	require.True(t, found)
	for _, setting := range append(strings.Split(strings.TrimSuffix(settings, "\n"), "\n"), settings) {
		set := strings.ReplaceAll(setting, "  # ", "  ")
		require.NotEqual(t, setting, set)
		require.NoError(t, os.WriteFile(config, []byte(strings.Replace(string(text), setting, set, 1)), 0o600))
		var stdout, stderr bytes.Buffer
		assert.Equal(t, 0, cli.Run([]string{"render", filepath.Join(dir, "claim.yaml"), config}, cli.Streams{Out: &stdout, Err: &stderr}), setting)
		assert.Empty(t, stderr.String(), setting)
		assert.Equal(t, strings.Contains(set, "storageClassName"), strings.Contains(stdout.String(), "storageClassName: standard\n"), setting)
		assert.NotEqual(t, strings.Contains(set, "nodeSelector"), strings.Contains(stdout.String(), "workload-type: stateful\n"), setting)
	}
}
