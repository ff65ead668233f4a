package instance_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/internal/instance"
	"github.com/bizmatters/dragonfly-generator/internal/krm"
)

func TestMadeBy(t *testing.T) {
	for _, tc := range []struct {
		reason, object string
		want           []string // namespace/name
	}{
		{"A Secret counts as its own maker.",
			`{apiVersion: v1, kind: Secret, metadata: {name: a, namespace: ns}}`, []string{"ns/a"}},
		{"A Secret without a name cannot be the one.",
			`{apiVersion: v1, kind: Secret, metadata: {namespace: ns}}`, nil},
		{"An object without a namespace makes a Secret without one.",
			`{apiVersion: v1, kind: Secret, metadata: {name: a}}`, []string{"/a"}},
		{"An object without metadata makes nothing.",
			`{apiVersion: v1, kind: Secret}`, nil},
		{"The kind alone does not decide: this Secret is in another group.",
			`{apiVersion: example.com/v1, kind: Secret, metadata: {name: a, namespace: ns}}`, nil},
		{"The version does not matter.",
			`{apiVersion: external-secrets.io/v9, kind: ExternalSecret, metadata: {name: a, namespace: ns}}`, []string{"ns/a"}},

		{"An object that is not applied to the cluster creates nothing.",
			`{apiVersion: external-secrets.io/v1, kind: ExternalSecret, metadata: {name: a, namespace: ns, annotations: {config.kubernetes.io/local-config: "true"}}}`, nil},
		{"It is applied if the annotation says so.",
			`{apiVersion: v1, kind: Secret, metadata: {name: a, namespace: ns, annotations: {config.kubernetes.io/local-config: "false"}}}`, []string{"ns/a"}},

		{"A SealedSecret's own name and namespace are sealed in; those in the template do not count.",
			`{apiVersion: bitnami.com/v1alpha1, kind: SealedSecret, metadata: {name: a, namespace: ns}, spec: {template: {metadata: {name: b, namespace: other}}}}`, []string{"ns/a"}},

		{"The target of an ExternalSecret can have a name.",
			`{apiVersion: external-secrets.io/v1, kind: ExternalSecret, metadata: {name: a, namespace: ns}, spec: {target: {name: b}}}`, []string{"ns/b"}},
		{"Without one, it is the ExternalSecret's.",
			`{apiVersion: external-secrets.io/v1, kind: ExternalSecret, metadata: {name: a, namespace: ns}, spec: {target: {creationPolicy: Owner}}}`, []string{"ns/a"}},
		{"An empty name counts as missing.",
			`{apiVersion: external-secrets.io/v1, kind: ExternalSecret, metadata: {name: a, namespace: ns}, spec: {target: {name: ""}}}`, []string{"ns/a"}},
		{"So does null.",
			`{apiVersion: external-secrets.io/v1, kind: ExternalSecret, metadata: {name: a, namespace: ns}, spec: {target: {name: null}}}`, []string{"ns/a"}},
		{"Orphan creates the Secret and leaves it behind.",
			`{apiVersion: external-secrets.io/v1, kind: ExternalSecret, metadata: {name: a, namespace: ns}, spec: {target: {creationPolicy: Orphan}}}`, []string{"ns/a"}},
		{"CreateOrMerge creates it if it does not exist.",
			`{apiVersion: external-secrets.io/v1, kind: ExternalSecret, metadata: {name: a, namespace: ns}, spec: {target: {creationPolicy: CreateOrMerge}}}`, []string{"ns/a"}},
		{"Merge only adds to a Secret.",
			`{apiVersion: external-secrets.io/v1, kind: ExternalSecret, metadata: {name: a, namespace: ns}, spec: {target: {name: b, creationPolicy: Merge}}}`, nil},
		{"None creates nothing.",
			`{apiVersion: external-secrets.io/v1, kind: ExternalSecret, metadata: {name: a, namespace: ns}, spec: {target: {creationPolicy: None}}}`, nil},
		{"With a manifest, it creates that instead of a Secret.",
			`{apiVersion: external-secrets.io/v1, kind: ExternalSecret, metadata: {name: a, namespace: ns}, spec: {target: {name: b, manifest: {apiVersion: v1, kind: ConfigMap}}}}`, nil},
		{"Unless the manifest is a Secret.",
			`{apiVersion: external-secrets.io/v1, kind: ExternalSecret, metadata: {name: a, namespace: ns}, spec: {target: {name: b, manifest: {apiVersion: v1, kind: Secret}}}}`, []string{"ns/b"}},

		{"A ClusterExternalSecret makes ExternalSecrets, whose target can have a name.",
			`{apiVersion: external-secrets.io/v1, kind: ClusterExternalSecret, metadata: {name: a}, spec: {externalSecretName: b, externalSecretSpec: {target: {name: c}}}}`, []string{"/c"}},
		{"Without one, it is the ExternalSecrets' own.",
			`{apiVersion: external-secrets.io/v1, kind: ClusterExternalSecret, metadata: {name: a}, spec: {externalSecretName: b, externalSecretSpec: {}}}`, []string{"/b"}},
		{"Which defaults to the ClusterExternalSecret's.",
			`{apiVersion: external-secrets.io/v1, kind: ClusterExternalSecret, metadata: {name: a}, spec: {externalSecretSpec: {}}}`, []string{"/a"}},
		{"It has no namespace, whatever is written there.",
			`{apiVersion: external-secrets.io/v1, kind: ClusterExternalSecret, metadata: {name: a, namespace: ns}}`, []string{"/a"}},
		{"Merge only adds to Secrets there too.",
			`{apiVersion: external-secrets.io/v1, kind: ClusterExternalSecret, metadata: {name: a}, spec: {externalSecretSpec: {target: {creationPolicy: Merge}}}}`, nil},
		{"And a manifest replaces the Secret there too.",
			`{apiVersion: external-secrets.io/v1, kind: ClusterExternalSecret, metadata: {name: a}, spec: {externalSecretSpec: {target: {manifest: {apiVersion: v1, kind: ConfigMap}}}}}`, nil},

		{"A VaultStaticSecret creates its destination if asked to.",
			`{apiVersion: secrets.hashicorp.com/v1beta1, kind: VaultStaticSecret, metadata: {name: a, namespace: ns}, spec: {destination: {name: b, create: true}}}`, []string{"ns/b"}},
		{"Which YAML can spell in several ways.",
			`{apiVersion: secrets.hashicorp.com/v1beta1, kind: VaultStaticSecret, metadata: {name: a, namespace: ns}, spec: {destination: {name: b, create: True}}}`, []string{"ns/b"}},
		{"And kubectl accepts those of YAML 1.1.",
			`{apiVersion: secrets.hashicorp.com/v1beta1, kind: VaultStaticSecret, metadata: {name: a, namespace: ns}, spec: {destination: {name: b, create: yes}}}`, []string{"ns/b"}},
		{"By default, it only writes to an existing Secret.",
			`{apiVersion: secrets.hashicorp.com/v1beta1, kind: VaultStaticSecret, metadata: {name: a, namespace: ns}, spec: {destination: {name: b}}}`, nil},
		{"The default can be explicit.",
			`{apiVersion: secrets.hashicorp.com/v1beta1, kind: VaultStaticSecret, metadata: {name: a, namespace: ns}, spec: {destination: {name: b, create: false}}}`, nil},
		{"Its own name has nothing to do with the Secret's.",
			`{apiVersion: secrets.hashicorp.com/v1beta1, kind: VaultStaticSecret, metadata: {name: a, namespace: ns}, spec: {destination: {create: true}}}`, nil},
		{"A VaultDynamicSecret has the same destination.",
			`{apiVersion: secrets.hashicorp.com/v1beta1, kind: VaultDynamicSecret, metadata: {name: a, namespace: ns}, spec: {destination: {name: b, create: true}}}`, []string{"ns/b"}},
		{"With the same default.",
			`{apiVersion: secrets.hashicorp.com/v1beta1, kind: VaultDynamicSecret, metadata: {name: a, namespace: ns}, spec: {destination: {name: b}}}`, nil},
		{"Which can be explicit, too.",
			`{apiVersion: secrets.hashicorp.com/v1beta1, kind: VaultDynamicSecret, metadata: {name: a, namespace: ns}, spec: {destination: {name: b, create: false}}}`, nil},
		{"External Secrets has a generator of the same kind, which makes no Secret.",
			`{apiVersion: generators.external-secrets.io/v1alpha1, kind: VaultDynamicSecret, metadata: {name: a, namespace: ns}, spec: {destination: {name: b, create: true}}}`, nil},

		{"A OnePasswordItem gives the Secret its name.",
			`{apiVersion: onepassword.com/v1, kind: OnePasswordItem, metadata: {name: a, namespace: ns}, spec: {itemPath: vaults/v/items/b}}`, []string{"ns/a"}},

		{"An InfisicalSecret names the Secret and its namespace.",
			`{apiVersion: secrets.infisical.com/v1alpha1, kind: InfisicalSecret, metadata: {name: a, namespace: ns}, spec: {managedSecretReference: {secretName: b, secretNamespace: other, creationPolicy: Orphan}}}`, []string{"other/b"}},
		{"Or several, in the list that replaced that field.",
			`{apiVersion: secrets.infisical.com/v1alpha1, kind: InfisicalSecret, metadata: {name: a, namespace: ns}, spec: {managedKubeSecretReferences: [{secretName: b, secretNamespace: ns}, {secretName: c, secretNamespace: other, creationPolicy: Owner}]}}`, []string{"ns/b", "other/c"}},
		{"Both fields count.",
			`{apiVersion: secrets.infisical.com/v1alpha1, kind: InfisicalSecret, metadata: {name: a, namespace: ns}, spec: {managedSecretReference: {secretName: b, secretNamespace: ns}, managedKubeSecretReferences: [{secretName: c, secretNamespace: ns}]}}`, []string{"ns/b", "ns/c"}},
		{"ConfigMaps do not count.",
			`{apiVersion: secrets.infisical.com/v1alpha1, kind: InfisicalSecret, metadata: {name: a, namespace: ns}, spec: {managedKubeConfigMapReferences: [{configMapName: b, configMapNamespace: ns}]}}`, nil},
		{"An InfisicalStaticSecret has targets, some of which may be ConfigMaps.",
			`{apiVersion: secrets.infisical.com/v1beta1, kind: InfisicalStaticSecret, metadata: {name: a, namespace: ns}, spec: {targets: [{kind: ConfigMap, name: b, namespace: ns}, {kind: Secret, name: c, namespace: other, creationPolicy: Orphan}]}}`, []string{"other/c"}},

		{"A BitwardenSecret names the Secret.",
			`{apiVersion: k8s.bitwarden.com/v1, kind: BitwardenSecret, metadata: {name: a, namespace: ns}, spec: {secretName: b, authToken: {secretName: c}}}`, []string{"ns/b"}},

		{"A SopsSecret has a template for each Secret, and makes none under its own name.",
			`{apiVersion: isindir.github.com/v1alpha3, kind: SopsSecret, metadata: {name: a, namespace: ns}, spec: {suspend: false, secretTemplates: [{name: b}, {name: c}]}}`, []string{"ns/b", "ns/c"}},
		{"While it is suspended, the Secrets it made stay.",
			`{apiVersion: isindir.github.com/v1alpha3, kind: SopsSecret, metadata: {name: a, namespace: ns}, spec: {suspend: true, secretTemplates: [{name: b}]}}`, []string{"ns/b"}},
		{"A name encrypted by SOPS matches nothing.",
			`{apiVersion: isindir.github.com/v1alpha3, kind: SopsSecret, metadata: {name: a, namespace: ns}, spec: {secretTemplates: [{name: "ENC[AES256_GCM,data:uw==,iv:x,tag:y,type:str]"}, {name: b}]}}`, []string{"ns/b"}},

		{"A DopplerSecret names the Secret and its namespace.",
			`{apiVersion: secrets.doppler.com/v1alpha1, kind: DopplerSecret, metadata: {name: a, namespace: doppler-operator-system}, spec: {tokenSecret: {name: c}, managedSecret: {name: b, namespace: ns}}}`, []string{"ns/b"}},
		{"By default, it is its own.",
			`{apiVersion: secrets.doppler.com/v1alpha1, kind: DopplerSecret, metadata: {name: a, namespace: ns}, spec: {managedSecret: {name: b}}}`, []string{"ns/b"}},

		{"An AzureKeyVaultSecret names the Secret.",
			`{apiVersion: spv.no/v1, kind: AzureKeyVaultSecret, metadata: {name: a, namespace: ns}, spec: {output: {secret: {name: b}}}}`, []string{"ns/b"}},
		{"Without output, it is only for the injector.",
			`{apiVersion: spv.no/v1, kind: AzureKeyVaultSecret, metadata: {name: a, namespace: ns}, spec: {vault: {name: v}}}`, nil},
		{"A ConfigMap is not a Secret.",
			`{apiVersion: spv.no/v1, kind: AzureKeyVaultSecret, metadata: {name: a, namespace: ns}, spec: {output: {configMap: {name: b}}}}`, nil},

		{"A PushSecret reads a Secret.",
			`{apiVersion: external-secrets.io/v1alpha1, kind: PushSecret, metadata: {name: a, namespace: ns}, spec: {selector: {secret: {name: b}}}}`, nil},
		{"So does an InfisicalPushSecret.",
			`{apiVersion: secrets.infisical.com/v1alpha1, kind: InfisicalPushSecret, metadata: {name: a, namespace: ns}, spec: {push: {secret: {secretName: b, secretNamespace: ns}}}}`, nil},
		{"A SecretExport offers a Secret to other namespaces.",
			`{apiVersion: secretgen.carvel.dev/v1alpha1, kind: SecretExport, metadata: {name: a, namespace: ns}, spec: {toNamespace: other}}`, nil},
		{"A TriggerAuthentication reads one.",
			`{apiVersion: keda.sh/v1alpha1, kind: TriggerAuthentication, metadata: {name: a, namespace: ns}, spec: {secretTargetRef: [{parameter: password, name: b, key: password}]}}`, nil},
		{"So does a ServiceBinding.",
			`{apiVersion: servicebinding.io/v1, kind: ServiceBinding, metadata: {name: a, namespace: ns}, spec: {service: {apiVersion: v1, kind: Secret, name: b}}}`, nil},
		{"So does an Elasticsearch.",
			`{apiVersion: elasticsearch.k8s.elastic.co/v1, kind: Elasticsearch, metadata: {name: a, namespace: ns}, spec: {secureSettings: [{secretName: b}]}}`, nil},

		{"A mapping instead of a list has no elements.",
			`{apiVersion: isindir.github.com/v1alpha3, kind: SopsSecret, metadata: {name: a, namespace: ns}, spec: {secretTemplates: {name: b}}}`, nil},
		{"Neither does a string.",
			`{apiVersion: isindir.github.com/v1alpha3, kind: SopsSecret, metadata: {name: a, namespace: ns}, spec: {secretTemplates: b}}`, nil},
		{"Nor null.",
			`{apiVersion: isindir.github.com/v1alpha3, kind: SopsSecret, metadata: {name: a, namespace: ns}, spec: {secretTemplates: null}}`, nil},
		{"Elements of the wrong type make nothing; the others do.",
			`{apiVersion: isindir.github.com/v1alpha3, kind: SopsSecret, metadata: {name: a, namespace: ns}, spec: {secretTemplates: [b, null, 1, [{name: c}], {}, {name: }, {name: [d]}, {name: {e: f}}, {name: g}]}}`, []string{"ns/g"}},
		{"A list instead of a mapping has no fields.",
			`{apiVersion: secrets.hashicorp.com/v1beta1, kind: VaultStaticSecret, metadata: {name: a, namespace: ns}, spec: [{destination: {name: b, create: true}}]}`, nil},
		{"Neither does a string.",
			`{apiVersion: external-secrets.io/v1, kind: ExternalSecret, metadata: {name: a, namespace: ns}, spec: {target: b}}`, []string{"ns/a"}},
		{"Nor does a spec that is a string.",
			`{apiVersion: external-secrets.io/v1, kind: ExternalSecret, metadata: {name: a, namespace: ns}, spec: b}`, []string{"ns/a"}},
		{"A name is a string, whatever YAML takes it for.",
			`{apiVersion: k8s.bitwarden.com/v1, kind: BitwardenSecret, metadata: {name: a, namespace: ns}, spec: {secretName: 1}}`, []string{"ns/1"}},

		{"Aliases of strings are followed.",
			`{apiVersion: external-secrets.io/v1, kind: ExternalSecret, metadata: {name: a, namespace: ns, labels: {app: &app b}}, spec: {target: {name: *app}}}`, []string{"ns/b"}},
		{"So are aliases of elements.",
			`{apiVersion: isindir.github.com/v1alpha3, kind: SopsSecret, metadata: {name: a, namespace: ns, annotations: {x: &b {name: b}}}, spec: {secretTemplates: [*b]}}`, []string{"ns/b"}},
		{"So are aliases of lists.",
			`{apiVersion: isindir.github.com/v1alpha3, kind: SopsSecret, metadata: {name: a, namespace: ns, annotations: {x: &l [{name: b}]}}, spec: {secretTemplates: *l}}`, []string{"ns/b"}},
		{"So are merge keys.",
			`{apiVersion: secrets.hashicorp.com/v1beta1, kind: VaultStaticSecret, metadata: {name: a, namespace: ns, annotations: {x: &d {create: true}}}, spec: {destination: {<<: *d, name: b}}}`, []string{"ns/b"}},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			var made []string
			for _, id := range instance.MadeBy(item(t, tc.object)) {
				assert.Equal(t, "Secret", id.Kind)
				assert.Empty(t, id.Group)
				made = append(made, id.Namespace+"/"+id.Name)
			}
			assert.Equal(t, tc.want, made, tc.object)
		})
	}
}

func TestMakesEverywhere(t *testing.T) {
	for _, tc := range []struct {
		reason, object string
		want           bool
	}{
		{"A ClusterExternalSecret makes Secrets in the namespaces that it selects.",
			`{apiVersion: external-secrets.io/v1, kind: ClusterExternalSecret, metadata: {name: a}}`, true},
		{"An ExternalSecret makes one in its own namespace.",
			`{apiVersion: external-secrets.io/v1, kind: ExternalSecret, metadata: {name: a, namespace: ns}}`, false},
		{"An object without a namespace may still get one.",
			`{apiVersion: v1, kind: Secret, metadata: {name: a}}`, false},
		{"An object that makes none makes none anywhere.",
			`{apiVersion: external-secrets.io/v1alpha1, kind: ClusterPushSecret, metadata: {name: a}}`, false},
	} {
		assert.Equal(t, tc.want, instance.MakesEverywhere(item(t, tc.object)), tc.reason)
	}
}

func item(t *testing.T, object string) *krm.Item {
	t.Helper()
	n, err := yaml.Parse(object)
	require.NoError(t, err)
	return krm.NewItem(n.YNode())
}
