package config_test

import (
	"strings"
	"testing"

	"github.com/GoogleContainerTools/kpt-functions-sdk/go/fn"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/internal/config"
	"github.com/bizmatters/dragonfly-generator/internal/krm"
	"github.com/bizmatters/dragonfly-generator/internal/report"
)

// read reads a configuration with that spec, and returns each problem with its severity and field.
func read(t *testing.T, spec string) (config.Platform, []string) {
	t.Helper()
	n, err := yaml.Parse("apiVersion: database.bizmatters.io/v1alpha1\nkind: DragonflyGenerator\nmetadata: {name: x}\nspec: " + spec + "\n")
	require.NoError(t, err)
	var results report.Results
	platform := config.Read(krm.NewItem(n.YNode()), &results)
	problems := []string{}
	for _, result := range results.All() {
		problem := result.Field.Path
		if result.Severity != fn.Error {
			problem += " (" + string(result.Severity) + ")"
		}
		problems = append(problems, problem)
	}
	return platform, problems
}

func TestProfiles(t *testing.T) {
	platform, problems := read(t, `
  image: a:v1.40.1
  snapshotCron: 0 3 * * *
  labels: {team: platform, tier: data}
  args: ["--cache_mode=true", "--dbnum=1"]
  carryAnnotations: [example.com/cost]
  storage: {minGB: 5, defaultGB: 20}
  sizes: {xl: {limits: {cpu: "1", memory: 2Gi}}}
  tls: {secretName: "{name}-tls", issuerRef: {kind: ClusterIssuer, name: one}}
  annotations: {reloader.stakater.com/auto: "true"}
  serviceAccount: {annotations: {a: b}}
  overrides: {statefulSet: {metadata: {labels: {a: b}}}, service: {metadata: {labels: {a: b}}}}
  extraObjects: [{apiVersion: v1, kind: ConfigMap, metadata: {name: "{name}"}}]
  profiles:
    same: {}
    part:
      storage: {maxGB: 50}
      labels: {team: cache}
      args: [--dbnum=2]
      sizes: {xxl: {limits: {cpu: "1", memory: 4Gi}}}
      tls: {issuerRef: {name: two}}
      overrides: {statefulSet: {metadata: {labels: {c: d}}}}
      extraObjects: [{apiVersion: v1, kind: ConfigMap, metadata: {name: "{name}-b"}}]
    none:
      image: null
      snapshotCron:
      labels: ~
      args: null
      storage: null
      sizes: null
      password: null
      tls: null
      serviceAccount: {annotations: null}
      overrides: {statefulSet: null}
      extraObjects: null
    nothing: {overrides: null}
`)
	require.Empty(t, problems)
	assert.Equal(t, []string{"none", "nothing", "part", "same"}, platform.Profiles())
	of := func(name string) config.Config {
		cfg, found := platform.For(name)
		require.True(t, found, name)
		return cfg
	}
	base := of("")
	assert.Equal(t, platform.Config, base, "No profile is spec itself.")
	assert.Equal(t, base, of("same"), "A profile that says nothing changes nothing.")
	_, found := platform.For("other")
	assert.False(t, found)

	part := of("part")
	assert.Equal(t, config.Storage{Type: "Volume", MinGB: 5, DefaultGB: 20, MaxGB: 50}, part.Storage, "A struct is replaced field by field.")
	assert.Equal(t, map[string]string{"team": "cache"}, part.Labels, "A map is replaced whole.")
	assert.Equal(t, []string{"--dbnum=2"}, part.Args, "A list is replaced whole.")
	assert.Equal(t, []string{"micro", "small", "medium", "xxl", "large"}, part.Sizes.Names(), "So is that of the sizes; those of every platform stay.")
	assert.Equal(t, config.TLS{SecretName: "{name}-tls", Issuer: config.Issuer{Group: "cert-manager.io", Kind: "ClusterIssuer", Name: "two"}, Reload: true}, part.TLS)
	assert.Equal(t, "a:v1.40.1", part.Image, "What it says nothing about stays.")
	assert.Contains(t, part.CarryAnnotations, "example.com/cost", "This is not for profiles to set.")
	assert.Equal(t, []string{"spec.overrides.statefulSet", "spec.profiles.part.overrides.statefulSet"}, paths(part.Overrides.StatefulSet), "Patches come on top.")
	assert.Equal(t, []string{"spec.overrides.service"}, paths(part.Overrides.Service))
	require.Len(t, part.ExtraObjects, 2, "Extra objects come on top.")
	assert.Equal(t, "spec.profiles.part.extraObjects[0]", part.ExtraObjects[1].Path)
	assert.Equal(t, "one", base.TLS.Issuer.Name)

	none, byDefault := of("none"), config.Default()
	assert.Equal(t, byDefault.Image, none.Image, "A null takes a field back to its default.")
	assert.Equal(t, byDefault.SnapshotCron, none.SnapshotCron)
	assert.Equal(t, byDefault.Storage, none.Storage)
	assert.Equal(t, byDefault.Sizes.Names(), none.Sizes.Names())
	assert.Equal(t, byDefault.Password, none.Password)
	assert.Empty(t, none.Labels)
	assert.Empty(t, none.Args)
	assert.False(t, none.TLS.IsOn())
	assert.Empty(t, none.ServiceAccountAnnotations)
	assert.Empty(t, none.Overrides.StatefulSet)
	assert.Len(t, none.Overrides.Service, 1)
	assert.Empty(t, none.ExtraObjects)
	assert.Empty(t, of("nothing").Overrides.Service)
}

