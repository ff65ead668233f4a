//go:build e2e

package e2e

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/internal/testkit"
)

// The plugin's sidecar, set up as the kustomization says, renders an overlay, and needs no secret.
func TestArgoCDPlugin(t *testing.T) {
	buildImage(t)
	for name, manifests := range argoCDs(t, "plugin") {
		t.Run(name, func(t *testing.T) {
			pod := newRepoServer(t, manifests)
			require.Equal(t, "argocd-repo-server", pod.spec.Containers[0].Name, "the repo-server must stay the pod's first container")
			sidecar := pod.container(t, "dragonfly-generator")
			assert.Empty(t, sidecar.Env)
			assert.Empty(t, sidecar.EnvFrom)
			assert.Equal(t, pod.spec.Containers[0].Image, sidecar.Image, "the sidecar must have the repo-server's version")
			assert.Equal(t, []string{"/var/run/argocd/argocd-cmp-server"}, sidecar.Command)
			assert.EqualValues(t, 999, *sidecar.SecurityContext.RunAsUser)
			assert.NotEqual(t, pod.volumeAt(pod.spec.Containers[0], "/tmp"), pod.volumeAt(sidecar, "/tmp"), "the two may not share their temporary files")
			const sockets = "/home/argocd/cmp-server/plugins"
			assert.Equal(t, pod.volumeAt(pod.spec.Containers[0], sockets), pod.volumeAt(sidecar, sockets), "the two talk to each other there")
			assert.Equal(t, pod.volumeAt(pod.initContainer(t, "copyutil"), "/var/run/argocd"), pod.volumeAt(sidecar, "/var/run/argocd"), "the plugin server is copied there")

			pod.install(t)
			plugin := readPlugin(t, pod.file(t, sidecar, "/home/argocd/cmp-server/config/plugin.yaml"))
			generate := slices.Concat(plugin.Spec.Generate.Command, plugin.Spec.Generate.Args)
			application, err := os.ReadFile("../../examples/argocd/plugin/application.yaml")
			require.NoError(t, err)
			assert.Contains(t, string(application), "\n    plugin:\n      name: "+plugin.Metadata.Name+"\n")
			assert.Contains(t, string(application), "\n    path: examples/argocd/shop/prod\n", "the tests must render what the Application names")

			app := pod.checkout(t, sidecar, "_cmp_server/shop", tree(t, "../../examples/argocd/shop"))
			first := pod.run(t, sidecar, path.Join(app, "prod"), generate)
			require.False(t, first.failed, first.stderr)
			second := pod.run(t, sidecar, path.Join(app, "prod"), generate)
			assert.True(t, first.stdout == second.stdout, "two renders must give the same bytes")
			testkit.SameFile(t, "../../examples/argocd/shop/prod/expected.yaml", first.stdout, *update)

			t.Run("half an application must not pass", func(t *testing.T) {
				half := pod.replace(t, "kustomize", "printf '%s' '"+claim+"'\nexit 1\n")
				r := pod.run(t, sidecar, path.Join(app, "prod"), generate, half...)
				assert.True(t, r.failed, "if kustomize fails, so must the plugin")
				assert.Contains(t, r.stdout, "kind: StatefulSet", "or this test proves nothing")
			})
			t.Run("a claim that is wrong", func(t *testing.T) {
				wrong := tree(t, "../../examples/argocd/shop")
				wrong["base/claim.yaml"] += "  sise: large\n"
				r := pod.run(t, sidecar, path.Join(pod.checkout(t, sidecar, "_cmp_server/wrong", wrong), "prod"), generate)
				assert.True(t, r.failed)
				assert.Empty(t, r.stdout)
				assert.Contains(t, r.stderr, `did you mean "size"?`)
			})
			t.Run("a claim that got lost", func(t *testing.T) {
				lost := tree(t, "../../examples/argocd/shop")
				lost["base/claim.yaml"] = strings.Replace(lost["base/claim.yaml"], "metadata:\n", "metadata:\n  annotations: {config.kubernetes.io/local-config: \"true\"}\n", 1)
				r := pod.run(t, sidecar, path.Join(pod.checkout(t, sidecar, "_cmp_server/lost", lost), "prod"), generate)
				assert.True(t, r.failed, "or Argo CD would prune the instance")
				assert.Empty(t, r.stdout)
			})
			t.Run("a repository that wants to know more", func(t *testing.T) {
				r := pod.run(t, sidecar, pod.checkout(t, sidecar, "_cmp_server/thief", thief), generate)
				assert.True(t, r.failed, "the plugin must not run the repository's functions")
				assert.NotContains(t, r.stdout+r.stderr, redisPassword)
			})
		})
	}
}

