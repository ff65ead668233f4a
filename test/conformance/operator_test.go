//go:build conformance && linux

package conformance

import (
	"fmt"
	"iter"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/internal/operator"
	"github.com/bizmatters/dragonfly-generator/internal/testkit"
)

// operatorCRD installs the CRD of the Dragonfly Operator v1.6.1, which belongs to its authors.
func operatorCRD(t *testing.T) {
	t.Helper()
	file := os.Getenv("DRAGONFLY_OPERATOR_CRD")
	require.NotEmpty(t, file, "DRAGONFLY_OPERATOR_CRD is not a file with the operator's CRD; run `make conformance`, which gets it")
	must(t, "", "apply", "--server-side", "-f", file)
	testkit.WaitForTrue(t, "crd/dragonflies.dragonflydb.io", "Established")
}

// The operator's own schema accepts every Dragonfly in the golden cases, and applying it again changes nothing.
func TestOperatorAccepts(t *testing.T) {
	t.Parallel()
	operatorCRD(t)
	namespace(t, "by-operator")
	accepted := 0
	for _, c := range testkit.Cases(t) {
		if c.Family != "operator" {
			continue
		}
		result := testkit.Call(c.Input) // a case shows only part of it
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
				noDiff(t, manifest)
				must(t, manifest, "delete", "-f", "-")
			})
		}
	}
	assert.Greater(t, accepted, 3)
}

// Our Go types of the operator's object match its CRD: both have the same fields, except those that HasField calls
// newer than the CRD, and the CRD does lack those.
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

// compareWithSchema compares a type, and the types that it refers to, with the schema.
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
			return // a quantity (a number or a string), or metadata, which a CRD does not describe
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
		assert.Empty(t, names, "%s must have these fields of the CRD", path)
	}
}

// fieldsOf iterates over a struct's fields under their JSON names, each with the struct that declares it.
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

// operatorStandIn creates what the operator v1.6.1 would create for the Dragonfly my-cache, as far as names, selectors,
// ports, volumes, security contexts and the password go (the namespace is restricted). It makes the first pod the
// master while there is no other, and the object Ready once each pod has its role. Because there is no kubelet, it also
// ends the pods that are being deleted.
const operatorStandIn = `
of() { kubectl "$@" -n NAMESPACE; }
spec() { of get dragonfly my-cache -o jsonpath="{.spec.$1}"; }
while sleep 0.3; do
  uid=$(of get dragonfly my-cache -o jsonpath='{.metadata.uid}')
  deleted=$(of get dragonfly my-cache -o jsonpath='{.metadata.deletionTimestamp}')
  if [ -n "$uid" ] && [ -z "$deleted" ] && ! of get statefulset my-cache; then
    owner="{apiVersion: dragonflydb.io/v1alpha1, kind: Dragonfly, name: my-cache, uid: $uid, blockOwnerDeletion: true}"
    of create -f - <<EOF
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
      containers:
      - name: dragonfly
        image: dragonfly
        env: [{name: DFLY_requirepass, valueFrom: {secretKeyRef: $(spec authentication.passwordFromSecret)}}]
        securityContext: $(spec containerSecurityContext)
        volumeMounts: [{name: df, mountPath: /dragonfly/snapshots}]
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
  if [ -n "$uid" ]; then
    if [ -z "$(of get pods -l role=master -o name)" ]; then of label pod my-cache-0 role=master; fi
    of label pods -l 'app.kubernetes.io/part-of=dragonfly,!role' role=replica
    if [ "$(of get pods -l role -o name | wc -l)" = "$(spec replicas)" ]; then
      of patch dragonfly my-cache --subresource=status --type=merge -p '{"status":{"phase":"Ready"}}'
    fi
  fi
  for pod in $(of get pods -o jsonpath='{range .items[?(@.metadata.deletionTimestamp)]}{.metadata.name} {end}'); do
    of delete pod "$pod" --force --grace-period=0
  done
done >/dev/null 2>&1
`

