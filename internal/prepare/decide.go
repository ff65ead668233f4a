package prepare

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/instance"
	"github.com/bizmatters/dragonfly-generator/internal/prepare/handover"
	"github.com/bizmatters/dragonfly-generator/internal/prepare/password"
)

// secret is what is known about one of the two Secrets: all of it if it was read from the API server, only the data if
// it was read from the mounted copy.
type secret struct {
	version  string // resourceVersion
	rotation string // recorded in the Secret's annotation
	data     map[string][]byte
}

// facts are the inputs of a decision.
type facts struct {
	instance instance.Name
	ordinal  int // of the pod
	request  handover.Request
	rotation string // requested by the pod's annotation
	record   record // from the volume; empty if it is about another instance

	password, connection secret
}

// origin is where a decision's password comes from.
type origin int

const (
	fromPassword   origin = iota // it is in the password Secret
	fromConnection               // it is in the connection Secret only
	first
	rotated
)

// decision is the password and the patches that complete the two Secrets. An empty patch is not sent.
type decision struct {
	origin    origin
	password  password.Password
	rotation  string // the one that the password belongs to
	remember  string // the rotation that the volume remembers from now on
	corrected bool   // the endpoint belonged to another instance

	passwordPatch, connectionPatch patch
}

// settled returns a decision if the mounted copies of the Secrets show that there is nothing to do. The copies may be
// outdated, so a rotation counts as done only if its key, which is written together with its password, or the volume
// proves it.
func (f facts) settled() (decision, bool) {
	p, err := password.Parse(string(f.password.data[v1alpha1.PasswordKey]))
	if err != nil {
		return decision{}, false
	}
	d := decision{password: p, remember: cmp.Or(f.rotation, f.record.Rotation)}
	key := handover.RotationKey(d.remember)
	if f.request.Existing {
		key = v1alpha1.PasswordKey // the Secret's owner only writes this one
	}
	keyProves := f.request.Data == "" && !f.request.Existing
	isCurrent := !f.record.Guessed && (f.rotation == "" || f.hasRotated() || keyProves)
	isComplete := f.endpoint() != "" && len(f.connectionData(p)) == 0
	return d, isCurrent && isComplete && string(f.password.data[key]) == p.Reveal()
}

// decide returns the password that the instance has from now on. A new one is generated from random. The error is a
// *waiting if a retry may help.
func (f facts) decide(random io.Reader) (decision, error) {
	if f.request.Existing {
		return f.follow()
	}
	inPassword, inConnection := f.password.data[v1alpha1.PasswordKey], f.connection.data[v1alpha1.PasswordKey]
	var d decision
	var err error
	switch {
	case len(inPassword) > 0 && !f.isDue(f.recorded()):
		d = decision{origin: fromPassword, rotation: cmp.Or(f.recorded(), f.remembered())}
		d.password, err = f.parse(f.instance.PasswordSecret(), inPassword)
	case len(inPassword) == 0 && len(inConnection) > 0 && !f.isDue(f.connection.rotation):
		d = decision{origin: fromConnection, rotation: cmp.Or(f.connection.rotation, f.remembered())}
		d.password, err = f.parse(f.instance.ConnectionSecret(), inConnection)
	default:
		d = decision{origin: rotated, rotation: f.rotation}
		if f.isEmpty() {
			if err := f.mayCreate(); err != nil {
				return decision{}, err
			}
			if !f.record.HadPassword {
				d.origin = first
			}
		}
		d.password, err = password.Random(random)
	}
	if err != nil {
		return decision{}, err
	}
	if d.remember = d.rotation; f.hasRotated() {
		d.remember = f.rotation
	}
	d.passwordPatch = f.patchPassword(d)
	d.connectionPatch.annotations = annotate(f.connection, d.rotation)
	return f.patchConnection(d)
}

