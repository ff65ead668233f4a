//go:build conformance && linux

package conformance

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bizmatters/dragonfly-generator/internal/prepare/handover"
)

// keptInstance is an instance of password source InCluster, as far as prepare sees it: its Secrets, its
// rights, and the folder that is the root of the init container.
type keptInstance struct {
	namespace, name string
	root            string
	pod             string
	server          string // the API server as the pod sees it
	request         handover.Request
}

// incluster is what the manifests of such an instance have for its password.
const incluster = `
apiVersion: v1
kind: ServiceAccount
metadata: {name: NAME}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: NAME}
rules:
- apiGroups: [""]
  resources: [secrets]
  resourceNames: [NAME-password, NAME-conn]
  verbs: [get, patch]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: NAME}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: NAME}
subjects: [{kind: ServiceAccount, name: NAME, namespace: NAMESPACE}]
---
apiVersion: v1
kind: Secret
metadata: {name: NAME-password}
type: Opaque
---
apiVersion: v1
kind: Secret
metadata: {name: NAME-conn}
type: Opaque
data: {endpoint: ENDPOINT, port: NjM3OQ==}
`

// inCluster applies what an instance has for its password, in a namespace of its own, and makes the root of its
// init container.
func inCluster(t *testing.T, namespaceName, name string) *keptInstance {
	t.Helper()
	k := &keptInstance{
		namespace: namespaceName, name: name, pod: name + "-0", server: apiServer(t),
		request: handover.Request{Data: "/data", FlagFile: true},
	}
	namespace(t, namespaceName)
	k.apply(t)
	k.makeRoot(t)
	k.authority(t, k.server, nil)
	return k
}

// apply applies the objects.
func (k *keptInstance) apply(t *testing.T) {
	t.Helper()
	endpoint := base64.StdEncoding.EncodeToString([]byte(k.name + "." + k.namespace + ".svc.cluster.local"))
	must(t, strings.NewReplacer("NAMESPACE", k.namespace, "NAME", k.name, "ENDPOINT", endpoint).Replace(incluster),
		"apply", "-n", k.namespace, "-f", "-")
}

// makeRoot makes what the init container sees: the program, and folders that uid 1000 may write where the pod's
// would be.
func (k *keptInstance) makeRoot(t *testing.T) {
	t.Helper()
	root, err := os.MkdirTemp("", "dragonfly-generator-root-")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(root) })
	require.NoError(t, os.Chmod(root, 0o755))
	k.root = root
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
	k.token(t, k.freshToken(t))
}

// freshToken is one that Kubernetes would mount.
func (k *keptInstance) freshToken(t *testing.T) string {
	t.Helper()
	return must(t, "", "create", "token", k.name, "-n", k.namespace, "--duration", "10m")
}

func (k *keptInstance) token(t *testing.T, token string) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(k.root, handover.TokenPath, "token"), []byte(token), 0o644))
}

// authority says where the API server is, and whose certificate it has: its own unless another is given.
func (k *keptInstance) authority(t *testing.T, server string, certificate *x509.Certificate) {
	t.Helper()
	k.server = server
	text, err := os.ReadFile(filepath.Join(filepath.Dir(kubeconfig), "certificates", "apiserver.crt"))
	require.NoError(t, err)
	if certificate != nil {
		text = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw})
	}
	require.NoError(t, os.WriteFile(filepath.Join(k.root, handover.TokenPath, "ca.crt"), text, 0o644))
}

func apiServer(t *testing.T) string {
	t.Helper()
	return must(t, "", "config", "view", "--raw", "-o", "jsonpath={.clusters[0].cluster.server}")
}

// mount brings the Secrets' volumes up to date.
func (k *keptInstance) mount(t *testing.T) {
	t.Helper()
	for name, path := range map[string]string{k.name + "-password": handover.PasswordSecretPath, k.name + "-conn": handover.ConnectionSecretPath} {
		folder := filepath.Join(k.root, path)
		require.NoError(t, os.RemoveAll(folder))
		require.NoError(t, os.MkdirAll(folder, 0o755))
		for key, value := range k.data(t, name) {
			require.NoError(t, os.WriteFile(filepath.Join(folder, key), []byte(value), 0o644))
		}
	}
}

