package prepare_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bizmatters/dragonfly-generator/internal/prepare"
	"github.com/bizmatters/dragonfly-generator/internal/prepare/handover"
)

const (
	rotationAnnotation = "database.bizmatters.io/password-rotation"
	passwordSecret     = "my-cache-password"
	connectionSecret   = "my-cache-conn"
	// marker is a password that is easy to find wherever it appears.
	marker = "marker-hunter2"
)

// cluster is the part of an API server that prepare needs, with two Secrets in the namespace my-namespace.
type cluster struct {
	*httptest.Server

	mu       sync.Mutex
	secrets  map[string]*object
	requests []string // method and Secret
	token    string
	answer   func(method, name string) int // overrides the status; 0 keeps it
	before   func(method, name string)     // called before each request is handled
	values   map[string]bool               // every secret value that the Secrets have had
}

type object struct {
	version     int
	annotations map[string]string
	data        map[string]string
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{token: "good", secrets: map[string]*object{
		passwordSecret:   {version: 1},
		connectionSecret: {version: 1, data: map[string]string{"endpoint": "my-cache.my-namespace.svc.cluster.local", "port": "6379"}},
	}, values: map[string]bool{marker: true}}
	c.Server = httptest.NewTLSServer(c)
	c.Config.ErrorLog = nil
	t.Cleanup(c.Close)
	return c
}

