//go:build conformance && linux

package conformance

import (
	"bytes"
	"cmp"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/operator"
	"github.com/bizmatters/dragonfly-generator/internal/prepare/handover"
	"github.com/bizmatters/dragonfly-generator/internal/specs"
	"github.com/bizmatters/dragonfly-generator/internal/testkit"
)

// A pod is an instance's pod, as far as its init container goes. There is no kubelet, so the tests run it, in a folder
// that is the container's root. Mounted files stay as they are until a test calls mount, and the volume is kept from
// one pod to the next.
type pod struct {
	namespace, instance string
	name                string
	manifests           string // the instance's, except its workload and Service
	root                string
	server              string // the API server as the pod sees it

	// What the workload says about the pod.
	account  string // whose token the pod has
	request  handover.Request
	rotation string
	secrets  map[string]string // the Secret that is mounted at a path
}

// newPod applies an instance in a namespace of its own, but not its workload, so that Kubernetes does not create its pod.
// The lines belong to the metadata of the claim.
func newPod(t *testing.T, namespaceName, name string, lines ...string) *pod {
	t.Helper()
	return newPodOf(t, claim(namespaceName, name, "small", lines...))
}

// newPodOf is newPod for a claim and a configuration.
func newPodOf(t *testing.T, documents ...string) *pod {
	t.Helper()
	p := &pod{server: apiServer(t)}
	p.render(t, documents...)
	namespace(t, p.namespace)
	p.apply(t)
	p.makeRoot(t)
	p.authority(t, p.server, nil)
	return p
}

// podOf returns the pod of an applied instance.
func podOf(t *testing.T, namespace, name string) *pod {
	t.Helper()
	p := &pod{server: apiServer(t)}
	p.readStatefulSet(t, must(t, "", "get", "statefulset", name, "-n", namespace, "-o", "yaml"))
	p.makeRoot(t)
	p.authority(t, p.server, nil)
	return p
}

// render records what the documents render to, and applies none of it.
func (p *pod) render(t *testing.T, documents ...string) {
	t.Helper()
	rendered, _ := render(t, documents...)
	p.manifests = ""
	for document := range strings.SplitSeq(strings.TrimSuffix(rendered, "---\n"), "---\n") {
		switch {
		case strings.Contains(document, "\nkind: StatefulSet\n"):
			p.readStatefulSet(t, document)
		case strings.Contains(document, "\nkind: Dragonfly\n"):
			p.readDragonfly(t, document)
		case !strings.Contains(document, "\nkind: Service\n"):
			p.manifests += document + "---\n"
		}
	}
}

// readStatefulSet records what a StatefulSet says about the pod.
func (p *pod) readStatefulSet(t *testing.T, text string) {
	t.Helper()
	var s appsv1.StatefulSet
	require.NoError(t, yaml.UnmarshalStrict([]byte(text), &s))
	spec := s.Spec.Template.Spec
	p.read(t, s.ObjectMeta, s.Spec.Template.Annotations, spec.ServiceAccountName, spec.InitContainers, spec.Volumes)
}

// readDragonfly records what the operator's object says about its first pod.
func (p *pod) readDragonfly(t *testing.T, text string) {
	t.Helper()
	var d operator.Dragonfly
	require.NoError(t, yaml.UnmarshalStrict([]byte(text), &d))
	p.read(t, d.ObjectMeta, d.Spec.PodMetadata.Annotations, d.Spec.ServiceAccountName, d.Spec.InitContainers, d.Spec.AdditionalVolumes)
	assert.Equal(t, cmp.Or(p.request.RotationKey, "password"), d.Spec.Authentication.PasswordFromSecret.Key, "the key that the server reads")
}

func (p *pod) read(t *testing.T, workload metav1.ObjectMeta, annotations map[string]string, account string, containers []corev1.Container, volumes []corev1.Volume) {
	t.Helper()
	p.namespace, p.instance, p.name, p.account = workload.Namespace, workload.Name, workload.Name+"-0", account
	p.rotation = annotations[v1alpha1.PasswordRotation]
	at := slices.IndexFunc(containers, func(c corev1.Container) bool { return c.Name == specs.PrepareContainer })
	require.GreaterOrEqual(t, at, 0, "the workload must have the init container")
	container := containers[at]
	for i, arg := range container.Args {
		container.Args[i] = strings.ReplaceAll(arg, "$$", "$") // as the kubelet does
	}
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	p.request = handover.Request{}
	p.request.Bind(flags)
	require.NoError(t, flags.Parse(container.Args[1:]))
	p.secrets = map[string]string{}
	for _, mount := range container.VolumeMounts {
		for _, volume := range volumes {
			if volume.Name == mount.Name && volume.Secret != nil {
				p.secrets[mount.MountPath] = volume.Secret.SecretName
			}
		}
	}
}

