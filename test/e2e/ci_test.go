//go:build e2e

package e2e

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bizmatters/dragonfly-generator/examples"
)

// ciService runs the example of a CI service the way the service does: the scripts as they stand in its
// file, each in a shell of its own, with the environment that the service gives and no other.
type ciService interface {
	// folder is the example's.
	folder() string
	// preview runs what the service runs for a pull request of a branch, hydrate what it runs for a commit
	// that is pushed to main. What is left out is a part of a script; its step does not run.
	preview(r *ciRepository, branch string) []ciOutcome
	hydrate(r *ciRepository, commit, leftOut string) []ciOutcome
}

// ciOutcome is that of a step, or of a job where the service has no steps.
type ciOutcome struct {
	name   string
	output string // stdout and stderr
	failed bool
	// tolerated is a failure that does not fail the pipeline.
	tolerated bool
}

// ciRepository is a team's clone of the example, the repository that it pushes to, and the machine that its
// CI runs on.
type ciRepository struct {
	t       *testing.T
	clone   string
	origin  string // a URL
	home    string // the team's
	key     []string
	path    string   // PATH of the CI, without our programs: its scripts have to install them
	seed    string   // as the CI's secret, or none
	log     []string // what the CI has shown so far
	secrets map[string]bool
}

func TestCI(t *testing.T) {
	for name, service := range map[string]ciService{
		"GitHub Actions": githubActions{},
		"GitLab CI":      gitlabCI{},
	} {
		t.Run(name, func(t *testing.T) {
			t.Run("months of it", func(t *testing.T) { playCI(t, service) })

			t.Run("without a seed", func(t *testing.T) {
				r := newCIRepository(t, service, "")
				service := service
				if _, ok := service.(githubActions); ok {
					// A secret that is not set is empty there, and may have been forgotten.
					outcomes := service.hydrate(r, r.git("rev-parse", "main"), "")
					assert.True(t, outcomes[len(outcomes)-1].failed)
					assert.Contains(t, outcomes[len(outcomes)-1].output, "DRAGONFLY_PASSWORD_SEED is set and empty")
					service = githubActions{withoutSeed: true}
				}
				passes(t, service.hydrate(r, r.git("rev-parse", "main"), ""))
				before, passwords := r.rendered(), r.passwords()
				require.Len(t, passwords, 4)
				passes(t, service.hydrate(r, r.git("rev-parse", "main"), ""))
				assert.Equal(t, before, r.rendered(), "a second run must commit nothing")
				r.commit("main", "claims/sessions.yaml", "size: small", "size: large")
				passes(t, service.hydrate(r, r.git("rev-parse", "main"), ""))
				assert.NotEqual(t, before, r.rendered())
				assert.True(t, maps.Equal(passwords, r.passwords()), "no password may change")
				r.leaksNothing()
			})

			t.Run("the key is not set up", func(t *testing.T) {
				r := newCIRepository(t, service, examples.Seed)
				recipient := strings.TrimSpace(succeeds(t, "", r.key, "age-keygen", "-y", strings.TrimPrefix(r.key[0], "SOPS_AGE_KEY_FILE=")))
				r.commit("main", ".sops.yaml", recipient, placeholder)
				before := r.rendered()
				fails(t, service.hydrate(r, r.git("rev-parse", "main"), ""))
				assert.Equal(t, before, r.rendered(), "what is not encrypted must not be pushed")
				r.leaksNothing()
			})

			t.Run("somebody takes the encryption out", func(t *testing.T) {
				r := newCIRepository(t, service, examples.Seed)
				before := r.rendered()
				outcomes := service.hydrate(r, r.git("rev-parse", "main"), "sops encrypt")
				fails(t, outcomes)
				assert.Contains(t, outcomes[len(outcomes)-1].output, "not encrypted, so nothing is committed: manifests/queue.orders/secret-connection.yaml")
				assert.Equal(t, before, r.rendered(), "what is not encrypted must not be pushed")
				r.leaksNothing()
			})

			t.Run("a download is not what was released", func(t *testing.T) {
				r := newCIRepository(t, service, examples.Seed)
				release := r.release(filepath.Join("github.com/bizmatters/dragonfly-generator/releases/download", version))
				writeTo(t, release, map[string]string{binary: "another program"})
				before := r.rendered()
				outcomes := service.hydrate(r, r.git("rev-parse", "main"), "")
				fails(t, outcomes)
				assert.Contains(t, outcomes[len(outcomes)-1].output, binary+": FAILED")
				assert.Equal(t, before, r.rendered())
			})
		})
	}
}