func (c *cluster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, isSecret := strings.CutPrefix(r.URL.Path, "/api/v1/namespaces/my-namespace/secrets/")
	if c.before != nil {
		c.before(r.Method, name)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests = append(c.requests, r.Method+" "+name)
	status := http.StatusOK
	object := c.secrets[name]
	switch {
	case r.Header.Get("Authorization") != "Bearer "+c.token:
		status = http.StatusUnauthorized
	case !isSecret || r.Method != http.MethodGet && r.Method != http.MethodPatch:
		status = http.StatusForbidden
	case c.answer != nil && c.answer(r.Method, name) != 0:
		status = c.answer(r.Method, name)
	case object == nil:
		status = http.StatusNotFound
	case r.Method == http.MethodPatch:
		status = object.patch(r)
	}
	if status != http.StatusOK {
		// API servers quote what they refuse.
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"kind":"Status","message":"no: %s"}`, marker)
		return
	}
	data := map[string][]byte{}
	for key, value := range object.data {
		data[key] = []byte(value)
		if value != "" && (strings.HasPrefix(key, "password") || key == "uri") {
			c.values[value] = true
		}
	}
	_ = json.NewEncoder(w).Encode(map[string]any{
		"kind": "Secret", "data": data,
		"metadata": map[string]any{"name": name, "resourceVersion": strconv.Itoa(object.version), "annotations": object.annotations},
	})
}

// patch applies a JSON merge patch (RFC 7396), with Kubernetes' precondition.
func (o *object) patch(r *http.Request) int {
	var change struct {
		Metadata struct {
			ResourceVersion string             `json:"resourceVersion"`
			Annotations     map[string]*string `json:"annotations"`
		} `json:"metadata"`
		Data map[string]*string `json:"data"`
	}
	switch err := json.NewDecoder(r.Body).Decode(&change); {
	case err != nil || r.Header.Get("Content-Type") != "application/merge-patch+json" || r.URL.RawQuery != "fieldManager=dragonfly-generator-prepare":
		return http.StatusBadRequest
	case change.Metadata.ResourceVersion != strconv.Itoa(o.version):
		return http.StatusConflict
	}
	merge := func(to *map[string]string, changes map[string]*string, read func(string) string) {
		if *to == nil {
			*to = map[string]string{}
		}
		for key, value := range changes {
			if delete(*to, key); value != nil {
				(*to)[key] = read(*value)
			}
		}
	}
	merge(&o.annotations, change.Metadata.Annotations, func(text string) string { return text })
	merge(&o.data, change.Data, func(text string) string {
		value, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			panic(err)
		}
		return string(value)
	})
	o.version++
	return http.StatusOK
}

// set sets a key of a Secret, as someone else would.
func (c *cluster) set(name, key, value string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	o := c.secrets[name]
	if o.data == nil {
		o.data = map[string]string{}
	}
	o.data[key] = value
	o.version++
}

// password returns the password, which both Secrets must have.
func (c *cluster) password(t *testing.T) string {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.secrets[passwordSecret].data["password"]
	require.NotEmpty(t, p)
	require.Equal(t, p, c.secrets[connectionSecret].data["password"])
	return p
}

// forget empties the list of requests and returns it.
func (c *cluster) forget() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	requests := c.requests
	c.requests = nil
	return requests
}

// pod is a pod of the instance, with its volumes.
type pod struct {
	root    string
	env     map[string]string
	request handover.Request
	log     bytes.Buffer

	transport func(http.RoundTripper) http.RoundTripper
	paused    func(pauses int) // called in each pause
	pauses    []time.Duration
}

func (c *cluster) pod(t *testing.T, name string) *pod {
	t.Helper()
	server, err := url.Parse(c.URL)
	require.NoError(t, err)
	p := &pod{
		root: t.TempDir(), request: handover.Request{Data: "/data", FlagFile: true},
		env: map[string]string{
			"KUBERNETES_SERVICE_HOST": server.Hostname(), "KUBERNETES_SERVICE_PORT": server.Port(),
			"POD_NAME": name, "POD_NAMESPACE": "my-namespace",
		},
	}
	for _, folder := range []string{handover.TokenPath, handover.PasswordSecretPath, handover.ConnectionSecretPath, handover.FlagFolder, "/data"} {
		require.NoError(t, os.MkdirAll(filepath.Join(p.root, folder), 0o755))
	}
	p.write(t, handover.TokenPath+"/token", "good\n")
	p.write(t, handover.TokenPath+"/ca.crt", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate().Raw})))
	return p
}

func (p *pod) write(t *testing.T, file, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(p.root, file), []byte(text), 0o600))
}

func (p *pod) read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(p.root, file))
	require.NoError(t, err)
	return string(text)
}

// mount updates the Secrets' volumes as the kubelet does.
func (p *pod) mount(t *testing.T, c *cluster) {
	t.Helper()
	for name, path := range map[string]string{passwordSecret: handover.PasswordSecretPath, connectionSecret: handover.ConnectionSecretPath} {
		folder := filepath.Join(p.root, path)
		require.NoError(t, os.RemoveAll(folder))
		require.NoError(t, os.MkdirAll(filepath.Join(folder, "..2026"), 0o755))
		require.NoError(t, os.Symlink("..2026", filepath.Join(folder, "..data")))
		c.mu.Lock()
		object := c.secrets[name]
		c.mu.Unlock()
		if object == nil {
			continue
		}
		for key, value := range object.data {
			require.NoError(t, os.WriteFile(filepath.Join(folder, "..2026", key), []byte(value), 0o600))
			require.NoError(t, os.Symlink(filepath.Join("..data", key), filepath.Join(folder, key)))
		}
	}
}

// start runs the init container. Neither its log nor its error may contain a secret value.
func (p *pod) start(t *testing.T, c *cluster) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	err := p.run(ctx)
	if c != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		for value := range c.values {
			assert.NotContains(t, p.log.String()+fmt.Sprint(err), value)
		}
	}
	return err
}

func (p *pod) run(ctx context.Context) error {
	p.pauses = nil
	p.log.Reset()
	return prepare.Run(ctx, p.request, prepare.Environment{
		Getenv: func(name string) string { return p.env[name] },
		Random: rand.Reader, Log: &p.log, Root: p.root, Transport: p.transport,
		Sleep: func(ctx context.Context, pause time.Duration) error {
			p.pauses = append(p.pauses, pause)
			if p.paused != nil {
				p.paused(len(p.pauses))
			}
			return ctx.Err()
		},
	})
}

// restarted makes p the next pod with the same name: the volume is kept, and the file in memory is gone.
func (p *pod) restarted(t *testing.T, c *cluster) {
	t.Helper()
	require.NoError(t, os.RemoveAll(filepath.Join(p.root, handover.FlagFile)))
	p.transport, p.paused = nil, nil
	p.mount(t, c)
}

const uuid4 = `^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`

func TestFirstAndSecondStart(t *testing.T) {
	c := newCluster(t)
	p := c.pod(t, "my-cache-0")
	p.request.Keys = map[string]string{"uri": "redis://:{passwordEncoded}@my-cache:6379/0"}
	p.mount(t, c)
	p.write(t, "/data/.dragonfly-generator-killed.tmp", "left behind by a killed run")
	require.NoError(t, p.start(t, c))

	made := c.password(t)
	assert.Regexp(t, uuid4, made)
	assert.Equal(t, map[string]string{"password": made}, c.secrets[passwordSecret].data)
	assert.Equal(t, map[string]string{
		"password": made, "uri": "redis://:" + made + "@my-cache:6379/0", "port": "6379", "endpoint": "my-cache.my-namespace.svc.cluster.local",
	}, c.secrets[connectionSecret].data)
	assert.Empty(t, c.secrets[passwordSecret].annotations)
	assert.Equal(t, []string{"GET my-cache-conn", "GET my-cache-password", "PATCH my-cache-password", "PATCH my-cache-conn"}, c.forget())
	assert.Equal(t, "created the first password and wrote it to Secret my-namespace/my-cache-password\nupdated Secret my-namespace/my-cache-conn: password, uri\n", p.log.String())
	assert.Equal(t, "--requirepass="+made+"\n", p.read(t, handover.FlagFile))
	info, err := os.Stat(filepath.Join(p.root, handover.FlagFile))
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o400), info.Mode().Perm())
	assert.Equal(t, `{"instance":"my-namespace/my-cache","hadPassword":true}`+"\n", p.read(t, "/data/.dragonfly-generator"))
	files, err := os.ReadDir(filepath.Join(p.root, "data"))
	require.NoError(t, err)
	assert.Len(t, files, 1)

	p.restarted(t, c)
	c.token = "another" // every request would be refused
	require.NoError(t, p.start(t, c))
	assert.Empty(t, c.forget())
	assert.Equal(t, "--requirepass="+made+"\n", p.read(t, handover.FlagFile))
	assert.Equal(t, "both Secrets of my-namespace/my-cache already have the password\n", p.log.String())

	require.NoError(t, p.start(t, c), "The container may restart in the same pod.")
	assert.Equal(t, "--requirepass="+made+"\n", p.read(t, handover.FlagFile))
}

func TestEmptyRequest(t *testing.T) {
	c := newCluster(t)
	p := c.pod(t, "my-cache-0")
	p.request = handover.Request{}
	require.NoError(t, p.start(t, c))
	assert.NoFileExists(t, filepath.Join(p.root, handover.FlagFile))
	assert.NoFileExists(t, filepath.Join(p.root, "data/.dragonfly-generator"))
	require.NoError(t, p.start(t, c), "The mounted Secrets are outdated.")
	assert.Len(t, c.forget(), 6, "The second run needs two requests to see that there is nothing to do.")
}

func TestRotation(t *testing.T) {
	c := newCluster(t)
	p := c.pod(t, "my-cache-0")
	require.NoError(t, p.start(t, c))
	before := c.password(t)
	last := before
	for _, rotation := range []string{"1", "2", "1"} {
		p.restarted(t, c)
		p.env[handover.PasswordRotationVariable] = rotation
		require.NoError(t, p.start(t, c), rotation)
		now := c.password(t)
		assert.NotEqual(t, last, now, rotation)
		assert.Equal(t, map[string]string{"password": now, handover.RotationKey(rotation): now}, c.secrets[passwordSecret].data, "The key of the previous rotation is gone.")
		for _, object := range c.secrets {
			assert.Equal(t, map[string]string{rotationAnnotation: rotation}, object.annotations)
		}
		assert.Equal(t, "--requirepass="+now+"\n", p.read(t, handover.FlagFile))
		assert.JSONEq(t, `{"instance":"my-namespace/my-cache","hadPassword":true,"rotation":"`+rotation+`"}`, p.read(t, "/data/.dragonfly-generator"))
		last = now

		p.restarted(t, c)
		c.forget()
		require.NoError(t, p.start(t, c))
		assert.Empty(t, c.forget(), "A restart after the rotation makes no request.")
		assert.Equal(t, now, c.password(t))
	}

	p.restarted(t, c)
	p.env[handover.PasswordRotationVariable] = ""
	require.NoError(t, p.start(t, c))
	assert.Empty(t, c.forget(), "Removing the rotation changes nothing.")
	assert.Equal(t, last, c.password(t))
	assert.JSONEq(t, `{"instance":"my-namespace/my-cache","hadPassword":true,"rotation":"1"}`, p.read(t, "/data/.dragonfly-generator"))
}

// However outdated the mounted copies are, a password from before the rotation is never passed to the server.
func TestRotationWithOutdatedVolumes(t *testing.T) {
	c := newCluster(t)
	p := c.pod(t, "my-cache-0")
	require.NoError(t, p.start(t, c))
	p.restarted(t, c)
	old := c.password(t)
	for range 2 {
		p.env[handover.PasswordRotationVariable] = "2"
		require.NoError(t, p.start(t, c))
		assert.NotEqual(t, "--requirepass="+old+"\n", p.read(t, handover.FlagFile))
		assert.Equal(t, "--requirepass="+c.password(t)+"\n", p.read(t, handover.FlagFile))
		// The rotation is no longer requested, and the mounted copies predate it.
		p.env[handover.PasswordRotationVariable] = ""
		require.NoError(t, p.start(t, c))
		assert.Equal(t, "--requirepass="+c.password(t)+"\n", p.read(t, handover.FlagFile))
	}
}

// gate lets some requests through and then kills the process, before or after the next one arrives.
type gate struct {
	http.RoundTripper
	left    *int
	arrives bool
	kill    context.CancelFunc
}

func (g gate) RoundTrip(r *http.Request) (*http.Response, error) {
	if *g.left > 0 {
		*g.left--
		return g.RoundTripper.RoundTrip(r)
	}
	if g.arrives {
		if response, err := g.RoundTripper.RoundTrip(r); err == nil {
			_, _ = io.Copy(io.Discard, response.Body)
			response.Body.Close()
		}
	}
	g.kill()
	return nil, errors.New("killed")
}

// The run is killed before and after each request, at the first start and in a rotation.
func TestKilled(t *testing.T) {
	for _, rotates := range []bool{false, true} {
		for requests := range 4 {
			for _, arrives := range []bool{false, true} {
				what := fmt.Sprintf("rotates %t, %d requests, the next arrives %t", rotates, requests, arrives)
				c := newCluster(t)
				p := c.pod(t, "my-cache-0")
				before := ""
				if rotates {
					require.NoError(t, p.start(t, c), what)
					before = c.password(t)
					p.restarted(t, c)
					p.env[handover.PasswordRotationVariable] = "2"
				}
				ctx, kill := context.WithCancel(t.Context())
				left := requests
				p.transport = func(next http.RoundTripper) http.RoundTripper { return gate{next, &left, arrives, kill} }
				require.Error(t, p.run(ctx), what)
				kill()
				assert.NoFileExists(t, filepath.Join(p.root, handover.FlagFile), what)
				between := c.secrets[passwordSecret].data["password"]
				if wrote := requests > 2 || requests == 2 && arrives; wrote {
					assert.NotEqual(t, before, between, what)
				} else {
					assert.Equal(t, before, between, what)
				}

				p.restarted(t, c)
				require.NoError(t, p.start(t, c), what)
				now := c.password(t)
				if between != before {
					assert.Equal(t, between, now, what)
				}
				assert.NotEqual(t, before, now, what)
				assert.Equal(t, "--requirepass="+now+"\n", p.read(t, handover.FlagFile), what)
				p.restarted(t, c)
				require.NoError(t, p.start(t, c), what)
				assert.Equal(t, now, c.password(t), what)
			}
		}
	}
}

// Someone else writes to a Secret between our read and our write.
func TestConflict(t *testing.T) {
	for _, contested := range []string{passwordSecret, connectionSecret} {
		c := newCluster(t)
		p := c.pod(t, "my-cache-0")
		once := sync.Once{}
		c.before = func(method, name string) {
			if method == http.MethodPatch && name == contested {
				once.Do(func() { c.set(contested, "password", marker) })
			}
		}
		require.NoError(t, p.start(t, c), contested)
		now := c.password(t)
		assert.Equal(t, contested == passwordSecret, now == marker, "What someone else wrote to the password Secret counts.")
		assert.Contains(t, p.log.String(), "something else changed Secret my-namespace/"+contested+"; trying again\n")
		assert.Empty(t, p.pauses)
	}
}

// A persistent conflict does not cause a busy loop: there is a pause after every second attempt.
func TestLastingConflict(t *testing.T) {
	c := newCluster(t)
	p := c.pod(t, "my-cache-0")
	conflicts := 0
	c.before = func(method, name string) {
		if method == http.MethodPatch && name == passwordSecret && conflicts < 6 {
			conflicts++
			c.set(name, "note", strconv.Itoa(conflicts))
		}
	}
	require.NoError(t, p.start(t, c))
	assert.Equal(t, 6, conflicts)
	assert.Len(t, p.pauses, 3)
}

func TestManyAtOnce(t *testing.T) {
	for _, rotates := range []bool{false, true} {
		c := newCluster(t)
		before := ""
		if rotates {
			require.NoError(t, c.pod(t, "my-cache-0").start(t, c))
			before = c.password(t)
		}
		var wait sync.WaitGroup
		pods := make([]*pod, 8)
		for i := range pods {
			pods[i] = c.pod(t, "my-cache-0")
			if rotates {
				pods[i].env[handover.PasswordRotationVariable] = "2"
			}
			wait.Go(func() { assert.NoError(t, pods[i].run(t.Context())) })
		}
		wait.Wait()
		now := c.password(t)
		assert.NotEqual(t, before, now)
		for _, p := range pods {
			assert.Equal(t, "--requirepass="+now+"\n", p.read(t, handover.FlagFile))
		}
	}
}

// Each of these problems goes away while the pod waits, and is logged once.
func TestWaits(t *testing.T) {
	for _, tc := range []struct {
		reason string
		begin  func(c *cluster, p *pod)
		end    func(c *cluster, p *pod)
		log    string
	}{
		{"A Secret is missing.",
			func(c *cluster, _ *pod) { delete(c.secrets, passwordSecret) },
			func(c *cluster, _ *pod) { c.secrets[passwordSecret] = &object{version: 7} },
			"Secret my-namespace/my-cache-password does not exist yet"},
		{"The other Secret is missing.",
			func(c *cluster, p *pod) {
				delete(c.secrets, connectionSecret)
			},
			func(c *cluster, _ *pod) {
				c.secrets[connectionSecret] = &object{version: 7, data: map[string]string{"endpoint": "my-cache.my-namespace.svc.cluster.local"}}
			},
			"Secret my-namespace/my-cache-conn does not exist yet"},
		{"The RoleBinding does not exist yet.",
			func(c *cluster, _ *pod) { c.answer = func(string, string) int { return 403 } },
			func(c *cluster, _ *pod) { c.answer = nil },
			"the pod is not allowed to get Secret my-namespace/my-cache-conn yet: its Role or RoleBinding is missing"},
		{"It can read, but not write yet.",
			func(c *cluster, _ *pod) {
				c.answer = func(method, _ string) int { return map[string]int{"PATCH": 403}[method] }
			},
			func(c *cluster, _ *pod) { c.answer = nil },
			"the pod is not allowed to patch Secret my-namespace/my-cache-password yet: its Role or RoleBinding is missing"},
		{"The token has expired.",
			func(c *cluster, _ *pod) { c.token = "new" },
			func(_ *cluster, p *pod) {
				_ = os.WriteFile(filepath.Join(p.root, handover.TokenPath, "token"), []byte("new"), 0o600)
			},
			"the API server https://HOST does not accept the pod's token yet"},
		{"The API server is overloaded.",
			func(c *cluster, _ *pod) { c.answer = func(string, string) int { return 429 } },
			func(c *cluster, _ *pod) { c.answer = nil },
			"the API server https://HOST responded with 429 Too Many Requests"},
		{"etcd is unavailable.",
			func(c *cluster, _ *pod) { c.answer = func(string, string) int { return 503 } },
			func(c *cluster, _ *pod) { c.answer = nil },
			"the API server https://HOST responded with 503 Service Unavailable"},
		{"The API server is unreachable.",
			func(_ *cluster, p *pod) {
				p.env["KUBERNETES_SERVICE_PORT"], p.env["PORT"] = "1", p.env["KUBERNETES_SERVICE_PORT"]
			},
			nil,
			"no response from the API server https://127.0.0.1:1: connect: connection refused"},
	} {
		c := newCluster(t)
		p := c.pod(t, "my-cache-0")
		p.mount(t, c)
		tc.begin(c, p)
		host := strings.TrimPrefix(c.URL, "https://")
		stopped := false
		ctx, stop := context.WithCancel(t.Context())
		p.paused = func(pauses int) {
			if pauses != 9 {
				return
			}
			if tc.end == nil {
				stopped = true
				stop()
				return
			}
			tc.end(c, p)
		}
		err := p.run(ctx)
		stop()
		said := "waiting: " + strings.ReplaceAll(tc.log, "HOST", host) + "\n"
		if stopped {
			require.EqualError(t, err, "stopped while "+strings.TrimSuffix(said, "\n"), tc.reason)
			assert.Equal(t, said, p.log.String(), tc.reason)
		} else {
			require.NoError(t, err, tc.reason)
			assert.True(t, strings.HasPrefix(p.log.String(), said+"created the first password"), "%s\n%s", tc.reason, p.log.String())
			assert.Equal(t, 1, strings.Count(p.log.String(), "waiting"), tc.reason)
			assert.Equal(t, "--requirepass="+c.password(t)+"\n", p.read(t, handover.FlagFile), tc.reason)
		}
		assert.NotContains(t, p.log.String(), marker, tc.reason)
		require.Len(t, p.pauses, 9, tc.reason)
		for i, pause := range p.pauses {
			longest := min(time.Second<<i, 30*time.Second)
			assert.True(t, longest/2 <= pause && pause <= longest, "%s: pause %d is %s", tc.reason, i, pause)
		}
	}
}

// A replica waits for pod 0, and the reason to wait may change.
func TestReplicaWaitsForPod0(t *testing.T) {
	c := newCluster(t)
	object := c.secrets[passwordSecret]
	delete(c.secrets, passwordSecret)
	p := c.pod(t, "my-cache-1")
	p.paused = func(pauses int) {
		switch pauses {
		case 2:
			c.secrets[passwordSecret] = object
		case 5:
			require.NoError(t, c.pod(t, "my-cache-0").start(t, c))
		}
	}
	require.NoError(t, p.start(t, c))
	assert.Equal(t, "waiting: Secret my-namespace/my-cache-password does not exist yet\nwaiting: pod my-cache-0 has not created the password yet\nboth Secrets of my-namespace/my-cache already have the password\n", p.log.String())
	assert.Equal(t, "--requirepass="+c.password(t)+"\n", p.read(t, handover.FlagFile))
}

func TestLost(t *testing.T) {
	c := newCluster(t)
	p := c.pod(t, "my-cache-0")
	require.NoError(t, p.start(t, c))
	before := c.password(t)
	empty := func() {
		c.secrets[passwordSecret].data = nil
		delete(c.secrets[connectionSecret].data, "password")
	}
	empty()
	p.restarted(t, c)
	for range 2 {
		require.EqualError(t, p.start(t, c), "the password of my-namespace/my-cache is lost: the instance had one, but neither Secret my-cache-password nor Secret my-cache-conn has it; "+
			"restore one of them, including its annotations, or request a new password: set the claim's annotation database.bizmatters.io/password-rotation to a new value, apply, and delete this pod, because a StatefulSet does not replace a pod that never became ready")
	}
	assert.NoFileExists(t, filepath.Join(p.root, handover.FlagFile))
	assert.Empty(t, c.secrets[passwordSecret].data)

	c.set(connectionSecret, "password", before)
	require.NoError(t, p.start(t, c), "One way out is to restore a Secret.")
	assert.Equal(t, before, c.password(t))
	assert.Contains(t, p.log.String(), "copied the password from the connection Secret to Secret my-namespace/my-cache-password\n")

	empty()
	p.restarted(t, c)
	p.env[handover.PasswordRotationVariable] = "1"
	require.NoError(t, p.start(t, c), "The other is to request a new password.")
	assert.NotEqual(t, before, c.password(t))
	assert.Contains(t, p.log.String(), "created a new password for the rotation")
}

// A volume from before InCluster has snapshots but no record.
func TestLostWithASnapshot(t *testing.T) {
	for _, file := range []string{"dump-summary.dfs", "dump-2026-08-01T00:00:00-0000.dfs", ".dragonfly-generator"} {
		c := newCluster(t)
		p := c.pod(t, "my-cache-0")
		p.env[handover.PasswordRotationVariable] = "1"
		p.write(t, "/data/"+file, "")
		require.ErrorContains(t, p.start(t, c), "is lost", "The lost password may have been created for that rotation: %s", file)
		require.ErrorContains(t, p.start(t, c), "is lost", file)
		p.env[handover.PasswordRotationVariable] = "2"
		require.NoError(t, p.start(t, c), file)
		assert.NotEmpty(t, c.password(t))
	}
	c := newCluster(t)
	p := c.pod(t, "my-cache-0")
	p.write(t, "/data/.dragonfly-generator", `{"hadPassword":false}`)
	p.write(t, "/data/dump-summary.dfs", "")
	require.ErrorContains(t, p.start(t, c), "is lost", "Someone has since restored a snapshot.")

	c = newCluster(t)
	p = c.pod(t, "my-cache-0")
	p.write(t, "/data/lost+found", "")
	p.write(t, "/data/notes.dfs", "")
	require.NoError(t, p.start(t, c))
}

func TestCrossplanesPasswordIsKept(t *testing.T) {
	c := newCluster(t)
	for _, name := range []string{passwordSecret, connectionSecret} {
		c.set(name, "password", marker)
	}
	p := c.pod(t, "my-cache-0")
	p.write(t, "/data/dump-summary.dfs", "")
	p.mount(t, c)
	require.NoError(t, p.start(t, c))
	assert.Empty(t, c.forget())
	assert.Equal(t, marker, c.password(t))
	assert.Equal(t, "--requirepass="+marker+"\n", p.read(t, handover.FlagFile))

	p.restarted(t, c)
	p.request.Keys = map[string]string{"DRAGONFLY_PASSWORD": "{password}"}
	require.NoError(t, p.start(t, c))
	assert.Equal(t, marker, c.secrets[connectionSecret].data["DRAGONFLY_PASSWORD"])
	assert.Equal(t, []string{"GET my-cache-conn", "GET my-cache-password", "PATCH my-cache-conn"}, c.forget())
}

// The mounted copy is readable even if the Role names another Secret.
func TestRenamed(t *testing.T) {
	for _, mounted := range []bool{true, false} {
		c := newCluster(t)
		c.set(connectionSecret, "endpoint", "cache.my-namespace.svc.cluster.local")
		p := c.pod(t, "my-cache-0")
		delete(c.secrets, passwordSecret)
		if mounted {
			p.mount(t, c)
		}
		require.EqualError(t, p.start(t, c), `the connection Secret has the endpoint "cache.my-namespace.svc.cluster.local", but the pod belongs to my-namespace/my-cache: `+
			"something renamed the instance after dragonfly-generator ran; run the function in the overlay that you build, after anything that sets names or namespaces")
		assert.Equal(t, mounted, len(c.forget()) == 0)
		assert.Empty(t, p.pauses)
	}
}

func TestStops(t *testing.T) {
	in := func(name, key, value string) func(*cluster, *pod) {
		return func(c *cluster, _ *pod) { c.set(name, key, value) }
	}
	for _, tc := range []struct {
		reason string
		change func(c *cluster, p *pod)
		err    string // HOST is the API server
	}{
		{"Not a password.", in(passwordSecret, "password", marker+"\n"),
			"key password of Secret my-namespace/my-cache-password ends with a line break; remove it, for example with `echo -n`"},
		{"The Secret is immutable.", func(c *cluster, _ *pod) {
			c.answer = func(method, _ string) int { return map[string]int{"PATCH": 422}[method] }
		}, "the API server https://HOST refused to patch Secret my-namespace/my-cache-password: 422 Unprocessable Entity"},
		{"It redirects, and the token must not be sent elsewhere.", func(c *cluster, _ *pod) { c.answer = func(string, string) int { return 307 } },
			"the API server https://HOST refused to get Secret my-namespace/my-cache-conn: 307 Temporary Redirect"},
		{"There is no volume.", func(_ *cluster, p *pod) { p.request.Data = "/nowhere" }, "the volume /nowhere cannot be read: no such file or directory"},
		{"The folder in memory is missing.", func(_ *cluster, p *pod) { _ = os.RemoveAll(filepath.Join(p.root, handover.FlagFolder)) },
			"/run/dragonfly/flags/flagfile cannot be written: no such file or directory"},
		{"The CA file has no certificate.", func(_ *cluster, p *pod) {
			_ = os.WriteFile(filepath.Join(p.root, handover.TokenPath, "ca.crt"), []byte("none"), 0o600)
		}, "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt contains no certificate"},
		{"The folder in the bucket belongs to another instance.", func(_ *cluster, p *pod) { p.request.Bucket = "s3://backups/dragonfly/shop/my-cache" },
			"the snapshots in s3://backups/dragonfly/shop/my-cache belong to another instance, and the two instances would overwrite each other's snapshots: " +
				"something renamed or copied this one after dragonfly-generator ran; render and apply manifests for my-namespace/my-cache, so that the folder ends with /my-namespace/my-cache"},
		{"So does one with the same suffix.", func(_ *cluster, p *pod) { p.request.Bucket = "s3://backups/dragonfly/x-my-namespace/my-cache" }, "belong to another instance"},
		{"The server reads the key of another rotation.", func(_ *cluster, p *pod) {
			p.env[handover.PasswordRotationVariable], p.request.RotationKey = "3", handover.RotationKey("2")
		}, `the server reads the key password-d4735e3a265e16ee of Secret my-cache-password, but the key for the rotation "3" in the pod's annotation database.bizmatters.io/password-rotation is password-4e07408562bedb8b: ` +
			"something changed the annotation after dragonfly-generator ran; set the rotation on the claim instead"},
		{"The server reads the key of a rotation, but there is none.", func(_ *cluster, p *pod) { p.request.RotationKey = handover.RotationKey("2") }, `but the key for the rotation "" in the pod's annotation database.bizmatters.io/password-rotation is password:`},
		{"The server reads the key without a rotation, but there is one.", func(_ *cluster, p *pod) {
			p.env[handover.PasswordRotationVariable], p.request.RotationKey = "2", handover.RotationKey("")
		}, "the server reads the key password of Secret"},
		{"Outside a cluster.", func(_ *cluster, p *pod) { delete(p.env, "KUBERNETES_SERVICE_HOST") }, "prepare must run in the init container of a Dragonfly pod in Kubernetes"},
		{"Without a token.", func(_ *cluster, p *pod) { _ = os.Remove(filepath.Join(p.root, handover.TokenPath, "token")) }, "serviceaccount/token cannot be read: no such file or directory"},
		{"Not a StatefulSet's pod.", func(_ *cluster, p *pod) { p.env["POD_NAME"] = "my-cache-x7k2p" },
			`POD_NAME is "my-cache-x7k2p" and POD_NAMESPACE is "my-namespace"; the downward API must set them to the name and namespace of a StatefulSet's pod`},
		{"No name.", func(_ *cluster, p *pod) { delete(p.env, "POD_NAME") }, `POD_NAME is ""`},
		{"No namespace.", func(_ *cluster, p *pod) { delete(p.env, "POD_NAMESPACE") }, `POD_NAMESPACE is ""`},
	} {
		c := newCluster(t)
		p := c.pod(t, "my-cache-0")
		tc.change(c, p)
		require.ErrorContains(t, p.start(t, c), strings.ReplaceAll(tc.err, "HOST", strings.TrimPrefix(c.URL, "https://")), tc.reason)
		assert.NoFileExists(t, filepath.Join(p.root, handover.FlagFile), tc.reason)
		assert.Empty(t, p.pauses, tc.reason)
	}
}

