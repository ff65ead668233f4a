//go:build node

package node

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"github.com/bizmatters/dragonfly-generator/test/certmanager"
)

const (
	configTLS = config + "  tls:\n    issuerRef: {kind: ClusterIssuer, name: " + certmanager.Issuer + "}\n"
	// renewalLimit is longer than the kubelet takes to update a mounted Secret (up to 90 s) plus the sidecar to notice
	// (up to 30 s), because machines are busy.
	renewalLimit = 4 * time.Minute
	// toldServer is what the sidecar logs when it has the server read the certificate.
	toldServer = "told the server to load the mounted certificate\n"
)

// cert-manager renews the certificate of a running server. Then something breaks the Secret, and cert-manager repairs
// it. Connected clients never notice, and new ones can always connect.
func TestCertificateRenewed(t *testing.T) {
	t.Parallel()
	certmanager.Start(t)
	for _, source := range []string{"InCluster", "Existing", "External"} {
		t.Run(source, func(t *testing.T) {
			t.Parallel()
			i := newInstance(t, "certificate-"+strings.ToLower(source))
			switch source {
			case "External":
				i.make("my-cache-conn", "endpoint", "my-cache."+i.namespace+".svc.cluster.local", "port", "6379", "password", "of-their-own")
				fallthrough
			case "Existing":
				i.make("my-cache-password", "password", "of-their-own")
			}
			manifests := manifests(t, claim(i.namespace, "password-source", source), configTLS)
			i.apply(manifests)
			pod := i.ready("")
			i.assertUndisturbed(pod)
			assertNativeSidecar(t, pod)

			first := i.certificate()
			clients := i.newClients()
			require.Equal(t, "+OK", exchange(t, clients.connect(first), "SET answer 42"))
			log := presentedLine(first)
			i.waitForSidecarLog(log)

			start := time.Now()
			i.renewCertificate()
			renewed := i.newCertificate(first)
			clients.waitForCertificate(renewed)
			t.Logf("new connections get the renewed certificate %s after the renewal began", time.Since(start).Round(time.Second))
			log += toldServer + presentedLine(renewed)
			i.waitForSidecarLog(log)
			i.assertUndisturbed(pod)

			i.kubectl("delete", "certificate", "my-cache") // or cert-manager would repair the Secret at once
			i.replaceCertificate(first)
			i.hastenMount()
			log += "the certificate and key in /etc/dragonfly/tls are not a valid pair: tls: private key does not match public key; " +
				"the server keeps its current certificate, but will not work after a restart unless the mounted files are corrected\n"
			i.waitForSidecarLog(log)
			clients.connect(renewed)
			clients.assertConnected()
			i.assertUndisturbed(pod)
			t.Log("a certificate that does not match its key is not applied")

			i.apply(manifests)
			mended := i.newCertificate(first, renewed)
			i.hastenMount()
			clients.waitForCertificate(mended)
			log += toldServer + presentedLine(mended)
			i.waitForSidecarLog(log)
			i.assertUndisturbed(pod)
			t.Log("the Certificate is applied again: cert-manager issues another pair, and new connections get it")
		})
	}
}

// assertNativeSidecar asserts that the sidecar is an init container that keeps running.
func assertNativeSidecar(t *testing.T, pod corev1.Pod) {
	t.Helper()
	last := len(pod.Spec.InitContainers) - 1
	require.Equal(t, "keep-certificate", pod.Spec.InitContainers[last].Name)
	require.NotNil(t, pod.Spec.InitContainers[last].RestartPolicy)
	assert.Equal(t, corev1.ContainerRestartPolicyAlways, *pod.Spec.InitContainers[last].RestartPolicy)
	assert.NotNil(t, pod.Status.InitContainerStatuses[last].State.Running)
}

// assertUndisturbed asserts that the pod is still the same and ready, and that none of its containers has restarted.
func (i instance) assertUndisturbed(before corev1.Pod) {
	i.t.Helper()
	assert.Equal(i.t, []string{"2/2", "Running"}, strings.Fields(i.kubectl("get", "pod", "my-cache-0", "--no-headers"))[1:3])
	pod, err := i.pod()
	require.NoError(i.t, err)
	assert.Equal(i.t, before.UID, pod.UID)
	for _, container := range append(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses...) {
		assert.Zero(i.t, container.RestartCount, container.Name)
	}
}

// certificate returns the certificate of the Secret.
func (i instance) certificate() *x509.Certificate {
	i.t.Helper()
	block, _ := pem.Decode([]byte(i.secret("my-cache-tls", `tls\.crt`)))
	require.NotNil(i.t, block)
	certificate, err := x509.ParseCertificate(block.Bytes)
	require.NoError(i.t, err)
	return certificate
}

// replaceCertificate replaces the certificate of the Secret, but not its key.
func (i instance) replaceCertificate(certificate *x509.Certificate) {
	i.t.Helper()
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw})
	i.kubectl("patch", "secret", "my-cache-tls", "--type=merge", "--patch", fmt.Sprintf(`{"data": {"tls.crt": %q}}`, base64.StdEncoding.EncodeToString(text)))
}

