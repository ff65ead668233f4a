package testkit

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// FollowQuickstart does what docs/quickstart.md says, from an empty folder with a cluster up to Argo CD. The commands must
// print what the page says, and the pod must stay the same, because each way renders the same manifests.
func FollowQuickstart(t testing.TB, folder string, run func(script string) string) {
	t.Helper()
	page := ReadPage(t, "docs/quickstart.md")
	const (
		files     = "role.yaml\nrolebinding.yaml\nsecret-connection.yaml\nsecret-password.yaml\nservice.yaml\nserviceaccount.yaml\nstatefulset.yaml\n"
		rolledOut = "partitioned roll out complete: 1 new pods have been updated..."
	)
	pod := ""
	for _, way := range []struct {
		heading string
		says    map[string]string // by a part of the block: "" means no output, anything else is part of it
	}{
		{"With kustomize", map[string]string{
			"grep '^kind:'":  strings.Join(page.Section(t, "With kustomize").Blocks("text"), ""),
			"rollout status": rolledOut, "-c prepare": "created the first password", "logs job/ping": "PONG\n", "kubectl diff": "",
		}},
		{"With kpt", map[string]string{"ls package/": files, "rollout status": rolledOut}},
		{"With render", map[string]string{"ls manifests/": files, "rollout status": rolledOut, "--check": ""}},
	} {
		section := page.Section(t, way.heading)
		section.WriteFiles(t, folder)
		seen := map[string]bool{}
		for _, block := range section.Blocks("sh") {
			out := run(block)
			for command, want := range way.says {
				if !strings.Contains(block, command) {
					continue
				}
				seen[command] = true
				if want == "" {
					require.Empty(t, out, block)
				}
				require.Contains(t, out, want, block)
			}
		}
		require.Len(t, seen, len(way.says), way.heading)
		now := run("kubectl get pod my-cache-0 -n my-namespace -o jsonpath={.metadata.uid}")
		require.True(t, pod == "" || pod == now, "the same manifests rendered another way must not restart the pod")
		pod = now
	}
}