// pluginConfig is the part of Argo CD's plugin.yaml that the example uses.
type pluginConfig struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Metadata   struct {
		Name string `json:"name"`
	} `json:"metadata"`
	Spec struct {
		Generate struct {
			Command []string `json:"command"`
			Args    []string `json:"args"`
		} `json:"generate"`
	} `json:"spec"`
}

func readPlugin(t *testing.T, file string) pluginConfig {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	var plugin pluginConfig
	decodeObject(t, string(text), &plugin)
	require.Equal(t, "ConfigManagementPlugin", plugin.Kind)
	require.NotEmpty(t, plugin.Spec.Generate.Command)
	return plugin
}

// decodeObject decodes an object by the JSON names of its type, which must have all its fields.
func decodeObject(t *testing.T, text string, into any) {
	t.Helper()
	object, err := yaml.Parse(text)
	require.NoError(t, err)
	encoded, err := object.MarshalJSON()
	require.NoError(t, err)
	decoder := json.NewDecoder(bytes.NewReader(encoded))
	decoder.DisallowUnknownFields()
	require.NoError(t, decoder.Decode(into))
}

// The repo-server with the function in it renders an overlay, and exposes its environment to every repository.
func TestArgoCDExec(t *testing.T) {
	buildImage(t)
	for name, manifests := range argoCDs(t, "exec") {
		t.Run(name, func(t *testing.T) {
			pod := newRepoServer(t, manifests)
			server := pod.container(t, "argocd-repo-server")
			require.Len(t, pod.spec.Containers, 1)
			options := strings.Fields(pod.configMaps["argocd-cm"]["kustomize.buildOptions"])
			kustomize := slices.Concat([]string{"kustomize", "build"}, options, []string{"."})

			pod.install(t)
			app := pod.checkout(t, server, "_argocd-repo/shop", tree(t, "../../examples/overlays"))
			first := pod.run(t, server, path.Join(app, "prod"), kustomize)
			require.False(t, first.failed, first.stderr)
			second := pod.run(t, server, path.Join(app, "prod"), kustomize)
			assert.True(t, first.stdout == second.stdout, "two renders must give the same bytes")
			testkit.SameFile(t, "../../examples/overlays/prod/expected.yaml", first.stdout, false)

			// This is why the example is for a single tenant only. If this fails, its README is wrong.
			r := pod.run(t, server, pod.checkout(t, server, "_argocd-repo/thief", thief), kustomize)
			require.False(t, r.failed, r.stderr)
			assert.Equal(t, redisPassword, parse(t, r.stdout)["ConfigMap stolen"].GetDataMap()["password"])
		})
	}
}

// thief is a repository with its own function, which writes the password of Argo CD's Redis into a ConfigMap.
var thief = map[string]string{
	"kustomization.yaml": "resources: []\ntransformers: [steal.yaml]\n",
	"steal.yaml":         "apiVersion: example.com/v1\nkind: Steal\nmetadata:\n  name: steal\n  annotations:\n    config.kubernetes.io/function: |\n      exec: {path: ./steal.sh}\n",
	"steal.sh": "#!/bin/bash\nprintf 'apiVersion: config.kubernetes.io/v1\\nkind: ResourceList\\nitems:\\n" +
		"- {apiVersion: v1, kind: ConfigMap, metadata: {name: stolen}, data: {password: \"%s\"}}\\n' \"$REDIS_PASSWORD\"\n",
}

const (
	// redisPassword stands in for the value of the Secret that the repo-server has in its environment.
	redisPassword = "the password of Argo CD's Redis"
	// argoCD is the version that the examples name.
	argoCD = "v3.5.7"
)

var argoCDBase = regexp.MustCompile(`(?m)^- \.\./argo-cd # in your repository: https://github\.com/argoproj/argo-cd//(\S+)\?ref=(\S+)$`)