// follow takes the password from a password Secret that belongs to someone else. It patches only the data of the
// connection Secret: only the owner of the password knows which rotation it belongs to.
func (f facts) follow() (decision, error) {
	value, found := f.password.data[v1alpha1.PasswordKey]
	switch {
	case f.isEmpty() && f.hasForeignEndpoint():
		return decision{}, f.renamedError()
	case !found:
		return decision{}, &waiting{reason: fmt.Sprintf("Secret %s/%s has no key %s yet", f.instance.Namespace, f.instance.PasswordSecret(), v1alpha1.PasswordKey)}
	}
	p, err := f.parse(f.instance.PasswordSecret(), value)
	if err != nil {
		return decision{}, err
	}
	return f.patchConnection(decision{origin: fromPassword, password: p, remember: cmp.Or(f.rotation, f.remembered())})
}

// hasRotated reports whether this pod already had a password of the requested rotation. If the Secret records another
// rotation, a pod of a newer template has rotated since, and this one follows instead of rotating back.
func (f facts) hasRotated() bool {
	return f.rotation != "" && f.rotation == f.remembered()
}

// remembered returns the rotation that the volume is sure of.
func (f facts) remembered() string {
	if f.record.Guessed {
		return ""
	}
	return f.record.Rotation
}

// isDue reports whether a password that was created for the given rotation must be replaced.
func (f facts) isDue(of string) bool {
	return f.rotation != "" && f.rotation != of && !f.hasRotated()
}

// recorded returns the rotation that the password Secret records: in its annotation or, if something removed that, by
// having the key of the requested or remembered rotation.
func (f facts) recorded() string {
	if f.password.rotation != "" {
		return f.password.rotation
	}
	for _, rotation := range []string{f.rotation, f.record.Rotation} {
		if rotation != "" && string(f.password.data[handover.RotationKey(rotation)]) == string(f.password.data[v1alpha1.PasswordKey]) {
			return rotation
		}
	}
	return ""
}

// isEmpty reports whether the instance has no password yet, as far as the Secrets show. A password Secret that belongs
// to someone else says nothing about the instance.
func (f facts) isEmpty() bool {
	return len(f.connection.data[v1alpha1.PasswordKey]) == 0 &&
		(f.request.Existing || len(f.password.data[v1alpha1.PasswordKey]) == 0)
}

// mayCreate returns an error if no password may be created, although neither Secret has one.
func (f facts) mayCreate() error {
	isNew := f.rotation != "" && !slices.Contains([]string{f.record.Rotation, f.password.rotation, f.connection.rotation}, f.rotation)
	switch {
	case f.hasForeignEndpoint():
		return f.renamedError()
	case f.record.HadPassword && !isNew:
		return fmt.Errorf("the password of %s is lost: the instance had one, but neither Secret %s nor Secret %s has it; restore one of them, including its annotations, or request a new password: set the claim's annotation %s to a new value, apply, and delete this pod, because a StatefulSet does not replace a pod that never became ready",
			f.instance, f.instance.PasswordSecret(), f.instance.ConnectionSecret(), v1alpha1.PasswordRotation)
	case f.endpoint() == "":
		return &waiting{reason: fmt.Sprintf("Secret %s/%s has no key %s yet", f.instance.Namespace, f.instance.ConnectionSecret(), v1alpha1.EndpointKey)}
	case !f.record.HadPassword && f.ordinal != 0:
		// A new replica has an empty volume, so it cannot know that the instance had a password.
		return &waiting{reason: fmt.Sprintf("pod %s-0 has not created the password yet", f.instance.Name)}
	}
	return nil
}

func (f facts) parse(secret string, value []byte) (password.Password, error) {
	p, err := password.Parse(string(value))
	if err != nil {
		return p, fmt.Errorf("key %s of Secret %s/%s %w", v1alpha1.PasswordKey, f.instance.Namespace, secret, err)
	}
	return p, nil
}

func (f facts) endpoint() string { return string(f.connection.data[v1alpha1.EndpointKey]) }

