//go:build conformance && linux

package conformance

import (
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/internal/operator"
	"github.com/bizmatters/dragonfly-generator/internal/testkit"
)

// operatorCRD installs the definition of the Dragonfly Operator, v1.6.1, which is its authors'.
func operatorCRD(t *testing.T) {
	t.Helper()
	file := os.Getenv("DRAGONFLY_OPERATOR_CRD")
	require.NotEmpty(t, file, "DRAGONFLY_OPERATOR_CRD names no file with the operator's CRD; run `make conformance`, which gets it")
	must(t, "", "apply", "--server-side", "-f", file)
	established(t, "dragonflies.dragonflydb.io")
}

// Every Dragonfly among the golden cases is accepted by the operator's own schema, and applying it again
// changes nothing.
func TestOperatorAccepts(t *testing.T) {
	t.Parallel()
	operatorCRD(t)
	namespace(t, "by-operator")
	accepted := 0
	for _, c := range testkit.Cases(t) {
		if c.Family != "operator" {
			continue
		}
		result := testkit.Call(c.Input) // a case shows but a part of it
		if result.ExitCode != 0 {
			continue
		}
		for _, object := range items(t, result.Stdout) {
			if object.GetKind() != "Dragonfly" || object.GetAnnotations()["database.bizmatters.io/generated-from"] == "" {
				continue
			}
			accepted++
			require.NoError(t, object.SetNamespace("by-operator"))
			manifest := object.MustString()
			t.Run(c.Name, func(t *testing.T) {
				apply(t, manifest)
				diff, stderr, ok := kubectl(t, manifest, "diff", "--server-side", "-f", "-")
				assert.True(t, ok, stderr)
				assert.Empty(t, diff)
				must(t, manifest, "delete", "-f", "-")
			})
		}
	}
	assert.Greater(t, accepted, 3)
}

// The Go types of the operator's object are its CRD: neither lacks a field of the other but for those that HasField
// says are newer than the CRD, and those are missing there.
func TestOperatorTypes(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(os.Getenv("DRAGONFLY_OPERATOR_CRD"))
	require.NoError(t, err)
	crd, err := yaml.Parse(string(text))
	require.NoError(t, err)
	name, err := crd.GetString("metadata.name")
	require.NoError(t, err)
	require.Equal(t, "dragonflies.dragonflydb.io", name)
	schema, err := crd.Pipe(yaml.Lookup("spec", "versions", "0", "schema", "openAPIV3Schema", "properties", "spec"))
	require.NoError(t, err)
	require.NotNil(t, schema)
	compared := map[reflect.Type]bool{}
	compareWithSchema(t, "spec", reflect.TypeFor[operator.Spec](), schema, compared)
	for _, deep := range []reflect.Type{reflect.TypeFor[operator.DisruptionBudget](), reflect.TypeFor[corev1.Container](), reflect.TypeFor[corev1.PersistentVolumeClaimSpec]()} {
		assert.True(t, compared[deep], deep)
	}
}

// compareWithSchema compares a type with its schema, and what it refers to.
func compareWithSchema(t *testing.T, path string, of reflect.Type, schema *yaml.RNode, compared map[reflect.Type]bool) {
	t.Helper()
	for of.Kind() == reflect.Pointer {
		of = of.Elem()
	}
	field := func(name string) *yaml.RNode {
		found, err := schema.Pipe(yaml.Lookup(name))
		require.NoError(t, err)
		return found
	}
	switch of.Kind() {
	case reflect.Slice:
		if items := field("items"); assert.NotNil(t, items, path) {
			compareWithSchema(t, path+"[]", of.Elem(), items, compared)
		}
	case reflect.Map:
		if values := field("additionalProperties"); assert.NotNil(t, values, path) {
			compareWithSchema(t, path+"{}", of.Elem(), values, compared)
		}
	case reflect.Struct:
		if _, decodesItself := reflect.PointerTo(of).MethodByName("UnmarshalJSON"); decodesItself || of == reflect.TypeFor[metav1.ObjectMeta]() {
			return // a quantity, a number or text; or metadata, which a CRD does not describe
		}
		properties := field("properties")
		if !assert.NotNil(t, properties, path) {
			return
		}
		compared[of] = true
		names, err := properties.Fields()
		require.NoError(t, err)
		for declaring, member := range fieldsOf(of) {
			name, _, _ := strings.Cut(member.Tag.Get("json"), ",")
			assert.Equal(t, operator.HasField(declaring, name), slices.Contains(names, name), "the CRD has %s.%s", path, name)
			if at := slices.Index(names, name); at >= 0 {
				names = slices.Delete(names, at, at+1)
				compareWithSchema(t, path+"."+name, member.Type, properties.Field(name).Value, compared)
			}
		}
		assert.Empty(t, names, "%s has to have these fields of the CRD", path)
	}
}

