// Command standin is a stand-in for Dragonfly, for a node that cannot pull Dragonfly's image. It is not a
// database.
//
// It does what the tests of our manifests look at, in the way of Dragonfly v1.40.1, down to exit codes and the
// texts of errors:
//
//   - It takes the flags that the manifests set, from the command line, from --flagfile and from DFLY_ variables,
//     and refuses others.
//   - It asks for the password, which can be changed while it runs, and for TLS, whose certificate it reads at its
//     start and upon CONFIG SET tls.
//   - It answers /healthz and /metrics on the same port, without a password.
//   - It refuses writes when it uses more than maxmemory. It counts the bytes of keys and values.
//   - It keeps its keys in a snapshot, which it writes when it is asked to or terminated, and loads when it starts.
//     The files have Dragonfly's names and header, and after that a format of their own.
//
// It never follows --snapshot_cron, ignores --cache_mode, and has no limit without maxmemory. STANDIN USEDMEM is the
// one command that Dragonfly does not have: what snapshots say that they need.
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
	ctx, shutdown := context.WithCancel(ctx)
	defer shutdown()
	server := &server{settings: settings, user: newUser(settings.value("requirepass")), keys: newKeyspace(), shutdown: shutdown}
	path, err := find(settings.value("dir"), settings.value("dbfilename"))
	if err != nil {
		return err
	}
	if err := server.readCertificate(); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(settings.value("bind"), settings.value("port")))
	if err != nil {
		return err
	}
	log.Printf("listening on %s", listener.Addr())
	server.loading.Store(true)
	go server.serve(listener)
	loaded := make(chan error, 1)
	go func() { loaded <- server.load(path) }()
	select {
	case <-ctx.Done():
		return nil // without a snapshot: it would replace one of which not everything is loaded
	case err := <-loaded:
		if err != nil {
			return err
		}
	}
	<-ctx.Done()
	_ = listener.Close()
	if settings.value("dbfilename") != "" && !server.discard.Load() {
		// Like Dragonfly: what could not be saved is lost, and the exit code does not tell.
		if err := server.save(); err != nil {
			log.Printf("Failed to perform snapshot: %v", err)
		}
	}
	return nil
}