// A response that is not from an API server does not end the wait, and is not quoted.
func TestInvalidResponse(t *testing.T) {
	for _, body := range []string{"", marker, `{"kind":"Secret"}`, `{"metadata":{"resourceVersion":"1"},"data":{"password":"` + marker + `"}}`} {
		c := newCluster(t)
		real := c.Config.Handler
		served := 0
		c.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if served++; served == 1 {
				_, _ = io.WriteString(w, body)
				return
			}
			real.ServeHTTP(w, r)
		})
		p := c.pod(t, "my-cache-0")
		require.NoError(t, p.start(t, c), body)
		assert.Contains(t, p.log.String(), "waiting: the response from "+c.URL+" is not Secret my-namespace/my-cache-conn\n")
	}
}

// Keys and annotations that it does not own are kept.
func TestOthersKeysStay(t *testing.T) {
	c := newCluster(t)
	c.secrets[passwordSecret].annotations = map[string]string{"team": "a"}
	c.set(passwordSecret, "notes", "mine")
	c.set(connectionSecret, "notes", "mine")
	before := maps.Clone(c.secrets[connectionSecret].data)
	p := c.pod(t, "my-cache-0")
	p.env[handover.PasswordRotationVariable] = "1"
	require.NoError(t, p.start(t, c))
	before["password"] = c.password(t)
	assert.Equal(t, before, c.secrets[connectionSecret].data)
	assert.Equal(t, "mine", c.secrets[passwordSecret].data["notes"])
	assert.Equal(t, map[string]string{"team": "a", rotationAnnotation: "1"}, c.secrets[passwordSecret].annotations)
}

