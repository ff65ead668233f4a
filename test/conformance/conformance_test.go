//go:build conformance && linux

package conformance

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/examples"
	"github.com/bizmatters/dragonfly-generator/generator"
	"github.com/bizmatters/dragonfly-generator/internal/report"
	"github.com/bizmatters/dragonfly-generator/internal/testkit"
	"github.com/bizmatters/dragonfly-generator/test/certmanager"
)

// render runs the function over the documents; a DragonflyGenerator among them is its configuration. It returns the
// manifests for the cluster, and the warnings.
func render(t *testing.T, documents ...string) (manifests, warnings string) {
	t.Helper()
	list := "apiVersion: config.kubernetes.io/v1\nkind: ResourceList\n"
	items := ""
	for _, document := range documents {
		document = strings.ReplaceAll(strings.TrimSpace(document), "\n", "\n  ") + "\n"
		if strings.Contains(document, "kind: DragonflyGenerator\n") {
			list += "functionConfig:\n  " + document
		} else {
			items += "- " + document
		}
	}
	out, results := generator.Run([]byte(list + "items:\n" + items))
	require.Zero(t, results.ExitCode(), report.Lines(results))
	var rendered struct {
		Items []yaml.Node `yaml:"items"`
	}
	require.NoError(t, yaml.Unmarshal(out, &rendered))
	for i := range rendered.Items {
		item := yaml.NewRNode(&rendered.Items[i])
		if item.GetAnnotations()["config.kubernetes.io/local-config"] == "true" {
			continue
		}
		require.NoError(t, item.PipeE(yaml.ClearAnnotation("internal.config.kubernetes.io/path")))
		manifests += item.MustString() + "---\n"
	}
	return manifests, report.Lines(results)
}

func claim(namespace, name, size string, lines ...string) string {
	return fmt.Sprintf("apiVersion: database.bizmatters.io/v1alpha1\nkind: DragonflyInstance\nmetadata:\n  name: %s\n  namespace: %s\n%sspec:\n  size: %s\n",
		name, namespace, strings.Join(lines, ""), size)
}

// namespace creates one that enforces Pod Security `restricted`.
func namespace(t *testing.T, name string) {
	t.Helper()
	must(t, fmt.Sprintf("apiVersion: v1\nkind: Namespace\nmetadata:\n  name: %s\n  labels:\n    pod-security.kubernetes.io/enforce: restricted\n", name),
		"apply", "-f", "-")
}

// apply is a server-side apply with strict field validation, as GitOps tools do it.
func apply(t *testing.T, manifests string, args ...string) {
	t.Helper()
	must(t, manifests, append([]string{"apply", "--server-side", "--validate=strict", "-f", "-"}, args...)...)
}

// get reads a field of an object.
func get(t *testing.T, namespace, object, path string) string {
	t.Helper()
	return must(t, "", "get", object, "-n", namespace, "-o", "jsonpath={"+path+"}")
}

// kptExample returns the manifests that kpt writes into the example's package.
func kptExample(t *testing.T) string {
	t.Helper()
	var manifests strings.Builder
	for _, pattern := range []string{"claims/my-cache.my-namespace/*.yaml", "sessions/sessions.my-namespace/*.yaml"} {
		files, err := filepath.Glob("../../examples/kpt/expected/" + pattern)
		require.NoError(t, err)
		require.Len(t, files, 7)
		for _, file := range files {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			manifests.Write(text)
			manifests.WriteString("---\n")
		}
	}
	return manifests.String()
}

// Every size and every example is accepted, and applying it again changes nothing.
func TestAccepted(t *testing.T) {
	t.Parallel()
	cases := map[string]string{}
	for _, size := range []string{"micro", "small", "medium", "large"} {
		cases[size], _ = render(t, claim("accepted", size+"-cache", size))
	}
	for _, folder := range append(examples.Kustomizations("../../examples"), "container") {
		text, err := os.ReadFile(filepath.Join("../../examples", folder, "expected.yaml"))
		require.NoError(t, err)
		cases[folder] = string(text)
	}
	cases["kpt"] = kptExample(t)
	require.Greater(t, len(cases), 12)
	certmanager.ServeTypes(t)
	for _, name := range []string{"accepted", "argocd", "intelligence-deepagents", "my-namespace", "shop", "shop-dev", "shop-plain", "shop-openshift", "shop-tls"} {
		namespace(t, name)
	}

	for name, manifests := range cases {
		t.Run(name, func(t *testing.T) {
			apply(t, manifests)
			generations := must(t, manifests, "get", "-f", "-", "-o", "jsonpath={range .items[*]}{.kind} {.metadata.name} {.metadata.generation}{\"\\n\"}{end}")
			apply(t, manifests)
			noDiff(t, manifests)
			assert.Equal(t, generations, must(t, manifests, "get", "-f", "-", "-o", "jsonpath={range .items[*]}{.kind} {.metadata.name} {.metadata.generation}{\"\\n\"}{end}"),
				"applying again must not increment a generation")
		})
	}
}