func (k *keptInstance) data(t *testing.T, secret string) map[string]string {
	t.Helper()
	text, _, ok := kubectl(t, "", "get", "secret", secret, "-n", k.namespace, "-o", "json")
	var object struct {
		Data map[string][]byte `json:"data"`
	}
	if ok {
		require.NoError(t, json.Unmarshal([]byte(text), &object))
	}
	data := map[string]string{}
	for key, value := range object.Data {
		data[key] = string(value)
	}
	return data
}

func (k *keptInstance) annotation(t *testing.T, secret string) string {
	t.Helper()
	return get(t, k.namespace, "secret/"+secret, `.metadata.annotations.database\.bizmatters\.io/password-rotation`)
}

// patch changes a Secret, as somebody with more rights would.
func (k *keptInstance) patch(t *testing.T, secret, change string) {
	t.Helper()
	must(t, "", "patch", "secret", secret, "-n", k.namespace, "--type=merge", "-p", change)
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

// says waits until a run has logged the text.
func (p *process) says(t *testing.T, text string) {
	t.Helper()
	require.Eventually(t, func() bool { return strings.Contains(p.log.String(), text) }, 20*time.Second, 20*time.Millisecond,
		"wanted: %s\nlogged so far: %s", text, &p.log)
}

// begin starts the init container: the program, as uid 1000, with nothing but its mounts.
func (k *keptInstance) begin(t *testing.T) *process {
	t.Helper()
	_ = os.Remove(filepath.Join(k.root, handover.FlagFile)) // which is gone with the pod
	server, err := url.Parse(k.server)
	require.NoError(t, err)
	var args []string
	for _, arg := range k.request.Args() {
		args = append(args, strings.ReplaceAll(arg, "$$", "$")) // as the kubelet does
	}
	p := &process{Cmd: exec.CommandContext(t.Context(), "/dragonfly-generator", args...)}
	p.Stderr, p.Stdout, p.Dir = &p.log, &p.log, "/"
	p.Env = []string{
		"KUBERNETES_SERVICE_HOST=" + server.Hostname(), "KUBERNETES_SERVICE_PORT=" + server.Port(),
		handover.PodNameVariable + "=" + k.pod, handover.PodNamespaceVariable + "=" + k.namespace,
	}
	p.SysProcAttr = &syscall.SysProcAttr{Chroot: k.root, Credential: &syscall.Credential{Uid: 1000, Gid: 1000, NoSetGroups: true}}
	if uid, gid := os.Geteuid(), os.Getegid(); uid != 0 { // who is nobody special may do it in a user namespace
		p.SysProcAttr.Cloneflags = syscall.CLONE_NEWUSER
		p.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 1000, HostID: uid, Size: 1}}
		p.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 1000, HostID: gid, Size: 1}}
	}
	require.NoError(t, p.Start())
	return p
}

// end waits for the init container, checks that its log contains no value, and returns the log.
func (k *keptInstance) end(t *testing.T, p *process) (log string, err error) {
	t.Helper()
	err = p.Wait()
	for _, secret := range []string{k.name + "-password", k.name + "-conn"} {
		for key, value := range k.data(t, secret) {
			if key != "endpoint" && key != "port" && value != "" {
				assert.NotContains(t, p.log.String(), value)
			}
		}
	}
	return p.log.String(), err
}

// start runs the init container, which has to succeed, and returns its log and the password, which both Secrets
// and the server have.
func (k *keptInstance) start(t *testing.T) (log, password string) {
	t.Helper()
	log, err := k.end(t, k.begin(t))
	require.NoError(t, err, log)
	return log, k.password(t)
}

func (k *keptInstance) password(t *testing.T) string {
	t.Helper()
	password := k.data(t, k.name+"-password")["password"]
	require.NotEmpty(t, password)
	require.Equal(t, password, k.data(t, k.name+"-conn")["password"])
	text, err := os.ReadFile(filepath.Join(k.root, handover.FlagFile))
	require.NoError(t, err)
	require.Equal(t, "--requirepass="+password+"\n", string(text))
	return password
}

