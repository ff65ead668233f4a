// Command dragonfly-generator is a KRM function: it reads a ResourceList on stdin, expands its
// DragonflyInstance claims and writes it to stdout. Kustomize and kpt call it that way. Its command render
// does the same with files.
package main

import (
	"os"

	"github.com/bizmatters/dragonfly-generator/internal/cli"
)

func main() {
	os.Exit(cli.Run(os.Args[1:], cli.System()))
}
