package instance_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/GoogleContainerTools/kpt-functions-sdk/go/fn"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/config"
	"github.com/bizmatters/dragonfly-generator/internal/instance"
	"github.com/bizmatters/dragonfly-generator/internal/krm"
	"github.com/bizmatters/dragonfly-generator/internal/report"
)

// list reads the items, each a YAML object, into a ResourceList. The functionConfig may be empty.
func list(t *testing.T, functionConfig string, items ...string) *krm.List {
	t.Helper()
	indent := func(text string) string { return strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n  ") }
	text := "apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nfunctionConfig:\n  " + indent(functionConfig) + "\nitems:\n"
	for _, item := range items {
		text += "- " + indent(item) + "\n"
	}
	l, err := krm.ResourceList([]byte(text))
	require.NoError(t, err)
	return l
}

// problem is an expected error: the path and proposed value of its field, and part of its message.
type problem struct {
	field    string
	proposed any
	message  string
}

// assertProblems fails unless the results are exactly those errors, in that order.
func assertProblems(t *testing.T, want []problem, results fn.Results, reason string) {
	t.Helper()
	for i, result := range results {
		assert.Equal(t, fn.Error, result.Severity, "Every result about a claim must be an error: %s", reason)
		if i >= len(want) {
			t.Errorf("unexpected problem %q: %s", result, reason)
			continue
		}
		field := fn.Field{}
		if result.Field != nil {
			field = *result.Field
		}
		assert.Equal(t, want[i].field, field.Path, reason)
		assert.Equal(t, want[i].proposed, field.ProposedValue, reason)
		assert.Contains(t, result.Message, want[i].message, reason)
	}
	for _, missing := range want[min(len(results), len(want)):] {
		t.Errorf("the problem %q is not reported: %s", missing, reason)
	}
	assertHidden(t, results, reason)
}

// marker is part of every secret in these tests.
const marker = "hunter2"

// assertHidden fails if a result or its line on stderr contains a secret.
func assertHidden(t *testing.T, results fn.Results, reason string) {
	t.Helper()
	text, err := json.Marshal(results)
	require.NoError(t, err)
	assert.NotContains(t, string(text)+report.Lines(results), marker, "A secret is shown: %s", reason)
}

// platformOf reads a configuration with the given spec.
func platformOf(t *testing.T, spec string) config.Platform {
	t.Helper()
	var results report.Results
	platform := config.Read(list(t, "apiVersion: database.bizmatters.io/v1alpha1\nkind: DragonflyGenerator\nmetadata: {name: x}\nspec: "+spec).FunctionConfig, &results)
	require.Empty(t, results.All(), spec)
	return platform
}

func claimNamed(namespace, name string) string {
	return fmt.Sprintf("apiVersion: database.bizmatters.io/v1alpha1\nkind: DragonflyInstance\nmetadata:\n  name: %s\n  namespace: %s\n", name, namespace)
}

// metadata and withSpec return a valid claim with other metadata or another spec.
func metadata(fields string) string {
	return "apiVersion: database.bizmatters.io/v1alpha1\nkind: DragonflyInstance\nmetadata: {" + fields + "}\n"
}

func withSpec(spec string) string {
	return claimNamed("ns", "a") + "spec: " + spec + "\n"
}

func labeled(labels string) string { return metadata("name: a, namespace: ns, labels: " + labels) }
func annotated(annotations string) string {
	return metadata("name: a, namespace: ns, annotations: " + annotations)
}

func TestClaimIsRefused(t *testing.T) {
	const names = "micro, small, medium, large"
	name53 := strings.Repeat("a", 53)
	bomb := "{size: small, x0: &x0 [hunter2]"
	for i := 1; i < 40; i++ {
		bomb += fmt.Sprintf(", x%d: &x%d [*x%d, *x%d]", i, i, i-1, i-1)
	}
	for _, tc := range []struct {
		reason, claim string
		want          []problem
	}{
		// The version.
		{"An unknown version is never silently skipped.", "apiVersion: database.bizmatters.io/v1\nkind: DragonflyInstance\n",
			[]problem{{"apiVersion", "database.bizmatters.io/v1alpha1", "version"}}},
		{"In an unknown version, nothing else is validated.", "apiVersion: database.bizmatters.io/v1beta1\nkind: DragonflyInstance\nother: hunter2\n",
			[]problem{{"apiVersion", "database.bizmatters.io/v1alpha1", "version"}}},

		// The name.
		{"A claim needs a name.", metadata("namespace: ns"), []problem{{"metadata.name", nil, "is missing"}}},
		{"A null is not a name.", metadata("name: , namespace: ns"), []problem{{"metadata.name", nil, "is missing"}}},
		{"A number is not a name.", metadata("name: 1, namespace: ns"), []problem{{"metadata.name", nil, "must be a string"}}},
		{"A list is not a name.", metadata("name: [a], namespace: ns"), []problem{{"metadata.name", nil, "not a list"}}},
		{"An empty name is not a name.", metadata(`name: "", namespace: ns`), []problem{{"metadata.name", nil, "is missing"}}},
		{"The Service's name starts with a letter.", metadata("name: 1a, namespace: ns"), []problem{{"metadata.name", nil, "start with a letter"}}},
		{"The Service's name has no upper case letters.", metadata("name: myCache, namespace: ns"), []problem{{"metadata.name", nil, "lower case letters"}}},
		{"The Service's name has no dots.", metadata("name: a.b, namespace: ns"), []problem{{"metadata.name", nil, "lower case letters"}}},
		{"The Service's name has no trailing dash.", metadata("name: a-, namespace: ns"), []problem{{"metadata.name", nil, "end with a letter or digit"}}},
		{"A StatefulSet of 53 characters never gets its pod.", metadata("namespace: ns, name: " + name53), []problem{{"metadata.name", nil, "53 characters"}}},

		// The namespace.
		{"The endpoint contains the namespace.", metadata("name: a"), []problem{{"metadata.namespace", nil, "is missing"}}},
		{"A null is not a namespace.", metadata("name: a, namespace: null"), []problem{{"metadata.namespace", nil, "is missing"}}},
		{"A number is not a namespace.", metadata("name: a, namespace: 1"), []problem{{"metadata.namespace", nil, "must be a string"}}},
		{"A namespace has no upper case letters.", metadata("name: a, namespace: NS"), []problem{{"metadata.namespace", nil, "lower case letters"}}},
		{"A namespace has no dots.", metadata("name: a, namespace: a.b"), []problem{{"metadata.namespace", nil, "lower case letters"}}},
		{"A namespace has at most 63 characters.", metadata("name: a, namespace: " + strings.Repeat("a", 64)), []problem{{"metadata.namespace", nil, "at most 63"}}},

		// The size.
		{"A size must exist.", withSpec("{size: huge}"), []problem{{"spec.size", nil, "the sizes are " + names}}},
		{"A typo gets a suggestion.", withSpec("{size: smal}"), []problem{{"spec.size", "small", `did you mean "small"`}}},
		{"Sizes are in lower case.", withSpec("{size: Large}"), []problem{{"spec.size", "large", `did you mean "large"`}}},
		{"A number is not a size.", withSpec("{size: 1}"), []problem{{"spec.size", nil, "must be a string"}}},
		{"A list is not a size.", withSpec("{size: [small]}"), []problem{{"spec.size", nil, "not a list"}}},
		{"An empty string is not a size.", withSpec(`{size: ""}`), []problem{{"spec.size", nil, "the sizes are " + names}}},

		// The storage.
		{"A volume cannot have size zero.", withSpec("{storageGB: 0}"), []problem{{"spec.storageGB", int32(1), "use 1 (GiB) or more"}}},
		{"A volume cannot have a negative size.", withSpec("{storageGB: -1}"), []problem{{"spec.storageGB", int32(1), "use 1 (GiB) or more"}}},
		{"A string is not a number, even if it is clear which one is meant.", withSpec(`{storageGB: "20"}`), []problem{{"spec.storageGB", nil, "not a string"}}},
		{"A quantity is not a number.", withSpec("{storageGB: 10Gi}"), []problem{{"spec.storageGB", nil, "whole number"}}},
		{"A half is not a whole number.", withSpec("{storageGB: 1.5}"), []problem{{"spec.storageGB", nil, "whole number"}}},
		{"A whole number with a point is a float.", withSpec("{storageGB: 10.0}"), []problem{{"spec.storageGB", nil, "whole number"}}},
		{"YAML reads an octal number differently than people do.", withSpec("{storageGB: 010}"), []problem{{"spec.storageGB", nil, "plain digits"}}},
		{"YAML ignores underscores.", withSpec("{storageGB: 1_0}"), []problem{{"spec.storageGB", nil, "plain digits"}}},
		{"A hexadecimal number is not in plain digits.", withSpec("{storageGB: 0x10}"), []problem{{"spec.storageGB", nil, "plain digits"}}},
		{"A sign is not a digit.", withSpec("{storageGB: +5}"), []problem{{"spec.storageGB", nil, "plain digits"}}},
		{"A number has a maximum.", withSpec("{storageGB: 99999999999999999999}"), []problem{{"spec.storageGB", nil, ""}}},
		{"A bool is not a number.", withSpec("{storageGB: true}"), []problem{{"spec.storageGB", nil, "whole number"}}},
		{"An object is not a number.", withSpec("{storageGB: {value: 10}}"), []problem{{"spec.storageGB", nil, "not an object"}}},

		// Unknown fields.
		{"An unknown field is an error, and its value is not shown.", withSpec("{password: hunter2}"), []problem{{"spec.password", nil, "unknown field"}}},
		{"A typo gets a suggestion.", withSpec("{storage: 10}"), []problem{{"spec.storage", "storageGB", `did you mean "storageGB"`}}},
		{"Field names are case-sensitive.", withSpec("{storageGb: 10}"), []problem{{"spec.storageGb", "storageGB", `did you mean "storageGB"`}}},
		{"A field in the wrong place is unknown there.", claimNamed("ns", "a") + "size: small\n", []problem{{"size", nil, "move it under spec"}}},
		{"An unknown field at the top is an error.", claimNamed("ns", "a") + "data: {password: hunter2}\n", []problem{{"data", nil, "unknown field"}}},
		{"Otherwise, a typo in the metadata would lose labels.", metadata("name: a, namespace: ns, label: {hunter2: x}"), []problem{{"metadata.label", "labels", `did you mean "labels"`}}},

		// Values that are not objects.
		{"Metadata that is not an object is one problem, not three.", "apiVersion: database.bizmatters.io/v1alpha1\nkind: DragonflyInstance\nmetadata: hunter2\n",
			[]problem{{"metadata", nil, "must be an object"}}},
		{"A spec must be an object.", withSpec("[hunter2]"), []problem{{"spec", nil, "must be an object"}}},
		{"Labels must be an object.", labeled("hunter2"), []problem{{"metadata.labels", nil, "must be an object"}}},
		{"Annotations must be an object.", annotated("[hunter2]"), []problem{{"metadata.annotations", nil, "must be an object"}}},

		// Labels.
		{"A label must be a string.", labeled("{a: {b: hunter2}}"), []problem{{"metadata.labels.a", nil, "not an object"}}},
		{"Kubernetes refuses such a label name.", labeled("{a b: c}"), []problem{{"metadata.labels[a b]", nil, "not a valid label name"}}},
		{"Kubernetes refuses such a label value.", labeled("{a: b c}"), []problem{{"metadata.labels.a", nil, "not a valid label value"}}},
		{"Kubernetes refuses such a long label value.", labeled("{a: " + strings.Repeat("b", 64) + "}"), []problem{{"metadata.labels.a", nil, "not a valid label value"}}},

		// Annotations.
		{"An annotation must be a string.", annotated("{a: [hunter2]}"), []problem{{"metadata.annotations.a", nil, "not a list"}}},
		{"An empty rotation would have no effect.", annotated(`{database.bizmatters.io/password-rotation: ""}`), []problem{{"metadata.annotations[database.bizmatters.io/password-rotation]", nil, "1 to 63 printable ASCII"}}},
		{"A null rotation would have no effect.", annotated("{database.bizmatters.io/password-rotation: }"), []problem{{"metadata.annotations[database.bizmatters.io/password-rotation]", nil, "is empty"}}},
		{"A rotation has a maximum length.", annotated("{database.bizmatters.io/password-rotation: " + strings.Repeat("a", 64) + "}"), []problem{{"metadata.annotations[database.bizmatters.io/password-rotation]", nil, "1 to 63 printable ASCII"}}},
		{"A rotation must be ASCII.", annotated("{database.bizmatters.io/password-rotation: ä}"), []problem{{"metadata.annotations[database.bizmatters.io/password-rotation]", nil, "1 to 63 printable ASCII"}}},
		{"A rotation has no control characters.", annotated(`{database.bizmatters.io/password-rotation: "a\tb"}`), []problem{{"metadata.annotations[database.bizmatters.io/password-rotation]", nil, "1 to 63 printable ASCII"}}},
		{"A misspelled rotation would rotate nothing.", annotated("{database.bizmatters.io/password-rotate: x}"),
			[]problem{{"metadata.annotations[database.bizmatters.io/password-rotate]", "database.bizmatters.io/password-rotation", "did you mean"}}},

		// YAML.
		{"With two sizes, it is unclear which one counts.", withSpec("{size: small, size: large}"), []problem{{"spec.size", nil, "twice"}}},
		{"With two specs, it is unclear which one counts.", withSpec("{}") + "spec: {}\n", []problem{{"spec", nil, "twice"}}},
		{"An alias bomb is refused quickly.", withSpec(bomb + "}"), []problem{{"", nil, "aliases"}}},
		{"An object that contains itself is refused.", withSpec("&s {size: *s}"), []problem{{"", nil, "aliases"}}},

		{"All problems of a claim are reported at once: first those of its form, in the order of its fields.",
			metadata("name: A, labels: {a: b c}, extra: x") + "spec: {size: smal, storageGB: 0, other: hunter2}\nmore: x\n",
			[]problem{
				{"metadata.extra", nil, "unknown field"},
				{"spec.other", nil, "unknown field"},
				{"more", nil, "unknown field"},
				{"metadata.name", nil, "lower case letters"},
				{"metadata.namespace", nil, "is missing"},
				{"metadata.labels.a", nil, "not a valid label value"},
				{"spec.size", "small", "unknown size"},
				{"spec.storageGB", int32(1), "use 1 (GiB) or more"},
			}},
	} {
		var results report.Results
		claims, _ := instance.FromClaims(list(t, "", tc.claim), config.Default(), &results)
		assert.Empty(t, claims, tc.reason)
		assertProblems(t, tc.want, results.All(), tc.reason)
	}
}

func TestClaimIsUnderstood(t *testing.T) {
	type want struct {
		size        string
		storageGB   int32
		labels      map[string]string
		annotations map[string]string
		rotation    string
		ownSecrets  []string
	}
	plain := want{size: "small", storageGB: 10}
	live := `apiVersion: database.bizmatters.io/v1alpha1
kind: DragonflyInstance
metadata:
  name: a
  namespace: ns
  uid: 4f8c
  resourceVersion: "1"
  generation: 1
  creationTimestamp: "2026-01-01T00:00:00Z"
  finalizers: [finalizer.apiextensions.crossplane.io]
  ownerReferences: []
  managedFields: []
spec:
  size: large
  storageGB: 20
  compositionRef: {name: x}
  compositionSelector: {matchLabels: {a: b}}
  compositionRevisionRef: {name: x}
  compositionRevisionSelector: {}
  compositionUpdatePolicy: Automatic
  compositeDeletePolicy: Background
  resourceRef: {name: x}
status: {conditions: []}
`
	for _, tc := range []struct {
		reason, claim string
		want          want
	}{
		{"Without a spec, a claim gets the defaults.", claimNamed("ns", "a"), plain},
		{"A null spec counts as missing.", withSpec("null"), plain},
		{"An empty spec counts as missing.", withSpec("{}"), plain},
		{"Null fields count as missing.", withSpec("{size: , storageGB: ~}"), plain},
		{"Size and storage are used.", withSpec("{size: micro, storageGB: 500}"), want{size: "micro", storageGB: 500}},
		{"One GiB is enough.", withSpec("{storageGB: 1}"), want{size: "small", storageGB: 1}},
		{"Quotes do not change the size.", withSpec(`{size: "medium"}`), want{size: "medium", storageGB: 10}},
		{"Aliases are followed.", withSpec("{storageGB: &n 20, size: &s medium, resourceRef: {a: *s, b: *n}}"), want{size: "medium", storageGB: 20}},
		{"Merge keys are followed.", withSpec("{<<: {size: medium, storageGB: 5}, storageGB: 20}"), want{size: "medium", storageGB: 20}},
		{"A claim that was live under Crossplane works unchanged.", live, want{size: "large", storageGB: 20}},
		{"Fields that name a Secret of their own are reported.", withSpec("{writeConnectionSecretToRef: {name: x}, publishConnectionDetailsTo: {name: y}}"),
			want{size: "small", storageGB: 10, ownSecrets: []string{"publishConnectionDetailsTo", "writeConnectionSecretToRef"}}},
		{"A null does not name a Secret.", withSpec("{writeConnectionSecretToRef: null}"), plain},

		{"Labels go to the objects, numbers and bools as written.", labeled(`{team: a, tier: 1, cache: true, empty: "", example.com/x: y}`),
			want{size: "small", storageGB: 10, labels: map[string]string{"team": "a", "tier": "1", "cache": "true", "empty": "", "example.com/x": "y"}}},
		{"Labels that orchestrators use to track what they own do not.", labeled(`{team: a, kpt.dev/x: a, internal.kpt.dev/x: a, cli-utils.sigs.k8s.io/inventory-id: a,
  argocd.argoproj.io/instance: a, kustomize.toolkit.fluxcd.io/name: a, helm.sh/chart: a, crossplane.io/claim-name: a,
  config.kubernetes.io/x: a, kubectl.kubernetes.io/x: a, applyset.kubernetes.io/part-of: a}`),
			want{size: "small", storageGB: 10, labels: map[string]string{"team": "a"}}},
		{"A domain that only resembles an orchestrator's is somebody else's.", labeled("{nothelm.sh/x: a, helm.sh.example.com/x: a, helm.sh: a}"),
			want{size: "small", storageGB: 10, labels: map[string]string{"nothelm.sh/x": "a", "helm.sh.example.com/x": "a", "helm.sh": "a"}}},
		{"Null labels count as missing.", labeled("null"), plain},

		{"Of the annotations, the sync wave goes to the objects.", annotated(`{argocd.argoproj.io/sync-wave: "-1", team: a, argocd.argoproj.io/hook: Sync}`),
			want{size: "small", storageGB: 10, annotations: map[string]string{"argocd.argoproj.io/sync-wave": "-1"}}},
		{"A sync wave may be a number.", annotated("{argocd.argoproj.io/sync-wave: 0}"),
			want{size: "small", storageGB: 10, annotations: map[string]string{"argocd.argoproj.io/sync-wave": "0"}}},
		{"A rotation is used as written.", annotated("{database.bizmatters.io/password-rotation: 2}"), want{size: "small", storageGB: 10, rotation: "2"}},
		{"A rotation can state a reason.", annotated(`{database.bizmatters.io/password-rotation: "2026-08, after the leak ~"}`), want{size: "small", storageGB: 10, rotation: "2026-08, after the leak ~"}},
		{"A rotation may have 63 characters.", annotated("{database.bizmatters.io/password-rotation: " + strings.Repeat("a", 63) + "}"), want{size: "small", storageGB: 10, rotation: strings.Repeat("a", 63)}},
		{"A rotation in another domain is not ours.", annotated("{example.com/password-rotate: x}"), plain},
		{"Null annotations count as missing.", annotated("null"), plain},
	} {
		var results report.Results
		claims, _ := instance.FromClaims(list(t, "", tc.claim), config.Default(), &results)
		assertProblems(t, nil, results.All(), tc.reason)
		if !assert.Len(t, claims, 1, tc.reason) {
			continue
		}
		c := claims[0]
		assert.Equal(t, "ns/a", c.String(), tc.reason)
		assert.Equal(t, tc.want.size, *c.Claim.Size, tc.reason)
		assert.Equal(t, c.Config.Sizes[tc.want.size], c.Size, tc.reason)
		assert.Equal(t, tc.want.storageGB, *c.Claim.StorageGB, tc.reason)
		assert.Equal(t, tc.want.rotation, c.Rotation, tc.reason)
		assert.Equal(t, tc.want.ownSecrets, c.IgnoredSecrets(), tc.reason)
		assert.Equal(t, v1alpha1.InCluster, c.Source, tc.reason)
		assert.Equal(t, orEmpty(tc.want.labels), c.Labels, tc.reason)
		assert.Equal(t, orEmpty(tc.want.annotations), c.Annotations, tc.reason)
	}
}

func orEmpty(texts map[string]string) map[string]string {
	if texts == nil {
		return map[string]string{}
	}
	return texts
}

func TestNameLength(t *testing.T) {
	name := strings.Repeat("a", 52)
	var results report.Results
	claims, _ := instance.FromClaims(list(t, "", claimNamed(strings.Repeat("n", 63), name)), config.Default(), &results)
	assertProblems(t, nil, results.All(), "52 characters always work.")
	require.Len(t, claims, 1)
	assert.Equal(t, name, claims[0].Name.Name)
}

func TestConfiguredDefaults(t *testing.T) {
	l := list(t, "", claimNamed("ns", "a"), metadata("name: b, namespace: ns")+"spec: {size: xl, storageGB: 5}\n", metadata("name: c, namespace: ns")+"spec: {storageGB: 4}\n")
	platform := platformOf(t, "{defaultSize: large, storage: {minGB: 5, defaultGB: 50}, sizes: {xl: {limits: {cpu: 4, memory: 8Gi}}}}")
	var results report.Results
	claims, _ := instance.FromClaims(l, platform, &results)
	assertProblems(t, []problem{{"spec.storageGB", int32(5), "use 5 (GiB) or more"}}, results.All(), "The configuration's minimum applies.")
	require.Len(t, claims, 2)
	assert.Equal(t, "large", *claims[0].Claim.Size, "The configuration's default size applies.")
	assert.EqualValues(t, 50, *claims[0].Claim.StorageGB, "The configuration's default storage applies.")
	assert.Equal(t, "xl", *claims[1].Claim.Size, "The configuration adds sizes.")
	assert.EqualValues(t, 5, *claims[1].Claim.StorageGB, "The minimum itself is enough.")
}

func TestClaimsAreOneOrMany(t *testing.T) {
	in := func(file, index string) string {
		return fmt.Sprintf("%s  annotations: {internal.config.kubernetes.io/path: %s, internal.config.kubernetes.io/index: %q}\n", claimNamed("ns", "a"), file, index)
	}
	for _, tc := range []struct {
		reason, functionConfig string
		items                  []string
		found                  int
		want                   []problem
	}{
		{"A claim can be only in the functionConfig.", claimNamed("ns", "a"), nil, 1, nil},
		{"Kustomize passes a generator's claim in both places, which is one claim.", claimNamed("ns", "a"),
			[]string{in("a.yaml", "0")}, 1, nil},
		{"The same spec in another style is the same spec.", withSpec("{size: small, storageGB: 10}"),
			[]string{claimNamed("ns", "a") + "spec:\n  storageGB: 10\n  size: 'small'\n"}, 1, nil},
		{"A claim as functionConfig and others among the items are all claims.", claimNamed("ns", "a"),
			[]string{claimNamed("ns", "b"), claimNamed("other", "a")}, 3, nil},
		{"A functionConfig of another kind is not a claim.", "{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: ns}}",
			[]string{claimNamed("ns", "a")}, 1, nil},
		{"A claim that differs between its two places is an error.", withSpec("{size: large}"),
			[]string{withSpec("{size: small}")}, 1, []problem{{"", nil, "but the two differ"}}},
		{"A claim in two files is an error that names both.", "",
			[]string{in("a.yaml", "1"), in("b.yaml", "2")}, 1, []problem{{"", nil, "is in a.yaml[1] and b.yaml[2]"}}},
		{"A claim that appears twice without a file is identified by its position.", "",
			[]string{claimNamed("ns", "b"), claimNamed("ns", "a"), claimNamed("ns", "a")}, 2, []problem{{"", nil, "is in items[1] and items[2]"}}},
		{"A claim that appears twice is reported even if one of the two is wrong.", "",
			[]string{withSpec("{size: 1}"), claimNamed("ns", "a")}, 0, []problem{{"spec.size", nil, "must be a string"}, {"", nil, "the same claim"}}},
		{"Two claims without names are not the same claim.", "",
			[]string{metadata(""), metadata("")}, 0, []problem{
				{"metadata.name", nil, "is missing"}, {"metadata.namespace", nil, "is missing"},
				{"metadata.name", nil, "is missing"}, {"metadata.namespace", nil, "is missing"},
			}},
		{"Claims with the same name in two namespaces are two claims.", "", []string{claimNamed("ns", "a"), claimNamed("other", "a")}, 2, nil},
		{"The problems of all claims are reported at once, in the order of the claims.", "",
			[]string{metadata("name: b"), withSpec("{size: 1}")}, 0, []problem{{"metadata.namespace", nil, "is missing"}, {"spec.size", nil, "must be a string"}}},
		{"Another kind in our group is not a claim.", "", []string{"{apiVersion: database.bizmatters.io/v1alpha1, kind: DragonflyGenerator, metadata: {name: a}}"}, 0, nil},
	} {
		var results report.Results
		claims, _ := instance.FromClaims(list(t, tc.functionConfig, tc.items...), config.Default(), &results)
		assert.Len(t, claims, tc.found, tc.reason)
		assertProblems(t, tc.want, results.All(), tc.reason)
	}
}

func TestClaimItselfStaysAsItIs(t *testing.T) {
	l := list(t, "", labeled("{team: a}")+"spec: # of spec\n  <<: {size: 'large'}\n")
	before, err := l.Bytes(nil)
	require.NoError(t, err)
	_, _ = instance.FromClaims(l, config.Default(), &report.Results{})
	after, err := l.Bytes(nil)
	require.NoError(t, err)
	assert.Equal(t, string(before), string(after), "Everything is planned before anything changes.")
}
