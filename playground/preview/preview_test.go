package preview_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bizmatters/dragonfly-generator/playground/preview"
)

const claim = `# What a developer writes.
apiVersion: database.bizmatters.io/v1alpha1
kind: DragonflyInstance
metadata:
  name: my-cache
  namespace: my-namespace
spec:
  size: small # for now
`

const configuration = `apiVersion: database.bizmatters.io/v1alpha1
kind: DragonflyGenerator
metadata:
  name: platform
spec:
  defaultSize: small
`

func TestManifests(t *testing.T) {
	shown := preview.Of(claim, configuration)
	var files []string
	for _, m := range shown.Manifests {
		files = append(files, m.File)
		assert.NotContains(t, m.YAML, "config.kubernetes.io", "%s must have no bookkeeping left", m.File)
		assert.Equal(t, "my-namespace", m.Namespace)
	}
	assert.ElementsMatch(t, []string{
		"statefulset_my-cache.yaml", "service_my-cache.yaml", "secret_my-cache-password.yaml", "secret_my-cache-conn.yaml",
		"serviceaccount_my-cache.yaml", "role_my-cache.yaml", "rolebinding_my-cache.yaml",
	}, files)
	require.Len(t, shown.Messages, 1)
	assert.Equal(t, preview.Info, shown.Messages[0].Severity)
	assert.Equal(t, []preview.Claim{{Line: 2, Name: "my-cache", Size: "small"}}, shown.Claims)
}

func TestFilesOfTheSameName(t *testing.T) {
	shown := preview.Of(claim+"---\n"+strings.Replace(claim, "my-namespace", "other", 1), configuration)
	files := map[string]bool{}
	for _, m := range shown.Manifests {
		files[m.File] = true
	}
	assert.Len(t, files, len(shown.Manifests))
	assert.Len(t, files, 14)

	shown = preview.Of("a: 1\n---\na: 2\n", "")
	require.Len(t, shown.Manifests, 2)
	assert.Equal(t, "object_unnamed.yaml", shown.Manifests[0].File)
	assert.NotEqual(t, shown.Manifests[0].File, shown.Manifests[1].File)
}

func TestOtherResourcesPass(t *testing.T) {
	const other = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: settings\n  namespace: my-namespace\ndata:\n  a: b\n"
	shown := preview.Of(other+"---\n"+claim, configuration)
	require.Equal(t, "StatefulSet", shown.Manifests[0].Kind, "the object that runs comes first")
	assert.Equal(t, preview.Manifest{
		Kind: "ConfigMap", Name: "settings", Namespace: "my-namespace", File: "configmap_settings.yaml", YAML: other,
	}, shown.Manifests[1])
}

func TestMessages(t *testing.T) {
	second := strings.ReplaceAll(claim, "size: small", "sise: small")
	for _, c := range []struct {
		reason                string
		claims, configuration string
		want                  preview.Message // Text is part of it
	}{
		{"A field is found by its path.", strings.Replace(claim, "size", "sise", 1), configuration,
			preview.Message{Severity: preview.Error, File: preview.ClaimFile, Line: 8, Subject: "DragonflyInstance my-cache", Field: "spec.sise", Text: `did you mean "size"?`}},
		{"With two claims of the same name, it is the second.", claim + "---\n" + second, configuration,
			preview.Message{Severity: preview.Error, File: preview.ClaimFile, Line: 17, Subject: "DragonflyInstance my-cache", Field: "spec.sise", Text: "unknown field"}},
		{"Names with dots are found.", strings.Replace(claim, "spec:", "  labels:\n    example.com/team: ' no '\nspec:", 1), configuration,
			preview.Message{Severity: preview.Error, File: preview.ClaimFile, Line: 8, Subject: "DragonflyInstance my-cache", Field: "metadata.labels[example.com/team]", Text: "label value"}},
		{"A missing field is reported at its parent.", strings.Replace(claim, "  namespace: my-namespace\n", "", 1), configuration,
			preview.Message{Severity: preview.Error, File: preview.ClaimFile, Line: 4, Subject: "DragonflyInstance my-cache", Field: "metadata.namespace", Text: "namespace"}},
		{"A mistake in the configuration is reported there.", claim, configuration + "  args:\n  - --cache_mode=true\n  - --port=1\n",
			preview.Message{Severity: preview.Error, File: preview.ConfigurationFile, Line: 9, Subject: "DragonflyGenerator platform", Field: "spec.args[1]", Text: "--port"}},
		{"A YAML error has its line.", claim + "  : : [\n", configuration,
			preview.Message{Severity: preview.Error, File: preview.ClaimFile, Line: 9, Text: "is not valid YAML"}},
		{"Also inside something that spans several lines.", strings.Replace(claim, "spec:", "  labels: {\n    a: b,\n    c: 'd\n  }\nspec:", 1), configuration,
			preview.Message{Severity: preview.Error, File: preview.ClaimFile, Line: 7, Text: "is not valid YAML"}},
		{"A text without an object is reported.", claim + "---\n- a\n", configuration,
			preview.Message{Severity: preview.Error, File: preview.ClaimFile, Line: 10, Text: "is not an object"}},
		{"There can be only one configuration.", claim, configuration + "---\n" + configuration,
			preview.Message{Severity: preview.Error, File: preview.ConfigurationFile, Line: 8, Text: "more than one configuration"}},
	} {
		t.Run(c.reason, func(t *testing.T) {
			shown := preview.Of(c.claims, c.configuration)
			require.NotEmpty(t, shown.Messages)
			assert.Empty(t, shown.Manifests)
			got := shown.Messages[0]
			assert.Contains(t, got.Text, c.want.Text)
			c.want.Text = got.Text
			assert.Equal(t, c.want, got)
		})
	}
}

