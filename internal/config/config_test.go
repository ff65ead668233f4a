package config_test

import (
	"strings"
	"testing"

	"github.com/GoogleContainerTools/kpt-functions-sdk/go/fn"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/internal/config"
	"github.com/bizmatters/dragonfly-generator/internal/krm"
	"github.com/bizmatters/dragonfly-generator/internal/report"
)

// resultsOf reads a configuration with that spec.
func resultsOf(t *testing.T, spec string) fn.Results {
	t.Helper()
	n, err := yaml.Parse("apiVersion: database.bizmatters.io/v1alpha1\nkind: DragonflyGenerator\nmetadata: {name: x}\nspec: " + spec + "\n")
	require.NoError(t, err)
	var results report.Results
	config.Read(krm.NewItem(n.YNode()), &results)
	return results.All()
}

func TestSnapshotCron(t *testing.T) {
	for _, good := range []string{"", "*/30 * * * *", "0 3 * * 0-6", "0,30 1-5,8 1 12 *", "1-59/2 * * * *", "0 0 29 2 *", "*/60 */24 * * *", "0 0 */1 * 1", "0 0 * * */7"} {
		assert.Empty(t, resultsOf(t, "{snapshotCron: '"+good+"'}"), good)
	}
	for _, bad := range []string{
		"@daily", "* * * *", "* * * * * *", "MON * * * *", "* * * * MON", "? * * * *", "TZ=UTC * * * * *",
		"60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 7", "*/0 * * * *", "5-1 * * * *",
		"0 0 1 * 1", "0 0 */2 * 1-5", "0 0 30 2 *", "0 0 31 4,6,9,11 *", "*/61 * * * *", "*/256 * * * *", "0 0-5/99999999999999999999 * * *", "* */25 * * *", "* * */32 * *", "* * * */13 *",
		"1,,2 * * * *", "*-5 * * * *", " * * * * *", "*  * * * *", "* * * * * ", "a", "-1 * * * *", "1- * * * *", "*/ * * * *",
	} {
		assert.Len(t, resultsOf(t, "{snapshotCron: '"+bad+"'}"), 1, bad)
	}
}

const digest = "sha256:0000000000000000000000000000000000000000000000000000000000000000"

func TestImagesThatAreRefused(t *testing.T) {
	for _, image := range []string{
		"", " ", "a b", "a:", "a:v1@", "a@sha256:00", "a:-1", "A", "a/", "/a", "a//b", "a:1:2", "https://a/b:v1.40.1", "a_-b:v1.40.1", "a:v1.40.1\nb", "{name}:v1.40.1",
	} {
		for _, field := range []string{"image: ", "password: {image: "} {
			spec := "{" + field + `"` + image + `"` + strings.Repeat("}", strings.Count(field, "{")+1)
			results := resultsOf(t, spec)
			assert.Len(t, results, 1, spec)
			assert.Equal(t, 1, results.ExitCode(), spec)
		}
	}
}

func TestImageWarnings(t *testing.T) {
	for image, warns := range map[string]bool{
		"dragonfly": true, "a/dragonfly:latest": true, "localhost:5000/dragonfly": true,
		"a:v1.37.2": true, "a:1.37": true, "a:v1.9.0-alpine": true, "a:v0.1": true,
		"a:v1.38.0": false, "a:1.38": false, "a:v1.38.0-alpine": false, "a:v1.40.1": false, "a:v2.0.0": false,
		"a:nightly": false, "a@" + digest: false, "localhost:5000/a:v1.40.1": false, "a:latest@" + digest: false,
		"a:v1.37.2@" + digest: true, "[::1]:5000/a:v1.40.1": false, "a.b/c/d__e/f--g.h:v1.40.1": false,
	} {
		results := resultsOf(t, "{image: '"+image+"'}")
		assert.Equal(t, warns, len(results) == 1, image)
		for _, result := range results {
			assert.Equal(t, fn.Warning, result.Severity, image)
		}
	}
}

// Every flag that is refused is refused in every spelling that Dragonfly might take.
func TestForbiddenFlags(t *testing.T) {
	for _, flag := range []string{
		"requirepass", "aclfile", "flagfile", "fromenv", "tryfromenv", "port", "memcached_port", "bind", "admin_bind", "primary_port_http_enabled", "admin_nopass",
		"dir", "dbfilename", "snapshot_cron", "maxmemory", "proactor_threads", "version_check", "help", "helpshort", "version", "only_check_args",
	} {
		for _, spelling := range []string{
			"--" + flag, "-" + flag, "--" + flag + "=hunter2", "-" + flag + "=hunter2", "--no" + flag, "-no" + flag, "--no" + flag + "=true",
			"--" + strings.ToUpper(flag) + "=hunter2", "--" + strings.ReplaceAll(flag, "_", "-") + "=hunter2", "--No" + flag,
		} {
			results := resultsOf(t, "{args: ['"+spelling+"']}")
			assert.Len(t, results, 1, spelling)
			assert.NotContains(t, results.Error(), "hunter2", spelling)
		}
	}
	for _, good := range []string{
		"--cache_mode=true", "-cache_mode", "--notify_keyspace_events=Ex", "--nodf_snapshot_format", "--cluster_announce_ip=$(POD_IP)",
		"--bind=0.0.0.0", "--bind=::", "--admin_bind=::", "--tls=true", "--s3_endpoint=minio.storage.svc",
	} {
		assert.Empty(t, resultsOf(t, "{args: ['"+good+"']}"), good)
	}
}
