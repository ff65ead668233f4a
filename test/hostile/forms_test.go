// Package hostile_test feeds the program inputs that take long or need much memory, that YAML readers disagree about,
// and streams that break.
package hostile_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bizmatters/dragonfly-generator/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// The parts of the lists in these tests.
const (
	listHead    = "apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nitems:\n"
	listKptfile = "- {apiVersion: kpt.dev/v1, kind: Kptfile, metadata: {name: x}}\n"
	claimHead   = "- apiVersion: database.bizmatters.io/v1alpha1\n  kind: DragonflyInstance\n"
	listClaim   = claimHead + "  metadata: {name: my-cache, namespace: my-namespace}\n"
	listMark    = "database.bizmatters.io/generated-from: my-namespace/my-cache"
)

// TestHostileForms passes in text that YAML readers disagree about, or that is not YAML at all.
func TestHostileForms(t *testing.T) {
	const claim = listHead + claimHead + "  metadata:\n    name: my-cache\n    namespace: my-namespace\n  spec:\n    size: small\n"
	replace := func(old, fresh string) string {
		require.Contains(t, claim, old)
		return strings.Replace(claim, old, fresh, 1)
	}
	for _, tc := range []struct {
		reason string
		stdin  string
		stderr string // the error, or "" for success
	}{
		{"A byte-order mark is not part of the list.", "\ufeff" + claim, ""},
		{"Windows line endings work.", strings.ReplaceAll(claim, "\n", "\r\n"), ""},
		{"YAML strings cannot contain NUL.", replace("small", "sm\x00all"), "stdin is not valid YAML"},
		{"An escaped NUL is not allowed in a Kubernetes name.", replace("my-cache", `"my\0cache"`), "metadata.name: must be lower case letters"},
		{"Text that is not UTF-8 is not YAML.", replace("small", "sm\xffall"), "stdin is not valid YAML"},
		{"Nor with broken UTF-8 in another object.", claim + "- {apiVersion: v1, kind: ConfigMap, data: {a: \"\xc3\x28\"}}\n", "stdin is not valid YAML"},
		{"A value tagged as binary is not a string.", replace("small", "!!binary c21hbGw="), `spec.size: must be a string`},
		{"A number is not a name.", replace("my-cache", "1234"), "metadata.name: must be a string"},
		{"Nor is one with an exponent.", replace("my-cache", "1e3"), "metadata.name: must be a string"},
		{"Nor a namespace.", replace("my-namespace", "0123"), "metadata.namespace: must be a string"},
		{"A date is not a name.", replace("my-cache", "2026-08-01"), "metadata.name: must be"},
		{"Nor is a null.", replace("my-cache", "~"), "metadata.name: is missing"},
		{"A bool is not a size.", replace("small", "true"), "spec.size: must be a string"},
		{"A word that only YAML 1.1 takes for a bool is a string, but not a size.", replace("small", "yes"), `unknown size "yes"`},
		{"YAML 1.1 would read 010 as 8.", replace("size: small", "storageGB: 010"), "spec.storageGB: must be a whole number"},
		{"YAML 1.2 writes octal like this.", replace("size: small", "storageGB: 0o10"), "spec.storageGB: must be a whole number"},
		{"Not all readers know hexadecimal numbers.", replace("size: small", "storageGB: 0x10"), "spec.storageGB: must be a whole number"},
		{"YAML 1.1 reads 1:30 as 90.", replace("size: small", "storageGB: 1:30"), "spec.storageGB: must be a whole number"},
		{"YAML 1.1 reads 1_0 as 10.", replace("size: small", "storageGB: 1_0"), "spec.storageGB: must be a whole number"},
		{"Infinity is not a number of GiB.", replace("size: small", "storageGB: .inf"), "spec.storageGB: must be a whole number"},
		{"Readers disagree about which of two fields counts.", replace("size: small", "size: small\n    size: large"), "spec.size: the field appears twice"},
		{"With different quotes, it is the same field.", replace("size: small", "size: small\n    \"size\": large"), "spec.size: the field appears twice"},
		{"A list can have items only once.", claim + "items: []\n", `the field "items" twice`},
		{"A merge key cannot bring in a second name.", replace("name: my-cache", "name: my-cache\n    <<: {name: yours, namespace: theirs}"), ""},
		{"An anchor is expanded.", replace("name: my-cache\n    namespace: my-namespace", "name: &n my-cache\n    namespace: *n"), ""},
		{"A claim in a second document would be missed.", claim + "---\n" + claim, "more than one YAML document"},
		{"So would one after the end of a document.", claim + "...\n---\n" + claim, "more than one YAML document"},
		{"A stream that breaks off in a quote is not a list.", claim + "- {apiVersion: v1, kind: ConfigMap, data: {a: \"b", "stdin is not valid YAML"},
		{"Nor is one that breaks off in a field.", claim + "- apiVersion: v1\n  kin", "stdin is not valid YAML"},
		{"Nor is one that breaks off before its kind.", listHead[:20], "stdin"},
		{"A tag cannot turn it into an object of another type.", replace("spec:", "spec: !!python/object:os.system"), ""},
		{"A YAML directive changes nothing.", "%YAML 1.1\n---\n" + claim, ""},
		{"Neither does an unknown tag prefix.", "%TAG ! tag:example.com,2026:\n---\n" + claim, ""},
	} {
		got := testkit.Call([]byte(tc.stdin))
		if tc.stderr != "" {
			assert.Equal(t, 1, got.ExitCode, tc.reason)
			assert.Contains(t, got.Stderr, tc.stderr, tc.reason)
			continue
		}
		assert.Zero(t, got.ExitCode, "%s %s", tc.reason, got.Stderr)
		assert.Empty(t, got.Stderr, tc.reason)
		assert.Equal(t, 7, strings.Count(got.Stdout, "database.bizmatters.io/generated-from: my-"), tc.reason)
		assert.NotContains(t, got.Stdout, "name: yours-conn", tc.reason)
		again := testkit.Call([]byte(got.Stdout))
		assert.Zero(t, again.ExitCode, tc.reason)
		testkit.Same(t, got.Stdout, again.Stdout, tc.reason)
	}
}
