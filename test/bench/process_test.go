//go:build linux

package bench

import (
	"bytes"
	"os"
	"os/exec"
	"syscall"
	"testing"
)

// file is the path of a file.
type file string

const (
	noInput  file = os.DevNull
	noOutput file = os.DevNull
)

// find returns the path of a program that `make bench` has built.
func find(b *testing.B, program string) string {
	b.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		b.Fatalf("%s is not in PATH; run the benchmarks with `make bench`, which builds it", program)
	}
	return path
}

// start runs a program to completion and returns its peak memory in bytes.
func start(b *testing.B, cmd *exec.Cmd, stdin, stdout file) (peak int64) {
	b.Helper()
	in, err := os.Open(string(stdin))
	if err != nil {
		b.Fatal(err)
	}
	defer in.Close()
	out, err := os.OpenFile(string(stdout), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		b.Fatal(err)
	}
	defer out.Close()
	var stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, out, &stderr
	if err := cmd.Run(); err != nil {
		b.Fatalf("%s: %s\n%s", cmd, err, stderr.Bytes()[:min(stderr.Len(), 500)])
	}
	return inBytes(cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss)
}

// ownPeak returns the peak memory of this process in bytes.
func ownPeak(b *testing.B) int64 {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return inBytes(usage.Maxrss)
}

// inBytes converts Linux's KiB.
func inBytes(maxrss int64) int64 { return maxrss << 10 }
