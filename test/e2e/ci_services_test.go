//go:build e2e

package e2e

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// githubActions runs the jobs of hydrate.yml as a runner does.
type githubActions struct{}

func (githubActions) folder() string { return "github-actions" }

type githubWorkflow struct {
	Name        string
	On          map[string]any
	Permissions map[string]string
	Env         map[string]string
	Defaults    struct{ Run struct{ Shell string } }
	Jobs        map[string]githubJob
}

type githubJob struct {
	If          string
	RunsOn      string `yaml:"runs-on"`
	Permissions map[string]string
	Concurrency map[string]string
	Steps       []githubStep
}

type githubStep struct {
	Name             string
	Uses             string
	With             map[string]string
	Run              string
	WorkingDirectory string `yaml:"working-directory"`
	ContinueOnError  bool   `yaml:"continue-on-error"`
}

// checkoutAction is the only action that the example uses, and the only kind of step that does not really run here: the
// tests clone what it would. test/release tests that it is pinned.
const checkoutAction = "actions/checkout@"

func readWorkflow(t *testing.T) githubWorkflow {
	t.Helper()
	text, err := os.ReadFile("../../examples/github-actions/.github/workflows/hydrate.yml")
	require.NoError(t, err)
	var workflow githubWorkflow
	decodeStrictly(t, string(text), &workflow)
	require.Equal(t, "bash", workflow.Defaults.Run.Shell)
	return workflow
}

// decodeStrictly refuses fields that the tests do not know and would ignore.
func decodeStrictly(t *testing.T, text string, into any) {
	t.Helper()
	decoder := yaml.NewDecoder(strings.NewReader(text))
	decoder.KnownFields(true)
	require.NoError(t, decoder.Decode(into))
}

func (s githubActions) preview(r *ciRepository, branch string) []ciOutcome {
	return s.run(r, "preview", "pull_request", r.git("rev-parse", "origin/"+branch))
}

func (s githubActions) hydrate(r *ciRepository, commit string) []ciOutcome {
	return s.run(r, "hydrate", "push", commit)
}

var githubExpression = regexp.MustCompile(`\$\{\{ *(.*?) *\}\}`)

func (githubActions) run(r *ciRepository, name, event, commit string) []ciOutcome {
	r.t.Helper()
	workflow := readWorkflow(r.t)
	require.Contains(r.t, workflow.On, event)
	for other, job := range workflow.Jobs {
		require.Equal(r.t, other == name, job.If == "github.event_name == '"+event+"'", "%s must run on one event", other)
	}
	job := workflow.Jobs[name]

	machine := r.t.TempDir()
	workspace := filepath.Join(machine, "workspace")
	env := map[string]string{
		"PATH":              r.path,
		"HOME":              filepath.Join(machine, "home"),
		"CI":                "true",
		"GITHUB_ACTIONS":    "true",
		"GITHUB_EVENT_NAME": event,
		"GITHUB_SHA":        commit,
		"GITHUB_WORKSPACE":  workspace,
		"GITHUB_PATH":       filepath.Join(machine, "path"),
		"RUNNER_TEMP":       filepath.Join(machine, "temp"),
	}
	for _, dir := range []string{"home", "temp", "workspace"} {
		require.NoError(r.t, os.Mkdir(filepath.Join(machine, dir), 0o755))
	}
	maps.Copy(env, workflow.Env)

	var outcomes []ciOutcome
	for _, step := range job.Steps {
		if step.Uses != "" {
			require.True(r.t, strings.HasPrefix(step.Uses, checkoutAction), step.Uses)
			ref := step.With["ref"]
			if ref == "" {
				ref = commit
			}
			r.checkout(filepath.Join(workspace, step.With["path"]), ref)
			continue
		}
		require.NotRegexp(r.t, githubExpression, step.Run, "no secret is needed, and input from outside must not become part of a script")
		outcome := r.step(step.Name, filepath.Join(workspace, step.WorkingDirectory), env, step.Run)
		outcome.tolerated = step.ContinueOnError
		outcomes = append(outcomes, outcome)
		if outcome.failed && !outcome.tolerated {
			break
		}
		if added, err := os.ReadFile(env["GITHUB_PATH"]); err == nil {
			env["PATH"] = strings.TrimSpace(string(added)) + string(os.PathListSeparator) + r.path
		}
	}
	return outcomes
}

// The tests run every step except checkouts, and check everything that is not a script.
func TestGitHubWorkflow(t *testing.T) {
	workflow := readWorkflow(t)
	assert.Equal(t, map[string]any{"push": map[string]any{"branches": []any{"main"}}, "pull_request": nil}, workflow.On)
	assert.Equal(t, map[string]string{"contents": "read"}, workflow.Permissions)
	assert.Equal(t, map[string]string{"contents": "write"}, workflow.Jobs["hydrate"].Permissions)

	var checkouts, scripts []string
	for _, name := range []string{"preview", "hydrate"} {
		for _, step := range workflow.Jobs[name].Steps {
			if step.Uses != "" {
				checkouts = append(checkouts, strings.Join([]string{name, step.With["ref"], step.With["path"], step.With["persist-credentials"]}, ","))
				continue
			}
			scripts = append(scripts, name+","+step.Name)
		}
	}
	assert.Equal(t, []string{"preview,,,false", "preview,rendered,rendered,false", "hydrate,main,,false", "hydrate,rendered,rendered,"}, checkouts,
		"only the checkout that pushes may keep the token")
	assert.Equal(t, []string{
		"preview,Install dragonfly-generator",
		"preview,Show what a merge would change",
		"preview,Refuse what cannot be rendered",
		"hydrate,Install dragonfly-generator",
		"hydrate,Render",
		"hydrate,Commit",
	}, scripts)
	quiet(t, "../../examples/github-actions/.github/workflows/hydrate.yml")
}

