//go:build linux

package bench

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// hasDocker reports whether a Docker Engine answers.
func hasDocker() bool { return exec.Command("docker", "info").Run() == nil }

// dockerfile builds an image like ours from a program that is already built, so that nothing has to be pulled.
const dockerfile = `FROM scratch
COPY passwd /etc/passwd
COPY program /program
USER 65534:65534
ENTRYPOINT ["/program"]
`

// buildImage builds an image from a program that `make bench` has built, and returns its name.
func buildImage(b *testing.B, name string) (image string) {
	b.Helper()
	text, err := os.ReadFile(find(b, name))
	if err != nil {
		b.Fatal(err)
	}
	folder := folderOf(b, map[string]string{
		"Dockerfile": dockerfile,
		"passwd":     "nobody:x:65534:65534:nobody:/:/sbin/nologin\n",
		"program":    string(text),
	})
	if err := os.Chmod(filepath.Join(folder, "program"), 0o755); err != nil {
		b.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(folder, "passwd"), 0o644); err != nil {
		b.Fatal(err)
	}
	image = "localhost/bench/" + name + ":v0.0.0"
	build := exec.Command("docker", "build", "--quiet", "--tag", image, folder)
	build.Env = append(os.Environ(), "DOCKER_BUILDKIT=0") // part of every engine, and pulls nothing for scratch
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("%s: %s\n%s", build, err, out)
	}
	return image
}
