package examples_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/internal/kustomize"
	"github.com/bizmatters/dragonfly-generator/internal/testkit"
)

// shop is a kustomization with a claim, an application that reads its Secret, and the function.
var shop = map[string]string{
	"claim.yaml": "apiVersion: database.bizmatters.io/v1alpha1\nkind: DragonflyInstance\nmetadata:\n  name: my-cache\n  namespace: my-namespace\n",
	"application.yaml": `apiVersion: v1
kind: Pod
metadata: {name: application, namespace: my-namespace}
spec:
  containers:
  - name: application
    image: example.com/application:v1
    envFrom: [{secretRef: {name: my-cache-conn}}]
`,
	"function.yaml": "apiVersion: database.bizmatters.io/v1alpha1\nkind: DragonflyGenerator\nmetadata:\n  name: function\n  annotations:\n    config.kubernetes.io/function: |\n      exec:\n        path: dragonfly-generator\n",
	"patch.yaml":    "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: my-cache, namespace: my-namespace}\nspec: {minReadySeconds: 7}\n",
	"patch-after.yaml": `apiVersion: builtin
kind: PatchTransformer
metadata: {name: patch}
path: patch.yaml
`,
	"targeted-after.yaml": `apiVersion: builtin
kind: PatchTransformer
metadata: {name: patch}
target: {kind: StatefulSet, name: my-cache}
patch: '[{"op":"add","path":"/spec/minReadySeconds","value":7}]'
`,
	"replacement-after.yaml": `apiVersion: builtin
kind: ReplacementTransformer
metadata: {name: replacement}
replacements:
- source: {kind: Service, name: my-cache, fieldPath: metadata.name}
  targets:
  - {select: {kind: Pod}, fieldPaths: ["metadata.annotations.cache"], options: {create: true}}
`,
}

const (
	targeted    = "patches:\n- target: {kind: StatefulSet, name: my-cache}\n  patch: '[{\"op\":\"add\",\"path\":\"/spec/minReadySeconds\",\"value\":7}]'\n"
	replacement = "replacements:\n- source: {kind: Service, name: my-cache, fieldPath: metadata.name}\n  targets:\n  - {select: {kind: Pod}, fieldPaths: [metadata.name]}\n"
)

// objects are the objects of a build, by kind and name.
type objects map[string]*yaml.RNode

func (o objects) field(t *testing.T, object, path string) string {
	t.Helper()
	require.Contains(t, o, object)
	value, err := o[object].GetFieldValue(path)
	if err != nil {
		return ""
	}
	if node, ok := value.(string); ok {
		return node
	}
	text, err := yaml.Marshal(value)
	require.NoError(t, err)
	return strings.TrimSpace(string(text))
}

