package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"

	"github.com/spf13/cobra"

	"github.com/bizmatters/dragonfly-generator/internal/atomicfile"
	"github.com/bizmatters/dragonfly-generator/internal/report"
)

func newInstall(s Streams) *cobra.Command {
	return &cobra.Command{
		Use:               "install DIR",
		Short:             "Copy this program into a folder",
		Long:              `Copies this program to DIR/dragonfly-generator, for an init container whose image has no shell, and prints the path.`,
		Args:              cobra.MatchAll(cobra.ExactArgs(1), hasNoEmptyDir),
		ValidArgsFunction: onlyFolders,
		RunE:              func(_ *cobra.Command, args []string) error { return install(s, args[0]) },
	}
}

// hasNoEmptyDir refuses an empty name of a folder, such as that of a variable that is not set.
func hasNoEmptyDir(_ *cobra.Command, args []string) error {
	if slices.Contains(args, "") {
		return errors.New("the argument DIR is empty; specify a folder")
	}
	return nil
}

// onlyFolders makes the shell complete only folder names.
func onlyFolders(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveFilterDirs
}

// install copies the running program into a folder.
func install(s Streams, folder string) error {
	to, err := copySelf(folder)
	if err != nil {
		return fail(s, fmt.Errorf("the program cannot be installed into %s: %w", folder, report.Reason(err)))
	}
	return write(s, to+"\n")
}

func copySelf(folder string) (to string, err error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	from, err := os.Open(self) //nolint:gosec // ourselves
	if err != nil {
		return "", err
	}
	defer from.Close()
	if err := os.MkdirAll(folder, 0o755); err != nil { //nolint:gosec // for programs
		return "", err
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return "", err
	}
	defer root.Close()
	name := program
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	if err := atomicfile.Replace(root, name, 0o755, from); err != nil {
		return "", err
	}
	// An existing file keeps its permissions, which may not allow it to be run.
	return filepath.Join(folder, name), root.Chmod(name, 0o755)
}