// The controllers create the pod and its volume claim, and the scheduler picks the node for databases. That works for
// the longest name too.
func TestScheduled(t *testing.T) {
	t.Parallel()
	namespace(t, "scheduled")
	for _, name := range []string{"my-cache", strings.Repeat("a", 52)} {
		manifests, _ := render(t, claim("scheduled", name, "micro"))
		apply(t, manifests)
		eventually(t, "stateful", "get", "pod", name+"-0", "-n", "scheduled", "-o", "jsonpath={.spec.nodeName}")
		assert.Equal(t, "Bound", get(t, "scheduled", "pvc/dragonfly-data-"+name+"-0", ".status.phase"))
	}
	assert.Empty(t, must(t, "", "get", "pods", "-n", "scheduled", "--field-selector", "spec.nodeName=stateless", "-o", "name"),
		"no pod may be on a node that is not for databases")
}

// What Crossplane leaves behind, including the keys that its later versions put into the connection Secret.
const crossplane = `
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: my-cache, namespace: NAMESPACE}
spec:
  serviceName: my-cache
  replicas: 1
  selector: {matchLabels: {app: my-cache}}
  template:
    metadata: {labels: {app: my-cache}}
    spec:
      securityContext: {runAsUser: 1000, runAsGroup: 1000, fsGroup: 2000, runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
      containers:
      - name: dragonfly
        image: docker.dragonflydb.io/dragonflydb/dragonfly:latest
        args: [--requirepass=$(DRAGONFLY_PASSWORD), --dir=/data]
        env:
        - name: DRAGONFLY_PASSWORD
          valueFrom: {secretKeyRef: {name: my-cache-password, key: password}}
        ports: [{containerPort: 6379}]
        resources: {requests: {cpu: 250m, memory: 512Mi}, limits: {cpu: "1", memory: 2Gi}}
        securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}, runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
        volumeMounts: [{name: dragonfly-data, mountPath: /data}]
  volumeClaimTemplates:
  - metadata: {name: dragonfly-data}
    spec:
      accessModes: [ReadWriteOnce]
      storageClassName: local-path
      resources: {requests: {storage: 10Gi}}
---
apiVersion: v1
kind: Service
metadata: {name: my-cache, namespace: NAMESPACE}
spec:
  selector: {app: my-cache}
  ports: [{name: dragonfly, port: 6379, targetPort: 6379}]
---
apiVersion: v1
kind: Secret
metadata: {name: my-cache-password, namespace: NAMESPACE}
type: Opaque
data: {password: MGI2ZmI3YTUtN2U3MC00YjBhLWEwYmEtNmM2ZDNhZDRiMmE2}
---
apiVersion: v1
kind: Secret
metadata: {name: my-cache-conn, namespace: NAMESPACE}
type: Opaque
data: {endpoint: ENDPOINT, port: NjM3OQ==, password: MGI2ZmI3YTUtN2U3MC00YjBhLWEwYmEtNmM2ZDNhZDRiMmE2, DRAGONFLY_HOST: ENDPOINT, DRAGONFLY_PORT: NjM3OQ==, DRAGONFLY_PASSWORD: MGI2ZmI3YTUtN2U3MC00YjBhLWEwYmEtNmM2ZDNhZDRiMmE2}
`

// crossplaneManifests are the manifests of the instance in a namespace.
func crossplaneManifests(namespace string) string {
	endpoint := base64.StdEncoding.EncodeToString([]byte("my-cache." + namespace + ".svc.cluster.local"))
	return strings.NewReplacer("NAMESPACE", namespace, "ENDPOINT", endpoint).Replace(crossplane)
}