// fieldsOf iterates over the fields of a struct as JSON has them, each with the struct that declares it.
func fieldsOf(of reflect.Type) iter.Seq2[reflect.Type, reflect.StructField] {
	return func(yield func(reflect.Type, reflect.StructField) bool) {
		for field := range of.Fields() {
			if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name == "" && field.Anonymous {
				for declaring, inner := range fieldsOf(field.Type) {
					if !yield(declaring, inner) {
						return
					}
				}
			} else if !yield(of, field) {
				return
			}
		}
	}
}

// items returns the objects of a ResourceList.
func items(t *testing.T, list string) []*yaml.RNode {
	t.Helper()
	parsed, err := yaml.Parse(list)
	require.NoError(t, err)
	objects, err := parsed.Field("items").Value.Elements()
	require.NoError(t, err)
	return objects
}

// operatorStandIn makes of the Dragonfly my-cache what the operator v1.6.1 makes of it, as far as names,
// selectors, ports, volumes and security contexts go (the namespace is restricted), and calls its first pod
// the master while no other is. And as there is no kubelet, it ends the pods that are told to.
const operatorStandIn = `
while sleep 0.3; do
  uid=$(kubectl get dragonfly my-cache -n NAMESPACE -o jsonpath='{.metadata.uid}')
  deleted=$(kubectl get dragonfly my-cache -n NAMESPACE -o jsonpath='{.metadata.deletionTimestamp}')
  if [ -n "$uid" ] && [ -z "$deleted" ] && ! kubectl get statefulset my-cache -n NAMESPACE; then
    spec() { kubectl get dragonfly my-cache -n NAMESPACE -o jsonpath="{.spec.$1}"; }
    owner="{apiVersion: dragonflydb.io/v1alpha1, kind: Dragonfly, name: my-cache, uid: $uid, blockOwnerDeletion: true}"
    kubectl create -n NAMESPACE -f - <<EOF
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: my-cache, ownerReferences: [$owner]}
spec:
  replicas: $(spec replicas)
  serviceName: my-cache
  podManagementPolicy: Parallel
  selector: {matchLabels: {app: my-cache, app.kubernetes.io/part-of: dragonfly, app.kubernetes.io/name: dragonfly}}
  template:
    metadata: {labels: {app: my-cache, app.kubernetes.io/part-of: dragonfly, app.kubernetes.io/name: dragonfly}}
    spec:
      nodeSelector: $(spec nodeSelector)
      securityContext: $(spec podSecurityContext)
      containers: [{name: dragonfly, image: dragonfly, securityContext: $(spec containerSecurityContext), volumeMounts: [{name: df, mountPath: /dragonfly/snapshots}]}]
  volumeClaimTemplates: [{metadata: {name: df}, spec: $(spec snapshot.persistentVolumeClaimSpec)}]
---
apiVersion: v1
kind: Service
metadata: {name: my-cache, ownerReferences: [$owner]}
spec:
  selector: {app: my-cache, app.kubernetes.io/name: dragonfly, role: master}
  ports: [{name: redis, port: 6379}]
EOF
  fi
  if [ -n "$uid" ] && [ -z "$(kubectl get pods -n NAMESPACE -l role=master -o name)" ]; then kubectl label pod my-cache-0 -n NAMESPACE role=master; fi
  for pod in $(kubectl get pods -n NAMESPACE -o jsonpath='{range .items[?(@.metadata.deletionTimestamp)]}{.metadata.name} {end}'); do
    kubectl delete pod "$pod" -n NAMESPACE --force --grace-period=0
  done
done >/dev/null 2>&1
`

