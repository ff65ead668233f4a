package config_test

import (
	"encoding/json"
	"testing"

	"github.com/GoogleContainerTools/kpt-functions-sdk/go/fn"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/internal/config"
	"github.com/bizmatters/dragonfly-generator/internal/krm"
	"github.com/bizmatters/dragonfly-generator/internal/report"
)

// marker is part of every secret in these tests.
const marker = "hunter2"

// readObject reads a functionConfig. Whatever is wrong with it, the results do not show a secret.
func readObject(t *testing.T, object string) (config.Platform, fn.Results) {
	t.Helper()
	n, err := yaml.Parse(object)
	require.NoError(t, err, object)
	var results report.Results
	platform := config.Read(krm.NewItem(n.YNode()), &results)
	assert.Equal(t, platform.IsValid(), !results.HasErrors(), object)
	text, err := json.Marshal(results.All())
	require.NoError(t, err)
	assert.NotContains(t, string(text)+report.Lines(results.All()), marker, object)
	return platform, results.All()
}

// resultsOf reads a configuration with the given spec.
func resultsOf(t *testing.T, spec string) (config.Platform, fn.Results) {
	t.Helper()
	return readObject(t, "apiVersion: database.bizmatters.io/v1alpha1\nkind: DragonflyGenerator\nmetadata: {name: x}\nspec: "+spec+"\n")
}

// read reads a configuration with the given spec, and returns the fields of its problems, all of which are errors.
func read(t *testing.T, spec string) (config.Platform, []string) {
	t.Helper()
	platform, results := resultsOf(t, spec)
	return platform, fieldsOf(t, results)
}

func fieldsOf(t *testing.T, results fn.Results) []string {
	t.Helper()
	fields := []string{}
	for _, result := range results {
		assert.Equal(t, fn.Error, result.Severity, "%s", result)
		path := ""
		if result.Field != nil {
			path = result.Field.Path
		}
		fields = append(fields, path)
	}
	return fields
}

// of returns the configuration under a profile.
func of(t *testing.T, platform config.Platform, profile string) config.Spec {
	t.Helper()
	spec, found := platform.For(profile)
	require.True(t, found, profile)
	return spec
}

// asJSON is for comparisons: equal quantities can have different representations.
func asJSON(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	require.NoError(t, err)
	return string(text)
}

func TestDefault(t *testing.T) {
	spec := of(t, config.Default(), "")
	assert.True(t, config.Default().IsValid())
	assert.Equal(t, "spec", spec.Path)
	assert.Equal(t, []string{"argocd.argoproj.io/sync-wave"}, spec.CarryAnnotations, "The sync wave is always carried over.")
	assert.Equal(t, "small", *spec.DefaultSize)
	assert.Empty(t, config.Default().Profiles())
}

func TestWithoutConfiguration(t *testing.T) {
	var results report.Results
	platform := config.Read(nil, &results)
	assert.Empty(t, results.All())
	assert.Equal(t, asJSON(t, of(t, config.Default(), "")), asJSON(t, of(t, platform, "")))

	platform, all := readObject(t, "{apiVersion: database.bizmatters.io/v1alpha1, kind: DragonflyInstance, metadata: {name: a}, spec: {size: 1}}")
	assert.Empty(t, all, "Claims are validated elsewhere.")
	assert.Equal(t, asJSON(t, of(t, config.Default(), "")), asJSON(t, of(t, platform, "")))
}

func TestReadSettings(t *testing.T) {
	platform, problems := read(t, `
  image: a:v1.40.1
  backend: Operator
  replicas: 3
  sizes: {xl: {limits: {cpu: 2, memory: 16Gi}}}
  storage: {defaultGB: 20}
  carryAnnotations: [example.com/cost]
  tolerations: [{key: a, operator: Exists}]
  nodeSelector: {}
`)
	require.Empty(t, problems)
	spec := of(t, platform, "")
	assert.Equal(t, "a:v1.40.1", *spec.Image)
	assert.EqualValues(t, "Operator", *spec.Backend)
	assert.EqualValues(t, 3, *spec.Replicas)
	assert.EqualValues(t, 16<<30, spec.Sizes["xl"].MemoryLimit())
	assert.EqualValues(t, 20, *spec.Storage.DefaultGB)
	assert.EqualValues(t, 1, *spec.Storage.MinGB, "Whatever is not set keeps its default.")
	assert.Equal(t, []string{"argocd.argoproj.io/sync-wave", "example.com/cost"}, spec.CarryAnnotations)
	assert.Equal(t, "a", spec.Tolerations[0].Key)
	assert.NotNil(t, spec.NodeSelector)
	assert.Empty(t, spec.NodeSelector, "An empty map removes the default.")
}

// Aliases and merge keys are written out, as Kubernetes would.
func TestReadAliases(t *testing.T) {
	platform, problems := read(t, "{labels: &all {team: a}, annotations: *all, storage: {<<: {minGB: 2, maxGB: 20}, minGB: 5}}")
	require.Empty(t, problems)
	spec := of(t, platform, "")
	assert.Equal(t, map[string]string{"team": "a"}, spec.Annotations)
	assert.EqualValues(t, 5, *spec.Storage.MinGB)
	assert.EqualValues(t, 20, *spec.Storage.MaxGB)
}

