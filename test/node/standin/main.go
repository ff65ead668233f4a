// Command standin is a stand-in for Dragonfly, for a node that cannot pull Dragonfly's image. It is not a
// database.
//
// It does what the tests of our manifests look at: it takes the flags that the manifests set, from the
// command line, from --flagfile and from DFLY_ variables, and refuses others as Dragonfly v1.40 does; it
// asks for the password; it answers /healthz and /metrics without one, on the same port; and it keeps
// its keys in a snapshot that it writes when it is asked to or terminated, and loads when it starts.
// It never follows --snapshot_cron, and ignores --cache_mode and --maxmemory once it runs.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	code := run(ctx, os.Args[1:], os.Environ(), os.Stderr, nil)
	stop()
	os.Exit(code)
}

// run serves until ctx is done or a client sends SHUTDOWN, and returns the exit code. If listening is not
// nil, run sends it the address that it listens on.
func run(ctx context.Context, args, environ []string, log io.Writer, listening chan<- net.Addr) int {
	settings, err := parse(args, environ)
	if err != nil {
		fmt.Fprintln(log, "stand-in for Dragonfly:", err)
		if errors.Is(err, errUnknownVariable) {
			return 134 // 128 + SIGABRT: Dragonfly aborts
		}
		return 1
	}
	keys, err := load(settings.snapshot())
	if err != nil {
		fmt.Fprintln(log, "stand-in for Dragonfly:", err)
		return 1
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(settings.value("bind"), settings.value("port")))
	if err != nil {
		fmt.Fprintln(log, "stand-in for Dragonfly:", err)
		return 1
	}
	fmt.Fprintf(log, "stand-in for Dragonfly: %d keys loaded, listening on %s\n", len(keys), listener.Addr())
	if listening != nil {
		listening <- listener.Addr()
	}
	ctx, shutdown := context.WithCancel(ctx)
	defer shutdown()
	server := &server{settings: settings, keys: keys, shutdown: shutdown}
	go server.serve(listener)
	<-ctx.Done()
	_ = listener.Close()
	if !server.discard.Load() {
		// Like Dragonfly: what could not be saved is lost, the exit code does not tell.
		if err := server.save(); err != nil {
			fmt.Fprintln(log, "stand-in for Dragonfly: last snapshot:", err)
		}
	}
	fmt.Fprintln(log, "stand-in for Dragonfly: stopped")
	return 0
}
