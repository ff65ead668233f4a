// Package specs builds the objects of one instance. Its functions are pure: the objects depend only on the
// instance and the configuration.
//
// The immutable parts equal those of an instance that Crossplane made, so that our objects can be applied over live ones.
// The golden manifests in testdata/golden are API: a change to the pod template restarts every database and must be
// announced in the changelog.
package specs

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/instance"
)

// Metadata returns the metadata of an object of the instance.
func Metadata(inst instance.Instance, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Namespace: inst.Namespace, Name: name,
		Labels:      instance.Merged(inst.Config.Labels, inst.Labels, inst.OwnLabels()),
		Annotations: instance.Merged(inst.Config.Annotations, inst.Annotations, map[string]string{v1alpha1.GeneratedFrom: inst.String()}),
	}
}

// serviceSelector is narrower than the StatefulSet's selector, because applications may also have the label `app: my-cache`.
func serviceSelector(inst instance.Instance) map[string]string {
	return map[string]string{"app": inst.Name.Name, "app.kubernetes.io/name": "dragonfly"}
}