// gateway stands between the pod and the API server.
type gateway struct {
	*httptest.Server

	mu       sync.Mutex
	requests []string
	// before and after are called around the request of that number, from 0.
	before, after func(number int, r *http.Request)
}

// gateway gives the instance one.
func (k *keptInstance) gateway(t *testing.T) *gateway {
	t.Helper()
	target, err := url.Parse(apiServer(t))
	require.NoError(t, err)
	g := &gateway{}
	forward := httputil.NewSingleHostReverseProxy(target)
	forward.Transport = &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} // ours, on loopback
	g.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.mu.Lock()
		number := len(g.requests)
		g.requests = append(g.requests, r.Method+" "+r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:])
		before, after := g.before, g.after
		g.mu.Unlock()
		if before != nil {
			before(number, r)
		}
		answer := httptest.NewRecorder()
		forward.ServeHTTP(answer, r)
		if after != nil {
			after(number, r)
		}
		w.WriteHeader(answer.Code)
		_, _ = io.Copy(w, answer.Body)
	}))
	t.Cleanup(g.Close)
	k.authority(t, g.URL, g.Certificate())
	return g
}

func (g *gateway) forget() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	requests := g.requests
	g.requests = nil
	return requests
}

const uuid4 = `^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`

// The first start, with the API server's own certificate; the second, with a gateway that counts.
func TestKeepPasswordFirstAndSecondStart(t *testing.T) {
	k := inCluster(t, "keep-first", "my-cache")
	k.request.Keys = map[string]string{"uri": "redis://:{passwordEncoded}@my-cache:6379/$(HOME)$$", "HOST": "cache.invalid"}
	log, made := k.start(t)
	assert.Regexp(t, uuid4, made)
	assert.Equal(t, "made a first password; wrote it to Secret keep-first/my-cache-password\n"+
		"brought Secret keep-first/my-cache-conn up to date: HOST, password, uri\n", log)
	assert.Equal(t, map[string]string{"password": made}, k.data(t, "my-cache-password"))
	assert.Equal(t, map[string]string{
		"endpoint": "my-cache.keep-first.svc.cluster.local", "port": "6379", "password": made,
		"HOST": "cache.invalid", "uri": "redis://:" + made + "@my-cache:6379/$(HOME)$$",
	}, k.data(t, "my-cache-conn"))

	g := k.gateway(t)
	k.mount(t)
	_, again := k.start(t)
	assert.Equal(t, made, again)
	assert.Empty(t, g.forget(), "The second start asks nobody.")

	for _, folder := range []string{handover.PasswordSecretPath, handover.ConnectionSecretPath} {
		require.NoError(t, os.RemoveAll(filepath.Join(k.root, folder)))
	}
	_, again = k.start(t)
	assert.Equal(t, made, again)
	assert.Equal(t, []string{"GET my-cache-conn", "GET my-cache-password"}, g.forget(), "Without the volumes it asks, and writes nothing.")

	before := must(t, "", "get", "secret", "-n", k.namespace, "-o", "jsonpath={.items[*].metadata.resourceVersion}")
	k.apply(t)
	assert.Equal(t, made, k.password(t), "An apply of the manifests takes no password away.")
	assert.Equal(t, before, must(t, "", "get", "secret", "-n", k.namespace, "-o", "jsonpath={.items[*].metadata.resourceVersion}"))
}

func TestKeepPasswordRotation(t *testing.T) {
	k := inCluster(t, "keep-rotation", "my-cache")
	_, last := k.start(t)
	for _, rotation := range []string{"1", "2"} {
		k.mount(t)
		k.request.Rotation = rotation
		log, now := k.start(t)
		assert.NotEqual(t, last, now)
		assert.Contains(t, log, "made a new password for the rotation; wrote it to Secret keep-rotation/my-cache-password\n")
		assert.Equal(t, map[string]string{"password": now, handover.RotationKey(rotation): now}, k.data(t, "my-cache-password"))
		assert.Equal(t, rotation, k.annotation(t, "my-cache-password"))
		assert.Equal(t, rotation, k.annotation(t, "my-cache-conn"))
		last = now
	}
	k.mount(t)
	g := k.gateway(t)
	for _, rotation := range []string{"2", ""} {
		k.request.Rotation = rotation
		_, now := k.start(t)
		assert.Equal(t, last, now)
	}
	assert.Empty(t, g.forget())
}

