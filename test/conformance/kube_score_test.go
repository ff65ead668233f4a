//go:build conformance && linux

package conformance

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// kube-score finds exactly the critical problems that kube-score.ignore accepts.
func TestKubeScore(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("kube-score.ignore")
	require.NoError(t, err)
	var accepted []string
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			accepted = append(accepted, line)
		}
	}
	var reasons strings.Builder
	for _, pattern := range []string{"../../*.md", "../../docs/*.md"} {
		pages, err := filepath.Glob(pattern)
		require.NoError(t, err)
		for _, page := range pages {
			text, err := os.ReadFile(page)
			require.NoError(t, err)
			reasons.Write(text)
		}
	}

	for _, size := range []string{"micro", "small", "medium", "large"} {
		manifests, _ := render(t, claim("scored", "my-cache", size))
		critical := func(ignored []string) string {
			args := []string{"score", "--output-format", "ci", "--kubernetes-version", "v1.36"}
			for _, test := range ignored {
				args = append(args, "--ignore-test", test)
			}
			cmd := exec.Command("kube-score", append(args, "-")...)
			cmd.Stdin = strings.NewReader(manifests)
			out, err := cmd.Output()
			require.NotEmpty(t, out, "kube-score must run: %v", err)
			var found []string
			for line := range strings.Lines(string(out)) {
				if strings.HasPrefix(line, "[CRITICAL]") {
					found = append(found, line)
				}
			}
			return strings.Join(found, "")
		}
		require.Empty(t, critical(accepted), "size %s", size)
		for i, test := range accepted {
			require.Contains(t, reasons.String(), "`"+test+"`", "every accepted problem needs its reason in the docs")
			others := append(append([]string{}, accepted[:i]...), accepted[i+1:]...)
			require.NotEmpty(t, critical(others), "%s is accepted, but no longer found", test)
		}
	}
}
