//go:build dist

package release

import (
	"debug/buildinfo"
	"debug/elf"
	"debug/macho"
	"debug/pe"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/mod/module"
	"golang.org/x/mod/zip"
)

const (
	modulePath = "github.com/bizmatters/dragonfly-generator"
	version    = "v1.2.3-rc.1"
	// maxProgramSize is in bytes.
	maxProgramSize = 18_000_000
)

var platforms = []string{"linux_amd64", "linux_arm64", "darwin_amd64", "darwin_arm64", "windows_amd64.exe", "windows_arm64.exe"}

// program is the file name for a platform.
func program(platform string) string {
	return "dragonfly-generator_" + version + "_" + platform
}

// TestDist builds a release twice from the same files: from an archive and from a repository, in two folders, for two
// users with different settings. Both builds give the same bytes.
func TestDist(t *testing.T) {
	first := copyTree(t, filepath.Join(t.TempDir(), "one"))
	makeDist(t, first, "HOME="+t.TempDir(), "TZ=UTC", "LC_ALL=C")
	second := copyTree(t, filepath.Join(t.TempDir(), "another", "further down"))
	succeeds(t, second, nil, "git", "init", "-q")
	succeeds(t, second, nil, "git", "add", "-A")
	succeeds(t, second, nil, "git", "-c", "user.name=somebody", "-c", "user.email=somebody@example.com", "-c", "commit.gpgsign=false",
		"commit", "-q", "-m", "all")
	makeDist(t, second, "HOME="+t.TempDir(), "TZ=Asia/Kolkata", "LC_ALL=C.UTF-8", "USER=somebody",
		"GOFLAGS=-buildvcs=true -ldflags=-X=main.user=somebody", "CGO_ENABLED=1", "GOAMD64=v3", "GOARM64=v8.1",
		"GOEXPERIMENT=jsonv2", "GOFIPS140=latest", "SOURCE_DATE_EPOCH=1")

	dist := filepath.Join(first, "dist")
	want := []string{"SHA256SUMS"}
	for _, platform := range platforms {
		want = append(want, program(platform), program(platform)+".cdx.json")
	}
	for _, shell := range []string{"bash", "zsh", "fish", "ps1"} {
		want = append(want, "dragonfly-generator_"+version+"."+shell)
		assert.Contains(t, read(t, filepath.Join(dist, "dragonfly-generator_"+version+"."+shell)), "__complete", shell)
	}
	slices.Sort(want)
	assert.Equal(t, want, filesIn(t, dist))
	assert.Equal(t, want, filesIn(t, filepath.Join(second, "dist")))
	for _, name := range want {
		one, another := read(t, filepath.Join(dist, name)), read(t, filepath.Join(second, "dist", name))
		assert.True(t, one == another, "the two builds differ in %s", name)
	}

	t.Run("checksums", func(t *testing.T) {
		out := succeeds(t, dist, nil, "sha256sum", "--check", "--strict", "SHA256SUMS")
		assert.Equal(t, len(want)-1, strings.Count(out, ": OK\n"), "one line for each of the other files:\n%s", out)
	})
	for _, platform := range platforms {
		t.Run(platform, func(t *testing.T) { checkProgram(t, filepath.Join(dist, program(platform)), platform) })
	}
	t.Run("here", func(t *testing.T) {
		here := runtime.GOOS + "_" + runtime.GOARCH
		require.Contains(t, platforms, here, "the tests must run on a platform with a release")
		assert.Equal(t, version+"\n", succeeds(t, dist, nil, "./"+program(here), "version"))
	})
}

func checkProgram(t *testing.T, file, platform string) {
	os, arch, _ := strings.Cut(strings.TrimSuffix(platform, ".exe"), "_")
	size := len(read(t, file))
	t.Logf("%s: %d bytes", platform, size)
	assert.LessOrEqual(t, size, maxProgramSize)
	switch os {
	case "linux":
		program, err := elf.Open(file)
		require.NoError(t, err)
		defer program.Close()
		assert.Equal(t, map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}[arch], program.Machine)
		for _, segment := range program.Progs {
			assert.NotContains(t, []elf.ProgType{elf.PT_INTERP, elf.PT_DYNAMIC}, segment.Type, "it must run without any library")
		}
	case "darwin":
		program, err := macho.Open(file)
		require.NoError(t, err)
		defer program.Close()
		assert.Equal(t, map[string]macho.Cpu{"amd64": macho.CpuAmd64, "arm64": macho.CpuArm64}[arch], program.Cpu)
	case "windows":
		program, err := pe.Open(file)
		require.NoError(t, err)
		defer program.Close()
		assert.Equal(t, map[string]uint16{"amd64": pe.IMAGE_FILE_MACHINE_AMD64, "arm64": pe.IMAGE_FILE_MACHINE_ARM64}[arch], program.Machine)
	}

	info, err := buildinfo.ReadFile(file)
	require.NoError(t, err)
	settings := map[string]string{}
	for _, setting := range info.Settings {
		settings[setting.Key] = setting.Value
	}
	assert.Equal(t, []string{"true", "0", os, arch},
		[]string{settings["-trimpath"], settings["CGO_ENABLED"], settings["GOOS"], settings["GOARCH"]})
	checkSBOM(t, file, info)
}

