//go:build conformance && linux

package conformance

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/testkit"
)

// existing sets the password source in a claim's metadata.
var existing = annotated("password-source", string(v1alpha1.Existing))

// makeSecret creates somebody else's Secret with a password.
func (p *pod) makeSecret(t *testing.T, name, password string) {
	t.Helper()
	must(t, fmt.Sprintf("apiVersion: v1\nkind: Secret\nmetadata: {name: %s, namespace: %s}\nstringData: {password: %q}\n", name, p.namespace, password), "create", "-f", "-")
}

// object returns a whole Secret, including the fields that show whether somebody has touched it.
func (p *pod) object(t *testing.T, secret string) string {
	t.Helper()
	return must(t, "", "get", "secret", secret, "-n", p.namespace, "-o", "yaml", "--show-managed-fields")
}

// Somebody else's password Secret arrives while the pod waits, is there at the next start, and changes. The pod only
// reads it.
func TestExisting(t *testing.T) {
	t.Parallel()
	p := newPodOf(t, claim("existing", "my-cache", "small", existing), withExtraKeys)
	connection := func(password string) map[string]string {
		return map[string]string{
			"endpoint": "my-cache.existing.svc.cluster.local", "port": "6379", "password": password,
			"uri": "redis://:" + password + "@my-cache.existing.svc.cluster.local:6379/0", "DRAGONFLY_PASSWORD": password, "DRAGONFLY_HOST": "my-cache.existing.svc.cluster.local",
		}
	}
	assert.NotContains(t, p.manifests, "my-cache-password\n  namespace", "the Secret must not be among the manifests")

	run := p.begin(t)
	run.says(t, "waiting: Secret existing/my-cache-password does not exist yet; the password source is Existing, so you must provide it\n")
	must(t, "", "create", "secret", "generic", "my-cache-password", "-n", p.namespace, "--from-literal=user=default")
	run.says(t, "waiting: Secret existing/my-cache-password has no key password yet\n")
	p.patch(t, "my-cache-password", `{"stringData":{"password":"of-their-own"}}`)
	theirs := p.object(t, "my-cache-password")
	log, err := p.end(t, run)
	require.NoError(t, err, log)
	assert.Contains(t, log, "updated Secret existing/my-cache-conn: DRAGONFLY_PASSWORD, password, uri\n")
	assert.Equal(t, "of-their-own", p.password(t))
	assert.Equal(t, connection("of-their-own"), p.data(t, "my-cache-conn"))
	assert.Equal(t, theirs, p.object(t, "my-cache-password"), "nobody may touch their Secret")

	g := p.gateway(t)
	p.mount(t)
	_, again := p.start(t)
	assert.Equal(t, "of-their-own", again)
	assert.Empty(t, g.forget(), "The second start must make no request.")

	// They change it, and raise the claim's rotation. The kubelet still has the old copy.
	p.patch(t, "my-cache-password", `{"stringData":{"password":"another"}}`)
	theirs = p.object(t, "my-cache-password")
	p.rotation = "2"
	_, now := p.start(t)
	assert.Equal(t, "another", now)
	assert.Equal(t, connection("another"), p.data(t, "my-cache-conn"))
	assert.Equal(t, []string{"GET my-cache-conn", "GET my-cache-password", "PATCH my-cache-conn"}, g.forget())
	assert.Equal(t, theirs, p.object(t, "my-cache-password"), "nobody may touch their Secret, not even its annotations")

	p.mount(t)
	for _, rotation := range []string{"2", ""} {
		p.rotation = rotation
		_, now = p.start(t)
		assert.Equal(t, "another", now)
	}
	assert.Empty(t, g.forget())

	p.apply(t)
	assert.Equal(t, connection("another"), p.data(t, "my-cache-conn"), "Applying the manifests must remove nothing.")
	p.unmount(t)
	must(t, "", "delete", "secret", "my-cache-password", "-n", p.namespace)
	run = p.begin(t)
	run.says(t, "waiting: Secret existing/my-cache-password does not exist yet")
	assert.Equal(t, connection("another"), p.data(t, "my-cache-conn"))
	p.makeSecret(t, "my-cache-password", "a third")
	log, err = p.end(t, run)
	require.NoError(t, err, log)
	assert.Equal(t, "a third", p.password(t))
}

// A password that the server could not accept stops the pod, with a reason but without its value. Applications keep
// what they have.
func TestExistingInvalid(t *testing.T) {
	t.Parallel()
	p := newPod(t, "existing-invalid", "my-cache", existing)
	p.makeSecret(t, "my-cache-password", "good")
	p.start(t)
	for data, problem := range map[string]string{
		`{"stringData":{"password":""}}`:                          "is empty",
		`{"stringData":{"password":"hunter2-a\nhunter2-b"}}`:      "contains a line break or a NUL",
		`{"stringData":{"password":"hunter2-with-a-break\n"}}`:    "ends with a line break",
		"{\"stringData\":{\"password\":\"hunter2-\\u0000-nul\"}}": "contains a line break or a NUL",
		`{"data":{"password":"aHVudGVyMi3/LWxhdGluMQ=="}}`:        "is not valid UTF-8",
	} {
		p.patch(t, "my-cache-password", data)
		p.mount(t)
		log := p.fail(t)
		assert.Contains(t, log, "error: key password of Secret existing-invalid/my-cache-password "+problem)
		assert.NotContains(t, log, "hunter2")
		assert.Equal(t, "good", p.data(t, "my-cache-conn")["password"])
	}
}

