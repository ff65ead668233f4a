//go:build e2e

package e2e

import (
	"archive/tar"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bizmatters/dragonfly-generator/internal/sametext"
)

// image is what the examples call the function, so what the tests build is named so.
const image = "ghcr.io/bizmatters/dragonfly-generator:v0.1.0"

// maxImageSize is in bytes, of the image on disk.
const maxImageSize = 20_000_000

var imageOnce sync.Once

// buildImage builds the repository's Dockerfile. Where E2E_BUILDER names an image with Go in it, that is
// the builder; else one is made from the local toolchain, so that nothing has to be pulled.
func buildImage(t *testing.T) {
	t.Helper()
	r := command(t, ".", nil, "docker", "info")
	require.False(t, r.failed, "the end-to-end tests need a Docker Engine; start one, `dockerd --bridge=none --iptables=false` will do:\n%s", r.stderr)
	built := false
	imageOnce.Do(func() {
		builder := os.Getenv("E2E_BUILDER")
		if builder == "" {
			builder = standInBuilder(t)
		}
		succeeds(t, "..", []string{"DOCKER_BUILDKIT=0"}, "docker", "build", "--build-arg", "BUILDER="+builder,
			"--build-arg", "VERSION=v0.1.0", "-t", image, ".")
		built = true
	})
	if !built {
		succeeds(t, ".", nil, "docker", "image", "inspect", image) // an earlier test may have failed to build it
	}
}

// standInBuilder imports an image with the local Go toolchain, the modules that the program needs, and a
// shell.
func standInBuilder(t *testing.T) string {
	t.Helper()
	const name = "dragonfly-generator-e2e-builder"
	modules := t.TempDir()
	cache := strings.TrimSpace(succeeds(t, "..", nil, "go", "env", "GOMODCACHE"))
	proxy := strings.TrimSpace(succeeds(t, "..", nil, "go", "env", "GOPROXY"))
	succeeds(t, "..", []string{
		"GOMODCACHE=" + modules, "GOFLAGS=-modcacherw", "GOPROXY=file://" + cache + "/cache/download," + proxy,
	}, "go", "mod", "download")

	cmd := exec.Command("docker", "import",
		"-c", "ENV PATH=/usr/local/go/bin:/bin", "-c", "ENV GOPATH=/go", "-c", "ENV GOCACHE=/tmp/go-build",
		"-c", "ENV GOPROXY=off", "-", name)
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	require.NoError(t, cmd.Start())

	archive := tar.NewWriter(stdin)
	addTree(t, archive, strings.TrimSpace(succeeds(t, "..", nil, "go", "env", "GOROOT")), "usr/local/go")
	addTree(t, archive, modules, "go/pkg/mod")
	for _, file := range shell(t) {
		addTree(t, archive, file, strings.TrimPrefix(file, "/"))
	}
	require.NoError(t, archive.WriteHeader(&tar.Header{Name: "tmp/", Typeflag: tar.TypeDir, Mode: 0o1777}))
	require.NoError(t, archive.Close())
	require.NoError(t, stdin.Close())
	require.NoError(t, cmd.Wait(), stderr.String())
	return name
}

var library = regexp.MustCompile(`/\S+`)

// shell returns /bin/sh and the libraries that it is linked with.
func shell(t *testing.T) []string {
	t.Helper()
	return append([]string{"/bin/sh"}, library.FindAllString(succeeds(t, ".", nil, "ldd", "/bin/sh"), -1)...)
}

// addTree adds a file or a folder, following a link at its top only, so that /bin/sh is a file.
func addTree(t *testing.T, archive *tar.Writer, from, to string) {
	t.Helper()
	from, err := filepath.EvalSymlinks(from)
	require.NoError(t, err)
	require.NoError(t, filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil || !info.Mode().IsRegular() && !info.IsDir() {
			return err
		}
		header, err := tar.FileInfoHeader(info, "")
		if err != nil {
			return err
		}
		name, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		header.Name = filepath.ToSlash(filepath.Join(to, name))
		if err := archive.WriteHeader(header); err != nil || info.IsDir() {
			return err
		}
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		defer file.Close()
		_, err = io.Copy(archive, file)
		return err
	}))
}

func TestImage(t *testing.T) {
	buildImage(t)
	inspect := func(format string) string {
		return strings.TrimSpace(succeeds(t, ".", nil, "docker", "image", "inspect", "--format", format, image))
	}
	size, err := strconv.Atoi(inspect("{{.Size}}"))
	require.NoError(t, err)
	assert.Less(t, size, maxImageSize)
	assert.Equal(t, "65534:65534", inspect("{{.Config.User}}"))
	assert.Equal(t, "v0.1.0", inspect(`{{index .Config.Labels "org.opencontainers.image.version"}}`))

	list := "apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nitems:\n- " +
		strings.ReplaceAll(strings.TrimSpace(claim), "\n", "\n  ") + "\n"
	cmd := exec.Command("docker", "run", "--rm", "-i", "--network", "none", "--user", "nobody", "--read-only",
		"--cap-drop", "ALL", "--security-opt", "no-new-privileges", "-e", "DRAGONFLY_PASSWORD_SEED", image)
	cmd.Env = append(os.Environ(), seed)
	cmd.Stdin = strings.NewReader(list)
	out, err := cmd.Output()
	require.NoError(t, err)
	assert.True(t, strings.Contains(string(out), "kind: StatefulSet"))

	assert.Equal(t, "v0.1.0\n", succeeds(t, ".", nil, "docker", "run", "--rm", "--network", "none", image, "version"))
}

func TestKustomizeContainer(t *testing.T) {
	buildImage(t)
	folder := filepath.Join("..", "examples", "container")
	got := buildContainer(t, folder)
	if *update {
		writeTo(t, folder, map[string]string{"expected.yaml": got})
	}
	want, err := os.ReadFile(filepath.Join(folder, "expected.yaml"))
	require.NoError(t, err)
	sametext.Assert(t, string(want), got, "examples/container")
}
