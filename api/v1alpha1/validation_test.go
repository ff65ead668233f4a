package v1alpha1_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/yaml"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
)

// profile parses settings and fills in the defaults.
func profile(t *testing.T, settings string) v1alpha1.ProfileSpec {
	t.Helper()
	var spec v1alpha1.ProfileSpec
	require.NoError(t, yaml.UnmarshalStrict([]byte(settings), &spec), settings)
	spec.Default()
	return spec
}

// problems validates settings, and checks that no error shows a secret, whatever is wrong.
func problems(t *testing.T, settings string) field.ErrorList {
	t.Helper()
	spec := profile(t, settings)
	errs := spec.Validate(field.NewPath("spec"))
	for _, err := range errs {
		assert.NotContains(t, err.Error(), marker, settings)
		assert.NotEmpty(t, err.Detail, settings)
	}
	return errs
}

// marker is part of every secret in these tests.
const marker = "hunter2"

// paths returns the fields that the errors are about.
func paths(errs field.ErrorList) []string {
	all := []string{}
	for _, err := range errs {
		all = append(all, err.Field)
	}
	return all
}

func TestDefaultsAreValid(t *testing.T) {
	assert.Empty(t, problems(t, "{}"))
}

func TestValidate(t *testing.T) {
	const label63 = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	for _, tc := range []struct {
		settings string
		want     []string
		says     string // part of the last error
	}{
		{"{backend: Operator, replicas: 3}", []string{}, ""},
		{"{backend: operator}", []string{"spec.backend"}, "StatefulSet, Operator"},
		{"{replicas: 0}", []string{"spec.replicas"}, "too small"},
		{"{replicas: 2}", []string{"spec.replicas"}, "backend: Operator"},

		{"{imagePullPolicy: Never}", []string{}, ""},
		{"{imagePullPolicy: hunter2}", []string{"spec.imagePullPolicy"}, "Always, IfNotPresent, Never"},
		{"{imagePullSecrets: [{name: a}, {}, {name: A}]}", []string{"spec.imagePullSecrets[1].name", "spec.imagePullSecrets[2].name"}, "Secret name"},
		{"{clusterDomain: k8s.example.com}", []string{}, ""},
		{"{clusterDomain: ''}", []string{"spec.clusterDomain"}, "domain"},
		{"{clusterDomain: cluster.local.}", []string{"spec.clusterDomain"}, "without a dot at the end"},
		{"{storageClassName: ''}", []string{}, ""},
		{"{storageClassName: Fast}", []string{"spec.storageClassName"}, "storage class name"},

		{"{password: {source: Existing, resources: {requests: {cpu: 50m}, limits: {memory: 128Mi}}}}", []string{}, ""},
		{"{password: {source: hunter2}}", []string{"spec.password.source"}, "InCluster, Existing, External"},
		{"{password: {resources: {requests: {cpu: 2}, limits: {cpu: 1}}}}", []string{"spec.password.resources.requests.cpu"}, "above the limit"},
		{"{password: {resources: {limits: {memory: 15Mi}}}}", []string{"spec.password.resources.limits.memory"}, "16Mi or more"},
		{"{password: {resources: {requests: {cpu: 0, memory: 2Pi}}}}", []string{"spec.password.resources.requests.cpu", "spec.password.resources.requests.memory"}, "1Pi"},
		{"{password: {resources: {requests: {memory: 1Mi}, limits: {memory: 1Gi}}}}", []string{"spec.password.resources.requests.memory"}, "16Mi or more"},

		{"{connectionSecret: {extraKeys: {uri: '{scheme}://:{passwordEncoded}@{endpoint}:{port}/0', who: '{name}.{namespace}', p: '{password}'}}}", []string{}, ""},
		{"{connectionSecret: {extraKeys: {shell: '${prot}', template: '{{prot}}'}}}", []string{}, ""},
		{"{connectionSecret: {extraKeys: {uri: '{prot}-hunter2'}}}", []string{"spec.connectionSecret.extraKeys.uri"}, "{passwordEncoded}"},
		{"{connectionSecret: {extraKeys: {a b: ''}}}", []string{"spec.connectionSecret.extraKeys[a b]"}, "Secret key"},
		{"{connectionSecret: {extraKeys: {endpoint: a, password: hunter2, port: a}}}",
			[]string{"spec.connectionSecret.extraKeys.endpoint", "spec.connectionSecret.extraKeys.password", "spec.connectionSecret.extraKeys.port"}, "already has"},
		{"{connectionSecret: {type: servicebinding.io/redis, labels: {a: b}, annotations: {a: b}}}", []string{}, ""},
		{"{connectionSecret: {type: ''}}", []string{"spec.connectionSecret.type"}, "empty"},
		{"{connectionSecret: {type: kubernetes.io/basic-auth}}", []string{"spec.connectionSecret.type"}, "built-in type of Kubernetes"},
		{"{connectionSecret: {type: a b}}", []string{"spec.connectionSecret.type"}, "Secret type"},
		{"{connectionSecret: {labels: {app: a}, annotations: {database.bizmatters.io/a: b}}}",
			[]string{"spec.connectionSecret.labels.app", "spec.connectionSecret.annotations[database.bizmatters.io/a]"}, "database.bizmatters.io"},

		{"{serviceAccount: {name: '{name}-sa'}}", []string{}, ""},
		{"{serviceAccount: {annotations: {eks.amazonaws.com/role-arn: a}}}", []string{}, ""},
		{"{serviceAccount: {name: A}}", []string{"spec.serviceAccount.name"}, "name"},
		{"{serviceAccount: {name: a, annotations: {b: c}}}", []string{"spec.serviceAccount.annotations"}, "serviceAccount.name"},
		{"{serviceAccount: {annotations: {a b: c}}}", []string{"spec.serviceAccount.annotations[a b]"}, "annotation name"},

		{"{labels: {team: '{name}', example.com/a: ''}}", []string{}, ""},
		{"{labels: {a: " + label63 + "}}", []string{}, ""},
		{"{labels: {a: " + label63 + "a}}", []string{"spec.labels.a"}, "label value"},
		{"{labels: {a: hunter2 x}}", []string{"spec.labels.a"}, "label value"},
		{"{labels: {a b: c}}", []string{"spec.labels[a b]"}, "label name"},
		{"{labels: {'': c}}", []string{"spec.labels[]"}, "label name"},
		{"{labels: {app.kubernetes.io/name: a, app.kubernetes.io/managed-by: b}}", []string{"spec.labels[app.kubernetes.io/managed-by]", "spec.labels[app.kubernetes.io/name]"}, "every object gets"},
		{"{annotations: {example.com/Owner: 'any text {name}'}}", []string{}, ""},
		{"{annotations: {a b: c}}", []string{"spec.annotations[a b]"}, "annotation name"},
		{"{annotations: {database.bizmatters.io/generated-from: a}}", []string{"spec.annotations[database.bizmatters.io/generated-from]"}, "this function sets itself"},
		{"{annotations: {internal.config.kubernetes.io/path: a}}", []string{"spec.annotations[internal.config.kubernetes.io/path]"}, "bookkeeping"},
		{"{annotations: {config.kubernetes.io/depends-on: a}}", []string{}, ""},

		{"{nodeSelector: {a: b}}", []string{}, ""},
		{"{nodeSelector: {a: b c}}", []string{"spec.nodeSelector.a"}, "label value"},
		{"{nodeSelector: {workload.io/a b: c}}", []string{"spec.nodeSelector[workload.io/a b]"}, "label name"},

		{"{tolerations: [{key: a, operator: Exists, effect: NoExecute, tolerationSeconds: 5}, {operator: Exists}, {key: a, value: b}]}", []string{}, ""},
		{"{tolerations: [{}]}", []string{"spec.tolerations[0].key"}, "is missing"},
		{"{tolerations: [{key: a b}]}", []string{"spec.tolerations[0].key"}, "label name"},
		{"{tolerations: [{key: a, operator: Exist}]}", []string{"spec.tolerations[0].operator"}, "Exists, Equal"},
		{"{tolerations: [{key: a, effect: NoRun}]}", []string{"spec.tolerations[0].effect"}, "NoSchedule, PreferNoSchedule, NoExecute"},
		{"{tolerations: [{key: a, operator: Exists, value: b}]}", []string{"spec.tolerations[0].value"}, "operator: Exists"},
		{"{tolerations: [{key: a}, {key: a, tolerationSeconds: 5}]}", []string{"spec.tolerations[1].tolerationSeconds"}, "effect: NoExecute"},
	} {
		errs := problems(t, tc.settings)
		assert.Equal(t, tc.want, paths(errs), tc.settings)
		if len(errs) > 0 {
			assert.Contains(t, errs[len(errs)-1].Detail, tc.says, tc.settings)
		}
	}
}

