// Command kustomize-build prints what `kustomize build --enable-alpha-plugins --enable-exec DIR` does. `make demo` runs
// it: the program kustomize takes minutes to compile, and its library is among our dependencies.
package main

import (
	"fmt"
	"os"

	"github.com/bizmatters/dragonfly-generator/internal/kustomize"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: kustomize-build DIR")
		os.Exit(2)
	}
	manifests, err := kustomize.Build(os.Args[1])
	if err == nil {
		_, err = os.Stdout.Write(manifests)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}
