package patch_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"sigs.k8s.io/kustomize/kyaml/yaml"
	k8syaml "sigs.k8s.io/yaml"

	"github.com/bizmatters/dragonfly-generator/internal/golden"
	"github.com/bizmatters/dragonfly-generator/internal/patch"
	"github.com/bizmatters/dragonfly-generator/internal/yamlnode"
)

const statefulSet = `
metadata:
  name: a
  labels: {app: a, b: c}
  finalizers: [one, two]
spec:
  replicas: 1
  template:
    spec:
      nodeSelector: {workload-type: stateful}
      securityContext: {runAsUser: 1000, fsGroup: 2000}
      tolerations: [{key: a, operator: Exists}]
      containers:
      - name: dragonfly
        args: [a, b]
        env: [{name: A, value: "1"}, {name: B, valueFrom: {secretKeyRef: {name: a, key: b}}}]
        ports: [{name: dragonfly, containerPort: 6379, protocol: TCP}]
        volumeMounts: [{name: data, mountPath: /data}, {name: tmp, mountPath: /tmp}]
        readinessProbe: {httpGet: {path: /healthz, port: dragonfly}}
        resources: {limits: {cpu: "1", memory: 2Gi}}
      - name: exporter
        image: b
      volumes: [{name: tmp, emptyDir: {}}]
`

const service = `
metadata: {name: a}
spec:
  selector: {app: a}
  type: ClusterIP
  ports: [{name: dragonfly, port: 6379, targetPort: 6379}]
`

func parsed[T any](t *testing.T, text string) *T {
	t.Helper()
	object := new(T)
	require.NoError(t, k8syaml.UnmarshalStrict([]byte(text), object))
	return object
}

func node(t *testing.T, text string) *yaml.Node {
	t.Helper()
	n, err := yaml.Parse(text)
	require.NoError(t, err, text)
	return n.YNode()
}

// whatKubectlMakes applies a patch with Kubernetes' own library.
func whatKubectlMakes[T any](t *testing.T, object *T, change string) *T {
	t.Helper()
	before, err := json.Marshal(object)
	require.NoError(t, err)
	text, err := k8syaml.YAMLToJSON([]byte(change))
	require.NoError(t, err)
	after, err := strategicpatch.StrategicMergePatch(before, text, *object)
	require.NoError(t, err, change)
	result := new(T)
	require.NoError(t, json.Unmarshal(after, result))
	return result
}

// inAnyOrder is an object with every list sorted, as kubectl puts what is new in front.
func inAnyOrder(t *testing.T, object any) string {
	t.Helper()
	text, err := json.Marshal(object)
	require.NoError(t, err)
	var value any
	require.NoError(t, json.Unmarshal(text, &value))
	text, err = json.Marshal(sorted(t, value))
	require.NoError(t, err)
	return string(text)
}

func sorted(t *testing.T, value any) any {
	switch value := value.(type) {
	case map[string]any:
		for key := range value {
			value[key] = sorted(t, value[key])
		}
	case []any:
		for i := range value {
			value[i] = sorted(t, value[i])
		}
		slices.SortFunc(value, func(a, b any) int { return strings.Compare(asText(t, a), asText(t, b)) })
	}
	return value
}

func asText(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	require.NoError(t, err)
	return string(text)
}