func paths(patches []config.Patch) []string {
	var all []string
	for _, patch := range patches {
		all = append(all, patch.Path)
	}
	return all
}

// An error names the field that somebody wrote, once.
func TestProblemsOfProfiles(t *testing.T) {
	for _, tc := range []struct {
		reason, spec string
		want         []string
	}{
		{"What is wrong with a profile is so although nobody takes it.", "{profiles: {a: {image: ''}}}", []string{"spec.profiles.a.image"}},
		{"What is wrong with spec is reported once, however many profiles there are.", "{image: '', profiles: {a: {}, b: {labels: {c: d}}}}", []string{"spec.image"}},
		{"A profile can be wrong in the same way.", "{image: '', profiles: {a: {image: ''}}}", []string{"spec.image", "spec.profiles.a.image"}},
		{"A profile can put it right.", "{image: '', profiles: {a: {image: 'a:v1.40.1'}}}", []string{"spec.image"}},
		{"A warning is given once too.", "{image: a, profiles: {a: {}, b: {image: b}}}", []string{"spec.image (warning)", "spec.profiles.b.image (warning)"}},
		{"An unknown field in a profile is one.", "{profiles: {a: {imgae: b}}}", []string{"spec.profiles.a.imgae"}},
		{"Profiles do not nest.", "{profiles: {a: {profiles: {}}}}", []string{"spec.profiles.a.profiles"}},
		{"What is carried over is the same for all.", "{profiles: {a: {carryAnnotations: []}}}", []string{"spec.profiles.a.carryAnnotations"}},
		{"A profile without fields is written {}.", "{profiles: {a: }}", []string{"spec.profiles.a"}},
		{"A name is what a claim can write.", "{profiles: {a b: {}}}", []string{"spec.profiles[a b]"}},
		{"An element of a list has its place.", "{args: [--dbnum=1], profiles: {a: {args: [--dbnum=1, x]}}}", []string{"spec.profiles.a.args[1]"}},
		{"Two fields of two places that do not fit are the profile's problem.", "{storage: {minGB: 5}, profiles: {a: {storage: {maxGB: 4}}}}", []string{"spec.profiles.a.storage.minGB"}},
		{"A size that spec has is not there any more in a profile with sizes.", "{sizes: {xl: {limits: {cpu: 1, memory: 2Gi}}}, defaultSize: xl, profiles: {a: {sizes: {}}}}", []string{"spec.profiles.a.defaultSize"}},
		{"What is right for a StatefulSet may be wrong for the operator.", "{args: [--tls=true], profiles: {a: {backend: Operator}}}", []string{"spec.profiles.a.args[0]"}},
		{"A patch is judged where it stands.", "{overrides: {service: {spec: {prts: []}}}, profiles: {a: {overrides: {service: {spec: {tpye: a}}}}}}", []string{"spec.overrides.service.spec.prts", "spec.profiles.a.overrides.service.spec.tpye"}},
		{"A dot in the name of a profile is no step.", "{profiles: {v1.2: {image: ''}}}", []string{"spec.profiles[v1.2].image"}},
	} {
		_, problems := read(t, tc.spec)
		assert.Equal(t, tc.want, problems, "%s %s", tc.reason, tc.spec)
	}
}