// snapshotFile returns a file of a snapshot: a header with fields, given as names and values, and then data.
func snapshotFile(fields ...string) string {
	text := "REDIS0009"
	for i := 0; i < len(fields); i += 2 {
		text += "\xFA" + string(rune(len(fields[i]))) + fields[i] + string(rune(len(fields[i+1]))) + fields[i+1]
	}
	return text + "\xFE\x00" + strings.Repeat("x", 4000)
}

// A full instance can restart: maxmemory is what its snapshot needs, whether or not the run makes requests.
func TestMaxMemory(t *testing.T) {
	const mebi = 1 << 20
	for _, tc := range []struct {
		reason string
		files  map[string]string // in /data
		want   string            // the line in the flag file
		log    string            // a part of it
		err    string
	}{
		{reason: "There is no snapshot yet.", want: "--maxmemory=751619276\n"},
		{reason: "It fits.", files: map[string]string{"dump-summary.dfs": snapshotFile("used-mem", "789200239")}, want: "--maxmemory=751619276\n"},
		{reason: "It is a byte too large.", files: map[string]string{"dump-summary.dfs": snapshotFile("used-mem", "789200240")}, want: "--maxmemory=759135469\n",
			log: "the snapshot dump-summary.dfs on /data needs 753Mi of memory, more than the server can load with the configured maxmemory of 751619276 bytes, so maxmemory is 759135469 bytes for this pod; " +
				"delete keys, because writes are refused until then; after that, the next pod gets the configured maxmemory again\n"},
		{reason: "A shard needs more.", files: map[string]string{
			"dump-summary.dfs": snapshotFile("snapshot-id", "a", "used-mem", "1"), "dump-0000.dfs": snapshotFile("snapshot-id", "a", "used-mem", "789200240"),
		}, want: "--maxmemory=759135469\n", log: "the snapshot dump-summary.dfs"},
		{reason: "At 85% of the limit, it just loads.", files: map[string]string{"dump-summary.dfs": snapshotFile("used-mem", "912680550")}, want: "--maxmemory=877911768\n", log: "writes are refused"},
		{reason: "Above that, prepare stops.", files: map[string]string{"dump-summary.dfs": snapshotFile("used-mem", "912680551")},
			err: "the snapshot dump-summary.dfs on /data needs 871Mi of memory, which does not fit in the server's memory limit of 1Gi; choose a size with a memory limit of at least 1.2Gi, apply, " +
				"and delete the pod my-cache-0, because a StatefulSet does not replace a pod that never became ready"},
		{reason: "It cannot be read.", files: map[string]string{"dump-summary.dfs": "garbage"}, want: "--maxmemory=751619276\n",
			log: "cannot fully determine how much memory the snapshot on /data needs: dump-summary.dfs is not a snapshot\n"},
	} {
		c := newCluster(t)
		p := c.pod(t, "my-cache-0")
		p.request.MemoryLimit, p.request.MaxMemory = 1024*mebi, 1024*mebi*7/10
		c.set(passwordSecret, "password", marker) // otherwise, it would be lost
		for name, text := range tc.files {
			p.write(t, "/data/"+name, text)
		}
		for _, path := range []string{"with requests", "settled"} {
			err := p.start(t, c)
			if tc.err != "" {
				require.EqualError(t, err, tc.err, tc.reason)
				assert.NoFileExists(t, filepath.Join(p.root, handover.FlagFile), tc.reason)
				assert.Empty(t, c.forget(), "It stops before the first request.")
				continue
			}
			require.NoError(t, err, tc.reason)
			assert.Equal(t, "--requirepass="+marker+"\n"+tc.want, p.read(t, handover.FlagFile), "%s (%s)", tc.reason, path)
			assert.Contains(t, p.log.String(), tc.log, "%s (%s)", tc.reason, path)
			if tc.log == "" {
				assert.NotContains(t, p.log.String(), "snapshot", tc.reason)
			}
			p.restarted(t, c)
		}
	}

	c := newCluster(t)
	p := c.pod(t, "my-cache-0")
	p.request = handover.Request{FlagFile: true, MaxMemory: 5}
	require.NoError(t, p.start(t, c), "Without a volume, there is no snapshot.")
	assert.Contains(t, p.read(t, handover.FlagFile), "\n--maxmemory=5\n")
}

