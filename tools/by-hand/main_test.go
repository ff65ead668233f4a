package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The output is a script with every block on the page that runs.
func TestScript(t *testing.T) {
	page, err := os.ReadFile("../../docs/operator.md")
	require.NoError(t, err)
	text, err := script(string(page))
	require.NoError(t, err)
	assert.Contains(t, text, "\ncat > claim.yaml <<'END'\n# claim.yaml\napiVersion: ")
	assert.Contains(t, text, "# **4.** Bind the volume to the PVC that the operator's StatefulSet will use.")
	assert.Contains(t, text, " -- redis-cli -p 9999 SAVE | grep -x OK\n")
	syntax := exec.Command("bash", "-n")
	syntax.Stdin = strings.NewReader(text)
	out, err := syntax.CombinedOutput()
	assert.NoError(t, err, string(out))
}

// A block that no step runs, and a step without blocks, are errors.
func TestScriptFollowsThePage(t *testing.T) {
	page, err := os.ReadFile("../../docs/operator.md")
	require.NoError(t, err)
	_, err = script(string(page) + "\n## News\n\n```sh\nkubectl get pods\n```\n")
	require.ErrorContains(t, err, "the section News, which no step runs")
	_, err = script(strings.Replace(string(page), "## And back", "## Return", 1))
	require.ErrorContains(t, err, `no sh block in a section "And back"`)
}
