package lint_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/GoogleContainerTools/kpt-functions-sdk/go/fn"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/internal/config"
	"github.com/bizmatters/dragonfly-generator/internal/krm"
	"github.com/bizmatters/dragonfly-generator/internal/lint"
	"github.com/bizmatters/dragonfly-generator/internal/overrides"
	"github.com/bizmatters/dragonfly-generator/internal/report"
)

// warnings reads a valid configuration with the given spec, and returns its warnings.
func warnings(t *testing.T, spec string) fn.Results {
	t.Helper()
	n, err := yaml.Parse("apiVersion: database.bizmatters.io/v1alpha1\nkind: DragonflyGenerator\nmetadata: {name: x}\nspec: " + spec + "\n")
	require.NoError(t, err, spec)
	var results report.Results
	item := krm.NewItem(n.YNode())
	platform := config.Read(item, &results)
	overrides.Check(item, platform, &results)
	require.Empty(t, results.All(), spec)
	lint.Platform(item, platform, &results)
	for _, result := range results.All() {
		assert.Equal(t, fn.Warning, result.Severity, spec)
	}
	return results.All()
}

func paths(results fn.Results) []string {
	all := []string{}
	for _, result := range results {
		all = append(all, result.Field.Path)
	}
	return all
}

// Dragonfly exits at startup if it does not know a flag.
func TestUnknownFlags(t *testing.T) {
	for _, tc := range []struct {
		reason, spec string
		want         []string
		not          string
	}{
		{"A typo gets a suggestion.", "{args: [--cache_mod=true]}",
			[]string{"sets --cache_mod", "v1.40 does not have", "did you mean --cache_mode?", "exits at start", "correct or remove it"}, "check that"},
		{"For another version, we cannot know.", "{image: 'a:v1.41.0', args: [--cache_mod=true]}",
			[]string{"sets --cache_mod", "v1.40 does not have", "did you mean --cache_mode?", "check that the version in your image has it"}, "remove it"},
		{"Nor for an image without a version.", "{image: 'a:nightly', args: [--utterly_different]}",
			[]string{"sets --utterly_different", "v1.40 does not have", "check that the version in your image has it"}, "did you mean"},
		{"A flag that may not be set is not suggested.", "{args: [--ports=1]}",
			[]string{"sets --ports", "v1.40 does not have", "exits at start", "correct or remove it"}, "did you mean"},
		{"With a CA, Dragonfly asks the probe for a certificate.", "{args: [--tls_ca_cert_file=/a]}",
			[]string{"client certificate", "never become ready", "readinessProbe in overrides.statefulSet"}, "does not have;"},
	} {
		results := warnings(t, tc.spec)
		require.Equal(t, []string{"spec.args[0]"}, paths(results), tc.reason)
		for _, words := range tc.want {
			assert.Contains(t, results[0].Message, words, tc.reason)
		}
		assert.NotContains(t, results[0].Message, tc.not, tc.reason)
	}
	assert.Empty(t, warnings(t, "{args: [--cache_mode=true, --nodf_snapshot_format, --dbnum=1]}"))
}

const digest = "sha256:0000000000000000000000000000000000000000000000000000000000000000"

func TestImageWarnings(t *testing.T) {
	for image, warns := range map[string]bool{
		"dragonfly": true, "a/dragonfly:latest": true, "localhost:5000/dragonfly": true,
		"a:v1.37.2": true, "a:1.37": true, "a:v1.9.0-alpine": true, "a:v0.1": true,
		"a:v1.38.0": false, "a:1.38": false, "a:v1.38.0-alpine": false, "a:v1.40.1": false, "a:v2.0.0": false,
		"a:nightly": false, "a@" + digest: false, "localhost:5000/a:v1.40.1": false, "a:latest@" + digest: false,
		"a:v1.37.2@" + digest: true, "[::1]:5000/a:v1.40.1": false, "a.b/c/d__e/f--g.h:v1.40.1": false,
	} {
		want := []string{}
		if warns {
			want = []string{"spec.image"}
		}
		assert.Equal(t, want, paths(warnings(t, "{image: '"+image+"'}")), image)
	}
}

// A probe that needs neither /healthz nor a certificate makes the pods ready.
func TestOtherProbes(t *testing.T) {
	const patch = "overrides: {statefulSet: {spec: {template: {spec: {containers: [{name: %s, readinessProbe: {%s}}]}}}}}"
	for _, tc := range []struct {
		reason, spec, container, probe string
		want                           []string
	}{
		{"A connection shows that an old image is ready.", "image: 'a:v1.37.0'", "dragonfly", "httpGet: null, tcpSocket: {port: 6379}", []string{}},
		{"A command can use the certificate.", "args: [--tls_ca_cert_file=/a]", "dragonfly", "httpGet: null, exec: {command: [a]}", []string{}},
		{"Our probe with another period still needs /healthz.", "image: 'a:v1.37.0'", "dragonfly", "periodSeconds: 5", []string{"spec.image"}},
		{"Another container's probe does not replace ours.", "args: [--tls_ca_cert_file=/a]", "other, image: 'a:v1'", "tcpSocket: {port: 6379}", []string{"spec.args[0]"}},
		{"No probe makes the server reload its certificate.", "tls: {secretName: a}, args: [--tls_ca_cert_file=/a]", "dragonfly", "httpGet: null, tcpSocket: {port: 6379}", []string{"spec.tls"}},
	} {
		spec := "{" + tc.spec + ", " + fmt.Sprintf(patch, tc.container, tc.probe) + "}"
		assert.Equal(t, tc.want, paths(warnings(t, spec)), tc.reason)
	}
}