func TestStorageTypes(t *testing.T) {
	for spec, want := range map[string][]string{
		"{storage: {type: None}}":                                             {},
		"{storage: {type: Bucket, bucket: s3://a}}":                           {},
		"{storage: {type: Bucket, bucket: gs://a/b/c/}}":                      {},
		"{storage: {type: Bucket, bucket: 'az://a/b'}}":                       {},
		"{storage: {type: Bucket}}":                                           {"spec.storage.bucket"},
		"{storage: {bucket: s3://a}}":                                         {"spec.storage.bucket"},
		"{storage: {type: Bucket, bucket: a}}":                                {"spec.storage.bucket"},
		"{storage: {type: Bucket, bucket: 's3://a/../b'}}":                    {"spec.storage.bucket"},
		"{storage: {type: Bucket, bucket: 's3://a//b'}}":                      {"spec.storage.bucket"},
		"{storage: {type: Bucket, bucket: 'https://a'}}":                      {"spec.storage.bucket"},
		"{storage: {type: Bucket, bucket: 's3://a?b'}}":                       {"spec.storage.bucket"},
		"{storage: {type: bucket, bucket: s3://a}}":                           {"spec.storage.type", "spec.storage.bucket"},
		"{storage: {type: None}, profiles: {a: {storage: {bucket: s3://a}}}}": {"spec.profiles.a.storage.bucket"},
	} {
		_, problems := read(t, spec)
		assert.Equal(t, want, problems, spec)
	}
}

