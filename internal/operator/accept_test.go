package operator_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/yaml"

	"github.com/bizmatters/dragonfly-generator/internal/operator"
	"github.com/bizmatters/dragonfly-generator/internal/testkit"
)

// refusals returns why the operator, v1.6.1, would create nothing for an object although its CRD accepts it: the cases
// in which its internal/resources/resources.go returns an error. The labels are from its pull request 517, as issue 585
// lists them for v1.6; the rest has been in its source since before v1.5.
func refusals(d operator.Dragonfly) []string {
	var why []string
	labels := map[string]map[string]string{"spec.labels": d.Spec.Labels}
	if m := d.Spec.PodMetadata; m != nil {
		labels["spec.podMetadata.labels"] = m.Labels
	}
	if m := d.Spec.OwnedObjectsMetadata; m != nil {
		labels["spec.ownedObjectsMetadata.labels"] = m.Labels
	}
	if s := d.Spec.ServiceSpec; s != nil {
		labels["spec.serviceSpec.labels"] = s.Labels
	}
	for path, set := range labels {
		for _, managed := range []string{
			"app",
			"app.kubernetes.io/component", "app.kubernetes.io/instance", "app.kubernetes.io/managed-by",
			"app.kubernetes.io/name", "app.kubernetes.io/part-of", "app.kubernetes.io/version",
		} {
			if _, found := set[managed]; found {
				why = append(why, fmt.Sprintf("%s has the managed label %s", path, managed))
			}
		}
	}
	if s := d.Spec.Snapshot; s != nil {
		hasVolume, hasClaim := s.PersistentVolumeClaimSpec != nil, s.ExistingPersistentVolumeClaimName != ""
		if hasVolume && hasClaim {
			why = append(why, "persistentVolumeClaimSpec and existingPersistentVolumeClaimName are mutually exclusive")
		}
		if s.Cron != "" && !hasVolume && !hasClaim && s.Dir == "" {
			why = append(why, "cron specified without a persistent volume claim")
		}
	}
	if b := d.Spec.PDB; b != nil && b.MinAvailable != nil && b.MaxUnavailable != nil {
		why = append(why, "minAvailable and maxUnavailable cannot be both set")
	}
	return why
}

// The operator creates its resources for every object in the golden cases, and every field exists in its CRD.
func TestGoldenObjectsAreAccepted(t *testing.T) {
	found := 0
	for _, c := range testkit.Cases(t) {
		var list struct {
			Items []json.RawMessage `json:"items"`
		}
		if yaml.Unmarshal([]byte(testkit.Call(c.Input).Stdout), &list) != nil {
			continue
		}
		for _, item := range list.Items {
			var is struct {
				Kind     string `json:"kind"`
				Metadata struct {
					Annotations map[string]any `json:"annotations"`
				} `json:"metadata"`
			}
			_ = json.Unmarshal(item, &is) // an item can be anything
			if is.Kind != "Dragonfly" || is.Metadata.Annotations["database.bizmatters.io/generated-from"] == nil {
				continue
			}
			found++
			t.Run(c.Family+"/"+c.Name, func(t *testing.T) {
				var object operator.Dragonfly
				strict := json.NewDecoder(bytes.NewReader(item))
				strict.DisallowUnknownFields()
				require.NoError(t, strict.Decode(&object))
				assert.Empty(t, refusals(object))
			})
		}
	}
	assert.GreaterOrEqual(t, found, 10)
}

func TestRefusals(t *testing.T) {
	one := intstr.FromInt32(1)
	for _, tc := range []struct {
		reason string
		spec   operator.Spec
	}{
		{"A label on the pods.", operator.Spec{PodMetadata: &operator.Metadata{Labels: map[string]string{"app": "a"}}}},
		{"A label on the pods, through the old field.", operator.Spec{Labels: map[string]string{"app.kubernetes.io/name": "a"}}},
		{"A label on what it makes.", operator.Spec{OwnedObjectsMetadata: &operator.Metadata{Labels: map[string]string{"app.kubernetes.io/version": "a"}}}},
		{"A label on the Service.", operator.Spec{ServiceSpec: &operator.Service{Labels: map[string]string{"app.kubernetes.io/part-of": "a"}}}},
		{"Snapshots that go nowhere.", operator.Spec{Snapshot: &operator.Snapshot{Cron: "* * * * *"}}},
		{"Two volumes.", operator.Spec{Snapshot: &operator.Snapshot{ExistingPersistentVolumeClaimName: "a", PersistentVolumeClaimSpec: &corev1.PersistentVolumeClaimSpec{}}}},
		{"Two budgets.", operator.Spec{PDB: &operator.DisruptionBudget{MinAvailable: &one, MaxUnavailable: &one}}},
	} {
		t.Run(tc.reason, func(t *testing.T) { assert.Len(t, refusals(operator.Dragonfly{Spec: tc.spec}), 1) })
	}
}

// The labels that the operator manages differ from those that it passes on.
func TestManagesLabel(t *testing.T) {
	for _, key := range []string{"app", "app.kubernetes.io/component", "app.kubernetes.io/instance", "app.kubernetes.io/managed-by", "app.kubernetes.io/name", "app.kubernetes.io/part-of", "app.kubernetes.io/version"} {
		assert.True(t, operator.ManagesLabel(key), key) // the list is from the operator's issue 585
	}
	assert.True(t, operator.ManagesLabel("app.kubernetes.io/created-by"), "what the next release might manage")
	for _, key := range []string{"team", "application", "kubernetes.io/name", "app.kubernetes.io", "example.com/app"} {
		assert.False(t, operator.ManagesLabel(key), key)
	}
}
