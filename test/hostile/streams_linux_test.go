package hostile_test

import (
	"bytes"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bizmatters/dragonfly-generator/internal/testkit"
)

// TestStdoutIsGone checks that the program does not report success if its output is lost.
func TestStdoutIsGone(t *testing.T) {
	list := []byte(listHead + listClaim)
	start := func(stdout *os.File) (stderr string, err error) {
		cmd := testkit.Command(t.Context(), t, nil)
		var errOut bytes.Buffer
		cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(list), stdout, &errOut
		err = cmd.Run()
		return errOut.String(), err
	}

	reader, writer, err := os.Pipe()
	require.NoError(t, err)
	require.NoError(t, reader.Close())
	_, err = start(writer)
	assert.Error(t, err, "Nobody reads the pipe.")

	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	require.NoError(t, err)
	stderr, err := start(full)
	assert.Error(t, err, "The disk is full.")
	assert.Contains(t, stderr, "error: stdout cannot be written")

	for reason, mode := range map[string]int{
		"Anyone who sends the output to /dev/null does not want it.":                          os.O_WRONLY,
		"Python's subprocess.DEVNULL and Node's stdio: 'ignore' open it for reading as well.": os.O_RDWR,
	} {
		null, err := os.OpenFile(os.DevNull, mode, 0)
		require.NoError(t, err)
		stderr, err = start(null)
		assert.NoError(t, err, "%s %s", reason, stderr)
	}
}
