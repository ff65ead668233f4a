//go:build e2e

package e2e

import (
	"encoding/base64"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// twice is a base that runs the function, and an overlay that runs it again.
func twice(overlay string) map[string]string {
	return map[string]string{
		"base/kustomization.yaml":    "resources: [claim.yaml]\ntransformers: [function.yaml]\n",
		"base/claim.yaml":            claim,
		"base/function.yaml":         function,
		"overlay/kustomization.yaml": "resources: [../base]\ntransformers: [function.yaml]\n" + overlay,
		"overlay/function.yaml":      function,
	}
}

func TestKustomizeBaseAndOverlayBothRunTheFunction(t *testing.T) {
	for _, tc := range []struct{ name, overlay, wrong string }{
		{name: "an overlay that changes nothing"},
		{"a prefix", "namePrefix: eu-\n", "then renamed or moved to another namespace"},
		{"a namespace", "namespace: elsewhere\n", "then renamed or moved to another namespace"},
		{"a patch", "patches:\n- target: {kind: Service, name: my-cache}\n  patch: '[{\"op\":\"replace\",\"path\":\"/spec/type\",\"value\":\"NodePort\"}]'\n", "no longer matches the claim"},
		{"a patch of the claim", "patches:\n- target: {kind: DragonflyInstance}\n  patch: '[{\"op\":\"replace\",\"path\":\"/spec/size\",\"value\":\"large\"}]'\n", "no longer matches the claim"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := write(t, twice(tc.overlay)) + "/overlay"
			r := command(t, dir, nil, "kustomize", "build", "--enable-alpha-plugins", "--enable-exec", ".")
			assert.Equal(t, tc.wrong != "", r.failed, r.stderr)
			assert.Contains(t, r.stderr, tc.wrong)
			assert.Equal(t, tc.wrong != "", strings.Contains(r.stderr, "outermost kustomization"), "the error must say what to do")
		})
	}
}

// kustomize runs all inline entries of `transformers:` before those in files, whatever their order, so a patch for the
// function's output must be in a file if the function is.
func TestKustomizePatchAfterTheFunction(t *testing.T) {
	const patch = `apiVersion: builtin
kind: PatchTransformer
metadata: {name: patch}
target: {kind: StatefulSet}
patch: '[{"op":"add","path":"/spec/template/spec/priorityClassName","value":"databases"}]'
`
	inline := func(text string) string {
		return "- |\n  " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n  ") + "\n"
	}
	for _, tc := range []struct {
		name, transformers string
		patched            bool
	}{
		{"both in files", "- function.yaml\n- patch.yaml\n", true},
		{"both inline", inline(function) + inline(patch), true},
		{"the function inline", inline(function) + "- patch.yaml\n", true},
		{"the patch inline", "- function.yaml\n" + inline(patch), false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			built := build(t, write(t, map[string]string{
				"kustomization.yaml": "resources: [claim.yaml]\ntransformers:\n" + tc.transformers,
				"claim.yaml":         claim,
				"function.yaml":      function,
				"patch.yaml":         patch,
			}))
			assert.Equal(t, tc.patched, strings.Contains(built, "priorityClassName: databases"))
		})
	}
}

// kustomize appends the hash to a generated Secret's name after the function has run, and does not update the reference
// in a custom resource.
func TestKustomizeHashedSecretsBesideTheOperator(t *testing.T) {
	files := map[string]string{
		"kustomization.yaml": `
resources: [claim.yaml]
secretGenerator:
- {name: my-cache-password, namespace: my-namespace, literals: [password=brought along]}
- {name: my-cache-tls, namespace: my-namespace, type: kubernetes.io/tls, literals: [tls.crt=example, tls.key=example]}
transformers: [function.yaml]
`,
		"claim.yaml":    claim,
		"function.yaml": function + "spec:\n  backend: Operator\n  replicas: 2\n  tls: {secretName: \"{name}-tls\"}\n",
	}
	r := command(t, write(t, files), nil, "kustomize", "build", "--enable-alpha-plugins", "--enable-exec", ".")
	assert.True(t, r.failed)
	for _, secret := range []string{"my-cache-password", "my-cache-tls"} {
		assert.Contains(t, r.stderr, "Secret my-namespace/"+secret+": is referenced by the Dragonfly my-cache, but kustomize appends a hash to its name")
	}
	assert.Contains(t, r.stderr, "disableNameSuffixHash: true")

	files["kustomization.yaml"] += "generatorOptions: {disableNameSuffixHash: true}\n"
	objects := parse(t, build(t, write(t, files)))
	for path, want := range map[string]string{"spec.authentication.passwordFromSecret.name": "my-cache-password", "spec.tlsSecretRef.name": "my-cache-tls"} {
		got, err := objects["Dragonfly my-cache"].GetString(path)
		require.NoError(t, err)
		assert.Equal(t, want, got)
		assert.Contains(t, objects, "Secret "+want)
	}
}