// apply applies the manifests of newPod.
func (p *pod) apply(t *testing.T) {
	t.Helper()
	must(t, p.manifests, "apply", "-f", "-")
}

// makeRoot creates what the init container sees: the program, and folders writable by uid 1000 in place of the pod's.
func (p *pod) makeRoot(t *testing.T) {
	t.Helper()
	root, err := os.MkdirTemp("", "dragonfly-generator-root-")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(root) })
	require.NoError(t, os.Chmod(root, 0o755))
	p.root = root
	program, err := exec.LookPath("dragonfly-generator")
	require.NoError(t, err)
	text, err := os.ReadFile(program)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(root, "dragonfly-generator"), text, 0o755))
	for _, folder := range []string{handover.TokenPath, handover.PasswordSecretPath, handover.ConnectionSecretPath} {
		require.NoError(t, os.MkdirAll(filepath.Join(root, folder), 0o755))
	}
	for _, folder := range []string{handover.FlagFolder, "/data"} {
		require.NoError(t, os.MkdirAll(filepath.Join(root, folder), 0o777))
		require.NoError(t, os.Chmod(filepath.Join(root, folder), 0o777))
	}
	p.token(t, p.freshToken(t))
}

// hasLived puts a snapshot on the volume, as if a server had written it before there was an init container.
func (p *pod) hasLived(t *testing.T) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(p.root, "data", "dump-summary.dfs"), nil, 0o666))
}

// freshToken returns a token like the one that Kubernetes would mount.
func (p *pod) freshToken(t *testing.T) string {
	t.Helper()
	return must(t, "", "create", "token", p.account, "-n", p.namespace, "--duration", "10m")
}

func (p *pod) token(t *testing.T, token string) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(p.root, handover.TokenPath, "token"), []byte(token), 0o644))
}

// authority sets the address of the API server and the CA of its certificate, which is its own unless another is given.
func (p *pod) authority(t *testing.T, server string, certificate *x509.Certificate) {
	t.Helper()
	p.server = server
	text, err := os.ReadFile(filepath.Join(filepath.Dir(kubeconfig), "certificates", "apiserver.crt"))
	require.NoError(t, err)
	if certificate != nil {
		text = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw})
	}
	require.NoError(t, os.WriteFile(filepath.Join(p.root, handover.TokenPath, "ca.crt"), text, 0o644))
}

func apiServer(t *testing.T) string {
	t.Helper()
	return must(t, "", "config", "view", "--raw", "-o", "jsonpath={.clusters[0].cluster.server}")
}

// mount brings the Secrets' volumes up to date.
func (p *pod) mount(t *testing.T) {
	t.Helper()
	for path, secret := range p.secrets {
		folder := filepath.Join(p.root, path)
		require.NoError(t, os.RemoveAll(folder))
		require.NoError(t, os.MkdirAll(folder, 0o755))
		for key, value := range p.data(t, secret) {
			require.NoError(t, os.WriteFile(filepath.Join(folder, key), []byte(value), 0o644))
		}
	}
}

// unmount empties the Secrets' volumes.
func (p *pod) unmount(t *testing.T) {
	t.Helper()
	for path := range p.secrets {
		require.NoError(t, os.RemoveAll(filepath.Join(p.root, path)))
	}
}

// data returns the contents of a Secret, or nothing if it does not exist.
func (p *pod) data(t *testing.T, secret string) map[string]string {
	t.Helper()
	text, err := testkit.Kubectl("", "get", "secret", secret, "-n", p.namespace, "-o", "json")
	var object corev1.Secret
	if err == nil {
		require.NoError(t, json.Unmarshal([]byte(text), &object))
	}
	data := map[string]string{}
	for key, value := range object.Data {
		data[key] = string(value)
	}
	return data
}

// recorded returns the rotation that a Secret records.
func (p *pod) recorded(t *testing.T, secret string) string {
	t.Helper()
	return get(t, p.namespace, "secret/"+secret, `.metadata.annotations.database\.bizmatters\.io/password-rotation`)
}

// patch changes a Secret, as somebody with more permissions would.
func (p *pod) patch(t *testing.T, secret, change string) {
	t.Helper()
	must(t, "", "patch", "secret", secret, "-n", p.namespace, "--type=merge", "-p", change)
}

