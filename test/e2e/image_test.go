//go:build e2e

package e2e

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bizmatters/dragonfly-generator/internal/testkit"
)

// image is the function's name in the examples, so the tests give it to the image that they build.
const image = "ghcr.io/bizmatters/dragonfly-generator:v0.1.0"

// revision stands in for the commit that an image is built from.
const revision = "0123456789abcdef0123456789abcdef01234567"

// maxImageSize is the maximum size on disk, in bytes.
const maxImageSize = 20_000_000

var imageOnce sync.Once

// buildImage builds the repository's Dockerfile. If E2E_BUILDER names an image with Go, that is the builder; otherwise
// one is built from the local toolchain, so that nothing has to be pulled.
func buildImage(t *testing.T) {
	t.Helper()
	r := command(t, ".", nil, "docker", "info")
	require.False(t, r.failed, "the end-to-end tests need a Docker Engine; to start one: dockerd --bridge=none --iptables=false\n%s", r.stderr)
	built := false
	imageOnce.Do(func() {
		builder := os.Getenv("E2E_BUILDER")
		if builder == "" {
			builder = standInBuilder(t)
		}
		succeeds(t, "../..", []string{"DOCKER_BUILDKIT=0"}, "docker", "build", "--build-arg", "BUILDER="+builder,
			"--build-arg", "VERSION=v0.1.0", "--build-arg", "REVISION="+revision, "-t", image, ".")
		built = true
	})
	if !built {
		succeeds(t, ".", nil, "docker", "image", "inspect", image) // an earlier test may have failed to build it
	}
}

// standInBuilder imports an image with the local Go toolchain, the modules that the program needs, their build cache,
// and a shell.
func standInBuilder(t *testing.T) string {
	t.Helper()
	const name = "dragonfly-generator-e2e-builder"
	modules := t.TempDir()
	cache := strings.TrimSpace(succeeds(t, "../..", nil, "go", "env", "GOMODCACHE"))
	proxy := strings.TrimSpace(succeeds(t, "../..", nil, "go", "env", "GOPROXY"))
	succeeds(t, "../..", []string{
		"GOMODCACHE=" + modules, "GOFLAGS=-modcacherw", "GOPROXY=file://" + cache + "/cache/download," + proxy,
	}, "go", "mod", "download")

	// A separate cache, because the user's contains much more. It outlives the test, so that the next run is fast.
	caches, err := os.UserCacheDir()
	require.NoError(t, err)
	compiled := filepath.Join(caches, "dragonfly-generator", "image")
	succeeds(t, "../..", []string{"GOCACHE=" + compiled, "CGO_ENABLED=0"}, "go", "build", "-trimpath", "-o", os.DevNull, ".")

	importImage(t, name, []string{
		"-c", "ENV PATH=/usr/local/go/bin:/bin", "-c", "ENV GOPATH=/go", "-c", "ENV GOCACHE=/tmp/go-build",
		"-c", "ENV GOPROXY=off",
	}, func(archive *tar.Writer) {
		addTree(t, archive, strings.TrimSpace(succeeds(t, "../..", nil, "go", "env", "GOROOT")), "usr/local/go")
		addTree(t, archive, modules, "go/pkg/mod")
		for _, file := range shell(t) {
			addTree(t, archive, file, strings.TrimPrefix(file, "/"))
		}
		require.NoError(t, archive.WriteHeader(&tar.Header{Name: "tmp/", Typeflag: tar.TypeDir, Mode: 0o1777}))
		addTree(t, archive, compiled, "tmp/go-build")
	})
	return name
}

// importImage makes an image from the files that fill writes.
func importImage(t *testing.T, name string, options []string, fill func(*tar.Writer)) {
	t.Helper()
	cmd := exec.Command("docker", slices.Concat([]string{"import"}, options, []string{"-", name})...)
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	require.NoError(t, cmd.Start())
	archive := tar.NewWriter(stdin)
	fill(archive)
	require.NoError(t, archive.Close())
	require.NoError(t, stdin.Close())
	require.NoError(t, cmd.Wait(), stderr.String())
}

var library = regexp.MustCompile(`/\S+`)

// shell returns /bin/sh and the libraries that it is linked with.
func shell(t *testing.T) []string {
	t.Helper()
	return append([]string{"/bin/sh"}, library.FindAllString(succeeds(t, ".", nil, "ldd", "/bin/sh"), -1)...)
}