func TestOtherObjects(t *testing.T) {
	for object, want := range map[string]struct {
		field    string
		proposed any
		message  string
	}{
		"{apiVersion: database.bizmatters.io/v1, kind: DragonflyGenerator}":                                         {"apiVersion", "database.bizmatters.io/v1alpha1", "database.bizmatters.io/v1alpha1"},
		"{apiVersion: v1, kind: Secret, data: {a: hunter2}}":                                                        {"kind", nil, "ConfigMap"},
		"{apiVersion: example.com/v1, kind: DragonflyGenerator}":                                                    {"kind", nil, "DragonflyGenerator"},
		"{apiVersion: database.bizmatters.io/v1alpha1, kind: DragonflyGenerator, spec: [hunter2]}":                  {"spec", nil, "must be an object"},
		"{apiVersion: database.bizmatters.io/v1alpha1, kind: DragonflyGenerator, spce: {image: hunter2}}":           {"spce", "spec", `"spec"`},
		"{apiVersion: database.bizmatters.io/v1alpha1, kind: DragonflyGenerator, spec: &s {labels: *s}}":            {"", nil, "aliases"},
		"{apiVersion: database.bizmatters.io/v1alpha1, kind: DragonflyGenerator, spec: {image: a, image: hunter2}}": {"spec.image", nil, "twice"},
	} {
		_, results := readObject(t, object)
		require.Len(t, results, 1, object)
		assert.Equal(t, []string{want.field}, fieldsOf(t, results), object)
		if want.field != "" {
			assert.Equal(t, want.proposed, results[0].Field.ProposedValue, object)
		}
		assert.Contains(t, results[0].Message, want.message, object)
	}
}

// All problems are reported at once: those of form and those of meaning.
func TestEveryProblemAtOnce(t *testing.T) {
	_, problems := read(t, `
  imgae: hunter2
  labels: {a: 1, b: hunter2 x}
  storage: {minGB: hunter2, type: hunter2}
  args: [--port=1, hunter2]
  carryAnnotations: [database.bizmatters.io/profile]
  overrides: {service: []}
`)
	assert.ElementsMatch(t, []string{
		"spec.imgae", "spec.labels.a", "spec.labels.b", "spec.storage.minGB", "spec.storage.type", "spec.args[0]", "spec.args[1]",
		"spec.carryAnnotations[0]", "spec.overrides.service",
	}, problems)
}

func TestCarryAnnotations(t *testing.T) {
	for annotation, valid := range map[string]bool{
		"example.com/cost": true, "a": true, "config.kubernetes.io/depends-on": true,
		"a b": false, "''": false, "database.bizmatters.io/profile": false, "internal.config.kubernetes.io/path": false,
	} {
		want := []string{"spec.carryAnnotations[1]"}
		if valid {
			want = []string{}
		}
		_, problems := read(t, "{carryAnnotations: [team, "+annotation+"]}")
		assert.Equal(t, want, problems, annotation)
	}
}

func TestVariables(t *testing.T) {
	for spec, want := range map[string][]string{
		"{image: '${REGISTRY}/a:v1.40.1'}":                                                                       {"spec.image"},
		"{labels: {team: '${team}', '${a}': b}}":                                                                 {"spec.labels.team", "spec.labels[${a}]"},
		"{args: ['--dbnum=${n:=1}'], tolerations: [{key: '${b}'}]}":                                              {"spec.args", "spec.tolerations"},
		"{profiles: {a: {clusterDomain: '${domain}'}, '${b}': {}}}":                                              {"spec.profiles.a.clusterDomain"},
		"{storage: {bucket: '${BUCKET}'}, profiles: {a.b: {labels: {c: '${d}'}}}}":                               {"spec.storage.bucket", "spec.profiles[a.b].labels.c"},
		"{connectionSecret: {extraKeys: {a: '$${name}'}}}":                                                       {},
		"{annotations: {a: '$name ${} ${1} $(name)'}}":                                                           {},
		"{overrides: {statefulSet: {metadata: {annotations: {a: '${SHELL}'}}}}}":                                 {},
		"{extraObjects: [{apiVersion: v1, kind: ConfigMap, metadata: {name: '{name}'}, data: {a: '${SHELL}'}}]}": {},
		"{profiles: {a: {overrides: {service: {metadata: {annotations: {a: '${SHELL}'}}}}}}}":                    {},
	} {
		_, results := resultsOf(t, spec)
		assert.Equal(t, want, fieldsOf(t, results), spec)
		for _, result := range results {
			assert.Equal(t, config.VariableMessage, result.Message, spec)
		}
	}
	text, err := yaml.Parse("{a: [b, {c: 'x ${d}'}]}")
	require.NoError(t, err)
	assert.True(t, config.HoldsVariable(text.YNode()))
	assert.False(t, config.HoldsVariable(nil))
}

