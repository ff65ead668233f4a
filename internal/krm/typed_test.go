package krm_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/kustomize/kyaml/yaml"
	"sigs.k8s.io/randfill"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/config"
	"github.com/bizmatters/dragonfly-generator/internal/instance"
	"github.com/bizmatters/dragonfly-generator/internal/krm"
	"github.com/bizmatters/dragonfly-generator/internal/specs"
	"github.com/bizmatters/dragonfly-generator/internal/yamlnode"
)

// objects returns every object that an instance can have, by file.
func objects(t *testing.T) map[string]any {
	t.Helper()
	all := map[string]any{}
	for _, backend := range []v1alpha1.Backend{v1alpha1.StatefulSet, v1alpha1.Operator} {
		cfg, found := config.Default().For("")
		require.True(t, found)
		cfg.Backend, cfg.NodeSelector = &backend, map[string]string{}
		cfg.TLS = &v1alpha1.TLS{IssuerRef: &v1alpha1.IssuerRef{Name: "internal"}}
		cfg.Default()
		inst := instance.Instance{
			Name:   instance.Name{Namespace: "my-namespace", Name: "my-cache"},
			Claim:  v1alpha1.DragonflyInstanceSpec{StorageGB: new(int32(10))},
			Size:   cfg.Sizes["small"],
			Source: v1alpha1.InCluster,
		}
		inst.Config = cfg.Filled(inst.Values(*cfg.ClusterDomain))
		for _, o := range specs.Objects(inst) {
			if o.Typed != nil {
				all[o.File] = o.Typed
			}
		}
	}
	require.Contains(t, all, "statefulset.yaml")
	require.Contains(t, all, "dragonfly.yaml")
	return all
}

// toYAML returns the object as it is emitted.
func toYAML(t *testing.T, object any) string {
	t.Helper()
	n, err := krm.FromTyped(object)
	require.NoError(t, err)
	var out bytes.Buffer
	require.NoError(t, yaml.NewEncoder(&out).Encode(n))
	return out.String()
}

// TestTypedIsWithoutNoise looks at every field of everything that is emitted.
func TestTypedIsWithoutNoise(t *testing.T) {
	for what, object := range objects(t) {
		n, err := krm.FromTyped(object)
		require.NoError(t, err)
		walk(n, "", func(path, key string, value *yaml.Node) {
			assert.NotEqual(t, "status", key, "%s in %s is set by the cluster.", path, what)
			assert.NotEqual(t, "creationTimestamp", key, "%s in %s is set by the cluster.", path, what)
			assert.False(t, yamlnode.IsNull(value), "%s in %s has no meaning.", path, what)
			if value.Kind == yaml.MappingNode && len(value.Content) == 0 {
				assert.Equal(t, "emptyDir", key, "%s in %s is empty and has no meaning.", path, what)
			}
		})
	}
	text := toYAML(t, objects(t)["statefulset.yaml"])
	assert.Contains(t, text, "emptyDir: {}\n", "The presence of an emptyDir is its meaning.")
	assert.NotContains(t, text, "nodeSelector", "A node selector that selects nothing is left out.")
}

// walk visits every field below n.
func walk(n *yaml.Node, path string, visit func(path, key string, value *yaml.Node)) {
	for i, child := range n.Content {
		switch {
		case n.Kind == yaml.SequenceNode:
			walk(child, path+"[]", visit)
		case i%2 == 1:
			key := n.Content[i-1].Value
			visit(path+"."+key, key, child)
			walk(child, path+"."+key, visit)
		}
	}
}

func TestTypedStartsAsPeopleWriteIt(t *testing.T) {
	for what, object := range objects(t) {
		n, err := krm.FromTyped(object)
		require.NoError(t, err)
		require.Greater(t, len(n.Content), 6)
		assert.Equal(t, []string{"apiVersion", "kind", "metadata"},
			[]string{n.Content[0].Value, n.Content[2].Value, n.Content[4].Value}, "The first fields in %s.", what)
	}
	text := toYAML(t, objects(t)["statefulset.yaml"])
	assert.Contains(t, text, "volumeClaimTemplates:\n  - apiVersion: v1\n    kind: PersistentVolumeClaim\n    metadata:\n      name: dragonfly-data\n",
		"So does an object inside another.")
}

