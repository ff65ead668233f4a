//go:build conformance && linux

package conformance

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// certManagerTypes makes the API server serve the types of cert-manager.
func certManagerTypes(t *testing.T) {
	t.Helper()
	for _, kind := range []string{"certificates", "certificaterequests", "issuers", "clusterissuers"} {
		apply(t, moduleFile(t, "../../tools/cert-manager", "github.com/cert-manager/cert-manager", "deploy/crds/cert-manager.io_"+kind+".yaml"))
		established(t, kind+".cert-manager.io")
	}
}

// startCertManager runs cert-manager's controllers until the test ends.
func startCertManager(t *testing.T) {
	t.Helper()
	var log bytes.Buffer
	controllers := exec.Command("cert-manager")
	controllers.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig)
	controllers.Stdout, controllers.Stderr = &log, &log
	require.NoError(t, controllers.Start())
	t.Cleanup(func() {
		_ = controllers.Process.Kill()
		_ = controllers.Wait()
		if t.Failed() {
			t.Logf("cert-manager:\n%s", log.Bytes()[max(0, log.Len()-3000):])
		}
	})
}

const internalIssuer = `
apiVersion: cert-manager.io/v1
kind: ClusterIssuer
metadata: {name: own}
spec: {selfSigned: {}}
---
apiVersion: cert-manager.io/v1
kind: Certificate
metadata: {name: authority, namespace: cert-manager}
spec:
  isCA: true
  commonName: authority
  secretName: authority
  privateKey: {algorithm: ECDSA}
  issuerRef: {kind: ClusterIssuer, name: own}
---
apiVersion: cert-manager.io/v1
kind: ClusterIssuer
metadata: {name: internal}
spec: {ca: {secretName: authority}}
`

// cert-manager issues the Certificate of each instance, and clients trust the server by every name of its Service.
func TestCertificateIsIssued(t *testing.T) {
	t.Parallel()
	certManagerTypes(t)
	namespace(t, "cert-manager")
	startCertManager(t)
	apply(t, internalIssuer)
	eventually(t, "True", "get", "clusterissuer/internal", "-o", "jsonpath={.status.conditions[0].status}")

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

	diff, stderr, ok := kubectl(t, manifests, "diff", "--server-side", "-f", "-")
	assert.True(t, ok, stderr)
	assert.Empty(t, diff, "what cert-manager writes is no drift")
}

// decoded returns the value of a Secret's key.
func decoded(t *testing.T, namespace, secret, key string) []byte {
	t.Helper()
	value, err := base64.StdEncoding.DecodeString(must(t, "", "get", "secret", secret, "-n", namespace, "-o", `go-template={{index .data "`+key+`"}}`))
	require.NoError(t, err)
	return value
}
