//go:build conformance && linux

package conformance

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bizmatters/dragonfly-generator/internal/plan"
)

// mover follows docs/passwords.md, in a folder and a namespace of its own.
type mover struct {
	t               *testing.T
	page, ns, dir   string
	isServerSide    bool
	environment     []string
	configuration   string // the spec of the DragonflyGenerator
	claimAnnotation string
}

// sh runs the commands of the page's section, in their order. Of those that apply, one for each way, it takes the one
// that is meant.
func (m *mover) sh(section string, want int) string {
	m.t.Helper()
	_, text, found := strings.Cut(m.page, "# "+section+"\n")
	require.True(m.t, found, section)
	text, _, _ = strings.Cut(text, "\n##")
	blocks := shell.FindAllStringSubmatch(text, -1)
	require.Len(m.t, blocks, want, section)
	script := ""
	for _, block := range blocks {
		command := strings.TrimSpace(block[1])
		if strings.HasPrefix(command, "kubectl apply") && strings.Contains(command, "--server-side") != m.isServerSide {
			continue
		}
		script += block[1] + "\n"
	}
	return m.run(script)
}

func (m *mover) run(script string) string {
	m.t.Helper()
	cmd := exec.Command("bash", "-c", "set -euo pipefail\n"+script)
	cmd.Dir = m.dir
	cmd.Env = append(append(os.Environ(), "KUBECONFIG="+kubeconfig), m.environment...)
	out, err := cmd.CombinedOutput()
	require.NoError(m.t, err, "%s\n%s", script, out)
	return string(out)
}

func (m *mover) write(name, text string) {
	m.t.Helper()
	file := filepath.Join(m.dir, name)
	require.NoError(m.t, os.MkdirAll(filepath.Dir(file), 0o755))
	require.NoError(m.t, os.WriteFile(file, []byte(text), 0o600))
}

// describe writes the claim, for kustomize and for render, the configuration and the kustomization.
func (m *mover) describe(resources ...string) {
	m.t.Helper()
	text := claim(m.ns, "my-cache", "small", "  annotations:\n    database.bizmatters.io/password-rotation: \"2\"\n"+m.claimAnnotation)
	m.write("claim.yaml", text)
	m.write("claims/my-cache.yaml", text)
	m.write("kustomization.yaml", "resources:\n- claim.yaml\n"+strings.Join(resources, "")+"transformers:\n- dragonfly-generator.yaml\n")
	m.write("dragonfly-generator.yaml", `apiVersion: database.bizmatters.io/v1alpha1
kind: DragonflyGenerator
metadata:
  name: platform
  annotations:
    config.kubernetes.io/function: |
      exec:
        path: dragonfly-generator
spec:
  connectionSecret:
    extraKeys:
      uri: "redis://:{passwordEncoded}@{endpoint}:{port}/0"
`+m.configuration)
}

// apply applies what was rendered before the page is followed.
func (m *mover) apply(files string) {
	m.t.Helper()
	if m.isServerSide {
		files = "--server-side " + files
	}
	m.run("kubectl apply " + files)
}

const kustomizeBuild = "kustomize build --enable-alpha-plugins --enable-exec . > manifests.yaml"

// move runs the test for each way to apply. It is given the way of the page to follow, which begins in an instance
// that was applied by begin and has lived.
func move(t *testing.T, folder string, begin, follow func(m *mover)) {
	text, err := os.ReadFile("../../docs/passwords.md")
	require.NoError(t, err)
	for _, isServerSide := range []bool{false, true} {
		name := map[bool]string{false: "client-side", true: "server-side"}[isServerSide]
		t.Run(name, func(t *testing.T) {
			ns := "moved-" + folder + "-" + name
			namespace(t, ns)
			m := &mover{t: t, ns: ns, dir: t.TempDir(), isServerSide: isServerSide, page: strings.ReplaceAll(string(text), "my-namespace", ns)}
			for _, file := range yamlFile.FindAllStringSubmatch(m.page, -1) {
				if file[1] == "hold.tmpl" {
					m.write(file[1], file[2])
				}
			}
			begin(m)
			k := &keptInstance{namespace: ns, name: "my-cache"}
			secrets := func() (password, connection string) {
				return k.data(t, "my-cache-password")["password"], k.data(t, "my-cache-conn")["password"] + " " + k.data(t, "my-cache-conn")["uri"]
			}
			password, connection := secrets()
			require.NotEmpty(t, password)
			require.Contains(t, connection, password+" redis://:"+password+"@")
			sum := m.sum()

			follow(m)
			now, nowConnection := secrets()
			assert.True(t, password == now && connection == nowConnection, "the Secrets stay as they are, also before the pod restarts")
			assert.Equal(t, sum, m.sum())
			assert.Equal(t, "2", get(t, ns, "statefulset/my-cache", `.spec.template.metadata.annotations.database\.bizmatters\.io/password-rotation`))
			if get(t, ns, "statefulset/my-cache", ".spec.template.spec.initContainers") == "" {
				return
			}
			k = podOf(t, ns, "my-cache")
			k.hasLived(t)
			_, started := k.restart(t)
			assert.Equal(t, password, started, "the pod keeps the password")
			now, nowConnection = secrets()
			assert.True(t, password == now && connection == nowConnection)
			assert.Equal(t, "2", k.annotation(t, "my-cache-password"))
			assert.Equal(t, "2", k.annotation(t, "my-cache-conn"))

			// The next rotation makes a new one.
			k.prepare(t)
			k.request.Rotation = "3"
			_, rotated := k.start(t)
			assert.NotEqual(t, password, rotated)
		})
	}
}

