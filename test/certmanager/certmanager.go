// Package certmanager runs cert-manager's own controllers in the cluster that KUBECONFIG names. They are bin/cert-manager,
// which make builds. The package needs kubectl in PATH.
package certmanager

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bizmatters/dragonfly-generator/internal/testkit"
)

// Issuer is the name of the ClusterIssuer that Start creates. It issues from its own CA.
const Issuer = "internal"

const objects = `
apiVersion: v1
kind: Namespace
metadata: {name: cert-manager}
---
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
metadata: {name: ` + Issuer + `}
spec: {ca: {secretName: authority}}
`

// ServeTypes makes the API server serve cert-manager's types.
func ServeTypes(t testing.TB) {
	t.Helper()
	for _, kind := range []string{"certificates", "certificaterequests", "issuers", "clusterissuers"} {
		apply(t, testkit.ModuleFile(t, filepath.Join(testkit.Root(t), "tools", "cert-manager"),
			"github.com/cert-manager/cert-manager", "deploy/crds/cert-manager.io_"+kind+".yaml"))
		testkit.WaitForTrue(t, "crd/"+kind+".cert-manager.io", "Established")
	}
}

// Start runs the controllers until the test ends, and waits until Issuer can issue.
func Start(t testing.TB) {
	t.Helper()
	ServeTypes(t)
	apply(t, objects)
	var log bytes.Buffer
	controllers := exec.Command(filepath.Join(testkit.Root(t), "bin", "cert-manager")) //nolint:gosec // the program that make builds
	controllers.Stdout, controllers.Stderr = &log, &log
	require.NoError(t, controllers.Start())
	t.Cleanup(func() {
		_ = controllers.Process.Kill()
		_ = controllers.Wait()
		if t.Failed() {
			t.Logf("cert-manager:\n%s", log.Bytes()[max(0, log.Len()-3000):])
		}
	})
	testkit.WaitForTrue(t, "clusterissuer/"+Issuer, "Ready")
}

func apply(t testing.TB, manifests string) {
	t.Helper()
	_, err := testkit.Kubectl(manifests, "apply", "--server-side", "-f", "-")
	require.NoError(t, err)
}
