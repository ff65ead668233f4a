package specs_test

import (
	"bytes"
	"maps"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/config"
	"github.com/bizmatters/dragonfly-generator/internal/instance"
	"github.com/bizmatters/dragonfly-generator/internal/krm"
	"github.com/bizmatters/dragonfly-generator/internal/specs"
)

// myCache returns the contract's example instance, of size small, with a password that something else provides. The
// settings can be changed as a platform would.
func myCache(t *testing.T, settings ...func(*config.Spec)) instance.Instance {
	t.Helper()
	cfg, found := config.Default().For("")
	require.True(t, found)
	for _, set := range settings {
		set(&cfg)
	}
	inst := instance.Instance{
		Name:   instance.Name{Namespace: "my-namespace", Name: "my-cache"},
		Claim:  v1alpha1.DragonflyInstanceSpec{StorageGB: new(int32(10))},
		Size:   cfg.Sizes["small"],
		Source: v1alpha1.External,
	}
	inst.Config = cfg.Filled(inst.Values(*cfg.ClusterDomain))
	return inst
}

// withSecrets returns the instance with a password that its pod makes.
func withSecrets(inst instance.Instance) instance.Instance {
	inst.Source = v1alpha1.InCluster
	return inst
}

func byOperator(cfg *config.Spec) { cfg.Backend = new(v1alpha1.Operator) }

// withCertificate has cert-manager issue certificates.
func withCertificate(cfg *config.Spec) {
	cfg.TLS = &v1alpha1.TLS{IssuerRef: &v1alpha1.IssuerRef{Name: "internal"}}
	cfg.Default()
}

// ourLabels are on every object of my-cache and on its pod.
var ourLabels = map[string]string{
	"app":                          "my-cache",
	"app.kubernetes.io/name":       "dragonfly",
	"app.kubernetes.io/instance":   "my-cache",
	"app.kubernetes.io/component":  "database",
	"app.kubernetes.io/managed-by": "dragonfly-generator",
}

// objects returns the objects of an instance, by file.
func objects(t *testing.T, inst instance.Instance) map[string]metav1.Object {
	t.Helper()
	all := map[string]metav1.Object{}
	for _, o := range specs.Objects(inst) {
		if o.Typed != nil {
			object, is := o.Typed.(metav1.Object)
			require.True(t, is, "%s has metadata.", o.File)
			all[o.File] = object
		}
	}
	return all
}

// allObjects returns every object that an instance can have, by file, with the settings of the instance.
func allObjects(t *testing.T, change ...func(*instance.Instance)) map[string]metav1.Object {
	t.Helper()
	all := map[string]metav1.Object{}
	for _, inst := range []instance.Instance{myCache(t, withCertificate), myCache(t, withCertificate, byOperator)} {
		inst = withSecrets(inst)
		for _, f := range change {
			f(&inst)
		}
		maps.Copy(all, objects(t, inst))
	}
	require.Len(t, all, 9, "Every kind of object must be checked.")
	return all
}

func pod(inst instance.Instance) corev1.PodSpec { return specs.StatefulSet(inst).Spec.Template.Spec }

// secret returns one of the instance's Secrets, by file.
func secret(t *testing.T, inst instance.Instance, file string) *corev1.Secret {
	t.Helper()
	secret, found := objects(t, withSecrets(inst))[file].(*corev1.Secret)
	require.True(t, found, "The instance has a %s.", file)
	return secret
}

// toYAML returns the object as it is emitted.
func toYAML(t *testing.T, object any) string {
	t.Helper()
	n, err := krm.FromTyped(object)
	require.NoError(t, err)
	var out bytes.Buffer
	require.NoError(t, yaml.NewEncoder(&out).Encode(n))
	return out.String()
}

