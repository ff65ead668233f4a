// Command sdk-noop is a function on kpt's SDK that changes nothing, to measure the cost of input and output.
package main

import (
	"os"

	"github.com/GoogleContainerTools/kpt-functions-sdk/go/fn"
)

func main() {
	keep := func(*fn.ResourceList) (bool, error) { return true, nil }
	if err := fn.AsMain(fn.ResourceListProcessorFunc(keep)); err != nil {
		os.Exit(1)
	}
}