// Two pods have read before either writes.
func TestKeepPasswordTwoAtOnce(t *testing.T) {
	k := inCluster(t, "keep-two", "my-cache")
	g := k.gateway(t)
	var both sync.WaitGroup
	for _, rotation := range []string{"", "1"} {
		both.Add(2)
		arrived := 0
		g.before = func(_ int, r *http.Request) {
			if r.Method != http.MethodPatch {
				return
			}
			g.mu.Lock()
			arrived++
			first := arrived <= 2
			g.mu.Unlock()
			if first {
				both.Done()
				both.Wait()
			}
		}
		other := *k
		other.makeRoot(t)
		other.authority(t, g.URL, g.Certificate())
		k.request.Rotation, other.request.Rotation = rotation, rotation
		a, b := k.begin(t), other.begin(t)
		logA, err := k.end(t, a)
		require.NoError(t, err, logA)
		logB, err := other.end(t, b)
		require.NoError(t, err, logB)
		assert.Equal(t, k.password(t), other.password(t))
		assert.Equal(t, 1, strings.Count(logA+logB, "made a "), "One makes it: %s%s", logA, logB)
		assert.Contains(t, logA+logB, "something else has changed Secret keep-two/my-cache-password; reading again\n")
	}
}

// Killed before and after each request: the next start ends it with the password that is there.
func TestKeepPasswordKilled(t *testing.T) {
	k := inCluster(t, "keep-killed", "my-cache")
	g := k.gateway(t)
	_, last := k.start(t)
	rotation := 0
	for request := range 4 {
		for _, arrives := range []bool{false, true} {
			rotation++
			k.request.Rotation = fmt.Sprint(rotation)
			k.mount(t)
			g.forget()
			var p *process
			started := make(chan struct{})
			kill := func(number int, _ *http.Request) {
				if number == request {
					<-started
					_ = p.Process.Kill()
					if !arrives {
						panic(http.ErrAbortHandler)
					}
				}
			}
			g.mu.Lock()
			if g.before, g.after = kill, nil; arrives {
				g.before, g.after = nil, kill
			}
			g.mu.Unlock()
			p = k.begin(t)
			close(started)
			_, err := k.end(t, p)
			require.Error(t, err)
			what := fmt.Sprintf("request %d, arrives %t: %s", request, arrives, g.requests)
			require.Len(t, g.requests, request+1, what)
			between := k.data(t, "my-cache-password")["password"]
			assert.Equal(t, request > 2 || request == 2 && arrives, between != last, what)
			assert.NoFileExists(t, filepath.Join(k.root, handover.FlagFile), what)

			g.mu.Lock()
			g.before, g.after = nil, nil
			g.mu.Unlock()
			k.mount(t)
			_, now := k.start(t)
			assert.NotEqual(t, last, now, what)
			assert.True(t, between == last || between == now, what)
			last = now
		}
	}
}

// What is not there yet comes while the pod waits: the API server, a good token, the rights, the Secrets.
func TestKeepPasswordWaits(t *testing.T) {
	k := inCluster(t, "keep-waits", "my-cache")
	good := k.freshToken(t)
	must(t, "", "delete", "-n", k.namespace, "rolebinding/my-cache", "secret/my-cache-password")
	server, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := server.Addr().String()
	require.NoError(t, server.Close())
	k.authority(t, "https://"+address, nil)
	k.token(t, expired(t, good))

	p := k.begin(t)
	p.says(t, "waiting: the API server https://"+address+" does not answer: connect: connection refused\n")
	forwardTo(t, address, strings.TrimPrefix(apiServer(t), "https://"))
	p.says(t, "waiting: the API server https://"+address+" does not accept the pod's token yet\n")
	k.token(t, good)
	p.says(t, "waiting: the pod may not get Secret keep-waits/my-cache-conn yet; its Role or RoleBinding is missing\n")
	must(t, "", "create", "rolebinding", "my-cache", "-n", k.namespace, "--role=my-cache", "--serviceaccount="+k.namespace+":my-cache")
	p.says(t, "waiting: Secret keep-waits/my-cache-password is not there yet\n")
	k.apply(t)
	log, err := k.end(t, p)
	require.NoError(t, err, log)
	assert.Regexp(t, uuid4, k.password(t))
	assert.Equal(t, 4, strings.Count(log, "waiting: "), "Each reason once: %s", log)
}

