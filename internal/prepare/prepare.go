// Package keeppassword implements the init container of the password source InCluster. It creates the
// password of an instance at the first start of its pod, and keeps it.
//
// The password lives in two Secrets, which the manifests leave without it. The password Secret is written
// first, the connection Secret follows it, and each write takes the version that was read as its
// precondition. So the next run completes what a killed run has started, and if two pods write, one wins and
// the other follows. Pure functions in decide.go decide what to write.
package prepare

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bizmatters/dragonfly-generator/internal/instance"
	"github.com/bizmatters/dragonfly-generator/internal/prepare/handover"
	"github.com/bizmatters/dragonfly-generator/internal/prepare/password"
)

// The pauses between two attempts: the first, and the longest.
const (
	firstPause = time.Second
	lastPause  = 30 * time.Second
)

// Environment holds the inputs and outputs of a run.
type Environment struct {
	LookupEnv func(string) (string, bool)
	Random    io.Reader
	Log       io.Writer // a line for each thing that is done or waited for, never with a value

	// For tests. Root is a folder in which the mount paths begin, instead of /.
	Root string
	// Transport wraps the connection to the API server.
	Transport func(http.RoundTripper) http.RoundTripper
	// Sleep pauses between two attempts.
	Sleep func(context.Context, time.Duration) error
}

// keeper is one run.
type keeper struct {
	Environment
	facts
	host, port string // of the API server
	volume     volume
	reason     string // why it waits
}

// Run ensures that the instance's Secrets contain its password, and passes it to the server. It waits for
// missing Secrets and for an API server that does not answer, until ctx ends.
func Run(ctx context.Context, request handover.Request, env Environment) error {
	k, err := newKeeper(request, env)
	if err != nil {
		return err
	}
	if k.record, err = k.volume.read(request.Rotation); err != nil {
		return err
	}
	if err := k.volume.write(k.record); err != nil {
		return err
	}
	k.password = readSecret(filepath.Join(k.Root, handover.PasswordSecretPath))
	k.connection = readSecret(filepath.Join(k.Root, handover.ConnectionSecretPath))
	if p, ok := k.settled(); ok {
		fmt.Fprintf(k.Log, "both Secrets of %s have the password already\n", k.instance)
		return k.handOver(p, cmp.Or(request.Rotation, k.record.Rotation))
	}
	if k.isEmpty() && k.renamed() { // before it waits for Secrets that may have other names
		return k.renamedError()
	}
	conflicted := false
	for pause := firstPause; ; {
		d, err := k.attempt(ctx)
		var wait *waiting
		switch {
		case err == nil:
			return k.handOver(d.password, d.remember)
		case ctx.Err() != nil:
			return fmt.Errorf("stopped before the Secrets of %s had the password", k.instance)
		case !errors.As(err, &wait):
			return err
		case wait.status == http.StatusConflict && !conflicted: // another pod was faster
			fmt.Fprintf(k.Log, "%s; reading again\n", wait.reason)
			conflicted = true
			continue
		}
		conflicted = false
		if k.reason != wait.reason {
			k.reason = wait.reason
			fmt.Fprintf(k.Log, "waiting: %s\n", k.reason)
		}
		// Not all pods at the same time.
		if err := k.Sleep(ctx, pause/2+rand.N(pause/2)); err != nil { //nolint:gosec // no secret
			return fmt.Errorf("stopped while waiting: %s", k.reason)
		}
		pause = min(2*pause, lastPause)
	}
}