// A container with a misspelled name is another one, which Kubernetes refuses without an image.
func TestContainersWithoutImage(t *testing.T) {
	inPod := func(fields string) string {
		return "{overrides: {statefulSet: {spec: {template: {spec: {" + fields + "}}}}}}"
	}
	const pod, dragonfly = "spec.overrides.statefulSet.spec.template.spec.", "spec.overrides.dragonfly.spec."
	for _, tc := range []struct{ reason, spec, path, message string }{
		{"The server's.", inPod("containers: [{name: dragonflly, env: [{name: TZ, value: UTC}]}]"), pod + "containers[dragonflly]", `did you mean "dragonfly"? `},
		{"Ours.", inPod("initContainers: [{name: prepar, resources: {limits: {cpu: 200m}}}]"), pod + "initContainers[prepar]", `did you mean "prepare"? `},
		{"A name of its own.", inPod("containers: [{name: exporter}]"), pod + "containers[exporter]", "refuses; correct the name"},
		{"The operator has the server's container.", "{backend: Operator, overrides: {dragonfly: {spec: {additionalContainers: [{name: server}]}}}}", dragonfly + "additionalContainers[server]", "add an image"},
	} {
		found := warnings(t, tc.spec)
		require.Equal(t, []string{tc.path}, paths(found), tc.reason)
		assert.Contains(t, found[0].Message, tc.message, tc.reason)
	}
	assert.Empty(t, warnings(t, inPod("initContainers: [{name: prepare, resources: {limits: {cpu: 200m}}}], containers: [{name: dragonfly, env: [{name: TZ, value: UTC}]}]")))
}

func TestSizeWarnings(t *testing.T) {
	assert.Equal(t, []string{"spec.sizes.x.maxMemoryPercent"}, paths(warnings(t, "{sizes: {x: {limits: {memory: 2Gi, cpu: 1}, maxMemoryPercent: 80}}}")))
	assert.Empty(t, warnings(t, "{sizes: {x: {limits: {memory: 2Gi, cpu: 1}, maxMemoryPercent: 70}}}"))
}

func TestTLSWarnings(t *testing.T) {
	for spec, want := range map[string][]string{
		"{tls: {secretName: a}}":                                              {},
		"{tls: {secretName: a}, args: [--tls_ca_cert_file=x]}":                {"spec.args[0]", "spec.tls"},
		"{tls: {secretName: a, reload: false}, args: [--tls_ca_cert_file=x]}": {"spec.args[0]"},
	} {
		assert.ElementsMatch(t, want, paths(warnings(t, spec)), spec)
	}
}

func TestWarningsOfPatches(t *testing.T) {
	const server = "{overrides: {statefulSet: {spec: {template: {spec: {containers: [{name: dragonfly, %s}]}}}}}}"
	for spec, want := range map[string][]string{
		strings.ReplaceAll(server, "%s", "startupProbe: {httpGet: {path: /healthz, port: dragonfly}}"):     {"spec.overrides.statefulSet"},
		strings.ReplaceAll(server, "%s", "lifecycle: {preStop: {sleep: {seconds: 5}}}"):                    {},
		"{backend: Operator, overrides: {dragonfly: {spec: {pdb: {minAvailable: 1, maxUnavailable: 1}}}}}": {"spec.overrides.dragonfly.spec.pdb"},
		"{backend: Operator, overrides: {dragonfly: {spec: {pdb: {minAvailable: 1}}}}}":                    {},
		"{overrides: {statefulSet: {metadata: {annotations: {a: '{nmae}'}}}}, profiles: {a: {}, b: {}}}":   {"spec.overrides.statefulSet"},
	} {
		assert.Equal(t, want, append([]string{}, paths(warnings(t, spec))...), spec)
	}
}

// A warning is given once, however many profiles there are.
func TestWarningsOfProfiles(t *testing.T) {
	assert.Equal(t, []string{"spec.image", "spec.profiles.b.image"},
		paths(warnings(t, "{image: a, profiles: {a: {}, b: {image: b}}}")))
	assert.Equal(t, []string{"spec.profiles.b.image"}, paths(warnings(t, "{profiles: {a: {}, b: {image: b}}}")))
}

func TestPlaceholders(t *testing.T) {
	for text, warns := range map[string]bool{
		"{name}": false, "{namespace}": false, "{endpoint}": false, "a{name}b": false, "{}": false, "{a": false, "{node}": false,
		"{nmae}": true, "{Name}": true, "{namespce}": true, "{names}": true, "{ENDPOINT}": true, "{endpiont}": true,
		"{password}": true, "{port}": true, "{scheme}": true, "{{nmae}}": false, "{ name }": false, "{pod}": false, "{nickname}": false,
	} {
		for _, field := range []string{
			"annotations: {a: '%'}", "args: ['--dbnum=%']", "serviceAccount: {annotations: {a: '%'}}",
			"connectionSecret: {annotations: {a: '%'}}",
			"overrides: {service: {metadata: {annotations: {a: '%'}}}}", "extraObjects: [{apiVersion: v1, kind: ConfigMap, metadata: {name: '{name}'}, data: {a: '%'}}]",
		} {
			spec := "{image: 'a:v1.41.0', " + strings.ReplaceAll(field, "%", text) + "}"
			assert.Equal(t, warns, len(warnings(t, spec)) == 1, spec)
		}
	}
}
