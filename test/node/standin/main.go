// Command standin is a stand-in for Dragonfly, for a node that cannot pull Dragonfly's image. It is not a
// database.
//
// It does what the tests of our manifests look at, as Dragonfly v1.40.1 does it: it takes the flags that the
// manifests set, from the command line, from --flagfile and from DFLY_ variables, and refuses others; it asks
// for the password; it answers /healthz and /metrics without one, on the same port; and it keeps its keys in a
// snapshot that it writes when it is asked to or terminated, and loads when it starts.
// It never follows --snapshot_cron, and ignores --cache_mode.
package main

import (
	"context"
	"errors"
	"log"
	"net"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("stand-in for Dragonfly: ")
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	err := run(ctx, os.Args[1:], os.Environ())
	stop()
	if err == nil {
		log.Print("stopped")
		return
	}
	log.Print(err)
	var exit exitError
	if errors.As(err, &exit) {
		os.Exit(exit.code)
	}
	os.Exit(1)
}

// An exitError ends the stand-in with another exit code than 1.
type exitError struct {
	code int
	error
}

// aborted is the exit code where Dragonfly aborts: 128 + SIGABRT.
const aborted = 134

// run serves until ctx is done or a client sends SHUTDOWN.
func run(ctx context.Context, args, environ []string) error {
	settings, err := parse(args, environ)
	if err != nil {
		return err
	}
	values, err := load(settings.snapshot())
	if err != nil {
		return err
	}
	keys := newKeyspace()
	for key, value := range values {
		keys.set(key, value)
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(settings.value("bind"), settings.value("port")))
	if err != nil {
		return err
	}
	log.Printf("%d keys loaded, listening on %s", len(values), listener.Addr())
	ctx, shutdown := context.WithCancel(ctx)
	defer shutdown()
	server := &server{settings: settings, keys: keys, shutdown: shutdown}
	go server.serve(listener)
	<-ctx.Done()
	_ = listener.Close()
	if !server.discard.Load() {
		// Like Dragonfly: what could not be saved is lost, the exit code does not tell.
		if err := server.save(); err != nil {
			log.Printf("Failed to perform snapshot: %v", err)
		}
	}
	return nil
}
