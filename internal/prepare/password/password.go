// Package password creates the passwords of instances, and prevents them from being printed.
//
// A password is either derived from a seed, and then the same in every build on every machine, or random.
// Package plan decides which, and whether an existing password wins.
package password

import (
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
)

// redacted is what a password or a seed prints as.
const redacted = "[redacted]"

// Password is one instance's password. It prints as [redacted] with every formatting verb and marshaller;
// only Reveal returns it. The zero Password is one that we cannot read.
type Password struct{ secret }

// Seed is a seed for passwords. It prints as [redacted], like Password.
type Seed struct{ secret }

// secret is a text that does not print. It holds a function so that not even reflection over the
// value, which is how %#v of a type from outside and most marshallers work, meets the text.
type secret struct{ reveal func() string }

func hide(text string) secret { return secret{reveal: func() string { return text }} }

func (s secret) text() string {
	if s.reveal == nil {
		return ""
	}
	return s.reveal()
}

// IsZero reports whether the secret is empty.
func (s secret) IsZero() bool { return s.reveal == nil }

// Reveal returns the password. The one place to call it is where a Secret's data is built.
func (p Password) Reveal() string { return p.text() }

// Format implements fmt.Formatter for every verb and flag.
func (secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// String implements fmt.Stringer.
func (secret) String() string { return redacted }

// GoString implements fmt.GoStringer.
func (secret) GoString() string { return redacted }

// MarshalText implements encoding.TextMarshaler, which JSON, YAML, XML and log/slog use too.
func (secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MarshalYAML implements yaml.Marshaler.
func (secret) MarshalYAML() (any, error) { return redacted, nil }

// Equal reports whether both passwords are the same.
func (p Password) Equal(other Password) bool { return p.text() == other.text() }

// Parse parses a password from elsewhere. It accepts what arrives in a container's environment unchanged:
// valid UTF-8, not empty, without NUL and line breaks. The error never quotes it.
func Parse(text string) (Password, error) {
	switch {
	case text == "":
		return Password{}, errors.New("is empty; set one")
	case !utf8.ValidString(text):
		return Password{}, errors.New("is not valid UTF-8; use another one, for example of letters and digits")
	case strings.HasSuffix(text, "\n") && !strings.ContainsAny(strings.TrimRight(text, "\r\n"), "\r\n\x00"):
		return Password{}, errors.New("ends with a line break; remove it, for example with `echo -n`")
	case strings.ContainsAny(text, "\r\n\x00"):
		return Password{}, errors.New("contains a line break or a NUL, which an environment variable cannot hold; use another one")
	}
	return Password{hide(text)}, nil
}

// MinSeedLength is the shortest seed, in bytes: as many as the key of the hash has.
const MinSeedLength = 32

// ParseSeed parses a seed from the environment or a Secret. One trailing line break is stripped, since most
// ways to write a file leave one; other white space at the ends is an error, since it is lost on other ways.
// The error never quotes the seed.
func ParseSeed(text string) (Seed, error) {
	if line, found := strings.CutSuffix(text, "\n"); found {
		text = strings.TrimSuffix(line, "\r")
	}
	switch {
	case text != strings.TrimFunc(text, unicode.IsSpace):
		return Seed{}, errors.New("has white space at its start or end; remove it")
	case len(text) < MinSeedLength:
		return Seed{}, fmt.Errorf("has fewer than %d bytes; make one with `openssl rand -base64 32`", MinSeedLength)
	}
	return Seed{hide(text)}, nil
}

// Equal reports whether both seeds are the same.
func (s Seed) Equal(other Seed) bool { return s.text() == other.text() }

// salt is frozen: another one would change every derived password.
const salt = "dragonfly-generator/password/v1"

// Derive returns the password that belongs to the seed, the claim and the rotation: a version 8
// UUID from the first 16 bytes of HKDF-SHA-256 (RFC 5869). The same four give the same password for
// ever; docs/passwords.md has it to the byte, with test vectors.
func Derive(seed Seed, kind schema.GroupKind, name types.NamespacedName, rotation string) Password {
	info := strings.Join([]string{kind.Group, kind.Kind, name.Namespace, name.Name, rotation}, "\x00")
	key, err := hkdf.Key(sha256.New, []byte(seed.text()), []byte(salt), info, 16)
	if err != nil {
		panic(err) // only for lengths over 255 hashes, and for keys that FIPS 140 mode finds too short
	}
	return uuid([16]byte(key), 8)
}

// Random returns a version 4 UUID from the bytes that random gives.
func Random(random io.Reader) (Password, error) {
	var b [16]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return Password{}, fmt.Errorf("the system's random generator failed: %w", err)
	}
	return uuid(b, 4), nil
}

// uuid sets version and variant as RFC 9562 has them.
func uuid(b [16]byte, version byte) Password {
	b[6] = b[6]&0x0f | version<<4
	b[8] = b[8]&0x3f | 0x80
	return Password{hide(fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:16]))}
}
