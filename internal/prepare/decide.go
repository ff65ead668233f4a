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

// secret is what is known of one of the two Secrets: from the API server all of it, from a volume the data.
type secret struct {
	version  string // resourceVersion
	rotation string // which the Secret's annotation records
	data     map[string][]byte
}

// facts are the inputs of a decision.
type facts struct {
	instance instance.Name
	ordinal  int // of the pod
	request  handover.Request
	record   record // of the volume

	password, connection secret
}

// origin is the origin of a decision's password.
type origin int

const (
	kept           origin = iota // it is in the password Secret
	fromConnection               // it is in the connection Secret only
	first
	rotated
)

// decision is the password, and what the two Secrets lack. A patch without data or annotations is not needed.
type decision struct {
	origin   origin
	password password.Password
	rotation string // which the password belongs to
	remember string // the rotation that the volume remembers from now on

	passwordPatch, connectionPatch patch
}

// settled returns the password if the copies of the Secrets on the volumes show that nothing is left to do. The
// copies may be old. A rotation that counts is therefore told by its key, which is written with its password.
func (f facts) settled() (password.Password, bool) {
	p, err := password.Parse(string(f.password.data[instance.PasswordKey]))
	if err != nil {
		return password.Password{}, false
	}
	rotation := cmp.Or(f.request.Rotation, f.record.Rotation)
	if f.request.Data != "" && (f.record.Guessed || rotation != f.record.Rotation) {
		return password.Password{}, false // it may have been asked for once before, and the copies may be of then
	}
	ok := string(f.password.data[handover.RotationKey(rotation)]) == p.Reveal() &&
		f.endpoint() != "" && !f.renamed() && len(connectionData(f, p)) == 0
	return p, ok
}

// decide returns the password that the instance has from now on. A new one is generated from random. The
// error is a *waiting if a retry may help.
func (f facts) decide(random io.Reader) (d decision, err error) {
	asked := f.request.Rotation
	inPassword, inConnection := f.password.data[instance.PasswordKey], f.connection.data[instance.PasswordKey]
	recorded := f.recorded()
	switch {
	case len(inPassword) > 0 && (asked == "" || asked == recorded || f.isBehind()):
		d.origin, d.rotation = kept, recorded
		if recorded == "" && f.isBehind() {
			d.rotation = asked // somebody has put the Secret back without its annotation
		}
		if d.password, err = password.Parse(string(inPassword)); err != nil {
			return d, f.invalid(f.instance.PasswordSecret(), err)
		}
	case len(inPassword) == 0 && len(inConnection) > 0 && (asked == "" || asked == f.connection.rotation || f.isBehind()):
		d.origin, d.rotation = fromConnection, f.connection.rotation
		if d.rotation == "" && f.isBehind() {
			d.rotation = asked
		}
		if d.password, err = password.Parse(string(inConnection)); err != nil {
			return d, f.invalid(f.instance.ConnectionSecret(), err)
		}
	default:
		d.origin, d.rotation = rotated, asked
		if len(inPassword)+len(inConnection) == 0 {
			if !f.record.HadPassword {
				d.origin = first
			}
			if err := f.mayMakeFirst(); err != nil {
				return d, err
			}
		}
		if d.password, err = password.Random(random); err != nil {
			return d, err
		}
	}
	if d.remember = d.rotation; f.isBehind() {
		d.remember = asked
	}
	d.passwordPatch = f.patchPassword(d)
	d.connectionPatch = patch{data: connectionData(f, d.password), annotations: annotate(f.connection, d.rotation)}
	return d, nil
}

// isBehind reports whether this pod has had a password of the rotation that it asks for. If the Secret records
// another one, a pod of a newer template has rotated since, and this one follows instead of rotating back.
func (f facts) isBehind() bool {
	return f.request.Rotation != "" && f.record.HadPassword && !f.record.Guessed && f.request.Rotation == f.record.Rotation
}