// Config checks that patches and extra objects are objects. Their contents are validated where they are applied.
func TestPatchesAndExtraObjects(t *testing.T) {
	for spec, want := range map[string][]string{
		"{extraObjects: [a]}":                      {"spec.extraObjects[0]"},
		"{extraObjects: [null]}":                   {"spec.extraObjects[0]"},
		"{extraObjects: [{}, [hunter2]]}":          {"spec.extraObjects[1]"},
		"{extraObjects: {}}":                       {"spec.extraObjects"},
		"{overrides: {statefulSet: [hunter2]}}":    {"spec.overrides.statefulSet"},
		"{overrides: {service: hunter2}}":          {"spec.overrides.service"},
		"{overrides: {deployment: {}}}":            {"spec.overrides.deployment"},
		"{profiles: {a: {extraObjects: [a]}}}":     {"spec.profiles.a.extraObjects[0]"},
		"{overrides: {service: {z: 1, a: [2.5]}}}": {},
	} {
		_, problems := read(t, spec)
		assert.Equal(t, want, problems, spec)
	}

	platform, problems := read(t, `{overrides: {service: {z: 1, a: [2.50, "1", null]}, dragonfly: {}}, extraObjects: [{kind: b, apiVersion: a}]}`)
	require.Empty(t, problems)
	spec := of(t, platform, "")
	require.Equal(t, []string{"spec.overrides.service"}, pathsOf(spec.ServicePatches))
	assert.Equal(t, `{"z":1,"a":[2.5,"1",null]}`, string(spec.ServicePatches[0].JSON), "The fields keep their order.")
	assert.Equal(t, []string{"spec.overrides.dragonfly"}, pathsOf(spec.DragonflyPatches))
	assert.Empty(t, spec.StatefulSetPatches)
	require.Equal(t, []string{"spec.extraObjects[0]"}, pathsOf(spec.Extra))
	assert.Equal(t, `{"kind":"b","apiVersion":"a"}`, string(spec.Extra[0].JSON))
}

func pathsOf(raw []config.Raw) []string {
	var all []string
	for _, r := range raw {
		all = append(all, r.Path)
	}
	return all
}

func TestConfigMap(t *testing.T) {
	readMap := func(fields string) (config.Platform, []string) {
		platform, results := readObject(t, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n"+fields+"\n")
		return platform, fieldsOf(t, results)
	}
	platform, problems := readMap("data: {image: 'a:v1.40.1', password.source: Existing, storage.type: Bucket, storage.bucket: s3://a}")
	require.Empty(t, problems)
	spec := of(t, platform, "")
	assert.Equal(t, "a:v1.40.1", *spec.Image)
	assert.EqualValues(t, "Existing", *spec.Password.Source)
	assert.Equal(t, "s3://a", *spec.Storage.Bucket)
	assert.Equal(t, "cluster.local", *spec.ClusterDomain, "Whatever it does not set keeps its default.")
	assert.Equal(t, []string{"argocd.argoproj.io/sync-wave"}, spec.CarryAnnotations)
	assert.Empty(t, platform.Profiles())

	for _, empty := range []string{"", "data: ", "data: {}"} {
		platform, problems := readMap(empty)
		assert.Empty(t, problems, "kpt passes an empty one if it was given none.")
		assert.Equal(t, asJSON(t, of(t, config.Default(), "").ProfileSpec), asJSON(t, of(t, platform, "").ProfileSpec))
	}

	for data, want := range map[string][]string{
		"{args: a}":                            {"data.args"},
		"{storage.minGB: '1'}":                 {"data.storage.minGB"},
		"{labels.team: a}":                     {"data.labels.team"},
		"{profiles: a}":                        {"data.profiles"},
		"{password: hunter2}":                  {"data.password"},
		"{password.sorce: External}":           {"data.password.sorce"},
		"{password.source: hunter2}":           {"data.password.source"},
		"{imgae: hunter2}":                     {"data.imgae"},
		"{password.source.more: a}":            {"data.password.source.more"},
		"{password.image: ''}":                 {"data.password.image"},
		"{image: 1}":                           {"data.image"},
		"{image: [hunter2]}":                   {"data.image"},
		"{imgae: a, args: a, snapshotCron: a}": {"data.imgae", "data.args", "data.snapshotCron"},
		"{utterlyDifferentAndLong: hunter2}":   {"data.utterlyDifferentAndLong"},
	} {
		_, problems := readMap("data: " + data)
		assert.ElementsMatch(t, want, problems, data)
	}
	for fields, want := range map[string][]string{
		"binaryData: {image: aHVudGVyMg==}": {"binaryData"},
		"dta: {image: 'a:v1.40.1'}":         {"dta"},
		"spec: {image: 'a:v1.40.1'}":        {"spec"},
		"data: [image]":                     {"data"},
		"data: {image: '${IMAGE}'}":         {"data.image"},
	} {
		_, problems = readMap(fields)
		assert.Equal(t, want, problems, fields)
	}
	_, results := readObject(t, "{apiVersion: v1, kind: ConfigMap, data: {password.sorce: External}}")
	require.Len(t, results, 1)
	assert.Equal(t, "password.source", results[0].Field.ProposedValue)
}
