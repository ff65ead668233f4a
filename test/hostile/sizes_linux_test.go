package hostile_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bizmatters/dragonfly-generator/internal/testkit"
)

// TestHostileSizes passes in inputs designed to take long or use much memory. The bounds are wide, because machines are
// noisy: only costs that grow with the square of the input, or without end, exceed them.
func TestHostileSizes(t *testing.T) {
	if isRace() {
		t.Skip("the race detector needs ten times the memory")
	}
	mapping := func(n int, format string) func(io.Writer) {
		return func(w io.Writer) {
			for i := range n {
				fmt.Fprintf(w, format, i)
			}
		}
	}
	text := func(text string) func(io.Writer) { return func(w io.Writer) { fmt.Fprint(w, text) } }
	// Lists of ten, each with ten of the previous one: 10^12 values.
	bomb := "    l0: &l0 [x, x, x, x, x, x, x, x, x, x]\n"
	for i := 1; i < 12; i++ {
		bomb += fmt.Sprintf("    l%d: &l%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*l%d, ", i-1), 10), ", "))
	}
	mergeBomb := "    m0: &m0 {a: b}\n"
	for i := 1; i < 40; i++ {
		mergeBomb += fmt.Sprintf("    m%d: &m%d {<<: [*m%d, *m%d], k%d: v}\n", i, i, i-1, i-1, i)
	}
	const configMap = "- apiVersion: v1\n  kind: ConfigMap\n  metadata: {name: x, namespace: n}\n  data:\n"
	const ownSecret = "- apiVersion: v1\n  kind: Secret\n  metadata:\n    name: my-cache-conn\n    namespace: my-namespace\n    annotations:\n      " + listMark + "\n"

	usual := measure(t, text(listHead), mapping(10_000, "- apiVersion: v1\n  kind: ConfigMap\n  metadata:\n    name: x%d\n    namespace: n\n  data:\n    key: value\n    other: value\n"))
	require.Zero(t, usual.exitCode, usual.stderr)
	t.Logf("usual: %s", usual)

	for _, tc := range []struct {
		name     string
		list     []func(io.Writer)
		exitCode int
		stderr   string // part of it
		again    bool   // the second run must stay within the bounds too
	}{
		{name: "alias bomb in a claim", list: []func(io.Writer){text(listHead + listClaim + "  spec:\n" + bomb)}, exitCode: 1, stderr: "expand to more than 100000 nodes"},
		{name: "alias bomb in a password Secret, which is only checked for existence", list: []func(io.Writer){text(listHead + listClaim + "- apiVersion: v1\n  kind: Secret\n  metadata: {name: my-cache-password, namespace: my-namespace}\n  data:\n" + bomb)}},
		{name: "alias bomb in the configuration", list: []func(io.Writer){text(strings.Replace(listHead, "items:\n", "functionConfig:\n  apiVersion: database.bizmatters.io/v1alpha1\n  kind: DragonflyGenerator\n  spec:\n"+bomb+"items:\n", 1) + listClaim)}, exitCode: 1, stderr: "expand to more than 100000 nodes"},
		{name: "alias bomb in somebody else's object", list: []func(io.Writer){text(listHead + listClaim + configMap + bomb)}},
		{name: "merge keys that double each time", list: []func(io.Writer){text(listHead + listClaim + "  spec:\n" + mergeBomb + "    <<: *m39\n")}, exitCode: 1, stderr: "expand to more than 100000 nodes"},
		{name: "100 MB of items", list: []func(io.Writer){text(listHead + listClaim), mapping(10_000, "- {apiVersion: v1, kind: ConfigMap, metadata: {name: x%d, namespace: n}, data: {text: "+strings.Repeat("x", 10_000)+"}}\n")}},
		{name: "a million keys", list: []func(io.Writer){text(listHead + listClaim + configMap), mapping(1_000_000, "    k%d: v\n")}},
		{name: "many keys, one of them twice", list: []func(io.Writer){text(listHead + listClaim + "  spec:\n"), mapping(100_000, "    k%d: v\n"), text("    k0: v\n")}, exitCode: 1, stderr: "the field appears twice"},
		{name: "unknown fields in a claim", list: []func(io.Writer){text(listHead + listClaim + "  spec:\n"), mapping(20_000, "    k%d: v\n")}, exitCode: 1, stderr: "unknown field"},
		{name: "labels of a claim", list: []func(io.Writer){text(listHead + strings.TrimSuffix(listClaim, "}\n") + ", labels: {"), mapping(20_000, "k%d: v, "), text("}}\n")}},
		{name: "bookkeeping on one of our objects", list: []func(io.Writer){text(listHead + listKptfile + listClaim + ownSecret), mapping(100_000, "      internal.config.kubernetes.io/k%d: v\n")}, again: true},
		{name: "keys in one of our Secrets", list: []func(io.Writer){text(listHead + listKptfile + listClaim + ownSecret + "  data:\n"), mapping(100_000, "    k%d: v\n")}, again: true},
		{name: "claims and Secrets without a namespace, all with the same name", list: []func(io.Writer){text(listHead), func(w io.Writer) {
			for i := range 3_000 {
				fmt.Fprintf(w, claimHead+"  metadata: {name: a, namespace: n%d}\n- {apiVersion: v1, kind: Secret, metadata: {name: a-password}}\n", i)
			}
		}}, exitCode: 1, stderr: "metadata.namespace: is missing"},
		{name: "one claim many times", list: []func(io.Writer){text(listHead + strings.Repeat(listClaim, 10_000))}, exitCode: 1, stderr: "the same claim is in items[0] and items[1]"},
		{name: "one leftover many times", list: []func(io.Writer){text(listHead + listKptfile + listClaim + strings.Repeat("- {apiVersion: v1, kind: Secret, metadata: {name: b-conn, namespace: n, annotations: {database.bizmatters.io/generated-from: n/b}}}\n", 10_000))}},
		{name: "as deep as the YAML library can read", list: []func(io.Writer){text(listHead + listClaim + configMap + "    a: " + strings.Repeat("[", 9_900) + strings.Repeat("]", 9_900) + "\n")}},
		{name: "deeper than that", list: []func(io.Writer){text(listHead + listClaim + configMap + "    a: " + strings.Repeat("[", 1_000_000) + strings.Repeat("]", 1_000_000) + "\n")}, exitCode: 1, stderr: "not valid YAML"},
		{name: "deep in a claim", list: []func(io.Writer){text(listHead + listClaim + "  spec:\n    a: " + strings.Repeat("[", 9_900) + strings.Repeat("]", 9_900) + "\n")}, exitCode: 1, stderr: "unknown field"},
		{name: "one long text", list: []func(io.Writer){text(listHead + listClaim + configMap + "    a: " + strings.Repeat("x ", 2_000_000) + "\n")}},
		{name: "what kustomize remembers", list: []func(io.Writer){text(listHead + strings.TrimSuffix(listClaim, "}\n") + ", annotations: {internal.config.kubernetes.io/previousNames: '" + strings.Repeat("a,", 50_000) + "a', internal.config.kubernetes.io/previousNamespaces: '" + strings.Repeat("a,", 50_000) + "a'}}\n")}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			check := func(got cost) {
				t.Helper()
				t.Log(got)
				assert.Equal(t, tc.exitCode, got.exitCode, got.stderr)
				assert.Contains(t, got.stderr, tc.stderr)
				assert.NotContains(t, got.stderr, "goroutine", "no panic")
				times := float64(got.size) / float64(usual.size)
				assert.Less(t, got.cpu, 10*time.Second+time.Duration(20*times*float64(usual.cpu)), "CPU time for %d bytes; %d ordinary ones take %s", got.size, usual.size, usual.cpu)
				assert.Less(t, got.peak, 512<<20+250*got.size, "bytes of memory for %d bytes", got.size)
			}
			got := measure(t, tc.list...)
			check(got)
			if tc.again {
				check(measure(t, func(w io.Writer) {
					text, err := os.ReadFile(got.stdout)
					require.NoError(t, err)
					_, err = w.Write(text)
					require.NoError(t, err)
				}))
			}
		})
	}
}

