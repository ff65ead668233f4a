package handover_test

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bizmatters/dragonfly-generator/internal/prepare/handover"
)

// expand expands args as the kubelet does, and makes expanded variables recognizable.
func expand(args []string) []string {
	var expanded []string
	for _, arg := range args {
		var out strings.Builder
		for i := 0; i < len(arg); i++ {
			rest := arg[i+1:]
			end := strings.IndexByte(rest, ')')
			switch {
			case arg[i] != '$':
				out.WriteByte(arg[i])
			case strings.HasPrefix(rest, "$"):
				out.WriteByte('$')
				i++
			case strings.HasPrefix(rest, "(") && end > 0:
				out.WriteString("<" + rest[1:end] + ">")
				i += end + 1
			default:
				out.WriteByte('$')
			}
		}
		expanded = append(expanded, out.String())
	}
	return expanded
}

func TestArgsSurviveKubernetes(t *testing.T) {
	for _, tc := range []struct {
		reason  string
		request handover.Request
		want    []string
	}{
		{"The request is empty.", handover.Request{}, []string{"prepare"}},
		{"Everything is set, and the keys are sorted.",
			handover.Request{
				Data: "/data", Bucket: "s3://backups/dragonfly/my-namespace/my-cache", FlagFile: true, MaxMemory: 751619276, MemoryLimit: 1 << 30, Existing: true,
				RotationKey: "password-d4735e3a265e16ee", Keys: map[string]string{"uri": "redis://:{passwordEncoded}@{endpoint}:6379/0", "DRAGONFLY_PASSWORD": "{password}"},
			},
			[]string{"prepare", "--data=/data", "--bucket=s3://backups/dragonfly/my-namespace/my-cache", "--flag-file", "--max-memory=751619276", "--memory-limit=1073741824",
				"--existing", "--rotation-key=password-d4735e3a265e16ee", "--key=DRAGONFLY_PASSWORD={password}", "--key=uri=redis://:{passwordEncoded}@{endpoint}:6379/0"}},
		{"Kubernetes would expand this.", handover.Request{Keys: map[string]string{"a": "$(HOME) {password}"}},
			[]string{"prepare", "--key=a=$$(HOME) {password}"}},
		{"Kubernetes would halve these, and expand the last.", handover.Request{Keys: map[string]string{"a": "$$ $x $$(HOME) $"}},
			[]string{"prepare", "--key=a=$$$$ $$x $$$$(HOME) $$"}},
		{"The URL of a bucket may contain anything.", handover.Request{Bucket: `--$(A)="2", 'x'`},
			[]string{"prepare", `--bucket=--$$(A)="2", 'x'`}},
		{"A template may be empty, or contain equals signs, commas and line breaks.", handover.Request{Keys: map[string]string{"a": "", "b": "x=1,y=2\nz={password}"}},
			[]string{"prepare", "--key=a=", "--key=b=x=1,y=2\nz={password}"}},
	} {
		args := tc.request.Args()
		assert.Equal(t, tc.want, args, tc.reason)
		got, err := parse(expand(args))
		require.NoError(t, err, tc.reason)
		assert.Equal(t, tc.request, got, tc.reason)
		assert.Equal(t, tc.request, handover.ParseArgs(args), tc.reason)
	}
	assert.Equal(t, handover.Request{Existing: true}, handover.ParseArgs([]string{"prepare", "--older=1", "--existing"}), "Flags of another version do not matter.")
}

// parse reads what Args returns. cobra takes the command off.
func parse(args []string) (handover.Request, error) {
	var r handover.Request
	flags := pflag.NewFlagSet(args[0], pflag.ContinueOnError)
	r.Bind(flags)
	return r, flags.Parse(args[1:])
}

func TestParseRefuses(t *testing.T) {
	for reason, args := range map[string][]string{
		"An unknown flag.": {"prepare", "--seed=x"},
		"The rotation, which is read from the annotation.": {"prepare", "--rotation=2"},
		"A size with a unit.":                              {"prepare", "--max-memory=1Gi"},
		"A key without a template.":                        {"prepare", "--key=uri"},
		"A template without a key.":                        {"prepare", "--key==x"},
	} {
		_, err := parse(args)
		assert.Error(t, err, reason)
	}
}