// The end of a pod that waits is not awaited.
func TestKeepPasswordStopsWaiting(t *testing.T) {
	k := inCluster(t, "keep-stops", "my-cache")
	must(t, "", "delete", "-n", k.namespace, "secret/my-cache-conn")
	p := k.begin(t)
	p.says(t, "waiting: ")
	require.NoError(t, p.Process.Signal(syscall.SIGTERM))
	log, err := k.end(t, p)
	require.Error(t, err)
	assert.Contains(t, log, "error: stopped while waiting: Secret keep-stops/my-cache-conn is not there yet\n")
	assert.Equal(t, 1, p.ProcessState.ExitCode())
}

func TestKeepPasswordLost(t *testing.T) {
	k := inCluster(t, "keep-lost", "my-cache")
	_, before := k.start(t)
	empty := func() {
		must(t, "", "delete", "-n", k.namespace, "secret/my-cache-password", "secret/my-cache-conn")
		k.apply(t)
		k.mount(t)
	}
	empty()
	log, err := k.end(t, k.begin(t))
	require.Error(t, err)
	assert.Equal(t, "error: the password of keep-lost/my-cache is lost: the instance had one, but neither Secret my-cache-password nor Secret my-cache-conn has it; "+
		"restore one of them, annotations included, or ask for a new password: set the claim's annotation database.bizmatters.io/password-rotation to another value, apply, and delete this pod, because a StatefulSet does not replace one that was never ready\n", log)
	assert.Empty(t, k.data(t, "my-cache-password"))

	k.patch(t, "my-cache-password", `{"stringData":{"password":"`+before+`"}}`)
	_, now := k.start(t)
	assert.Equal(t, before, now)

	empty()
	k.request.Rotation = "1"
	_, now = k.start(t)
	assert.NotEqual(t, before, now)
}

// Only the connection Secret is left; and both are, with different passwords.
func TestKeepPasswordMends(t *testing.T) {
	k := inCluster(t, "keep-mends", "my-cache")
	_, before := k.start(t)
	must(t, "", "delete", "-n", k.namespace, "secret/my-cache-password")
	k.apply(t)
	k.mount(t)
	_, now := k.start(t)
	assert.Equal(t, before, now)

	k.patch(t, "my-cache-password", `{"stringData":{"password":"chosen by somebody"}}`)
	k.mount(t)
	_, now = k.start(t)
	assert.Equal(t, "chosen by somebody", now)
}

// The Secrets that Crossplane left keep their password when ours are applied over them.
func TestKeepPasswordFromCrossplane(t *testing.T) {
	k := inCluster(t, "keep-crossplane", "my-cache")
	must(t, "", "delete", "-n", k.namespace, "secret/my-cache-password", "secret/my-cache-conn")
	must(t, `
apiVersion: v1
kind: Secret
metadata: {name: my-cache-password}
stringData: {password: crossplane-uid}
---
apiVersion: v1
kind: Secret
metadata: {name: my-cache-conn}
stringData: {DRAGONFLY_HOST: my-cache.keep-crossplane.svc.cluster.local, DRAGONFLY_PORT: "6379", DRAGONFLY_PASSWORD: crossplane-uid}
`, "create", "-n", k.namespace, "-f", "-")
	require.NoError(t, os.WriteFile(filepath.Join(k.root, "data", "dump-2026-08-01T00:00:00-summary.dfs"), nil, 0o600))
	k.apply(t)
	k.mount(t)
	_, now := k.start(t)
	assert.Equal(t, "crossplane-uid", now)
	assert.Equal(t, "crossplane-uid", k.data(t, "my-cache-conn")["DRAGONFLY_PASSWORD"], "Applications that read the old key go on.")
	k.mount(t)
	k.request.Rotation = "1"
	k.request.Keys = map[string]string{"DRAGONFLY_PASSWORD": "{password}"}
	_, now = k.start(t)
	assert.NotEqual(t, "crossplane-uid", now)
	assert.Equal(t, now, k.data(t, "my-cache-conn")["DRAGONFLY_PASSWORD"])
}

