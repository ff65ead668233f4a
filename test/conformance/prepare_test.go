//go:build conformance && linux

package conformance

import (
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
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	authorizationv1 "k8s.io/api/authorization/v1"

	"github.com/bizmatters/dragonfly-generator/internal/prepare/handover"
)

// gateway stands between the pod and the API server.
type gateway struct {
	*httptest.Server

	mu       sync.Mutex
	requests []string
	// before and after are called around the request of that number, from 0.
	before, after func(number int, r *http.Request)
}

// gateway puts one in front of the API server.
func (p *pod) gateway(t *testing.T) *gateway {
	t.Helper()
	target, err := url.Parse(apiServer(t))
	require.NoError(t, err)
	g := &gateway{}
	forward := httputil.NewSingleHostReverseProxy(target)
	forward.Transport = &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} // our own, on loopback
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
	p.authority(t, g.URL, g.Certificate())
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

// The first start uses the API server's own certificate, the second a gateway that counts requests.
func TestPrepareFirstAndSecondStart(t *testing.T) {
	t.Parallel()
	p := newPodOf(t, claim("prepare-first", "my-cache", "small"), `
apiVersion: database.bizmatters.io/v1alpha1
kind: DragonflyGenerator
metadata:
  name: platform
spec:
  connectionSecret:
    extraKeys:
      uri: "redis://:{passwordEncoded}@{endpoint}:{port}/$(HOME)$$"
      HOST: "{name}.{namespace}"
      SCHEME: "{scheme}"
`)
	log, made := p.start(t)
	assert.Regexp(t, uuid4, made)
	assert.Equal(t, "created the first password and wrote it to Secret prepare-first/my-cache-password\n"+
		"updated Secret prepare-first/my-cache-conn: password, uri\n", log)
	assert.Equal(t, map[string]string{"password": made}, p.data(t, "my-cache-password"))
	assert.Equal(t, map[string]string{
		"endpoint": "my-cache.prepare-first.svc.cluster.local", "port": "6379", "password": made,
		"uri": "redis://:" + made + "@my-cache.prepare-first.svc.cluster.local:6379/$(HOME)$$", "HOST": "my-cache.prepare-first", "SCHEME": "redis",
	}, p.data(t, "my-cache-conn"))

	g := p.gateway(t)
	p.mount(t)
	_, again := p.start(t)
	assert.Equal(t, made, again)
	assert.Empty(t, g.forget(), "The second start must make no request.")

	p.unmount(t)
	_, again = p.start(t)
	assert.Equal(t, made, again)
	assert.Equal(t, []string{"GET my-cache-conn", "GET my-cache-password"}, g.forget(), "Without the volumes, it must ask, and write nothing.")

	before := must(t, "", "get", "secret", "-n", p.namespace, "-o", "jsonpath={.items[*].metadata.resourceVersion}")
	p.apply(t)
	assert.Equal(t, made, p.password(t), "Applying the manifests must not remove the password.")
	assert.Equal(t, before, must(t, "", "get", "secret", "-n", p.namespace, "-o", "jsonpath={.items[*].metadata.resourceVersion}"))
}

func TestPrepareRotation(t *testing.T) {
	t.Parallel()
	p := newPod(t, "prepare-rotation", "my-cache")
	_, last := p.start(t)
	for _, rotation := range []string{"1", "2"} {
		p.mount(t)
		p.rotation = rotation
		log, now := p.start(t)
		assert.NotEqual(t, last, now)
		assert.Contains(t, log, "created a new password for the rotation and wrote it to Secret prepare-rotation/my-cache-password\n")
		assert.Equal(t, map[string]string{"password": now, handover.RotationKey(rotation): now}, p.data(t, "my-cache-password"))
		assert.Equal(t, rotation, p.recorded(t, "my-cache-password"))
		assert.Equal(t, rotation, p.recorded(t, "my-cache-conn"))
		last = now
	}
	p.mount(t)
	g := p.gateway(t)
	for _, rotation := range []string{"2", ""} {
		p.rotation = rotation
		_, now := p.start(t)
		assert.Equal(t, last, now)
	}
	assert.Empty(t, g.forget())
}

// Two pods have both read before either writes.
func TestPrepareTwoAtOnce(t *testing.T) {
	t.Parallel()
	p := newPod(t, "prepare-two", "my-cache")
	g := p.gateway(t)
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
		other := *p
		other.makeRoot(t)
		other.authority(t, g.URL, g.Certificate())
		p.rotation, other.rotation = rotation, rotation
		a, b := p.begin(t), other.begin(t)
		logA, err := p.end(t, a)
		require.NoError(t, err, logA)
		logB, err := other.end(t, b)
		require.NoError(t, err, logB)
		assert.Equal(t, p.password(t), other.password(t))
		assert.Equal(t, 1, strings.Count(logA+logB, "created "), "One creates it: %s%s", logA, logB)
		assert.Contains(t, logA+logB, "something else changed Secret prepare-two/my-cache-password; trying again\n")
	}
}