// kustomize builds a Secret whose name ends with a hash. The pod mounts it by that name, and the API server has none
// under the name that the pod knows, so the mounted copy counts. Another password has another hash, so the pod
// restarts.
func TestExistingFromSecretGenerator(t *testing.T) {
	t.Parallel()
	const ns = "existing-generated"
	namespace(t, ns)
	dir := t.TempDir()
	build := func(password string) string {
		for name, text := range map[string]string{
			"claim.yaml":               claim(ns, "my-cache", "small"),
			"dragonfly-generator.yaml": function,
			"kustomization.yaml": "resources: [claim.yaml]\ntransformers: [dragonfly-generator.yaml]\n" +
				"secretGenerator:\n- {name: my-cache-password, namespace: " + ns + ", literals: [password=" + password + "]}\n",
		} {
			require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
		}
		return kustomizeBuild(t, dir)
	}
	var last string
	for _, password := range []string{"first-of-theirs", "second-of-theirs"} {
		manifests := build(password)
		apply(t, manifests)
		noDiff(t, manifests)
		p := podOf(t, ns, "my-cache")
		secret := p.secrets["/run/dragonfly/password-secret"]
		assert.Regexp(t, `^my-cache-password-[a-z0-9]{10}$`, secret)
		assert.NotEqual(t, last, secret, "the pod template must change with the password")
		last = secret
		theirs := p.object(t, secret)
		log, now := p.restart(t)
		assert.Equal(t, password, now)
		assert.Contains(t, log, "cannot get Secret "+ns+"/my-cache-password from the API server; using the mounted Secret instead, which has another name\n")
		assert.Equal(t, theirs, p.object(t, secret))
	}
}

// function is a DragonflyGenerator that kustomize runs.
const function = `apiVersion: database.bizmatters.io/v1alpha1
kind: DragonflyGenerator
metadata:
  name: platform
  annotations:
    config.kubernetes.io/function: |
      exec:
        path: dragonfly-generator
`

// kustomizeBuild builds the kustomization in a folder.
func kustomizeBuild(t *testing.T, dir string) string {
	t.Helper()
	build := exec.Command("kustomize", "build", "--enable-alpha-plugins", "--enable-exec", dir)
	var stderr strings.Builder
	build.Stderr = &stderr
	out, err := build.Output()
	require.NoError(t, err, stderr.String())
	return string(out)
}

// With External, the manifests have neither Secret, and nothing that gives the pod access to the API server. The server
// reads a Secret that somebody else makes.
func TestExternal(t *testing.T) {
	t.Parallel()
	const ns = "external"
	namespace(t, ns)
	manifests, warnings := render(t, claim(ns, "my-cache", "small", annotated("password-source", string(v1alpha1.External), "password-rotation", "2")))
	assert.Empty(t, warnings)
	assert.Equal(t, 2, strings.Count(manifests, "\nkind: "), "only a StatefulSet and a Service: %s", manifests)
	apply(t, manifests)
	eventually(t, "stateful", "get", "pod/my-cache-0", "-n", ns, "-o", "jsonpath={.spec.nodeName}")
	assert.Empty(t, get(t, ns, "pod/my-cache-0", ".spec.initContainers"))
	assert.Equal(t, "default", get(t, ns, "pod/my-cache-0", ".spec.serviceAccountName"))
	assert.Empty(t, get(t, ns, "pod/my-cache-0", ".spec.volumes[*].projected"), "no token")
	var env []corev1.EnvVar
	require.NoError(t, json.Unmarshal([]byte(get(t, ns, "pod/my-cache-0", ".spec.containers[0].env")), &env))
	require.Len(t, env, 1)
	assert.Equal(t, "DFLY_requirepass", env[0].Name)
	assert.Equal(t, &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: "my-cache-password"}, Key: "password"}, env[0].ValueFrom.SecretKeyRef)
	assert.Equal(t, "2", get(t, ns, "pod/my-cache-0", `.metadata.annotations.database\.bizmatters\.io/password-rotation`))
}