// addTree adds a file or a folder. It follows a link only at the top, so that /bin/sh is a file.
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
	assert.JSONEq(t, `["/usr/local/bin/dragonfly-generator"]`, inspect("{{json .Config.Entrypoint}}"))
	assert.JSONEq(t, `{
		"org.opencontainers.image.title": "dragonfly-generator",
		"org.opencontainers.image.description": "KRM function that expands DragonflyInstance claims",
		"org.opencontainers.image.url": "https://github.com/bizmatters/dragonfly-generator",
		"org.opencontainers.image.documentation": "https://github.com/bizmatters/dragonfly-generator/tree/main/docs",
		"org.opencontainers.image.source": "https://github.com/bizmatters/dragonfly-generator",
		"org.opencontainers.image.licenses": "Apache-2.0",
		"org.opencontainers.image.version": "v0.1.0",
		"org.opencontainers.image.revision": "`+revision+`"
	}`, inspect("{{json .Config.Labels}}"))

	list := "apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nitems:\n- " +
		strings.ReplaceAll(strings.TrimSpace(claim), "\n", "\n  ") + "\n"
	cmd := exec.Command("docker", "run", "--rm", "-i", "--network", "none", "--user", "nobody", "--read-only",
		"--cap-drop", "ALL", "--security-opt", "no-new-privileges", image)
	cmd.Stdin = strings.NewReader(list)
	out, err := cmd.Output()
	require.NoError(t, err)
	assert.True(t, strings.Contains(string(out), "kind: StatefulSet"))

	assert.Equal(t, "v0.1.0\n", succeeds(t, ".", nil, "docker", "run", "--rm", "--network", "none", image, "version"))
}

// TestImageHoldsTheRelease: the image contains the release's program, byte for byte, although it was linked in another
// place (and, with E2E_BUILDER, by another Go), and nothing else except a name for its user.
func TestImageHoldsTheRelease(t *testing.T) {
	buildImage(t)
	platform := strings.TrimSpace(succeeds(t, ".", nil, "docker", "image", "inspect", "--format", "{{.Os}}/{{.Architecture}}", image))
	dist := t.TempDir()
	succeeds(t, "../..", nil, "make", "dist", "VERSION=v0.1.0", "DIST="+dist, "PLATFORMS="+platform)
	program, err := os.ReadFile(filepath.Join(dist, "dragonfly-generator_v0.1.0_"+strings.ReplaceAll(platform, "/", "_")))
	require.NoError(t, err)

	files := imageFiles(t)
	modes := map[string]string{}
	for name, file := range files {
		modes[name] = file.mode
	}
	assert.Equal(t, map[string]string{
		"etc/":                              "drwxr-xr-x 0:0",
		"etc/passwd":                        "-rw-r--r-- 0:0",
		"usr/":                              "drwxr-xr-x 0:0",
		"usr/local/":                        "drwxr-xr-x 0:0",
		"usr/local/bin/":                    "drwxr-xr-x 0:0",
		"usr/local/bin/dragonfly-generator": "-rwxr-xr-x 0:0",
	}, modes)
	assert.Equal(t, "nobody:x:65534:65534:nobody:/:/sbin/nologin\n", string(files["etc/passwd"].content))
	assert.True(t, bytes.Equal(program, files["usr/local/bin/dragonfly-generator"].content),
		"the image's program is not the one that `make dist` builds")
}

type imageFile struct {
	mode    string // and the owner
	content []byte
}

// imageFiles returns the files in the image's layers.
func imageFiles(t *testing.T) map[string]imageFile {
	t.Helper()
	saved := untar(t, []byte(succeeds(t, ".", nil, "docker", "save", image)))
	var manifest []struct{ Layers []string }
	require.NoError(t, json.Unmarshal(saved["manifest.json"].content, &manifest))
	require.Len(t, manifest, 1)
	files := map[string]imageFile{}
	for _, layer := range manifest[0].Layers {
		maps.Copy(files, untar(t, saved[layer].content))
	}
	return files
}

func untar(t *testing.T, archive []byte) map[string]imageFile {
	t.Helper()
	var from io.Reader = bytes.NewReader(archive)
	if bytes.HasPrefix(archive, []byte{0x1f, 0x8b}) { // some Docker Engines keep layers compressed
		var err error
		from, err = gzip.NewReader(from)
		require.NoError(t, err)
	}
	files := map[string]imageFile{}
	for reader := tar.NewReader(from); ; {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		require.NoError(t, err)
		content, err := io.ReadAll(reader)
		require.NoError(t, err)
		files[header.Name] = imageFile{
			mode:    fmt.Sprintf("%s %d:%d", header.FileInfo().Mode(), header.Uid, header.Gid),
			content: content,
		}
	}
}

func TestKustomizeContainer(t *testing.T) {
	buildImage(t)
	folder := filepath.Join("../..", "examples", "container")
	testkit.SameFile(t, filepath.Join(folder, "expected.yaml"), buildContainer(t, folder), *update)
}
