package release

import (
	"bytes"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// granted lists the permissions of each job. To add a permission, add it here too, and give the reason in the
// workflow.
var granted = map[string]map[string]string{
	"ci.yml ci":              nil, // the workflow's own permissions: it only reads
	"nightly.yml commit":     nil,
	"nightly.yml released":   nil,
	"pages.yml build":        nil,
	"pages.yml deploy":       {"pages": "write", "id-token": "write"},
	"release.yml ci":         {"contents": "read"},
	"release.yml quickstart": {"contents": "read"},
	"release.yml dist":       {"contents": "read"},
	"release.yml image":      {"contents": "read", "packages": "write", "id-token": "write", "attestations": "write"},
	"release.yml publish":    {"contents": "write", "id-token": "write", "attestations": "write"},
}

// triggers are the events that start each workflow. None of them runs the code of a stranger's pull request with a
// token that can write, as pull_request_target and workflow_run do.
var triggers = map[string][]string{
	"ci.yml":      {"pull_request", "push", "workflow_call"},
	"nightly.yml": {"schedule", "workflow_call", "workflow_dispatch"},
	"pages.yml":   {"push"},
	"release.yml": {"push"},
}

type workflow struct {
	On          map[string]any
	Permissions *map[string]string
	Jobs        map[string]job
}

type job struct {
	RunsOn         string             `yaml:"runs-on"`
	TimeoutMinutes int                `yaml:"timeout-minutes"`
	Permissions    *map[string]string `yaml:"permissions"`
	Uses           string
	Steps          []step
}

type step struct {
	Uses, Run string
	With      map[string]any
}

// workflows returns the text of each workflow, by file name.
func workflows(t *testing.T) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob("../../.github/workflows/*")
	require.NoError(t, err)
	all := map[string][]byte{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		all[filepath.Base(file)] = text
	}
	require.ElementsMatch(t, []string{"ci.yml", "nightly.yml", "pages.yml", "release.yml"}, names(all))
	return all
}