func TestSizesWithThreads(t *testing.T) {
	platform, problems := read(t, "{sizes: {burst: {limits: {memory: 2Gi}, threads: 2}, small: {threads: 1}, both: {limits: {cpu: 1, memory: 2Gi}, threads: 2, maxMemoryPercent: 60}}}")
	assert.Empty(t, problems)
	burst, small, both := platform.Sizes["burst"], platform.Sizes["small"], platform.Sizes["both"]
	assert.True(t, burst.Limits.CPU.IsZero() && burst.Requests.CPU.IsZero(), "With threads a size needs no CPU.")
	assert.EqualValues(t, 2, burst.Threads())
	assert.True(t, small.Limits.CPU.IsZero(), "A size of ours loses its limit too.")
	assert.Equal(t, "250m", small.Requests.CPU.String())
	assert.Equal(t, "1", both.Limits.CPU.String(), "Who writes both gets both.")
	assert.EqualValues(t, 1288490188, both.MaxMemory())

	for spec, want := range map[string][]string{
		"{limits: {memory: 2Gi}}":                                 {"spec.sizes.x.limits.cpu"},
		"{limits: {cpu: 1}, threads: 1}":                          {"spec.sizes.x.limits.memory"},
		"{limits: {memory: 2Gi}, threads: 0}":                     {"spec.sizes.x.threads"},
		"{limits: {memory: 2Gi}, threads: 1025}":                  {"spec.sizes.x.threads"},
		"{limits: {memory: 2Gi}, threads: 6}":                     {"spec.sizes.x.limits"},
		"{limits: {memory: 2Gi}, threads: 5}":                     {},
		"{limits: {memory: 2Gi, cpu: 0}, threads: 1}":             {"spec.sizes.x.limits.cpu"},
		"{limits: {memory: 2Gi, cpu: 0}}":                         {"spec.sizes.x.limits.cpu"},
		"{limits: {memory: 0, cpu: 1}}":                           {"spec.sizes.x.limits.memory"},
		"{limits: {memory: 2Gi, cpu: 1}, requests: {cpu: 0}}":     {"spec.sizes.x.requests.cpu"},
		"{limits: {memory: 2Gi}, threads: 1, requests: {cpu: 8}}": {},
		"{limits: {memory: 2Gi, cpu: 1}, maxMemoryPercent: 80}":   {"spec.sizes.x.maxMemoryPercent (warning)"},
		"{limits: {memory: 2Gi, cpu: 1}, maxMemoryPercent: 81}":   {"spec.sizes.x.maxMemoryPercent"},
		"{limits: {memory: 2Gi, cpu: 1}, maxMemoryPercent: 0}":    {"spec.sizes.x.maxMemoryPercent"},
		"{limits: {memory: 1Gi, cpu: 1}, maxMemoryPercent: 24}":   {"spec.sizes.x.limits"},
		"{limits: {memory: 1Gi, cpu: 1}, maxMemoryPercent: 25}":   {},
		"{limits: {memory: 2000Ti, cpu: 1}}":                      {"spec.sizes.x.limits.memory"},
	} {
		_, problems := read(t, "{sizes: {x: "+spec+"}}")
		assert.Equal(t, want, problems, spec)
	}
}

func TestTLS(t *testing.T) {
	for spec, want := range map[string][]string{
		"{tls: {secretName: a}}": {},
		"{tls: {secretName: '{namespace}-{name}.tls', issuerRef: {name: a}}}":      {},
		"{tls: {secretName: '{name}', issuerRef: {name: a, kind: B, group: c.d}}}": {},
		"{tls: {issuerRef: {name: a}}}":                                            {},
		"{tls: {secretName: a, reload: false}}":                                    {},
		"{tls: {secretName: a}, args: [--tls_ca_cert_file=x]}":                     {"spec.tls (warning)", "spec.args[0] (warning)"},
		"{tls: {secretName: a, reload: false}, args: [--tls_ca_cert_file=x]}":      {"spec.args[0] (warning)"},
		"{tls: {}}":                                                     {"spec.tls.secretName"},
		"{tls: {secretName: A}}":                                        {"spec.tls.secretName"},
		"{tls: {secretName: '{name}-conn'}}":                            {"spec.tls.secretName"},
		"{tls: {secretName: '{name}-password'}}":                        {"spec.tls.secretName"},
		"{tls: {secretName: '{nmae}-tls'}}":                             {"spec.tls.secretName (warning)", "spec.tls.secretName"},
		"{tls: {secretName: shared, issuerRef: {name: a}}}":             {"spec.tls.secretName"},
		"{tls: {secretName: '{name}', issuerRef: {}}}":                  {"spec.tls.issuerRef.name"},
		"{tls: {secretName: '{name}', issuerRef: {name: a, kind: ''}}}": {"spec.tls.issuerRef.kind"},
		"{tls: {secretName: '{name}', isuerRef: {}}}":                   {"spec.tls.isuerRef"},
		"{tls: {secretName: a}, args: [--tls=true]}":                    {"spec.args[0]"},
		"{tls: {secretName: a}, args: [--tls_key_file=x]}":              {"spec.args[0]"},
		"{tls: {secretName: a}, args: [--notls]}":                       {"spec.args[0]"},
	} {
		_, problems := read(t, spec)
		assert.Equal(t, want, problems, spec)
	}
}

