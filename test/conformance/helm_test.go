//go:build conformance && linux

package conformance

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"github.com/bizmatters/dragonfly-generator/internal/testkit"
)

// The page's commands install, upgrade and uninstall the example's chart, in the namespace that they name.
func TestHelmPage(t *testing.T) {
	t.Parallel()
	const (
		ns, root   = "helm-shop", "../.."
		postRender = " \\\n  --post-renderer dragonfly-generator --post-renderer-args render --post-renderer-args -\n"
	)
	page := testkit.ReadPage(t, "docs/gitops.md").Section(t, "Helm").Replace("--namespace shop", "--namespace "+ns)
	blocks := page.Blocks("sh")
	require.Len(t, blocks, 2)
	install, upgrade := blocks[0], blocks[1]
	uninstall := "helm uninstall shop --namespace " + ns
	require.Contains(t, page, "`"+uninstall+"`")
	require.Contains(t, page, "`--force` removes it")
	require.True(t, strings.HasSuffix(upgrade, postRender), upgrade)

	shell(t, root, install)
	p := podOf(t, ns, "shop-cache")
	_, password := p.restart(t)
	keeps := func(reason string) {
		t.Helper()
		_, now := p.restart(t)
		assert.Equal(t, password, now, reason)
	}

	shell(t, root, upgrade)
	assert.Equal(t, "4Gi", p.memory(t), "the upgrade must have an effect")
	keeps("helm upgrade")
	shell(t, root, "helm rollback shop 1 --namespace "+ns)
	assert.Equal(t, "2Gi", p.memory(t))
	keeps("helm rollback")
	for _, release := range []string{"1", "2", "3"} {
		assert.NotContains(t, shell(t, root, "helm get all shop --revision "+release+" --namespace "+ns), password)
	}

	out, err := tryShell(root, strings.ReplaceAll(upgrade, postRender, "\n"))
	require.Error(t, err, out)
	assert.Contains(t, out, `no matches for kind "DragonflyInstance"`)
	assert.Contains(t, page, `no matches for kind "DragonflyInstance"`)
	assert.Equal(t, "2Gi", p.memory(t))
	keeps("an upgrade that failed")

	shell(t, root, strings.Replace(upgrade, "helm upgrade ", "helm upgrade --force ", 1))
	assert.NotContains(t, p.data(t, "shop-cache-password"), "password")
	assert.NotContains(t, p.data(t, "shop-cache-conn"), "password")
	p.next(t)
	assert.Contains(t, p.fail(t), "error: the password of "+ns+"/shop-cache is lost")

	must(t, "", "patch", "secret", "shop-cache-password", "-n", ns, "--field-manager=dragonfly-password", "--type=merge",
		"-p", `{"stringData":{"password":"`+password+`"}}`)
	keeps("the password was restored")
	volume := get(t, ns, "pvc/dragonfly-data-shop-cache-0", ".spec.volumeName")
	require.NotEmpty(t, volume)
	shell(t, root, uninstall)
	assert.Empty(t, must(t, "", "get", "secrets", "-n", ns, "-o", "name"))
	assert.ElementsMatch(t, []string{"persistentvolumeclaim/dragonfly-data-shop-cache-0", "serviceaccount/default"},
		strings.Fields(must(t, "", "get", "statefulset,deployment,service,serviceaccount,role,rolebinding,pvc", "-n", ns, "-o", "name")))
	assert.Equal(t, volume, get(t, ns, "pvc/dragonfly-data-shop-cache-0", ".spec.volumeName"))

	shell(t, root, install)
	p.next(t)
	assert.Contains(t, p.fail(t), "error: the password of "+ns+"/shop-cache is lost", "the volume remembers that there was one")
}

// memory returns the limit of the live StatefulSet's server.
func (p *pod) memory(t *testing.T) string {
	t.Helper()
	return get(t, p.namespace, "statefulset/"+p.instance, `.spec.template.spec.containers[?(@.name=="dragonfly")].resources.limits.memory`)
}

// The example says the same as the page, and its plugin for Helm 4 runs the same command as Helm 3.
func TestHelmExample(t *testing.T) {
	t.Parallel()
	page := testkit.ReadPage(t, "docs/gitops.md").Section(t, "Helm")
	assert.Equal(t, page.Blocks("sh")[:1], testkit.ReadPage(t, "examples/helm/README.md").Blocks("sh"))
	var plugin struct {
		Name          string
		RuntimeConfig struct {
			PlatformCommand []struct {
				Command string
				Args    []string
			}
		}
	}
	require.NoError(t, yaml.Unmarshal([]byte(readExample(t, "helm/plugin/plugin.yaml")), &plugin))
	require.Len(t, plugin.RuntimeConfig.PlatformCommand, 1)
	command := plugin.RuntimeConfig.PlatformCommand[0]
	assert.Contains(t, page.Blocks("sh")[0], " --post-renderer "+command.Command+" --post-renderer-args "+strings.Join(command.Args, " --post-renderer-args ")+"\n")
	assert.Contains(t, testkit.ReadPage(t, "examples/helm/README.md").Blocks("console")[0], "--post-renderer "+plugin.Name+"\n")
}
