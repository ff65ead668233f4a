//go:build e2e

package e2e

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bizmatters/dragonfly-generator/internal/testkit"
)

// ciService runs a CI service's example the way the service does: the scripts exactly as in its file, each in its own
// shell, with only the environment that the service provides.
type ciService interface {
	// folder is the example's folder.
	folder() string
	// preview runs what the service runs for a branch's pull request, hydrate what it runs for a push to main.
	preview(r *ciRepository, branch string) []ciOutcome
	hydrate(r *ciRepository, commit string) []ciOutcome
}

// ciOutcome is the outcome of a step, or of a job if the service has no steps.
type ciOutcome struct {
	name   string
	output string // stdout and stderr
	failed bool
	// tolerated means that a failure does not fail the pipeline.
	tolerated bool
}

// ciRepository is a team's clone of the example, the repository that it pushes to, and the machine that its CI runs on.
type ciRepository struct {
	t      *testing.T
	clone  string
	origin string // a URL
	home   string // the team's clone
	path   string // the CI's PATH, without our programs, because its scripts must install them
}

func TestCI(t *testing.T) {
	for name, service := range map[string]ciService{
		"GitHub Actions": githubActions{},
		"GitLab CI":      gitlabCI{},
	} {
		t.Run(name, func(t *testing.T) {
			t.Run("months of it", func(t *testing.T) { playCI(t, service) })

			t.Run("a download differs from the release", func(t *testing.T) {
				r := newCIRepository(t, service)
				release := r.release(filepath.Join("github.com/bizmatters/dragonfly-generator/releases/download", version))
				writeTo(t, release, map[string]string{binary: "another program"})
				before := r.rendered()
				outcomes := service.hydrate(r, r.git("rev-parse", "main"))
				fails(t, outcomes)
				assert.Contains(t, outcomes[len(outcomes)-1].output, binary+": FAILED")
				assert.Equal(t, before, r.rendered())
			})
		})
	}
}

func playCI(t *testing.T, service ciService) {
	r := newCIRepository(t, service)
	head := func() string { return r.git("rev-parse", "main") }
	empty := r.rendered()

	// The first pull request shows new instances.
	r.git("switch", "--quiet", "--create", "first")
	r.git("push", "--quiet", "origin", "first")
	outcomes := service.preview(r, "first")
	passes(t, outcomes)
	shown := outcome(t, outcomes, "would change")
	assert.True(t, shown.failed && shown.tolerated)
	assert.Contains(t, shown.output, "+++ rendered/manifests/sessions.shop/secret-password.yaml")
	assert.Equal(t, empty, r.rendered(), "a pull request must not write")

	passes(t, service.hydrate(r, head()))
	first := r.rendered()
	assert.NotEqual(t, empty, first)
	assert.Equal(t, slices.Concat(rendered("queue.orders"), rendered("sessions.shop")), r.files())

	passes(t, service.hydrate(r, head()))
	assert.Equal(t, first, r.rendered(), "a second run must commit nothing")
	shown = outcome(t, service.preview(r, "first"), "would change")
	assert.False(t, shown.failed, "a branch without changes must change nothing:\n%s", shown.output)

	// A change is shown in its pull request, and takes effect with the merge.
	before := head()
	r.git("switch", "--quiet", "--create", "larger")
	r.commit("larger", "claims/sessions.yaml", "size: small", "size: large")
	outcomes = service.preview(r, "larger")
	passes(t, outcomes)
	shown = outcome(t, outcomes, "would change")
	assert.True(t, shown.failed && shown.tolerated)
	assert.Regexp(t, `(?m)^\+ +memory: 8Gi$`, shown.output)
	assert.Contains(t, shown.output, "error: rendered/manifests is not up to date")
	assert.Equal(t, 1, strings.Count(shown.output, "\n+++ "), "only one file may change")
	assert.Equal(t, first, r.rendered(), "a pull request must not write")

	r.merge("larger")
	passes(t, service.hydrate(r, head()))
	second := r.rendered()
	assert.Equal(t, "manifests/sessions.shop/statefulset.yaml", r.git("diff", "--name-only", first, second))
	assert.Equal(t, "Render "+head(), r.git("log", "-1", "--format=%s", second))

	passes(t, service.hydrate(r, before))
	assert.Equal(t, second, r.rendered(), "a late run must not bring back anything old")

	// Claims that cannot be rendered fail the pull request.
	r.git("switch", "--quiet", "--create", "wrong")
	r.commit("wrong", "claims/sessions.yaml", "size: large", "size: lage")
	outcomes = service.preview(r, "wrong")
	fails(t, outcomes)
	refused := outcome(t, outcomes, "cannot be rendered")
	assert.True(t, refused.failed && !refused.tolerated)
	assert.Contains(t, refused.output, `unknown size "lage"; did you mean "large"?`)
	r.git("switch", "--quiet", "main")

	// A rotation is a change like any other.
	r.commit("main", "claims/sessions.yaml", "metadata:\n", "metadata:\n  annotations:\n    database.bizmatters.io/password-rotation: \"2\"\n")
	passes(t, service.hydrate(r, head()))
	assert.Contains(t, r.git("diff", second, r.rendered(), "--", "manifests/sessions.shop/statefulset.yaml"), "\n+        database.bizmatters.io/password-rotation: \"2\"\n")
	assert.Empty(t, r.git("diff", "--name-only", second, r.rendered(), "--", "manifests/queue.orders"))

	// When a claim is removed, so is everything made from it.
	r.git("rm", "--quiet", "claims/queue.yaml")
	r.git("commit", "--quiet", "-m", "No queue any more")
	r.git("push", "--quiet", "origin", "main")
	passes(t, service.hydrate(r, head()))
	assert.Equal(t, rendered("sessions.shop"), r.files())

	assert.NotRegexp(t, `(?m)^\+  password:`, r.git("log", "--patch", r.rendered()), "no commit may contain a password")
}