// From every size to every other, with another label and another password, it is always an update in place.
func TestUpdatesInPlace(t *testing.T) {
	t.Parallel()
	const ns = "updated"
	namespace(t, ns)
	sizes := []string{"micro", "small", "medium", "large"}
	manifests, _ := render(t, claim(ns, "my-cache", "small"))
	apply(t, manifests)
	uid := get(t, ns, "statefulset/my-cache", ".metadata.uid")

	for _, from := range sizes {
		for _, to := range sizes {
			for _, size := range []string{from, to} {
				manifests, _ := render(t, claim(ns, "my-cache", size))
				apply(t, manifests)
			}
		}
	}
	manifests, _ = render(t, claim(ns, "my-cache", "large", "  labels: {team: search}\n"))
	apply(t, manifests)
	assert.Equal(t, "search", get(t, ns, "service/my-cache", ".metadata.labels.team"))
	assert.Equal(t, uid, get(t, ns, "statefulset/my-cache", ".metadata.uid"))
}

// kptfile marks a list as a package in which results are kept.
const kptfile = "apiVersion: kpt.dev/v1\nkind: Kptfile\nmetadata:\n  name: x\n  annotations: {config.kubernetes.io/local-config: \"true\"}\n"

// The server refuses to change the volume size exactly where we warn, and the commands of the warning work.
func TestAnotherVolumeSize(t *testing.T) {
	t.Parallel()
	const ns = "resized"
	namespace(t, ns)
	first, _ := render(t, claim(ns, "my-cache", "small"))
	apply(t, first)
	eventually(t, "Bound", "get", "pvc/dragonfly-data-my-cache-0", "-n", ns, "-o", "jsonpath={.status.phase}")
	uid := get(t, ns, "pvc/dragonfly-data-my-cache-0", ".metadata.uid")

	// Rendered in place, over the earlier results, as kpt does: only there can the old size be seen.
	rendered := append([]string{kptfile, claim(ns, "my-cache", "small") + "  storageGB: 20\n"}, strings.Split(strings.TrimSuffix(first, "---\n"), "---\n")...)
	second, warnings := render(t, rendered...)
	_, err := testkit.Kubectl(second, "apply", "--server-side", "-f", "-")
	require.ErrorContains(t, err, "Forbidden", "the server must refuse what we warn about")

	commands := strings.Split(warnings, "`")
	require.Len(t, commands, 5, "the warning must give two commands: %s", warnings)
	shell(t, t.TempDir(), commands[1], commands[3])
	apply(t, second)
	assert.Equal(t, "20Gi", get(t, ns, "statefulset/my-cache", ".spec.volumeClaimTemplates[0].spec.resources.requests.storage"))
	assert.Equal(t, "20Gi", get(t, ns, "pvc/dragonfly-data-my-cache-0", ".spec.resources.requests.storage"))
	assert.Equal(t, uid, get(t, ns, "pvc/dragonfly-data-my-cache-0", ".metadata.uid"))
}

// The commands in docs/troubleshooting.md that need no running pod print what the page says.
func TestTroubleshooting(t *testing.T) {
	t.Parallel()
	const ns = "troubleshooting"
	namespace(t, ns)
	manifests, _ := render(t, claim(ns, "my-cache", "small"))
	apply(t, manifests)
	objects := []string{"statefulset.apps/my-cache", "service/my-cache", "pod/my-cache-0", "persistentvolumeclaim/dragonfly-data-my-cache-0"}
	podOf(t, ns, "my-cache").restart(t)
	assert.EventuallyWithT(t, func(c *assert.CollectT) {
		found, _ := testkit.Kubectl("", "get", "statefulset,pod,pvc,service", "-n", ns, "-l", "app=my-cache", "-o", "name")
		assert.ElementsMatch(c, objects, strings.Fields(found))
	}, time.Minute, time.Second, "the controller creates the rest")
	password := must(t, "", "get", "secret", "my-cache-password", "-n", ns, "-o", "jsonpath={.data.password}")
	assert.NotEmpty(t, password)
	assert.True(t, password == must(t, "", "get", "secret", "my-cache-conn", "-n", ns, "-o", "jsonpath={.data.password}"), "both sums must agree")
	decoded, err := base64.StdEncoding.DecodeString(must(t, "", "get", "secret", "my-cache-conn", "-n", ns, "-o", "jsonpath={.data.endpoint}"))
	require.NoError(t, err)
	assert.Equal(t, "my-cache.troubleshooting.svc.cluster.local", string(decoded))
}