// Whatever people write into a patch, it does what `kubectl patch` would do.
func TestAsKubectlDoesIt(t *testing.T) {
	changes := []string{
		"{}",
		"metadata: {labels: {b: null, d: e}, annotations: {f: g}, finalizers: [two, three]}",
		"spec: {replicas: 0, updateStrategy: {type: OnDelete}, minReadySeconds: 5}",
		"spec: {template: {spec: {nodeSelector: null}}}",
		"spec: {template: {spec: {nodeSelector: {$patch: replace, a: b}}}}",
		"spec: {template: {spec: {nodeSelector: {a: b}, securityContext: {runAsUser: null, runAsGroup: 3}}}}",
		"spec: {template: {spec: {tolerations: [{key: b, operator: Exists}]}}}",
		"spec: {template: {spec: {tolerations: []}}}",
		"spec: {template: {spec: {imagePullSecrets: [{name: a}, {name: b}], hostAliases: [{ip: 10.0.0.1, hostnames: [a]}]}}}",
		"spec: {template: {spec: {topologySpreadConstraints: [{topologyKey: a, maxSkew: 1, whenUnsatisfiable: DoNotSchedule}]}}}",
		"spec: {template: {spec: {affinity: {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: a}]}}}}}",
		"spec: {template: {spec: {volumes: [{name: tmp, emptyDir: null, hostPath: {path: /a}}, {name: tls, secret: {secretName: b, items: [{key: a, path: b}]}}]}}}",
		"spec: {template: {spec: {volumes: [{name: tmp, emptyDir: {sizeLimit: 1Gi}}]}}}",
		"spec: {template: {spec: {volumes: [{name: tmp, $patch: delete}, {name: none, $patch: delete}]}}}",
		"spec: {template: {spec: {volumes: [{$patch: replace}, {name: a, configMap: {name: b}}]}}}",
		"spec: {template: {spec: {containers: [{name: dragonfly, image: a, args: [c], env: [{name: A, value: \"2\"}, {name: C, value: d}]}]}}}",
		"spec: {template: {spec: {containers: [{name: dragonfly, env: [{name: B, $patch: delete}]}, {name: exporter, $patch: delete}, {name: new, image: c}]}}}",
		"spec: {template: {spec: {containers: [{name: dragonfly, ports: [{containerPort: 6379, hostPort: 1}, {containerPort: 9999, name: admin}]}]}}}",
		"spec: {template: {spec: {containers: [{name: dragonfly, volumeMounts: [{mountPath: /tmp, name: tmp, readOnly: true}, {mountPath: /tls, name: tls}]}]}}}",
		"spec: {template: {spec: {containers: [{name: dragonfly, readinessProbe: {httpGet: null, tcpSocket: {port: 6379}}, livenessProbe: {exec: {command: [a]}}}]}}}",
		"spec: {template: {spec: {containers: [{name: dragonfly, readinessProbe: {$patch: replace, tcpSocket: {port: 1}}}]}}}",
		"spec: {template: {spec: {containers: [{name: dragonfly, resources: {limits: {cpu: null, memory: 4Gi, hugepages-2Mi: 1Gi}}}]}}}",
		"spec: {template: {spec: {initContainers: [{name: a, env: [{name: A, value: b}]}]}}}",
	}
	configs := map[string]string{}
	for _, c := range golden.Cases(t) {
		if c.Family == "config" {
			configs[c.Name] = string(c.Input)
		}
	}
	examples, err := filepath.Glob("../../examples/platforms/*/dragonfly-generator.yaml")
	require.NoError(t, err)
	for _, file := range examples {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		configs[file] = string(text)
	}
	found := 0
	for name, text := range configs {
		document, err := yaml.Parse(text)
		if err != nil || yamlnode.IsNull(document.YNode()) {
			continue // some are broken for a reason
		}
		config := document.YNode()
		if functionConfig := yamlnode.Get(config, "functionConfig"); functionConfig != nil {
			config = functionConfig
		}
		change := yamlnode.Get(config, "spec", "overrides", "statefulSet")
		if change == nil || change.Kind != yaml.MappingNode || strings.Contains(name, "refused") {
			continue
		}
		found++
		changes = append(changes, yaml.NewRNode(change).MustString())
	}
	require.GreaterOrEqual(t, found, 5)
	for _, change := range changes {
		got, err := patch.Apply(parsed[appsv1.StatefulSet](t, statefulSet), node(t, change))
		if assert.NoError(t, err, change) {
			want := whatKubectlMakes(t, parsed[appsv1.StatefulSet](t, statefulSet), change)
			assert.Equal(t, inAnyOrder(t, want), inAnyOrder(t, got), change)
		}
	}
	for _, change := range []string{
		"spec: {type: LoadBalancer, ports: [{port: 6379, nodePort: 30000}, {port: 1}], externalIPs: [10.0.0.1]}",
		"spec: {ports: [{port: 6379, $patch: delete}], selector: {b: c}}",
	} {
		got, err := patch.Apply(parsed[corev1.Service](t, service), node(t, change))
		if assert.NoError(t, err, change) {
			want := whatKubectlMakes(t, parsed[corev1.Service](t, service), change)
			assert.Equal(t, inAnyOrder(t, want), inAnyOrder(t, got), change)
		}
	}
}

