// Package specs builds the objects of one instance. Its functions are pure: the objects depend only on the
// instance and the configuration.
//
// The immutable parts equal those of an instance that Crossplane made, so that ours can be applied over a
// live one. The golden manifests in testdata/golden are API: a change of the pod template restarts every
// database and must be announced in the changelog.
package specs

import (
	"maps"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/instance"
)

// Metadata returns the metadata of an object of the instance. The pods have the instance's own labels only: an
// edited label must not restart a database, nor put a pod behind another instance's Service.
func Metadata(inst instance.Instance, name string) metav1.ObjectMeta {
	labels := map[string]string{}
	maps.Copy(labels, inst.Config.Labels)
	maps.Copy(labels, inst.Labels)
	maps.Copy(labels, inst.OwnLabels()) // ours win

	annotations := map[string]string{}
	maps.Copy(annotations, inst.Config.Annotations)
	maps.Copy(annotations, inst.Annotations)
	annotations[v1alpha1.GeneratedFrom] = inst.String()

	return metav1.ObjectMeta{Namespace: inst.Namespace, Name: name, Labels: labels, Annotations: annotations}
}

// serviceSelector is narrower than the pods' selector: applications like to be called `app: my-cache` too.
func serviceSelector(inst instance.Instance) map[string]string {
	own := inst.OwnLabels()
	return map[string]string{"app": own["app"], nameLabel: own[nameLabel]}
}

// nameLabel says what an object belongs to: Dragonfly.
const nameLabel = "app.kubernetes.io/name"

// selector is immutable on a live StatefulSet.
func selector(inst instance.Instance) map[string]string {
	return map[string]string{"app": inst.Name.Name}
}
