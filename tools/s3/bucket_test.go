// Package s3 lets a stand-in for Dragonfly keep snapshots in a real S3 server, Versity's gateway, as the manifests tell
// Dragonfly to. `make s3-test` runs it.
//
// The stand-in is not Dragonfly. It parses the bucket and prefix in --dir and finds a snapshot as Dragonfly's
// snapshot_storage.cc does, but uses the AWS SDK for Go, where Dragonfly uses the one for C++. So this tests what we
// write (the flags, the instances' folders, the variables' names), not Dragonfly.
package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/embedgw"
	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/yaml"
)

// The Secret `bucket` that the page's configuration names, and the server's region.
var secret = map[string]string{"id": "dragonfly", "secret": "a-secret-key"}

const region = "eu-central-1"

// keep is the variable that turns this test binary into the stand-in. It contains the value to save; if it is empty,
// the stand-in loads a value and prints it.
const keep = "STANDIN_KEEP"

func TestMain(m *testing.M) {
	if value, ok := os.LookupEnv(keep); ok {
		if err := standin(context.Background(), os.Args[1:], value); err != nil {
			fmt.Fprintln(os.Stderr, "stand-in for Dragonfly:", err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// standin saves the value as a snapshot, or prints the value of the one that it finds.
func standin(ctx context.Context, args []string, value string) error {
	flags := map[string]string{"s3_use_https": "true"}
	for _, arg := range args {
		name, value, found := strings.Cut(strings.TrimPrefix(arg, "--"), "=")
		if !found || !strings.HasPrefix(arg, "--") {
			return fmt.Errorf("the argument %s is not a flag with a value", arg)
		}
		flags[name] = value
	}
	isSafe, err := strconv.ParseBool(flags["s3_use_https"])
	if err != nil {
		return err
	}
	scheme := map[bool]string{true: "https://", false: "http://"}[isSafe]
	path, isS3 := strings.CutPrefix(flags["dir"], "s3://")
	if !isS3 {
		return errors.New("--dir is not in S3")
	}
	bucket, prefix, _ := strings.Cut(path, "/")

	cfg, err := config.LoadDefaultConfig(ctx, config.WithRetryMaxAttempts(1))
	if err != nil {
		return err
	}
	client := s3.NewFromConfig(cfg, func(o *s3.Options) {
		o.UsePathStyle = true
		o.BaseEndpoint = aws.String(scheme + flags["s3_endpoint"])
	})
	summary := prefix + "/" + flags["dbfilename"] + "-summary.dfs"
	if value != "" {
		_, err := client.PutObject(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: &summary, Body: strings.NewReader(value)})
		return err
	}
	// Dragonfly lists everything that starts with the prefix, including other instances' snapshots, and uses full
	// matches.
	list, err := client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &bucket, Prefix: &prefix})
	if err != nil {
		return err
	}
	matches := regexp.MustCompile("^" + prefix + "/" + flags["dbfilename"] + `(-summary.dfs|.rdb)$`)
	for _, object := range list.Contents {
		if !matches.MatchString(*object.Key) {
			continue
		}
		got, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: object.Key})
		if err != nil {
			return err
		}
		defer got.Body.Close()
		_, err = io.Copy(os.Stdout, got.Body)
		return err
	}
	return errors.New("Snapshot not found")
}

// server starts an S3 server with a bucket, and returns its address and the folder with its files.
func server(t *testing.T, bucket string) (address, folder string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address = listener.Addr().String()
	require.NoError(t, listener.Close())
	dir := t.TempDir()
	folder = filepath.Join(dir, "objects")
	for _, name := range []string{filepath.Join(folder, bucket), filepath.Join(dir, "attributes")} {
		require.NoError(t, os.MkdirAll(name, 0o750))
	}
	attributes, err := meta.NewSideCar(filepath.Join(dir, "attributes"))
	require.NoError(t, err)
	objects, err := posix.New(folder, attributes, posix.PosixOpts{SideCarDir: filepath.Join(dir, "attributes"), Concurrency: 100})
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	stopped := make(chan error, 1)
	go func() {
		stopped <- embedgw.RunVersityGW(ctx, objects, &embedgw.Config{
			RootUserAccess: secret["id"], RootUserSecret: secret["secret"], Region: region, Ports: []string{address},
			MaxConnections: 100, MaxRequests: 100, MultipartMaxParts: 10000, Quiet: true,
		})
	}()
	t.Cleanup(func() {
		stop()
		<-stopped
	})
	require.Eventually(t, func() bool {
		connection, err := net.Dial("tcp", address)
		if err == nil {
			_ = connection.Close()
		}
		return err == nil
	}, time.Minute, 10*time.Millisecond)
	return address, folder
}

// container is the configuration that a manifest gives Dragonfly.
type container struct{ args, environ []string }

// keeps runs the stand-in with only the container's arguments and variables.
func (c container) keeps(t *testing.T, value string) (string, error) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), self, c.args...)
	cmd.Env = append(slices.Clone(c.environ), keep+"="+value)
	var out, log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &log
	if err := cmd.Run(); err != nil {
		return "", errors.New(log.String())
	}
	return out.String(), nil
}