// argoCDs builds an example unchanged, over the stand-in, and over the Argo CD manifests that the example names, which
// are in Argo CD's Go module.
func argoCDs(t *testing.T, example string) map[string]string {
	t.Helper()
	files := tree(t, "../../examples/argocd")
	kustomization := path.Join(example, "kustomization.yaml")
	base := argoCDBase.FindStringSubmatch(files[kustomization])
	require.NotNil(t, base)
	require.Equal(t, argoCD, base[2])
	for name, text := range tree(t, filepath.Join(testkit.ModuleFolder(t, t.TempDir(), "github.com/argoproj/argo-cd/v3@"+argoCD), "manifests")) {
		files[path.Join("upstream/manifests", name)] = text
	}
	files[kustomization] = strings.Replace(files[kustomization], "../argo-cd ", "../upstream/"+base[1]+" ", 1)
	return map[string]string{
		"unchanged":                succeeds(t, "../../examples/argocd", nil, "kustomize", "build", example),
		"on Argo CD's own objects": succeeds(t, write(t, files), nil, "kustomize", "build", example),
	}
}

// repoServer is the pod of Argo CD's repo-server, run by Docker as a kubelet would, one container after another.
type repoServer struct {
	spec       corev1.PodSpec
	configMaps map[string]map[string]string
	volumes    string // contains a folder for each volume
}

func newRepoServer(t *testing.T, manifests string) *repoServer {
	t.Helper()
	pod := &repoServer{configMaps: map[string]map[string]string{}, volumes: t.TempDir()}
	for document := range strings.SplitSeq(manifests, "\n---\n") {
		object, err := yaml.Parse(document)
		require.NoError(t, err)
		switch object.GetKind() + " " + object.GetName() {
		case "Deployment argocd-repo-server":
			var deployment appsv1.Deployment
			decodeObject(t, document, &deployment)
			pod.spec = deployment.Spec.Template.Spec
		default:
			if object.GetKind() == "ConfigMap" {
				pod.configMaps[object.GetName()] = object.GetDataMap()
			}
		}
	}
	require.NotEmpty(t, pod.spec.Containers)
	for _, volume := range pod.spec.Volumes {
		dir := filepath.Join(pod.volumes, volume.Name)
		require.NoError(t, os.Mkdir(dir, 0o755))
		switch {
		case volume.EmptyDir != nil:
			require.NoError(t, os.Chmod(dir, 0o777))
		case volume.ConfigMap != nil:
			data, found := pod.configMaps[volume.ConfigMap.Name]
			require.True(t, found, "there is no ConfigMap %s", volume.ConfigMap.Name)
			readable(t, dir, data)
		}
	}
	return pod
}

// readable writes files that any user can read and run.
func readable(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	writeTo(t, dir, files)
	succeeds(t, dir, nil, "chmod", "-R", "a+rX,u+x,a+x", ".")
}

func (p *repoServer) container(t *testing.T, name string) corev1.Container {
	t.Helper()
	return named(t, p.spec.Containers, name)
}

func (p *repoServer) initContainer(t *testing.T, name string) corev1.Container {
	t.Helper()
	return named(t, p.spec.InitContainers, name)
}

func named(t *testing.T, containers []corev1.Container, name string) corev1.Container {
	t.Helper()
	i := slices.IndexFunc(containers, func(container corev1.Container) bool { return container.Name == name })
	require.GreaterOrEqual(t, i, 0, "there is no container %s", name)
	return containers[i]
}

// volumeAt returns the name of the volume that a container mounts at a path.
func (p *repoServer) volumeAt(container corev1.Container, mountPath string) string {
	for _, mount := range container.VolumeMounts {
		if mount.MountPath == mountPath {
			return mount.Name
		}
	}
	return ""
}

// file returns the path on this machine of a file in a container.
func (p *repoServer) file(t *testing.T, container corev1.Container, file string) string {
	t.Helper()
	volume := p.volumeAt(container, path.Dir(file))
	require.NotEmpty(t, volume, "nothing is mounted at %s", path.Dir(file))
	return filepath.Join(p.volumes, volume, path.Base(file))
}

// checkout puts a repository where Argo CD does, in the container's /tmp, and returns its path there.
func (p *repoServer) checkout(t *testing.T, container corev1.Container, dir string, files map[string]string) string {
	t.Helper()
	volume := p.volumeAt(container, "/tmp")
	require.NotEmpty(t, volume)
	readable(t, filepath.Join(p.volumes, volume, dir), files)
	succeeds(t, p.volumes, nil, "chmod", "-R", "a+rX", filepath.Join(volume, path.Dir(dir)))
	return path.Join("/tmp", dir)
}

