//go:build conformance && linux

// Package conformance applies the manifests to a real Kubernetes control plane: kube-apiserver, etcd,
// controller-manager and scheduler as plain processes on loopback. There is no kubelet, so pods are created and
// scheduled, but never run. `make conformance` builds what it needs and runs it.
package conformance

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bizmatters/dragonfly-generator/internal/testkit"
)

// kubeconfig is the file with which kubectl and the controllers reach the API server.
var kubeconfig string

func TestMain(m *testing.M) {
	runtime.LockOSThread() // ends the control plane if a test panics
	stop, err := startControlPlane()
	if err == nil {
		err = furnish()
	}
	code := 1
	if err != nil {
		fmt.Fprintln(os.Stderr, "the control plane does not start:", err)
	} else {
		code = m.Run()
	}
	stop()
	os.Exit(code)
}

// startControlPlane starts the four processes from the folder KUBEBUILDER_ASSETS. Call stop also after
// an error.
func startControlPlane() (stop func(), err error) {
	var processes []*exec.Cmd
	dir, err := os.MkdirTemp("", "dragonfly-generator-conformance-")
	stop = func() {
		for i := len(processes) - 1; i >= 0; i-- {
			_ = processes[i].Process.Kill()
			_ = processes[i].Wait()
		}
		_ = os.RemoveAll(dir)
	}
	if err != nil {
		return stop, err
	}
	if err := os.Setenv("KUBECACHEDIR", filepath.Join(dir, "cache")); err != nil { // for kubectl and helm
		return stop, err
	}
	assets := os.Getenv("KUBEBUILDER_ASSETS")
	if assets == "" {
		return stop, fmt.Errorf("KUBEBUILDER_ASSETS names no folder with kube-apiserver, etcd, kube-controller-manager and kube-scheduler; run `make conformance`")
	}
	start := func(name string, args ...string) error {
		log, err := os.Create(filepath.Join(dir, name+".log"))
		if err != nil {
			return err
		}
		cmd := exec.Command(filepath.Join(assets, name), args...)
		cmd.Stdout, cmd.Stderr, cmd.Dir = log, log, dir
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if err := cmd.Start(); err != nil {
			return err
		}
		processes = append(processes, cmd)
		return nil
	}

	ports, err := freePorts(3)
	if err != nil {
		return stop, err
	}
	etcd, peer, server := "http://"+ports[0], "http://"+ports[1], "https://"+ports[2]
	_, serverPort, _ := net.SplitHostPort(ports[2])
	key, err := serviceAccountKey(dir)
	if err != nil {
		return stop, err
	}
	const token = "conformance"
	tokens := filepath.Join(dir, "tokens.csv")
	if err := os.WriteFile(tokens, []byte(token+",admin,admin,system:masters\n"), 0o600); err != nil {
		return stop, err
	}
	kubeconfig = filepath.Join(dir, "kubeconfig")
	if err := os.WriteFile(kubeconfig, fmt.Appendf(nil, `apiVersion: v1
kind: Config
current-context: conformance
clusters:
- {name: conformance, cluster: {server: "%s", insecure-skip-tls-verify: true}}
contexts:
- {name: conformance, context: {cluster: conformance, user: admin}}
users:
- {name: admin, user: {token: %s}}
`, server, token), 0o600); err != nil {
		return stop, err
	}
	if err := os.Setenv("KUBECONFIG", kubeconfig); err != nil { // for kubectl, helm and the appliers
		return stop, err
	}

	if err := start("etcd", "--data-dir", filepath.Join(dir, "etcd"), "--unsafe-no-fsync",
		"--listen-client-urls", etcd, "--advertise-client-urls", etcd,
		"--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", "default="+peer); err != nil {
		return stop, err
	}
	if err := start("kube-apiserver", "--etcd-servers", etcd,
		"--bind-address", "127.0.0.1", "--secure-port", serverPort, "--cert-dir", filepath.Join(dir, "certificates"),
		"--token-auth-file", tokens, "--authorization-mode", "RBAC", "--service-cluster-ip-range", "10.0.0.0/24,fd00:10::/112",
		"--service-account-issuer", "https://conformance.invalid", "--service-account-key-file", key, "--service-account-signing-key-file", key,
		// No kubelet reports nodes as ready, so nothing may taint them as not ready.
		"--disable-admission-plugins", "TaintNodesByCondition"); err != nil {
		return stop, err
	}
	if err := ready(server, dir); err != nil {
		return stop, err
	}
	if err := start("kube-controller-manager", "--kubeconfig", kubeconfig, "--leader-elect=false", "--secure-port", "0",
		"--controllers", "statefulset-controller,serviceaccount-controller,persistentvolume-binder-controller,persistentvolumeclaim-protection-controller,garbage-collector-controller,namespace-controller"); err != nil {
		return stop, err
	}
	return stop, start("kube-scheduler", "--kubeconfig", kubeconfig, "--leader-elect=false", "--secure-port", "0")
}