// The folder in the bucket and the key of the rotation belong to the pod.
func TestOwnArguments(t *testing.T) {
	for _, bucket := range []string{"s3://backups/my-namespace/my-cache", "gs://b/a/c/my-namespace/my-cache/"} {
		c := newCluster(t)
		p := c.pod(t, "my-cache-0")
		p.request = handover.Request{Bucket: bucket, RotationKey: handover.RotationKey("2")}
		p.env[handover.PasswordRotationVariable] = "2"
		require.NoError(t, p.start(t, c), bucket)
		assert.Equal(t, c.password(t), c.secrets[passwordSecret].data[handover.RotationKey("2")])
	}
}

// A namespace was copied, including its Secrets and volume. Its applications must not reach the original.
func TestCopiedNamespace(t *testing.T) {
	c := newCluster(t)
	copied := func() {
		for key, value := range map[string]string{
			"password": marker, "endpoint": "my-cache.shop.svc.k8s.example.org", "HOST": "my-cache.shop.svc.k8s.example.org", "uri": "redis://:" + marker + "@my-cache.shop.svc.k8s.example.org",
		} {
			c.set(connectionSecret, key, value)
		}
	}
	copied()
	c.set(passwordSecret, "password", marker)
	p := c.pod(t, "my-cache-0")
	p.request.Keys = map[string]string{"HOST": "{endpoint}", "uri": "redis://:{passwordEncoded}@{endpoint}"}
	p.write(t, "/data/.dragonfly-generator", `{"instance":"shop/my-cache","hadPassword":true,"rotation":"1","endpointCorrected":true}`)
	p.write(t, "/data/dump-summary.dfs", "")
	p.mount(t, c)
	require.NoError(t, p.start(t, c))

	const own = "my-cache.my-namespace.svc.k8s.example.org"
	assert.Equal(t, map[string]string{"password": marker, "endpoint": own, "HOST": own, "uri": "redis://:" + marker + "@" + own, "port": "6379"}, c.secrets[connectionSecret].data)
	assert.Equal(t, []string{"GET my-cache-conn", "GET my-cache-password", "PATCH my-cache-conn"}, c.forget())
	assert.Equal(t, "the volume /data belonged to shop/my-cache: my-namespace/my-cache keeps the data but ignores the password record\n"+
		"updated Secret my-namespace/my-cache-conn: HOST, endpoint, uri\n"+
		`corrected the endpoint from "my-cache.shop.svc.k8s.example.org" to "`+own+`": the Secret was copied from another instance, and so was the password unless it has been rotated since`+"\n", p.log.String())
	assert.JSONEq(t, `{"instance":"my-namespace/my-cache","hadPassword":true,"endpointCorrected":true}`, p.read(t, "/data/.dragonfly-generator"))

	require.NoError(t, p.start(t, c), "The mounted copies are outdated.")
	assert.Equal(t, "both Secrets of my-namespace/my-cache already have the password\n", p.log.String())
	p.restarted(t, c)
	c.forget()
	require.NoError(t, p.start(t, c))
	assert.Empty(t, c.forget())

	copied()
	p.restarted(t, c)
	require.EqualError(t, p.start(t, c), `Secret my-namespace/my-cache-conn has the endpoint "my-cache.shop.svc.k8s.example.org" again, although a pod of my-namespace/my-cache corrected it before: `+
		"something applies another instance's manifests here; apply those of my-namespace/my-cache, rendered in the overlay that you build, after anything that sets names or namespaces")
	assert.NotContains(t, c.forget(), "PATCH my-cache-conn")
	assert.NoFileExists(t, filepath.Join(p.root, handover.FlagFile))

	p.request.Data = ""
	for range 2 {
		require.NoError(t, p.start(t, c), "A pod without a volume corrects it each time.")
		assert.Equal(t, own, c.secrets[connectionSecret].data["endpoint"])
		copied()
	}
}