// The commands of the docs, in their order, move a live instance to the operator and back, with its data, its password
// and its endpoint. Back comes the volume of the master, whichever pod that is by then. Another move stops at its first
// step as long as a claim is left from this one.
func TestOperatorPage(t *testing.T) {
	t.Parallel()
	operatorCRD(t)
	const ns = "moved-to-operator" // other tests have objects in the page's own
	namespace(t, ns)
	page := testkit.ReadPage(t, "operator.md").Replace("my-namespace", ns)
	there, back := page.Section(t, "Moving an instance to the operator"), page.Section(t, "And back")
	dir := t.TempDir()
	for _, file := range page.Files() {
		file.Write(t, dir)
	}
	config, err := os.ReadFile(filepath.Join(dir, "dragonfly-generator.yaml"))
	require.NoError(t, err)
	withBackend := func(backend bool) {
		text := string(config)
		if !backend {
			var found bool
			text, _, found = strings.Cut(text, "spec:\n")
			require.True(t, found)
		}
		require.NoError(t, os.WriteFile(filepath.Join(dir, "dragonfly-generator.yaml"), []byte(text), 0o600))
	}
	const build = "kustomize build --enable-alpha-plugins --enable-exec . > manifests.yaml\n"
	secrets := func() string {
		return get(t, ns, "secret/my-cache-password", ".data") + get(t, ns, "secret/my-cache-conn", ".data")
	}

	withBackend(false)
	shell(t, dir, build, "kubectl apply --server-side -f manifests.yaml")
	eventually(t, "Bound", "get", "pvc/dragonfly-data-my-cache-0", "-n", ns, "-o", "jsonpath={.status.phase}")
	podOf(t, ns, "my-cache").restart(t)
	volume, before := get(t, ns, "pvc/dragonfly-data-my-cache-0", ".spec.volumeName"), secrets()

	operator := exec.Command("bash", "-c", strings.ReplaceAll(operatorStandIn, "NAMESPACE", ns))
	operator.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig)
	require.NoError(t, operator.Start())
	defer func() {
		_ = operator.Process.Kill()
		_ = operator.Wait()
	}()

	withBackend(true)
	shell(t, dir, there.Blocks("sh")...)
	eventually(t, "2", "get", "statefulset/my-cache", "-n", ns, "-o", "jsonpath={.spec.replicas}")
	eventually(t, "Bound", "get", "pvc/df-my-cache-0", "-n", ns, "-o", "jsonpath={.status.phase}")
	assert.Equal(t, volume, get(t, ns, "pvc/df-my-cache-0", ".spec.volumeName"), "the data must be where it was")
	assert.True(t, before == secrets(), "the Secrets must be as they were")
	eventually(t, "my-cache-0", "get", "pods", "-n", ns, "-l", "app=my-cache,app.kubernetes.io/name=dragonfly,role=master", "-o", "jsonpath={.items[*].metadata.name}")
	assert.Equal(t, "6379", get(t, ns, "service/my-cache", ".spec.ports[0].port"), "the endpoint must lead to the operator's Service")

	eventually(t, "Bound", "get", "pvc/df-my-cache-1", "-n", ns, "-o", "jsonpath={.status.phase}")
	must(t, "", "label", "pod", "my-cache-1", "-n", ns, "role=master")
	must(t, "", "label", "pod", "my-cache-0", "-n", ns, "role=replica", "--overwrite")
	volume = get(t, ns, "pvc/df-my-cache-1", ".spec.volumeName")

	withBackend(false)
	shell(t, dir, append([]string{build}, back.Blocks("sh")...)...)
	eventually(t, "Bound", "get", "pvc/dragonfly-data-my-cache-0", "-n", ns, "-o", "jsonpath={.status.phase}")
	assert.Equal(t, volume, get(t, ns, "pvc/dragonfly-data-my-cache-0", ".spec.volumeName"), "the data must be where it was")
	assert.True(t, before == secrets(), "the Secrets must be as they were")
	assert.Equal(t, "my-cache", get(t, ns, "service/my-cache", ".spec.selector.app"))
	eventually(t, "stateful", "get", "pod/my-cache-0", "-n", ns, "-o", "jsonpath={.spec.nodeName}")

	again := exec.Command("bash", "-euo", "pipefail", "-c", there.Blocks("sh")[0])
	again.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig)
	out, err := again.CombinedOutput()
	require.Error(t, err)
	assert.Contains(t, string(out), "df-my-cache-0")
	must(t, "", "delete", "pvc", "df-my-cache-0", "-n", ns)
	shell(t, dir, there.Blocks("sh")[0])
}
