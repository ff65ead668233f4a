//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bizmatters/dragonfly-generator/examples"
	"github.com/bizmatters/dragonfly-generator/internal/testkit"
)

// build is kustomize build with exec functions.
func build(t *testing.T, dir string) string {
	t.Helper()
	return succeeds(t, dir, nil, "kustomize", "build", "--enable-alpha-plugins", "--enable-exec", ".")
}

// Each example builds its expected.yaml, unchanged with exec functions, and without --enable-exec with functions in
// containers.
func TestKustomizeExamples(t *testing.T) {
	buildImage(t)
	inContainer := map[string]string{}
	for name, text := range tree(t, "../../examples") {
		inContainer[name] = byExec.ReplaceAllString(text, "${1}container:\n${1}  image: "+image+"\n")
	}
	containers := write(t, inContainer)

	folders := examples.Kustomizations("../../examples")
	require.NotEmpty(t, folders)
	for _, dir := range folders {
		t.Run(dir, func(t *testing.T) {
			folder := filepath.Join("../..", "examples", dir)
			want, err := os.ReadFile(filepath.Join(folder, "expected.yaml"))
			require.NoError(t, err)
			testkit.Same(t, string(want), build(t, folder), "by exec")
			testkit.Same(t, string(want), buildContainer(t, filepath.Join(containers, dir)), "in a container")
		})
	}
}

var byExec = regexp.MustCompile(`(?m)^( *)exec:\n +path: dragonfly-generator\n`)

// buildContainer is kustomize build with functions in containers.
func buildContainer(t *testing.T, dir string) string {
	t.Helper()
	return succeeds(t, dir, nil, "kustomize", "build", "--enable-alpha-plugins", ".")
}

func TestKustomizeOverlays(t *testing.T) {
	text := build(t, "../../examples/overlays/prod")
	dev := parse(t, build(t, "../../examples/overlays/dev"))
	prod := parse(t, text)

	assert.Equal(t, "dev-sessions.shop-dev.svc.cluster.local", dev.secret(t, "dev-sessions-conn")["endpoint"])
	assert.Equal(t, "prod-sessions.shop.svc.cluster.local", prod.secret(t, "prod-sessions-conn")["endpoint"])
	for _, name := range []string{"prod-sessions-password", "prod-sessions-conn"} {
		assert.NotContains(t, prod.secret(t, name), "password", "the instance must make its password in the cluster")
		assert.Contains(t, text, "\n  - "+name+"\n", "the Role must follow the prefix")
	}
	assert.True(t, strings.Contains(text, "- secretRef:\n            name: prod-sessions-conn\n"), "the application's reference must follow the prefix")
}

// If kustomize or kpt cannot run the function, the claim is left over, which is how docs/gitops.md detects it.
func TestKustomizeSkipsTheFunction(t *testing.T) {
	blocks := testkit.ReadPage(t, "docs/gitops.md").Section(t, "Check that the function ran").Blocks("sh")
	require.NotEmpty(t, blocks)
	check := blocks[0]
	require.Contains(t, check, " --enable-exec ")
	dir := write(t, map[string]string{
		"overlays/prod/kustomization.yaml": "resources: [claim.yaml]\ntransformers: [function.yaml]\n",
		"overlays/prod/claim.yaml":         claim,
		"overlays/prod/function.yaml":      function,
	})
	run := func(script string) result { return command(t, dir, nil, "bash", "-euo", "pipefail", "-c", script) }

	ran := run(check)
	assert.False(t, ran.failed, ran.stderr)

	skipped := run(strings.Replace(check, " --enable-exec ", " ", 1))
	assert.True(t, skipped.failed, "a function that was skipped must not pass")
	assert.Contains(t, skipped.stderr, "a claim is left")

	// A claim that is kept away from the cluster leaves nothing at all.
	writeTo(t, dir, map[string]string{"overlays/prod/claim.yaml": strings.Replace(claim, "  name:", "  annotations: {config.kubernetes.io/local-config: \"true\"}\n  name:", 1)})
	gone := run(strings.Replace(check, " --enable-exec ", " ", 1))
	assert.True(t, gone.failed, "a lost instance must not pass")
	assert.Contains(t, gone.stderr, "no instance")
}

