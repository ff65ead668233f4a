package release

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// released is the version of the release that is served here; its program prints its arguments.
const (
	released       = "v9.8.7"
	releasedScript = "#!/bin/sh\nprintf '<%s>' \"$@\"\n"
)

// serveRelease serves a release with a program for this platform, and returns its URL. change may modify its files.
func serveRelease(t *testing.T, change func(files map[string]string)) string {
	t.Helper()
	name := fmt.Sprintf("dragonfly-generator_%s_%s_%s", released, runtime.GOOS, runtime.GOARCH)
	files := map[string]string{
		name:         releasedScript,
		"SHA256SUMS": fmt.Sprintf("%x  another\n%x  %s\n", sha256.Sum256(nil), sha256.Sum256([]byte(releasedScript)), name),
	}
	if change != nil {
		change(files)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, found := files[strings.TrimPrefix(r.URL.Path, "/"+released+"/")]
		if !found {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write([]byte(text))
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// shell runs a program in the repository's root, and returns stdout, stderr and whether it succeeded.
func shell(t *testing.T, env []string, name string, args ...string) (stdout, stderr string, ok bool) {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "TMPDIR=" + t.TempDir()}, env...)
	var out, err bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &err
	failed := cmd.Run()
	return out.String(), err.String(), failed == nil
}

func TestInstallScript(t *testing.T) {
	for _, tc := range []struct {
		reason, version string
		change          func(files map[string]string)
		stderr          string // of a failure, or "" for success
	}{
		{reason: "A program with the right checksum is installed.", version: released},
		{reason: "One with another checksum is not.", version: released, change: func(files map[string]string) {
			for name := range files {
				if name != "SHA256SUMS" {
					files[name] += "# changed on the way\n"
				}
			}
		}, stderr: "nothing is installed"},
		{reason: "One without a checksum is not.", version: released, change: func(files map[string]string) { files["SHA256SUMS"] = "" }, stderr: "has no checksum of"},
		{reason: "A version that does not exist is reported.", version: "v0.0.9", stderr: "the checksums of v0.0.9 cannot be downloaded"},
		{reason: "Anything but a version must not become part of a URL.", version: "../../evil", stderr: `"../../evil" is not a version`},
	} {
		releases, bin := serveRelease(t, tc.change), filepath.Join(t.TempDir(), "bin")
		stdout, stderr, ok := shell(t, []string{"DRAGONFLY_GENERATOR_RELEASES=" + releases}, "sh", "../../install.sh", "-b", bin, tc.version)
		assert.Equal(t, tc.stderr == "", ok, "%s\n%s", tc.reason, stderr)
		assert.Contains(t, stderr, tc.stderr, tc.reason)
		installed := filepath.Join(bin, "dragonfly-generator")
		if tc.stderr != "" {
			assert.NoFileExists(t, installed, tc.reason)
			assert.Empty(t, stdout, tc.reason)
			continue
		}
		assert.Equal(t, installed+"\n", stdout, tc.reason)
		got, err := exec.Command(installed, "version").Output()
		require.NoError(t, err, tc.reason)
		assert.Equal(t, "<version>", string(got), tc.reason)
		entries, err := os.ReadDir(bin)
		require.NoError(t, err)
		assert.Len(t, entries, 1, "nothing else must be left there")
	}
}

// TestInstallScriptFindsTheLatest fakes only curl's request for GitHub's page `latest`.
func TestInstallScriptFindsTheLatest(t *testing.T) {
	curl, err := exec.LookPath("curl")
	if err != nil {
		t.Skip("needs curl")
	}
	const page = "https://github.com/bizmatters/dragonfly-generator/releases"
	for _, tc := range []struct {
		reason, page string // a script
		args         []string
		stderr       string // of a failure, or "" for success
	}{
		{"The page leads to the latest version.", "printf %s " + page + "/tag/" + released, []string{"latest"}, ""},
		{"The latest version is the default.", "printf %s " + page + "/tag/" + released, nil, ""},
		{
			"Without a network, the message says what could not be read.", "printf %s " + page + "/latest; echo 'curl: (6) Could not resolve host: github.com' >&2; exit 6", nil,
			"curl: (6) Could not resolve host: github.com\nerror: the latest version cannot be determined, because " + page + "/latest cannot be read; specify a VERSION\n",
		},
		{
			"Before the first release, the page leads to an empty list.", "printf %s " + page, []string{"latest"},
			"error: the latest version cannot be determined, because https://github.com/bizmatters/dragonfly-generator has no release yet; build from a clone (see docs/install.md)\n",
		},
	} {
		programs, bin := t.TempDir(), filepath.Join(t.TempDir(), "bin")
		script := fmt.Sprintf("#!/bin/sh\ncase \"$*\" in */releases/latest) %s ;; *) exec %s \"$@\" ;; esac\n", tc.page, curl)
		require.NoError(t, os.WriteFile(filepath.Join(programs, "curl"), []byte(script), 0o700)) //nolint:gosec // a program
		env := []string{"DRAGONFLY_GENERATOR_RELEASES=" + serveRelease(t, nil), "PATH=" + programs + string(os.PathListSeparator) + os.Getenv("PATH")}
		_, stderr, ok := shell(t, env, "sh", append([]string{"../../install.sh", "-b", bin}, tc.args...)...)
		assert.Equal(t, tc.stderr == "", ok, "%s\n%s", tc.reason, stderr)
		if tc.stderr == "" {
			assert.FileExists(t, filepath.Join(bin, "dragonfly-generator"), tc.reason)
			continue
		}
		assert.Equal(t, tc.stderr, stderr, tc.reason)
		assert.NoFileExists(t, filepath.Join(bin, "dragonfly-generator"), tc.reason)
	}
}

// TestInstallScriptIsWhole: if its download is interrupted, nothing runs.
func TestInstallScriptIsWhole(t *testing.T) {
	text, err := os.ReadFile("../../install.sh")
	require.NoError(t, err)
	require.True(t, bytes.HasSuffix(text, []byte("\nmain \"$@\"\n")))
	cut := filepath.Join(t.TempDir(), "install.sh")
	require.NoError(t, os.WriteFile(cut, bytes.TrimSuffix(text, []byte("main \"$@\"\n")), 0o600))
	stdout, stderr, ok := shell(t, nil, "sh", cut, released)
	assert.Equal(t, []any{"", "", true}, []any{stdout, stderr, ok})
}

// action is the action in action.yml.
type action struct {
	Inputs map[string]struct{ Default, Description string }
	Runs   struct {
		Using string
		Steps []struct {
			Name, ID, If, Shell, Run string
			Env                      map[string]string
		}
	}
}

// TestAction runs the action's steps as a runner does, except for the attestation, which needs GitHub.
func TestAction(t *testing.T) {
	text, err := os.ReadFile("../../action.yml")
	require.NoError(t, err)
	var a action
	require.NoError(t, yaml.Unmarshal(text, &a))
	require.Equal(t, "composite", a.Runs.Using)
	for name, input := range a.Inputs {
		assert.NotEmpty(t, input.Description, name)
	}
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	const incomplete = "::error::claims and manifests must be set together, because they are compared with each other; set both, or set args\n"
	for _, tc := range []struct {
		reason string
		inputs map[string]string
		want   string // on stdout
		fails  bool
	}{
		{"Claims and manifests are checked.", map[string]string{"claims": "claims 'more claims'", "manifests": "out"}, "<render><claims><more claims><-o><out><--check>", false},
		{"Anything else can run.", map[string]string{"args": "render 'my claims'"}, "<render><my claims>", false},
		{"Claims without manifests must not look as if they were checked.", map[string]string{"claims": "claims"}, incomplete, true},
		{"Nor must manifests without claims.", map[string]string{"manifests": "out"}, incomplete, true},
		{"Without either, it is only installed.", nil, "", false},
	} {
		inputs := map[string]string{"version": released, "releases": serveRelease(t, nil)}
		for name, input := range a.Inputs {
			if _, given := inputs[name]; !given {
				inputs[name] = input.Default
			}
		}
		for name, value := range tc.inputs {
			require.Contains(t, a.Inputs, name)
			inputs[name] = value
		}
		temporary := t.TempDir()
		outputs, stdout := "", ""
		for _, step := range a.Runs.Steps {
			require.Equal(t, "bash", step.Shell, step.Name)
			assert.NotContains(t, step.Run, "${{", "an expression in a script would run what somebody writes into an input")
			switch step.Name {
			case "Install":
				require.Empty(t, step.If)
			case "Run":
				require.Equal(t, "inputs.args != '' || inputs.claims != '' || inputs.manifests != ''", step.If)
				if inputs["args"]+inputs["claims"]+inputs["manifests"] == "" {
					continue
				}
			default:
				require.Equal(t, "inputs.releases == ''", step.If)
				continue
			}
			env := []string{"RUNNER_TEMP=" + temporary, "GITHUB_OUTPUT=" + filepath.Join(temporary, "output"), "GITHUB_PATH=" + filepath.Join(temporary, "path")}
			for name, value := range step.Env {
				for input, given := range inputs {
					value = strings.ReplaceAll(value, "${{ inputs."+input+" }}", given)
				}
				value = strings.ReplaceAll(value, "${{ github.action_path }}", root)
				value = strings.ReplaceAll(value, "${{ steps.install.outputs.path }}", outputs)
				require.NotContains(t, value, "${{", step.Name)
				env = append(env, name+"="+value)
			}
			out, stderr, ok := shell(t, env, "bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step.Run)
			require.Equal(t, !tc.fails || step.Name != "Run", ok, "%s: %s: %s", tc.reason, step.Name, stderr)
			if step.ID == "install" {
				written, err := os.ReadFile(filepath.Join(temporary, "output"))
				require.NoError(t, err)
				outputs = strings.TrimSuffix(strings.TrimPrefix(string(written), "path="), "\n")
			}
			stdout += out
		}
		assert.FileExists(t, outputs, tc.reason)
		assert.Equal(t, tc.want, stdout, tc.reason)
	}
}

// TestGitLabComponent runs the component's script.
func TestGitLabComponent(t *testing.T) {
	text, err := os.ReadFile("../../templates/dragonfly-generator.yml")
	require.NoError(t, err)
	head, body, found := strings.Cut(string(text), "\n---\n")
	require.True(t, found)
	var spec struct {
		Spec struct {
			Inputs map[string]struct{ Default, Regex, Description string }
		}
	}
	require.NoError(t, yaml.Unmarshal([]byte(head), &spec))
	assert.Regexp(t, spec.Spec.Inputs["version"].Regex, released)
	for name, input := range spec.Spec.Inputs {
		value := input.Default
		switch name {
		case "version":
			value = released
		case "releases":
			value = serveRelease(t, nil)
		}
		assert.NotEmpty(t, input.Description, name)
		assert.Contains(t, body, "$[[ inputs."+name+" ]]")
		body = strings.ReplaceAll(body, "$[[ inputs."+name+" ]]", value)
	}
	assert.NotContains(t, body, "$[[", "every input must be declared")
	var jobs map[string]struct {
		Script    []string
		Variables map[string]string
	}
	require.NoError(t, yaml.Unmarshal([]byte(body), &jobs))
	job := jobs["dragonfly-generator"]
	var env []string
	for name, value := range job.Variables {
		env = append(env, name+"="+value)
	}
	stdout, stderr, ok := shell(t, env, "sh", "-ec", strings.Join(job.Script, "\n"))
	require.True(t, ok, stderr)
	assert.Contains(t, stdout, "<render><claims><-o><manifests><--check>")
}

// TestRenovate: the preset finds the images that people write, and leaves rendered manifests alone.
func TestRenovate(t *testing.T) {
	text, err := os.ReadFile("../../renovate/images.json")
	require.NoError(t, err)
	var preset struct{ CustomManagers []renovateManager }
	require.NoError(t, json.Unmarshal(text, &preset))
	find := func(path, text string) []string {
		var found []string
		for _, manager := range preset.CustomManagers {
			found = append(found, manager.find(path, text)...)
		}
		return found
	}

	const ours, dragonfly = "ghcr.io/bizmatters/dragonfly-generator v0.1.0 ", "docker.dragonflydb.io/dragonflydb/dragonfly v1.40.1 "
	got := map[string][]string{}
	for _, folder := range []string{"examples", "package"} {
		require.NoError(t, filepath.WalkDir("../../"+folder, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			text, err := os.ReadFile(path)
			if found := find(path, string(text)); found != nil {
				got[filepath.ToSlash(strings.TrimPrefix(path, "../../"))] = found
			}
			return err
		}))
	}
	assert.Equal(t, map[string][]string{
		"examples/container/dragonfly-generator.yaml":               {ours},
		"examples/kpt/expected/Kptfile":                             {ours}, // of the same package, rendered
		"examples/kpt/package/Kptfile":                              {ours},
		"examples/platforms/plain-cluster/dragonfly-generator.yaml": {"registry.example.com/dragonfly v1.40.1 "},
		"package/Kptfile":                                           {ours},
	}, got)

	const function = "metadata:\n  annotations:\n    config.kubernetes.io/function: |\n      container:\n        image: ghcr.io/bizmatters/dragonfly-generator:v0.1.0\n"
	const rendered = "kind: StatefulSet\nspec:\n  template:\n    spec:\n      containers:\n      - image: docker.dragonflydb.io/dragonflydb/dragonfly:v1.40.1\n" +
		"      initContainers:\n      - image: ghcr.io/bizmatters/dragonfly-generator:v0.1.0\n"
	const config = "kind: DragonflyGenerator\nspec:\n  image: docker.dragonflydb.io/dragonflydb/dragonfly:v1.40.1\n"
	for _, tc := range []struct {
		reason, text string
		want         []string
	}{
		{"All images of a configuration are found.", config + "  password: {image: \"ghcr.io/bizmatters/dragonfly-generator:v0.1.0\"}\n", []string{dragonfly, ours}},
		{"The function may be in a claim's annotation.", "kind: DragonflyInstance\n" + function, []string{ours}},
		{"Rendered manifests are left alone,", rendered, nil},
		{"also beside a configuration.", rendered + "---\n" + config + "---\n" + rendered, []string{dragonfly}},
		{"A digest is updated with its version.", strings.ReplaceAll(config, "v1.40.1", "v1.40.1@sha256:"+strings.Repeat("a", 64)), []string{dragonfly + "sha256:" + strings.Repeat("a", 64)}},
		{"Other images are not ours to update.", "kind: DragonflyGenerator\nspec:\n  image: example.com/dragonfly-operator:v1.6.1\n---\nimage: registry.example.com/app:v1.0.0\n", nil},
		{"A tag that is not a version cannot be updated.", "kind: DragonflyGenerator\nspec:\n  image: docker.dragonflydb.io/dragonflydb/dragonfly:latest\n", nil},
	} {
		assert.Equal(t, tc.want, find("a.yaml", tc.text), tc.reason)
	}
}

// renovateManager is one of Renovate's custom managers. Renovate's regular expressions are RE2's, as Go's are.
type renovateManager struct {
	ManagerFilePatterns, MatchStrings []string
	MatchStringsStrategy              string
}

// find returns the name, version and digest of each image that Renovate would update. With the strategy `recursive`,
// each expression searches what the one before it has matched.
func (m renovateManager) find(path, text string) []string {
	if !slices.ContainsFunc(m.ManagerFilePatterns, func(pattern string) bool { return regexp.MustCompile(strings.Trim(pattern, "/")).MatchString(path) }) {
		return nil
	}
	last := len(m.MatchStrings) - 1
	if last > 0 && m.MatchStringsStrategy != "recursive" {
		panic("not implemented")
	}
	texts := []string{text}
	for _, pattern := range m.MatchStrings[:last] {
		var within []string
		for _, text := range texts {
			within = append(within, regexp.MustCompile(pattern).FindAllString(text, -1)...)
		}
		texts = within
	}
	var found []string
	image := regexp.MustCompile(m.MatchStrings[last])
	for _, text := range texts {
		for _, match := range image.FindAllStringSubmatch(text, -1) {
			found = append(found, match[image.SubexpIndex("depName")]+" "+match[image.SubexpIndex("currentValue")]+" "+match[image.SubexpIndex("currentDigest")])
		}
	}
	return found
}

// TestSchemaStore: the catalog entries name schemas that exist, for file names that the docs use.
func TestSchemaStore(t *testing.T) {
	text, err := os.ReadFile("../../docs/schemastore.json")
	require.NoError(t, err)
	var entries []struct {
		Name, Description, URL string
		FileMatch              []string
	}
	require.NoError(t, json.Unmarshal(text, &entries))
	require.Len(t, entries, 2)
	for _, entry := range entries {
		assert.NotEmpty(t, entry.Name+entry.Description)
		assert.NotEmpty(t, entry.FileMatch)
		path, found := strings.CutPrefix(entry.URL, "https://raw.githubusercontent.com/bizmatters/dragonfly-generator/main/")
		require.True(t, found, entry.URL)
		assert.FileExists(t, filepath.Join("../..", filepath.FromSlash(path)))
	}
}

// TestDockerignore: the image build sees every folder that the program is built from, and no other.
func TestDockerignore(t *testing.T) {
	text, err := os.ReadFile("../../.dockerignore")
	require.NoError(t, err)
	stdout, stderr, ok := shell(t, []string{"GOCACHE=" + goEnv(t, "GOCACHE"), "GOMODCACHE=" + goEnv(t, "GOMODCACHE")},
		"go", "list", "-C", "../..", "-deps", "-f", `{{with .Module}}{{if .Main}}{{$.ImportPath}}{{end}}{{end}}`, ".")
	require.True(t, ok, stderr)
	want := []string{"*", "!go.mod", "!go.sum", "!main.go"}
	for path := range strings.FieldsSeq(stdout) {
		folder, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(path, "github.com/bizmatters/dragonfly-generator"), "/"), "/")
		if line := "!" + folder; folder != "" && !slices.Contains(want, line) {
			want = append(want, line)
		}
	}
	assert.ElementsMatch(t, want, strings.Fields(string(text)))
}

func goEnv(t *testing.T, name string) string {
	t.Helper()
	value, err := exec.Command("go", "env", name).Output()
	require.NoError(t, err)
	return strings.TrimSpace(string(value))
}