// cost is what a run of the program used.
type cost struct {
	size     int64 // of the input, in bytes
	cpu      time.Duration
	peak     int64 // peak memory in bytes; it starts with what this process had
	exitCode int
	stdout   string // the file that contains it
	stderr   string // its beginning
}

func (c cost) String() string {
	return fmt.Sprintf("%.1f MB in, %s, %d MB of memory", float64(c.size)/1e6, c.cpu.Round(time.Millisecond), c.peak>>20)
}

// measure runs the program on a list, which goes through files so that it needs no memory here.
func measure(t *testing.T, list ...func(io.Writer)) cost {
	t.Helper()
	dir := t.TempDir()
	stdin, err := os.Create(filepath.Join(dir, "stdin"))
	require.NoError(t, err)
	defer stdin.Close()
	w := bufio.NewWriter(stdin)
	for _, write := range list {
		write(w)
	}
	require.NoError(t, w.Flush())
	size, err := stdin.Seek(0, io.SeekCurrent)
	require.NoError(t, err)
	_, err = stdin.Seek(0, io.SeekStart)
	require.NoError(t, err)
	stdout, err := os.Create(filepath.Join(dir, "stdout"))
	require.NoError(t, err)
	defer stdout.Close()

	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := testkit.Command(ctx, t, nil)
	var stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, stdout, &stderr
	err = cmd.Run()
	require.NoError(t, ctx.Err(), "the program must not hang")
	exitCode := 0
	if err != nil {
		var exit *exec.ExitError
		require.ErrorAs(t, err, &exit)
		exitCode = exit.ExitCode()
	}
	return cost{
		size: size, exitCode: exitCode, stdout: stdout.Name(), stderr: stderr.String()[:min(stderr.Len(), 1000)],
		cpu:  cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(),
		peak: cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss << 10, // Linux counts in KiB
	}
}

func isRace() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}