// sum returns what the page's command prints, which compares passwords.
func (m *mover) sum() string {
	m.t.Helper()
	return m.sh("Moving from one source to another", 1)
}

func TestMoveFromSeed(t *testing.T) {
	move(t, "seed", func(m *mover) {
		m.environment = []string{plan.SeedVariable + "=" + seed}
		m.configuration = "  password: {source: Seed}\n"
		m.describe()
		m.run(kustomizeBuild)
		m.apply("-f manifests.yaml")
	}, func(m *mover) {
		m.sh("Holding the live password", 1)
		m.configuration = ""
		m.describe()
		m.sh("From a seed into the cluster", 3)
	})
}

// Without the first step the password goes, which the page says; and the pod makes no other in silence.
func TestMoveWithoutHolding(t *testing.T) {
	for _, isServerSide := range []bool{false, true} {
		name := map[bool]string{false: "client-side", true: "server-side"}[isServerSide]
		t.Run(name, func(t *testing.T) {
			ns := "not-held-" + name
			namespace(t, ns)
			args := []string{"apply", "-f", "-"}
			if isServerSide {
				args = append(args, "--server-side")
			}
			manifests, _ := renderWithSeed(t, claim(ns, "my-cache", "small", seeded))
			must(t, manifests, args...)
			manifests, _ = render(t, claim(ns, "my-cache", "small"))
			must(t, manifests, args...)
			k := podOf(t, ns, "my-cache")
			k.hasLived(t)
			assert.Empty(t, k.data(t, "my-cache-password"))
			k.prepare(t)
			log, err := k.end(t, k.begin(t))
			require.Error(t, err)
			assert.Contains(t, log, "error: the password of "+ns+"/my-cache is lost")
		})
	}
}

func TestMoveFromKeptFiles(t *testing.T) {
	move(t, "files", func(m *mover) {
		m.claimAnnotation = "    database.bizmatters.io/password-source: Random\n"
		m.describe()
		m.run("dragonfly-generator render claims/ -o manifests/ --config dragonfly-generator.yaml")
		m.apply("-R -f manifests/")
	}, func(m *mover) {
		m.sh("Holding the live password", 1)
		m.claimAnnotation = ""
		m.describe()
		assert.Contains(m.t, m.sh("From kept files into the cluster", 3), "moves its password into the cluster")
	})
}

func TestMoveFromOwnSecret(t *testing.T) {
	const resource = "- my-cache-password.yaml\n"
	move(t, "own", func(m *mover) {
		m.configuration = "  password: {source: Existing}\n"
		m.describe(resource)
		m.write("my-cache-password.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: my-cache-password, namespace: "+m.ns+"}\nstringData: {password: of-our-own}\n")
		m.run(kustomizeBuild)
		m.apply("-f manifests.yaml")
	}, func(m *mover) {
		m.sh("From your own Secret into the cluster", 1)
		m.sh("Holding the live password", 1)
		m.configuration = ""
		m.describe()
		m.sh("From a seed into the cluster", 3)
	})
}

// filled brings an instance into the cluster and lets its pod make the password.
func (m *mover) filled() {
	m.t.Helper()
	podOf(m.t, m.ns, "my-cache").restart(m.t)
}

func TestMoveOutToOwnSecret(t *testing.T) {
	move(t, "out", func(m *mover) {
		m.describe()
		m.run(kustomizeBuild)
		m.apply("-f manifests.yaml")
		m.filled()
	}, func(m *mover) {
		m.configuration = "  password: {source: Existing}\n"
		m.describe("- my-cache-password.yaml\n")
		m.sh("Out of the cluster, into a Secret of your own", 5)
		_, stderr, ok := kubectl(m.t, "", "get", "role", "my-cache", "-n", m.ns)
		assert.False(m.t, ok)
		assert.Contains(m.t, stderr, "NotFound")
	})
}

func TestMoveOutWithSOPS(t *testing.T) {
	move(t, "out-sops", func(m *mover) {
		m.describe()
		m.run("dragonfly-generator render claims/ -o manifests/ --config dragonfly-generator.yaml")
		m.apply("-R -f manifests/")
		m.filled()
	}, func(m *mover) {
		key := m.run("age-keygen -o key.txt 2>/dev/null\nage-keygen -y key.txt")
		m.write(".sops.yaml", "creation_rules:\n- path_regex: secret-.*\\.yaml$\n  encrypted_regex: ^(data|stringData)$\n  age: "+key)
		m.environment = []string{"SOPS_AGE_KEY_FILE=" + filepath.Join(m.dir, "key.txt")}
		m.claimAnnotation = "    database.bizmatters.io/password-source: Existing\n"
		m.describe()
		m.sh("Out of the cluster, into a folder, with SOPS", 2)
		secret, err := os.ReadFile(filepath.Join(m.dir, "manifests/my-cache."+m.ns+"/secret-password.yaml"))
		require.NoError(m.t, err)
		assert.Contains(m.t, string(secret), "ENC[AES256_GCM,")
		m.run("for file in manifests/my-cache." + m.ns + "/secret-*.yaml; do sops decrypt --in-place $file; done")
		m.apply("-R -f manifests/")
	})
}