// Some labels and annotations make an applier replace the live Secret with the manifest, which has no password.
func TestSecretsAreNotReplaced(t *testing.T) {
	for text, refused := range map[string]bool{
		"{argocd.argoproj.io/sync-options: Replace=true}":                     true,
		"{argocd.argoproj.io/sync-options: 'Prune=false, Force=true'}":        true,
		"{argocd.argoproj.io/sync-options: 'Prune=false,Delete=false'}":       false,
		"{kustomize.toolkit.fluxcd.io/force: enabled}":                        true,
		"{kustomize.toolkit.fluxcd.io/force: Enabled}":                        true,
		"{kustomize.toolkit.fluxcd.io/force: disabled}":                       false,
		"{kustomize.toolkit.fluxcd.io/prune: disabled, a: Replace=true}":      false,
		"{argocd.argoproj.io/sync-options: Replace=false, a: 'Replace=true'}": false,
	} {
		for _, list := range []string{"annotations: ", "connectionSecret: {annotations: "} {
			settings := "{" + list + text + "}"
			if list != "annotations: " {
				settings += "}"
			}
			errs := problems(t, settings)
			require.Equal(t, refused, len(errs) == 1, settings)
			if refused {
				assert.Contains(t, errs[0].Detail, "live Secrets", settings)
			}
		}
	}
	assert.Empty(t, problems(t, "{serviceAccount: {annotations: {argocd.argoproj.io/sync-options: Replace=true}}}"), "A ServiceAccount is not a Secret.")
	assert.Len(t, problems(t, "{labels: {kustomize.toolkit.fluxcd.io/force: enabled}}"), 1, "Flux reads the label too.")
	assert.Equal(t, "Prune=false", v1alpha1.WithoutReplacing("argocd.argoproj.io/sync-options", "Replace=true,Prune=false"))
	assert.Equal(t, "Replace=true", v1alpha1.WithoutReplacing("example.com/a", "Replace=true"))
}