// process is a run of the init container.
type process struct {
	*exec.Cmd
	log logged
}

// logged is what a run has logged so far.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(text []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(text)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// says waits until the run has logged the text.
func (r *process) says(t *testing.T, text string) {
	t.Helper()
	require.Eventually(t, func() bool { return strings.Contains(r.log.String(), text) }, time.Minute, 20*time.Millisecond,
		"wanted: %s\nlogged so far: %s", text, &r.log)
}

// begin starts the init container: the program, as uid 1000, with only its mounts.
func (p *pod) begin(t *testing.T) *process {
	t.Helper()
	_ = os.Remove(filepath.Join(p.root, handover.FlagFile)) // which is gone with the pod
	server, err := url.Parse(p.server)
	require.NoError(t, err)
	var args []string
	for _, arg := range p.request.Args() {
		args = append(args, strings.ReplaceAll(arg, "$$", "$")) // as the kubelet does
	}
	r := &process{Cmd: exec.CommandContext(t.Context(), "/dragonfly-generator", args...)}
	r.Stderr, r.Stdout, r.Dir = &r.log, &r.log, "/"
	r.Env = []string{
		"KUBERNETES_SERVICE_HOST=" + server.Hostname(), "KUBERNETES_SERVICE_PORT=" + server.Port(),
		handover.PodNameVariable + "=" + p.name, handover.PodNamespaceVariable + "=" + p.namespace,
		handover.PasswordRotationVariable + "=" + p.rotation,
	}
	r.SysProcAttr = &syscall.SysProcAttr{Chroot: p.root, Credential: &syscall.Credential{Uid: 1000, Gid: 1000, NoSetGroups: true}}
	if uid, gid := os.Geteuid(), os.Getegid(); uid != 0 { // an ordinary user can do this in a user namespace
		r.SysProcAttr.Cloneflags = syscall.CLONE_NEWUSER
		r.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 1000, HostID: uid, Size: 1}}
		r.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 1000, HostID: gid, Size: 1}}
	}
	require.NoError(t, r.Start())
	return r
}

// end waits for the init container, checks that its log contains no password, and returns the log.
func (p *pod) end(t *testing.T, r *process) (log string, err error) {
	t.Helper()
	err = r.Wait()
	for _, secret := range []string{p.instance + "-password", p.instance + "-conn"} {
		if password := p.data(t, secret)["password"]; password != "" {
			assert.NotContains(t, r.log.String(), password)
		}
	}
	return r.log.String(), err
}

// start runs the init container, which must succeed, and returns its log and the password, which the connection Secret
// and the server must have.
func (p *pod) start(t *testing.T) (log, password string) {
	t.Helper()
	log, err := p.end(t, p.begin(t))
	require.NoError(t, err, log)
	return log, p.password(t)
}

// fail runs the init container, which must fail, and returns its log.
func (p *pod) fail(t *testing.T) (log string) {
	t.Helper()
	log, err := p.end(t, p.begin(t))
	require.Error(t, err, log)
	require.NoFileExists(t, filepath.Join(p.root, handover.FlagFile))
	return log
}

// restart is start for the next pod, from the live StatefulSet, with the Secrets as they are now.
func (p *pod) restart(t *testing.T) (log, password string) {
	t.Helper()
	p.next(t)
	return p.start(t)
}

// next turns the pod into the live StatefulSet's next one, with a fresh token and the Secrets as they are now.
func (p *pod) next(t *testing.T) {
	t.Helper()
	p.readStatefulSet(t, must(t, "", "get", "statefulset", p.instance, "-n", p.namespace, "-o", "yaml"))
	p.token(t, p.freshToken(t))
	p.mount(t)
}

// password returns the password that the server and the connection Secret have, as must the password Secret unless it
// is somebody else's.
func (p *pod) password(t *testing.T) string {
	t.Helper()
	password := p.data(t, p.instance+"-conn")["password"]
	require.NotEmpty(t, password)
	if !p.request.Existing {
		require.Equal(t, password, p.data(t, p.instance+"-password")["password"])
	}
	text, err := os.ReadFile(filepath.Join(p.root, handover.FlagFile))
	require.NoError(t, err)
	lines := strings.SplitAfter(string(text), "\n")
	require.Len(t, lines, 3)
	require.Equal(t, "--requirepass="+password+"\n", lines[0])
	require.Regexp(t, `^--maxmemory=[0-9]+\n$`, lines[1])
	return password
}
