package instance_test

import (
	"testing"

	"github.com/GoogleContainerTools/kpt-functions-sdk/go/fn"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/config"
	"github.com/bizmatters/dragonfly-generator/internal/instance"
	"github.com/bizmatters/dragonfly-generator/internal/report"
)

// The objects carry the claim's protection from deletion, because the claim does not reach the cluster.
func TestProtection(t *testing.T) {
	for given, want := range map[string]map[string]string{
		"{helm.sh/resource-policy: keep, cli-utils.sigs.k8s.io/on-remove: keep, kustomize.toolkit.fluxcd.io/prune: disabled}": {
			"helm.sh/resource-policy": "keep", "cli-utils.sigs.k8s.io/on-remove": "keep", "kustomize.toolkit.fluxcd.io/prune": "disabled",
		},
		"{argocd.argoproj.io/sync-options: 'Replace=true, Prune=false,Delete=confirm'}": {"argocd.argoproj.io/sync-options": "Prune=false,Delete=confirm"},
		"{argocd.argoproj.io/sync-options: Replace=true, example.com/cost: a}":          {},
	} {
		var results report.Results
		instances, _ := instance.FromClaims(list(t, "", annotated(given)), config.Default(), &results)
		assertProblems(t, nil, results.All(), given)
		require.Len(t, instances, 1, given)
		assert.Equal(t, want, instances[0].Annotations, given)
	}
	var results report.Results
	instances, _ := instance.FromClaims(list(t, "", labeled("{kustomize.toolkit.fluxcd.io/prune: disabled}")), config.Default(), &results)
	require.Len(t, instances, 1)
	assert.Equal(t, map[string]string{"kustomize.toolkit.fluxcd.io/prune": "disabled"}, instances[0].Labels, "Flux reads the label too.")
}

func TestCarriedAnnotations(t *testing.T) {
	platform := platformOf(t, "{carryAnnotations: [example.com/cost]}")
	var results report.Results
	instances, _ := instance.FromClaims(list(t, "", annotated("{example.com/cost: 5, example.com/other: a}")), platform, &results)
	assertProblems(t, nil, results.All(), "Both are valid.")
	require.Len(t, instances, 1)
	assert.Equal(t, map[string]string{"example.com/cost": "5"}, instances[0].Annotations)
}

func TestProfilesOfClaims(t *testing.T) {
	const annotation = "metadata.annotations[database.bizmatters.io/profile]"
	profiles := "{profiles: {cache: {storage: {type: None}}, big: {defaultSize: large, labels: {of: '{name}'}}}}"
	for _, tc := range []struct {
		reason, platform, profile string
		want                      []problem
	}{
		{"A profile must exist.", profiles, "utterly-different", []problem{{annotation, nil, "the profiles are big, cache"}}},
		{"A typo gets a suggestion.", profiles, "cahe", []problem{{annotation, "cache", `did you mean "cache"`}}},
		{"An empty profile name selects none.", profiles, "''", []problem{{annotation, nil, "the profiles are big, cache"}}},
		{"Without profiles, none can be chosen.", "{}", "cache", []problem{{annotation, nil, "no configuration with profiles"}}},
	} {
		var results report.Results
		instances, _ := instance.FromClaims(list(t, "", annotated("{database.bizmatters.io/profile: "+tc.profile+"}")), platformOf(t, tc.platform), &results)
		assert.Empty(t, instances, tc.reason)
		assertProblems(t, tc.want, results.All(), tc.reason)
	}

	var results report.Results
	instances, _ := instance.FromClaims(list(t, "", annotated("{database.bizmatters.io/profile: big}")), platformOf(t, profiles), &results)
	assertProblems(t, nil, results.All(), "The profile exists.")
	require.Len(t, instances, 1)
	assert.Equal(t, "large", *instances[0].Claim.Size)
	assert.Equal(t, map[string]string{"of": "a"}, instances[0].Config.Labels, "Its placeholders are filled in.")
	assert.True(t, instances[0].HasVolume())

	l := list(t, "", annotated("{database.bizmatters.io/profile: cache}")+"spec: {storageGB: 0}\n")
	instances, _ = instance.FromClaims(l, platformOf(t, profiles), &results)
	assertProblems(t, nil, results.All(), "Without a volume, its size has no effect.")
	require.Len(t, instances, 1)
	assert.True(t, instances[0].IsCache())
	assert.False(t, instances[0].HasVolume())
	assert.Empty(t, instances[0].Bucket())
}

func TestBuckets(t *testing.T) {
	var results report.Results
	instances, _ := instance.FromClaims(list(t, "", claimNamed("ns", "a")), platformOf(t, "{storage: {type: Bucket, bucket: 's3://b/c/'}}"), &results)
	require.Len(t, instances, 1)
	assert.Equal(t, "s3://b/c/ns/a", instances[0].Bucket())
	assert.False(t, instances[0].HasVolume())
}