// replace returns the arguments that replace a program in the image with a script.
func (p *repoServer) replace(t *testing.T, program, script string) []string {
	t.Helper()
	readable(t, p.volumes, map[string]string{"instead-of-" + program: "#!/bin/bash\n" + script})
	return []string{"-v", filepath.Join(p.volumes, "instead-of-"+program) + ":/usr/local/bin/" + program + ":ro"}
}

// install runs the init container that installs the program.
func (p *repoServer) install(t *testing.T) {
	t.Helper()
	r := p.run(t, p.initContainer(t, "dragonfly-generator-install"), "", nil)
	require.False(t, r.failed, r.stderr)
}

// run runs a container, with another command if one is given.
func (p *repoServer) run(t *testing.T, container corev1.Container, dir string, instead []string, more ...string) result {
	t.Helper()
	args := []string{"run", "--rm", "--network", "none"}
	restrictions := container.SecurityContext
	require.NotNil(t, restrictions)
	require.True(t, *restrictions.RunAsNonRoot)
	require.False(t, *restrictions.AllowPrivilegeEscalation)
	require.True(t, *restrictions.ReadOnlyRootFilesystem)
	require.Equal(t, []corev1.Capability{"ALL"}, restrictions.Capabilities.Drop)
	require.Equal(t, corev1.SeccompProfileTypeRuntimeDefault, restrictions.SeccompProfile.Type)
	args = append(args, "--security-opt", "no-new-privileges", "--read-only", "--cap-drop", "ALL")
	if restrictions.RunAsUser != nil {
		args = append(args, "--user", fmt.Sprint(*restrictions.RunAsUser))
	}
	for _, variable := range container.Env {
		switch {
		case variable.ValueFrom == nil:
			args = append(args, "-e", variable.Name+"="+variable.Value)
		case variable.ValueFrom.SecretKeyRef != nil && variable.Name == "REDIS_PASSWORD":
			args = append(args, "-e", variable.Name+"="+redisPassword)
		}
	}
	for _, mount := range container.VolumeMounts {
		source := filepath.Join(p.volumes, mount.Name, mount.SubPath)
		_, err := os.Stat(source)
		require.NoError(t, err, "otherwise, Docker would create a folder")
		args = append(args, "-v", source+":"+mount.MountPath)
	}
	if dir != "" {
		args = append(args, "--workdir", dir)
	}
	args = append(args, more...)
	img := container.Image
	if img != image {
		require.Regexp(t, `^quay\.io/argoproj/argocd:`, img)
		img = standInArgoCD(t)
	}
	if instead == nil {
		require.Empty(t, container.Command)
		return command(t, ".", nil, "docker", slices.Concat(args, []string{img}, container.Args)...)
	}
	return command(t, ".", nil, "docker", slices.Concat(args, []string{"--entrypoint", instead[0], img}, instead[1:])...)
}

var standInOnce sync.Once

// standInArgoCD imports an image with what the examples use from Argo CD's: bash, env, kustomize and the user 999.
func standInArgoCD(t *testing.T) string {
	t.Helper()
	const name = "dragonfly-generator-e2e-argocd"
	standInOnce.Do(func() {
		root := t.TempDir()
		writeTo(t, root, map[string]string{"passwd": "root:x:0:0::/root:/bin/bash\nargocd:x:999:999::/home/argocd:/bin/bash\n"})
		require.NoError(t, os.Chmod(filepath.Join(root, "passwd"), 0o644))
		files := map[string]string{filepath.Join(root, "passwd"): "etc/passwd"}
		for program, place := range map[string]string{"bash": "bin/bash", "env": "usr/bin/env", "kustomize": "usr/local/bin/kustomize"} {
			file, err := exec.LookPath(program)
			require.NoError(t, err)
			files[file] = place
			for _, needed := range library.FindAllString(command(t, ".", nil, "ldd", file).stdout, -1) { // fails for a static program
				files[needed] = strings.TrimPrefix(needed, "/")
			}
		}
		importImage(t, name, []string{"-c", "ENV PATH=/usr/local/bin:/usr/bin:/bin", "-c", "USER 999"}, func(archive *tar.Writer) {
			for file, place := range files {
				addTree(t, archive, file, place)
			}
		})
	})
	succeeds(t, ".", nil, "docker", "image", "inspect", name) // an earlier test may have failed to import it
	return name
}
