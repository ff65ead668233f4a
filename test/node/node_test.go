//go:build node

// Package node runs the pods of our manifests on a real node: kubelet, containerd and runc, which cluster.sh starts.
// The init container is this program. The server is the stand-in from the folder standin, because Dragonfly's image
// cannot be pulled where this runs, or a real Dragonfly, with `make node-test DRAGONFLY=PROGRAM`. `make node-test`
// builds what it needs and runs it.
//
// Tests that stall traffic of the whole node, or restart it, run one after another; then the others run in parallel,
// each in its own namespace that enforces Pod Security `restricted`.
package node

import (
	"bufio"
	"cmp"
	"context"
	"debug/elf"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"github.com/bizmatters/dragonfly-generator/internal/testkit"
)

func TestMain(m *testing.M) {
	if err := furnish(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// furnish gives the cluster the two images and the storage class local-path.
func furnish() error {
	if os.Getenv("KUBECONFIG") == "" {
		return errors.New("KUBECONFIG names no cluster; run `make node-test`")
	}
	if err := errors.Join(loadGenerator(generatorImage), loadServer(serverImage)); err != nil {
		return err
	}
	_, err := testkit.Kubectl("apiVersion: storage.k8s.io/v1\nkind: StorageClass\nmetadata: {name: local-path}\nprovisioner: kubernetes.io/no-provisioner\nvolumeBindingMode: WaitForFirstConsumer\n",
		"apply", "-f", "-")
	return err
}

const (
	generatorImage = "localhost/dragonfly-generator:test"
	serverImage    = "localhost/dragonfly:test"
)

// loadGenerator gives the node an image of this program, like the one that the Dockerfile builds.
func loadGenerator(name string) error {
	return loadImage(name, `{"User": "65534:65534", "Entrypoint": ["/dragonfly-generator"]}`, map[string]string{"dragonfly-generator": "../../bin/dragonfly-generator"})
}

// realServer returns the program of a real Dragonfly to test with, or "" for the stand-in.
func realServer() string { return os.Getenv("DRAGONFLY") }

// loadServer gives the node an image of the server, with the entry point of Dragonfly's own image.
func loadServer(name string) error {
	files := map[string]string{"dragonfly": cmp.Or(realServer(), "../../bin/dragonfly-standin")}
	if err := addLibraries(files, files["dragonfly"]); err != nil {
		return err
	}
	return loadImage(name, `{"User": "0", "Entrypoint": ["/dragonfly", "--logtostderr"]}`, files)
}

// addLibraries adds the libraries that a program is linked with to the files of an image.
func addLibraries(files map[string]string, program string) error {
	binary, err := elf.Open(program)
	if err != nil {
		return fmt.Errorf("%w; run `make node-test`", err)
	}
	defer binary.Close()
	if libraries, err := binary.ImportedLibraries(); err != nil || len(libraries) == 0 {
		return err // linked statically
	}
	out, err := exec.Command("ldd", program).Output()
	for _, path := range regexp.MustCompile(`/\S+`).FindAllString(string(out), -1) {
		files[path] = path
	}
	return err
}

// loadImage builds an image from files, given by their paths in it, and gives it to the node.
func loadImage(name, config string, files map[string]string) error {
	root, err := os.MkdirTemp("", "dragonfly-generator-image-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(root)
	if err := os.Chmod(root, 0o755); err != nil { // the layer takes the folder's permissions
		return err
	}
	for path, from := range files {
		text, err := os.ReadFile(from)
		if err != nil {
			return err
		}
		path = filepath.Join(root, path)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, text, 0o755)); err != nil {
			return err
		}
	}
	out, err := exec.Command("./cluster.sh", "image", name, root, config).CombinedOutput()
	if err != nil {
		return fmt.Errorf("image %s: %w\n%s", name, err, out)
	}
	return nil
}

// inside runs a command in the node's namespaces, and returns its output.
func inside(t *testing.T, command ...string) string {
	t.Helper()
	out, err := exec.Command("./cluster.sh", append([]string{"inside"}, command...)...).CombinedOutput()
	require.NoError(t, err, "%s\n%s", strings.Join(command, " "), out)
	return string(out)
}

// drop makes the node drop packets that match an iptables rule of the chain INPUT, until the returned function is
// called or the test ends.
func drop(t *testing.T, rule string) (restore func()) {
	t.Helper()
	arguments := append(append([]string{"INPUT"}, strings.Fields(rule)...), "-j", "DROP")
	inside(t, append([]string{"iptables", "--wait", "--insert"}, arguments...)...)
	dropping := true
	restore = func() {
		if dropping {
			dropping = false
			inside(t, append([]string{"iptables", "--wait", "--delete"}, arguments...)...)
		}
	}
	t.Cleanup(restore)
	return restore
}

// eventually waits for up to two minutes until check returns no error.
func eventually(t *testing.T, check func() error) {
	t.Helper()
	within(t, 2*time.Minute, check)
}

// within waits until check returns no error.
func within(t *testing.T, limit time.Duration, check func() error) {
	t.Helper()
	var err error
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if err = check(); err == nil {
			return
		}
	}
	require.NoError(t, err, "after %s", limit)
}

