package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"github.com/bizmatters/dragonfly-generator/internal/atomicfile"
	"github.com/bizmatters/dragonfly-generator/internal/report"
)

// install copies the running program into a folder.
func install(s Streams, folder string) int {
	to, err := copySelf(folder)
	if err != nil {
		fmt.Fprintf(s.Err, "error: the program cannot be installed into %s: %s\n", folder, report.Reason(err))
		return exitError
	}
	return write(s, []byte(to+"\n"))
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
	// An existing file keeps its permissions, which may not be those of a program.
	return filepath.Join(folder, name), root.Chmod(name, 0o755)
}