func TestKeepPasswordRenamed(t *testing.T) {
	k := inCluster(t, "keep-renamed", "my-cache")
	k.mount(t)
	k.pod = "eu-my-cache-0"
	log, err := k.end(t, k.begin(t))
	require.Error(t, err)
	assert.Contains(t, log, `error: the connection Secret has the endpoint "my-cache.keep-renamed.svc.cluster.local", but the pod belongs to keep-renamed/eu-my-cache: something renamed`)
}

// A folder that belongs to root, as that of a hostPath volume does.
func TestKeepPasswordUnwritableVolume(t *testing.T) {
	k := inCluster(t, "keep-unwritable", "my-cache")
	require.NoError(t, os.Chmod(filepath.Join(k.root, "data"), 0o555))
	log, err := k.end(t, k.begin(t))
	require.Error(t, err)
	assert.Equal(t, "error: the volume /data cannot be written by uid 1000: permission denied; "+
		"give the pod an fsGroup that may write there or, where that has no effect (hostPath), change the folder's owner on the node\n", log)
	assert.Empty(t, k.data(t, "my-cache-password"))
}

func TestKeepPasswordLongNames(t *testing.T) {
	k := inCluster(t, "keep-"+strings.Repeat("n", 58), "c"+strings.Repeat("0", 51))
	_, made := k.start(t)
	assert.Regexp(t, uuid4, made)
}

