// Package certmanager runs cert-manager's own controllers against the cluster of a test. They are bin/cert-manager,
// which make builds. The package needs kubectl in PATH.
package certmanager

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

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
func ServeTypes(t testing.TB, kubeconfig string) {
	t.Helper()
	for _, kind := range []string{"certificates", "certificaterequests", "issuers", "clusterissuers"} {
		apply(t, kubeconfig, testkit.ModuleFile(t, filepath.Join(testkit.Root(t), "tools", "cert-manager"),
			"github.com/cert-manager/cert-manager", "deploy/crds/cert-manager.io_"+kind+".yaml"))
		waitForTrue(t, kubeconfig, "crd/"+kind+".cert-manager.io", "Established")
	}
}

// Start runs the controllers until the test ends, and waits until Issuer can issue.
func Start(t testing.TB, kubeconfig string) {
	t.Helper()
	ServeTypes(t, kubeconfig)
	apply(t, kubeconfig, objects)
	var log bytes.Buffer
	controllers := exec.Command(filepath.Join(testkit.Root(t), "bin", "cert-manager")) //nolint:gosec // the program that make builds
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
	waitForTrue(t, kubeconfig, "clusterissuer/"+Issuer, "Ready")
}

func apply(t testing.TB, kubeconfig, manifests string) {
	t.Helper()
	_, err := kubectl(kubeconfig, manifests, "apply", "--server-side", "-f", "-")
	require.NoError(t, err)
}

// waitForTrue waits for a condition of an object. kubectl wait fails on an object that has no conditions yet.
func waitForTrue(t testing.TB, kubeconfig, object, condition string) {
	t.Helper()
	var status string
	var err error
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		status, err = kubectl(kubeconfig, "", "get", object, "-o", `jsonpath={.status.conditions[?(@.type=="`+condition+`")].status}`)
		if err == nil && status == "True" {
			return
		}
	}
	require.NoError(t, err)
	require.Equal(t, "True", status, "condition %s of %s after two minutes", condition, object)
}

// kubectl runs kubectl with stdin and returns its stdout.
func kubectl(kubeconfig, stdin string, args ...string) (string, error) {
	cmd := exec.Command("kubectl", append([]string{"--kubeconfig", kubeconfig}, args...)...) //nolint:gosec // arguments of tests
	cmd.Stdin = strings.NewReader(stdin)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("kubectl %s: %w\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return string(stdout), nil
}
