package report

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
)

// Stdout writes to stdout and reports whether that worked. A failed write must not look like a success.
func Stdout(out, err io.Writer, text []byte) bool {
	if _, problem := out.Write(text); problem != nil {
		fmt.Fprintf(err, "error: stdout cannot be written: %s\n", Reason(problem))
		return false
	}
	return true
}

// Reason returns the cause of a file error, without the internal file name.
func Reason(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	var link *os.LinkError
	if errors.As(err, &link) {
		return link.Err
	}
	return err
}

// Quote quotes a path for a shell if it has to be.
func Quote(path string) string {
	if !strings.ContainsAny(path, " \t\n\"'`$&|;<>()*?[]{}!#~\\") {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}
