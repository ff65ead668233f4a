package password_test

import (
	"bytes"
	"encoding/base64"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/internal/prepare/password"
)

func parse(t *testing.T, text string) password.Password {
	t.Helper()
	p, err := password.Parse(text)
	require.NoError(t, err)
	return p
}

var uuid4 = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

func TestRandom(t *testing.T) {
	for _, tc := range []struct {
		reason, want string
		random       io.Reader
	}{
		{"Version and variant are set in zeros.", "00000000-0000-4000-8000-000000000000", bytes.NewReader(make([]byte, 16))},
		{"Version and variant are set in ones.", "ffffffff-ffff-4fff-bfff-ffffffffffff", bytes.NewReader(bytes.Repeat([]byte{0xff}, 16))},
		{"All other bits come from the generator, in order.", "00010203-0405-4607-8809-0a0b0c0d0e0f", bytes.NewReader([]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15})},
		{"A generator that returns one byte at a time is read until there are enough.", "61616161-6161-4161-a161-616161616161", iotest.OneByteReader(strings.NewReader(strings.Repeat("a", 16)))},
	} {
		got, err := password.Random(tc.random)
		require.NoError(t, err, tc.reason)
		assert.Equal(t, tc.want, got.Reveal(), tc.reason)
		assert.Regexp(t, uuid4, got.Reveal(), tc.reason)
	}
}

func TestRandomFails(t *testing.T) {
	broken := errors.New("no entropy")
	for _, tc := range []struct {
		reason string
		random io.Reader
		want   error
	}{
		{"An error from the generator is returned.", iotest.ErrReader(broken), broken},
		{"A generator that ends too early causes an error, not a password with zeros.", strings.NewReader("hunter2"), io.ErrUnexpectedEOF},
		{"A generator that fails halfway causes an error.", io.MultiReader(strings.NewReader("hunter2"), iotest.ErrReader(broken)), broken},
	} {
		got, err := password.Random(tc.random)
		require.ErrorIs(t, err, tc.want, tc.reason)
		assert.Empty(t, got.Reveal(), tc.reason)
		assert.NotContains(t, err.Error(), "hunter2", tc.reason)
	}
}

func TestParse(t *testing.T) {
	for _, tc := range []struct{ reason, text, problem string }{
		{"A word is a password.", "hunter2", ""},
		{"One character is enough for someone else's password.", "x", ""},
		{"Leading and trailing white space is part of the password.", " \thunter2 ", ""},
		{"Any UTF-8 is a password.", "pässwörd €", ""},
		{"A password may be long.", strings.Repeat("hunter2", 1000), ""},
		{"An empty password is refused.", "", "empty"},
		{"A trailing line break is probably from echo without -n.", "hunter2\n", "echo -n"},
		{"So is one from Windows.", "hunter2\r\n", "echo -n"},
		{"A line break alone is refused.", "\n", "line break"},
		{"A line break would end the line of the flag file.", "hunter2\nhunter3", "line break"},
		{"A line break at the start is not one at the end.", "\nhunter2", "line break"},
		{"A carriage return is a line break.", "hunter2\rhunter3", "line break"},
		{"A carriage return at the end is a line break.", "hunter2\r", "line break"},
		{"A NUL ends an environment variable.", "hunter2\x00hunter3", "NUL"},
		{"A trailing line break does not hide a NUL before it.", "hunter2\x00\n", "NUL"},
		{"A password that is not UTF-8 cannot be written as YAML text.", "hunter2\xff", "UTF-8"},
	} {
		got, err := password.Parse(tc.text)
		if tc.problem == "" {
			require.NoError(t, err, tc.reason)
			assert.Equal(t, tc.text, got.Reveal(), tc.reason)
			assert.NotEmpty(t, got.Reveal(), tc.reason)
			continue
		}
		require.ErrorContains(t, err, tc.problem, tc.reason)
		assert.NotContains(t, err.Error(), "hunter", tc.reason)
		assert.Empty(t, got.Reveal(), tc.reason)
	}
	assert.Empty(t, password.Password{}.Reveal(), "The zero value reveals nothing, and does not panic.")
}

