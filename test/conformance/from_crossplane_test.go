//go:build conformance && linux

package conformance

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bizmatters/dragonfly-generator/internal/testkit"
)

// crd is one of Crossplane's, reduced to what the page needs.
const crd = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: PLURAL.GROUP}
spec:
  group: GROUP
  scope: SCOPE
  names: {kind: KIND, plural: PLURAL, singular: SINGULAR}
  versions:
  - name: VERSION
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
`

var immutable = regexp.MustCompile(`(?m)^[-+] +(clusterIP|serviceName|storage|matchLabels):`)

// standIn does what Crossplane and its provider do when a claim is deleted: deleting the claim deletes the composite,
// that deletes its objects, and an object deletes what it made, unless it says Orphan. Anything paused waits.
const standIn = `
composite=my-cache-x7k2p
deleted() { test -n "$(kubectl get "$@" -o jsonpath='{.metadata.deletionTimestamp}' 2>/dev/null)"; }
paused() { test "$(kubectl get "$@" -o jsonpath='{.metadata.annotations.crossplane\.io/paused}' 2>/dev/null)" = true; }
release() { kubectl patch "$@" --type=merge -p '{"metadata":{"finalizers":null}}'; }
while sleep 0.3; do
  if deleted dragonflyinstance.database.bizmatters.io my-cache -n NAMESPACE; then
    kubectl delete xdragonflyinstance.database.bizmatters.io $composite --wait=false
    release dragonflyinstance.database.bizmatters.io my-cache -n NAMESPACE
  fi
  if deleted xdragonflyinstance.database.bizmatters.io $composite && ! paused xdragonflyinstance.database.bizmatters.io $composite; then
    kubectl delete objects.kubernetes.crossplane.io -l crossplane.io/composite=$composite --wait=false
    release xdragonflyinstance.database.bizmatters.io $composite
  fi
  for object in $(kubectl get objects.kubernetes.crossplane.io -o name 2>/dev/null); do
    if deleted $object && ! paused $object; then
      test "$(kubectl get $object -o jsonpath='{.spec.deletionPolicy}')" = Orphan || kubectl delete statefulset,service,secret --all -n NAMESPACE
      release $object
    fi
  done
done >/dev/null 2>&1
`

// The commands of docs/from-crossplane.md, in order, move a live instance over.
func TestFromCrossplanePage(t *testing.T) {
	const ns = "moved-from-crossplane" // other tests use the page's own namespace
	// Other tests need a cluster that does not know claims, and clients without a cached definition.
	t.Setenv("KUBECACHEDIR", t.TempDir())
	t.Cleanup(func() {
		must(t, "", "delete", "crd", "dragonflyinstances.database.bizmatters.io", "xdragonflyinstances.database.bizmatters.io", "objects.kubernetes.crossplane.io")
	})
	for _, names := range [][]string{
		{"database.bizmatters.io", "v1alpha1", "DragonflyInstance", "dragonflyinstances", "Namespaced"},
		{"database.bizmatters.io", "v1alpha1", "XDragonflyInstance", "xdragonflyinstances", "Cluster"},
		{"kubernetes.crossplane.io", "v1alpha2", "Object", "objects", "Cluster"},
	} {
		must(t, strings.NewReplacer("GROUP", names[0], "VERSION", names[1], "KIND", names[2], "PLURAL", names[3],
			"SINGULAR", strings.ToLower(names[2]), "SCOPE", names[4]).Replace(crd), "apply", "-f", "-")
		testkit.WaitForTrue(t, "crd/"+names[3]+"."+names[0], "Established")
	}
	namespace(t, ns)
	// The page labels the node of the old pod, which may be any; other tests need the nodes as they were.
	t.Cleanup(func() { must(t, "", "label", "node", "stateless", "workload-type=stateless", "--overwrite") })
	// Its provider leaves the last applied manifest in an annotation, as a client-side apply does.
	must(t, crossplaneManifests(ns), "apply", "--field-manager=crossplane-kubernetes-provider", "-f", "-")
	must(t, "apiVersion: database.bizmatters.io/v1alpha1\nkind: DragonflyInstance\nmetadata: {name: my-cache, namespace: "+ns+", finalizers: [finalizer.apiextensions.crossplane.io/claim]}\nspec: {size: small, resourceRef: {name: my-cache-x7k2p}}\n---\n"+
		"apiVersion: database.bizmatters.io/v1alpha1\nkind: XDragonflyInstance\nmetadata: {name: my-cache-x7k2p, finalizers: [composite.apiextensions.crossplane.io/composite]}\n", "apply", "-f", "-")
	for _, name := range []string{"statefulset", "service", "password", "connection"} {
		must(t, "apiVersion: kubernetes.crossplane.io/v1alpha2\nkind: Object\nmetadata: {name: my-cache-x7k2p-"+name+", labels: {crossplane.io/composite: my-cache-x7k2p}, finalizers: [finalizer.managedresource.crossplane.io/object]}\n", "apply", "-f", "-")
	}
	eventually(t, "Bound", "get", "pvc/dragonfly-data-my-cache-0", "-n", ns, "-o", "jsonpath={.status.phase}")
	before := identity(t, ns)

	page := testkit.ReadPage(t, "docs/from-crossplane.md").Replace("my-namespace", ns)
	dir := t.TempDir()
	page.WriteFiles(t, dir)
	background(t, exec.Command("bash", "-c", strings.ReplaceAll(standIn, "NAMESPACE", ns)))

	out := shell(t, dir, page.Blocks("sh")...)
	assert.Contains(t, out, "my-cache-x7k2p-password: Orphan")
	assert.True(t, before == identity(t, ns), "the instance must be the same, with the same address, data, password and keys")
	assert.Equal(t, "stateful", get(t, ns, "statefulset/my-cache", `.spec.template.spec.nodeSelector.workload-type`))
	changes, err := os.ReadFile(filepath.Join(dir, "changes.txt"))
	require.NoError(t, err)
	assert.True(t, strings.Contains(string(changes), "v1.40.1"))
	assert.False(t, regexp.MustCompile(`(?m)^-  (password|DRAGONFLY_\w+):`).Match(changes), "no key of a Secret may disappear")
	assert.False(t, immutable.Match(changes), "nothing immutable may change")
	p := podOf(t, ns, "my-cache")
	p.hasLived(t)
	p.restart(t)
	assert.True(t, before == identity(t, ns), "the pod must keep the password")
	_, err = testkit.Kubectl("", "get", "dragonflyinstance.database.bizmatters.io", "my-cache", "-n", ns)
	assert.ErrorContains(t, err, "NotFound")
}

// identity is what must not change when an instance is adopted.
func identity(t *testing.T, ns string) string {
	t.Helper()
	var all []string
	for _, field := range [][2]string{
		{"statefulset/my-cache", ".metadata.uid"}, {"service/my-cache", ".metadata.uid"}, {"service/my-cache", ".spec.clusterIP"},
		{"pvc/dragonfly-data-my-cache-0", ".metadata.uid"}, {"secret/my-cache-password", ".data.password"},
		{"secret/my-cache-conn", ".data.endpoint"}, {"secret/my-cache-conn", ".data.port"}, {"secret/my-cache-conn", ".data.password"},
		{"secret/my-cache-conn", ".data.DRAGONFLY_HOST"}, {"secret/my-cache-conn", ".data.DRAGONFLY_PORT"}, {"secret/my-cache-conn", ".data.DRAGONFLY_PASSWORD"},
	} {
		all = append(all, get(t, ns, field[0], field[1]))
	}
	return strings.Join(all, "\n")
}