// newCertificate waits until the Secret has a certificate other than these.
func (i instance) newCertificate(known ...*x509.Certificate) *x509.Certificate {
	i.t.Helper()
	var certificate *x509.Certificate
	eventually(i.t, func() error {
		if certificate = i.certificate(); slices.ContainsFunc(known, certificate.Equal) {
			return errors.New("cert-manager has not issued another certificate")
		}
		return nil
	})
	return certificate
}

// renewCertificate makes cert-manager renew the certificate now, as `cmctl renew` does.
func (i instance) renewCertificate() {
	i.t.Helper()
	eventually(i.t, func() error {
		if conditions := i.kubectl("get", "certificate", "my-cache", "-o", "jsonpath={.status.conditions[*].type}"); conditions != "Ready" {
			return fmt.Errorf("the certificate is still being issued: it has the conditions %q", conditions)
		}
		return nil
	})
	i.kubectl("patch", "certificate", "my-cache", "--subresource=status", "--type=json", "--patch", `[{"op": "add", "path": "/status/conditions/-", "value": {
		"type": "Issuing", "status": "True", "reason": "ManuallyTriggered", "message": "Certificate re-issuance manually triggered"}}]`)
}

// hastenMount makes the kubelet update the mounted Secrets now, because it syncs a changed pod at once.
func (i instance) hastenMount() {
	i.t.Helper()
	i.kubectl("annotate", "pod", "my-cache-0", "--overwrite", "changed="+time.Now().Format("150405.000"))
}

// presentedLine is what the sidecar logs about a certificate that the server presents.
func presentedLine(certificate *x509.Certificate) string {
	return "the server presents the mounted certificate, valid until " + certificate.NotAfter.UTC().Format(time.RFC3339) + "\n"
}

// waitForSidecarLog waits until the sidecar has logged exactly this.
func (i instance) waitForSidecarLog(want string) {
	i.t.Helper()
	within(i.t, renewalLimit, func() error {
		log := i.kubectl("logs", "my-cache-0", "-c", "keep-certificate")
		if log != want {
			time.Sleep(time.Second)
			return fmt.Errorf("the sidecar should have logged\n%s\nbut has logged\n%s", want, log)
		}
		return nil
	})
}

// clients are applications that connect with TLS. They verify the server by its endpoint, and stay connected.
type clients struct {
	t                 *testing.T
	address, password string
	config            *tls.Config
	connections       []*tls.Conn
}

func (i instance) newClients() *clients {
	i.t.Helper()
	authority := x509.NewCertPool()
	require.True(i.t, authority.AppendCertsFromPEM([]byte(i.secret("my-cache-tls", `ca\.crt`))))
	address := i.address()
	host, port, err := net.SplitHostPort(address)
	require.NoError(i.t, err)
	eventually(i.t, func() error { return listens(host, port) }) // kube-proxy may not know yet that a pod is Ready
	return &clients{
		t: i.t, address: address, password: i.password(),
		config: &tls.Config{RootCAs: authority, ServerName: i.secret("my-cache-conn", "endpoint")},
	}
}

// dial opens a connection.
func (c *clients) dial() *tls.Conn {
	c.t.Helper()
	connection, err := tls.DialWithDialer(&net.Dialer{Timeout: time.Minute}, "tcp", c.address, c.config)
	require.NoError(c.t, err)
	c.t.Cleanup(func() { connection.Close() })
	require.Equal(c.t, "+OK", exchange(c.t, connection, "AUTH "+c.password))
	return connection
}

// connect adds a connection, to which the server must present this certificate.
func (c *clients) connect(certificate *x509.Certificate) *tls.Conn {
	c.t.Helper()
	connection := c.dial()
	require.True(c.t, presented(connection).Equal(certificate))
	c.connections = append(c.connections, connection)
	return connection
}

// waitForCertificate waits until a new connection gets this certificate. Until then, new ones get the same as the last
// one.
func (c *clients) waitForCertificate(certificate *x509.Certificate) {
	c.t.Helper()
	before := presented(c.connections[len(c.connections)-1])
	within(c.t, renewalLimit, func() error {
		c.assertConnected()
		connection := c.dial()
		if got := presented(connection); !got.Equal(certificate) {
			require.True(c.t, got.Equal(before))
			connection.Close()
			time.Sleep(time.Second)
			return errors.New("new connections still get the previous certificate")
		}
		c.connections = append(c.connections, connection)
		return nil
	})
	c.assertConnected()
}

// assertConnected asserts that all connections are usable.
func (c *clients) assertConnected() {
	c.t.Helper()
	for _, connection := range c.connections {
		require.Equal(c.t, "42", exchange(c.t, connection, "GET answer"))
	}
}

// presented returns the certificate that the server presented.
func presented(connection *tls.Conn) *x509.Certificate {
	return connection.ConnectionState().PeerCertificates[0]
}
