package specs_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/config"
	"github.com/bizmatters/dragonfly-generator/internal/instance"
	"github.com/bizmatters/dragonfly-generator/internal/specs"
)

// myCache returns the instance of the contract, of the size small, with a password that something else brings.
func myCache(t *testing.T) instance.Instance {
	t.Helper()
	return instance.Instance{
		Name:      instance.Name{Namespace: "my-namespace", Name: "my-cache"},
		Size:      instance.DefaultSizes()["small"],
		StorageGB: 10,
		Source:    v1alpha1.External,
	}
}

// ourLabels are on every object of my-cache, and on its pod.
var ourLabels = map[string]string{
	"app":                          "my-cache",
	"app.kubernetes.io/name":       "dragonfly",
	"app.kubernetes.io/instance":   "my-cache",
	"app.kubernetes.io/component":  "database",
	"app.kubernetes.io/managed-by": "dragonfly-generator",
}

// objects returns all that is built for the instance, by what it is.
func objects(t *testing.T, inst instance.Instance) map[string]metav1.Object {
	return map[string]metav1.Object{
		"StatefulSet":       statefulSet(t, inst, config.Default()),
		"Service":           service(t, inst),
		"password Secret":   specs.PasswordSecret(inst, config.Default()),
		"connection Secret": specs.ConnectionSecret(inst, config.Default()),
	}
}

func statefulSet(t *testing.T, inst instance.Instance, cfg config.Config) *appsv1.StatefulSet {
	t.Helper()
	set, err := specs.StatefulSet(inst, cfg)
	require.NoError(t, err)
	return set
}

func service(t *testing.T, inst instance.Instance) *corev1.Service {
	t.Helper()
	service, err := specs.Service(inst, config.Default())
	require.NoError(t, err)
	return service
}

// toYAML returns the object as it is emitted.
func toYAML(t *testing.T, object any) string {
	t.Helper()
	n, err := specs.Node(object)
	require.NoError(t, err)
	var out bytes.Buffer
	require.NoError(t, yaml.NewEncoder(&out).Encode(n))
	return out.String()
}

func TestMetadata(t *testing.T) {
	names := map[string]string{
		"StatefulSet": "my-cache", "Service": "my-cache",
		"password Secret": "my-cache-password", "connection Secret": "my-cache-conn",
	}
	for what, object := range objects(t, myCache(t)) {
		assert.Equal(t, names[what], object.GetName(), "Applications refer to the %s by its name.", what)
		assert.Equal(t, "my-namespace", object.GetNamespace(), "The %s stands beside the claim.", what)
		assert.Equal(t, ourLabels, object.GetLabels(), "The %s carries our labels, and without the claim's no other.", what)
		assert.Equal(t, map[string]string{"database.bizmatters.io/generated-from": "my-namespace/my-cache"},
			object.GetAnnotations(), "The %s carries the mark, and without the claim's no other annotation.", what)
	}
}

func TestMetadataOfTheClaim(t *testing.T) {
	inst := myCache(t)
	inst.Labels = map[string]string{"team": "a", "app": "theirs", "app.kubernetes.io/managed-by": "theirs"}
	inst.Annotations = map[string]string{
		"argocd.argoproj.io/sync-wave":          "-1",
		"database.bizmatters.io/generated-from": "other/claim",
	}
	for what, object := range objects(t, inst) {
		assert.Equal(t, "a", object.GetLabels()["team"], "The claim's label goes to the %s.", what)
		assert.Equal(t, "my-cache", object.GetLabels()["app"], "Our label wins on the %s.", what)
		assert.Equal(t, "dragonfly-generator", object.GetLabels()["app.kubernetes.io/managed-by"], "Our label wins on the %s.", what)
		assert.Equal(t, "-1", object.GetAnnotations()["argocd.argoproj.io/sync-wave"], "The claim's annotation goes to the %s.", what)
		assert.Equal(t, "my-namespace/my-cache", object.GetAnnotations()["database.bizmatters.io/generated-from"], "The mark on the %s is never the claim's to set.", what)
	}
	assert.Equal(t, map[string]string{"team": "a", "app": "theirs", "app.kubernetes.io/managed-by": "theirs"}, inst.Labels,
		"The instance's own labels stay as they are.")

	plain := statefulSet(t, myCache(t), config.Default())
	labelled := statefulSet(t, inst, config.Default())
	assert.Equal(t, plain.Spec, labelled.Spec,
		"What stands in the claim's metadata must not restart a database, nor put its pod behind another's Service.")
	assert.Equal(t, service(t, myCache(t)).Spec, service(t, inst).Spec, "The selector is the Service's own.")
}

func TestRotation(t *testing.T) {
	const rotation = "database.bizmatters.io/password-rotation"
	inst := myCache(t)
	inst.Rotation = "2"

	for what, object := range objects(t, inst) {
		assert.Empty(t, object.GetAnnotations()[rotation], "The pod records the rotation once it is done; this is the %s.", what)
	}
	template := statefulSet(t, inst, config.Default()).Spec.Template
	assert.Equal(t, map[string]string{rotation: "2"}, template.Annotations, "A new password restarts the pod.")
	assert.Equal(t, ourLabels, template.Labels, "A rotation changes no label.")
	assert.Nil(t, statefulSet(t, myCache(t), config.Default()).Spec.Template.Annotations, "Without a rotation the pod has no annotation.")
}
