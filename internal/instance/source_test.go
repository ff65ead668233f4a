package instance_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/config"
	"github.com/bizmatters/dragonfly-generator/internal/instance"
	"github.com/bizmatters/dragonfly-generator/internal/report"
)

func TestSources(t *testing.T) {
	const (
		password   = "{apiVersion: v1, kind: Secret, metadata: {name: a-password, namespace: ns}, data: {password: hunter2}}"
		connection = "{apiVersion: v1, kind: Secret, metadata: {name: a-conn, namespace: ns}, data: {password: hunter2}}"
		external   = "{apiVersion: external-secrets.io/v1, kind: ExternalSecret, metadata: {name: a, namespace: ns}, spec: {target: {name: a-password}}}"
		sealed     = "{apiVersion: bitnami.com/v1alpha1, kind: SealedSecret, metadata: {name: a-conn, namespace: ns}}"
		everywhere = "{apiVersion: external-secrets.io/v1, kind: ClusterExternalSecret, metadata: {name: a-password}}"
		ours       = "{apiVersion: v1, kind: Secret, metadata: {name: a-password, namespace: ns, annotations: {database.bizmatters.io/generated-from: ns/a}}}"
		leaked     = "{apiVersion: v1, kind: Secret, metadata: {name: a-conn, namespace: ns, annotations: {database.bizmatters.io/generated-from: ns/a}}, stringData: {password: hunter2}}"
		encrypted  = "{apiVersion: v1, kind: Secret, metadata: {name: a-password, namespace: ns}, data: {password: hunter2}, sops: {mac: x}}"
		elsewhere  = "{apiVersion: v1, kind: Secret, metadata: {name: a-password, namespace: other}, data: {password: hunter2}}"
		local      = "{apiVersion: bitnami.com/v1alpha1, kind: SealedSecret, metadata: {name: a-password, namespace: ns, annotations: {config.kubernetes.io/local-config: 'true'}}}"
		nowhere    = "{apiVersion: v1, kind: Secret, metadata: {name: a-conn}, data: {password: hunter2}}"
		renamed    = "{apiVersion: v1, kind: Secret, metadata: {name: x-password-1, namespace: ns, annotations: {internal.config.kubernetes.io/previousNames: x-password, internal.config.kubernetes.io/previousNamespaces: ns}}}"
		inList     = "{apiVersion: v1, kind: List, items: [" + password + "]}"
	)
	claim := func(source string) string {
		if source == "" {
			return claimNamed("ns", "a")
		}
		return annotated("{database.bizmatters.io/password-source: " + source + "}")
	}
	moved := metadata("name: a, namespace: ns, annotations: {internal.config.kubernetes.io/previousNames: x, internal.config.kubernetes.io/previousNamespaces: ns}")
	for _, tc := range []struct {
		reason, platform, claim string
		items                   []string
		source                  v1alpha1.PasswordSource // "" if it is refused
		seen                    int
		want                    []problem
	}{
		{"By default the pod makes the password.", "{}", claim(""), nil, v1alpha1.InCluster, 0, nil},
		{"The platform can change that.", "{password: {source: Existing}}", claim(""), nil, v1alpha1.Existing, 0, nil},
		{"A claim overrides the platform.", "{password: {source: Existing}}", claim("External"), nil, v1alpha1.External, 0, nil},
		{"A password among the items is used.", "{}", claim(""), []string{password}, v1alpha1.Existing, 1, nil},
		{"So is one in a List.", "{}", claim(""), []string{inList}, v1alpha1.Existing, 1, nil},
		{"So is an encrypted one.", "{}", claim(""), []string{encrypted}, v1alpha1.Existing, 1, nil},
		{"So is one that an operator makes.", "{}", claim(""), []string{external}, v1alpha1.Existing, 1, nil},
		{"So is one made in many namespaces.", "{}", claim(""), []string{everywhere}, v1alpha1.Existing, 1, nil},
		{"A stated source is not reported as detected.", "{}", claim("Existing"), []string{external}, v1alpha1.Existing, 0, nil},
		{"If both Secrets are provided, the pod needs none.", "{}", claim(""), []string{external, sealed}, v1alpha1.External, 2, nil},
		{"External is not changed.", "{}", claim("External"), []string{password, connection}, v1alpha1.External, 0, nil},
		{"Our own earlier output does not count as a source.", "{}", claim(""), []string{ours}, v1alpha1.InCluster, 0, nil},
		{"A Secret in another namespace is another one.", "{}", claim(""), []string{elsewhere}, v1alpha1.InCluster, 0, nil},
		{"An object that is not applied to the cluster creates no Secret there.", "{}", claim(""), []string{local}, v1alpha1.InCluster, 0, nil},

		{"Two password sources are one too many.", "{}", claim("InCluster"), []string{password}, "", 0, []problem{{"", nil, "password source InCluster"}}},
		{"Both are reported at once.", "{}", claim("InCluster"), []string{external, sealed}, "", 0, []problem{{"", nil, "password source InCluster"}, {"", nil, "creates a-conn"}}},
		{"A connection Secret alone is ambiguous.", "{}", claim(""), []string{connection}, "", 0, []problem{{"", nil, "was not generated from it"}}},
		{"So is one beside a stated source.", "{}", claim("Existing"), []string{external, sealed}, "", 0, []problem{{"", nil, "creates a-conn"}}},
		{"Two plaintext Secrets look like an export.", "{}", claim(""), []string{password, connection}, "", 0, []problem{{"", nil, "in plain text"}}},
		{"A Secret without a namespace is ambiguous.", "{}", claim(""), []string{nowhere}, "", 0, []problem{{"metadata.namespace", "ns", "is missing"}}},
		{"A password in one of our manifests would never change.", "{}", claim(""), []string{leaked}, "", 0, []problem{{"", nil, "contains a password"}}},
		{"A Secret that kustomize renamed differently is lost.", "{}", moved, []string{renamed}, "", 0, []problem{{"", nil, "two different names"}}},
		{"Unless it belongs to another claim.", "{}", moved, []string{renamed, claimNamed("ns", "x")}, v1alpha1.InCluster, 0, nil},
	} {
		l := list(t, "", append([]string{tc.claim}, tc.items...)...)
		var results report.Results
		instances, claims := instance.FromClaims(l, platformOf(t, tc.platform), &results)
		require.Empty(t, results.All(), tc.reason)
		instances = instance.Sources(l, instances, claims, &results)
		assertProblems(t, tc.want, results.All(), tc.reason)
		if tc.source == "" {
			assert.Empty(t, instances, tc.reason)
			continue
		}
		require.NotEmpty(t, instances, tc.reason)
		assert.Equal(t, tc.source, instances[0].Source, tc.reason)
		assert.Len(t, instances[0].Seen, tc.seen, tc.reason)
		assert.Equal(t, tc.source != v1alpha1.External, instances[0].HasPrepare(), tc.reason)
	}
}

func TestHasPassword(t *testing.T) {
	for object, want := range map[string]bool{
		"{data: {password: hunter2}}": true, "{stringData: {password: hunter2}}": true,
		"{data: {password: }}": false, "{data: {endpoint: a}}": false, "{}": false,
	} {
		n, err := yaml.Parse(object)
		require.NoError(t, err)
		assert.Equal(t, want, instance.HasPassword(n.YNode()), object)
	}
}

func TestClaims(t *testing.T) {
	_, claims := instance.FromClaims(list(t, "", withSpec("{size: 1}")), config.Default(), &report.Results{})
	assert.Len(t, claims, 1)
	assert.Contains(t, claims, "ns/a", "A claim with problems still owns its objects.")
	_, claims = instance.FromClaims(list(t, ""), config.Default(), &report.Results{})
	assert.Empty(t, claims)
}