func TestPlaceholders(t *testing.T) {
	for text, warns := range map[string]bool{
		"{name}": false, "{namespace}": false, "{endpoint}": false, "a{name}b": false, "{}": false, "{a": false, "{node}": false,
		"{nmae}": true, "{Name}": true, "{namespce}": true, "{names}": true, "{ENDPOINT}": true, "{endpiont}": true,
		"{password}": true, "{port}": true, "{scheme}": true, "{{nmae}}": false, "{ name }": false, "{pod}": false, "{nickname}": false,
	} {
		for _, field := range []string{
			"annotations: {a: '%'}", "args: ['--a=%']", "serviceAccount: {annotations: {a: '%'}}",
			"overrides: {service: {metadata: {annotations: {a: '%'}}}}", "extraObjects: [{apiVersion: v1, kind: ConfigMap, metadata: {name: '{name}'}, data: {a: '%'}}]",
		} {
			spec := "{image: 'a:v1.41.0', " + strings.ReplaceAll(field, "%", text) + "}"
			_, problems := read(t, strings.ReplaceAll(spec, "--a=", "--dbnum="))
			assert.Equal(t, warns, len(problems) == 1, "%s %v", spec, problems)
		}
	}
}

func TestFill(t *testing.T) {
	values := config.Values{Name: "a", Namespace: "b", Endpoint: "c"}
	for text, want := range map[string]string{
		"": "", "name": "name", "{name}": "a", "{name}{namespace}-{endpoint}": "ab-c", "{password}": "{password}", "${name}": "${name}",
		"{{name}}": "{{name}}", "{{ name }}": "{{ name }}", "{name": "{name", `{"a":"{name}"}`: `{"a":"a"}`, "{na{name}": "{naa",
	} {
		assert.Equal(t, want, values.Fill(text), text)
	}
}

