package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParse(t *testing.T) {
	flagfile := func(lines string) string {
		path := filepath.Join(t.TempDir(), "flagfile")
		require.NoError(t, os.WriteFile(path, []byte(lines), 0o600))
		return "--flagfile=" + path
	}
	const password = "a=b --c $(d)"
	tests := []struct {
		reason  string
		args    []string
		environ []string
		want    map[string]string
		err     string
	}{
		{reason: "without flags the defaults hold", want: map[string]string{"port": "6379", "requirepass": "", "version_check": "true"}},
		{reason: "the flags of our manifests are taken", args: []string{
			"--dir=/data", "--dbfilename=dump", "--snapshot_cron=*/30 * * * *", "--maxmemory=1503238553", "--proactor_threads=1", "--version_check=false",
		}, want: map[string]string{"dir": "/data", "snapshot_cron": "*/30 * * * *", "version_check": "false"}},
		{reason: "absl takes the value as the next argument, too, and negates with no",
			args: []string{"--port", "1", "-cache_mode", "--noversion_check"}, want: map[string]string{"port": "1", "cache_mode": "true", "version_check": "false"}},
		{reason: "a flag file stands in the place of its flag; a value may hold anything",
			args: []string{"--port=1", flagfile("# made by a test\n\n  --requirepass=" + password + "\n--port=2\n"), "--bind=::"},
			want: map[string]string{"requirepass": password, "port": "2", "bind": "::"}},
		{reason: "what comes after the flag file wins over it", args: []string{flagfile("--port=2"), "--port=3"}, want: map[string]string{"port": "3"}},
		{reason: "a flag file that is missing is an error", args: []string{"--flagfile=/nowhere"}, err: "Can't open flagfile /nowhere"},
		{reason: "a line of a flag file that is no flag is an error that does not repeat it", args: []string{flagfile("hunter2")}, err: "Unexpected line 1 in the flagfile"},
		{reason: "an unknown flag is refused", args: []string{"--maxmemroy=1"}, err: "Unknown command line flag 'maxmemroy'"},
		{reason: "an unknown flag in a flag file is refused", args: []string{flagfile("--aclfile=x")}, err: "Unknown command line flag 'aclfile'"},
		{reason: "a positional argument is refused without repeating it", args: []string{"hunter2"}, err: "unexpected argument 7 characters long"},
		{reason: "a value is missing", args: []string{"--port"}, err: "Missing the value for the flag 'port'"},
		{reason: "a number is a number", args: []string{"--maxmemory=1Gi"}, err: "Illegal value specified for flag 'maxmemory'"},
		{reason: "a schedule is a schedule", args: []string{"--snapshot_cron=hourly"}, err: "Illegal value specified for flag 'snapshot_cron'"},
		{reason: "variables are flags", environ: []string{"DFLY_requirepass=x", "PATH=/"}, want: map[string]string{"requirepass": "x"}},
		{reason: "the command line wins over a variable", args: []string{flagfile("--requirepass=file")}, environ: []string{"DFLY_requirepass=variable"}, want: map[string]string{"requirepass": "file"}},
		{reason: "an unknown variable is refused, such as that of a Service link", environ: []string{"DFLY_METRICS_PORT=tcp://10.0.0.1:1"}, err: "unknown DFLY_ variable DFLY_METRICS_PORT"},
		{reason: "Dragonfly wants 256 MiB a thread", args: []string{"--maxmemory=268435456", "--proactor_threads=2"}, err: "2 threads need a maxmemory of 536870912 bytes"},
	}
	for _, test := range tests {
		t.Run(test.reason, func(t *testing.T) {
			settings, err := parse(test.args, test.environ)
			if test.err != "" {
				require.ErrorContains(t, err, test.err)
				assert.NotContains(t, err.Error(), "hunter2")
				return
			}
			require.NoError(t, err)
			for name, want := range test.want {
				assert.Equal(t, want, settings.value(name), name)
			}
		})
	}
}

func TestExitCodes(t *testing.T) {
	var log bytes.Buffer
	assert.Equal(t, 1, run(t.Context(), []string{"--unknown"}, nil, &log, nil))
	assert.Equal(t, 134, run(t.Context(), nil, []string{"DFLY_PASSWORD=hunter2"}, &log, nil))
	assert.NotContains(t, log.String(), "hunter2")
}

// A process is a stand-in that runs in this process.
type process struct {
	address string
	stop    context.CancelFunc
	exited  <-chan int
}

func start(t *testing.T, args ...string) *process {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	listening, exited := make(chan net.Addr, 1), make(chan int, 1)
	var log bytes.Buffer
	go func() {
		exited <- run(ctx, append([]string{"--bind=127.0.0.1", "--port=0"}, args...), nil, &log, listening)
	}()
	t.Cleanup(stop)
	select {
	case address := <-listening:
		return &process{address.String(), stop, exited}
	case code := <-exited:
		t.Fatalf("ended with %d:\n%s", code, log.String())
	}
	return nil
}

// terminate does what SIGTERM does.
func (p *process) terminate(t *testing.T) {
	t.Helper()
	p.stop()
	assert.Equal(t, 0, p.wait(t))
}

func (p *process) wait(t *testing.T) int {
	t.Helper()
	select {
	case code := <-p.exited:
		return code
	case <-time.After(10 * time.Second):
		t.Fatal("does not end")
		return 0
	}
}