// The volume belonged to another instance, so its record does not mean that this instance's password is lost.
func TestVolumeOfAnotherInstance(t *testing.T) {
	c := newCluster(t)
	p := c.pod(t, "my-cache-0")
	const record = `{"instance":"prod/my-cache","hadPassword":true,"rotation":"2"}`
	p.write(t, "/data/.dragonfly-generator", record)
	p.write(t, "/data/dump-summary.dfs", "")
	p.env[handover.PasswordRotationVariable] = "2"

	ctx, stop := context.WithCancel(t.Context())
	c.answer = func(string, string) int { return 503 }
	p.paused = func(int) { stop() }
	require.Error(t, p.run(ctx))
	assert.JSONEq(t, record, p.read(t, "/data/.dragonfly-generator"), "A run that is killed before there is a password changes nothing.")

	c.answer, p.paused = nil, nil
	require.NoError(t, p.start(t, c))
	assert.Equal(t, "the volume /data belonged to prod/my-cache: my-namespace/my-cache keeps the data but ignores the password record\n"+
		"created the first password and wrote it to Secret my-namespace/my-cache-password\n"+
		"updated Secret my-namespace/my-cache-conn: password, database.bizmatters.io/password-rotation\n", p.log.String())
	assert.JSONEq(t, `{"instance":"my-namespace/my-cache","hadPassword":true,"rotation":"2"}`, p.read(t, "/data/.dragonfly-generator"))

	c.secrets[passwordSecret].data = nil
	delete(c.secrets[connectionSecret].data, "password")
	p.restarted(t, c)
	require.ErrorContains(t, p.start(t, c), "is lost", "From now on, the volume belongs to this instance.")

	// So does one whose record names no instance, because an older version wrote it.
	p.write(t, "/data/.dragonfly-generator", `{"hadPassword":true}`)
	delete(p.env, handover.PasswordRotationVariable)
	require.ErrorContains(t, p.start(t, c), "is lost")
	assert.NotContains(t, p.log.String(), "belonged to")
	// A replica with another instance's volume waits for pod 0, as any new replica does.
	r := c.pod(t, "my-cache-1")
	r.write(t, "/data/.dragonfly-generator", record)
	r.paused = func(int) { c.set(passwordSecret, "password", marker) }
	require.NoError(t, r.start(t, c))
	assert.Contains(t, r.log.String(), "waiting: pod my-cache-0 has not created the password yet\n")
}