// TestRedacted prints a password in every way that might show it to someone.
func TestRedacted(t *testing.T) {
	const marker = "hunter2-hunter2-hunter2-hunter2!"
	p := parse(t, marker)

	type nested struct {
		Password    password.Password
		hidden      password.Password
		pointer     *password.Password
		list        []password.Password
		byName      map[string]password.Password
		Any         any
		hiddenInAny any
	}
	type embedding struct {
		password.Password
		inner password.Password
	}
	deep := nested{p, p, &p, []password.Password{p}, map[string]password.Password{"x": p}, p, p}
	values := map[string]any{
		"a password": p, "a pointer": &p, "a list": []password.Password{p}, "an array": [1]password.Password{p},
		"a map": map[string]password.Password{"x": p}, "a struct": deep, "a pointer to a struct": &deep,
		"an embedding struct": embedding{p, p},
		"anything":            []any{p, &p, deep},
	}

	var verbs []string
	for _, flags := range []string{"", "+", "-", "#", " ", "0", "+#", "# ", "100", ".3", "-100.50"} {
		for _, verb := range "vsqxXdtTpbcoOUeEfFgG" {
			verbs = append(verbs, "%"+flags+string(verb))
		}
	}
	for what, value := range values {
		for _, verb := range append(verbs, "%w", "%!", "%z") {
			hides(t, marker, fmt.Sprintf(verb, value), "Sprintf(%q) of %s", verb, what)
		}
		hides(t, marker, fmt.Sprint(value), "Sprint of %s", what)
		hides(t, marker, fmt.Sprintln(value), "Sprintln of %s", what)
		hides(t, marker, fmt.Errorf("a: %w", fmt.Errorf("b: %v, %w", value, io.EOF)).Error(), "An error about %s", what)
		hides(t, marker, errors.Join(io.EOF, fmt.Errorf("%s", value)).Error(), "Joined errors about %s", what)
		hides(t, marker, func() (text string) {
			defer func() { text = fmt.Sprint(recover()) }()
			panic(value)
		}(), "A panic with %s", what)

		var out bytes.Buffer
		log.New(&out, "", 0).Print(value)
		options := &slog.HandlerOptions{Level: slog.LevelDebug}
		for _, handler := range []slog.Handler{slog.NewTextHandler(&out, options), slog.NewJSONHandler(&out, options)} {
			slog.New(handler).With("with", value).Info("message", "key", value, slog.Group("group", "key", value))
		}
		_ = gob.NewEncoder(&out).Encode(value)
		_ = xml.NewEncoder(&out).Encode(value)
		_ = json.NewEncoder(&out).Encode(value)
		hides(t, marker, out.String(), "log, slog, gob, XML and JSON of %s", what)
	}

	for what, value := range map[string]any{
		"a password": p, "a pointer": &p, "a list": []password.Password{p}, "a map": map[string]password.Password{"x": p},
		"a struct": struct {
			Password password.Password
			Pointer  *password.Password
		}{p, &p},
	} {
		for name, marshal := range map[string]func(any) ([]byte, error){"json": json.Marshal, "yaml": yaml.Marshal} {
			out, err := marshal(value)
			require.NoError(t, err, "%s.Marshal of %s", name, what)
			hides(t, marker, string(out), "%s.Marshal of %s", name, what)
			assert.Contains(t, string(out), "[redacted]", "%s.Marshal of %s shows that there is a password", name, what)
		}
	}
	for _, verb := range verbs {
		if !strings.ContainsAny(verb, "Tp") { // for which fmt does not ask the value
			assert.Equal(t, "[redacted]", fmt.Sprintf(verb, p), "Sprintf(%q) of a password", verb)
		}
	}
	for _, text := range []string{p.String(), p.GoString()} {
		assert.Equal(t, "[redacted]", text, "The text is not returned either.")
	}
	assert.Equal(t, marker, p.Reveal(), "There is a password, so this test can fail.")
}

// hides fails if the text contains a part of the marker, in plain text or encoded.
func hides(t *testing.T, marker, text, format string, args ...any) {
	t.Helper()
	part := marker[:6] // "hunter": three bytes are four characters of base64
	decimal := strings.Trim(fmt.Sprintf("%d", []byte(part)), "[]")
	for encoding, secret := range map[string]string{
		"plain": part, "hex": hex.EncodeToString([]byte(part)), "spaced hex": fmt.Sprintf("% x", part), "bytes": fmt.Sprintf("%# x", part),
		"base64": base64.StdEncoding.EncodeToString([]byte(part)), "decimal": decimal,
	} {
		if strings.Contains(strings.ToLower(text), strings.ToLower(secret)) {
			t.Errorf("%s contains the secret (%s)", fmt.Sprintf(format, args...), encoding)
		}
	}
}