func TestTypedQuotes(t *testing.T) {
	for _, tc := range []struct{ reason, text string }{
		{"A word needs no quotes, and gets none.", "word"},
		{"A number would not be a string.", "2"},
		{"A number with a point would lose its last digit.", "1.10"},
		{"An octal number would change its value.", "010"},
		{"A hexadecimal number would change its value.", "0x1f"},
		{"A number with an exponent would change its value.", "1e3"},
		{"A bool would not be a string.", "true"},
		{"A null would not be a string.", "null"},
		{"A tilde would be a null.", "~"},
		{"A date would be a date.", "2026-08-01"},
		{"An empty string would be a null.", ""},
		{"A colon would make an object.", "a: b"},
		{"A hash would begin a comment.", "a #b"},
		{"An asterisk would begin an alias.", "*/30 * * * *"},
		{"A line break would end the value.", "a\nb"},
		{"HTML characters stay as they are, although JSON escapes them.", "<a>&b"},
	} {
		config := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{"key": tc.text}}}
		var back yaml.Node
		require.NoError(t, yaml.NewDecoder(strings.NewReader(toYAML(t, config))).Decode(&back), tc.reason)
		got := yamlnode.Get(back.Content[0], "metadata", "annotations", "key")
		assert.Equal(t, tc.text, got.Value, tc.reason)
		assert.True(t, yamlnode.IsString(got), tc.reason)
	}
	text := toYAML(t, &corev1.ConfigMap{Data: map[string]string{"a": "word", "b": "2"}})
	assert.Equal(t, "data:\n  a: word\n  b: \"2\"\n", text, "Quotes appear where needed, and only there.")
}

func TestTypedKeepsNumbers(t *testing.T) {
	text := toYAML(t, map[string]any{"a": int64(9223372036854775807), "b": false, "c": []any{true, nil, -1.5, json.Number("10")}})
	assert.Equal(t, "a: 9223372036854775807\nb: false\nc:\n- true\n- null\n- -1.5\n- 10\n", text, "A number does not pass through a float.")
}

// TestTypedIsWhatJSONIs fills StatefulSets and Services at random, including fields that we never set, and compares the
// result with encoding/json's.
func TestTypedIsWhatJSONIs(t *testing.T) {
	random := randfill.NewWithSeed(1).NilChance(0.5).NumElements(0, 3).Funcs(
		func(q *resource.Quantity, c randfill.Continue) {
			*q = *resource.NewMilliQuantity(c.Int63(), resource.BinarySI)
		},
		func(v *intstr.IntOrString, c randfill.Continue) {
			*v = intstr.FromInt32(c.Int31())
			if c.Bool() {
				*v = intstr.FromString(c.String(10))
			}
		},
		func(v *metav1.Time, c randfill.Continue) { *v = metav1.Unix(c.Int63n(1<<32), 0) },
		func(v *[]metav1.ManagedFieldsEntry, _ randfill.Continue) { *v = nil }, // their own JSON format, and never set by us
		func(v *appsv1.StatefulSetStatus, _ randfill.Continue) { *v = appsv1.StatefulSetStatus{} },
		func(v *corev1.PersistentVolumeClaimStatus, _ randfill.Continue) {
			*v = corev1.PersistentVolumeClaimStatus{}
		},
		func(v *corev1.ServiceStatus, _ randfill.Continue) { *v = corev1.ServiceStatus{} },
	)
	for range 200 {
		for _, object := range []any{&appsv1.StatefulSet{}, &corev1.Service{}} {
			random.Fill(object)
			text, err := json.Marshal(object)
			require.NoError(t, err)
			var fields map[string]any
			decoder := json.NewDecoder(bytes.NewReader(text))
			decoder.UseNumber()
			require.NoError(t, decoder.Decode(&fields))
			delete(fields, "status") // set by the cluster

			want, err := krm.FromTyped(fields)
			require.NoError(t, err)
			got, err := krm.FromTyped(object)
			require.NoError(t, err)
			yamlnode.Set(got, "status", nil) // present if apiVersion or kind is missing
			require.True(t, yamlnode.Equal(want, got), "A %T must have the same fields as in JSON.", object)
		}
	}
}

func TestTypedFails(t *testing.T) {
	_, err := krm.FromTyped(broken{})
	assert.Error(t, err, "A value that cannot be marshalled is an error.")
}

type broken struct{}

func (broken) MarshalJSON() ([]byte, error) { return nil, errors.New("broken") }