func playCI(t *testing.T, service ciService) {
	r := newCIRepository(t, service, examples.Seed)
	head := func() string { return r.git("rev-parse", "main") }
	empty := r.rendered()

	// The first pull request shows new instances, and no password.
	r.git("switch", "--quiet", "--create", "first")
	r.git("push", "--quiet", "origin", "first")
	outcomes := service.preview(r, "first")
	passes(t, outcomes)
	shown := outcome(t, outcomes, "would change")
	assert.True(t, shown.failed && shown.tolerated)
	assert.Contains(t, shown.output, "+++ rendered/manifests/sessions.shop/secret-password.yaml")
	assert.Contains(t, shown.output, "password: '[redacted]'")
	assert.Equal(t, empty, r.rendered(), "a pull request must not write")

	passes(t, service.hydrate(r, head(), ""))
	first, passwords := r.rendered(), r.passwords()
	assert.NotEqual(t, empty, first)
	assert.Equal(t, []string{
		"manifests/queue.orders/secret-connection.yaml",
		"manifests/queue.orders/secret-password.yaml",
		"manifests/queue.orders/service.yaml",
		"manifests/queue.orders/statefulset.yaml",
		"manifests/sessions.shop/secret-connection.yaml",
		"manifests/sessions.shop/secret-password.yaml",
		"manifests/sessions.shop/service.yaml",
		"manifests/sessions.shop/statefulset.yaml",
	}, r.files())
	assert.True(t, maps.Equal(r.derived(), passwords), "the passwords must be those of the seed")

	passes(t, service.hydrate(r, head(), ""))
	assert.Equal(t, first, r.rendered(), "a second run must commit nothing")
	shown = outcome(t, service.preview(r, "first"), "would change")
	assert.False(t, shown.failed, "a branch without changes must change nothing:\n%s", shown.output)

	// A change is shown in its pull request, and made by the merge.
	before := head()
	r.git("switch", "--quiet", "--create", "larger")
	r.commit("larger", "claims/sessions.yaml", "size: small", "size: large")
	outcomes = service.preview(r, "larger")
	passes(t, outcomes)
	shown = outcome(t, outcomes, "would change")
	assert.True(t, shown.failed && shown.tolerated)
	assert.Regexp(t, `(?m)^\+ +memory: 8Gi$`, shown.output)
	assert.Contains(t, shown.output, "1 file would change")
	assert.Equal(t, first, r.rendered(), "a pull request must not write")

	r.merge("larger")
	passes(t, service.hydrate(r, head(), ""))
	second := r.rendered()
	assert.Equal(t, "manifests/sessions.shop/statefulset.yaml", r.git("diff", "--name-only", first, second))
	assert.True(t, maps.Equal(passwords, r.passwords()), "another size must change no password")
	assert.Equal(t, "Render "+head(), r.git("log", "-1", "--format=%s", second))

	passes(t, service.hydrate(r, before, ""))
	assert.Equal(t, second, r.rendered(), "a run that comes late must bring nothing old back")

	// What cannot be rendered fails the pull request.
	r.git("switch", "--quiet", "--create", "wrong")
	r.commit("wrong", "claims/sessions.yaml", "size: large", "size: lage")
	outcomes = service.preview(r, "wrong")
	fails(t, outcomes)
	refused := outcome(t, outcomes, "cannot be rendered")
	assert.True(t, refused.failed && !refused.tolerated)
	assert.Contains(t, refused.output, `unknown size "lage"; did you mean "large"?`)
	r.git("switch", "--quiet", "main")

	// A rotation needs the seed or the key, so it is made by hand, as the page says.
	r.git("switch", "--quiet", "--create", "rotate")
	r.commit("rotate", "claims/sessions.yaml", "metadata:\n", "metadata:\n  annotations:\n    database.bizmatters.io/password-rotation: \"2\"\n")
	outcomes = service.preview(r, "rotate")
	fails(t, outcomes)
	assert.Contains(t, outcome(t, outcomes, "cannot be rendered").output, "encrypted with SOPS")
	assert.NotEmpty(t, r.run(r.clone, consoleBlock(t, "../../docs/gitops.md", "Rotate"), "DRAGONFLY_PASSWORD_SEED="+r.seed))
	rotated := r.passwords()
	third := r.rendered()
	passes(t, service.preview(r, "rotate"))
	r.merge("rotate")
	passes(t, service.hydrate(r, head(), ""))
	assert.Equal(t, third, r.rendered(), "what was rotated by hand is what the claims ask for")
	for name, password := range rotated {
		assert.Equal(t, strings.HasPrefix(name, "sessions-"), password != passwords[name], "only the password of sessions changes, not that of %s", name)
	}
	assert.True(t, maps.Equal(r.derived(), rotated), "the password must be the one of seed and rotation")

	// When a claim goes, all but its encrypted Secrets goes.
	r.git("rm", "--quiet", "claims/queue.yaml")
	r.git("commit", "--quiet", "-m", "No queue any more")
	r.git("push", "--quiet", "origin", "main")
	passes(t, service.hydrate(r, head(), ""))
	assert.Equal(t, []string{
		"manifests/queue.orders/secret-connection.yaml",
		"manifests/queue.orders/secret-password.yaml",
		"manifests/sessions.shop/secret-connection.yaml",
		"manifests/sessions.shop/secret-password.yaml",
		"manifests/sessions.shop/service.yaml",
		"manifests/sessions.shop/statefulset.yaml",
	}, r.files())
	r.leaksNothing()
}