// furnish gives the cluster two nodes, one of them for databases, and the expandable class local-path, with more
// volumes than the tests have instances.
func furnish() error {
	var objects strings.Builder
	for _, node := range []string{"stateful", "stateless"} {
		fmt.Fprintf(&objects, "apiVersion: v1\nkind: Node\nmetadata:\n  name: %s\n  labels: {workload-type: %s, kubernetes.io/hostname: %s}\n---\n", node, node, node)
	}
	objects.WriteString("apiVersion: storage.k8s.io/v1\nkind: StorageClass\nmetadata: {name: local-path}\nprovisioner: kubernetes.io/no-provisioner\nvolumeBindingMode: WaitForFirstConsumer\nallowVolumeExpansion: true\n---\n")
	for i := range 60 {
		fmt.Fprintf(&objects, "apiVersion: v1\nkind: PersistentVolume\nmetadata: {name: volume-%d}\nspec:\n  storageClassName: local-path\n  capacity: {storage: 100Gi}\n  accessModes: [ReadWriteOnce]\n  hostPath: {path: /nowhere}\n---\n", i)
	}
	commands := [][]string{{"apply", "-f", "-"}}
	for _, node := range []string{"stateful", "stateless"} {
		commands = append(commands, []string{"patch", "node", node, "--subresource=status", "--type=merge", "-p",
			`{"status":{"capacity":{"cpu":"64","memory":"256Gi","pods":"200"},"allocatable":{"cpu":"64","memory":"256Gi","pods":"200"}}}`})
	}
	for _, args := range commands {
		if _, err := testkit.Kubectl(objects.String(), args...); err != nil {
			return err
		}
	}
	return nil
}

// freePorts returns addresses on loopback that were free a moment ago.
func freePorts(n int) ([]string, error) {
	var addresses []string
	for range n {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer listener.Close()
		addresses = append(addresses, listener.Addr().String())
	}
	return addresses, nil
}

func serviceAccountKey(dir string) (string, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, "service-account.key")
	block := &pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}
	return file, os.WriteFile(file, pem.EncodeToMemory(block), 0o600)
}

// ready waits for the API server.
func ready(server, dir string) error {
	client := http.Client{
		Timeout:   5 * time.Second,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}, // its own certificate, on loopback
	}
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		response, err := client.Get(server + "/readyz")
		if err != nil {
			continue
		}
		response.Body.Close()
		if response.StatusCode == http.StatusOK || response.StatusCode == http.StatusUnauthorized {
			return nil
		}
	}
	log, _ := os.ReadFile(filepath.Join(dir, "kube-apiserver.log"))
	return fmt.Errorf("the API server is not ready after two minutes; here is the end of its log:\n%s", log[max(0, len(log)-2000):])
}

// must runs kubectl, which must succeed, and returns its stdout.
func must(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	stdout, err := testkit.Kubectl(stdin, args...)
	require.NoError(t, err)
	return stdout
}

// noDiff requires that applying the manifests again would change nothing.
func noDiff(t *testing.T, manifests string) {
	t.Helper()
	diff, err := testkit.Kubectl(manifests, "diff", "--server-side", "-f", "-")
	require.NoError(t, err, diff)
	require.Empty(t, diff)
}

// shell runs scripts in a folder, one after the other in the same shell, and returns their output. They must succeed.
func shell(t *testing.T, dir string, scripts ...string) string {
	t.Helper()
	out, err := tryShell(dir, scripts...)
	require.NoError(t, err, "%s\n%s", strings.Join(scripts, "\n"), out)
	return out
}

// tryShell runs scripts like shell, but they may fail.
func tryShell(dir string, scripts ...string) (string, error) {
	cmd := exec.Command("bash", "-euo", "pipefail", "-c", strings.Join(scripts, "\n"))
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// background runs a program until the test ends.
func background(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
}

// eventually waits until the command prints the wanted output.
func eventually(t *testing.T, want string, args ...string) {
	t.Helper()
	var got string
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		if got, _ = testkit.Kubectl("", args...); strings.TrimSpace(got) == want {
			return
		}
	}
	events, _ := testkit.Kubectl("", "get", "events", "-A", "--sort-by", ".lastTimestamp")
	t.Logf("the last events:\n%s", events[max(0, len(events)-3000):])
	t.Fatalf("kubectl %s: wanted %q, but got %q for a minute", strings.Join(args, " "), want, got)
}