// rendered returns the files of an instance, in order.
func rendered(instance string) []string {
	var files []string
	for _, name := range []string{"role", "rolebinding", "secret-connection", "secret-password", "service", "serviceaccount", "statefulset"} {
		files = append(files, "manifests/"+instance+"/"+name+".yaml")
	}
	return files
}

// passes requires that no step has failed except those that may.
func passes(t *testing.T, outcomes []ciOutcome) {
	t.Helper()
	for _, o := range outcomes {
		require.False(t, o.failed && !o.tolerated, "%s:\n%s", o.name, o.output)
	}
}

// fails requires that the pipeline has failed.
func fails(t *testing.T, outcomes []ciOutcome) {
	t.Helper()
	require.True(t, slices.ContainsFunc(outcomes, func(o ciOutcome) bool { return o.failed && !o.tolerated }), "the pipeline must fail")
}

// outcome returns the outcome of the step whose name contains these words.
func outcome(t *testing.T, outcomes []ciOutcome, words string) ciOutcome {
	t.Helper()
	i := slices.IndexFunc(outcomes, func(o ciOutcome) bool { return strings.Contains(o.name, words) })
	require.GreaterOrEqual(t, i, 0, "no step %q has run", words)
	return outcomes[i]
}

// The release that the examples name, and the program that they install from it.
const (
	version = "v0.1.0"
	binary  = "dragonfly-generator_" + version + "_linux_amd64"
)

// newCIRepository sets up the example as its README says.
func newCIRepository(t *testing.T, service ciService) *ciRepository {
	t.Helper()
	dir := t.TempDir()
	r := &ciRepository{
		t:      t,
		clone:  filepath.Join(dir, "clone"),
		origin: "file://" + filepath.Join(dir, "origin.git"),
		home:   filepath.Join(dir, "home"),
	}
	writeTo(t, r.home, map[string]string{".gitconfig": "[user]\n\tname = A developer\n\temail = developer@example.com\n[init]\n\tdefaultBranch = main\n"})

	// The release, and a curl that finds it, because its URLs are files here.
	r.addRelease(filepath.Join("github.com/bizmatters/dragonfly-generator/releases/download", version), "SHA256SUMS", binary, "dragonfly-generator")
	curl := fmt.Sprintf("#!/bin/bash\nfor arg; do\n  case $arg in https://*) cp %q/\"${arg#https://}\" . || exit 22 ;; esac\ndone\n", r.release(""))
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "curl"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "curl", "curl"), []byte(curl), 0o755))
	paths := slices.DeleteFunc(filepath.SplitList(os.Getenv("PATH")), func(path string) bool {
		_, err := os.Stat(filepath.Join(path, "dragonfly-generator"))
		return err == nil
	})
	r.path = strings.Join(append([]string{filepath.Join(dir, "curl")}, paths...), string(os.PathListSeparator))

	writeTo(t, r.clone, tree(t, filepath.Join("../../examples", service.folder())))
	succeeds(t, dir, nil, "git", "init", "--quiet", "--bare", "origin.git")
	succeeds(t, dir, nil, "git", "-C", "origin.git", "config", "uploadpack.allowAnySHA1InWant", "true")
	r.git("init", "--quiet")
	r.git("remote", "add", "origin", r.origin)
	r.git("add", "--all")
	r.git("commit", "--quiet", "-m", "The first claims")
	r.git("push", "--quiet", "--set-upstream", "origin", "main")
	page := testkit.ReadPage(t, filepath.Join("examples", service.folder(), "README.md"))
	r.run(r.clone, strings.Join(page.Section(t, "Set it up").Commands(t), ""))
	require.Equal(t, "main", r.git("branch", "--show-current"))
	require.Empty(t, r.files())
	return r
}

// release returns the folder that stands in for a URL.
func (r *ciRepository) release(url string) string {
	return filepath.Join(filepath.Dir(r.clone), "releases", url)
}