// What the token allows is all that the API server says it allows, and every way to more of it is refused.
func TestKeepPasswordLeastPrivilege(t *testing.T) {
	k := inCluster(t, "keep-rights", "my-cache")
	k.start(t)
	must(t, "", "create", "secret", "generic", "other", "-n", k.namespace, "--from-literal=password=x")
	namespace(t, "keep-rights-elsewhere")
	must(t, "", "create", "secret", "generic", "my-cache-password", "-n", "keep-rights-elsewhere", "--from-literal=password=x")
	token := k.freshToken(t)
	client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}} // ours, on loopback
	ask := func(method, path, body string, headers ...string) (int, string) {
		request, err := http.NewRequestWithContext(t.Context(), method, apiServer(t)+path, strings.NewReader(body))
		require.NoError(t, err)
		request.Header.Set("Authorization", "Bearer "+token)
		request.Header.Set("Content-Type", "application/json")
		if method == http.MethodPatch {
			request.Header.Set("Content-Type", "application/merge-patch+json")
		}
		for _, name := range headers {
			request.Header.Set(name, "admin")
		}
		response, err := client.Do(request)
		require.NoError(t, err)
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		return response.StatusCode, string(text)
	}

	status, text := ask(http.MethodPost, "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", `{"spec":{"namespace":"keep-rights"}}`)
	require.Equal(t, http.StatusCreated, status, text)
	var review struct {
		Status struct {
			Incomplete    bool `json:"incomplete"`
			ResourceRules []struct {
				Verbs, APIGroups, Resources, ResourceNames []string
			} `json:"resourceRules"`
		} `json:"status"`
	}
	require.NoError(t, json.Unmarshal([]byte(text), &review))
	require.False(t, review.Status.Incomplete)
	var rules []string
	for _, rule := range review.Status.ResourceRules {
		if !strings.HasPrefix(rule.Resources[0], "selfsubject") { // everybody may ask about themselves
			rules = append(rules, fmt.Sprint(rule.Verbs, rule.APIGroups, rule.Resources, rule.ResourceNames))
		}
	}
	assert.Equal(t, []string{"[[get patch] [] [secrets] [my-cache-password my-cache-conn]]"}, []string{fmt.Sprint(rules)})

	const own, elsewhere = "/api/v1/namespaces/keep-rights", "/api/v1/namespaces/keep-rights-elsewhere"
	for _, secret := range []string{"my-cache-password", "my-cache-conn"} {
		status, _ := ask(http.MethodGet, own+"/secrets/"+secret, "")
		assert.Equal(t, http.StatusOK, status, "It may be read: %s", secret)
		status, _ = ask(http.MethodPatch, own+"/secrets/"+secret, "{}")
		assert.Equal(t, http.StatusOK, status, "It may be patched: %s", secret)
	}
	refused := [][2]string{
		{http.MethodGet, own + "/secrets"}, {http.MethodGet, own + "/secrets?watch=1"},
		{http.MethodGet, own + "/secrets?fieldSelector=metadata.name%3Dmy-cache-password"},
		{http.MethodGet, "/api/v1/secrets"}, {http.MethodPost, own + "/secrets"}, {http.MethodDelete, own + "/secrets"},
		{http.MethodGet, elsewhere + "/secrets/my-cache-password"}, {http.MethodPatch, elsewhere + "/secrets/my-cache-password"},
		{http.MethodPost, own + "/serviceaccounts/my-cache/token"}, {http.MethodPost, own + "/pods/my-cache-0/exec"},
		{http.MethodPost, own + "/pods"}, {http.MethodGet, "/api/v1/nodes"}, {http.MethodGet, "/api/v1/namespaces"},
		{http.MethodPatch, "/apis/rbac.authorization.k8s.io/v1/namespaces/keep-rights/roles/my-cache"},
		{http.MethodPatch, "/apis/rbac.authorization.k8s.io/v1/namespaces/keep-rights/rolebindings/my-cache"},
		{http.MethodPost, "/apis/rbac.authorization.k8s.io/v1/namespaces/keep-rights/rolebindings"},
		{http.MethodPatch, "/apis/apps/v1/namespaces/keep-rights/statefulsets/my-cache"},
	}
	for _, secret := range []string{"my-cache-password", "my-cache-conn"} {
		refused = append(refused, [2]string{http.MethodPut, own + "/secrets/" + secret}, [2]string{http.MethodDelete, own + "/secrets/" + secret})
	}
	for _, method := range []string{http.MethodGet, http.MethodPatch, http.MethodPut, http.MethodDelete} {
		for _, object := range []string{"/secrets/other", "/configmaps/my-cache", "/pods/my-cache-0", "/services/my-cache", "/serviceaccounts/my-cache", "/persistentvolumeclaims/x", "/endpoints/x", "/events/x"} {
			refused = append(refused, [2]string{method, own + object})
		}
	}
	for _, r := range refused {
		body := "{}"
		if r[0] == http.MethodGet {
			body = ""
		}
		status, _ := ask(r[0], r[1], body)
		assert.Equal(t, http.StatusForbidden, status, r)
	}
	status, _ = ask(http.MethodGet, own+"/secrets/my-cache-password", "", "Impersonate-User")
	assert.Equal(t, http.StatusForbidden, status, "It cannot be somebody else.")
}

// expired returns the token as it was an hour ago, signed by the cluster's key.
func expired(t *testing.T, token string) string {
	t.Helper()
	parts := strings.Split(token, ".")
	require.Len(t, parts, 3)
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	require.NoError(t, err)
	var claims map[string]any
	require.NoError(t, json.Unmarshal(text, &claims))
	for _, name := range []string{"exp", "iat", "nbf"} {
		claims[name] = int64(claims[name].(float64)) - 3600
	}
	text, err = json.Marshal(claims)
	require.NoError(t, err)
	signed := parts[0] + "." + base64.RawURLEncoding.EncodeToString(text)

	file, err := os.ReadFile(filepath.Join(filepath.Dir(kubeconfig), "service-account.key"))
	require.NoError(t, err)
	block, _ := pem.Decode(file)
	key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	require.NoError(t, err)
	hash := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, hash[:])
	require.NoError(t, err)
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// forwardTo passes what arrives at one address on to another.
func forwardTo(t *testing.T, from, to string) {
	t.Helper()
	listener, err := net.Listen("tcp", from)
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer near.Close()
				far, err := net.Dial("tcp", to)
				if err != nil {
					return
				}
				defer far.Close()
				go func() { _, _ = io.Copy(far, near) }()
				_, _ = io.Copy(near, far)
			}()
		}
	}()
}