// existing returns a pod whose password Secret belongs to someone else, so the Role does not allow PATCH on it.
func (c *cluster) existing(t *testing.T) *pod {
	t.Helper()
	p := c.pod(t, "my-cache-0")
	p.request.Existing = true
	p.request.Keys = map[string]string{"uri": "redis://:{passwordEncoded}@{endpoint}"}
	c.answer = func(method, name string) int {
		if method == http.MethodPatch && name == passwordSecret {
			t.Error("wrote to someone else's Secret")
			return 403
		}
		return 0
	}
	return p
}

func TestExistingPassword(t *testing.T) {
	c := newCluster(t)
	p := c.existing(t)
	c.set(passwordSecret, "password", marker)
	c.secrets[connectionSecret].annotations = map[string]string{rotationAnnotation: "old"}
	p.mount(t, c)
	require.NoError(t, p.start(t, c))
	assert.Equal(t, []string{"GET my-cache-conn", "GET my-cache-password", "PATCH my-cache-conn"}, c.forget())
	assert.Equal(t, map[string]string{"password": marker}, c.secrets[passwordSecret].data)
	assert.Equal(t, "redis://:"+marker+"@my-cache.my-namespace.svc.cluster.local", c.secrets[connectionSecret].data["uri"])
	assert.Equal(t, marker, c.password(t))
	assert.Equal(t, "updated Secret my-namespace/my-cache-conn: password, uri\n", p.log.String())
	assert.Equal(t, "--requirepass="+marker+"\n", p.read(t, handover.FlagFile))

	p.restarted(t, c)
	require.NoError(t, p.start(t, c))
	assert.Empty(t, c.forget(), "Once both Secrets are complete, it makes no request.")

	// The Secret changes, and a rotation restarts the pod before the kubelet updates the mounted copy.
	p.restarted(t, c)
	c.set(passwordSecret, "password", marker+"2")
	p.env[handover.PasswordRotationVariable] = "1"
	for range 2 {
		require.NoError(t, p.start(t, c))
		assert.Equal(t, marker+"2", c.password(t))
		assert.Equal(t, "--requirepass="+marker+"2\n", p.read(t, handover.FlagFile))
		assert.JSONEq(t, `{"instance":"my-namespace/my-cache","hadPassword":true,"rotation":"1"}`, p.read(t, "/data/.dragonfly-generator"))
		assert.Contains(t, c.forget(), "GET my-cache-password")
		p.write(t, "/data/.dragonfly-generator", `{"instance":"my-namespace/my-cache","hadPassword":true}`)
	}
	require.NoError(t, p.start(t, c))
	p.restarted(t, c)
	c.forget()
	require.NoError(t, p.start(t, c))
	assert.Empty(t, c.forget(), "The volume records that the rotation was done.")
	delete(p.env, handover.PasswordRotationVariable)
	require.NoError(t, p.start(t, c))
	assert.Empty(t, c.forget(), "Removing the rotation changes nothing.")
	assert.JSONEq(t, `{"instance":"my-namespace/my-cache","hadPassword":true,"rotation":"1"}`, p.read(t, "/data/.dragonfly-generator"))

	p.request.Data, p.env[handover.PasswordRotationVariable] = "", "1"
	require.NoError(t, p.start(t, c))
	assert.Contains(t, c.forget(), "GET my-cache-password", "Without a volume, it reads the Secret whenever a rotation is requested.")
	assert.Equal(t, map[string]string{rotationAnnotation: "old"}, c.secrets[connectionSecret].annotations)
	assert.Empty(t, c.secrets[passwordSecret].annotations)
}

