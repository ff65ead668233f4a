//go:build unix

package prepare_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bizmatters/dragonfly-generator/internal/prepare"
	"github.com/bizmatters/dragonfly-generator/internal/prepare/handover"
)

// rootVariable makes the test binary run as an init container with the given root.
const rootVariable = "PREPARE_ROOT"

func TestMain(m *testing.M) {
	root := os.Getenv(rootVariable)
	if root == "" {
		os.Exit(m.Run())
	}
	err := prepare.Run(context.Background(), handover.Request{Data: "/data", FlagFile: true},
		prepare.Environment{Getenv: os.Getenv, Log: io.Discard, Root: root})
	fmt.Print(err)
}

// The volume belongs to another user, as a hostPath volume does.
func TestUnwritableVolume(t *testing.T) {
	c := newCluster(t)
	p := c.pod(t, "my-cache-0")
	root, err := os.MkdirTemp("", "prepare-") // other users may not be able to reach the test's own folder
	require.NoError(t, err)
	defer os.RemoveAll(root)
	require.NoError(t, os.CopyFS(root, os.DirFS(p.root)))
	require.NoError(t, os.Chmod(root, 0o755))
	require.NoError(t, os.Chmod(root+handover.TokenPath+"/token", 0o644))
	require.NoError(t, os.Chmod(root+"/data", 0o555))

	self, uid := "/proc/self/exe", os.Getuid() // works for the uid below too, which may not be able to reach the file by its path
	if runtime.GOOS != "linux" {
		self, err = os.Executable()
		require.NoError(t, err)
	}
	cmd := exec.Command(self)
	if uid == 0 { // root may write everywhere
		uid = 1000
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 1000, Gid: 1000}}
	}
	cmd.Dir, cmd.Env = "/", []string{rootVariable + "=" + root}
	for name, value := range p.env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	out, err := cmd.Output() // not stderr, where a test binary reports that it cannot write its coverage
	require.NoError(t, err, string(out))
	assert.Equal(t, fmt.Sprintf("the volume /data cannot be written to by uid %d: permission denied; "+
		"give the pod an fsGroup with write access or, if the volume ignores fsGroup, as hostPath does, change the folder's owner on the node", uid), strings.TrimSpace(string(out)))
	assert.Empty(t, c.forget(), "It stops before the first request.")
}