func TestStorage(t *testing.T) {
	for storage, want := range map[string][]string{
		"{type: None}":                             {},
		"{type: Bucket, bucket: s3://a}":           {},
		"{type: Bucket, bucket: gs://a/b/c/}":      {},
		"{type: Bucket, bucket: 'az://a/b'}":       {},
		"{type: Bucket}":                           {"spec.storage.bucket"},
		"{bucket: s3://a}":                         {"spec.storage.bucket"},
		"{type: None, bucket: s3://a}":             {"spec.storage.bucket"},
		"{type: Bucket, bucket: a}":                {"spec.storage.bucket"},
		"{type: Bucket, bucket: 's3://a/../b'}":    {"spec.storage.bucket"},
		"{type: Bucket, bucket: 's3://a//b'}":      {"spec.storage.bucket"},
		"{type: Bucket, bucket: 'https://a'}":      {"spec.storage.bucket"},
		"{type: Bucket, bucket: 's3://a?hunter2'}": {"spec.storage.bucket"},
		"{type: bucket, bucket: s3://a}":           {"spec.storage.type", "spec.storage.bucket"},
		"{minGB: 1, maxGB: 500, defaultGB: 500}":   {},
		"{minGB: 10, maxGB: 10}":                   {},
		"{minGB: 0}":                               {"spec.storage.minGB"},
		"{maxGB: -1, defaultGB: 0}":                {"spec.storage.maxGB", "spec.storage.defaultGB"},
		"{minGB: 20, maxGB: 15}":                   {"spec.storage.minGB"},
		"{minGB: 11}":                              {"spec.storage.defaultGB"},
		"{maxGB: 9}":                               {"spec.storage.defaultGB"},
	} {
		assert.Equal(t, want, paths(problems(t, "{storage: "+storage+"}")), storage)
	}
}

func TestBounds(t *testing.T) {
	for _, tc := range []struct {
		storage, bounds  string
		allowed, refused []int32
	}{
		{"{}", "1 (GiB) or more", []int32{1, 10, 2147483647}, []int32{0, -1}},
		{"{minGB: 5, maxGB: 20}", "5 to 20 (GiB)", []int32{5, 20}, []int32{4, 21}},
	} {
		storage := profile(t, "{storage: "+tc.storage+"}").Storage
		assert.Equal(t, tc.bounds, storage.Bounds())
		for _, gb := range tc.allowed {
			assert.True(t, storage.Allows(gb), "%s %d", tc.storage, gb)
		}
		for _, gb := range tc.refused {
			assert.False(t, storage.Allows(gb), "%s %d", tc.storage, gb)
		}
	}
}

