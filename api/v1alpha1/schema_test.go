package v1alpha1_test

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/GoogleContainerTools/kpt-functions-sdk/go/fn"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/kustomize/kyaml/openapi"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/generator"
	"github.com/bizmatters/dragonfly-generator/internal/config"
	"github.com/bizmatters/dragonfly-generator/internal/krm"
	"github.com/bizmatters/dragonfly-generator/internal/report"
)

const (
	claimHead  = "apiVersion: database.bizmatters.io/v1alpha1\nkind: DragonflyInstance\n"
	claimOf    = claimHead + "metadata: {name: my-cache, namespace: my-namespace}\n"
	configHead = "apiVersion: database.bizmatters.io/v1alpha1\nkind: DragonflyGenerator\n"
	configOf   = configHead + "metadata: {name: platform}\nspec: "
)

// The schemas for editors and the function must accept and refuse the same objects.
func TestSchemasAgreeWithTheFunction(t *testing.T) {
	for kind, cases := range map[string]struct{ good, bad []string }{
		"dragonflyinstance": {
			good: []string{
				claimOf,
				claimOf + "spec:",
				claimOf + "spec: {}",
				claimOf + "spec: {size: , storageGB: }",
				claimOf + "spec: {size: medium, storageGB: 10}",
				claimOf + "status: {ready: true}",
				claimOf + "spec: {compositionRef: {name: x}, compositionSelector: {}, compositionRevisionRef: {}, compositionRevisionSelector: {}, compositionUpdatePolicy: Automatic, compositeDeletePolicy: Background, publishConnectionDetailsTo: {name: x}, resourceRef: {name: x}, writeConnectionSecretToRef: {name: x}}",
				claimHead + "metadata: {name: a, namespace: '1', labels: {tier: 1, team: a}, annotations: {a: b, number: 1}}",
				claimHead + "metadata: {name: a, namespace: b, labels: {spot: true, tier: 1.5}, annotations: {a: false, b: 1e3}}",
				claimHead + "metadata: {name: a, namespace: b, uid: x, finalizers: [x], creationTimestamp: , generation: 1}",
				claimHead + "metadata: {name: " + strings.Repeat("a", 52) + ", namespace: " + strings.Repeat("b", 63) + "}",
			},
			bad: []string{
				claimHead,
				claimHead + "metadata: {}",
				claimHead + "metadata: []",
				claimHead + "metadata: {name: 1, namespace: b}",
				claimHead + "metadata: {name: [a], namespace: b}",
				claimHead + "metadata: {name: '', namespace: b}",
				claimHead + "metadata: {name: A, namespace: b}",
				claimHead + "metadata: {name: 1a, namespace: b}",
				claimHead + "metadata: {name: a-, namespace: b}",
				claimHead + "metadata: {name: a.b, namespace: b}",
				claimHead + "metadata: {name: " + strings.Repeat("a", 53) + ", namespace: b}",
				claimHead + "metadata: {name: a, namespace: B}",
				claimHead + "metadata: {name: a, namespace: ''}",
				claimHead + "metadata: {name: a, namespace: " + strings.Repeat("b", 64) + "}",
				claimHead + "metadata: {name: a, namespace: b, labels: []}",
				claimHead + "metadata: {name: a, namespace: b, labels: {a: [b]}}",
				claimHead + "metadata: {name: a, namespace: b, annotations: {a: {b: c}}}",
				claimHead + "metadata: {name: a, namespace: b, anotations: {}}",
				claimOf + "sepc: {}",
				claimOf + "spec: []",
				claimOf + "spec: small",
				claimOf + "spec: {size: 1}",
				claimOf + "spec: {size: [small]}",
				claimOf + "spec: {sise: small}",
				claimOf + "spec: {storageGB: '10'}",
				claimOf + "spec: {storageGB: 10Gi}",
				claimOf + "spec: {storageGB: 0}",
				claimOf + "spec: {storageGB: -1}",
				claimOf + "spec: {storageGB: 1.5}",
				claimOf + "spec: {storageGB: 2147483648}",
				claimOf + "spec: {storageGB: [1]}",
				claimOf + "spec: {storageGB: true}",
				"apiVersion: database.bizmatters.io/v1\nkind: DragonflyInstance\nmetadata: {name: a, namespace: b}",
			},
		},
		"dragonflygenerator": {
			good: []string{
				configHead,
				configHead + "metadata: {name: x}",
				configOf,
				configOf + "{}",
				configOf + "{image: , sizes: , storage: , args: , nodeSelector: , overrides: , password: , tolerations: }",
				configOf + "{image: 'a:v1.40.1', imagePullPolicy: Never, imagePullSecrets: [{name: a}]}",
				configOf + "{clusterDomain: example.com, storageClassName: '', snapshotCron: '', defaultSize: micro}",
				configOf + "{storageClassName: fast.local, snapshotCron: 0 3 * * *}",
				configOf + "{sizes: {xlarge: {requests: {cpu: 2, memory: 4Gi}, limits: {cpu: '8', memory: 16Gi}}, half: {limits: {cpu: 0.5, memory: 1G}}}}",
				configOf + "{sizes: {small: {limits: {memory: 3e9}}, micro: {}}}",
				configOf + "{storage: {minGB: 1, maxGB: 500, defaultGB: 10}}",
				configOf + "{password: {source: Existing, resources: {requests: {cpu: 50m}, limits: {memory: 128Mi}}}}",
				configOf + "{connectionSecret: {extraKeys: {uri: 'redis://{endpoint}'}}}",
				configOf + "{nodeSelector: {}, labels: {a: b}, annotations: {a: b}, carryAnnotations: [a/b], args: [--a=b]}",
				configOf + "{tolerations: [{key: a, operator: Exists, effect: NoExecute, tolerationSeconds: 5}]}",
				configOf + "{overrides: {statefulSet: {spec: {minReadySeconds: 5}}, service: {}}}",
				configOf + "{backend: Operator, replicas: 3}",
				configOf + "{sizes: {burst: {limits: {memory: 2Gi}, threads: 2, maxMemoryPercent: 60}}}",
				configOf + "{storage: {type: None}, serviceAccount: {annotations: {a: b}}}",
				configOf + "{storage: {type: Bucket, bucket: 's3://a/b'}}",
				configOf + "{tls: {secretName: '{name}-tls', issuerRef: {kind: ClusterIssuer, name: a, group: b.c}}}",
				configOf + "{tls: , storage: {type: , bucket: }}",
				configOf + "{extraObjects: [{apiVersion: v1, kind: ConfigMap, metadata: {name: '{name}'}, data: {a: b}}]}",
				configOf + "{profiles: {a: {}, b: {image: , tls: , storage: {type: None}, args: [--dbnum=1], sizes: {}, overrides: {service: {metadata: {}}}}}}",
				configOf + "{tls: {secretName: '{name}-tls', issuerRef: {name: a}}, profiles: {a: {tls: {issuerRef: {kind: ClusterIssuer}}}}}",
				configOf + "{connectionSecret: {type: servicebinding.io/redis, labels: {a: b}, annotations: {a: b}}, serviceAccount: {name: a}}",
			},
			bad: []string{
				configOf + "[]",
				configOf + "{}\nstatus: {}",
				configOf + "{imgae: a}",
				configOf + "{image: 1}",
				configOf + "{image: ''}",
				configOf + "{imagePullPolicy: always}",
				configOf + "{imagePullPolicy: ''}",
				configOf + "{imagePullSecrets: [a]}",
				configOf + "{imagePullSecrets: [{}]}",
				configOf + "{imagePullSecrets: [null]}",
				configOf + "{imagePullSecrets: [{name: ''}]}",
				configOf + "{clusterDomain: ''}",
				configOf + "{clusterDomain: a..b}",
				configOf + "{clusterDomain: cluster.local.}",
				configOf + "{storageClassName: A}",
				configOf + "{storageClassName: 1}",
				configOf + "{snapshotCron: [a]}",
				configOf + "{defaultSize: ''}",
				configOf + "{sizes: {a: }}",
				configOf + "{sizes: {small: {limit: {}}}}",
				configOf + "{sizes: {small: {limits: {memory: lots}}}}",
				configOf + "{sizes: {small: {limits: {memory: [1Gi]}}}}",
				configOf + "{sizes: {small: {limits: {memory: true}}}}",
				configOf + "{sizes: {small: {limits: {gpu: 1}}}}",
				configOf + "{storage: {minGB: 0}}",
				configOf + "{storage: {minGB: '1'}}",
				configOf + "{storage: {minGB: 1.5}}",
				configOf + "{storage: {maxGB: -1}}",
				configOf + "{storage: {maxGB: 2147483648}}",
				configOf + "{replicas: 0}",
				configOf + "{backend: operator}",
				configOf + "{backend: ''}",
				configOf + "{storage: {size: 1}}",
				configOf + "{password: {source: seed}}",
				configOf + "{password: {source: ''}}",
				configOf + "{password: {source: Seed}}",
				configOf + "{serviceAccount: {name: ''}}",
				configOf + "{password: {resources: {cpu: 1}}}",
				configOf + "{connectionSecret: {extraKeys: {a: 1}}}",
				configOf + "{connectionSecret: {extraKeys: {a: }}}",
				configOf + "{connectionSecret: {keys: {}}}",
				configOf + "{nodeSelector: {a: 1}}",
				configOf + "{nodeSelector: [a]}",
				configOf + "{tolerations: [{key: a, opertor: Exists}]}",
				configOf + "{tolerations: [{key: a, tolerationSeconds: soon}]}",
				configOf + "{labels: {a: 1}}",
				configOf + "{annotations: {a: [b]}}",
				configOf + "{carryAnnotations: a}",
				configOf + "{args: [1]}",
				configOf + "{args: --a=b}",
				configOf + "{overrides: {statefulSet: []}}",
				configOf + "{overrides: {deployment: {}}}",
				configOf + "{sizes: {a: {limits: {memory: 2Gi}, threads: 0}}}",
				configOf + "{sizes: {a: {limits: {memory: 2Gi, cpu: 1}, maxMemoryPercent: 81}}}",
				configOf + "{sizes: {a: {limits: {memory: 2Gi, cpu: 1}, maxMemoryPercent: 0}}}",
				configOf + "{storage: {type: none}}",
				configOf + "{storage: {type: Bucket, bucket: a}}",
				configOf + "{storage: {type: Bucket, bucket: 's3://a/../b'}}",
				configOf + "{tls: {}}",
				configOf + "{tls: {secretName: ''}}",
				configOf + "{tls: {secretName: 'a-{name}', issuerRef: {}}}",
				configOf + "{tls: {secretName: 'a-{name}', issuer: a}}",
				configOf + "{serviceAccount: {annotations: {a: 1}}}",
				configOf + "{serviceAccount: {nam: a}}",
				configOf + "{extraObjects: {}}",
				configOf + "{extraObjects: [a]}",
				configOf + "{extraObjects: [null]}",
				configOf + "{profiles: []}",
				configOf + "{profiles: {a: }}",
				configOf + "{profiles: {a: {imgae: b}}}",
				configOf + "{profiles: {a: {profiles: {}}}}",
				configOf + "{profiles: {a: {carryAnnotations: []}}}",
				configOf + "{profiles: {a: {storage: {type: none}}}}",
				configOf + "{profiles: {a: {sizes: {b: }}}}",
				configOf + "{profiles: {a: {imagePullSecrets: [{}]}}}",
			},
		},
	} {
		schema, err := jsonschema.NewCompiler().Compile(kind + ".schema.json")
		require.NoError(t, err)
		verdicts := func(object string) (bySchema, byFunction error) {
			return schema.Validate(toJSON(t, object)), firstError(t, object)
		}
		for _, object := range cases.good {
			bySchema, byFunction := verdicts(object)
			assert.NoError(t, bySchema, "the schema refuses\n%s", object)
			assert.NoError(t, byFunction, "the function refuses\n%s", object)
		}
		for _, object := range cases.bad {
			bySchema, byFunction := verdicts(object)
			assert.Error(t, bySchema, "the schema accepts\n%s", object)
			assert.Error(t, byFunction, "the function accepts\n%s", object)
		}
	}
}