const claim = `apiVersion: database.bizmatters.io/v1alpha1
kind: DragonflyInstance
metadata:
  name: my-cache
  namespace: my-namespace
spec:
  size: small
`

const function = `apiVersion: database.bizmatters.io/v1alpha1
kind: DragonflyGenerator
metadata:
  name: dragonfly-generator
  annotations:
    config.kubernetes.io/function: |
      exec:
        path: dragonfly-generator
`

// cat is another function that runs before ours; after it, every item carries a made-up path.
const cat = `apiVersion: example.com/v1
kind: Cat
metadata:
  name: cat
  annotations:
    config.kubernetes.io/function: |
      exec:
        path: cat
`

// Another function before ours gives every item a path. That does not make it a package in which results are kept.
func TestKustomizeAfterAnotherFunction(t *testing.T) {
	files := map[string]string{
		"kustomization.yaml": "resources: [claim.yaml]\ntransformers: [function.yaml]\n",
		"claim.yaml":         claim,
		"function.yaml":      function,
		"cat.yaml":           cat,
	}
	alone := build(t, write(t, files))
	files["kustomization.yaml"] = "resources: [claim.yaml]\ntransformers: [cat.yaml, function.yaml]\n"
	testkit.Same(t, alone, build(t, write(t, files)), "after cat")
}

// A Secret made by somebody else is the source of the password, whether or not kustomize adds a hash to its name, and
// its value stays out of our objects.
func TestKustomizeBringYourOwnPassword(t *testing.T) {
	for name, tc := range map[string]struct{ options, secret string }{
		"with a hash":    {"{}", `eu-my-cache-password-\w{10}`},
		"without a hash": {"{disableNameSuffixHash: true}", `eu-my-cache-password`},
	} {
		t.Run(name, func(t *testing.T) {
			text := build(t, write(t, map[string]string{
				"kustomization.yaml": `
namespace: shop
namePrefix: eu-
resources: [claim.yaml]
secretGenerator:
- name: my-cache-password
  literals: [password=brought along]
  options: ` + tc.options + `
transformers: [function.yaml]
`,
				"claim.yaml":    claim,
				"function.yaml": function,
			}))
			objects := parse(t, text)
			assert.Equal(t, map[string]string{"endpoint": "eu-my-cache.shop.svc.cluster.local", "port": "6379"}, objects.secret(t, "eu-my-cache-conn"))
			assert.NotContains(t, objects, "DragonflyInstance eu-my-cache", "the claim must stay away from the cluster")
			assert.Equal(t, 1, strings.Count(text, "YnJvdWdodCBhbG9uZw=="), "the password must be in its own Secret only")
			assert.Regexp(t, `(?m)^  name: `+tc.secret+`$`, text)
			assert.Regexp(t, `(?m)^  - `+tc.secret+`$`, text, "the Role must follow the name")
			assert.Regexp(t, `(?m)^          secretName: `+tc.secret+`$`, text, "the volume must follow the name")
			assert.Regexp(t, `(?m)^        - --existing$`, text)
		})
	}
}

// Kustomize shows stderr, which must name the claim and the field.
func TestKustomizeShowsWhatIsWrong(t *testing.T) {
	dir := write(t, map[string]string{
		"kustomization.yaml": "resources: [claim.yaml]\ntransformers: [function.yaml]\n",
		"claim.yaml":         claim + "  sise: small\n",
		"function.yaml":      function,
	})
	r := command(t, dir, nil, "kustomize", "build", "--enable-alpha-plugins", "--enable-exec", ".")
	assert.True(t, r.failed)
	assert.Contains(t, r.stderr, `error: DragonflyInstance my-namespace/my-cache: spec.sise: unknown field; did you mean "size"?`)
}
