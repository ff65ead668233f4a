// Package secretmakers_test compares internal/instance's table of the objects that make Secrets with their operators:
// it passes such objects to the program, beside a claim, and checks which password source it detects.
// `make secretmakers-test` runs it.
//
// The modules of two operators are available from the proxy with which this was written:
//
//   - Sealed Secrets, whose own code seals and unseals here.
//   - External Secrets, whose CRDs the objects must match. Its Go types are in a module that is not available, and those
//     of older versions need all of controller-runtime, which takes minutes to compile.
//
// For the other operators, internal/instance's own tests compare the table with their documentation.
package secretmakers_test

import (
	"bytes"
	"crypto/rsa"
	"encoding/json"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bitnami/sealed-secrets/pkg/apis/sealedsecrets/v1alpha1"
	"github.com/bitnami/sealed-secrets/pkg/crypto"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/yaml"
)

// The newest version that is available.
const externalSecrets = "github.com/external-secrets/external-secrets@v1.3.2"

var program string

func TestMain(m *testing.M) { os.Exit(runTests(m)) }

func runTests(m *testing.M) int {
	bin, err := os.MkdirTemp("", "dragonfly-generator")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(bin) }()
	program = filepath.Join(bin, "dragonfly-generator")
	out, err := exec.Command("go", "build", "-C", "../..", "-o", program, ".").CombinedOutput()
	if err != nil {
		log.Printf("%v: %s", err, out)
		return 1
	}
	return m.Run()
}

// TestSealedSecret: the operator itself makes a Secret from a SealedSecret, with the name that the program detects.
func TestSealedSecret(t *testing.T) {
	key, certificate, err := crypto.GeneratePrivateKeyAndCert(2048, time.Hour, "test")
	require.NoError(t, err)
	public := certificate.PublicKey.(*rsa.PublicKey)
	fingerprint, err := crypto.PublicKeyFingerprint(public)
	require.NoError(t, err)
	for _, tc := range []struct {
		reason string
		change func(*v1alpha1.SealedSecret)
		want   string // the Secret that the operator makes
	}{
		{"A SealedSecret makes the Secret that was sealed.",
			func(*v1alpha1.SealedSecret) {}, "shop/my-cache-password"},
		{"The name in its template does not count.",
			func(s *v1alpha1.SealedSecret) { s.Spec.Template.Name = "other" }, "shop/my-cache-password"},
		{"Neither does the namespace.",
			func(s *v1alpha1.SealedSecret) { s.Spec.Template.Namespace = "other" }, "shop/my-cache-password"},
		{"One that may be renamed makes a Secret with its new name, whatever the template says.",
			func(s *v1alpha1.SealedSecret) { s.Name = "other" }, "shop/other"},
		{"One that may be moved makes one where it is.",
			func(s *v1alpha1.SealedSecret) { s.Namespace = "other" }, "other/my-cache-password"},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			sealed, err := v1alpha1.NewSealedSecret(scheme.Codecs, public, &corev1.Secret{
				ObjectMeta: metav1.ObjectMeta{
					Name: "my-cache-password", Namespace: "shop",
					Annotations: map[string]string{v1alpha1.SealedSecretClusterWideAnnotation: "true"},
				},
				StringData: map[string]string{"password": "not-a-real-one"},
			})
			require.NoError(t, err)
			sealed.TypeMeta = metav1.TypeMeta{APIVersion: v1alpha1.SchemeGroupVersion.String(), Kind: "SealedSecret"}
			tc.change(sealed)

			secret, err := sealed.Unseal(scheme.Codecs, map[string]*rsa.PrivateKey{fingerprint: key})
			require.NoError(t, err)
			assert.Equal(t, "not-a-real-one", string(secret.Data["password"]))
			assert.Equal(t, tc.want, secret.Namespace+"/"+secret.Name)

			text, err := yaml.Marshal(sealed)
			require.NoError(t, err)
			sees(t, string(text), tc.want == "shop/my-cache-password")
		})
	}
}

