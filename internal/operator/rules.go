package operator

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/internal/decode"
	"github.com/bizmatters/dragonfly-generator/internal/yamlnode"
)

// ManagesLabel reports whether the operator sets a label itself. If an object has one in spec.labels or in the labels of
// spec.podMetadata, spec.ownedObjectsMetadata or spec.serviceSpec, the operator creates nothing, and only says "failed to
// generate dragonfly resources" (since v1.6.0, in pull request 517, which reserves what it sets below app.kubernetes.io/, so
// the next release may reserve more of it).
func ManagesLabel(key string) bool {
	return key == "app" || strings.HasPrefix(key, "app.kubernetes.io/")
}

// TellsPodsApart reports whether the operator uses the label to find the master among the pods. A new pod that already had
// it would get clients before it had the data.
func TellsPodsApart(key string) bool { return key == "role" || key == "master-ip" }

// Selects reports whether a label selector finds the pods that the operator makes for an instance, or the master or the
// replicas among them. None selects nothing, and an empty one everything, as in policy/v1.
func Selects(selector *yaml.Node, name string) bool {
	if yamlnode.IsNull(selector) {
		return false
	}
	plain, err := yamlnode.Plain(selector)
	if err != nil {
		return false
	}
	var s metav1.LabelSelector
	if json.Unmarshal(decode.JSON(plain, decode.Options{IsText: func(string) bool { return true }}), &s) != nil {
		return false
	}
	selects, err := metav1.LabelSelectorAsSelector(&s)
	return err == nil && slices.ContainsFunc([]string{"master", "replica"}, func(role string) bool {
		return selects.Matches(labels.Set{
			"app": name, "app.kubernetes.io/name": "dragonfly", "app.kubernetes.io/instance": name,
			"app.kubernetes.io/component": "dragonfly", "app.kubernetes.io/part-of": "dragonfly", "app.kubernetes.io/managed-by": "dragonfly-operator",
			"role": role,
		})
	})
}

// newer are fields of Kubernetes types that the CRD lacks, because they are newer than the Kubernetes version that it was
// generated for. The API server drops them, or refuses them if it validates strictly.
var newer = map[reflect.Type][]string{
	reflect.TypeFor[corev1.ClusterTrustBundleProjection]():  {"user"},
	reflect.TypeFor[corev1.ConfigMapVolumeSource]():         {"defaultUser"},
	reflect.TypeFor[corev1.Container]():                     {"restartPolicyRules"},
	reflect.TypeFor[corev1.DownwardAPIVolumeFile]():         {"user"},
	reflect.TypeFor[corev1.DownwardAPIVolumeSource]():       {"defaultUser"},
	reflect.TypeFor[corev1.EmptyDirVolumeSource]():          {"mode"},
	reflect.TypeFor[corev1.EnvVarSource]():                  {"fileKeyRef"},
	reflect.TypeFor[corev1.GRPCAction]():                    {"mode"},
	reflect.TypeFor[corev1.HTTPGetAction]():                 {"protocol"},
	reflect.TypeFor[corev1.KeyToPath]():                     {"user"},
	reflect.TypeFor[corev1.Lifecycle]():                     {"stopSignal"},
	reflect.TypeFor[corev1.ProjectedVolumeSource]():         {"defaultUser"},
	reflect.TypeFor[corev1.SecretVolumeSource]():            {"defaultUser"},
	reflect.TypeFor[corev1.ServiceAccountTokenProjection](): {"user"},
	reflect.TypeFor[corev1.VolumeMount]():                   {"bindMountOptions"},
	reflect.TypeFor[corev1.VolumeProjection]():              {"podCertificate"},
}

// HasField reports whether the CRD has a field of a type of this package or of k8s.io/api, by its JSON name.
func HasField(of reflect.Type, name string) bool { return !slices.Contains(newer[of], name) }