// gitlabCI runs the jobs of .gitlab-ci.yml as a runner with Docker does, except for the image.
type gitlabCI struct{}

func (gitlabCI) folder() string { return "gitlab-ci" }

type gitlabPipeline struct {
	Workflow struct {
		Rules []gitlabRule
	}
	Variables map[string]string
	Default   struct {
		Image        string
		BeforeScript []string `yaml:"before_script"`
	}
	Jobs map[string]gitlabJob `yaml:",inline"`
}

type gitlabJob struct {
	Rules         []gitlabRule
	AllowFailure  bool   `yaml:"allow_failure"`
	ResourceGroup string `yaml:"resource_group"`
	Script        []string
}

type gitlabRule struct{ If string }

// runs reports whether one of the rules allows a pipeline from the given source.
func runs(t *testing.T, rules []gitlabRule, source string) bool {
	t.Helper()
	return slices.ContainsFunc(rules, func(rule gitlabRule) bool {
		switch rule.If {
		case `$CI_PIPELINE_SOURCE == "merge_request_event"`:
			return source == "merge_request_event"
		case `$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH`: // a merge request's pipeline has no CI_COMMIT_BRANCH
			return source == "push"
		}
		require.Fail(t, "unknown rule", rule.If)
		return false
	})
}

func readPipeline(t *testing.T) gitlabPipeline {
	t.Helper()
	text, err := os.ReadFile("../../examples/gitlab-ci/.gitlab-ci.yml")
	require.NoError(t, err)
	var pipeline gitlabPipeline
	decodeStrictly(t, string(text), &pipeline)
	return pipeline
}

func (s gitlabCI) preview(r *ciRepository, branch string) []ciOutcome {
	return s.run(r, "merge_request_event", r.git("rev-parse", "origin/"+branch))
}

func (s gitlabCI) hydrate(r *ciRepository, commit string) []ciOutcome {
	return s.run(r, "push", commit)
}

func (gitlabCI) run(r *ciRepository, source, commit string) []ciOutcome {
	r.t.Helper()
	pipeline := readPipeline(r.t)
	require.True(r.t, runs(r.t, pipeline.Workflow.Rules, source))
	var outcomes []ciOutcome
	for name, job := range pipeline.Jobs {
		if !runs(r.t, job.Rules, source) {
			continue
		}
		machine := r.t.TempDir()
		project := filepath.Join(machine, "builds", "caches")
		r.checkout(project, commit)
		env := map[string]string{
			"PATH":               r.path,
			"HOME":               filepath.Join(machine, "home"),
			"CI":                 "true",
			"GITLAB_CI":          "true",
			"CI_COMMIT_SHA":      commit,
			"CI_DEFAULT_BRANCH":  "main",
			"CI_PIPELINE_SOURCE": source,
			"CI_PROJECT_DIR":     project,
			"CI_REPOSITORY_URL":  r.origin,
			"GITLAB_USER_EMAIL":  "developer@example.com",
			"GITLAB_USER_NAME":   "A developer",
		}
		if source == "push" {
			env["CI_COMMIT_BRANCH"] = "main"
		}
		maps.Copy(env, pipeline.Variables)

		script := slices.Concat(pipeline.Default.BeforeScript, job.Script)
		outcome := r.step(name, project, env, strings.Join(script, "\n"))
		outcome.tolerated = job.AllowFailure
		outcomes = append(outcomes, outcome)
	}
	return outcomes
}

// The tests run every command, and check everything that is not a command.
func TestGitLabPipeline(t *testing.T) {
	pipeline := readPipeline(t)
	require.Len(t, pipeline.Jobs, 3)
	for source, want := range map[string][]string{
		"merge_request_event": {"what a merge would change", "refuse what cannot be rendered"},
		"push":                {"hydrate"},
	} {
		var got []string
		for name, job := range pipeline.Jobs {
			if runs(t, job.Rules, source) {
				got = append(got, name)
			}
		}
		assert.ElementsMatch(t, want, got)
	}
	assert.Equal(t, "rendered", pipeline.Jobs["hydrate"].ResourceGroup)
	quiet(t, "../../examples/gitlab-ci/.gitlab-ci.yml")
}

// quiet refuses commands that would show file contents or the environment, wherever they are.
func quiet(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.NotRegexp(t, `set -\w*x|xtrace|\bprintenv\b|\bcat\b|--debug|CI_DEBUG_TRACE`, string(text))
	assert.Regexp(t, `git show --stat `, string(text))
	assert.NotRegexp(t, `git (diff|log|show)( [^-]|$)`, string(text))
}
