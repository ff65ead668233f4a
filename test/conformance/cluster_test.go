//go:build conformance && linux

// Package conformance applies the manifests to a real Kubernetes control plane: kube-apiserver, etcd,
// controller-manager and scheduler as plain processes on loopback. There is no kubelet, so pods are created and
// scheduled, but never run. `make conformance` builds what it needs and runs it.
package conformance

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
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
		cmd := exec.Command("kubectl", append([]string{"--kubeconfig", kubeconfig}, args...)...)
		cmd.Stdin = strings.NewReader(objects.String())
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("kubectl %s: %w\n%s", args[0], err, out)
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

// kubectl runs kubectl with stdin and returns its stdout and stderr, and whether it succeeded.
func kubectl(t *testing.T, stdin string, args ...string) (stdout, stderr string, ok bool) {
	t.Helper()
	cmd := exec.Command("kubectl", append([]string{"--kubeconfig", kubeconfig}, args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err := cmd.Run()
	if err != nil {
		if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) {
			t.Fatalf("the conformance suite needs kubectl in PATH: %s", err)
		}
	}
	return out.String(), errOut.String(), err == nil
}

// must runs kubectl, which must succeed, and returns its stdout.
func must(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	stdout, stderr, ok := kubectl(t, stdin, args...)
	if !ok {
		t.Fatalf("kubectl %s:\n%s", strings.Join(args, " "), stderr)
	}
	return stdout
}

// shell runs scripts in a folder, one after the other in the same shell, and returns their output. They must succeed.
func shell(t *testing.T, dir string, scripts ...string) string {
	t.Helper()
	script := "set -euo pipefail\n" + strings.Join(scripts, "\n")
	cmd := exec.Command("bash", "-c", script)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "KUBECONFIG="+kubeconfig)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s\n%s", script, out)
	return string(out)
}

// eventually waits until the command prints the wanted output.
func eventually(t *testing.T, want string, args ...string) {
	t.Helper()
	var got string
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		if got, _, _ = kubectl(t, "", args...); strings.TrimSpace(got) == want {
			return
		}
	}
	events, _, _ := kubectl(t, "", "get", "events", "-A", "--sort-by", ".lastTimestamp")
	t.Logf("the last events:\n%s", events[max(0, len(events)-3000):])
	t.Fatalf("kubectl %s: wanted %q, but got %q for a minute", strings.Join(args, " "), want, got)
}

// established waits until the API server serves the kind of a CustomResourceDefinition. kubectl wait fails on
// one that has no conditions yet.
func established(t *testing.T, crd string) {
	t.Helper()
	eventually(t, "True", "get", "crd/"+crd, "-o", `jsonpath={.status.conditions[?(@.type=="Established")].status}`)
}
