// Package cli implements the command line.
package cli

import (
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"runtime/debug"

	"golang.org/x/term"

	"github.com/bizmatters/dragonfly-generator/generator"
	"github.com/bizmatters/dragonfly-generator/internal/report"
)

// Exit codes.
const (
	exitOK    = 0
	exitError = 1 // an error, or --check found differences
	exitUsage = 2 // invalid arguments
)

// Streams are the standard streams of the command.
type Streams struct {
	In       io.Reader
	Terminal bool // In is a terminal, not a pipe
	Out, Err io.Writer
	// ErrTerminal reports that Err is a terminal.
	ErrTerminal bool
	Env         generator.Environment
}

// System returns the process's own streams.
func System() Streams {
	return Streams{
		In: os.Stdin, Terminal: term.IsTerminal(int(os.Stdin.Fd())),
		// A closed stdout cannot be distinguished from /dev/null: Go opens /dev/null in its place for reading
		// and writing, as Python and Node do for a caller that discards the output.
		Out: os.Stdout, Err: os.Stderr, ErrTerminal: term.IsTerminal(int(os.Stderr.Fd())),
		Env: generator.Environment{LookupEnv: os.LookupEnv, Random: rand.Reader},
	}
}

// Run runs the command and returns its exit code.
func Run(args []string, s Streams) int {
	if len(args) == 0 && !s.Terminal {
		return function(s) // first, because orchestrators call it often
	}
	return command(args, s)
}

// function is what kustomize and kpt call.
func function(s Streams) int {
	in, err := io.ReadAll(s.In)
	if err != nil {
		fmt.Fprintf(s.Err, "error: stdin cannot be read: %s\n", err)
		return exitError
	}
	out, results := generator.Run(in, s.Env)
	fmt.Fprint(s.Err, report.Lines(results))
	if code := write(s, out); code != exitOK {
		return code
	}
	return results.ExitCode()
}

// write writes to stdout.
func write(s Streams, out []byte) int {
	if !report.Stdout(s.Out, s.Err, out) {
		return exitError
	}
	return exitOK
}

// version is set by the linker for a release.
var version string

// buildVersion returns the release, or the version that Go recorded in the build.
func buildVersion() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