// execStandIn is kubectl without a kubelet. A command for a container runs here, with the variables that the container
// has from Secrets, and with the port ADMIN_PORT instead of the operator's 9999.
const execStandIn = `#!/bin/bash
set -euo pipefail
if [ "$1" != exec ]; then exec "$KUBECTL" "$@"; fi
shift
while [ "$1" != -- ]; do
  case $1 in
  -i) ;;
  -n) namespace=$2; shift ;;
  -c) container=$2; shift ;;
  *) pod=$1 ;;
  esac
  shift
done
shift
echo "$pod: $*" >>exec.log
of_pod() { "$KUBECTL" get pod "$pod" -n "$namespace" -o jsonpath="$1"; }
path=".spec.containers[?(@.name=='$container')]"
test "$(of_pod "{$path.name}")" = "$container"
while read -r variable secret key; do
  export "$variable=$("$KUBECTL" get secret "$secret" -n "$namespace" -o jsonpath="{.data.$key}" | base64 -d)"
done < <(of_pod "{range $path.env[*]}{.name} {.valueFrom.secretKeyRef.name} {.valueFrom.secretKeyRef.key}{'\n'}{end}")
exec "${@/#9999/$ADMIN_PORT}"
`

// serverStandIn runs a pod's server, which asks for no password, as on port 9999, and returns its port and the folder
// of its snapshots.
func serverStandIn(t *testing.T) (port, snapshots string) {
	t.Helper()
	dir := t.TempDir()
	program := filepath.Join(dir, "standin")
	out, err := exec.Command("go", "build", "-o", program, "../node/standin").CombinedOutput()
	require.NoError(t, err, string(out))
	addresses, err := freePorts(1)
	require.NoError(t, err)
	_, port, err = net.SplitHostPort(addresses[0])
	require.NoError(t, err)
	server := exec.Command(program, "--bind=127.0.0.1", "--port="+port, "--dir="+dir, "--dbfilename=dump")
	server.Env = []string{}
	background(t, server)
	require.Eventually(t, func() bool {
		connection, err := net.Dial("tcp", addresses[0])
		if err == nil {
			connection.Close()
		}
		return err == nil
	}, time.Minute, 100*time.Millisecond)
	return port, dir
}

// operatorPage is docs/operator.md, and records which of its blocks were used.
type operatorPage struct {
	testkit.Page
	taken []string
}

func (p *operatorPage) blocks(t *testing.T, heading, language string) []string {
	t.Helper()
	blocks := p.Section(t, heading).Blocks(language)
	require.NotEmpty(t, blocks, "%s: no block of %s", heading, language)
	p.taken = append(p.taken, blocks...)
	return blocks
}

// allTaken fails if the page has a block that the test has not used. Every block can run here.
func (p *operatorPage) allTaken(t *testing.T) {
	t.Helper()
	assert.ElementsMatch(t, p.Blocks(), p.taken, "run each block of docs/operator.md; if one cannot run here, list it with the reason")
}