func TestObjects(t *testing.T) {
	const account, role, binding = "serviceaccount.yaml", "role.yaml", "rolebinding.yaml"
	const set, service, dragonfly = "statefulset.yaml", "service.yaml", "dragonfly.yaml"
	const password, connection, certificate = "secret-password.yaml", "secret-connection.yaml", "certificate.yaml"
	named := func(cfg *config.Spec) { cfg.ServiceAccount.Name = new("theirs") }
	annotated := func(cfg *config.Spec) { cfg.ServiceAccount.Annotations = map[string]string{"a": "b"} }
	for _, tc := range []struct {
		reason   string
		source   v1alpha1.PasswordSource
		settings []func(*config.Spec)
		want     []string
		reserved []string
	}{
		{"If something else provides both Secrets, the pod has nothing to do.", v1alpha1.External, nil, []string{set, service}, []string{dragonfly}},
		{"A pod that makes the password has an account, and both Secrets.", v1alpha1.InCluster, nil, []string{account, role, binding, set, service, password, connection}, []string{dragonfly}},
		{"A password Secret that exists is not ours.", v1alpha1.Existing, nil, []string{account, role, binding, set, service, connection}, []string{dragonfly}},
		{"The operator makes the StatefulSet and the Service, so nothing else may have their names.", v1alpha1.InCluster, []func(*config.Spec){byOperator}, []string{account, role, binding, dragonfly, password, connection}, []string{set, service}},
		{"The platform's own account already has the rights.", v1alpha1.InCluster, []func(*config.Spec){named}, []string{set, service, password, connection}, []string{dragonfly}},
		{"A cloud identity needs an account, even if the pod makes no password.", v1alpha1.External, []func(*config.Spec){annotated}, []string{account, set, service}, []string{dragonfly}},
		{"cert-manager is asked for the certificate.", v1alpha1.External, []func(*config.Spec){withCertificate}, []string{set, service, certificate}, []string{dragonfly}},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			inst := myCache(t, tc.settings...)
			inst.Source = tc.source
			var has, reserved []string
			for _, o := range specs.Objects(inst) {
				assert.Equal(t, "my-namespace", o.Namespace)
				assert.Equal(t, o.Name, o.NameFor("my-cache"), "The name derived from the claim's must be the object's.")
				if o.Typed == nil {
					reserved = append(reserved, o.File)
					continue
				}
				has = append(has, o.File)
				n, err := krm.FromTyped(o.Typed)
				require.NoError(t, err)
				assert.Equal(t, o.ID, krm.NewItem(n).ID, "The object must have the announced kind.")
			}
			assert.Equal(t, tc.want, has)
			assert.Equal(t, tc.reserved, reserved)
		})
	}
}

func TestMetadata(t *testing.T) {
	names := map[string]string{"secret-password.yaml": "my-cache-password", "secret-connection.yaml": "my-cache-conn"}
	for what, object := range allObjects(t) {
		name := names[what]
		if name == "" {
			name = "my-cache"
		}
		assert.Equal(t, name, object.GetName(), "Applications refer to the object in %s by name.", what)
		assert.Equal(t, "my-namespace", object.GetNamespace(), "The object in %s must be in the claim's namespace.", what)
		assert.Equal(t, ourLabels, object.GetLabels(), "The object in %s carries our labels and, if the claim has none, no others.", what)
		assert.Equal(t, map[string]string{"database.bizmatters.io/generated-from": "my-namespace/my-cache"},
			object.GetAnnotations(), "The object in %s carries the mark and, if the claim has no annotations, no others.", what)
	}
}

func TestMetadataOfTheClaim(t *testing.T) {
	theirs := map[string]string{"team": "a", "app": "theirs", "app.kubernetes.io/managed-by": "theirs"}
	asClaimed := func(inst *instance.Instance) {
		inst.Labels = theirs
		inst.Annotations = map[string]string{
			"argocd.argoproj.io/sync-wave":          "-1",
			"database.bizmatters.io/generated-from": "other/claim",
		}
	}
	for what, object := range allObjects(t, asClaimed) {
		assert.Equal(t, "a", object.GetLabels()["team"], "The claim's label goes to %s.", what)
		assert.Equal(t, "my-cache", object.GetLabels()["app"], "Our label wins in %s.", what)
		assert.Equal(t, "dragonfly-generator", object.GetLabels()["app.kubernetes.io/managed-by"], "Our label wins in %s.", what)
		assert.Equal(t, "-1", object.GetAnnotations()["argocd.argoproj.io/sync-wave"], "The claim's annotation goes to %s.", what)
		assert.Equal(t, "my-namespace/my-cache", object.GetAnnotations()["database.bizmatters.io/generated-from"], "The claim can never set the mark in %s.", what)
	}
	assert.Equal(t, map[string]string{"team": "a", "app": "theirs", "app.kubernetes.io/managed-by": "theirs"}, theirs,
		"The instance's own labels stay as they are.")

	plain, labeled := myCache(t), myCache(t)
	asClaimed(&labeled)
	assert.Equal(t, specs.StatefulSet(plain).Spec, specs.StatefulSet(labeled).Spec,
		"The claim's metadata must not restart a database or put its pod behind another Service.")
	assert.Equal(t, specs.Service(plain).Spec, specs.Service(labeled).Spec, "The claim must not change the Service's selector.")
}

func TestRotation(t *testing.T) {
	const rotation = "database.bizmatters.io/password-rotation"
	rotated := func(inst *instance.Instance) { inst.Rotation = "2" }
	for what, object := range allObjects(t, rotated) {
		assert.Empty(t, object.GetAnnotations()[rotation], "The pod records the rotation once it is done; this is %s.", what)
	}
	inst := myCache(t)
	assert.Nil(t, specs.StatefulSet(inst).Spec.Template.Annotations, "Without a rotation the pod has no annotation.")
	rotated(&inst)
	template := specs.StatefulSet(inst).Spec.Template
	assert.Equal(t, map[string]string{rotation: "2"}, template.Annotations, "A new password restarts the pod.")
	assert.Equal(t, ourLabels, template.Labels, "A rotation does not change labels.")
}