// An instance is my-cache in its own namespace.
type instance struct {
	t         *testing.T
	namespace string
}

// newInstance creates a namespace that enforces Pod Security `restricted`, with a volume for my-cache: a folder on the
// node, to which the kubelet applies fsGroup.
func newInstance(t *testing.T, namespace string) instance {
	t.Helper()
	i := instance{t, namespace}
	i.createNamespace()
	i.createVolume("local: {path: " + i.folder() + "}")
	return i
}

func (i instance) createNamespace() {
	i.t.Helper()
	i.apply("apiVersion: v1\nkind: Namespace\nmetadata:\n  name: " + i.namespace + "\n  labels: {pod-security.kubernetes.io/enforce: restricted}\n")
	i.t.Cleanup(func() {
		if i.t.Failed() {
			i.t.Log(i.evidence())
		}
		// The node has enough CPUs for twenty pods.
		_, _ = testkit.Kubectl("", "delete", "namespace", i.namespace, "--wait=false")
	})
}

// folder is the volume's folder on the node.
func (i instance) folder() string { return "/var/lib/volumes/" + i.namespace }

func (i instance) createVolume(source string) {
	i.t.Helper()
	inside(i.t, "mkdir", "-p", i.folder())
	i.apply(`
apiVersion: v1
kind: PersistentVolume
metadata: {name: ` + i.namespace + `}
spec:
  storageClassName: local-path
  capacity: {storage: 10Gi}
  accessModes: [ReadWriteOnce]
  claimRef: {namespace: ` + i.namespace + `, name: dragonfly-data-my-cache-0}
  nodeAffinity: {required: {nodeSelectorTerms: [{matchExpressions: [{key: kubernetes.io/hostname, operator: In, values: [node]}]}]}}
  ` + source + "\n")
}

func (i instance) apply(manifests string) {
	i.t.Helper()
	_, err := testkit.Kubectl(manifests, "apply", "-f", "-")
	require.NoError(i.t, err)
}

func (i instance) kubectl(args ...string) string {
	i.t.Helper()
	out, err := testkit.Kubectl("", append([]string{"-n", i.namespace}, args...)...)
	require.NoError(i.t, err)
	return out
}

// start applies the manifests and waits until the pod is Ready.
func (i instance) start() corev1.Pod {
	i.t.Helper()
	i.apply(manifests(i.t, claim(i.namespace), config))
	return i.ready("")
}

// pod returns the pod of the instance.
func (i instance) pod() (corev1.Pod, error) {
	var pod corev1.Pod
	out, err := testkit.Kubectl("", "-n", i.namespace, "get", "pod", "my-cache-0", "-o", "json")
	if err == nil {
		err = json.Unmarshal([]byte(out), &pod)
	}
	return pod, err
}

// ready waits until a pod other than the one with that UID is Ready.
func (i instance) ready(before string) corev1.Pod {
	i.t.Helper()
	var ready corev1.Pod
	eventually(i.t, func() error {
		pod, err := i.pod()
		if err != nil {
			return err
		}
		for _, condition := range pod.Status.Conditions {
			if condition.Type == corev1.PodReady && condition.Status == corev1.ConditionTrue && string(pod.UID) != before && pod.DeletionTimestamp == nil {
				ready = pod
				return nil
			}
		}
		return fmt.Errorf("pod %s/%s is not Ready", i.namespace, pod.Name)
	})
	return ready
}

// restart deletes the pod and waits until the next one is Ready.
func (i instance) restart() corev1.Pod {
	i.t.Helper()
	before, err := i.pod()
	require.NoError(i.t, err)
	i.kubectl("delete", "pod", "my-cache-0", "--wait=false")
	return i.ready(string(before.UID))
}

// log returns the log of the current pod's init container.
func (i instance) log() (string, error) {
	return testkit.Kubectl("", "-n", i.namespace, "logs", "my-cache-0", "-c", "prepare")
}

// object returns a whole Secret, including the fields that show whether somebody has touched it.
func (i instance) object(secret string) string {
	i.t.Helper()
	return i.kubectl("get", "secret", secret, "-o", "yaml", "--show-managed-fields")
}

// make creates somebody else's Secret, with pairs of key and value, and replaces any existing one.
func (i instance) make(secret string, pairs ...string) {
	i.t.Helper()
	data := map[string]string{}
	for n := 0; n < len(pairs); n += 2 {
		data[pairs[n]] = pairs[n+1]
	}
	object, err := json.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "Secret", "metadata": map[string]string{"name": secret, "namespace": i.namespace}, "stringData": data,
	})
	require.NoError(i.t, err)
	_, err = testkit.Kubectl(string(object), "apply", "--server-side", "--field-manager=somebody", "-f", "-")
	require.NoError(i.t, err)
}

// logs waits until the init container has printed a text, and returns its whole log.
func (i instance) logs(text string) string {
	i.t.Helper()
	var log string
	eventually(i.t, func() (err error) {
		if log, err = i.log(); err == nil && !strings.Contains(log, text) {
			err = fmt.Errorf("the init container has not said %q, but:\n%s", text, log)
		}
		return err
	})
	return log
}