// passes demands that no step has failed but those that may.
func passes(t *testing.T, outcomes []ciOutcome) {
	t.Helper()
	for _, o := range outcomes {
		require.False(t, o.failed && !o.tolerated, "%s:\n%s", o.name, o.output)
	}
}

// fails demands that the pipeline has failed.
func fails(t *testing.T, outcomes []ciOutcome) {
	t.Helper()
	require.True(t, slices.ContainsFunc(outcomes, func(o ciOutcome) bool { return o.failed && !o.tolerated }), "the pipeline must fail")
}

// outcome returns that of the step whose name has these words in it.
func outcome(t *testing.T, outcomes []ciOutcome, words string) ciOutcome {
	t.Helper()
	i := slices.IndexFunc(outcomes, func(o ciOutcome) bool { return strings.Contains(o.name, words) })
	require.GreaterOrEqual(t, i, 0, "no step %q has run", words)
	return outcomes[i]
}

// What the examples call a release, and what they install of it.
const (
	version     = "v0.1.0"
	binary      = "dragonfly-generator_" + version + "_linux_amd64"
	placeholder = "PUT-THE-PUBLIC-KEY-OF-THE-CLUSTER-HERE"
)

var sopsModule = regexp.MustCompile(`(?m)^\tgithub\.com/getsops/sops/v3 (v\S+)`)

// newCIRepository sets the example up as its README says, with a key and with a seed or none.
func newCIRepository(t *testing.T, service ciService, seed string) *ciRepository {
	t.Helper()
	dir := t.TempDir()
	r := &ciRepository{
		t:       t,
		clone:   filepath.Join(dir, "clone"),
		origin:  "file://" + filepath.Join(dir, "origin.git"),
		home:    filepath.Join(dir, "home"),
		key:     []string{"SOPS_AGE_KEY_FILE=" + filepath.Join(dir, "age.agekey")},
		seed:    seed,
		secrets: map[string]bool{},
	}
	succeeds(t, dir, nil, "age-keygen", "-o", filepath.Join(dir, "age.agekey"))
	recipient := strings.TrimSpace(succeeds(t, dir, nil, "age-keygen", "-y", filepath.Join(dir, "age.agekey")))
	writeTo(t, r.home, map[string]string{".gitconfig": "[user]\n\tname = A developer\n\temail = developer@example.com\n[init]\n\tdefaultBranch = main\n"})

	// The releases, and a curl that finds them: its URLs are files here.
	sops := sopsModule.FindStringSubmatch(tree(t, "../../tools/sops")["go.mod"])
	require.NotNil(t, sops)
	r.addRelease(filepath.Join("github.com/bizmatters/dragonfly-generator/releases/download", version), "SHA256SUMS", binary, "dragonfly-generator")
	r.addRelease(filepath.Join("github.com/getsops/sops/releases/download", sops[1]), "sops-"+sops[1]+".checksums.txt", "sops-"+sops[1]+".linux.amd64", "sops")
	curl := fmt.Sprintf("#!/bin/bash\nfor arg; do\n  case $arg in https://*) cp %q/\"${arg#https://}\" . || exit 22 ;; esac\ndone\n", r.release(""))
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "curl"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "curl", "curl"), []byte(curl), 0o755))
	paths := slices.DeleteFunc(filepath.SplitList(os.Getenv("PATH")), func(path string) bool {
		_, ours := os.Stat(filepath.Join(path, "dragonfly-generator"))
		_, sops := os.Stat(filepath.Join(path, "sops"))
		return ours == nil || sops == nil
	})
	r.path = strings.Join(append([]string{filepath.Join(dir, "curl")}, paths...), string(os.PathListSeparator))

	files := tree(t, filepath.Join("../../examples", service.folder()))
	require.Contains(t, files[".sops.yaml"], placeholder)
	files[".sops.yaml"] = strings.Replace(files[".sops.yaml"], placeholder, recipient, 1)
	writeTo(t, r.clone, files)
	succeeds(t, dir, nil, "git", "init", "--quiet", "--bare", "origin.git")
	succeeds(t, dir, nil, "git", "-C", "origin.git", "config", "uploadpack.allowAnySHA1InWant", "true")
	r.git("init", "--quiet")
	r.git("remote", "add", "origin", r.origin)
	r.git("add", "--all")
	r.git("commit", "--quiet", "-m", "The first claims")
	r.git("push", "--quiet", "--set-upstream", "origin", "main")
	r.run(r.clone, consoleBlock(t, filepath.Join("../../examples", service.folder(), "README.md"), "Set it up"))
	require.Equal(t, "main", r.git("branch", "--show-current"))
	require.Empty(t, r.files())
	return r
}