// The Secret appears a minute later, and its key later still.
func TestExistingPasswordComesLater(t *testing.T) {
	c := newCluster(t)
	p := c.existing(t)
	delete(c.secrets, passwordSecret)
	c.set(connectionSecret, "password", "old")
	p.mount(t, c)
	p.paused = func(pauses int) {
		switch pauses {
		case 4:
			c.mu.Lock()
			c.secrets[passwordSecret] = &object{version: 1}
			c.mu.Unlock()
		case 8:
			c.set(passwordSecret, "password", marker)
		}
	}
	require.NoError(t, p.start(t, c))
	assert.Equal(t, marker, c.password(t))
	assert.Equal(t, "waiting: Secret my-namespace/my-cache-password does not exist yet; the password source is Existing, so you must provide it\n"+
		"waiting: Secret my-namespace/my-cache-password has no key password yet\n"+
		"updated Secret my-namespace/my-cache-conn: password, uri\n", p.log.String())
	assert.Len(t, p.pauses, 8)
}

// A secretGenerator adds a hash to the Secret's name. The kubelet mounts it, perhaps later; the API server has no Secret with
// the name that prepare knows.
func TestExistingPasswordWithAHash(t *testing.T) {
	for _, status := range []int{403, 404} {
		c := newCluster(t)
		p := c.existing(t)
		refuse := c.answer
		c.answer = func(method, name string) int {
			if method == http.MethodGet && name == passwordSecret {
				return status
			}
			return refuse(method, name)
		}
		c.secrets[passwordSecret].data = map[string]string{"notes": "x"}
		p.mount(t, c)
		p.paused = func(pauses int) {
			if pauses == 3 {
				p.write(t, handover.PasswordSecretPath+"/password", marker)
			}
		}
		require.NoError(t, p.start(t, c), status)
		assert.Len(t, p.pauses, 3, status)
		assert.Equal(t, marker, c.secrets[connectionSecret].data["password"])
		assert.Contains(t, p.log.String(), "\ncannot get Secret my-namespace/my-cache-password from the API server; using the mounted Secret instead, which has another name\n")
		assert.Equal(t, status == 403, strings.Contains(p.log.String(), "waiting: the pod is not allowed to get Secret my-namespace/my-cache-password yet: its Role or RoleBinding is missing\n"))
		assert.Equal(t, "--requirepass="+marker+"\n", p.read(t, handover.FlagFile))
	}
}

func TestExistingPasswordIsInvalid(t *testing.T) {
	for value, err := range map[string]string{
		"": "is empty; set a password", marker + "\n": "ends with a line break; remove it, for example with `echo -n`", marker + "\x00": "contains a line break or a NUL, which cannot be passed to the server; use another password",
		marker + "\xff": "is not valid UTF-8; use another password, such as one of letters and digits",
	} {
		c := newCluster(t)
		p := c.existing(t)
		c.set(passwordSecret, "password", value)
		p.mount(t, c)
		require.EqualError(t, p.start(t, c), "key password of Secret my-namespace/my-cache-password "+err)
		assert.NotContains(t, p.log.String(), marker)
		assert.Empty(t, p.pauses, "It is the kubelet that restarts the container.")
		assert.NoFileExists(t, filepath.Join(p.root, handover.FlagFile))

		c.set(passwordSecret, "password", marker)
		require.NoError(t, p.start(t, c), "The restarted container finds the corrected Secret.")
	}
}

// The instance was renamed after the function ran. A password Secret that belongs to someone else does not show that the
// instance is a copy.
func TestExistingRenamed(t *testing.T) {
	for _, mounted := range []bool{true, false} {
		c := newCluster(t)
		p := c.existing(t)
		c.set(passwordSecret, "password", marker)
		c.set(connectionSecret, "endpoint", "my-cache.base.svc.cluster.local")
		if mounted {
			p.mount(t, c)
		}
		require.ErrorContains(t, p.start(t, c), "something renamed the instance after dragonfly-generator ran")

		c.set(connectionSecret, "password", marker)
		p.mount(t, c)
		require.NoError(t, p.start(t, c), "A copied instance starts.")
		assert.Equal(t, "my-cache.my-namespace.svc.cluster.local", c.secrets[connectionSecret].data["endpoint"])
		assert.Equal(t, "redis://:"+marker+"@my-cache.my-namespace.svc.cluster.local", c.secrets[connectionSecret].data["uri"])
	}
}

// The API server has an IPv6 address, so the host is in brackets.
func TestIPv6(t *testing.T) {
	c := newCluster(t)
	for _, host := range []string{"fd00::1", "[fd00::1]"} {
		p := c.pod(t, "my-cache-0")
		p.env["KUBERNETES_SERVICE_HOST"], p.env["KUBERNETES_SERVICE_PORT"] = host, "443"
		ctx, stop := context.WithCancel(t.Context())
		var asked string
		p.transport = func(http.RoundTripper) http.RoundTripper {
			return roundTripper(func(r *http.Request) (*http.Response, error) {
				asked = r.URL.String()
				stop()
				return nil, errors.New("seen")
			})
		}
		require.Error(t, p.run(ctx))
		assert.Equal(t, "https://[fd00::1]:443/api/v1/namespaces/my-namespace/secrets/my-cache-conn", asked)
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
