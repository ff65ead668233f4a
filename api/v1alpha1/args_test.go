package v1alpha1_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
)

// A refused flag is refused in every spelling that Dragonfly might accept.
func TestForbiddenFlags(t *testing.T) {
	for _, flag := range []string{
		"requirepass", "aclfile", "flagfile", "fromenv", "tryfromenv", "port", "memcached_port", "bind", "admin_bind", "primary_port_http_enabled", "admin_nopass",
		"dir", "dbfilename", "snapshot_cron", "maxmemory", "proactor_threads", "version_check", "tls", "tls_cert_file", "tls_key_file", "help", "helpshort", "version", "only_check_args",
	} {
		for _, spelling := range []string{
			"--" + flag, "-" + flag, "--" + flag + "=hunter2", "-" + flag + "=hunter2", "--no" + flag, "-no" + flag, "--no" + flag + "=true",
			"--" + strings.ToUpper(flag) + "=hunter2", "--" + strings.ReplaceAll(flag, "_", "-") + "=hunter2", "--No" + flag,
		} {
			assert.Equal(t, []string{"spec.args[0]"}, paths(problems(t, "{args: ['"+spelling+"']}")), spelling)
		}
	}
	for _, good := range []string{
		"--cache_mode=true", "-cache_mode", "--notify_keyspace_events=Ex", "--nodf_snapshot_format", "--cluster_announce_ip=$(POD_IP)",
		"--bind=0.0.0.0", "--bind=::", "--admin_bind=::", "--s3_endpoint=minio.storage.svc",
	} {
		assert.Empty(t, problems(t, "{args: ['"+good+"']}"), good)
	}
}

// The Service and the probes can reach the server only if it listens on a wildcard address.
func TestBind(t *testing.T) {
	for _, bad := range []string{"--bind", "--bind=127.0.0.1", "--bind=10.0.0.1", "--admin_bind=localhost", "--bind=", "--bind=0.0.0.0,::1", "--bind={name}"} {
		errs := problems(t, "{args: ['"+bad+"']}")
		require.Equal(t, []string{"spec.args[0]"}, paths(errs), bad)
		assert.Contains(t, errs[0].Detail, "0.0.0.0 or ::", bad)
	}
}

func TestArgs(t *testing.T) {
	for _, tc := range []struct{ reason, settings, want string }{
		{"A bare word is not a flag.", "{args: [hunter2]}", "--name=value"},
		{"Three dashes are too many.", "{args: [---dbnum=1]}", "--name=value"},
		{"A flag has a name.", "{args: ['--=hunter2']}", "--name=value"},
		{"A value follows an equals sign.", "{args: ['--dbnum 1']}", "--name=value"},
		{"Two lines could be two flags.", `{args: ["--dbnum=1\n--requirepass=hunter2"]}`, "line break"},
		{"Kubernetes would fill in the password.", "{args: ['--dbnum=$(DFLY_requirepass)']}", "secret"},
		{"What the function sets is configured elsewhere.", "{args: [--snapshot_cron=hunter2]}", "spec.snapshotCron"},
		{"So is the memory.", "{args: [--maxmemory=1G]}", "spec.sizes"},
		{"The operator sets its own port.", "{backend: Operator, args: [--admin_port=9999]}", "the operator sets"},
		{"The operator cannot mount files.", "{backend: Operator, args: [--tls_ca_cert_file=/a]}", "cannot mount"},
		{"TLS has fields of its own.", "{args: [--tls_cert_file=/a]}", "spec.tls"},
	} {
		errs := problems(t, tc.settings)
		require.Equal(t, []string{"spec.args[0]"}, paths(errs), tc.reason)
		assert.Contains(t, errs[0].Detail, tc.want, tc.reason)
	}
	assert.Equal(t, []string{"spec.args[1]", "spec.args[2]"}, paths(problems(t, "{args: [--dbnum=1, x, --port=1]}")), "Each has its own field.")
}

func TestFlagName(t *testing.T) {
	for arg, want := range map[string]string{
		"--port=1": "port", "-port": "port", "--PORT": "port", "--noport": "port", "--admin-bind=::": "admin_bind", "--notls": "tls", "--nodir": "dir",
		"--notify_keyspace_events=Ex": "notify_keyspace_events", "--nodf_snapshot_format": "nodf_snapshot_format",
		"port": "", "": "", "-": "", "--": "", "---port": "", "--a b": "",
	} {
		name, isFlag := v1alpha1.FlagName(arg)
		assert.Equal(t, want, name, arg)
		assert.Equal(t, want != "", isFlag, arg)
	}
}

func TestKindsOfFlags(t *testing.T) {
	assert.True(t, v1alpha1.MaySetFlag("cache_mode"))
	assert.False(t, v1alpha1.MaySetFlag("port"))
	assert.False(t, v1alpha1.MaySetFlag("maxmemory"))
	assert.True(t, v1alpha1.AsksForClientCertificates("tls_ca_cert_file"))
	assert.True(t, v1alpha1.AsksForClientCertificates("tls_ca_cert_dir"))
	assert.False(t, v1alpha1.AsksForClientCertificates("tls_cert_file"))
}
