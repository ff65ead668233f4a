//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// kptPackage copies the example and changes how its pipeline calls the function.
func kptPackage(t *testing.T, function string) string {
	t.Helper()
	files := tree(t, "../../examples/kpt/package")
	require.Contains(t, files["Kptfile"], "image: "+image)
	files["Kptfile"] = strings.Replace(files["Kptfile"], "image: "+image, function, 1)
	return write(t, files)
}

func render(t *testing.T, dir string) {
	t.Helper()
	succeeds(t, dir, nil, "kpt", "fn", "render", "--allow-exec", "--image-pull-policy", "never")
}

// withoutStatus removes the render status that newer versions of kpt keep in the Kptfile.
func withoutStatus(files map[string]string) map[string]string {
	for name, text := range files {
		if filepath.Base(name) == "Kptfile" {
			files[name], _, _ = strings.Cut(text, "\nstatus:")
		}
	}
	return files
}

func TestKptRender(t *testing.T) {
	for name, function := range map[string]string{"exec": "exec: dragonfly-generator", "image": "image: " + image} {
		t.Run(name, func(t *testing.T) {
			if name == "image" {
				buildImage(t)
			}
			dir := kptPackage(t, function)
			render(t, dir)
			first := withoutStatus(tree(t, dir))

			got := map[string]string{}
			for file, text := range first {
				got[file] = strings.Replace(text, function, "image: "+image, 1)
			}
			if *update {
				writeTo(t, "../../examples/kpt/expected", got)
			}
			sameTree(t, tree(t, "../../examples/kpt/expected"), got, "the package must be as examples/kpt/expected has it")

			render(t, dir)
			sameTree(t, first, withoutStatus(tree(t, dir)), "the second render must change nothing")

			for file, text := range first {
				assert.NotRegexp(t, `(?m)^  password:`, text, "%s must not contain a password", file)
			}
			resize(t, filepath.Join(dir, "claims/my-cache.yaml"))
			render(t, dir)
			resized := withoutStatus(tree(t, dir))
			assert.Equal(t, first["claims/my-cache.my-namespace/secret-password.yaml"], resized["claims/my-cache.my-namespace/secret-password.yaml"], "another size must not change the Secret")
			assert.Contains(t, resized["claims/my-cache.my-namespace/statefulset.yaml"], "memory: 8Gi")
		})
	}
}

// resize changes the size in a claim from small to large.
func resize(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Contains(t, string(text), "size: small")
	require.NoError(t, os.WriteFile(file, []byte(strings.Replace(string(text), "size: small", "size: large", 1)), 0o600))
}

// The package's other resources end up as kpt itself writes them.
func TestKptLeavesTheRestAlone(t *testing.T) {
	app := `# The application.
apiVersion: v1
kind: ConfigMap
metadata:
  name: settings
data:
  zebra: "1" # quoted
  apple: 'two'
`
	files := map[string]string{
		"Kptfile":   "apiVersion: kpt.dev/v1\nkind: Kptfile\nmetadata:\n  name: x\npipeline:\n  mutators:\n  - exec: FUNCTION\n",
		"app.yaml":  app,
		"claim.yml": "# The claim.\n" + claim,
	}
	dir := write(t, files)
	setFunction := func(dir, function string) {
		text := strings.Replace(files["Kptfile"], "FUNCTION", function, 1)
		require.NoError(t, os.WriteFile(filepath.Join(dir, "Kptfile"), []byte(text), 0o600))
	}
	setFunction(dir, "cat")
	render(t, dir)
	want := tree(t, dir)

	setFunction(dir, "dragonfly-generator")
	render(t, dir)
	got := tree(t, dir)
	assert.Equal(t, want["app.yaml"], got["app.yaml"])
	assert.Equal(t, strings.Replace(want["claim.yml"], "my-namespace\n", "my-namespace\n  annotations:\n    config.kubernetes.io/local-config: \"true\"\n", 1), got["claim.yml"])
}

func TestKptSelectorFailsAndChangesNothing(t *testing.T) {
	dir := kptPackage(t, "exec: dragonfly-generator")
	render(t, dir)
	kptfile := filepath.Join(dir, "Kptfile")
	text, err := os.ReadFile(kptfile)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(kptfile, []byte(string(text)+"    selectors:\n    - kind: DragonflyInstance\n"), 0o600))

	before := withoutStatus(tree(t, dir))
	r := command(t, dir, nil, "kpt", "fn", "render", "--allow-exec")
	assert.True(t, r.failed)
	assert.Contains(t, r.stderr, "selector")
	sameTree(t, before, withoutStatus(tree(t, dir)), "a render that fails must change nothing")
}

// The platform's configuration arrives through configPath, and its plain values also through configMap. The file is
// among the package's items, and is kept away from the cluster.
func TestKptConfiguration(t *testing.T) {
	const config = "apiVersion: database.bizmatters.io/v1alpha1\nkind: DragonflyGenerator\nmetadata:\n  name: platform\nspec:\n  storageClassName: standard\n  defaultSize: micro\n"
	for name, how := range map[string]string{
		"configPath": "    configPath: dragonfly-generator.yaml\n",
		"configMap":  "    configMap:\n      storageClassName: standard\n      defaultSize: micro\n",
	} {
		t.Run(name, func(t *testing.T) {
			dir := write(t, map[string]string{
				"Kptfile":    "apiVersion: kpt.dev/v1\nkind: Kptfile\nmetadata:\n  name: x\npipeline:\n  mutators:\n  - exec: dragonfly-generator\n" + how,
				"claim.yaml": "apiVersion: database.bizmatters.io/v1alpha1\nkind: DragonflyInstance\nmetadata:\n  name: my-cache\n  namespace: my-namespace\n",
			})
			if name == "configPath" {
				writeTo(t, dir, map[string]string{"dragonfly-generator.yaml": config})
			}
			render(t, dir)
			first := withoutStatus(tree(t, dir))
			set := first["my-cache.my-namespace/statefulset.yaml"]
			assert.Contains(t, set, "storageClassName: standard")
			assert.Contains(t, set, "memory: 1Gi")
			if name == "configPath" {
				assert.Contains(t, first["dragonfly-generator.yaml"], `config.kubernetes.io/local-config: "true"`)
			}
			render(t, dir)
			sameTree(t, first, withoutStatus(tree(t, dir)), "the second render must change nothing")
		})
	}
}
