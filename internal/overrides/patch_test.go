package overrides_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/config"
	"github.com/bizmatters/dragonfly-generator/internal/decode"
	"github.com/bizmatters/dragonfly-generator/internal/instance"
	"github.com/bizmatters/dragonfly-generator/internal/overrides"
)

// myCache returns the contract's example instance, with a password that something else provides.
func myCache(t *testing.T) instance.Instance {
	t.Helper()
	cfg, found := config.Default().For("")
	require.True(t, found)
	inst := instance.Instance{
		Name:   instance.Name{Namespace: "my-namespace", Name: "my-cache"},
		Claim:  v1alpha1.DragonflyInstanceSpec{StorageGB: new(int32(10))},
		Size:   cfg.Sizes["small"],
		Source: v1alpha1.External,
	}
	inst.Config = cfg.Filled(inst.Values(*cfg.ClusterDomain))
	return inst
}

// patched returns the pod of an instance after applying patches.
func patched(t *testing.T, changes ...string) corev1.PodSpec {
	t.Helper()
	inst := myCache(t)
	for _, change := range changes {
		n, err := yaml.Parse("spec: {template: {spec: {" + change + "}}}")
		require.NoError(t, err)
		inst.Config.StatefulSetPatches = append(inst.Config.StatefulSetPatches, config.Raw{JSON: decode.JSON(n.YNode(), decode.Options{})})
	}
	object, err := overrides.Patched(inst)
	require.NoError(t, err)
	set, is := object.(*appsv1.StatefulSet)
	require.True(t, is)
	return set.Spec.Template.Spec
}

func names[T any](elements []T, name func(T) string) []string {
	var all []string
	for _, element := range elements {
		all = append(all, name(element))
	}
	return all
}

func TestPatches(t *testing.T) {
	containers := func(pod corev1.PodSpec) []string {
		return names(pod.Containers, func(c corev1.Container) string { return c.Name })
	}
	assert.Equal(t, []string{"dragonfly", "a", "b"}, containers(patched(t, "containers: [{name: a}, {name: dragonfly, image: x}]", "containers: [{name: b}]")),
		"kubectl uses the first container, which is ours.")
	assert.Equal(t, []string{"b"}, containers(patched(t, "containers: [{$patch: replace}, {name: b}]")), "A list can be replaced.")
	assert.Equal(t, []string{"dragonfly"}, containers(patched(t, "containers: [{name: a}]", "containers: [{name: a, $patch: delete}]")), "A later patch removes what an earlier one added.")
	assert.Equal(t, []string{"tmp", "a"}, names(patched(t, "volumes: [{name: a, emptyDir: {}}]").Volumes, func(v corev1.Volume) string { return v.Name }),
		"New elements go after existing ones.")
	env := patched(t, `containers: [{name: dragonfly, env: [{name: B, value: "$(A)"}]}]`, "containers: [{name: dragonfly, env: [{name: A, value: a}]}]").Containers[0].Env
	assert.Equal(t, []string{"DFLY_requirepass", "B", "A"}, names(env, func(v corev1.EnvVar) string { return v.Name }), "A variable can refer to those before it.")
	assert.Nil(t, patched(t, "containers: [{name: dragonfly, readinessProbe: {$patch: delete}}]").Containers[0].ReadinessProbe, "A deleted field is gone, not an empty object.")
	assert.Equal(t, map[string]string{"a": "b"}, patched(t, "nodeSelector: {$patch: replace, a: b, c: null}").NodeSelector, "A null in a new object has no meaning.")
	assert.Empty(t, patched(t, "nodeSelector: null").NodeSelector, "A null removes a field.")
	assert.Equal(t, map[string]string{"a": "b"}, patched(t, "nodeSelector: {a: b}").NodeSelector, "A field that is only our default is replaced.")
	assert.EqualValues(t, 1000, *patched(t, "securityContext: {fsGroup: 1}").SecurityContext.RunAsUser, "One of our maps is merged.")
	probe := patched(t, "containers: [{name: dragonfly, readinessProbe: {httpGet: null, tcpSocket: {port: 6379}}}]").Containers[0].ReadinessProbe
	require.NotNil(t, probe.TCPSocket)
	assert.Nil(t, probe.HTTPGet, "One type of a probe is removed when set to null.")
	assert.EqualValues(t, 5, probe.TimeoutSeconds)
}

// Every patch that passes validation can be applied, because an error while applying it could not name its field.
func TestPatchesThatPassCanBeApplied(t *testing.T) {
	for _, change := range []string{
		"affinity: {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: a}]}}",
		"tolerations: []", "hostAliases: [{ip: 10.0.0.1, hostnames: [a]}]", "imagePullSecrets: [{name: a}, {name: b}]",
		"topologySpreadConstraints: [{topologyKey: a, maxSkew: 1, whenUnsatisfiable: DoNotSchedule}]",
		"volumes: [{name: none, $patch: delete}, {name: a, secret: {secretName: b, defaultMode: 0440, items: [{key: a, path: b}]}}]",
		"containers: [{name: dragonfly, resources: {limits: {hugepages-2Mi: 1Gi}}, lifecycle: {preStop: {sleep: {seconds: 5}}}}]",
		"securityContext: {$patch: replace, runAsUser: 1000, runAsNonRoot: null}", "securityContext: {$patch: delete}", "dnsConfig: {options: [{name: a, value: null}]}",
		"overhead: {cpu: 1}", "terminationGracePeriodSeconds: 30", "initContainers: [{name: a, image: a, env: [{name: A, value: b}]}]", "securityContext: {supplementalGroups: [1], sysctls: [{name: a, value: b}]}",
	} {
		require.Empty(t, problemsOf(t, inPod(change)), change)
		pod := patched(t, change)
		_, err := json.Marshal(pod)
		require.NoError(t, err)
	}
}
