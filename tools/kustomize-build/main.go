// Command kustomize-build prints the output of `kustomize build --enable-alpha-plugins --enable-exec DIR`. `make demo`
// runs it, because kustomize itself takes minutes to compile, and its library is already among our dependencies.
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
