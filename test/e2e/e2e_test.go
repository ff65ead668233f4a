//go:build e2e

// Package e2e runs the function the way users do: with the real kustomize, the real kpt and a real
// Docker Engine. `make e2e` builds what it needs and runs it.
package e2e

import (
	"bytes"
	"encoding/base64"
	"flag"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

var update = flag.Bool("update", false, "rewrite the expected files of the examples, for review with git diff")

// result is the result of running a program.
type result struct {
	stdout, stderr string
	failed         bool
}

// command runs a program in a folder with additional environment variables.
func command(t *testing.T, dir string, env []string, name string, args ...string) result {
	t.Helper()
	_, err := exec.LookPath(name)
	require.NoError(t, err, "the end-to-end tests need %s in PATH; `make e2e` says what else", name)
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err = cmd.Run()
	if err != nil {
		var exit *exec.ExitError
		require.ErrorAs(t, err, &exit)
	}
	return result{stdout: stdout.String(), stderr: stderr.String(), failed: err != nil}
}

// succeeds runs a program that must succeed, and returns its stdout.
func succeeds(t *testing.T, dir string, env []string, name string, args ...string) string {
	t.Helper()
	r := command(t, dir, env, name, args...)
	require.False(t, r.failed, "%s %s:\n%s", name, strings.Join(args, " "), r.stderr)
	return r.stdout
}

// write writes files into a new folder.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	writeTo(t, dir, files)
	return dir
}

func writeTo(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		file := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	}
}

func remove(t *testing.T, dir, file string) {
	t.Helper()
	require.NoError(t, os.Remove(filepath.Join(dir, file)))
}

// tree returns the files of a folder by their relative paths.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	require.NoError(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		files[filepath.ToSlash(name)] = string(text)
		return err
	}))
	return files
}

// sameTree requires the same bytes, and names the files that differ.
func sameTree(t *testing.T, want, got map[string]string, reason string) {
	t.Helper()
	var differ []string
	for name, text := range want {
		if other, found := got[name]; !found || other != text {
			differ = append(differ, name)
		}
	}
	for name := range got {
		if _, found := want[name]; !found {
			differ = append(differ, name)
		}
	}
	require.Empty(t, differ, "%s; these files differ", reason)
}

// manifests are objects by "Kind name".
type manifests map[string]*yaml.RNode

func parse(t *testing.T, text string) manifests {
	t.Helper()
	objects := manifests{}
	decoder := yaml.NewDecoder(strings.NewReader(text))
	for {
		var n yaml.Node
		if err := decoder.Decode(&n); err != nil {
			require.ErrorContains(t, err, "EOF")
			return objects
		}
		object := yaml.NewRNode(&n)
		objects[object.GetKind()+" "+object.GetName()] = object
	}
}

// secret returns the decoded data of a Secret.
func (m manifests) secret(t *testing.T, name string) map[string]string {
	t.Helper()
	object := m["Secret "+name]
	require.NotNil(t, object, "there is no Secret %s", name)
	data := map[string]string{}
	for key, value := range object.GetDataMap() {
		decoded, err := base64.StdEncoding.DecodeString(value)
		require.NoError(t, err)
		data[key] = string(decoded)
	}
	return data
}