// hasForeignEndpoint reports whether the connection Secret has the endpoint of another instance.
func (f facts) hasForeignEndpoint() bool { return f.endpoint() != f.ownEndpoint() }

// ownEndpoint returns what the connection Secret's endpoint must be: this instance's, with the cluster domain of the
// current one, because a pod does not know that domain. It returns "" if there is no endpoint to correct.
func (f facts) ownEndpoint() string {
	if f.endpoint() == "" {
		return ""
	}
	own := strings.TrimSuffix(f.instance.Endpoint(""), ".")
	if labels := strings.SplitN(f.endpoint(), ".", 4); len(labels) == 4 && labels[2] == "svc" {
		own += "." + labels[3]
	}
	return own
}

func (f facts) renamedError() error {
	return fmt.Errorf("the connection Secret has the endpoint %q, but the pod belongs to %s: something renamed the instance after dragonfly-generator ran; run the function in the overlay that you build, after anything that sets names or namespaces",
		f.endpoint(), f.instance)
}

// patch is a change to a Secret. A nil value removes the key.
type patch struct {
	data        map[string][]byte
	annotations map[string]*string
}

func (p patch) isEmpty() bool { return len(p.data)+len(p.annotations) == 0 }

// patchPassword returns the patch that completes the password Secret. It removes the keys of other rotations.
func (f facts) patchPassword(d decision) patch {
	data, own := map[string][]byte{}, handover.RotationKey(d.rotation)
	for _, key := range []string{v1alpha1.PasswordKey, own} {
		if string(f.password.data[key]) != d.password.Reveal() {
			data[key] = []byte(d.password.Reveal())
		}
	}
	for key := range f.password.data {
		if key != own && handover.IsRotationKey(key) {
			data[key] = nil
		}
	}
	return patch{data: data, annotations: annotate(f.password, d.rotation)}
}

// patchConnection adds the patch that completes the connection Secret. The endpoint of another instance is corrected once:
// the Secrets came with a namespace that was copied or restored. If it is wrong again later, it comes from manifests, and
// a correction would only last until they are applied again.
func (f facts) patchConnection(d decision) (decision, error) {
	if d.corrected = f.hasForeignEndpoint(); d.corrected && f.record.EndpointCorrected {
		return decision{}, fmt.Errorf( //nolint:staticcheck // Secret is a kind
			"Secret %s/%s has the endpoint %q again, although a pod of %s corrected it before: something applies another instance's manifests here; apply those of %s, rendered in the overlay that you build, after anything that sets names or namespaces",
			f.instance.Namespace, f.instance.ConnectionSecret(), f.endpoint(), f.instance, f.instance)
	}
	d.connectionPatch.data = f.connectionData(d.password)
	return d, nil
}

// connectionData returns the keys that are missing or wrong in the connection Secret. Until it has an endpoint, the keys
// that need one are left out.
func (f facts) connectionData(p password.Password) map[string][]byte {
	values := handover.Values{
		Password: p.Reveal(), Endpoint: f.ownEndpoint(), Name: f.instance.Name, Namespace: f.instance.Namespace,
	}
	want := map[string]string{v1alpha1.PasswordKey: values.Password}
	if values.Endpoint != "" {
		want[v1alpha1.EndpointKey] = values.Endpoint
	}
	for key, template := range f.request.Keys {
		if values.Endpoint != "" || !handover.NeedsEndpoint(template) {
			want[key] = values.Fill(template)
		}
	}
	data := map[string][]byte{}
	for key, value := range want {
		if have, found := f.connection.data[key]; !found || string(have) != value {
			data[key] = []byte(value)
		}
	}
	return data
}

// annotate returns the change to the annotation that records the rotation.
func annotate(s secret, rotation string) map[string]*string {
	switch {
	case s.rotation == rotation:
		return nil
	case rotation == "":
		return map[string]*string{v1alpha1.PasswordRotation: nil}
	}
	return map[string]*string{v1alpha1.PasswordRotation: &rotation}
}