func TestTLS(t *testing.T) {
	for settings, want := range map[string][]string{
		"{tls: {secretName: a}}": {},
		"{tls: {secretName: '{namespace}-{name}.tls', issuerRef: {name: a}}}":      {},
		"{tls: {secretName: '{name}', issuerRef: {name: a, kind: B, group: c.d}}}": {},
		"{tls: {secretName: '{name}', issuerRef: {name: 'a-{namespace}'}}}":        {},
		"{tls: {issuerRef: {name: a, kind: '{namespace}'}}}":                       {},
		"{tls: {issuerRef: {name: a, kind: ClusterIssuer}}}":                       {},
		"{tls: {issuerRef: {name: a}}}":                                            {},
		"{tls: {secretName: a, reload: false}}":                                    {},
		"{tls: {secretName: a}, args: [--tls_ca_cert_file=x]}":                     {},
		"{tls: {}}":                                                     {"spec.tls.secretName"},
		"{tls: {reload: true}}":                                         {"spec.tls.secretName"},
		"{tls: {secretName: ''}}":                                       {"spec.tls.secretName"},
		"{tls: {secretName: A}}":                                        {"spec.tls.secretName"},
		"{tls: {secretName: '{name}-conn'}}":                            {"spec.tls.secretName"},
		"{tls: {secretName: '{name}-password'}}":                        {"spec.tls.secretName"},
		"{tls: {secretName: '{nmae}-tls'}}":                             {"spec.tls.secretName"},
		"{tls: {secretName: shared, issuerRef: {name: a}}}":             {"spec.tls.secretName"},
		"{tls: {secretName: '{name}', issuerRef: {}}}":                  {"spec.tls.issuerRef.name"},
		"{tls: {secretName: '{name}', issuerRef: {name: 'a b'}}}":       {"spec.tls.issuerRef.name"},
		"{tls: {secretName: '{name}', issuerRef: {name: a, kind: ''}}}": {"spec.tls.issuerRef.kind"},
		"{tls: {issuerRef: {name: a, kind: issuer}}}":                   {"spec.tls.issuerRef.kind"},
		"{tls: {issuerRef: {name: a, kind: clusterissuer}}}":            {"spec.tls.issuerRef.kind"},
		"{tls: {issuerRef: {name: a, kind: Cluster}}}":                  {"spec.tls.issuerRef.kind"},
		"{tls: {issuerRef: {name: a, kind: '', group: ''}}}":            {"spec.tls.issuerRef.kind", "spec.tls.issuerRef.group"},
		"{tls: {secretName: a}, args: [--tls=true]}":                    {"spec.args[0]"},
		"{tls: {secretName: a}, args: [--tls_key_file=x]}":              {"spec.args[0]"},
		"{tls: {secretName: a}, args: [--notls]}":                       {"spec.args[0]"},
	} {
		assert.Equal(t, want, paths(problems(t, settings)), settings)
	}
}

func TestTLSDefaults(t *testing.T) {
	assert.Nil(t, profile(t, "{}").TLS, "Without the block, TLS is off.")

	tls := profile(t, "{tls: {secretName: a}}").TLS
	assert.True(t, *tls.Reload)
	assert.Nil(t, tls.IssuerRef)

	tls = profile(t, "{tls: {reload: false, issuerRef: {name: a}}}").TLS
	assert.False(t, *tls.Reload)
	assert.Equal(t, "{name}-tls", *tls.SecretName, "With an issuer, the Secret has a default.")
	assert.Equal(t, "Issuer", *tls.IssuerRef.Kind)
	assert.Equal(t, "cert-manager.io", *tls.IssuerRef.Group)
}

// The init container's limit follows its request, and vice versa.
func TestPrepareResources(t *testing.T) {
	for resources, want := range map[string][4]string{
		"{}": {"100m", "100m", "64Mi", "64Mi"},
		"{requests: {cpu: 50m}, limits: {memory: 128Mi}}":                      {"50m", "50m", "128Mi", "128Mi"},
		"{requests: {cpu: 50m, memory: 32Mi}, limits: {cpu: 1, memory: 64Mi}}": {"50m", "1", "32Mi", "64Mi"},
		"{requests: {memory: 32Mi}, limits: {cpu: 200m}}":                      {"200m", "200m", "32Mi", "32Mi"},
	} {
		spec := profile(t, "{password: {resources: "+resources+"}}")
		requests, limits := spec.Password.ContainerResources()
		assert.Equal(t, want, [4]string{requests.CPU.String(), limits.CPU.String(), requests.Memory.String(), limits.Memory.String()}, resources)
	}
}

// Whatever a claim does not set comes from the platform.
func TestClaimDefaults(t *testing.T) {
	platform := profile(t, "{defaultSize: large, storage: {defaultGB: 50}}")
	var claim v1alpha1.DragonflyInstanceSpec
	claim.Default(&platform)
	assert.Equal(t, "large", *claim.Size)
	assert.EqualValues(t, 50, *claim.StorageGB)

	claim = v1alpha1.DragonflyInstanceSpec{Size: new("micro"), StorageGB: new(int32(5))}
	claim.Default(&platform)
	assert.Equal(t, "micro", *claim.Size)
	assert.EqualValues(t, 5, *claim.StorageGB)
}