// The source of a live instance changes, and its password stays, with a rotation in force: protect what will no longer
// be among the manifests with the commands in docs/passwords.md, then apply.
func TestSourceOfALiveInstance(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"client-side apply", serverSide, flux, argoCD, "Argo CD, ServerSideApply"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := appliers[name]
			ns := "source-" + strings.Trim(strings.ToLower(strings.NewReplacer(" ", "-", ",", "").Replace(name)), "-")
			of := func(source v1alpha1.PasswordSource) string {
				return claim(ns, "my-cache", "small", annotated("password-rotation", "2", "password-source", string(source)))
			}
			p, manifests, password := instanceAppliedBy(t, a, of(v1alpha1.InCluster), withExtraKeys)
			p.hasLived(t)
			connection := p.data(t, "my-cache-conn")
			change := func(documents ...string) {
				t.Helper()
				next, _ := render(t, documents...)
				a.replace(t, manifests, next)
				manifests = next
			}
			stays := func(what string) {
				t.Helper()
				assert.Equal(t, password, p.data(t, "my-cache-password")["password"], what)
				assert.Equal(t, connection, p.data(t, "my-cache-conn"), what)
			}

			page := testkit.ReadPage(t, "docs/passwords.md").Replace("my-namespace", ns)
			shell(t, t.TempDir(), page.Section(t, "Changing the source of a live instance").Blocks("sh")...)
			a.unchanged(t, p, manifests)

			// From the cluster: the live Secret becomes theirs.
			change(of(v1alpha1.Existing), withExtraKeys)
			stays("to Existing, applied")
			log, now := p.restart(t)
			assert.Equal(t, password, now)
			assert.Contains(t, log, "both Secrets of "+ns+"/my-cache already have the password")
			stays("to Existing, restarted")

			change(of(v1alpha1.External), withExtraKeys)
			stays("to External, applied")
			assert.Empty(t, get(t, ns, "statefulset/my-cache", ".spec.template.spec.initContainers"))

			// And back, over the existing Secrets.
			change(of(v1alpha1.InCluster), withExtraKeys)
			stays("to InCluster, applied")
			_, now = p.restart(t)
			assert.Equal(t, password, now)
			stays("to InCluster, restarted")

			// Their own Secret among the manifests, with the live password.
			own := fmt.Sprintf("apiVersion: v1\nkind: Secret\nmetadata: {name: my-cache-password, namespace: %s}\nstringData: {password: %q}\n", ns, password)
			change(of(v1alpha1.Existing), withExtraKeys, own)
			stays("to a Secret of their own, applied")
			_, now = p.restart(t)
			assert.Equal(t, password, now)

			change(of(v1alpha1.InCluster), withExtraKeys)
			stays("from a Secret of their own, applied")
			_, now = p.restart(t)
			assert.Equal(t, password, now)
			stays("from a Secret of their own, restarted")
			a.unchanged(t, p, manifests)

			// The next rotation makes a new one.
			p.rotation = "3"
			_, now = p.start(t)
			assert.NotEqual(t, password, now)
		})
	}
}

// If the password has always come from the manifests, applying ours instead of their Secret removes it. The connection
// Secret still has it, so the pod restores it.
func TestSourceFromAManifest(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"client-side apply", serverSide, flux, argoCD} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := appliers[name]
			ns := "from-manifest-" + strings.ReplaceAll(strings.ToLower(name), " ", "-")
			of := func(source v1alpha1.PasswordSource) string {
				return claim(ns, "my-cache", "small", annotated("password-rotation", "2", "password-source", string(source)))
			}
			own := "apiVersion: v1\nkind: Secret\nmetadata: {name: my-cache-password, namespace: " + ns + "}\ndata: {password: b2YtdGhlaXItb3du}\n"
			p, manifests, password := instanceAppliedBy(t, a, of(v1alpha1.Existing), withExtraKeys, own)
			p.hasLived(t)
			connection := p.data(t, "my-cache-conn")
			require.Equal(t, "of-their-own", password)

			next, _ := render(t, of(v1alpha1.InCluster), withExtraKeys)
			a.replace(t, manifests, next)
			assert.Empty(t, p.data(t, "my-cache-password"), "the applier must remove what it wrote")
			assert.Equal(t, connection, p.data(t, "my-cache-conn"))
			log, now := p.restart(t)
			assert.Equal(t, password, now)
			assert.Contains(t, log, "copied the password from the connection Secret")
			assert.Equal(t, connection, p.data(t, "my-cache-conn"))
			assert.Equal(t, "2", p.recorded(t, "my-cache-password"))
			a.unchanged(t, p, next)
		})
	}
}

// Without the protection, a pruner deletes the Secret that is no longer among the manifests. Nothing makes another
// password then: the connection Secret has it, and the pod waits for the Secret that it was told to expect.
func TestSourceChangedWithoutProtection(t *testing.T) {
	t.Parallel()
	for _, name := range []string{flux, argoCD} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := appliers[name]
			ns := "unprotected-" + strings.ToLower(strings.ReplaceAll(name, " ", "-"))
			p, manifests, password := instanceAppliedBy(t, a, claim(ns, "my-cache", "small"))
			next, _ := render(t, claim(ns, "my-cache", "small", existing))
			a.replace(t, manifests, next)
			eventually(t, "", "get", "secret", "my-cache-password", "-n", ns, "--ignore-not-found", "-o", "name")
			assert.Equal(t, password, p.data(t, "my-cache-conn")["password"])
			p.next(t)
			run := p.begin(t)
			run.says(t, "waiting: Secret "+ns+"/my-cache-password does not exist yet; the password source is Existing, so you must provide it")
			p.makeSecret(t, "my-cache-password", password)
			log, err := p.end(t, run)
			require.NoError(t, err, log)
			assert.Equal(t, password, p.password(t))
		})
	}
}