// externals are objects of External Secrets that could make the Secret shop/my-cache-password.
var externals = []struct {
	reason string
	makes  bool
	object string
}{
	{"An ExternalSecret makes the Secret that its target names.", true, `
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata: {name: a, namespace: shop}
spec:
  secretStoreRef: {name: store, kind: ClusterSecretStore}
  target: {name: my-cache-password, deletionPolicy: Retain}
  data:
  - {secretKey: password, remoteRef: {key: my-cache}}
`},
	{"Without a target, it has the ExternalSecret's own name.", true, `
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata: {name: my-cache-password, namespace: shop}
spec:
  dataFrom:
  - extract: {key: my-cache}
`},
	{"The version does not matter.", true, `
apiVersion: external-secrets.io/v1beta1
kind: ExternalSecret
metadata: {name: a, namespace: shop}
spec:
  target: {name: my-cache-password, template: {data: {password: "{{ .password }}"}}}
`},
	{"Its own name does not count if the target has one.", false, `
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata: {name: my-cache-password, namespace: shop}
spec:
  target: {name: a}
`},
	{"Another namespace is another Secret.", false, `
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata: {name: my-cache-password, namespace: other}
spec: {}
`},
	{"Owner is the default.", true, `
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata: {name: my-cache-password, namespace: shop}
spec:
  target: {creationPolicy: Owner}
`},
	{"Orphan makes the Secret too.", true, `
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata: {name: my-cache-password, namespace: shop}
spec:
  target: {creationPolicy: Orphan}
`},
	{"Merge needs an existing one.", false, `
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata: {name: my-cache-password, namespace: shop}
spec:
  target: {creationPolicy: Merge}
`},
	{"None makes none.", false, `
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata: {name: my-cache-password, namespace: shop}
spec:
  target: {creationPolicy: None}
`},
	{"An ExternalSecret for a ConfigMap makes no Secret.", false, `
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata: {name: my-cache-password, namespace: shop}
spec:
  target:
    manifest: {apiVersion: v1, kind: ConfigMap}
`},
	{"A ClusterExternalSecret makes the Secret in every namespace that it selects.", true, `
apiVersion: external-secrets.io/v1
kind: ClusterExternalSecret
metadata: {name: a}
spec:
  namespaceSelectors:
  - matchLabels: {team: shop}
  externalSecretSpec:
    target: {name: my-cache-password}
`},
	{"Without a target, it is named like the ExternalSecrets that it makes.", true, `
apiVersion: external-secrets.io/v1
kind: ClusterExternalSecret
metadata: {name: a}
spec:
  externalSecretName: my-cache-password
  externalSecretSpec: {}
`},
	{"Which by default are named like the ClusterExternalSecret.", true, `
apiVersion: external-secrets.io/v1
kind: ClusterExternalSecret
metadata: {name: my-cache-password}
spec:
  externalSecretSpec: {}
`},
	{"Merge needs existing Secrets.", false, `
apiVersion: external-secrets.io/v1
kind: ClusterExternalSecret
metadata: {name: my-cache-password}
spec:
  externalSecretSpec:
    target: {creationPolicy: Merge}
`},
	{"A PushSecret reads the Secret.", false, `
apiVersion: external-secrets.io/v1alpha1
kind: PushSecret
metadata: {name: my-cache-password, namespace: shop}
spec:
  secretStoreRefs:
  - {name: store, kind: SecretStore}
  selector:
    secret: {name: my-cache-password}
  data:
  - match: {secretKey: password, remoteRef: {remoteKey: my-cache}}
`},
}

// TestExternalSecrets: the program sees what the objects make, and they fit the operator's CRDs.
func TestExternalSecrets(t *testing.T) {
	schemas := externalSecretsSchemas(t)
	for _, tc := range externals {
		t.Run(tc.reason, func(t *testing.T) {
			assert.NoError(t, fits(t, schemas, tc.object))
			sees(t, tc.object, tc.makes)
		})
	}
}

// TestSchemas: the schemas must refuse something, or nothing was compared.
func TestSchemas(t *testing.T) {
	schemas := externalSecretsSchemas(t)
	for _, wrong := range []string{
		"{apiVersion: external-secrets.io/v1, kind: ExternalSecret, spec: {target: {secretName: a}}}",
		"{apiVersion: external-secrets.io/v1, kind: ExternalSecret, spec: {target: {creationPolicy: Never}}}",
		"{apiVersion: external-secrets.io/v1, kind: ExternalSecret, spec: {target: {manifest: ConfigMap}}}",
		"{apiVersion: external-secrets.io/v1, kind: ClusterExternalSecret, spec: {externalSecretSpec: {}, name: a}}",
	} {
		assert.Error(t, fits(t, schemas, wrong), wrong)
	}
}

