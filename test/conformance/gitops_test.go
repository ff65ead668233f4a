//go:build conformance && linux

package conformance

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/internal/testkit"
)

// The objects in the examples match the CRDs in the Go modules of Argo CD and Flux.
func TestGitOpsObjects(t *testing.T) {
	t.Parallel()
	for crd, from := range map[string]struct{ module, file string }{
		"applications.argoproj.io":                   {"github.com/argoproj/argo-cd/v3@v3.5.7", "manifests/crds/application-crd.yaml"},
		"gitrepositories.source.toolkit.fluxcd.io":   {"github.com/fluxcd/source-controller@v1.9.6", "config/crd/bases/source.toolkit.fluxcd.io_gitrepositories.yaml"},
		"kustomizations.kustomize.toolkit.fluxcd.io": {"github.com/fluxcd/kustomize-controller@v1.9.6", "config/crd/bases/kustomize.toolkit.fluxcd.io_kustomizations.yaml"},
	} {
		apply(t, testkit.ModuleFile(t, ".", from.module, from.file))
		testkit.WaitForTrue(t, "crd/"+crd, "Established")
	}
	for _, name := range []string{"argocd", "flux-system"} {
		namespace(t, name)
	}
	for _, file := range []string{"argocd/plugin/application.yaml", "argocd/exec/application.yaml", "flux/caches.yaml"} {
		apply(t, readExample(t, file))
	}
	_, err := testkit.Kubectl(strings.ReplaceAll(readExample(t, "argocd/plugin/application.yaml"), "plugin:", "plugins:"),
		"apply", "--server-side", "--validate=strict", "-f", "-")
	assert.ErrorContains(t, err, "plugins", "or nothing was validated")
}

// The repo-server's pod, with what the examples add to it, passes Pod Security `restricted`.
func TestArgoCDPods(t *testing.T) {
	t.Parallel()
	namespace(t, "argocd")
	for _, example := range []string{"plugin", "exec"} {
		pods := 0
		for document := range strings.SplitSeq(readExample(t, "argocd/"+example+"/expected.yaml"), "\n---\n") {
			object, err := yaml.Parse(document)
			require.NoError(t, err)
			if object.GetKind() != "Deployment" {
				continue
			}
			spec, err := object.Pipe(yaml.Lookup("spec", "template", "spec"))
			require.NoError(t, err)
			pod := yaml.MustParse("apiVersion: v1\nkind: Pod\nmetadata:\n  name: repo-server\n  namespace: argocd\n")
			require.NoError(t, pod.PipeE(yaml.SetField("spec", spec)))
			must(t, pod.MustString(), "create", "--dry-run=server", "--validate=strict", "-f", "-")
			pods++
		}
		assert.Equal(t, 1, pods)
	}
}

func readExample(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../examples", file))
	require.NoError(t, err)
	return string(text)
}
