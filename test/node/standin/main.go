// Command standin is a stand-in for Dragonfly, for a node that cannot pull Dragonfly's image. It is not a
// database.
//
// For everything that the tests of our manifests check, it behaves like Dragonfly v1.40.1, down to exit codes and error
// texts:
//
//   - It accepts the flags that the manifests set, from the command line, from --flagfile and from DFLY_ variables,
//     and refuses others.
//   - It requires the password, which can be changed while it runs, and TLS, whose certificate it reads at startup and
//     on CONFIG SET tls.
//   - It answers /healthz and /metrics on the same port, without a password.
//   - It refuses writes when it uses more than maxmemory. It counts the bytes of keys and values.
//   - It keeps its keys in a snapshot, which it writes on request and on termination, and loads at startup.
//     The files have Dragonfly's names and header, followed by the stand-in's own format.
//
// It ignores --snapshot_cron and --cache_mode, and has no limit without maxmemory. STANDIN USEDMEM is the only command
// that Dragonfly does not have: it sets the memory that snapshots claim to need.
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

// An exitError ends the stand-in with an exit code other than 1.
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
		return nil // without a snapshot, which would replace one that is only partly loaded
	case err := <-loaded:
		if err != nil {
			return err
		}
	}
	<-ctx.Done()
	_ = listener.Close()
	if settings.value("dbfilename") != "" && !server.discard.Load() {
		// Like Dragonfly: anything that could not be saved is lost, and the exit code does not show it.
		if err := server.save(); err != nil {
			log.Printf("Failed to perform snapshot: %v", err)
		}
	}
	return nil
}