// sees asserts whether the program treats the object as the source of the claim's password.
func sees(t *testing.T, object string, makes bool) {
	t.Helper()
	var item map[string]any
	require.NoError(t, yaml.Unmarshal([]byte(object), &item))
	type fields = map[string]any
	input, err := yaml.Marshal(fields{
		"apiVersion": "config.kubernetes.io/v1", "kind": "ResourceList",
		"items": []fields{{
			"apiVersion": "database.bizmatters.io/v1alpha1", "kind": "DragonflyInstance",
			"metadata": fields{"name": "my-cache", "namespace": "shop"},
		}, item},
	})
	require.NoError(t, err)

	var stdout, stderr bytes.Buffer
	cmd := exec.Command(program)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(input), &stdout, &stderr
	require.NoError(t, cmd.Run(), "%s", &stderr)

	var output struct {
		Results []struct{ Message, Severity string }
	}
	require.NoError(t, yaml.Unmarshal(stdout.Bytes(), &output))
	var messages []string
	for _, result := range output.Results {
		if result.Severity == "info" {
			messages = append(messages, result.Message)
		}
	}
	want := "the instance's own pod creates the password"
	if makes {
		metadata := item["metadata"].(fields)
		want = "the password source is Existing, because of " + item["kind"].(string) + " " + metadata["name"].(string)
	}
	assert.Contains(t, strings.Join(messages, "\n"), want, object)
}

// externalSecretsSchemas returns the schemas in the CRDs of External Secrets, by apiVersion and kind. An API server
// drops fields that they lack; here those are an error.
func externalSecretsSchemas(t *testing.T) map[string]*jsonschema.Schema {
	t.Helper()
	out, err := exec.Command("go", "mod", "download", "-json", externalSecrets).Output()
	require.NoError(t, err, "%s", out)
	var downloaded struct{ Dir string }
	require.NoError(t, json.Unmarshal(out, &downloaded))

	schemas := map[string]*jsonschema.Schema{}
	for _, plural := range []string{"externalsecrets", "clusterexternalsecrets", "pushsecrets"} {
		text, err := os.ReadFile(filepath.Join(downloaded.Dir, "config", "crds", "bases", "external-secrets.io_"+plural+".yaml"))
		require.NoError(t, err)
		var crd struct {
			Spec struct {
				Group    string
				Names    struct{ Kind string }
				Versions []struct {
					Name   string
					Schema struct{ OpenAPIV3Schema map[string]any }
				}
			}
		}
		require.NoError(t, yaml.Unmarshal(text, &crd))
		for _, version := range crd.Spec.Versions {
			name := crd.Spec.Group + "/" + version.Name + " " + crd.Spec.Names.Kind
			refuseUnknownFields(version.Schema.OpenAPIV3Schema)
			compiler := jsonschema.NewCompiler()
			require.NoError(t, compiler.AddResource("schema.json", version.Schema.OpenAPIV3Schema))
			schemas[name], err = compiler.Compile("schema.json")
			require.NoError(t, err, name)
		}
	}
	return schemas
}

func refuseUnknownFields(schema any) {
	switch s := schema.(type) {
	case map[string]any:
		if _, found := s["properties"].(map[string]any); found {
			s["additionalProperties"] = false
		}
		for _, value := range s {
			refuseUnknownFields(value)
		}
	case []any:
		for _, value := range s {
			refuseUnknownFields(value)
		}
	}
}

// fits returns what is wrong with an object according to the schema of its kind.
func fits(t *testing.T, schemas map[string]*jsonschema.Schema, object string) error {
	t.Helper()
	text, err := yaml.YAMLToJSONStrict([]byte(object))
	require.NoError(t, err)
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	require.NoError(t, err)
	fields := value.(map[string]any)
	schema := schemas[fields["apiVersion"].(string)+" "+fields["kind"].(string)]
	require.NotNil(t, schema, object)
	return schema.Validate(value)
}
