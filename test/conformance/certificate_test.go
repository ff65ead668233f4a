//go:build conformance && linux

package conformance

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bizmatters/dragonfly-generator/test/certmanager"
)

// cert-manager issues the Certificate of each instance, and clients trust the server by every name of its Service.
func TestCertificateIsIssued(t *testing.T) {
	t.Parallel()
	certmanager.Start(t)

	const ns = "certified"
	namespace(t, ns)
	manifests, warnings := render(t, configurationBlock(t, "Use TLS", 0), claim(ns, "my-cache", "small"), claim(ns, "sessions", "micro"))
	assert.Empty(t, warnings)
	apply(t, manifests)
	for _, name := range []string{"my-cache", "sessions"} {
		eventually(t, "True", "get", "certificate/"+name, "-n", ns, "-o", "jsonpath={.status.conditions[?(@.type=='Ready')].status}")
		secret := get(t, ns, "statefulset/"+name, `.spec.template.spec.volumes[?(@.name=="dragonfly-tls")].secret.secretName`)
		pair, err := tls.X509KeyPair(decoded(t, ns, secret, "tls.crt"), decoded(t, ns, secret, "tls.key"))
		require.NoError(t, err)
		authority := x509.NewCertPool()
		require.True(t, authority.AppendCertsFromPEM(decoded(t, ns, secret, "ca.crt")))
		for _, host := range []string{name, name + "." + ns, name + "." + ns + ".svc", name + "." + ns + ".svc.cluster.local"} {
			_, err := pair.Leaf.Verify(x509.VerifyOptions{DNSName: host, Roots: authority})
			assert.NoError(t, err, host)
		}
	}

	noDiff(t, manifests) // what cert-manager writes must not count as drift
}

// decoded returns the value of a Secret's key.
func decoded(t *testing.T, namespace, secret, key string) []byte {
	t.Helper()
	value, err := base64.StdEncoding.DecodeString(must(t, "", "get", "secret", secret, "-n", namespace, "-o", `go-template={{index .data "`+key+`"}}`))
	require.NoError(t, err)
	return value
}