// release returns the folder that stands for a URL.
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

// run runs what a page tells the team to run.
func (r *ciRepository) run(dir, script string, env ...string) string {
	r.t.Helper()
	env = append(r.team(), env...)
	got := command(r.t, dir, append(env, "REPOSITORY="+r.origin), "bash", "-euo", "pipefail", "-c", script)
	require.False(r.t, got.failed, "%s\n%s", script, got.stderr)
	return got.stdout + got.stderr
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

// rendered returns the commit that the rendered branch is at.
func (r *ciRepository) rendered() string {
	r.t.Helper()
	r.git("fetch", "--quiet", "origin", "rendered")
	return r.git("rev-parse", "FETCH_HEAD")
}

// files returns those of the rendered branch.
func (r *ciRepository) files() []string {
	r.t.Helper()
	return strings.Fields(r.git("ls-tree", "-r", "--name-only", r.rendered()))
}

// passwords decrypts those of the rendered branch, with the key that only the cluster has. They are by
// the names of their Secrets.
func (r *ciRepository) passwords() map[string]string {
	r.t.Helper()
	found := map[string]string{}
	for _, file := range r.files() {
		text := r.git("show", "FETCH_HEAD:"+file)
		if !strings.Contains(text, "\nkind: Secret\n") {
			continue
		}
		require.Contains(r.t, text, "\nsops:\n", "%s must be encrypted", file)
		dir := write(r.t, map[string]string{"secret.yaml": text})
		objects := parse(r.t, succeeds(r.t, dir, r.key, "sops", "decrypt", "secret.yaml"))
		for name := range objects {
			name = strings.TrimPrefix(name, "Secret ")
			found[name] = objects.secret(r.t, name)["password"]
			require.NotEmpty(r.t, found[name])
			r.secrets[found[name]] = true
		}
	}
	return found
}

// derived returns the passwords of the claims of main, from the seed, by the names of their Secrets.
func (r *ciRepository) derived() map[string]string {
	r.t.Helper()
	found := map[string]string{}
	objects := parse(r.t, succeeds(r.t, r.clone, []string{"DRAGONFLY_PASSWORD_SEED=" + r.seed}, "dragonfly-generator", "render", "claims"))
	for name := range objects {
		if secret, ok := strings.CutPrefix(name, "Secret "); ok {
			found[secret] = objects.secret(r.t, secret)["password"]
		}
	}
	return found
}

// checkout clones a commit, or a branch, to where the CI works on it.
func (r *ciRepository) checkout(dir, ref string) {
	r.t.Helper()
	succeeds(r.t, filepath.Dir(r.clone), r.team(), "git", "init", "--quiet", dir)
	succeeds(r.t, dir, r.team(), "git", "remote", "add", "origin", r.origin)
	succeeds(r.t, dir, r.team(), "git", "fetch", "--quiet", "--depth", "1", "origin", ref)
	succeeds(r.t, dir, r.team(), "git", "checkout", "--quiet", "--detach", "FETCH_HEAD")
}

// step runs a script of the CI with that environment and no other.
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
	r.log = append(r.log, string(output))
	return ciOutcome{name: name, output: string(output), failed: err != nil}
}