func TestExtraObjects(t *testing.T) {
	for object, want := range map[string]string{
		"{apiVersion: v1, kind: ConfigMap, metadata: {name: '{name}'}}":                                             "",
		"{apiVersion: v1, kind: ConfigMap, metadata: {name: 'a-{namespace}.{name}', namespace: '{namespace}'}}":     "",
		"{apiVersion: v1, kind: Service, metadata: {name: '{name}-replicas', labels: {a: '{name}'}}}":               "",
		"{apiVersion: serving.knative.dev/v1, kind: Service, metadata: {name: '{name}'}}":                           "",
		"{apiVersion: v1, kind: Service, metadata: {name: '{name}'}}":                                               ".metadata.name",
		"{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: '{name}'}}":                                      ".metadata.name",
		"{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: '{name}'}}":                        ".metadata.name",
		"{apiVersion: dragonflydb.io/v1alpha1, kind: Dragonfly, metadata: {name: '{name}'}}":                        ".metadata.name",
		"{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}":                                                    ".metadata.name",
		"{apiVersion: v1, kind: ConfigMap, metadata: {name: '{namespace}'}}":                                        ".metadata.name",
		"{apiVersion: v1, kind: ConfigMap, metadata: {name: '{name}_a'}}":                                           ".metadata.name",
		"{apiVersion: v1, kind: ConfigMap, metadata: {name: '../{name}'}}":                                          ".metadata.name",
		"{apiVersion: v1, kind: ConfigMap, metadata: {generateName: '{name}'}}":                                     ".metadata.name",
		"{apiVersion: v1, kind: ConfigMap}":                                                                         ".metadata.name",
		"{apiVersion: v1, kind: Secret, metadata: {name: '{name}-a'}}":                                              ".kind",
		"{apiVersion: v1, kind: ConfigMapList, items: []}":                                                          ".kind",
		"{apiVersion: v1, kind: List, items: []}":                                                                   ".kind",
		"{apiVersion: v1, kind: '../a', metadata: {name: '{name}'}}":                                                ".kind",
		"{apiVersion: v1, metadata: {name: '{name}'}}":                                                              ".kind",
		"{kind: ConfigMap, metadata: {name: '{name}'}}":                                                             ".apiVersion",
		"{apiVersion: v1, kind: Namespace, metadata: {name: '{name}'}}":                                             ".kind",
		"{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: '{name}'}}":                 ".kind",
		"{apiVersion: v1, kind: ConfigMap, metadata: {name: '{name}', namespace: a}}":                               ".metadata.namespace",
		"{apiVersion: v1, kind: ConfigMap, metadata: {name: '{name}', labels: {a: 1}}}":                             ".metadata.labels.a",
		"{apiVersion: v1, kind: ConfigMap, metadata: {name: '{name}', labels: {a: 'b c'}}}":                         ".metadata.labels.a",
		"{apiVersion: v1, kind: ConfigMap, metadata: {name: '{name}', annotations: {a: [b]}}}":                      ".metadata.annotations.a",
		"{apiVersion: v1, kind: ConfigMap, metadata: {name: '{name}', annotations: {database.bizmatters.io/a: b}}}": ".metadata.annotations[database.bizmatters.io/a]",
		"{apiVersion: v1, kind: Pod, metadata: {name: '{name}'}, status: {}}":                                       ".status",
		"a": "",
	} {
		_, problems := read(t, "{extraObjects: ["+object+"]}")
		if want == "" && object != "a" {
			assert.Empty(t, problems, object)
			continue
		}
		assert.Equal(t, []string{"spec.extraObjects[0]" + want}, problems, object)
	}
	const one = "{apiVersion: v1, kind: ConfigMap, metadata: {name: '{name}'}}"
	_, problems := read(t, "{extraObjects: ["+one+", "+one+"]}")
	assert.Equal(t, []string{"spec.extraObjects[1]"}, problems, "Two that are the same object are one too many.")
	_, problems = read(t, "{extraObjects: ["+one+"], profiles: {a: {extraObjects: ["+one+"]}, b: {extraObjects: null}}}")
	assert.Equal(t, []string{"spec.profiles.a.extraObjects[0]"}, problems, "One of spec and one of a profile, too.")
	_, problems = read(t, "{annotations: {reloader.stakater.com/auto: 'true'}, tls: {secretName: '{name}', issuerRef: {name: a}}, extraObjects: [{apiVersion: cert-manager.io/v1, kind: Certificate, metadata: {name: '{name}'}}]}")
	assert.Equal(t, []string{"spec.extraObjects[0].metadata.name"}, problems, "A certificate of ours has that name.")
}

func TestConfigMap(t *testing.T) {
	readMap := func(data string) (config.Config, []string) {
		n, err := yaml.Parse("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata: " + data + "\n")
		require.NoError(t, err)
		var results report.Results
		platform := config.Read(krm.NewItem(n.YNode()), &results)
		var problems []string
		for _, result := range results.All() {
			problems = append(problems, result.Field.Path)
		}
		return platform.Config, problems
	}
	cfg, problems := readMap("{image: 'a:v1.40.1', password.source: Existing, storage.type: Bucket, storage.bucket: s3://a}")
	assert.Empty(t, problems)
	assert.Equal(t, "a:v1.40.1", cfg.Image)
	assert.EqualValues(t, "Existing", cfg.Password.Source)
	assert.Equal(t, "s3://a", cfg.Storage.Bucket)

	for data, want := range map[string][]string{
		"{args: a}":                   {"data.args"},
		"{storage.minGB: '1'}":        {"data.storage.minGB"},
		"{labels.team: a}":            {"data.labels.team"},
		"{profiles: a}":               {"data.profiles"},
		"{password: External}":        {"data.password"},
		"{password.sorce: External}":  {"data.password.sorce"},
		"{password.source: external}": {"data.password.source"},
		"{imgae: a}":                  {"data.imgae"},
		"{password.source.more: a}":   {"data.password.source.more"},
		"{password.image: ''}":        {"data.password.image"},
	} {
		_, problems := readMap(data)
		assert.Equal(t, want, problems, data)
	}
}
