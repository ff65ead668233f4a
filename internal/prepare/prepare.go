// Package prepare implements the init container of a Dragonfly pod. It makes sure that the instance has a password,
// that its applications have the same one, and that the server will load its snapshot.
//
// Manifests contain no password. They leave it out of two Secrets, and the pod fills it in: the password Secret, which is
// authoritative, and the connection Secret, which applications read. The password Secret is written first and the
// connection Secret second. Each write succeeds only if the Secret still has the version that was read. So the next run
// completes what a killed run started, and if two pods write, one wins and the other follows. With the password source
// Existing, the password Secret belongs to someone else and is only read.
//
// A file on the volume records that the instance had a password, and for which rotation. So a lost password is not
// mistaken for one that was never created. Because volumes and namespaces get copied and restored, the record names its
// instance, and the endpoint in the connection Secret is compared with the pod's own.
//
// Both Secrets are also mounted. If the mounted copies are complete, the API server is not contacted at all, so a
// restart does not depend on it.
//
// Pure functions in decide.go decide what to write; those in snapshot.go decide how much memory the server may use.
package prepare

import (
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

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/instance"
	"github.com/bizmatters/dragonfly-generator/internal/prepare/handover"
	"github.com/bizmatters/dragonfly-generator/internal/report"
)

// The pauses between attempts: the first and the longest.
const (
	firstPause = time.Second
	lastPause  = 30 * time.Second
)

// Environment holds the inputs and outputs of a run.
type Environment struct {
	Getenv func(string) string
	Random io.Reader
	Log    io.Writer // one line for each action or wait, never with a secret value
	// Sleep pauses between attempts. It returns an error if ctx ends first.
	Sleep func(ctx context.Context, pause time.Duration) error

	// For tests: Root is the folder that the mount paths start from, instead of /.
	Root string
	// Transport wraps the connection to the API server.
	Transport func(http.RoundTripper) http.RoundTripper
}

// keeper is one run.
type keeper struct {
	Environment
	facts
	pod        string
	host, port string // of the API server
	volume     volume
}

// Run makes sure that the instance's Secrets contain its password, and passes it to the server. Until ctx ends, it waits
// for missing Secrets and for an API server that does not answer.
func Run(ctx context.Context, request handover.Request, env Environment) error {
	k, err := newKeeper(request, env)
	if err != nil {
		return err
	}
	if err := k.checkRequest(); err != nil {
		return err
	}
	if err := k.openVolume(); err != nil {
		return err
	}
	maxMemory, err := k.maxMemory()
	if err != nil {
		return err
	}
	k.password, k.connection = k.mounted(handover.PasswordSecretPath), k.mounted(handover.ConnectionSecretPath)
	d, ok := k.settled()
	switch {
	case ok:
		k.log("both Secrets of %s already have the password", k.instance)
	case k.isEmpty() && k.hasForeignEndpoint(): // before waiting for Secrets that may have other names
		return k.renamedError()
	default:
		if d, err = k.settle(ctx); err != nil {
			return err
		}
	}
	if err := k.updateRecord(d); err != nil {
		return err
	}
	if !request.FlagFile {
		return nil
	}
	return writeFlagFile(k.Root, d.password, maxMemory)
}

func newKeeper(request handover.Request, env Environment) (*keeper, error) {
	k := &keeper{
		Environment: env, host: env.Getenv("KUBERNETES_SERVICE_HOST"), port: env.Getenv("KUBERNETES_SERVICE_PORT"),
		pod: env.Getenv(handover.PodNameVariable),
	}
	if k.host == "" || k.port == "" {
		return nil, fmt.Errorf("%s must run in the init container of a Dragonfly pod in Kubernetes", handover.Command)
	}
	if _, err := os.Stat(filepath.Join(env.Root, handover.TokenPath, "token")); err != nil {
		return nil, fmt.Errorf("%s/token cannot be read: %w; mount the token of the ServiceAccount there again, as the rendered manifest does", handover.TokenPath, report.Reason(err))
	}
	namespace := env.Getenv(handover.PodNamespaceVariable)
	at := strings.LastIndexByte(k.pod, '-')
	ordinal, err := strconv.Atoi(k.pod[at+1:])
	if at <= 0 || err != nil || namespace == "" {
		return nil, fmt.Errorf("%s is %q and %s is %q; the downward API must set them to the name and namespace of a StatefulSet's pod",
			handover.PodNameVariable, k.pod, handover.PodNamespaceVariable, namespace)
	}
	k.facts = facts{
		instance: instance.Name{Namespace: namespace, Name: k.pod[:at]}, ordinal: ordinal,
		request: request, rotation: env.Getenv(handover.PasswordRotationVariable),
	}
	if request.Data != "" {
		k.volume = volume{folder: filepath.Join(env.Root, request.Data), shown: request.Data}
	}
	return k, nil
}

