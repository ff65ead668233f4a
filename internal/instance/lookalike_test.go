package instance_test

import (
	"testing"

	"github.com/GoogleContainerTools/kpt-functions-sdk/go/fn"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bizmatters/dragonfly-generator/internal/config"
	"github.com/bizmatters/dragonfly-generator/internal/instance"
	"github.com/bizmatters/dragonfly-generator/internal/report"
)

func TestLookalikes(t *testing.T) {
	for _, tc := range []struct {
		reason, apiVersion, kind string
		likeness                 instance.Likeness
		field                    string
		proposed                 any
	}{
		{"A claim is not a lookalike.", "database.bizmatters.io/v1alpha1", "DragonflyInstance", instance.Unlike, "", nil},
		{"Nor is a configuration.", "database.bizmatters.io/v1", "DragonflyGenerator", instance.Unlike, "", nil},
		{"Anything else is something else.", "apps/v1", "StatefulSet", instance.Unlike, "", nil},
		{"The operator's object is not ours.", "dragonflydb.io/v1alpha1", "Dragonfly", instance.Unlike, "", nil},
		{"Another kind in our group may be anyone's.", "database.bizmatters.io/v1alpha1", "PostgresInstance", instance.Unlike, "", nil},
		{"A kind can have a typo.", "database.bizmatters.io/v1alpha1", "DragonflyInstanc", instance.NearMiss, "kind", "DragonflyInstance"},
		{"Its case can be wrong.", "database.bizmatters.io/v1alpha1", "Dragonflyinstance", instance.NearMiss, "kind", "DragonflyInstance"},
		{"A configuration's kind can have a typo too.", "database.bizmatters.io/v1alpha1", "DragonflyGenerater", instance.NearMiss, "kind", "DragonflyGenerator"},
		{"So can a group.", "databse.bizmatters.io/v1alpha1", "DragonflyInstance", instance.NearMiss, "apiVersion", "database.bizmatters.io/v1alpha1"},
		{"A group can be forgotten.", "v1alpha1", "DragonflyInstance", instance.NearMiss, "apiVersion", "database.bizmatters.io/v1alpha1"},
		{"A kind can be forgotten.", "database.bizmatters.io/v1alpha1", "", instance.NearMiss, "kind", "DragonflyInstance"},
		{"An apiVersion can be forgotten.", "", "DragonflyInstance", instance.NearMiss, "apiVersion", "database.bizmatters.io/v1alpha1"},
		{"Another group can have the same kind.", "example.com/v1", "DragonflyInstance", instance.Lookalike, "apiVersion", nil},
		{"Crossplane made this from a claim.", "database.bizmatters.io/v1alpha1", "XDragonflyInstance", instance.Lookalike, "kind", nil},
		{"A kind can be guessed.", "database.bizmatters.io/v1alpha1", "DragonflyCache", instance.NearMiss, "kind", "DragonflyInstance"},
		{"Another database can have the same group.", "database.bizmatters.io/v1alpha1", "PostgresInstance", instance.Unlike, "", nil},
		{"A composite in another group has nothing to do with us.", "example.com/v1", "XDragonflyInstance", instance.Unlike, "", nil},
	} {
		l := list(t, "", `{apiVersion: "`+tc.apiVersion+`", kind: "`+tc.kind+`", metadata: {name: a, namespace: ns}, spec: {password: hunter2}}`)
		assert.Equal(t, tc.likeness, instance.LikenessOf(l.Items[0]), tc.reason)
		if instance.IsClaim(l.Items[0]) {
			continue
		}
		var results report.Results
		instances, _ := instance.FromClaims(l, config.Default(), &results)
		assert.Empty(t, instances, tc.reason)
		assertHidden(t, results.All(), tc.reason)
		if tc.likeness == instance.Unlike {
			assert.Empty(t, results.All(), tc.reason)
			continue
		}
		require.Len(t, results.All(), 1, tc.reason)
		result := results.All()[0]
		want := fn.Error
		if tc.likeness == instance.Lookalike {
			want = fn.Warning
		}
		assert.Equal(t, want, result.Severity, tc.reason)
		assert.Equal(t, tc.field, result.Field.Path, tc.reason)
		assert.Equal(t, tc.proposed, result.Field.ProposedValue, tc.reason)
		assert.Contains(t, result.Message, "looks like a", tc.reason)
	}
}

func TestClaimsInLists(t *testing.T) {
	for _, kind := range []string{"DragonflyInstance", "DragonflyInstanc"} {
		l := list(t, "", "{apiVersion: v1, kind: List, items: [{apiVersion: database.bizmatters.io/v1alpha1, kind: "+kind+", metadata: {name: a, namespace: ns}}]}")
		var results report.Results
		instances, _ := instance.FromClaims(l, config.Default(), &results)
		assert.Empty(t, instances)
		assertProblems(t, []problem{{"items", nil, "separate object"}}, results.All(), kind)
	}
}

// An extra object of a platform may have a kind that is called like ours, and the second run finds it among the items.
func TestLookalikeOfOurs(t *testing.T) {
	var results report.Results
	instance.FromClaims(list(t, "", "{apiVersion: example.com/v1, kind: DragonflyInstance, metadata: {name: a, namespace: ns, annotations: {database.bizmatters.io/generated-from: ns/a}}}"), config.Default(), &results)
	assert.Empty(t, results.All())
}
