package cli

import (
	"errors"
	"io"
	"os"
)

// stdout returns the process's stdout. Where it is closed, Go has put /dev/null in its place, which takes
// everything and reports nothing, so we put something there that fails.
func stdout() io.Writer {
	if isClosed(os.Stdout) {
		return closedWriter{}
	}
	return os.Stdout
}

// isClosed knows Go's /dev/null by its being open for reading too. A shell's, and that of os/exec, is for
// writing alone; one that a caller has opened for both is taken for a closed stdout, which is the safe side.
func isClosed(f *os.File) bool {
	null, err := os.Stat(os.DevNull)
	if err != nil {
		return false
	}
	info, err := f.Stat()
	if err != nil || !os.SameFile(info, null) {
		return false
	}
	_, err = f.Read(make([]byte, 1))
	return errors.Is(err, io.EOF)
}

type closedWriter struct{}

func (closedWriter) Write([]byte) (int, error) {
	return 0, errors.New("it is closed, or /dev/null that is open for reading too; redirect it to a file, a pipe, or /dev/null for writing")
}