// noteSecrets notes the passwords that a run has left on the CI's disk, readable or not for anybody else.
func (r *ciRepository) noteSecrets(dir string) {
	r.t.Helper()
	require.NoError(r.t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasPrefix(entry.Name(), "secret-") {
			return err
		}
		text, err := os.ReadFile(path)
		if err == nil && !strings.Contains(string(text), "\nsops:\n") {
			objects := parse(r.t, string(text))
			for name := range objects {
				r.secrets[objects.secret(r.t, strings.TrimPrefix(name, "Secret "))["password"]] = true
			}
		}
		return err
	}))
}

// leaksNothing looks for everything secret in all that the CI has shown and in all that it has pushed.
func (r *ciRepository) leaksNothing() {
	r.t.Helper()
	pushed := r.git("log", "--patch", "--all", "--remotes") + r.git("log", "--patch", r.rendered())
	shown := strings.Join(r.log, "\n")
	require.NotEmpty(r.t, shown)
	require.NotEmpty(r.t, r.secrets)
	if r.seed != "" {
		r.secrets[r.seed] = true
	}
	r.secrets["AGE-SECRET-KEY-"] = true
	for secret := range r.secrets {
		// Without its end, base64 is the same whatever follows.
		encoded := base64.StdEncoding.EncodeToString([]byte(secret))
		encoded = encoded[:len(encoded)-4]
		for place, text := range map[string]string{"the log": shown, "the repository": pushed} {
			assert.False(r.t, strings.Contains(text, secret), "%s must hold nothing secret", place)
			assert.False(r.t, strings.Contains(text, encoded), "%s must hold nothing secret in base64", place)
		}
	}
}

// consoleBlock returns the commands of the first console block below a heading of a page.
func consoleBlock(t *testing.T, page, heading string) string {
	t.Helper()
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	_, section, found := strings.Cut(string(text), "# "+heading+"\n")
	require.True(t, found, "%s has no heading %q", page, heading)
	_, block, found := strings.Cut(section, "```console\n")
	require.True(t, found)
	block, _, _ = strings.Cut(block, "```")
	var commands strings.Builder
	for line := range strings.Lines(block) {
		command, found := strings.CutPrefix(line, "$ ")
		require.True(t, found, "%s: %q is not a command", page, line)
		commands.WriteString(command)
	}
	return commands.String()
}

// Flux finds what the pipeline has pushed where its example says, builds it, and has the key to it.
func TestFlux(t *testing.T) {
	objects := parse(t, tree(t, "../../examples/flux")["caches.yaml"])
	field := func(object string, path ...string) string {
		value, err := objects[object].GetString(strings.Join(path, "."))
		require.NoError(t, err)
		return value
	}
	require.Equal(t, "caches", field("Kustomization caches", "spec", "sourceRef", "name"))
	require.Equal(t, "sops", field("Kustomization caches", "spec", "decryption", "provider"))
	text, err := os.ReadFile("../../docs/gitops.md")
	require.NoError(t, err)
	assert.Contains(t, string(text), "kubectl create secret generic "+field("Kustomization caches", "spec", "decryption", "secretRef", "name")+
		" -n "+objects["Kustomization caches"].GetNamespace()+" --from-file=caches.agekey")

	r := newCIRepository(t, githubActions{}, examples.Seed)
	passes(t, githubActions{}.hydrate(r, r.git("rev-parse", "main"), ""))
	dir := t.TempDir()
	r.checkout(dir, field("GitRepository caches", "spec", "ref", "branch"))
	dir = filepath.Join(dir, field("Kustomization caches", "spec", "path"))
	// As kustomize-controller does where there is no kustomization: one of all files, and then it decrypts
	// without a look at SOPS's signature, since kustomize may have changed the order of the fields.
	succeeds(t, dir, nil, "kustomize", "create", "--autodetect", "--recursive")
	applied := manifests{}
	for document := range strings.SplitSeq(succeeds(t, dir, nil, "kustomize", "build", "."), "\n---\n") {
		if strings.Contains(document, "\nsops:\n") {
			encrypted := write(t, map[string]string{"object.yaml": document})
			document = succeeds(t, encrypted, r.key, "sops", "decrypt", "--ignore-mac", "object.yaml")
		}
		maps.Copy(applied, parse(t, document))
	}
	assert.Len(t, applied, 8)
	password := applied.secret(t, "sessions-conn")["password"]
	assert.True(t, password != "" && password == r.derived()["sessions-conn"])
	assert.Equal(t, "queue.orders.svc.cluster.local", applied.secret(t, "queue-conn")["endpoint"])
}