func TestAnnotationsOfOurs(t *testing.T) {
	const source = "metadata.annotations[database.bizmatters.io/password-source]"
	for _, tc := range []struct {
		reason, claim string
		want          []problem
	}{
		{"A source must exist.", annotated("{database.bizmatters.io/password-source: hunter2}"), []problem{{source, nil, "InCluster, Existing, External"}}},
		{"A typo gets a suggestion.", annotated("{database.bizmatters.io/password-source: external}"), []problem{{source, "External", `did you mean "External"`}}},
		{"An empty source is not a source.", annotated("{database.bizmatters.io/password-source: ''}"), []problem{{source, nil, "InCluster, Existing, External"}}},
		{"Variables in a rotation must be filled in first.", annotated("{database.bizmatters.io/password-rotation: '${N}'}"), []problem{{"", nil, "variable"}}},
		{"An annotation of a similar group is a typo.", annotated("{databse.bizmatters.io/password-rotation: x}"),
			[]problem{{"metadata.annotations[databse.bizmatters.io/password-rotation]", "database.bizmatters.io/password-rotation", "did you mean"}}},
		{"So is one of the parent group.", annotated("{bizmatters.io/password-source: Existing}"),
			[]problem{{"metadata.annotations[bizmatters.io/password-source]", "database.bizmatters.io/password-source", "did you mean"}}},
		{"So is one of another group of the organization's.", annotated("{db.bizmatters.io/password-rotation: 2}"),
			[]problem{{"metadata.annotations[db.bizmatters.io/password-rotation]", "database.bizmatters.io/password-rotation", "did you mean"}}},
		{"And one without a group.", annotated("{password-rotation: 2}"),
			[]problem{{"metadata.annotations.password-rotation", "database.bizmatters.io/password-rotation", "did you mean"}}},
		{"Somebody else may rotate passwords too.", annotated("{example.com/password-rotation: 2}"), nil},
		{"In the parent group, a profile may mean anything.", annotated("{bizmatters.io/profile: x}"), nil},
		{"As a label it has no effect.", labeled("{database.bizmatters.io/profile: x}"), []problem{{"metadata.labels[database.bizmatters.io/profile]", nil, "metadata.annotations"}}},
	} {
		var results report.Results
		instances, _ := instance.FromClaims(list(t, "", tc.claim), config.Default(), &results)
		assertProblems(t, tc.want, results.All(), tc.reason)
		assert.Equal(t, tc.want == nil, len(instances) == 1, tc.reason)
	}

	var results report.Results
	instances, _ := instance.FromClaims(list(t, "", annotated("{database.bizmatters.io/utterly-different: hunter2}")), config.Default(), &results)
	assert.Len(t, instances, 1, "An unknown annotation has no effect.")
	require.Len(t, results.All(), 1)
	assert.Equal(t, fn.Warning, results.All()[0].Severity)
	assertHidden(t, results.All(), "Its value is not shown.")
}

// An unfinished claim is refused as such, before anything else in it is validated.
func TestTemplates(t *testing.T) {
	for _, tc := range []struct{ reason, claim, want string }{
		{"Flux fills in variables later.", withSpec("{size: '${SIZE}', storageGB: hunter2}"), "variable"},
		{"Also in the name.", metadata("name: '${NAME}', namespace: ns"), "variable"},
		{"Helm fills in its templates later.", withSpec("{size: '{{ .Values.size }}'}"), "helm template"},
		{"YAML takes an unquoted template for a mapping.", claimNamed("ns", "a") + "spec: {size: {{ .Values.size }}}\n", "helm template"},
	} {
		var results report.Results
		instances, _ := instance.FromClaims(list(t, "", tc.claim), config.Default(), &results)
		assert.Empty(t, instances, tc.reason)
		assertProblems(t, []problem{{"", nil, tc.want}}, results.All(), tc.reason)
	}
}

// Where a field belongs, if it is in the wrong place.
func TestMisplacedFields(t *testing.T) {
	for _, tc := range []struct{ reason, claim, field, want string }{
		{"This is for the platform team.", withSpec("{image: hunter2}"), "spec.image", v1alpha1.ConfigKind},
		{"A size is not metadata.", metadata("name: a, namespace: ns, storageGB: 5"), "metadata.storageGB", "under spec"},
		{"CPU and memory follow from the size.", withSpec("{resources: {limits: {memory: hunter2}}}"), "spec.resources", "set size"},
		{"Labels are metadata.", withSpec("{labels: {a: hunter2}}"), "spec.labels", "under metadata"},
		{"A namespace is metadata.", claimNamed("ns", "a") + "namespace: ns\n", "namespace", "under metadata"},
	} {
		var results report.Results
		_, _ = instance.FromClaims(list(t, "", tc.claim), config.Default(), &results)
		assertProblems(t, []problem{{tc.field, nil, tc.want}}, results.All(), tc.reason)
	}
}

// An invalid configuration says nothing reliable, so claims are not validated against it.
func TestInvalidConfiguration(t *testing.T) {
	l := list(t, "apiVersion: database.bizmatters.io/v1alpha1\nkind: DragonflyGenerator\nspec: {sizes: {xl: hunter2}}",
		withSpec("{size: xl}"), metadata("name: B, namespace: ns, annotations: {database.bizmatters.io/profile: x}"), metadata("name: C, namespace: ns"))
	platform := config.Read(l.FunctionConfig, &report.Results{})
	require.False(t, platform.IsValid())
	var results report.Results
	instances, _ := instance.FromClaims(l, platform, &results)
	assert.Empty(t, instances)
	assertProblems(t, []problem{{"metadata.name", nil, "lower case letters"}}, results.All(), "The name is wrong whatever the configuration is.")
}