// Killed before and after each request: the next start finishes the job with the password that is there.
func TestPrepareKilled(t *testing.T) {
	t.Parallel()
	p := newPod(t, "prepare-killed", "my-cache")
	g := p.gateway(t)
	_, last := p.start(t)
	rotation := 0
	for request := range 4 {
		for _, arrives := range []bool{false, true} {
			rotation++
			p.rotation = fmt.Sprint(rotation)
			p.mount(t)
			g.forget()
			var run *process
			started := make(chan struct{})
			kill := func(number int, _ *http.Request) {
				if number == request {
					<-started
					_ = run.Process.Kill()
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
			run = p.begin(t)
			close(started)
			_, err := p.end(t, run)
			require.Error(t, err)
			what := fmt.Sprintf("request %d, arrives %t: %s", request, arrives, g.requests)
			require.Len(t, g.requests, request+1, what)
			between := p.data(t, "my-cache-password")["password"]
			assert.Equal(t, request > 2 || request == 2 && arrives, between != last, what)
			assert.NoFileExists(t, filepath.Join(p.root, handover.FlagFile), what)

			g.mu.Lock()
			g.before, g.after = nil, nil
			g.mu.Unlock()
			p.mount(t)
			_, now := p.start(t)
			assert.NotEqual(t, last, now, what)
			assert.True(t, between == last || between == now, what)
			last = now
		}
	}
}

// Everything missing arrives while the pod waits: the API server, a valid token, the permissions, the Secrets.
func TestPrepareWaits(t *testing.T) {
	t.Parallel()
	p := newPod(t, "prepare-waits", "my-cache")
	good := p.freshToken(t)
	must(t, "", "delete", "-n", p.namespace, "rolebinding/my-cache", "secret/my-cache-password")
	server, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := server.Addr().String()
	require.NoError(t, server.Close())
	p.authority(t, "https://"+address, nil)
	p.token(t, expired(t, good))

	run := p.begin(t)
	run.says(t, "waiting: no response from the API server https://"+address+": connect: connection refused\n")
	forwardTo(t, address, strings.TrimPrefix(apiServer(t), "https://"))
	run.says(t, "waiting: the API server https://"+address+" does not accept the pod's token yet\n")
	p.token(t, good)
	run.says(t, "waiting: the pod is not allowed to get Secret prepare-waits/my-cache-conn yet: its Role or RoleBinding is missing\n")
	must(t, "", "create", "rolebinding", "my-cache", "-n", p.namespace, "--role=my-cache", "--serviceaccount="+p.namespace+":my-cache")
	run.says(t, "waiting: Secret prepare-waits/my-cache-password does not exist yet\n")
	p.apply(t)
	log, err := p.end(t, run)
	require.NoError(t, err, log)
	assert.Regexp(t, uuid4, p.password(t))
	assert.Equal(t, 4, strings.Count(log, "waiting: "), "Each reason must appear once: %s", log)
}

// A waiting pod that is terminated stops at once.
func TestPrepareStopsWaiting(t *testing.T) {
	t.Parallel()
	p := newPod(t, "prepare-stops", "my-cache")
	must(t, "", "delete", "-n", p.namespace, "secret/my-cache-conn")
	run := p.begin(t)
	run.says(t, "waiting: ")
	require.NoError(t, run.Process.Signal(syscall.SIGTERM))
	log, err := p.end(t, run)
	require.Error(t, err)
	assert.Contains(t, log, "error: stopped while waiting: Secret prepare-stops/my-cache-conn does not exist yet\n")
	assert.Equal(t, 1, run.ProcessState.ExitCode())
}

func TestPrepareLost(t *testing.T) {
	t.Parallel()
	p := newPod(t, "prepare-lost", "my-cache")
	_, before := p.start(t)
	empty := func() {
		must(t, "", "delete", "-n", p.namespace, "secret/my-cache-password", "secret/my-cache-conn")
		p.apply(t)
		p.mount(t)
	}
	empty()
	log := p.fail(t)
	assert.Equal(t, "error: the password of prepare-lost/my-cache is lost: the instance had one, but neither Secret my-cache-password nor Secret my-cache-conn has it; "+
		"restore one of them, including its annotations, or request a new password: set the claim's annotation database.bizmatters.io/password-rotation to a new value, apply, and delete this pod, because a StatefulSet does not replace a pod that never became ready\n", log)
	assert.Empty(t, p.data(t, "my-cache-password"))

	p.patch(t, "my-cache-password", `{"stringData":{"password":"`+before+`"}}`)
	_, now := p.start(t)
	assert.Equal(t, before, now)

	empty()
	p.rotation = "1"
	_, now = p.start(t)
	assert.NotEqual(t, before, now)
}

// First only the connection Secret is left; then both are, with different passwords.
func TestPrepareMends(t *testing.T) {
	t.Parallel()
	p := newPod(t, "prepare-mends", "my-cache")
	_, before := p.start(t)
	must(t, "", "delete", "-n", p.namespace, "secret/my-cache-password")
	p.apply(t)
	p.mount(t)
	_, now := p.start(t)
	assert.Equal(t, before, now)

	p.patch(t, "my-cache-password", `{"stringData":{"password":"chosen by somebody"}}`)
	p.mount(t)
	_, now = p.start(t)
	assert.Equal(t, "chosen by somebody", now)
}

// The Secrets that Crossplane left keep their password when ours are applied over them.
func TestPrepareFromCrossplane(t *testing.T) {
	t.Parallel()
	p := newPod(t, "prepare-crossplane", "my-cache")
	must(t, "", "delete", "-n", p.namespace, "secret/my-cache-password", "secret/my-cache-conn")
	must(t, `
apiVersion: v1
kind: Secret
metadata: {name: my-cache-password}
stringData: {password: crossplane-uid}
---
apiVersion: v1
kind: Secret
metadata: {name: my-cache-conn}
stringData: {DRAGONFLY_HOST: my-cache.prepare-crossplane.svc.cluster.local, DRAGONFLY_PORT: "6379", DRAGONFLY_PASSWORD: crossplane-uid}
`, "create", "-n", p.namespace, "-f", "-")
	require.NoError(t, os.WriteFile(filepath.Join(p.root, "data", "dump-2026-08-01T00:00:00-summary.dfs"), nil, 0o600))
	p.apply(t)
	p.mount(t)
	_, now := p.start(t)
	assert.Equal(t, "crossplane-uid", now)
	assert.Equal(t, "crossplane-uid", p.data(t, "my-cache-conn")["DRAGONFLY_PASSWORD"], "Applications that read the old key must keep working.")
	p.mount(t)
	p.rotation = "1"
	p.request.Keys = map[string]string{"DRAGONFLY_PASSWORD": "{password}"}
	_, now = p.start(t)
	assert.NotEqual(t, "crossplane-uid", now)
	assert.Equal(t, now, p.data(t, "my-cache-conn")["DRAGONFLY_PASSWORD"])
}

func TestPrepareRenamed(t *testing.T) {
	t.Parallel()
	p := newPod(t, "prepare-renamed", "my-cache")
	p.mount(t)
	p.name = "eu-my-cache-0"
	log := p.fail(t)
	assert.Contains(t, log, `error: the connection Secret has the endpoint "my-cache.prepare-renamed.svc.cluster.local", but the pod belongs to prepare-renamed/eu-my-cache: something renamed`)
}

// A folder that belongs to root, like that of a hostPath volume.
func TestPrepareUnwritableVolume(t *testing.T) {
	t.Parallel()
	p := newPod(t, "prepare-unwritable", "my-cache")
	require.NoError(t, os.Chmod(filepath.Join(p.root, "data"), 0o555))
	log := p.fail(t)
	assert.Equal(t, "error: the volume /data cannot be written to by uid 1000: permission denied; "+
		"give the pod an fsGroup with write access or, if the volume ignores fsGroup, as hostPath does, change the folder's owner on the node\n", log)
	assert.Empty(t, p.data(t, "my-cache-password"))
}

func TestPrepareLongNames(t *testing.T) {
	t.Parallel()
	p := newPod(t, "prepare-"+strings.Repeat("n", 55), "c"+strings.Repeat("0", 51))
	_, made := p.start(t)
	assert.Regexp(t, uuid4, made)
}

// The token allows exactly what the API server reports, and every way to gain more is refused. Somebody else's password
// Secret can only be read.
func TestPrepareLeastPrivilege(t *testing.T) {
	t.Parallel()
	const password, connection = "my-cache-password", "my-cache-conn"
	for source, tc := range map[string]struct {
		metadata string
		rules    string // verbs, groups, resources and names
		allowed  map[string][]string
	}{
		"InCluster": {
			rules:   "[[get patch] [] [secrets] [my-cache-password my-cache-conn]]",
			allowed: map[string][]string{password: {http.MethodGet, http.MethodPatch}, connection: {http.MethodGet, http.MethodPatch}},
		},
		"Existing": {
			metadata: existing,
			rules:    "[[get patch] [] [secrets] [my-cache-conn]] [[get] [] [secrets] [my-cache-password]]",
			allowed:  map[string][]string{password: {http.MethodGet}, connection: {http.MethodGet, http.MethodPatch}},
		},
	} {
		t.Run(source, func(t *testing.T) {
			p := newPod(t, "rights-"+strings.ToLower(source), "my-cache", tc.metadata)
			if tc.metadata != "" {
				must(t, "", "create", "secret", "generic", password, "-n", p.namespace, "--from-literal=password=theirs")
			}
			elsewhere := p.namespace + "-elsewhere"
			namespace(t, elsewhere)
			must(t, "", "create", "secret", "generic", password, "-n", elsewhere, "--from-literal=password=x")
			ask := p.ask(t)

			status, text := ask(http.MethodPost, "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", `{"spec":{"namespace":"`+p.namespace+`"}}`)
			require.Equal(t, http.StatusCreated, status, text)
			var review authorizationv1.SelfSubjectRulesReview
			require.NoError(t, json.Unmarshal([]byte(text), &review))
			require.False(t, review.Status.Incomplete)
			var rules []string
			for _, rule := range review.Status.ResourceRules {
				if !strings.HasPrefix(rule.Resources[0], "selfsubject") { // everyone may ask about themselves
					rules = append(rules, fmt.Sprint([]any{rule.Verbs, rule.APIGroups, rule.Resources, rule.ResourceNames}))
				}
			}
			slices.Sort(rules)
			assert.Equal(t, tc.rules, strings.Join(rules, " "))

			own, rbac := "/api/v1/namespaces/"+p.namespace, "/apis/rbac.authorization.k8s.io/v1/namespaces/"+p.namespace
			refused := [][2]string{
				{http.MethodGet, own + "/secrets"}, {http.MethodGet, own + "/secrets?watch=1"},
				{http.MethodGet, own + "/secrets?fieldSelector=metadata.name%3D" + password},
				{http.MethodGet, "/api/v1/secrets"}, {http.MethodPost, own + "/secrets"}, {http.MethodDelete, own + "/secrets"},
				{http.MethodGet, "/api/v1/namespaces/" + elsewhere + "/secrets/" + password}, {http.MethodPatch, "/api/v1/namespaces/" + elsewhere + "/secrets/" + password},
				{http.MethodPost, own + "/serviceaccounts/my-cache/token"}, {http.MethodPost, own + "/pods/my-cache-0/exec"},
				{http.MethodPost, own + "/pods"}, {http.MethodGet, "/api/v1/nodes"}, {http.MethodGet, "/api/v1/namespaces"},
				{http.MethodPatch, rbac + "/roles/my-cache"}, {http.MethodPatch, rbac + "/rolebindings/my-cache"}, {http.MethodPost, rbac + "/rolebindings"},
				{http.MethodPatch, "/apis/apps/v1/namespaces/" + p.namespace + "/statefulsets/my-cache"},
			}
			methods := []string{http.MethodGet, http.MethodPatch, http.MethodPut, http.MethodDelete}
			for secret, allowed := range tc.allowed {
				for _, method := range methods {
					if !slices.Contains(allowed, method) {
						refused = append(refused, [2]string{method, own + "/secrets/" + secret})
						continue
					}
					status, _ := ask(method, own+"/secrets/"+secret, "{}")
					assert.Equal(t, http.StatusOK, status, "%s %s must be allowed", method, secret)
				}
			}
			for _, method := range methods {
				for _, object := range []string{"/secrets/other", "/configmaps/my-cache", "/pods/my-cache-0", "/services/my-cache", "/serviceaccounts/my-cache", "/persistentvolumeclaims/x", "/endpoints/x", "/events/x"} {
					refused = append(refused, [2]string{method, own + object})
				}
			}
			for _, r := range refused {
				status, _ := ask(r[0], r[1], "{}")
				assert.Equal(t, http.StatusForbidden, status, r)
			}
			status, _ = ask(http.MethodGet, own+"/secrets/"+password, "", "Impersonate-User")
			assert.Equal(t, http.StatusForbidden, status, "It cannot impersonate anyone.")
		})
	}
}

// ask returns a function that sends a request to the API server with the pod's token. The named headers get a value.
func (p *pod) ask(t *testing.T) func(method, path, body string, headers ...string) (status int, answer string) {
	t.Helper()
	token, server := p.freshToken(t), apiServer(t)
	client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}} // our own, on loopback
	return func(method, path, body string, headers ...string) (int, string) {
		if method == http.MethodGet {
			body = ""
		}
		request, err := http.NewRequestWithContext(t.Context(), method, server+path, strings.NewReader(body))
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

// forwardTo forwards connections from one address to another.
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