// The commands for a lost password bring it back, with a rotation in force.
func TestPutBackPage(t *testing.T) {
	text, err := os.ReadFile("../../docs/passwords.md")
	require.NoError(t, err)
	const ns = "put-back"
	namespace(t, ns)
	m := &mover{t: t, ns: ns, dir: t.TempDir(), page: strings.ReplaceAll(string(text), "my-namespace", ns)}
	manifests, _ := render(t, claim(ns, "my-cache", "small", strings.Replace(rotation, "%s", "2", 1)))
	must(t, manifests, "apply", "-f", "-")
	k := podOf(t, ns, "my-cache")
	_, password := k.restart(t)
	refused := func() {
		k.prepare(t)
		log, err := k.end(t, k.begin(t))
		require.Error(t, err)
		assert.Contains(t, log, "error: the password of "+ns+"/my-cache is lost")
		assert.Empty(t, k.data(t, "my-cache-password")["password"])
	}

	// One of the two.
	k.patch(t, "my-cache-password", `{"data":null}`)
	_, now := k.restart(t)
	assert.Equal(t, password, now)
	must(t, "", "delete", "secret", "my-cache-conn", "-n", ns)
	k.prepare(t)
	p := k.begin(t)
	p.says(t, "waiting: Secret "+ns+"/my-cache-conn is not there yet")
	must(t, manifests, "apply", "-f", "-")
	log, err := k.end(t, p)
	require.NoError(t, err, log)
	assert.Equal(t, password, k.password(t))

	// Both emptied, then both deleted.
	k.patch(t, "my-cache-password", `{"data":null}`)
	k.patch(t, "my-cache-conn", `{"data":{"password":null}}`)
	refused()
	must(t, "", "delete", "secret", "my-cache-password", "my-cache-conn", "-n", ns)
	must(t, manifests, "apply", "-f", "-")
	refused()
	m.write("password", password)
	m.sh("When a Secret is emptied or deleted", 2)
	_, now = k.restart(t)
	assert.Equal(t, password, now)

	// A claim that was deleted and comes back: its volume remembers.
	must(t, manifests, "delete", "-f", "-")
	must(t, manifests, "apply", "-f", "-")
	refused()
	manifests, _ = render(t, claim(ns, "my-cache", "small", strings.Replace(rotation, "%s", "3", 1)))
	must(t, manifests, "apply", "-f", "-")
	_, now = k.restart(t)
	assert.NotEqual(t, password, now)
}

// The configurations of the page are taken, and the API server accepts what they make, and the page's NetworkPolicy,
// which means the pod.
func TestPasswordsPageConfigurations(t *testing.T) {
	text, err := os.ReadFile("../../docs/passwords.md")
	require.NoError(t, err)
	const ns = "configured"
	namespace(t, ns)
	found := map[string]int{}
	for _, file := range yamlFile.FindAllStringSubmatch(strings.ReplaceAll(string(text), "my-namespace", ns), -1) {
		found[file[1]]++
		switch {
		case file[1] == "networkpolicy.yaml":
			apply(t, file[2])
		case strings.Contains(file[2], "source: Seed # InCluster"):
			manifests, _ := renderWithSeed(t, claim(ns, "my-cache", "small"), file[2])
			apply(t, manifests)
		case strings.Contains(file[2], "seedSecretRef"):
			manifests, _ := render(t, claim(ns, "my-cache", "small"), file[2],
				"apiVersion: v1\nkind: Secret\nmetadata: {name: dragonfly-seed, namespace: platform}\nstringData: {seed: '"+seed+"'}\n")
			apply(t, manifests)
		case file[1] == "dragonfly-generator.yaml":
			manifests, _ := render(t, claim(ns, "my-mesh", "small"), file[2])
			apply(t, manifests)
		}
	}
	assert.Equal(t, map[string]int{"networkpolicy.yaml": 1, "hold.tmpl": 1, "dragonfly-generator.yaml": 3}, found)
	eventually(t, "443", "get", "pod", "my-mesh-0", "-n", ns, "-o", `jsonpath={.metadata.annotations.traffic\.sidecar\.istio\.io/excludeOutboundPorts}`)
	eventually(t, "pod/my-cache-0\npod/my-mesh-0", "get", "pods", "-n", ns, "-o", "name",
		"-l", "app.kubernetes.io/managed-by="+get(t, ns, "networkpolicy/dragonfly-to-api-server", `.spec.podSelector.matchLabels.app\.kubernetes\.io/managed-by`))
}
