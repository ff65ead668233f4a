// Package password creates the passwords of instances, and prevents them from being printed.
package password

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// redacted is what a password prints as.
const redacted = "[redacted]"

// Password is one instance's password. It prints as [redacted] with every formatting verb and marshaller; only Reveal
// returns it. It holds a function rather than a string, so that even reflection, which %#v of an enclosing type and most
// marshallers use, cannot reach the text.
type Password struct{ reveal func() string }

func hide(text string) Password { return Password{reveal: func() string { return text }} }

// Reveal returns the password. Call it only to write a Secret's data or the flag file.
func (p Password) Reveal() string {
	if p.reveal == nil {
		return ""
	}
	return p.reveal()
}

// Format implements fmt.Formatter for every verb and flag.
func (Password) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// String implements fmt.Stringer.
func (Password) String() string { return redacted }

// GoString implements fmt.GoStringer.
func (Password) GoString() string { return redacted }

// MarshalText implements encoding.TextMarshaler, which JSON, YAML, XML and log/slog use too.
func (Password) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Parse parses a password that was not generated here. It accepts what can be passed to the server unchanged:
// non-empty valid UTF-8 without NULs and line breaks. The error never quotes the password.
func Parse(text string) (Password, error) {
	switch {
	case text == "":
		return Password{}, errors.New("is empty; set a password")
	case !utf8.ValidString(text):
		return Password{}, errors.New("is not valid UTF-8; use another password, such as one of letters and digits")
	case strings.HasSuffix(text, "\n") && !strings.ContainsAny(strings.TrimRight(text, "\r\n"), "\r\n\x00"):
		return Password{}, errors.New("ends with a line break; remove it, for example with `echo -n`")
	case strings.ContainsAny(text, "\r\n\x00"):
		return Password{}, errors.New("contains a line break or a NUL, which cannot be passed to the server; use another password")
	}
	return hide(text), nil
}

// Random returns a version 4 UUID made from bytes of random.
func Random(random io.Reader) (Password, error) {
	var b [16]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return Password{}, fmt.Errorf("the system's random number generator failed: %w", err)
	}
	b[6], b[8] = b[6]&0x0f|4<<4, b[8]&0x3f|0x80 // the version and variant, as RFC 9562 requires
	return hide(fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:16])), nil
}