func TestNothingTyped(t *testing.T) {
	shown := preview.Of("", "# nothing yet\n")
	assert.Empty(t, shown.Manifests)
	for _, m := range shown.Messages {
		assert.NotEqual(t, preview.Error, m.Severity, m.Text)
	}
}

func TestSizesAndProfiles(t *testing.T) {
	assert.Equal(t, []string{"micro", "small", "medium", "large"}, preview.Sizes(""))
	assert.Equal(t, []string{"tiny", "micro", "small", "medium", "large"},
		preview.Sizes(configuration+"  sizes:\n    tiny: {limits: {cpu: 100m, memory: 400Mi}}\n"))
	assert.Empty(t, preview.Sizes("{"))
	assert.Empty(t, preview.Sizes(configuration+"  sizes: small\n"))
	shown := preview.Of(claim, configuration+"  profiles:\n    cache: {}\n    durable: {}\n")
	assert.Equal(t, []string{"cache", "durable"}, shown.Profiles)
}

func TestWithSize(t *testing.T) {
	const head = "apiVersion: database.bizmatters.io/v1alpha1\nkind: DragonflyInstance\n"
	for _, c := range []struct{ reason, before, size, after string }{
		{"A size is replaced, its comment stays.", head + "spec:\n  size: small # for now\n", "large", head + "spec:\n  size: large # for now\n"},
		{"Quotes are replaced with it.", head + "spec:\n  size: \"sm all\"\n", "large", head + "spec:\n  size: large\n"},
		{"Also in braces.", head + "spec: {size: small, storageGB: 3}\n", "large", head + "spec: {size: large, storageGB: 3}\n"},
		{"A spec without a size gets one.", head + "spec:\n    storageGB: 3\n", "large", head + "spec:\n    size: large\n    storageGB: 3\n"},
		{"So does one in braces.", head + "spec: {storageGB: 3}\n", "large", head + "spec: {size: large, storageGB: 3}\n"},
		{"So does an empty one.", head + "spec:\n", "large", head + "spec:\n  size: large\n"},
		{"So does one with an empty size.", head + "spec:\n  size:\n  storageGB: 3\n", "large", head + "spec:\n  size: large\n  storageGB: 3\n"},
		{"Without a spec, it is written at the end.", head + "\n", "large", head + "spec:\n  size: large\n\n"},
		{"At the end of the document, not of the text.", head + "---\nkind: Other\n", "large", head + "spec:\n  size: large\n---\nkind: Other\n"},
		{"No size removes the line.", head + "spec:\n  size: small\n  storageGB: 3\n", "", head + "spec:\n  storageGB: 3\n"},
		{"And a spec that contained nothing else.", head + "spec:\n  size: small\n", "", head},
		{"A size that is not on one line is left alone.", head + "spec:\n  size: [a]\n", "large", head + "spec:\n  size: [a]\n"},
		{"Anything that is not a claim is left alone.", "kind: Other\nspec: {size: small}\n", "large", "kind: Other\nspec: {size: small}\n"},
	} {
		t.Run(c.reason, func(t *testing.T) {
			assert.Equal(t, c.after, preview.WithSize(c.before, 1, c.size))
		})
	}
}

func TestWithProfile(t *testing.T) {
	const with = `apiVersion: database.bizmatters.io/v1alpha1
kind: DragonflyInstance
metadata:
  annotations:
    database.bizmatters.io/profile: cache
  name: my-cache
`
	const without = `apiVersion: database.bizmatters.io/v1alpha1
kind: DragonflyInstance
metadata:
  name: my-cache
`
	assert.Equal(t, with, preview.WithProfile(without, 1, "cache"))
	assert.Equal(t, without, preview.WithProfile(with, 1, ""))
	assert.Equal(t, strings.Replace(with, "cache", "durable", 1), preview.WithProfile(with, 1, "durable"))
}

// FuzzPreview: whatever somebody has typed so far, the page keeps working, and the line numbers in messages exist in
// the text.
func FuzzPreview(f *testing.F) {
	f.Add(claim, configuration, "large")
	f.Add("", "{", "")
	f.Add("a: &a [*a]\n---\n- b\n", "? {a: b}\n: c\n", "x")
	f.Add(strings.Replace(claim, "spec:", "spec: {storageGB: 3}\nstatus:", 1), "a: b\r\nc: d\r\n", "micro")
	f.Fuzz(func(t *testing.T, claims, configuration, size string) {
		lines := map[string]int{
			preview.ClaimFile:         strings.Count(claims, "\n") + 1,
			preview.ConfigurationFile: strings.Count(configuration, "\n") + 1,
		}
		shown := preview.Of(claims, configuration)
		for _, m := range shown.Messages {
			if m.File != "" && !strings.ContainsAny(claims+configuration, "\r\u0085\u2028\u2029") { // YAML's other line breaks
				assert.GreaterOrEqual(t, m.Line, 1, m)
				assert.LessOrEqual(t, m.Line, lines[m.File], m)
			}
		}
		for _, c := range shown.Claims {
			preview.WithSize(claims, c.Line, size)
			preview.WithProfile(claims, c.Line, size)
		}
		preview.Sizes(configuration)
	})
}
