package main

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// withFlags writes a flag file and returns the flag that names it.
func withFlags(t *testing.T, lines string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "flagfile")
	require.NoError(t, os.WriteFile(path, []byte(lines), 0o600))
	return "--flagfile=" + path
}

func TestParse(t *testing.T) {
	flagfile := func(lines string) string { return withFlags(t, lines) } // instead of the function of that name
	const password = "a=b --c $(d)"
	tests := []struct {
		reason  string
		args    []string
		environ []string
		want    map[string]string
		err     string
	}{
		{reason: "without flags, the defaults apply", want: map[string]string{"port": "6379", "requirepass": "", "version_check": "true"}},
		{reason: "the flags in our manifests are accepted", args: []string{
			"--dir=/data", "--dbfilename=dump", "--snapshot_cron=*/30 * * * *", "--proactor_threads=1", "--version_check=false",
			"--tls=true", "--tls_cert_file=/tls/tls.crt", "--tls_key_file=/tls/tls.key",
			flagfile("--maxmemory=1503238553\n"),
		}, want: map[string]string{"dir": "/data", "snapshot_cron": "*/30 * * * *", "version_check": "false", "tls": "true", "tls_key_file": "/tls/tls.key", "maxmemory": "1503238553"}},
		{reason: "absl also accepts the value as the next argument, and negates with no",
			args: []string{"--port", "1", "-cache_mode", "--noversion_check"}, want: map[string]string{"port": "1", "cache_mode": "true", "version_check": "false"}},
		{reason: "a flag file replaces its flag; a value may contain anything",
			args: []string{"--port=1", flagfile("# made by a test\n\n  --requirepass=" + password + "\n--port=2\n"), "--bind=::"},
			want: map[string]string{"requirepass": password, "port": "2", "bind": "::"}},
		{reason: "flags after the flag file override it", args: []string{flagfile("--port=2"), "--port=3"}, want: map[string]string{"port": "3"}},
		{reason: "a flag file that is missing is an error", args: []string{"--flagfile=/nowhere"}, err: "Can't open flagfile /nowhere"},
		{reason: "a line in a flag file that is not a flag is an error that does not repeat it", args: []string{flagfile("hunter2")}, err: "Unexpected line 1 in the flagfile"},
		{reason: "an unknown flag is refused", args: []string{"--maxmemroy=1"}, err: "Unknown command line flag 'maxmemroy'"},
		{reason: "an unknown flag in a flag file is refused", args: []string{flagfile("--maxmemroy=1")}, err: "Unknown command line flag 'maxmemroy'"},
		{reason: "a positional argument is refused without repeating it", args: []string{"hunter2"}, err: "unexpected argument 7 characters long"},
		{reason: "a value is missing", args: []string{"--port"}, err: "Missing the value for the flag 'port'"},
		{reason: "a number must be a number", args: []string{"--proactor_threads=two"}, err: "Illegal value specified for flag 'proactor_threads'"},
		{reason: "a schedule must be a schedule", args: []string{"--snapshot_cron=hourly"}, err: "Illegal value specified for flag 'snapshot_cron'"},
		{reason: "variables are flags", environ: []string{"DFLY_requirepass=x", "PATH=/"}, want: map[string]string{"requirepass": "x"}},
		{reason: "the command line overrides a variable", args: []string{flagfile("--requirepass=file")}, environ: []string{"DFLY_requirepass=variable"}, want: map[string]string{"requirepass": "file"}},
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
	code, log := exit(t, "--unknown=hunter2")
	assert.Equal(t, 1, code)
	assert.Contains(t, log, "Unknown command line flag 'unknown'")
	assert.NotContains(t, log, "hunter2")

	code, log = exit(t, "--proactor_threads=2", "--maxmemory=536870911")
	assert.Equal(t, 1, code)
	assert.Contains(t, log, "There are 2 threads, so 512.00MiB are required")

	t.Setenv("DFLY_METRICS_PORT", "hunter2") // as for a Service named dfly-metrics
	code, log = exit(t)
	assert.Equal(t, 134, code)
	assert.Contains(t, log, "unknown environment variable DFLY_METRICS_PORT")
	assert.NotContains(t, log, "hunter2")
}

func TestPassword(t *testing.T) {
	p := start(t, "--requirepass=open sesame")
	const rejected = "-WRONGPASS invalid username-password pair or user is disabled."
	c := p.dial(t)
	assert.Equal(t, "-NOAUTH Authentication required.", c.do("PING"))
	assert.Equal(t, rejected, c.do("AUTH sesame"))
	assert.Equal(t, rejected, c.do("AUTH", "admin", "open sesame"))
	assert.Equal(t, "-NOAUTH Authentication required.", c.do("PING"))
	assert.Equal(t, "OK", c.do("AUTH", "open sesame"))
	assert.Equal(t, "PONG", c.do("PING"))
	assert.Equal(t, "OK", p.dial(t).do("AUTH", "default", "open sesame"))
	assert.Equal(t, "OK", start(t).dial(t).do("AUTH any"), "if no password is required, any password is accepted")
}

func TestHello(t *testing.T) {
	p := start(t, "--requirepass=x")
	c := p.dial(t)
	assert.Contains(t, c.do("HELLO 3"), "-NOAUTH HELLO must be called with the client already authenticated")
	assert.Contains(t, c.do("HELLO 3 AUTH default y"), "-WRONGPASS ")
	assert.Equal(t, "-ERR syntax error", c.do("HELLO 3 AUTH x"))
	assert.Contains(t, c.do("HELLO 4"), "-ERR ")
	assert.Contains(t, c.do("PING"), "-NOAUTH ")
	assert.Contains(t, c.do("HELLO 3 AUTH default x"), " proto 3 ")
	assert.Equal(t, "(nil)", c.do("GET none"))
	assert.Equal(t, "dir ", c.do("CONFIG GET dir"))
	assert.Contains(t, c.do("HELLO 2"), " proto 2 ")
	assert.Contains(t, c.do("HELLO 2 AUTH default y"), "-WRONGPASS ")
	assert.Equal(t, "PONG", c.do("PING"), "and stays authenticated")
}

func TestPasswordChanges(t *testing.T) {
	flags := withFlags(t, "--requirepass=old\n")
	p := start(t, flags)
	before := p.dial(t)
	assert.Equal(t, "OK", before.do("AUTH old"))
	assert.Equal(t, "OK", before.do("CONFIG SET requirepass new"))
	assert.Equal(t, "OK", p.dial(t).do("AUTH new"))
	assert.Equal(t, "OK", p.dial(t).do("AUTH old"), "both are valid")

	assert.Equal(t, "OK", before.do("ACL SETUSER default <old"))
	assert.Contains(t, p.dial(t).do("AUTH old"), "-WRONGPASS ")
	assert.Equal(t, "OK", p.dial(t).do("AUTH new"))
	assert.Equal(t, "PONG", before.do("PING"), "existing connections stay authenticated")
	assert.Equal(t, "OK", before.do("ACL SETUSER default >newer <new"))
	assert.Equal(t, "OK", p.dial(t).do("AUTH newer"))
	assert.Contains(t, p.dial(t).do("AUTH new"), "-WRONGPASS ")
	assert.Equal(t, 0, p.terminate(t))
	assert.Equal(t, "OK", start(t, flags).dial(t).do("AUTH old"), "a restart uses the flag's")

	p = start(t)
	before = p.dial(t)
	assert.Equal(t, "OK", before.do("CONFIG SET requirepass first"))
	assert.Equal(t, "PONG", before.do("PING"))
	assert.Contains(t, p.dial(t).do("PING"), "-NOAUTH ")
}

func TestCommands(t *testing.T) {
	c := start(t, "--maxmemory=1000000000").dial(t)
	assert.Equal(t, "PONG", c.do("PING"))
	assert.Equal(t, "hi", c.do("PING hi"))
	assert.Equal(t, "(nil)", c.do("GET k"))
	assert.Equal(t, "OK", c.do("SET k v"))
	assert.Equal(t, "v", c.do("get k"))
	assert.Equal(t, "1", c.do("DBSIZE"))
	assert.Contains(t, c.do("INFO replication"), "role:master")
	assert.Contains(t, c.do("INFO memory"), "\r\nmaxmemory:1000000000\r\n")
	assert.Contains(t, c.do("INFO"), "keys=1")
	assert.Equal(t, "dir ", c.do("CONFIG GET dir"))
	assert.Equal(t, "-ERR Unknown option or number of arguments for CONFIG SET - 'save'", c.do("CONFIG SET save never"))
	assert.Equal(t, "-ERR CONFIG SET failed (possibly related to argument 'dir') - can't set immutable config", c.do("CONFIG SET dir /"))
	assert.Contains(t, c.do("NONESUCH"), "-ERR unknown command `NONESUCH`")
	_, err := io.WriteString(c, "*1\r\n$-7\r\n")
	require.NoError(t, err)
	assert.Contains(t, c.reply(), "-ERR Protocol error")
}

// The tests on the node send plain lines, and compare raw replies.
func TestPlainLines(t *testing.T) {
	c := start(t, "--requirepass=x").dial(t)
	_, err := io.WriteString(c, "PING\r\nAUTH x\r\nPING\r\nSET answer 42\r\nGET answer\r\nGET none\r\nQUIT\r\n")
	require.NoError(t, err)
	replies, err := io.ReadAll(c.replies)
	require.NoError(t, err)
	assert.Equal(t, "-NOAUTH Authentication required.\r\n+OK\r\n+PONG\r\n+OK\r\n$2\r\n42\r\n$-1\r\n+OK\r\n", string(replies))
}

// used returns the used memory that the server reports.
func used(t *testing.T, c *session, field string) int64 {
	t.Helper()
	found := regexp.MustCompile(`(?m)^` + field + `:(\d+)\r$`).FindStringSubmatch(c.do("INFO memory"))
	require.NotNil(t, found, field)
	n, err := strconv.ParseInt(found[1], 10, 64)
	require.NoError(t, err)
	return n
}

func TestFullMemory(t *testing.T) {
	const maxmemory = 300 << 20
	p := start(t, withFlags(t, fmt.Sprintf("--maxmemory=%d\n", maxmemory)))
	c := p.dial(t)
	require.EqualValues(t, maxmemory, used(t, c, "maxmemory"))
	for i := 0; c.do("DEBUG", "POPULATE", "10", fmt.Sprintf("fill-%d", i), "1000000") == "OK" && used(t, c, "used_memory") <= maxmemory; i++ {
		require.Less(t, i, 100)
	}
	// A real Dragonfly may refuse insertions a few percent below its limit, so the limit is then moved below the used
	// memory.
	require.Equal(t, "OK", c.do("CONFIG", "SET", "maxmemory", strconv.FormatInt(min(maxmemory, used(t, c, "used_memory")-1), 10)))
	assert.Equal(t, "-ERR Out of memory", c.do("SET k v"))
	assert.Len(t, c.do("GET fill-0:0"), 1000000, "existing keys can be read")
	assert.Equal(t, "1", c.do("DEL fill-0:0 none"), "and deleted")
	for i := range 10 {
		c.do(fmt.Sprintf("DEL fill-0:%d fill-1:%d", i, i))
	}
	p.eventually(t, func() bool { return c.do("SET k v") == "OK" })
}

func TestHTTP(t *testing.T) {
	p := start(t, "--requirepass=x")
	for path, want := range map[string]int{"/healthz": http.StatusOK, "/metrics": http.StatusOK, "/none": http.StatusNotFound} {
		assert.Equal(t, want, p.get(t, path), path)
	}
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