// secret returns the value of a Secret's key, or "" if it does not exist.
func (i instance) secret(name, key string) string {
	i.t.Helper()
	value, err := base64.StdEncoding.DecodeString(i.kubectl("get", "secret", name, "-o", "jsonpath={.data."+key+"}"))
	require.NoError(i.t, err)
	return string(value)
}

// password returns the password in the connection Secret, which is what applications get. Both Secrets must have the
// same.
func (i instance) password() string {
	i.t.Helper()
	password := i.connectionPassword()
	require.Equal(i.t, i.secret("my-cache-password", "password"), password)
	return password
}

func (i instance) connectionPassword() string {
	i.t.Helper()
	password := i.secret("my-cache-conn", "password")
	require.NotEmpty(i.t, password)
	return password
}

// ask does what an application does: it looks up the connection Secret's endpoint in the cluster's DNS, connects to the
// port, authenticates with the password, and sends commands. It returns the last reply, or the first error.
func (i instance) ask(password string, commands ...string) string {
	i.t.Helper()
	return ask(i.t, i.address(), password, commands...)
}

// address returns the address that the connection Secret's endpoint and port lead to.
func (i instance) address() string {
	i.t.Helper()
	endpoint, port := i.secret("my-cache-conn", "endpoint"), i.secret("my-cache-conn", "port")
	ctx, cancel := context.WithTimeout(i.t.Context(), time.Minute)
	defer cancel()
	resolver := net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, net.JoinHostPort(nodeIP(), "53"))
	}}
	addresses, err := resolver.LookupHost(ctx, endpoint+".")
	require.NoError(i.t, err)
	return net.JoinHostPort(addresses[0], port)
}

// nodeIP returns the address of the node, which is also that of the cluster's DNS.
func nodeIP() string { return os.Getenv("NODE_NET") + ".0.2" }

// podNetwork returns the addresses of pods.
func podNetwork() string { return os.Getenv("NODE_NET") + ".1.0/24" }

// listens returns no error if a server accepts connections.
func listens(address, port string) error {
	connection, err := net.DialTimeout("tcp", net.JoinHostPort(address, port), time.Second)
	if err == nil {
		connection.Close()
	}
	return err
}

// ask is instance.ask for an address.
func ask(t *testing.T, address, password string, commands ...string) string {
	t.Helper()
	var connection net.Conn
	eventually(t, func() (err error) { // kube-proxy may not know yet that a pod is Ready
		connection, err = net.DialTimeout("tcp", address, 10*time.Second)
		return err
	})
	defer connection.Close()
	return exchange(t, connection, append([]string{"AUTH " + password}, commands...)...)
}

// exchange sends commands over a connection, and returns the last reply, or the first error.
func exchange(t *testing.T, connection net.Conn, commands ...string) string {
	t.Helper()
	require.NoError(t, connection.SetDeadline(time.Now().Add(time.Minute)))
	replies := bufio.NewReader(connection)
	var reply string
	for _, command := range commands {
		_, err := fmt.Fprintf(connection, "%s\r\n", command)
		require.NoError(t, err)
		if command == "SHUTDOWN" {
			return "" // closes the connection
		}
		reply, err = readReply(replies)
		require.NoError(t, err)
		if strings.HasPrefix(reply, "-") {
			return reply
		}
	}
	return reply
}

// readReply reads a reply in Redis's protocol: a line with its type prefix, a string without it, and the elements of an
// array.
func readReply(from *bufio.Reader) (string, error) {
	line, err := from.ReadString('\n')
	line = strings.TrimSpace(line)
	if err != nil || line == "" || line[0] != '$' && line[0] != '*' || line == "$-1" {
		return line, err
	}
	size, err := strconv.Atoi(line[1:])
	if err != nil {
		return "", err
	}
	if line[0] == '$' {
		text := make([]byte, size+len("\r\n"))
		_, err := io.ReadFull(from, text)
		return string(text[:size]), err
	}
	elements := make([]string, size)
	for i := range elements {
		if elements[i], err = readReply(from); err != nil {
			return "", err
		}
	}
	return strings.Join(elements, " "), nil
}

// evidence is what a failed test logs.
func (i instance) evidence() string {
	var text strings.Builder
	for _, args := range [][]string{
		{"get", "all,pvc", "-o", "wide"}, {"describe", "pod"}, {"get", "events", "--sort-by=.lastTimestamp"},
		{"logs", "my-cache-0", "--all-containers", "--prefix"},
	} {
		out, err := testkit.Kubectl("", append([]string{"-n", i.namespace}, args...)...)
		fmt.Fprintf(&text, "kubectl %s: %v\n%s\n", strings.Join(args, " "), err, out)
	}
	return text.String()
}

func reboot(t *testing.T) {
	t.Helper()
	out, err := exec.Command("./cluster.sh", "reboot").CombinedOutput()
	require.NoError(t, err, "%s", out)
}