// recorded returns the rotation that the password Secret records: in its annotation or, where something has
// removed that, in the key of the rotation that is asked for or remembered.
func (f facts) recorded() string {
	if f.password.rotation != "" {
		return f.password.rotation
	}
	for _, rotation := range []string{f.request.Rotation, f.record.Rotation} {
		if rotation != "" && string(f.password.data[handover.RotationKey(rotation)]) == string(f.password.data[instance.PasswordKey]) {
			return rotation
		}
	}
	return ""
}

// mayMakeFirst returns why a password may not be made although neither Secret has one.
func (f facts) mayMakeFirst() error {
	asked := f.request.Rotation
	isNew := asked != "" && !slices.Contains([]string{f.record.Rotation, f.password.rotation, f.connection.rotation}, asked)
	switch {
	case f.renamed():
		return f.renamedError()
	case f.record.HadPassword && !isNew:
		return fmt.Errorf("the password of %s is lost: the instance had one, but neither Secret %s nor Secret %s has it; restore one of them, annotations included, or ask for a new password: set the claim's annotation %s to another value, apply, and delete this pod, because a StatefulSet does not replace one that was never ready",
			f.instance, f.instance.PasswordSecret(), f.instance.ConnectionSecret(), v1alpha1.PasswordRotation)
	case f.endpoint() == "":
		return &waiting{reason: fmt.Sprintf("Secret %s/%s has no key %s yet", f.instance.Namespace, f.instance.ConnectionSecret(), instance.EndpointKey)}
	case !f.record.HadPassword && f.ordinal != 0:
		// A new replica has an empty volume, so it cannot know that the instance had a password.
		return &waiting{reason: fmt.Sprintf("pod %s-0 has not made the password yet", f.instance.Name)}
	}
	return nil
}

func (f facts) endpoint() string { return string(f.connection.data[instance.EndpointKey]) }

// renamed reports whether the connection Secret was written for another instance name or namespace than the
// pod's. The cluster's domain, which follows, cannot be known here.
func (f facts) renamed() bool {
	return f.endpoint() != "" && !strings.HasPrefix(f.endpoint(), f.instance.Endpoint(""))
}

func (f facts) renamedError() error {
	return fmt.Errorf("the connection Secret has the endpoint %q, but the pod belongs to %s: something renamed the instance after dragonfly-generator ran; run the function in the overlay that is built, after anything that sets names or namespaces",
		f.endpoint(), f.instance)
}

func (f facts) invalid(name string, err error) error {
	return fmt.Errorf("key %s of Secret %s/%s %w", instance.PasswordKey, f.instance.Namespace, name, err)
}

// patch is a change of a Secret. A nil value removes the key.
type patch struct {
	data        map[string][]byte
	annotations map[string]*string
}

func (p patch) isEmpty() bool { return len(p.data)+len(p.annotations) == 0 }

// patchPassword returns what the password Secret lacks. The keys of other rotations go.
func (f facts) patchPassword(d decision) patch {
	data, own := map[string][]byte{}, handover.RotationKey(d.rotation)
	for _, key := range []string{instance.PasswordKey, own} {
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

// connectionData returns the keys that the connection Secret lacks.
func connectionData(f facts, p password.Password) map[string][]byte {
	data := map[string][]byte{}
	want := func(key, value string) {
		if have, there := f.connection.data[key]; !there || string(have) != value {
			data[key] = []byte(value)
		}
	}
	for key, template := range f.request.Keys {
		want(key, handover.Fill(template, p))
	}
	want(instance.PasswordKey, p.Reveal())
	return data
}

// annotate returns the change of the annotation that records the rotation.
func annotate(s secret, rotation string) map[string]*string {
	switch {
	case s.rotation == rotation:
		return nil
	case rotation == "":
		return map[string]*string{v1alpha1.PasswordRotation: nil}
	}
	return map[string]*string{v1alpha1.PasswordRotation: &rotation}
}
