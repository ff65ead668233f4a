package overrides_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/internal/config"
	"github.com/bizmatters/dragonfly-generator/internal/krm"
	"github.com/bizmatters/dragonfly-generator/internal/overrides"
	"github.com/bizmatters/dragonfly-generator/internal/report"
)

// checked reads a configuration, checks its patches and extra objects, and returns the fields of all problems.
func checked(t *testing.T, spec string) []string {
	t.Helper()
	n, err := yaml.Parse("apiVersion: database.bizmatters.io/v1alpha1\nkind: DragonflyGenerator\nmetadata: {name: x}\nspec: " + spec + "\n")
	require.NoError(t, err, spec)
	var results report.Results
	item := krm.NewItem(n.YNode())
	if platform := config.Read(item, &results); platform.IsValid() {
		overrides.Check(item, platform, &results)
	}
	fields := []string{}
	for _, result := range results.All() {
		fields = append(fields, result.Field.Path)
	}
	return fields
}

// A patch that cannot be decoded is not retried with a profile.
func TestPatchThatCannotBeDecoded(t *testing.T) {
	assert.Equal(t, []string{"spec.overrides.statefulSet.spec.template.spec.volumes[0].name"},
		checked(t, "{overrides: {statefulSet: {spec: {template: {spec: {volumes: [{name: []}]}}}}}, profiles: {a: {}}}"))
}

// Problems of a patch are reported at the patch.
func TestPatchesOfProfiles(t *testing.T) {
	assert.Equal(t, []string{"spec.overrides.service.spec.prts", "spec.profiles.a.overrides.service.spec.tpye"},
		checked(t, "{overrides: {service: {spec: {prts: []}}}, profiles: {a: {overrides: {service: {spec: {tpye: a}}}}}}"))
}

func TestExtraObjects(t *testing.T) {
	for object, want := range map[string]string{
		"{apiVersion: v1, kind: ConfigMap, metadata: {name: '{name}'}}":                                             "",
		"{apiVersion: v1, kind: ConfigMap, metadata: {name: 'a-{namespace}.{name}', namespace: '{namespace}'}}":     "",
		"{apiVersion: v1, kind: Service, metadata: {name: '{name}-replicas', labels: {a: '{name}'}}}":               "",
		"{apiVersion: serving.knative.dev/v1, kind: Service, metadata: {name: '{name}'}}":                           "",
		"{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: 'dragonfly-data-{name}-0'}}":                ".metadata.name",
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
		problems := checked(t, "{extraObjects: ["+object+"]}")
		if want == "" && object != "a" {
			assert.Empty(t, problems, object)
			continue
		}
		assert.Equal(t, []string{"spec.extraObjects[0]" + want}, problems, object)
	}
	const account = "extraObjects: [{apiVersion: v1, kind: ServiceAccount, metadata: {name: '{name}'}}, {apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: '{name}'}}]"
	problems := checked(t, "{"+account+", profiles: {a: {serviceAccount: {name: '{name}'}}}}")
	assert.Equal(t, []string{"spec.extraObjects[0].metadata.name", "spec.extraObjects[1].metadata.name"}, problems, "We already create a ServiceAccount and a Role of that name.")
	assert.Empty(t, checked(t, "{serviceAccount: {name: '{name}'}, "+account+"}"), "With serviceAccount.name, we create neither.")
	const one = "{apiVersion: v1, kind: ConfigMap, metadata: {name: '{name}'}}"
	problems = checked(t, "{extraObjects: ["+one+", "+one+"]}")
	assert.Equal(t, []string{"spec.extraObjects[1]"}, problems, "The same object twice is once too often.")
	problems = checked(t, "{extraObjects: ["+one+"], profiles: {a: {extraObjects: ["+one+"]}, b: {extraObjects: null}}}")
	assert.Equal(t, []string{"spec.profiles.a.extraObjects[0]"}, problems, "Even if one is in spec and one in a profile.")
	problems = checked(t, "{annotations: {reloader.stakater.com/auto: 'true'}, tls: {secretName: '{name}', issuerRef: {name: a}}, extraObjects: [{apiVersion: cert-manager.io/v1, kind: Certificate, metadata: {name: '{name}'}}]}")
	assert.Equal(t, []string{"spec.extraObjects[0].metadata.name"}, problems, "Our own certificate has that name.")
}
