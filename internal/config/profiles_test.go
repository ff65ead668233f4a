package config_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/config"
)

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
	var all []string
	for _, spec := range platform.All() {
		all = append(all, spec.Path)
	}
	assert.Equal(t, []string{"spec", "spec.profiles.none", "spec.profiles.nothing", "spec.profiles.part", "spec.profiles.same"}, all)
	_, found := platform.For("other")
	assert.False(t, found)

	base, same := of(t, platform, ""), of(t, platform, "same")
	assert.Equal(t, "one", base.TLS.IssuerRef.Name)
	same.Path = base.Path
	assert.Equal(t, asJSON(t, base), asJSON(t, same), "An empty profile changes nothing.")

	part := of(t, platform, "part")
	assert.Equal(t, v1alpha1.Storage{Type: new(v1alpha1.OnVolume), MinGB: new(int32(5)), DefaultGB: new(int32(20)), MaxGB: new(int32(50))}, part.Storage, "A struct is merged field by field.")
	assert.Equal(t, map[string]string{"team": "cache"}, part.Labels, "A map is replaced as a whole.")
	assert.Equal(t, []string{"--dbnum=2"}, part.Args, "A list is replaced as a whole.")
	assert.Equal(t, []string{"micro", "small", "medium", "xxl", "large"}, part.SizeNames(), "So is the map of sizes; the built-in ones stay.")
	assert.Equal(t, &v1alpha1.TLS{
		SecretName: new("{name}-tls"), Reload: new(true),
		IssuerRef: &v1alpha1.IssuerRef{Group: new("cert-manager.io"), Kind: new("ClusterIssuer"), Name: "two"},
	}, part.TLS)
	assert.Equal(t, "a:v1.40.1", *part.Image, "Whatever it does not mention stays.")
	assert.Contains(t, part.CarryAnnotations, "example.com/cost", "Profiles cannot set this.")
	assert.Equal(t, []string{"spec.overrides.statefulSet", "spec.profiles.part.overrides.statefulSet"}, pathsOf(part.StatefulSetPatches), "Patches are added.")
	assert.Equal(t, []string{"spec.overrides.service"}, pathsOf(part.ServicePatches))
	assert.Equal(t, []string{"spec.extraObjects[0]", "spec.profiles.part.extraObjects[0]"}, pathsOf(part.Extra), "Extra objects are added.")
	assert.JSONEq(t, `{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "{name}-b"}}`, string(part.Extra[1].JSON))
	assert.Equal(t, []string{"spec.extraObjects[0]"}, pathsOf(base.Extra), "A profile's are not added to spec's.")

	none, byDefault := of(t, platform, "none"), of(t, config.Default(), "")
	assert.Equal(t, byDefault.Image, none.Image, "A null resets a field to its default.")
	assert.Equal(t, byDefault.SnapshotCron, none.SnapshotCron)
	assert.Equal(t, byDefault.Storage, none.Storage)
	assert.Equal(t, byDefault.SizeNames(), none.SizeNames())
	assert.Equal(t, asJSON(t, byDefault.Password), asJSON(t, none.Password))
	assert.Empty(t, none.Labels)
	assert.Empty(t, none.Args)
	assert.Nil(t, none.TLS)
	assert.Empty(t, none.ServiceAccount.Annotations)
	assert.Empty(t, none.StatefulSetPatches)
	assert.Len(t, none.ServicePatches, 1)
	assert.Empty(t, none.Extra)
	nothing := of(t, platform, "nothing")
	assert.Empty(t, nothing.ServicePatches)
	assert.Empty(t, nothing.StatefulSetPatches)
}