func (k *keeper) log(format string, args ...any) { fmt.Fprintf(k.Log, format+"\n", args...) }

// checkRequest returns an error if the manifest was made for another pod: a copied or renamed StatefulSet keeps its
// arguments.
func (k *keeper) checkRequest() error {
	if bucket := k.request.Bucket; bucket != "" && !strings.HasSuffix(strings.TrimRight(bucket, "/"), "/"+k.instance.String()) {
		return fmt.Errorf("the snapshots in %s belong to another instance, and the two instances would overwrite each other's snapshots: something renamed or copied this one after dragonfly-generator ran; render and apply manifests for %s, so that the folder ends with /%s",
			bucket, k.instance, k.instance)
	}
	if key, own := k.request.RotationKey, handover.RotationKey(k.rotation); key != "" && key != own {
		return fmt.Errorf("the server reads the key %s of Secret %s, but the key for the rotation %q in the pod's annotation %s is %s: something changed the annotation after dragonfly-generator ran; set the rotation on the claim instead",
			key, k.instance.PasswordSecret(), k.rotation, v1alpha1.PasswordRotation, own)
	}
	return nil
}

// openVolume reads the record and writes it back, which detects a read-only volume before the server loses a snapshot
// because of it. A record of another instance is written back unchanged, so that a run killed at this point changes nothing.
func (k *keeper) openVolume() error {
	stored, err := k.volume.read(k.instance, k.rotation)
	if err != nil {
		return err
	}
	if err := k.volume.write(stored); err != nil {
		return err
	}
	if k.record = stored.of(k.instance); k.record != stored {
		k.log("the volume %s belonged to %s: %s keeps the data but ignores the password record", k.volume.shown, stored.Instance, k.instance)
	}
	return nil
}

// updateRecord records that the instance has a password.
func (k *keeper) updateRecord(d decision) error {
	now := record{
		Instance: k.instance.String(), HadPassword: true, Rotation: d.remember,
		EndpointCorrected: k.record.EndpointCorrected || d.corrected,
	}
	if now == k.record {
		return nil
	}
	return k.volume.write(now)
}

// maxMemory returns the maxmemory that the flag file sets, in bytes, or 0 if it sets none.
func (k *keeper) maxMemory() (int64, error) {
	m := memory{maxMemory: k.request.MaxMemory, limit: k.request.MemoryLimit}
	if m.maxMemory == 0 || k.volume.folder == "" {
		return m.maxMemory, nil
	}
	s, err := k.volume.snapshot()
	if err != nil {
		k.log("cannot fully determine how much memory the snapshot on %s needs: %s", k.volume.shown, err)
	}
	now, err := m.fit(s.usedMemory)
	switch {
	case err != nil:
		return 0, fmt.Errorf("the snapshot %s on %s needs %s of memory, which does not fit in the server's memory limit of %s; choose a size with a memory limit of at least %s, apply, and delete the pod %s, because a StatefulSet does not replace a pod that never became ready",
			s.name, k.volume.shown, quantity(float64(s.usedMemory)), quantity(float64(m.limit)), quantity(m.needed(s.usedMemory)), k.pod)
	case now != m.maxMemory:
		k.log("the snapshot %s on %s needs %s of memory, more than the server can load with the configured maxmemory of %d bytes, so maxmemory is %d bytes for this pod; delete keys, because writes are refused until then; after that, the next pod gets the configured maxmemory again",
			s.name, k.volume.shown, quantity(float64(s.usedMemory)), m.maxMemory, now)
	}
	return now, nil
}

// mounted reads the mounted copy of a Secret.
func (k *keeper) mounted(path string) secret { return readSecret(filepath.Join(k.Root, path)) }