// The keys must never change: manifests from other releases read them.
func TestRotationKey(t *testing.T) {
	for rotation, want := range map[string]string{
		"":                     "password",
		"2":                    "password-d4735e3a265e16ee", // printf 2 | sha256sum
		"2026-08 after a leak": "password-4c000e0a4333b91d",
	} {
		assert.Equal(t, want, handover.RotationKey(rotation), rotation)
		assert.Equal(t, rotation != "", handover.IsRotationKey(want), want)
	}
	for _, other := range []string{"password-old", "password-D4735E3A265E16EE", "password-d4735e3a265e16ee0", "xpassword-d4735e3a265e16ee"} {
		assert.False(t, handover.IsRotationKey(other), other)
	}
}

func TestFill(t *testing.T) {
	values := handover.Values{Password: "p {password} @/:%+é~", Endpoint: "my-cache.my-namespace.svc", Name: "my-cache", Namespace: "my-namespace"}
	assert.Equal(t, "p {password} @/:%+é~ p%20%7Bpassword%7D%20%40%2F%3A%25%2B%C3%A9~ my-cache.my-namespace.svc my-namespace/my-cache ${name} {{name}} {port} {passwordencoded}",
		values.Fill("{password} {passwordEncoded} {endpoint} {namespace}/{name} ${name} {{name}} {port} {passwordencoded}"), "Placeholders are filled in once, and nothing else changes.")
}

// All but the unreserved characters of RFC 3986 are encoded, byte by byte.
func TestPasswordEncoded(t *testing.T) {
	const unreserved = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
	for b := range 256 {
		text := string([]byte{byte(b)})
		want := text
		if !strings.Contains(unreserved, text) {
			want = fmt.Sprintf("%%%02X", b)
		}
		assert.Equal(t, want, handover.Values{Password: text}.Fill("{passwordEncoded}"), b)
	}
}

func TestNeeds(t *testing.T) {
	for template, needs := range map[string]struct{ password, endpoint, pod bool }{
		"{scheme}://{name_}:{port}/0 ${password} {{endpoint}} {Name}": {},
		"redis://:{password}@{endpoint}":                              {password: true, endpoint: true, pod: true},
		"{passwordEncoded}":                                           {password: true, pod: true},
		"{endpoint}:{port}":                                           {endpoint: true, pod: true},
		"{name}":                                                      {pod: true},
		"{namespace}":                                                 {pod: true},
	} {
		assert.Equal(t, needs.password, handover.NeedsPassword(template), template)
		assert.Equal(t, needs.endpoint, handover.NeedsEndpoint(template), template)
		assert.Equal(t, needs.pod, handover.NeedsPod(template), template)
	}
}

// The function imports this package, so it must not pull in passwords.
func TestImports(t *testing.T) {
	deps, err := exec.Command("go", "list", "-deps", ".").Output()
	require.NoError(t, err)
	assert.NotContains(t, string(deps), "internal/prepare/password", "The function never handles passwords.")
}

func TestCertificateArgs(t *testing.T) {
	for _, tc := range []struct {
		request handover.CertificateRequest
		want    []string
	}{
		{handover.CertificateRequest{TLS: "/tls", Address: "127.0.0.1:6379", FlagFile: true}, []string{"keep-certificate", "--tls=/tls", "--address=127.0.0.1:6379", "--flag-file"}},
		{handover.CertificateRequest{TLS: "/$(A)", Address: "[::1]:6379", Admin: "[::1]:9999"}, []string{"keep-certificate", "--tls=/$$(A)", "--address=[::1]:6379", "--admin=[::1]:9999"}},
	} {
		args := tc.request.Args()
		assert.Equal(t, tc.want, args)
		var got handover.CertificateRequest
		flags := pflag.NewFlagSet("", pflag.ContinueOnError)
		got.Bind(flags)
		require.NoError(t, flags.Parse(expand(args)))
		assert.Equal(t, tc.request, got)
	}
}

func TestFlagFile(t *testing.T) {
	const password = ` #a "b" --maxmemory=1 ` // Abseil takes it literally
	assert.Equal(t, "--requirepass="+password+"\n", handover.FlagFileText(password, 0))
	text := handover.FlagFileText(password, 751619276)
	assert.Equal(t, "--requirepass="+password+"\n--maxmemory=751619276\n", text)
	got, found := handover.FlagFilePassword("--maxmemory=1\n" + text)
	assert.True(t, found)
	assert.Equal(t, password, got)
	got, found = handover.FlagFilePassword("--requirepass=cut")
	assert.True(t, found)
	assert.Equal(t, "cut", got)
	_, found = handover.FlagFilePassword("--maxmemory=1\n")
	assert.False(t, found)
}