// A component runs before the namespace of its parent, so a claim without one gets an error, not a wrong
// endpoint.
func TestKustomizeFunctionInAComponent(t *testing.T) {
	files := map[string]string{
		"kustomization.yaml":           "namespace: shop\nresources: [claim.yaml]\ncomponents: [component]\n",
		"claim.yaml":                   strings.Replace(claim, "  namespace: my-namespace\n", "", 1),
		"component/kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\ntransformers: [function.yaml]\n",
		"component/function.yaml":      function,
	}
	r := command(t, write(t, files), nil, "kustomize", "build", "--enable-alpha-plugins", "--enable-exec", ".")
	assert.True(t, r.failed)
	assert.Contains(t, r.stderr, "metadata.namespace: is missing")

	files["claim.yaml"] = strings.Replace(claim, "my-namespace", "shop", 1)
	objects := parse(t, build(t, write(t, files)))
	assert.Equal(t, "my-cache.shop.svc.cluster.local", objects.secret(t, "my-cache-conn")["endpoint"])
}

// A suffix goes after "-password", so the claim and the provided password no longer match.
func TestKustomizeSuffixAndAPasswordBroughtAlong(t *testing.T) {
	r := command(t, write(t, map[string]string{
		"kustomization.yaml": "nameSuffix: -eu\nresources: [claim.yaml, password.yaml]\ntransformers: [function.yaml]\n",
		"claim.yaml":         claim,
		"function.yaml":      function,
		"password.yaml":      "apiVersion: v1\nkind: Secret\nmetadata: {name: my-cache-password, namespace: my-namespace}\nstringData: {password: brought along}\n",
	}), nil, "kustomize", "build", "--enable-alpha-plugins", "--enable-exec", ".")
	assert.True(t, r.failed)
	assert.Contains(t, r.stderr, "use namePrefix instead of nameSuffix")
	assert.NotContains(t, r.stderr, "brought along")
}

// What kpt removes and keeps when claims are removed, and when everything moves to another namespace.
func TestKptClaimsThatGo(t *testing.T) {
	dir := kptPackage(t, "exec: dragonfly-generator")
	const claim, set = "claims/my-cache.yaml", "claims/my-cache.my-namespace/statefulset.yaml"
	render(t, dir)
	first := withoutStatus(tree(t, dir))

	files := maps.Clone(first)
	for name, text := range files {
		if filepath.Base(name) != "Kptfile" {
			files[name] = strings.ReplaceAll(text, "namespace: my-namespace", "namespace: moved")
		}
	}
	writeTo(t, dir, files)
	render(t, dir)
	moved := withoutStatus(tree(t, dir))
	assert.ElementsMatch(t, slices.Collect(maps.Keys(first)), slices.Collect(maps.Keys(moved)), "each object must stay in its file")
	assert.Contains(t, moved[set], "generated-from: moved/my-cache")
	assert.Contains(t, moved["claims/my-cache.my-namespace/secret-connection.yaml"],
		"endpoint: "+base64.StdEncoding.EncodeToString([]byte("my-cache.moved.svc.cluster.local")))

	remove(t, dir, claim)
	render(t, dir)
	left := tree(t, dir)
	assert.NotContains(t, left, set, "what was made for the claim must be removed with it")
	assert.Contains(t, left, "sessions/sessions.my-namespace/statefulset.yaml", "what was made for another claim must stay")

	remove(t, dir, "sessions/sessions.yaml")
	last := withoutStatus(tree(t, dir))
	render(t, dir)
	sameTree(t, last, withoutStatus(tree(t, dir)), "if no claim is left, nothing must be removed")
}