// Where kubectl does what nobody expects, the patch does what its author means.
func TestOtherThanKubectl(t *testing.T) {
	pod := func(change string) corev1.PodSpec {
		t.Helper()
		set, err := patch.Apply(parsed[appsv1.StatefulSet](t, statefulSet), node(t, "spec: {template: {spec: "+change+"}}"))
		require.NoError(t, err)
		return set.Spec.Template.Spec
	}
	names := func(containers []corev1.Container) (names []string) {
		for _, container := range containers {
			names = append(names, container.Name)
		}
		return names
	}
	assert.Equal(t, []string{"dragonfly", "exporter", "new"}, names(pod("{containers: [{name: new}, {name: dragonfly, image: a}]}").Containers),
		"what is new goes behind what is there")
	assert.Nil(t, pod("{containers: [{name: dragonfly, readinessProbe: {$patch: delete}}]}").Containers[0].ReadinessProbe,
		"what is deleted is gone, and no empty object")
	replaced := pod("{containers: [{name: dragonfly, $patch: replace, image: a}]}").Containers
	assert.Equal(t, []string{"dragonfly", "exporter"}, names(replaced), "a directive beside a key is about that element")
	assert.Empty(t, replaced[0].Args)
	assert.Equal(t, map[string]string{"a": "b"}, pod("{overhead: null, nodeSelector: {$patch: replace, a: b}}").NodeSelector)
	assert.Equal(t, map[string]string{"a": "b"}, pod("{nodeSelector: {$patch: replace, a: b, c: null}}").NodeSelector,
		"a null in what is new means nothing")
}

func TestNothingOfAPatchThatFailsIsQuoted(t *testing.T) {
	for _, tc := range []struct{ change, want string }{
		{"spec: {template: {spec: {containers: [{image: hunter2}]}}}", "give each entry of a list that is merged by names"},
		{"spec: {template: {spec: {tolerations: [{key: hunter2, $patch: delete}]}}}", "in a list that is replaced as a whole"},
		{"spec: {replicas: hunter2}", "makes no object of its kind"},
		{"hunter2", "makes no object of its kind"},
		{"spec: {template: {spec: {containers: [hunter2]}}}", "give each entry"},
		{"spec: {template: {spec: {containers: {name: hunter2}}}}", "makes no object of its kind"},
		{"metadata: {finalizers: [{a: hunter2}]}", "makes no object of its kind"},
	} {
		_, err := patch.Apply(parsed[appsv1.StatefulSet](t, statefulSet), node(t, tc.change))
		if assert.ErrorContains(t, err, tc.want, tc.change) {
			assert.NotContains(t, err.Error(), "hunter2")
		}
	}
}

// The object that a patch is applied to is shared by all instances of a size.
func TestTheObjectStaysAsItIs(t *testing.T) {
	object := parsed[appsv1.StatefulSet](t, statefulSet)
	_, err := patch.Apply(object, node(t, "metadata: {labels: {b: null}, finalizers: [z]}\nspec: {template: {spec: {containers: [{name: exporter, $patch: delete}]}}}"))
	require.NoError(t, err)
	assert.Equal(t, parsed[appsv1.StatefulSet](t, statefulSet), object)
}