func newKeeper(request handover.Request, env Environment) (*keeper, error) {
	lookup := func(name string) string { value, _ := env.LookupEnv(name); return value }
	k := &keeper{Environment: env, host: lookup("KUBERNETES_SERVICE_HOST"), port: lookup("KUBERNETES_SERVICE_PORT")}
	_, err := os.Stat(filepath.Join(env.Root, handover.TokenPath, "token"))
	if k.host == "" || k.port == "" || err != nil {
		return nil, fmt.Errorf("%s runs only in the init container of a Dragonfly pod in Kubernetes, where it makes and keeps the instance's password, and this is not one", handover.Command)
	}
	pod, namespace := lookup(handover.PodNameVariable), lookup(handover.PodNamespaceVariable)
	at := strings.LastIndexByte(pod, '-')
	ordinal, err := strconv.Atoi(pod[at+1:])
	if at <= 0 || err != nil || namespace == "" {
		return nil, fmt.Errorf("%s is %q and %s is %q; they have to be those of a StatefulSet's pod, set by the downward API",
			handover.PodNameVariable, pod, handover.PodNamespaceVariable, namespace)
	}
	k.facts = facts{instance: instance.Name{Namespace: namespace, Name: pod[:at]}, ordinal: ordinal, request: request}
	if request.Data != "" {
		k.volume = volume{folder: filepath.Join(env.Root, request.Data), shown: request.Data}
	}
	if k.Sleep == nil {
		k.Sleep = sleep
	}
	return k, nil
}

// isEmpty reports whether neither Secret has a password.
func (f facts) isEmpty() bool {
	return len(f.password.data[instance.PasswordKey])+len(f.connection.data[instance.PasswordKey]) == 0
}

// attempt reads both Secrets, decides, and writes what they lack.
func (k *keeper) attempt(ctx context.Context) (decision, error) {
	server, err := newAPI(k.Root, k.host, k.port, k.instance.Namespace, k.Transport)
	if err != nil {
		return decision{}, err
	}
	defer server.client.CloseIdleConnections()
	f := k.facts
	if f.connection, err = server.get(ctx, k.instance.ConnectionSecret()); err != nil {
		return decision{}, err
	}
	f.password, err = server.get(ctx, k.instance.PasswordSecret())
	if wait := (*waiting)(nil); errors.As(err, &wait) && wait.status == http.StatusNotFound && f.isEmpty() && f.renamed() {
		return decision{}, f.renamedError()
	}
	if err != nil {
		return decision{}, err
	}
	d, err := f.decide(k.Random)
	if err != nil {
		return decision{}, err
	}
	if !d.passwordPatch.isEmpty() {
		if err := server.patch(ctx, k.instance.PasswordSecret(), f.password.version, d.passwordPatch); err != nil {
			return decision{}, err
		}
		fmt.Fprintf(k.Log, "%s; wrote it to Secret %s/%s\n", map[origin]string{
			kept:           "kept the password and updated the keys of its rotation",
			fromConnection: "took the password from the connection Secret",
			first:          "made a first password",
			rotated:        "made a new password for the rotation",
		}[d.origin], k.instance.Namespace, k.instance.PasswordSecret())
	}
	if !d.connectionPatch.isEmpty() {
		if err := server.patch(ctx, k.instance.ConnectionSecret(), f.connection.version, d.connectionPatch); err != nil {
			return decision{}, err
		}
		fmt.Fprintf(k.Log, "brought Secret %s/%s up to date: %s\n", k.instance.Namespace, k.instance.ConnectionSecret(), d.connectionPatch.names())
	}
	if d.passwordPatch.isEmpty() && d.connectionPatch.isEmpty() {
		fmt.Fprintf(k.Log, "both Secrets of %s have the password already\n", k.instance)
	}
	return d, nil
}

// names lists what a patch changes.
func (p patch) names() string {
	names := slices.Sorted(maps.Keys(p.data))
	return strings.Join(append(names, slices.Sorted(maps.Keys(p.annotations))...), ", ")
}

// handOver ends a run: the volume remembers, and the server gets the password.
func (k *keeper) handOver(p password.Password, rotation string) error {
	if now := (record{HadPassword: true, Rotation: rotation}); now != k.record {
		if err := k.volume.write(now); err != nil {
			return err
		}
	}
	if !k.request.FlagFile {
		return nil
	}
	return writeFlagFile(k.Root, p)
}

func sleep(ctx context.Context, pause time.Duration) error {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
