// Package cli implements the command line.
package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/bizmatters/dragonfly-generator/generator"
	"github.com/bizmatters/dragonfly-generator/internal/report"
)

// program is the program's name.
const program = "dragonfly-generator"

// Exit codes.
const (
	exitOK    = 0
	exitError = 1 // an error, or differences found by --check
	exitUsage = 2 // invalid arguments
)

// Streams are the standard streams of the command.
type Streams struct {
	In       io.Reader
	Terminal bool // In is a terminal, not a pipe
	Out, Err io.Writer
}

// System returns the process's own streams.
func System() Streams {
	// A closed stdout cannot be distinguished from /dev/null: Go opens /dev/null in its place for reading
	// and writing, as Python and Node do for a caller that discards the output.
	return Streams{In: os.Stdin, Terminal: term.IsTerminal(int(os.Stdin.Fd())), Out: os.Stdout, Err: os.Stderr}
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
	out, results := generator.Run(in)
	fmt.Fprint(s.Err, report.Lines(results))
	if !report.Stdout(s.Out, s.Err, out) {
		return exitError
	}
	return results.ExitCode()
}

// errFailed is the error of a command that has already reported why it failed. Any other error means invalid arguments.
var errFailed = errors.New("failed")

// fail reports why a command failed.
func fail(s Streams, err error) error {
	fmt.Fprintf(s.Err, "error: %s\n", err)
	return errFailed
}

// command runs the command in args and returns the exit code.
func command(args []string, s Streams) int {
	var out bytes.Buffer // what cobra itself prints, because it ignores a failed write
	root := newRoot(s, &out)
	if len(args) == 0 { // at a terminal
		root.SetOut(s.Err)
		_ = root.Usage() // nothing depends on the error
		return exitUsage
	}
	root.SetArgs(args)
	err := root.Execute()
	if out.Len() > 0 && !report.Stdout(s.Out, s.Err, out.Bytes()) {
		return exitError
	}
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errFailed):
		return exitError
	default:
		fmt.Fprintf(s.Err, "error: %s\n", err)
		return exitUsage
	}
}

// newRoot returns the tree of commands. Help, completion and version are cobra's own, without templates: with
// text/template in the program, the linker cannot drop unused methods, and the program grows from 17 to 23 MB.
func newRoot(s Streams, out io.Writer) *cobra.Command {
	root := &cobra.Command{
		Use: program,
		Long: `dragonfly-generator expands DragonflyInstance claims into the objects that run them: for each, a StatefulSet, a
Service, a password Secret, a connection Secret, and the RBAC objects that let the pod fill in the Secrets.

It is a KRM function: kustomize and kpt start it with a ResourceList on stdin and read one from stdout. Without them,
render does the same with files. The exit code is 1 after an error, and 2 for invalid arguments.`,
		Example: `  kustomize build --enable-alpha-plugins --enable-exec DIR
  kpt fn render DIR
  dragonfly-generator < resourcelist.yaml
  dragonfly-generator render claims/ -o manifests/`,
		Version:       buildVersion(),
		SilenceErrors: true, SilenceUsage: true,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetOut(out)
	root.SetErr(s.Err)
	root.AddCommand(newInit(s), newRender(s), newInstall(s), newPrepare(s), newKeepCertificate(s), newVersion(s))
	root.InitDefaultCompletionCmd()
	if completion, _, err := root.Find([]string{"completion"}); err == nil {
		completion.RunE = root.RunE // otherwise it accepts the name of any shell
	}
	return root
}

func newVersion(s Streams) *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return write(s, buildVersion()+"\n") },
	}
}

// write writes to stdout.
func write(s Streams, text string) error {
	if !report.Stdout(s.Out, s.Err, []byte(text)) {
		return errFailed
	}
	return nil
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