func toJSON(t *testing.T, object string) any {
	t.Helper()
	var fields map[string]any
	require.NoError(t, yaml.Unmarshal([]byte(object), &fields))
	text, err := json.Marshal(fields)
	require.NoError(t, err)
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	require.NoError(t, err)
	return value
}

// firstError runs the function on a claim or a configuration, and returns its first error.
func firstError(t *testing.T, object string) error {
	t.Helper()
	list := "apiVersion: config.kubernetes.io/v1\nkind: ResourceList\n"
	indented := strings.ReplaceAll(object, "\n", "\n  ") + "\n"
	if strings.HasPrefix(object, configHead) {
		list += "items:\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: something}}\nfunctionConfig:\n  " + indented
	} else {
		list += "items:\n- " + indented
	}
	_, results := generator.Run([]byte(list))
	for _, result := range results {
		if result.Severity == fn.Error {
			return result
		}
	}
	return nil
}

// The defaults in the schema must be those that the function uses.
func TestSchemaStatesTheDefaults(t *testing.T) {
	text, err := os.ReadFile("dragonflygenerator.schema.json")
	require.NoError(t, err)
	schema, err := yaml.Parse(string(text))
	require.NoError(t, err)
	object := yaml.MustParse(configOf + "{}")
	stated := 0
	var collect func(schema *yaml.RNode, path ...string)
	collect = func(schema *yaml.RNode, path ...string) {
		if value := schema.Field("default"); value != nil {
			stated++
			require.NoError(t, object.PipeE(yaml.LookupCreate(yaml.MappingNode, path[:len(path)-1]...), yaml.SetField(path[len(path)-1], value.Value)))
		}
		properties := schema.Field("properties")
		// The defaults of an object with required fields apply only if the object is set.
		if properties == nil || len(path) > 0 && (schema.Field("required") != nil || schema.Field("minProperties") != nil) {
			return
		}
		require.NoError(t, properties.Value.VisitFields(func(field *yaml.MapNode) error {
			collect(field.Value, append(path, field.Key.YNode().Value)...)
			return nil
		}))
	}
	collect(schema)
	require.Greater(t, stated, 8, "the schema states defaults")

	var results report.Results
	got := config.Read(krm.NewItem(object.YNode()), &results)
	assert.Empty(t, results.All())
	assert.Empty(t, got.Profiles())
	byDefault, _ := config.Default().For("")
	asStated, _ := got.For("")
	assert.JSONEq(t, jsonOf(t, byDefault), jsonOf(t, asStated))
}

func jsonOf(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	require.NoError(t, err)
	return string(text)
}

// Kustomize's tools read a package's definitions from its Krmfile.
func TestKrmfile(t *testing.T) {
	schema, err := openapi.SchemaFromFile("../../Krmfile")
	require.NoError(t, err)
	t.Cleanup(openapi.ResetOpenAPI)
	openapi.AddDefinitions(schema.Definitions)
	claim := openapi.SchemaForResourceType(yaml.TypeMeta{APIVersion: v1alpha1.APIVersion, Kind: v1alpha1.ClaimKind})
	require.NotNil(t, claim)
	assert.True(t, claim.Field("spec").Field("storageGB").Schema.Type.Contains("integer"))
	assert.NotNil(t, claim.Field("metadata").Field("annotations"), "the definition of Kubernetes itself must be found")
}
