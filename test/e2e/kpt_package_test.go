//go:build e2e

package e2e

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestKptPackage fetches package/ as people do, with one command, and renders it twice.
func TestKptPackage(t *testing.T) {
	files := map[string]string{}
	for name, text := range tree(t, "../../package") {
		files["package/"+name] = text
	}
	require.Contains(t, files["package/Kptfile"], "image: "+image)
	files["package/Kptfile"] = strings.Replace(files["package/Kptfile"], "image: "+image, "exec: dragonfly-generator", 1)
	repository := write(t, files)
	succeeds(t, repository, nil, "git", "init", "-q", "-b", "main")
	succeeds(t, repository, nil, "git", "add", "-A")
	succeeds(t, repository, nil, "git", "-c", "user.name=somebody", "-c", "user.email=somebody@example.com", "commit", "-q", "-m", "all")

	folder := t.TempDir()
	succeeds(t, folder, nil, "kpt", "pkg", "get", repository+"/.git/package@main", "dragonfly")
	dir := filepath.Join(folder, "dragonfly")
	render(t, dir)
	first := withoutStatus(tree(t, dir))
	assert.Contains(t, first["my-cache.my-namespace/statefulset.yaml"], "name: my-cache\n")
	assert.NotContains(t, first["my-cache.my-namespace/secret-password.yaml"], "\ndata:", "the password must be made in the cluster")
	render(t, dir)
	sameTree(t, first, withoutStatus(tree(t, dir)), "the second render must change nothing")
}

// TestKptFnDoc: kpt shows the image's help text.
func TestKptFnDoc(t *testing.T) {
	buildImage(t)
	doc := succeeds(t, ".", nil, "kpt", "fn", "doc", "--image", image)
	assert.Contains(t, doc, "expands DragonflyInstance claims")
	assert.Contains(t, doc, "\n  kpt fn render DIR\n")
}