func (r *ciRepository) addRelease(url, checksums, name, program string) {
	r.t.Helper()
	path, err := exec.LookPath(program)
	require.NoError(r.t, err, "the end-to-end tests need %s in PATH; `make e2e` says what else", program)
	content, err := os.ReadFile(path)
	require.NoError(r.t, err)
	writeTo(r.t, r.release(url), map[string]string{
		name:      string(content),
		checksums: fmt.Sprintf("%x  %s\n%x  %s\n", sha256.Sum256(nil), "another-asset", sha256.Sum256(content), name),
	})
}

// git runs git as the team does, in its clone.
func (r *ciRepository) git(args ...string) string {
	r.t.Helper()
	return strings.TrimSpace(succeeds(r.t, r.clone, r.team(), "git", args...))
}

// run runs commands that a page tells the team to run.
func (r *ciRepository) run(dir, script string) {
	r.t.Helper()
	succeeds(r.t, dir, r.team(), "bash", "-euo", "pipefail", "-c", script)
}

func (r *ciRepository) team() []string {
	return []string{"HOME=" + r.home, "GIT_CONFIG_NOSYSTEM=1"}
}

// commit replaces a text in a file of a branch, and pushes it.
func (r *ciRepository) commit(branch, file, before, after string) {
	r.t.Helper()
	text, err := os.ReadFile(filepath.Join(r.clone, file))
	require.NoError(r.t, err)
	require.Contains(r.t, string(text), before)
	writeTo(r.t, r.clone, map[string]string{file: strings.Replace(string(text), before, after, 1)})
	r.git("commit", "--quiet", "--all", "-m", "Change "+file)
	r.git("push", "--quiet", "origin", branch)
}

func (r *ciRepository) merge(branch string) {
	r.t.Helper()
	r.git("switch", "--quiet", "main")
	r.git("merge", "--quiet", "--no-ff", "-m", "Merge "+branch, branch)
	r.git("push", "--quiet", "origin", "main")
}

// rendered returns the commit at the tip of the rendered branch.
func (r *ciRepository) rendered() string {
	r.t.Helper()
	r.git("fetch", "--quiet", "origin", "rendered")
	return r.git("rev-parse", "FETCH_HEAD")
}

// files returns the files of the rendered branch.
func (r *ciRepository) files() []string {
	r.t.Helper()
	return strings.Fields(r.git("ls-tree", "-r", "--name-only", r.rendered()))
}

// checkout clones a commit or branch to where the CI works on it.
func (r *ciRepository) checkout(dir, ref string) {
	r.t.Helper()
	succeeds(r.t, filepath.Dir(r.clone), r.team(), "git", "init", "--quiet", dir)
	succeeds(r.t, dir, r.team(), "git", "remote", "add", "origin", r.origin)
	succeeds(r.t, dir, r.team(), "git", "fetch", "--quiet", "--depth", "1", "origin", ref)
	succeeds(r.t, dir, r.team(), "git", "checkout", "--quiet", "--detach", "FETCH_HEAD")
}

// step runs one of the CI's scripts with only the given environment.
func (r *ciRepository) step(name, dir string, env map[string]string, script string) ciOutcome {
	r.t.Helper()
	file := filepath.Join(r.t.TempDir(), "script")
	require.NoError(r.t, os.WriteFile(file, []byte(script), 0o600))
	bash, err := exec.LookPath("bash")
	require.NoError(r.t, err)
	cmd := exec.Command(bash, "--noprofile", "--norc", "-eo", "pipefail", file)
	cmd.Dir = dir
	for name, value := range env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	output, err := cmd.CombinedOutput()
	if err != nil {
		var exit *exec.ExitError
		require.ErrorAs(r.t, err, &exit)
	}
	return ciOutcome{name: name, output: string(output), failed: err != nil}
}

// Flux finds what the pipeline has pushed, where the example says, and builds it.
func TestFlux(t *testing.T) {
	objects := parse(t, tree(t, "../../examples/flux")["caches.yaml"])
	field := func(object string, path ...string) string {
		value, err := objects[object].GetString(strings.Join(path, "."))
		require.NoError(t, err)
		return value
	}
	require.Equal(t, "caches", field("Kustomization caches", "spec", "sourceRef", "name"))

	r := newCIRepository(t, githubActions{})
	passes(t, githubActions{}.hydrate(r, r.git("rev-parse", "main")))
	dir := t.TempDir()
	r.checkout(dir, field("GitRepository caches", "spec", "ref", "branch"))
	dir = filepath.Join(dir, field("Kustomization caches", "spec", "path"))
	// Without a kustomization, kustomize-controller generates one from all files.
	succeeds(t, dir, nil, "kustomize", "create", "--autodetect", "--recursive")
	applied := parse(t, succeeds(t, dir, nil, "kustomize", "build", "."))
	assert.Len(t, applied, 14, "there must be two instances with seven objects each")
	assert.Equal(t, map[string]string{"endpoint": "queue.orders.svc.cluster.local", "port": "6379"}, applied.secret(t, "queue-conn"))
}