// checkSBOM compares what the SBOM lists with what Go itself recorded in the program.
func checkSBOM(t *testing.T, file string, info *buildinfo.BuildInfo) {
	type component struct{ Type, Name, Version, PURL string }
	var sbom struct {
		BOMFormat, SpecVersion, SerialNumber string
		Metadata                             struct {
			Timestamp string
			Component component
		}
		Components []component
	}
	require.NoError(t, json.Unmarshal([]byte(read(t, file+".cdx.json")), &sbom))
	assert.Equal(t, []string{"CycloneDX", "1.6"}, []string{sbom.BOMFormat, sbom.SpecVersion})
	assert.Empty(t, sbom.SerialNumber+sbom.Metadata.Timestamp, "they would differ from build to build")
	assert.Equal(t, "application", sbom.Metadata.Component.Type)
	assert.Equal(t, modulePath+" "+version, sbom.Metadata.Component.Name+" "+sbom.Metadata.Component.Version)

	want := []string{"std " + info.GoVersion}
	for _, module := range info.Deps {
		want = append(want, module.Path+" "+module.Version)
	}
	var got []string
	for _, component := range sbom.Components {
		got = append(got, component.Name+" "+component.Version)
		assert.True(t, strings.HasPrefix(component.PURL, "pkg:golang/"), component.PURL)
	}
	assert.ElementsMatch(t, want, got)
}

// TestGoInstall installs a version from a module proxy, as people with Go do. There, no linker flag sets the version.
func TestGoInstall(t *testing.T) {
	tree := copyTree(t, filepath.Join(t.TempDir(), "tree"))
	proxy := filepath.Join(t.TempDir(), "proxy")
	folder := filepath.Join(proxy, filepath.FromSlash(modulePath), "@v")
	require.NoError(t, os.MkdirAll(folder, 0o755))
	archive, err := os.Create(filepath.Join(folder, version+".zip"))
	require.NoError(t, err)
	require.NoError(t, zip.CreateFromDir(archive, module.Version{Path: modulePath, Version: version}, tree))
	require.NoError(t, archive.Close())
	write(t, filepath.Join(folder, "list"), version+"\n")
	write(t, filepath.Join(folder, version+".mod"), read(t, filepath.Join(tree, "go.mod")))
	write(t, filepath.Join(folder, version+".info"), fmt.Sprintf(`{"Version":%q}`, version))

	bin := t.TempDir()
	succeeds(t, t.TempDir(), append(caches(t),
		// A separate module cache, so that this version does not stay in the user's. Modules taken from the user's
		// cache have been verified.
		"GOMODCACHE="+t.TempDir(), "GOSUMDB=off", "GOBIN="+bin,
		// The same settings as make dist, whose build cache is filled by now.
		"GOFLAGS=-modcacherw -trimpath", "CGO_ENABLED=0",
		"GOPROXY=file://"+proxy+",file://"+goEnv(t, "GOMODCACHE")+"/cache/download,"+goEnv(t, "GOPROXY")),
		"go", "install", modulePath+"@"+version)
	assert.Equal(t, version+"\n", succeeds(t, bin, nil, "./dragonfly-generator", "version"))
}

// copyTree copies the files that are or would be tracked.
func copyTree(t *testing.T, to string) string {
	t.Helper()
	files := succeeds(t, "../..", nil, "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	for name := range strings.SplitSeq(strings.TrimSuffix(files, "\x00"), "\x00") {
		info, err := os.Lstat(filepath.Join("../..", name))
		if os.IsNotExist(err) {
			continue // removed, but not yet in the index
		}
		require.NoError(t, err)
		require.True(t, info.Mode().IsRegular(), name)
		target := filepath.Join(to, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(target), 0o755))
		require.NoError(t, os.WriteFile(target, []byte(read(t, filepath.Join("../..", name))), info.Mode().Perm()))
	}
	return to
}

// makeDist runs make in that folder, with this user's caches.
func makeDist(t *testing.T, folder string, env ...string) {
	t.Helper()
	succeeds(t, folder, append(caches(t), env...), "make", "dist", "VERSION="+version)
}

// caches returns the variables for Go's caches, which Go would not find with another home folder.
func caches(t *testing.T) []string {
	t.Helper()
	var env []string
	for _, name := range []string{"GOCACHE", "GOMODCACHE", "GOPROXY", "GONOSUMDB", "GOSUMDB"} {
		env = append(env, name+"="+goEnv(t, name))
	}
	return env
}

func succeeds(t *testing.T, folder string, env []string, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), env...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, "%s %s:\n%s%s", name, strings.Join(args, " "), out, stderr.String())
	return string(out)
}

func filesIn(t *testing.T, folder string) []string {
	t.Helper()
	entries, err := os.ReadDir(folder)
	require.NoError(t, err)
	var all []string
	for _, entry := range entries {
		require.Equal(t, fs.FileMode(0), entry.Type(), entry.Name())
		all = append(all, entry.Name())
	}
	return all
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	return string(text)
}

func write(t *testing.T, file, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
}