func names[T any](of map[string]T) []string {
	var all []string
	for name := range of {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

func parse(t *testing.T, text []byte) workflow {
	t.Helper()
	var parsed workflow
	require.NoError(t, yaml.NewDecoder(bytes.NewReader(text)).Decode(&parsed))
	require.NotEmpty(t, parsed.Jobs)
	return parsed
}

func TestTriggers(t *testing.T) {
	for name, text := range workflows(t) {
		assert.Equal(t, triggers[name], names(parse(t, text).On), name)
	}
}

func TestPermissions(t *testing.T) {
	got := map[string]map[string]string{}
	for name, text := range workflows(t) {
		parsed := parse(t, text)
		if assert.NotNil(t, parsed.Permissions, "%s: without its own permissions, it gets those in the repository's settings", name) {
			for permission, level := range *parsed.Permissions {
				assert.Equal(t, "contents read", permission+" "+level, "%s: give it to the job that needs it", name)
			}
		}
		for id, job := range parsed.Jobs {
			got[name+" "+id] = nil
			if job.Permissions != nil {
				got[name+" "+id] = *job.Permissions
			}
		}
	}
	assert.Equal(t, granted, got)
}

var pinned = regexp.MustCompile(`^[\w.-]+/[\w./-]+@[0-9a-f]{40}$`)

// TestActionsArePinned: a tag can be moved to other code, a commit cannot. The comment is for people and for
// Dependabot.
func TestActionsArePinned(t *testing.T) {
	uses := map[string]string{}
	all := workflows(t)
	for _, example := range exampleWorkflows(t) {
		text, err := os.ReadFile(example)
		require.NoError(t, err)
		all[example] = text
	}
	for name, text := range all {
		var root yaml.Node
		require.NoError(t, yaml.Unmarshal(text, &root))
		walk(&root, func(key, value *yaml.Node) {
			if key.Value != "uses" || strings.HasPrefix(value.Value, "./") {
				return
			}
			assert.Regexp(t, pinned, value.Value, "%s:%d", name, value.Line)
			assert.Regexp(t, `^# v\d+\.\d+\.\d+$`, value.LineComment, "%s:%d: add a comment with the version", name, value.Line)
			action, _, _ := strings.Cut(value.Value, "@")
			this := value.Value + " " + value.LineComment
			if there, ok := uses[action]; ok {
				assert.Equal(t, there, this, "%s:%d: use only one version of an action", name, value.Line)
			}
			uses[action] = this
		})
	}
	assert.Contains(t, uses, "actions/checkout")
}

// exampleWorkflows returns the workflows among the examples.
func exampleWorkflows(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("../../examples/*/.github/workflows/*")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	return files
}

// walk calls a function for each key and value, however deep.
func walk(node *yaml.Node, call func(key, value *yaml.Node)) {
	for i, child := range node.Content {
		if node.Kind == yaml.MappingNode && i%2 == 0 {
			call(child, node.Content[i+1])
		}
		walk(child, call)
	}
}

// loud are commands that print their input, or the environment, into a log that anyone can read.
var loud = regexp.MustCompile(`(?m)\bset\s+-\w*[xv]|\b(ba)?sh\s+-\w*[xv]|xtrace|\bprintenv\b|(^|[;&|]\s*)(env|set|export)\s*($|[;&|>])|/proc/self/environ|\b(declare|typeset|export)\s+-p|GH_TOKEN|GITHUB_TOKEN|` +
	`\brender\b|kustomize build|kpt fn|kubectl get secret`)

func TestSteps(t *testing.T) {
	for name, text := range workflows(t) {
		// The run's token is the only thing worth stealing, and steps get it as github.token.
		assert.NotRegexp(t, `\bsecrets\b`, string(text), name)
		assert.NotContains(t, string(text), "ACTIONS_STEP_DEBUG", name)
		assert.NotContains(t, string(text), "continue-on-error", name)
		for id, job := range parse(t, text).Jobs {
			where := name + " " + id
			if job.Uses != "" {
				assert.Contains(t, []string{"./.github/workflows/ci.yml", "./.github/workflows/nightly.yml"}, job.Uses, where)
				continue
			}
			assert.Regexp(t, `^ubuntu-\d\d\.\d\d$`, job.RunsOn, "%s: whatever is called latest can change at any time", where)
			assert.NotZero(t, job.TimeoutMinutes, where)
			assert.NotEmpty(t, job.Steps, where)
			for _, step := range job.Steps {
				// A tag or a title can be a command; in an environment variable, it is just text.
				assert.NotContains(t, step.Run, "${{", where)
				assert.NotRegexp(t, loud, step.Run, where)
				switch action, _, _ := strings.Cut(step.Uses, "@"); action {
				case "actions/checkout":
					assert.Equal(t, false, step.With["persist-credentials"], "%s: later steps must not get the token", where)
				case "actions/setup-go":
					if name == "release.yml" {
						assert.Equal(t, false, step.With["cache"], "%s: other workflows can write to the cache", where)
					}
				}
			}
		}
	}
}

// TestReleaseWaits: nothing is published before everything has passed, and jobs that can write run none of our code.
func TestReleaseWaits(t *testing.T) {
	var release struct {
		Jobs map[string]struct{ Needs any }
	}
	require.NoError(t, yaml.Unmarshal(workflows(t)["release.yml"], &release))
	assert.Equal(t, []any{"ci", "quickstart", "dist"}, release.Jobs["image"].Needs)
	assert.Equal(t, []any{"dist", "image"}, release.Jobs["publish"].Needs)
	for _, step := range parse(t, workflows(t)["release.yml"]).Jobs["publish"].Steps {
		assert.NotContains(t, step.Uses, "actions/checkout")
	}
	notes, dist := -1, -1
	for i, step := range parse(t, workflows(t)["release.yml"]).Jobs["dist"].Steps {
		if strings.HasPrefix(step.Run, `go run ./tools/release-notes "$TAG"`) {
			notes = i
		}
		if strings.HasPrefix(step.Run, `make dist VERSION="$TAG"`) {
			dist = i
		}
	}
	assert.True(t, 0 <= notes && notes < dist, "a tag must be checked before make puts it into commands")
}

// TestDependabot: no module is forgotten, and neither are the actions.
func TestDependabot(t *testing.T) {
	text, err := os.ReadFile("../../.github/dependabot.yml")
	require.NoError(t, err)
	var config struct {
		Updates []struct {
			PackageEcosystem string `yaml:"package-ecosystem"`
			Directories      []string
		}
	}
	require.NoError(t, yaml.Unmarshal(text, &config))
	watched := map[string][]string{}
	for _, update := range config.Updates {
		watched[update.PackageEcosystem] = update.Directories
	}
	assert.Contains(t, watched["github-actions"], "/")
	for _, example := range exampleWorkflows(t) { // in a folder other than /, Dependabot does not look for .github/workflows
		assert.Contains(t, watched["github-actions"], strings.TrimPrefix(path.Dir(filepath.ToSlash(example)), "../.."))
	}

	modules := 0
	require.NoError(t, filepath.WalkDir("../..", func(file string, entry os.DirEntry, err error) error {
		if err != nil || entry.Name() != "go.mod" {
			return err
		}
		modules++
		folder, err := filepath.Rel("../..", filepath.Dir(file))
		if err != nil {
			return err
		}
		assert.True(t, slices.ContainsFunc(watched["gomod"], func(pattern string) bool {
			matches, err := path.Match(pattern, path.Join("/", filepath.ToSlash(folder)))
			return err == nil && matches
		}), "Dependabot does not watch the module in %s", folder)
		return nil
	}))
	assert.Greater(t, modules, 10)
}