// with returns the container with another value for a variable, which must already exist.
func (c container) with(t *testing.T, name, value string) container {
	t.Helper()
	environ := slices.Clone(c.environ)
	at := slices.IndexFunc(environ, func(variable string) bool { return strings.HasPrefix(variable, name+"=") })
	require.GreaterOrEqual(t, at, 0, name)
	environ[at] = name + "=" + value
	return container{c.args, environ}
}

// render returns an instance's container under a configuration.
func render(t *testing.T, config, namespace, name string) container {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "dragonfly-generator", "render", "-")
	cmd.Stdin = strings.NewReader("apiVersion: database.bizmatters.io/v1alpha1\nkind: DragonflyInstance\nmetadata: {name: " + name +
		", namespace: " + namespace + "}\nspec: {size: small}\n---\n" + config)
	var log bytes.Buffer
	cmd.Stderr = &log
	out, err := cmd.Output()
	require.NoError(t, err, "%s", &log)
	assert.NotContains(t, log.String(), "region")
	for document := range strings.SplitSeq(string(out), "\n---\n") {
		if !strings.Contains(document, "\nkind: StatefulSet\n") {
			continue
		}
		var workload appsv1.StatefulSet
		require.NoError(t, yaml.UnmarshalStrict([]byte(document), &workload))
		server := workload.Spec.Template.Spec.Containers[0]
		require.Equal(t, "dragonfly", server.Name)
		c := container{args: server.Args}
		for _, variable := range server.Env {
			value := variable.Value
			if from := variable.ValueFrom; from != nil {
				require.Equal(t, "bucket", from.SecretKeyRef.Name)
				value = secret[from.SecretKeyRef.Key]
			}
			c.environ = append(c.environ, variable.Name+"="+value)
		}
		return c
	}
	t.Fatalf("no StatefulSet in\n%s", out)
	return container{}
}

// configuration returns the page's configuration for an S3 bucket, with the arguments that the page gives for a server
// other than Amazon's. The gateway changes the working directory, so the page is read before it starts.
func configuration(t *testing.T) func(address string) string {
	t.Helper()
	page, err := os.ReadFile("../../docs/configuration.md")
	require.NoError(t, err)
	_, section, found := strings.Cut(string(page), "\n## Keep snapshots in a bucket\n")
	require.True(t, found)
	section, _, _ = strings.Cut(section, "\n## ")
	block := regexp.MustCompile("(?ms)^```yaml\n(spec:\n.*?)^```").FindStringSubmatch(section)
	require.NotNil(t, block)
	require.Contains(t, section, "`--s3_endpoint=minio.storage.svc:9000` to `args`")
	require.Contains(t, section, "`--s3_use_https=false`")
	require.Contains(t, block[1], "AWS_REGION, value: "+region)
	return func(address string) string {
		return "apiVersion: database.bizmatters.io/v1alpha1\nkind: DragonflyGenerator\nmetadata: {name: platform}\n" + block[1] +
			"  args: [--s3_endpoint=" + address + ", --s3_use_https=false]\n"
	}
}

// The manifests are enough for snapshots in S3, each instance has its own, and the page's variables are the ones that
// an AWS client reads.
func TestBucket(t *testing.T) {
	configured := configuration(t)
	address, folder := server(t, "backups")
	platform := configured(address)

	// The first one's prefix is a prefix of the second one's.
	instances := [][2]string{{"shop", "my-cache"}, {"shop", "my-cache-2"}, {"other", "my-cache"}}
	for _, i := range instances {
		_, err := render(t, platform, i[0], i[1]).keeps(t, "")
		require.ErrorContains(t, err, "Snapshot not found", "%s: others have saved already", i)
		_, err = render(t, platform, i[0], i[1]).keeps(t, "of "+i[0]+"/"+i[1])
		require.NoError(t, err)
		assert.FileExists(t, filepath.Join(folder, "backups", "dragonfly", i[0], i[1], "dump-summary.dfs"))
	}
	for _, i := range instances {
		got, err := render(t, platform, i[0], i[1]).keeps(t, "")
		require.NoError(t, err)
		assert.Equal(t, "of "+i[0]+"/"+i[1], got)
	}

	// Without a prefix from the platform, and with the trailing slash that people write.
	bare := strings.Replace(platform, "s3://backups/dragonfly", "s3://backups/", 1)
	_, err := render(t, bare, "shop", "my-cache").keeps(t, "elsewhere")
	require.NoError(t, err)
	assert.FileExists(t, filepath.Join(folder, "backups", "shop", "my-cache", "dump-summary.dfs"))

	c := render(t, platform, "shop", "my-cache")
	for variable, refused := range map[string]struct{ value, says string }{
		"AWS_REGION":            {"us-east-1", "AuthorizationHeaderMalformed"}, // Dragonfly's default without a region
		"AWS_ACCESS_KEY_ID":     {"somebody", "No user exists with the provided access key ID"},
		"AWS_SECRET_ACCESS_KEY": {"another", "SignatureDoesNotMatch"},
	} {
		_, err := c.with(t, variable, refused.value).keeps(t, "")
		assert.ErrorContains(t, err, refused.says, variable)
	}
	overTLS := strings.Replace(platform, ", --s3_use_https=false", "", 1)
	_, err = render(t, overTLS, "shop", "my-cache").keeps(t, "")
	assert.ErrorContains(t, err, "server gave HTTP response to HTTPS client", "the flag must have an effect")
}
