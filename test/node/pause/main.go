//go:build linux

// Command pause holds the namespaces of a pod: the sandbox image of the cluster that cluster.sh starts.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	// If this is ignored, the kernel reaps orphans by itself in a pod with a shared PID namespace.
	signal.Ignore(syscall.SIGCHLD)
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGINT, syscall.SIGTERM)
	<-end
}