// session sends lines, one after the other over one connection, and returns the replies as they are.
func (p *process) session(t *testing.T, lines ...string) string {
	t.Helper()
	connection, err := net.Dial("tcp", p.address)
	require.NoError(t, err)
	defer connection.Close()
	require.NoError(t, connection.SetDeadline(time.Now().Add(10*time.Second)))
	_, err = io.WriteString(connection, strings.Join(append(lines, "QUIT", ""), "\r\n"))
	require.NoError(t, err)
	replies, err := io.ReadAll(connection)
	require.NoError(t, err)
	return strings.TrimSuffix(string(replies), "+OK\r\n")
}

func TestPassword(t *testing.T) {
	p := start(t, "--requirepass=open sesame")
	assert.Equal(t, "-NOAUTH Authentication required.\r\n", p.session(t, "PING"))
	assert.Equal(t, "-WRONGPASS invalid username-password pair or user is disabled.\r\n-NOAUTH Authentication required.\r\n", p.session(t, "AUTH sesame", "PING"))
	assert.Equal(t, "+OK\r\n+PONG\r\n", p.session(t, "*2\r\n$4\r\nAUTH\r\n$11\r\nopen sesame", "PING"))
	assert.Contains(t, p.session(t, "*3\r\n$4\r\nAUTH\r\n$5\r\nadmin\r\n$11\r\nopen sesame"), "-WRONGPASS ")
	assert.Contains(t, start(t).session(t, "AUTH x"), "-ERR AUTH <password> called without any password configured")
}

func TestCommands(t *testing.T) {
	p := start(t, "--maxmemory=1000000000")
	assert.Equal(t, "+PONG\r\n$2\r\nhi\r\n", p.session(t, "PING", "PING hi"))
	assert.Equal(t, "$-1\r\n+OK\r\n$1\r\nv\r\n:1\r\n", p.session(t, "GET k", "SET k v", "get k", "DBSIZE"))
	assert.Contains(t, p.session(t, "INFO replication"), "role:master")
	assert.Contains(t, p.session(t, "INFO memory"), "used_memory:2\r\nmaxmemory:1000000000\r\n")
	assert.Contains(t, p.session(t, "INFO"), "keys=1")
	assert.Equal(t, "*2\r\n$9\r\nmaxmemory\r\n$10\r\n1000000000\r\n", p.session(t, "CONFIG GET maxmem*"))
	assert.Equal(t, "+OK\r\n-NOAUTH Authentication required.\r\n", p.session(t, "CONFIG SET requirepass x", "PING"))
	assert.Contains(t, start(t).session(t, "CONFIG SET dir /"), "-ERR Unknown option")
	assert.Contains(t, start(t).session(t, "FLUSHALL"), "stand-in for Dragonfly")
	assert.Contains(t, start(t).session(t, "*1\r\n$-7"), "-ERR Protocol error")
}

func TestHTTP(t *testing.T) {
	p := start(t, "--requirepass=x")
	for path, want := range map[string]int{"/healthz": http.StatusOK, "/metrics": http.StatusOK, "/": http.StatusNotFound} {
		response, err := http.Get("http://" + p.address + path)
		require.NoError(t, err)
		response.Body.Close()
		assert.Equal(t, want, response.StatusCode, path)
	}
}

func TestSnapshot(t *testing.T) {
	dir := t.TempDir()
	kept := []string{"--dir=" + dir, "--dbfilename=dump"}

	p := start(t, kept...)
	assert.Equal(t, "+OK\r\n+OK\r\n", p.session(t, "SET a 1", "SAVE"))
	assert.FileExists(t, filepath.Join(dir, "dump-summary.dfs"))
	p.session(t, "SET b 2")
	p.terminate(t)

	p = start(t, kept...)
	assert.Equal(t, "$1\r\n1\r\n$1\r\n2\r\n", p.session(t, "GET a", "GET b"), "what came after SAVE is in the snapshot that termination writes")
	p.session(t, "SET c 3", "SHUTDOWN NOSAVE")
	assert.Equal(t, 0, p.wait(t))

	p = start(t, kept...)
	assert.Equal(t, ":2\r\n", p.session(t, "DBSIZE"), "SHUTDOWN NOSAVE writes none")
	p.session(t, "SHUTDOWN")
	assert.Equal(t, 0, p.wait(t))

	info, err := os.Stat(filepath.Join(dir, "dump-0000.dfs"))
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode())

	require.NoError(t, os.WriteFile(filepath.Join(dir, "dump-0000.dfs"), []byte("no snapshot"), 0o600))
	var log bytes.Buffer
	assert.Equal(t, 1, run(t.Context(), kept, nil, &log, nil), "a broken snapshot is not passed over")
}

func TestSnapshotThatCannotBeWritten(t *testing.T) {
	p := start(t, "--dir="+filepath.Join(t.TempDir(), "missing"), "--dbfilename=dump")
	assert.Contains(t, p.session(t, "SET a 1", "SAVE"), "-ERR ")
	p.terminate(t) // with exit code 0, as Dragonfly does
}

func TestReadCommand(t *testing.T) {
	for input, want := range map[string]string{
		"*2\r\n$3\r\nGET\r\n$3\r\na b\r\n": `["GET" "a b"] <nil>`,
		"  GET   a\r\n":                    `["GET" "a"] <nil>`,
		"\r\n":                             `[] <nil>`,
		"*1\r\n:3\r\n":                     `[] wanted '$'`,
		"*99999999\r\n":                    `[] too long`,
		"*1\r\n$3\r\nGE":                   `[] unexpected EOF`,
	} {
		command, err := readCommand(bufio.NewReader(strings.NewReader(input)))
		assert.Equal(t, want, fmt.Sprintf("%q %v", command, err), "%q", input)
	}
}