// settle retries until both Secrets have the password.
func (k *keeper) settle(ctx context.Context) (decision, error) {
	reason, conflicted := "", false
	for pause := firstPause; ; {
		d, err := k.attempt(ctx)
		var wait *waiting
		switch {
		case err == nil:
			return d, nil
		case ctx.Err() != nil:
			return decision{}, fmt.Errorf("stopped before the Secrets of %s had the password", k.instance)
		case !errors.As(err, &wait):
			return decision{}, err
		case wait.status == http.StatusConflict && !conflicted: // another pod was faster
			k.log("%s; trying again", wait.reason)
			conflicted = true
			continue
		}
		conflicted = false
		if reason != wait.reason {
			reason = wait.reason
			k.log("waiting: %s", reason)
		}
		// Jitter, so that pods do not retry in step.
		if err := k.Sleep(ctx, pause/2+rand.N(pause/2)); err != nil { //nolint:gosec // no secret
			return decision{}, fmt.Errorf("stopped while waiting: %s", reason)
		}
		pause = min(2*pause, lastPause)
	}
}

// attempt reads both Secrets, decides, and writes whatever is missing from them.
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
	f.password, err = k.getPassword(ctx, server)
	if wait := (*waiting)(nil); errors.As(err, &wait) && wait.status == http.StatusNotFound && f.isEmpty() && f.hasForeignEndpoint() {
		return decision{}, f.renamedError()
	}
	if err != nil {
		return decision{}, err
	}
	d, err := f.decide(k.Random)
	if err != nil {
		return decision{}, err
	}
	return d, k.write(ctx, server, f, d)
}

// getPassword reads the password Secret. One that belongs to someone else may have a name that we do not know: kustomize
// adds a hash to the names of the Secrets that it generates, and updates the volumes and Roles that refer to them, but a pod
// still asks for the name without a hash. In that case, the mounted copy is used.
func (k *keeper) getPassword(ctx context.Context, server *api) (secret, error) {
	s, err := server.get(ctx, k.instance.PasswordSecret())
	var wait *waiting
	if !k.request.Existing || !errors.As(err, &wait) || wait.status != http.StatusNotFound && wait.status != http.StatusForbidden {
		return s, err
	}
	mounted := k.mounted(handover.PasswordSecretPath)
	if _, found := mounted.data[v1alpha1.PasswordKey]; found {
		return mounted, nil
	}
	if wait.status == http.StatusNotFound {
		wait.reason += "; the password source is Existing, so you must provide it"
	}
	return s, wait
}

// write writes the patches of a decision, the password Secret first.
func (k *keeper) write(ctx context.Context, server *api, f facts, d decision) error {
	passwordSecret, connectionSecret := k.instance.PasswordSecret(), k.instance.ConnectionSecret()
	if !d.passwordPatch.isEmpty() {
		if err := server.patch(ctx, passwordSecret, f.password.version, d.passwordPatch); err != nil {
			return err
		}
		k.log(map[origin]string{
			fromPassword:   "kept the password and updated its rotation in Secret %s/%s",
			fromConnection: "copied the password from the connection Secret to Secret %s/%s",
			first:          "created the first password and wrote it to Secret %s/%s",
			rotated:        "created a new password for the rotation and wrote it to Secret %s/%s",
		}[d.origin], k.instance.Namespace, passwordSecret)
	}
	if f.password.version == "" {
		k.log("cannot get Secret %s/%s from the API server; using the mounted Secret instead, which has another name", k.instance.Namespace, passwordSecret)
	}
	if !d.connectionPatch.isEmpty() {
		if err := server.patch(ctx, connectionSecret, f.connection.version, d.connectionPatch); err != nil {
			return err
		}
		k.log("updated Secret %s/%s: %s", k.instance.Namespace, connectionSecret, d.connectionPatch.names())
	}
	if d.corrected {
		k.log("corrected the endpoint from %q to %q: the Secret was copied from another instance, and so was the password unless it has been rotated since", f.endpoint(), f.ownEndpoint())
	}
	if d.passwordPatch.isEmpty() && d.connectionPatch.isEmpty() {
		k.log("both Secrets of %s already have the password", k.instance)
	}
	return nil
}

// names lists the keys and annotations that a patch changes.
func (p patch) names() string {
	names := slices.Sorted(maps.Keys(p.data))
	return strings.Join(append(names, slices.Sorted(maps.Keys(p.annotations))...), ", ")
}
