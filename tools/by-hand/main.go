// Command by-hand prints how to run docs/operator.md by hand, with the real operator: the page's own blocks, with the
// setup before them and the checks after them.
package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/bizmatters/dragonfly-generator/internal/operator"
)

func main() {
	page, err := os.ReadFile("docs/operator.md")
	if err == nil {
		var text string
		if text, err = script(string(page)); err == nil {
			_, err = fmt.Print(text)
		}
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "error: %s\n", err)
		os.Exit(1)
	}
}

// A step is the setup before the blocks of a section, and the checks after them.
type step struct {
	section, before, after string
}

const (
	build = "kustomize build --enable-alpha-plugins --enable-exec . > manifests.yaml\n"
	// onServer runs a redis-cli command in a pod, and keeps the password off the command line.
	onServer = "kubectl get secret my-cache-password -n my-namespace -o jsonpath='{.data.password}' | base64 -d |\n" +
		"  kubectl exec -i my-cache-0 -n my-namespace -c dragonfly -- sh -c 'REDISCLI_AUTH=$(cat) redis-cli "
	isThere = "\n# This must print the value.\n" + onServer + "GET tried-by-hand'\n"
)

var steps = []step{
	{
		section: "Moving an instance to the operator",
		before: "\n# An instance without the operator, with a value in it.\n" +
			"cp dragonfly-generator.yaml with-operator.yaml\n" +
			"sed '/^spec:/,$d' with-operator.yaml > dragonfly-generator.yaml\n" +
			build +
			"kubectl create namespace my-namespace\n" +
			"kubectl apply --server-side -f manifests.yaml\n" +
			"kubectl rollout status statefulset my-cache -n my-namespace\n" +
			onServer + "SET tried-by-hand value'\n" +
			"cp with-operator.yaml dragonfly-generator.yaml\n",
		after: isThere,
	},
	{
		section: "Passwords",
		before: "\n# Rotate, and run the first block as soon as a replica restarts: a client with the new password gets in.\n" +
			"echo '  annotations: {database.bizmatters.io/password-rotation: \"2\"}' >> claim.yaml\n" +
			build +
			"kubectl apply --server-side -f manifests.yaml\n",
		after: isThere,
	},
	{
		section: "And back",
		before: "\n# Delete the master's pod first, so that another pod is the master.\n" +
			"kubectl delete pod -n my-namespace -l app=my-cache,role=master\n" +
			"kubectl wait dragonfly/my-cache -n my-namespace --for=jsonpath='{.status.phase}'=Ready --timeout=10m\n" +
			"sed '/^spec:/,$d' with-operator.yaml > dragonfly-generator.yaml\n" +
			build,
		after: "kubectl rollout status statefulset my-cache -n my-namespace\n" + isThere,
	},
}

// script returns a bash script to run block by block. The page's text around the blocks becomes comments.
func script(page string) (string, error) {
	var s strings.Builder
	fmt.Fprintf(&s, `# How to run docs/operator.md by hand, with the Dragonfly Operator %s. You need a cluster of your own with nodes for it,
# a storage class, kubectl, kustomize and dragonfly-generator. Run one block after the other, in bash and an empty folder,
# and then write into the page's last table what you tried, with which versions.
set -uo pipefail
kubectl apply --server-side -f https://raw.githubusercontent.com/dragonflydb/dragonfly-operator/%[1]s/manifests/dragonfly-operator.yaml
kubectl rollout status deployment -n dragonfly-operator-system
kubectl label node --all workload-type=stateful --overwrite

# The files of the page.
`, operator.Version)
	for _, b := range blocksOf(page) {
		first, _, _ := strings.Cut(b.text, "\n")
		if name, found := strings.CutPrefix(first, "# "); found && b.language == "yaml" && !strings.Contains(name, " ") {
			fmt.Fprintf(&s, "cat > %s <<'END'\n%sEND\n", name, b.text)
		}
	}
	for _, step := range steps {
		fmt.Fprintf(&s, "\n# == %s\n%s", step.section, step.before)
		found := false
		for _, b := range blocksOf(page) {
			if b.section == step.section && b.language == "sh" {
				found = true
				fmt.Fprintf(&s, "\n%s%s", b.prose, b.text)
			}
		}
		if !found {
			return "", fmt.Errorf("docs/operator.md has no sh block in a section %q; update tools/by-hand", step.section)
		}
		s.WriteString(step.after)
	}
	for _, b := range blocksOf(page) {
		if b.language == "sh" && !strings.Contains(s.String(), b.text) {
			return "", errors.New("docs/operator.md has an sh block in the section " + b.section + ", which no step runs; add one in tools/by-hand")
		}
	}
	return s.String(), nil
}

// block is a code block on the page. Its prose is the paragraph above it, as comments.
type block struct{ section, language, prose, text string }

func blocksOf(page string) []block {
	var blocks []block
	var current *block
	section, prose, isOver := "", "", false
	for line := range strings.Lines(page) {
		language, isFence := strings.CutPrefix(strings.TrimSpace(line), "```")
		heading, isHeading := strings.CutPrefix(line, "## ")
		switch {
		case isFence && current == nil:
			current = &block{section: section, language: language, prose: prose}
		case isFence:
			blocks = append(blocks, *current)
			current, prose = nil, ""
		case current != nil:
			current.text += line
		case isHeading:
			section, prose = strings.TrimSpace(heading), ""
		case strings.TrimSpace(line) == "":
			isOver = true
		default:
			if isOver {
				prose, isOver = "", false
			}
			prose += "# " + line
		}
	}
	return blocks
}
