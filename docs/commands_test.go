package docs_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bizmatters/dragonfly-generator/internal/testkit"
)

const fieldManager = "--field-manager=dragonfly-password"

var (
	separator = regexp.MustCompile(`\n|\||&&|;|\$\(`)
	// writes are the kubectl commands that change an object.
	writes = []string{"annotate", "create", "edit", "label", "patch", "replace", "set"}
)

// unmanaged returns the commands in a page's blocks that write into a Secret without naming a field manager.
func unmanaged(page testkit.Page) []string {
	var found []string
	for _, block := range page.Blocks() {
		for _, command := range separator.Split(strings.ReplaceAll(block, "\\\n", " "), -1) {
			_, arguments, isKubectl := strings.Cut(" "+command, " kubectl ")
			fields := strings.Fields(arguments)
			isSecret := func(field string) bool {
				kind, _, _ := strings.Cut(field, "/")
				return kind == "secret" || kind == "secrets"
			}
			isWrite := func(field string) bool { return slices.Contains(writes, field) }
			isPrinted := strings.Contains(arguments, "--dry-run=client")
			if isKubectl && slices.ContainsFunc(fields, isWrite) && slices.ContainsFunc(fields, isSecret) && !isPrinted && !slices.Contains(fields, fieldManager) {
				found = append(found, strings.TrimSpace(command))
			}
		}
	}
	return found
}

// Flux takes over fields written by managers whose names start with kubectl, and removes them at its next run: a
// restored password would be gone again.
func TestCommandsNameAFieldManager(t *testing.T) {
	commands := 0
	for path, page := range pages(t) {
		assert.Empty(t, unmanaged(page), "%s: add %s", path, fieldManager)
		commands += strings.Count(string(page), fieldManager)
	}
	require.Greater(t, commands, 3)
}

func TestUnmanaged(t *testing.T) {
	for command, want := range map[string]int{
		"kubectl patch secret my-cache-password -n shop -p '{}'":                                          1,
		"kubectl patch secret my-cache-password -n shop " + fieldManager + " -p '{}'":                     0,
		"$ kubectl -n shop annotate secret/my-cache-conn a=b":                                             1,
		"kubectl label secrets --all a=b":                                                                 1,
		"kubectl edit secret my-cache-password --field-manager=kubectl-edit":                              1,
		"true && kubectl annotate \\\n  secret my-cache-conn a=b":                                         1,
		"kubectl get secret my-cache-conn -o yaml | kubectl replace -f -":                                 0,
		"kubectl get secret my-cache-password":                                                            0,
		"kubectl annotate statefulset my-cache a=b":                                                       0,
		"kubectl create secret generic my-cache-password --from-file=password":                            1,
		"kubectl create secret generic my-cache-password --from-file=password --dry-run=client -o yaml":   0,
		"for secret in a b; do kubectl patch secret $secret -p x; done\nkubectl edit secret c":            2,
		"password=$(kubectl get secret a)\nkubectl patch pvc b -p c\nkubectl delete secret my-cache-conn": 0,
	} {
		assert.Len(t, unmanaged(testkit.Page("Text.\n\n  ```sh\n"+command+"\n  ```\n")), want, command)
	}
	assert.Empty(t, unmanaged("`kubectl edit secret` is prose."))
}