// The blocks on the page, in order, move a live instance to the operator and back, with its data, its password and its
// endpoint. Meanwhile the master accepts a password and says which one it has. The volume that comes back is the
// master's, whichever pod that is by then, and only if it has saved its data. Another move stops at its first step
// while a volume claim is left over from this one.
func TestOperatorPage(t *testing.T) {
	t.Parallel()
	operatorCRD(t)
	const ns = "moved-to-operator" // other tests use the page's own namespace
	namespace(t, ns)
	page := &operatorPage{Page: testkit.ReadPage(t, "docs/operator.md").Replace("my-namespace", ns).Replace("--timeout=10m", "--timeout=2m")}
	dir := t.TempDir()
	for _, file := range page.Files() {
		file.Write(t, dir)
		page.taken = append(page.taken, file.Text)
	}
	there := page.blocks(t, "Moving an instance to the operator", "sh")
	back := page.blocks(t, "And back", "sh")
	passwords := page.blocks(t, "Passwords", "sh")
	settings := append(page.blocks(t, "Settings of the operator", "yaml"), page.blocks(t, "Who reaches what", "yaml")...)
	page.allTaken(t)
	tried := string(page.Section(t, "What was tried, and what was not"))
	assert.Contains(t, tried, operator.Version)
	modules, err := os.ReadFile("../../tools/kubernetes/go.mod")
	require.NoError(t, err)
	kubernetes := regexp.MustCompile(`k8s\.io/kubernetes (v[0-9.]+)`).FindSubmatch(modules)
	require.NotNil(t, kubernetes)
	assert.Contains(t, tried, "Kubernetes "+string(kubernetes[1]), "the page must say what was tried with which versions")

	for i, spec := range settings {
		manifests, warnings := render(t, strings.TrimSuffix(configurationHead, "spec:\n")+spec, claim(ns, fmt.Sprintf("set-%d", i), "small"))
		assert.Empty(t, warnings)
		apply(t, manifests)
		noDiff(t, manifests)
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
	stand := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(stand, "kubectl"), []byte(execStandIn), 0o700))
	program, err := exec.LookPath("kubectl")
	require.NoError(t, err)
	execOn := func(port string) string {
		return fmt.Sprintf("export KUBECTL=%s ADMIN_PORT=%s PATH=%s:$PATH\n: >exec.log\n", program, port, stand)
	}
	executed := func() string {
		log, err := os.ReadFile(filepath.Join(dir, "exec.log"))
		require.NoError(t, err)
		return string(log)
	}

	withBackend(false)
	shell(t, dir, build, "kubectl apply --server-side -f manifests.yaml")
	eventually(t, "Bound", "get", "pvc/dragonfly-data-my-cache-0", "-n", ns, "-o", "jsonpath={.status.phase}")
	_, password := podOf(t, ns, "my-cache").restart(t)
	volume, before := get(t, ns, "pvc/dragonfly-data-my-cache-0", ".spec.volumeName"), secrets()

	background(t, exec.Command("bash", "-c", strings.ReplaceAll(operatorStandIn, "NAMESPACE", ns)))

	withBackend(true)
	shell(t, dir, there...)
	eventually(t, "2", "get", "statefulset/my-cache", "-n", ns, "-o", "jsonpath={.spec.replicas}")
	eventually(t, "Bound", "get", "pvc/df-my-cache-0", "-n", ns, "-o", "jsonpath={.status.phase}")
	assert.Equal(t, volume, get(t, ns, "pvc/df-my-cache-0", ".spec.volumeName"), "the data must still be there")
	assert.True(t, before == secrets(), "the Secrets must be unchanged")
	eventually(t, "my-cache-0", "get", "pods", "-n", ns, "-l", "app=my-cache,app.kubernetes.io/name=dragonfly,role=master", "-o", "jsonpath={.items[*].metadata.name}")
	assert.Equal(t, "6379", get(t, ns, "service/my-cache", ".spec.ports[0].port"), "the endpoint must lead to the operator's Service")

	port, _ := serverStandIn(t)
	out := shell(t, dir, append([]string{execOn(port)}, passwords...)...)
	assert.True(t, strings.HasSuffix(out, "\n"+password+"\n"), "a pod must say which password it has")
	assert.Equal(t, "my-cache-0: redis-cli -p 9999\nmy-cache-0: printenv DFLY_requirepass\n", executed())
	assert.Contains(t, shell(t, dir, "redis-cli -p "+port+" PING"), "NOAUTH")
	assert.Equal(t, "PONG\n", shell(t, dir, "REDISCLI_AUTH='"+password+"' redis-cli -p "+port+" PING"), "the server must accept the new password")

	eventually(t, "Bound", "get", "pvc/df-my-cache-1", "-n", ns, "-o", "jsonpath={.status.phase}")
	must(t, "", "label", "pod", "my-cache-1", "-n", ns, "role=master", "--overwrite")
	must(t, "", "label", "pod", "my-cache-0", "-n", ns, "role=replica", "--overwrite")
	volume = get(t, ns, "pvc/df-my-cache-1", ".spec.volumeName")

	withBackend(false)
	script := append([]string{execOn(port), build}, back...)
	out, err = tryShell(dir, script...)
	require.Error(t, err, "the server refuses to save without a password")
	require.Contains(t, executed(), "my-cache-1: redis-cli -p 9999 SAVE\n", out)
	require.Equal(t, "2", get(t, ns, "dragonfly/my-cache", ".spec.replicas"), "nothing may be deleted before the data is saved")
	port, snapshots := serverStandIn(t)
	script[0] = execOn(port)
	shell(t, dir, script...)
	assert.Equal(t, "my-cache-1: redis-cli -p 9999 SAVE\n", executed(), "the master must save")
	assert.FileExists(t, filepath.Join(snapshots, "dump-summary.dfs"))
	eventually(t, "Bound", "get", "pvc/dragonfly-data-my-cache-0", "-n", ns, "-o", "jsonpath={.status.phase}")
	assert.Equal(t, volume, get(t, ns, "pvc/dragonfly-data-my-cache-0", ".spec.volumeName"), "the data must still be there")
	assert.True(t, before == secrets(), "the Secrets must be unchanged")
	assert.Equal(t, "my-cache", get(t, ns, "service/my-cache", ".spec.selector.app"))
	eventually(t, "stateful", "get", "pod/my-cache-0", "-n", ns, "-o", "jsonpath={.spec.nodeName}")

	out, err = tryShell(dir, there[0])
	require.Error(t, err)
	assert.Contains(t, out, "df-my-cache-0")
	must(t, "", "delete", "pvc", "df-my-cache-0", "-n", ns)
	shell(t, dir, there[0])
}