// An error names the field as written, and is reported once.
func TestProblemsOfProfiles(t *testing.T) {
	for _, tc := range []struct {
		reason, spec string
		want         []string
	}{
		{"Problems in a profile are reported even if no claim uses it.", "{profiles: {a: {image: ''}}}", []string{"spec.profiles.a.image"}},
		{"Problems in spec are reported once, however many profiles there are.", "{image: '', profiles: {a: {}, b: {labels: {c: d}}}}", []string{"spec.image"}},
		{"A profile can have the same problem.", "{image: '', profiles: {a: {image: ''}}}", []string{"spec.image", "spec.profiles.a.image"}},
		{"A profile can fix it.", "{image: '', profiles: {a: {image: 'a:v1.40.1'}}}", []string{"spec.image"}},
		{"An unknown field in a profile is reported.", "{profiles: {a: {imgae: b}}}", []string{"spec.profiles.a.imgae"}},
		{"Profiles do not nest.", "{profiles: {a: {profiles: {}}}}", []string{"spec.profiles.a.profiles"}},
		{"What is carried over is the same for all profiles.", "{profiles: {a: {carryAnnotations: []}}}", []string{"spec.profiles.a.carryAnnotations"}},
		{"An empty profile is written {}.", "{profiles: {a: }}", []string{"spec.profiles.a"}},
		{"A profile's name must be valid in a claim.", "{profiles: {a b: {}}}", []string{"spec.profiles[a b]"}},
		{"A profile needs a name.", "{profiles: {'': {}}}", []string{"spec.profiles[]"}},
		{"A list element is named by its index.", "{args: [--dbnum=1], profiles: {a: {args: [--dbnum=1, x]}}}", []string{"spec.profiles.a.args[1]"}},
		{"If two settings conflict, the error is at the one that was written.", "{storage: {minGB: 5}, profiles: {a: {storage: {maxGB: 4}}}}", []string{"spec.storage.minGB"}},
		{"A default was written nowhere, so the error is at the profile.", "{profiles: {a: {storage: {maxGB: 4}}}}", []string{"spec.profiles.a.storage.defaultGB"}},
		{"A profile with sizes of its own no longer has those of spec.", "{sizes: {xl: {limits: {cpu: 1, memory: 2Gi}}}, defaultSize: xl, profiles: {a: {sizes: {}}}}", []string{"spec.defaultSize"}},
		{"A map is replaced as a whole, so the error is in the profile.", "{sizes: {small: {limits: {memory: 4Gi}}}, profiles: {a: {sizes: {small: {threads: 64}}}}}", []string{"spec.profiles.a.sizes.small.limits"}},
		{"It is so with a problem in spec, too.", "{sizes: {small: {limits: {cpu: 99}}}, profiles: {a: {sizes: {small: {threads: 9}}}}}", []string{"spec.sizes.small.limits", "spec.profiles.a.sizes.small.limits"}},
		{"Each profile that inherits something wrong says so.", "{args: [--admin_port=1], profiles: {a: {backend: Operator}, b: {backend: Operator}}}", []string{"spec.args[0]", "spec.args[0]"}},
		{"A setting that fits a StatefulSet may not fit the operator.", "{args: [--admin_port=1], profiles: {a: {backend: Operator}}}", []string{"spec.args[0]"}},
		{"A bucket has no effect in a profile without one.", "{storage: {type: None}, profiles: {a: {storage: {bucket: s3://a}}}}", []string{"spec.profiles.a.storage.bucket"}},
		{"A profile can set what is null in spec.", "{storage: null, profiles: {a: {storage: {type: None}}}}", []string{}},
		{"Also further down.", "{password: {resources: null}, profiles: {a: {password: {resources: {limits: {cpu: 1}}}}}}", []string{}},
		{"It can set what is wrong in spec.", "{storage: 5, profiles: {a: {storage: {type: None}}}}", []string{"spec.storage"}},
		{"A patch in spec can have the wrong type.", "{overrides: {statefulSet: []}, profiles: {a: {overrides: {statefulSet: {spec: {}}}}}}", []string{"spec.overrides.statefulSet"}},
		{"A field keeps its spelling when it is read a second time.", "{Replicas: 5, profiles: {a: {}}}", []string{"spec.Replicas"}},
		{"A dot in a profile's name does not separate path elements.", "{profiles: {v1.2: {image: ''}}}", []string{"spec.profiles[v1.2].image"}},
	} {
		_, problems := read(t, tc.spec)
		assert.Equal(t, tc.want, problems, "%s %s", tc.reason, tc.spec)
	}
}

func TestFilled(t *testing.T) {
	platform, problems := read(t, `
  args: ["--a={name}"]
  labels: {a: "{namespace}"}
  annotations: {a: "{endpoint} {password} {{name}}"}
  connectionSecret: {labels: {a: "{name}"}, annotations: {a: "{name}"}, extraKeys: {a: "{name}"}}
  serviceAccount: {annotations: {a: "{name}"}}
  tls: {secretName: "{name}-tls", issuerRef: {name: "{namespace}"}}
  overrides: {service: {metadata: {annotations: {"{name}": "{name}"}}}}
  extraObjects: [{apiVersion: v1, kind: ConfigMap, metadata: {name: "{name}"}}]
  profiles: {named: {serviceAccount: {name: "{name}-sa", annotations: null}}}
`)
	require.Empty(t, problems)
	values := map[string]string{"name": "a", "namespace": "b", "endpoint": "c"}
	spec := of(t, platform, "")
	before := asJSON(t, spec)
	filled := spec.Filled(values)
	assert.Equal(t, []string{"--a=a"}, filled.Args)
	assert.Equal(t, map[string]string{"a": "b"}, filled.Labels)
	assert.Equal(t, map[string]string{"a": "c {password} {{name}}"}, filled.Annotations)
	assert.Equal(t, map[string]string{"a": "a"}, filled.ConnectionSecret.Labels)
	assert.Equal(t, map[string]string{"a": "a"}, filled.ConnectionSecret.Annotations)
	assert.Equal(t, map[string]string{"a": "{name}"}, filled.ConnectionSecret.ExtraKeys, "The pod fills these in.")
	assert.Equal(t, map[string]string{"a": "a"}, filled.ServiceAccount.Annotations)
	assert.Equal(t, "a-tls", *filled.TLS.SecretName)
	assert.Equal(t, "b", filled.TLS.IssuerRef.Name)
	assert.Equal(t, `{"metadata":{"annotations":{"a":"a"}}}`, string(filled.ServicePatches[0].JSON))
	assert.Contains(t, string(filled.Extra[0].JSON), "{name}", "The names of extra objects are filled in later.")
	assert.Equal(t, before, asJSON(t, spec), "The configuration itself is unchanged.")
	assert.Equal(t, "a-sa", *of(t, platform, "named").Filled(values).ServiceAccount.Name)
}

func TestBucket(t *testing.T) {
	for storage, want := range map[string]string{
		"{}": "", "{type: Bucket, bucket: 's3://a'}": "s3://a", "{type: Bucket, bucket: 's3://a/b/'}": "s3://a/b",
	} {
		platform, problems := read(t, "{storage: "+storage+"}")
		require.Empty(t, problems, storage)
		assert.Equal(t, want, of(t, platform, "").Bucket(), storage)
	}
}