// What docs/gitops.md says about each kustomization field is what kustomize does with that field beside the function
// and, if that is the workaround, above or after it.
func TestFieldsBesideTheFunction(t *testing.T) {
	type build struct {
		fields  string   // of the kustomization with the function
		behind  []string // transformers in files, after the function
		inline  []string // the same, inline in the list
		overlay string   // fields of an overlay above it
		wrong   string   // part of the error, or empty
		check   func(*testing.T, objects)
	}
	rows := map[string][]build{
		"`namespace:`, `namePrefix:`, `nameSuffix:`": {{fields: "namespace: shop\nnamePrefix: eu-\nnameSuffix: -x\n", check: func(t *testing.T, o objects) {
			assert.Equal(t, "shop", o.field(t, "StatefulSet eu-my-cache-x", "metadata.namespace"))
			assert.Equal(t, "ZXUtbXktY2FjaGUteC5zaG9wLnN2Yy5jbHVzdGVyLmxvY2Fs", o.field(t, "Secret eu-my-cache-x-conn", "data.endpoint"), "eu-my-cache-x.shop.svc.cluster.local")
			assert.Contains(t, o["Role eu-my-cache-x"].MustString(), "- eu-my-cache-x-password\n")
			assert.Contains(t, o["Pod eu-application-x"].MustString(), "name: eu-my-cache-x-conn\n")
		}}},
		"`images:`": {{fields: "images: [{name: docker.dragonflydb.io/dragonflydb/dragonfly, newTag: v9.9.9}, {name: ghcr.io/bizmatters/dragonfly-generator, newTag: v9.9.9}]\n", check: func(t *testing.T, o objects) {
			assert.NotContains(t, o["StatefulSet my-cache"].MustString(), "v9.9.9")
		}}},
		"`commonAnnotations:`": {{fields: "commonAnnotations: {team: search}\n", check: func(t *testing.T, o objects) {
			assert.Equal(t, "search", o.field(t, "Pod application", "metadata.annotations.team"), "or this proves nothing")
			assert.NotContains(t, o["StatefulSet my-cache"].MustString(), "search")
		}}},
		"`labels:`, `commonLabels:`": {
			{fields: "labels: [{pairs: {team: search}}]\n", check: labeled},
			{fields: "commonLabels: {team: search}\n", check: labeled},
			{overlay: "commonLabels: {team: search}\n", check: func(t *testing.T, o objects) {
				assert.Equal(t, "search", o.field(t, "StatefulSet my-cache", "spec.selector.matchLabels.team"))
			}},
		},
		"`replicas:`": {{fields: "replicas: [{name: my-cache, count: 2}]\n", wrong: "does not match a config with the following GVK"}},
		"`patches:` for the claim": {{fields: "patches:\n- target: {kind: DragonflyInstance}\n  patch: '[{\"op\":\"add\",\"path\":\"/spec\",\"value\":{\"size\":\"micro\"}}]'\n", check: func(t *testing.T, o objects) {
			assert.Contains(t, o["StatefulSet my-cache"].MustString(), "--max-memory=751619276\n")
		}}},
		"`patches:` for an object of the instance": {
			{fields: "patches: [{path: patch.yaml}]\n", wrong: "no resource matches strategic merge patch"},
			{fields: targeted, check: unpatched},
			{behind: []string{"patch-after.yaml"}, check: patched},
			{inline: []string{"patch-after.yaml"}, wrong: "no resource matches strategic merge patch"},
			{inline: []string{"targeted-after.yaml"}, check: unpatched},
			{behind: []string{"targeted-after.yaml"}, check: patched},
			{overlay: targeted, check: patched},
		},
		"`replacements:` from an object of the instance": {
			{fields: replacement, wrong: "nothing selected by"},
			{behind: []string{"replacement-after.yaml"}, check: func(t *testing.T, o objects) {
				assert.Equal(t, "my-cache", o.field(t, "Pod application", "metadata.annotations.cache"))
			}},
			{inline: []string{"replacement-after.yaml"}, wrong: "nothing selected by"},
			{overlay: replacement, check: func(t *testing.T, o objects) { assert.Contains(t, o, "Pod my-cache") }},
		},
	}
	section := testkit.ReadPage(t, "docs/gitops.md").Section(t, "Fields of a kustomization that run before the function")
	documented := regexp.MustCompile("(?m)^\\| (`.*?) \\|.*$").FindAllStringSubmatch(string(section), -1)
	require.Len(t, documented, len(rows))
	for _, row := range documented {
		require.Contains(t, rows, row[1], "no test builds this row")
		for _, b := range rows[row[1]] {
			t.Run(b.fields+strings.Join(append(b.behind, b.inline...), "")+b.overlay, func(t *testing.T) {
				dir := t.TempDir()
				transformers := "transformers:\n"
				for _, file := range append([]string{"function.yaml"}, b.behind...) {
					transformers += "- " + file + "\n"
				}
				for _, file := range b.inline {
					transformers += "- |-\n  " + strings.ReplaceAll(shop[file], "\n", "\n  ") + "\n"
				}
				files := map[string]string{
					"shop/kustomization.yaml": b.fields + "resources: [claim.yaml, application.yaml]\n" + transformers,
					"kustomization.yaml":      b.overlay + "resources: [shop]\n",
				}
				for name, text := range shop {
					files["shop/"+name] = text
				}
				require.NoError(t, os.Mkdir(filepath.Join(dir, "shop"), 0o750))
				for name, text := range files {
					require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
				}
				output, err := kustomize.Build(dir)
				if b.wrong != "" {
					require.ErrorContains(t, err, b.wrong)
					assert.Contains(t, row[0], "`"+b.wrong+"`", "the page must quote the error")
					return
				}
				require.NoError(t, err)
				found := objects{}
				for document := range strings.SplitSeq(string(output), "\n---\n") {
					object, err := yaml.Parse(document)
					require.NoError(t, err)
					found[object.GetKind()+" "+object.GetName()] = object
				}
				b.check(t, found)
			})
		}
	}
}

func labeled(t *testing.T, o objects) {
	assert.Equal(t, "search", o.field(t, "StatefulSet my-cache", "metadata.labels.team"))
	assert.Empty(t, o.field(t, "StatefulSet my-cache", "spec.selector.matchLabels.team"))
	assert.Empty(t, o.field(t, "StatefulSet my-cache", "spec.template.metadata.labels.team"))
}

func unpatched(t *testing.T, o objects) {
	assert.Empty(t, o.field(t, "StatefulSet my-cache", "spec.minReadySeconds"))
}

func patched(t *testing.T, o objects) {
	assert.Equal(t, "7", o.field(t, "StatefulSet my-cache", "spec.minReadySeconds"))
}
