package overrides

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	kjson "sigs.k8s.io/json"

	"github.com/bizmatters/dragonfly-generator/internal/instance"
	"github.com/bizmatters/dragonfly-generator/internal/operator"
	"github.com/bizmatters/dragonfly-generator/internal/specs"
)

// errPatch reports a patch that cannot be merged. The library's own error may quote the patch.
var errPatch = errors.New("cannot be merged into the object; give each element of a list that is merged its key (name, mountPath, containerPort), and write `$patch: replace` as an element of its own")

// apply returns the object with a strategic merge patch applied, as `kubectl patch` would.
func apply[T any](object *T, patch json.RawMessage) (*T, error) {
	var change map[string]any
	if kjson.UnmarshalCaseSensitivePreserveInts(patch, &change) != nil {
		return nil, errPatch
	}
	return merge(object, change)
}

func merge[T any](object *T, patch map[string]any) (*T, error) {
	normalize(patch, false)
	text, err := json.Marshal(object)
	var fields map[string]any
	if err != nil || kjson.UnmarshalCaseSensitivePreserveInts(text, &fields) != nil {
		return nil, errPatch
	}
	join(patch, fields)
	if fields, err = strategicpatch.StrategicMergeMapPatch(fields, patch, *object); err == nil {
		text, err = json.Marshal(fields)
	}
	result := new(T)
	// In a list that is not merged, $patch is not a directive.
	if err != nil || bytes.Contains(text, []byte(`"$patch":`)) || json.Unmarshal(text, result) != nil {
		return nil, errPatch
	}
	return result, nil
}

// normalize changes the patch so that the library does what its author means: a deleted object is gone rather than empty, and
// a null in a new object has no effect.
func normalize(patch any, isNew bool) {
	switch patch := patch.(type) {
	case []any:
		for _, element := range patch {
			normalize(element, isNew)
		}
	case map[string]any:
		isNew = isNew || patch["$patch"] == "replace"
		for key, value := range patch {
			object, isObject := value.(map[string]any)
			switch {
			case isNew && value == nil:
				delete(patch, key)
			case isObject && object["$patch"] == "delete":
				patch[key] = nil
			case isObject && key == "nodeSelector": // ours is a default
				normalize(object, true)
				object["$patch"] = "replace"
			default:
				normalize(value, isNew)
			}
		}
	}
}

// join adds to the strings in a patch the parts of the object's strings that a patch must not remove; see instance.Joined.
func join(patch, object map[string]any) {
	for key, value := range patch {
		switch was := object[key].(type) {
		case string:
			if text, ok := value.(string); ok {
				patch[key] = instance.Joined(key, was, text)
			}
		case map[string]any:
			if fields, ok := value.(map[string]any); ok {
				join(fields, was)
			}
		}
	}
}

// patchStatefulSet also merges the claim templates by name. The API has no merge key for them, so a patch of one of their
// fields would replace the volume. Elements that a patch adds to a list go after the existing ones: kubectl uses the first
// container by default, and a variable can only refer to earlier ones.
func patchStatefulSet(set *appsv1.StatefulSet, patch json.RawMessage) (*appsv1.StatefulSet, error) {
	var change map[string]any
	if kjson.UnmarshalCaseSensitivePreserveInts(patch, &change) != nil {
		return nil, errPatch
	}
	claims := set.Spec.VolumeClaimTemplates
	if spec, ok := change["spec"].(map[string]any); ok {
		if changes, found := spec["volumeClaimTemplates"]; found {
			var err error
			if claims, err = patchClaimTemplates(claims, changes); err != nil {
				return nil, err
			}
			delete(spec, "volumeClaimTemplates")
		}
	}
	patched, err := merge(set, change)
	if err != nil {
		return nil, err
	}
	patched.Spec.VolumeClaimTemplates = claims
	before, after := set.Spec.Template.Spec, &patched.Spec.Template.Spec
	after.Containers = oldFirst(before.Containers, after.Containers)
	after.InitContainers = withoutAbsent(oldFirst(before.InitContainers, after.InitContainers))
	after.Volumes = inOrder(before.Volumes, after.Volumes, volumeName)
	return patched, nil
}

// patchDragonfly is apply for the operator's object.
func patchDragonfly(object *operator.Dragonfly, patch json.RawMessage) (*operator.Dragonfly, error) {
	patched, err := apply(object, patch)
	if err == nil {
		patched.Spec.InitContainers = withoutAbsent(oldFirst(object.Spec.InitContainers, patched.Spec.InitContainers))
	}
	return patched, err
}

// withoutAbsent drops our own containers without an image: what a patch of such a container leaves in an instance that does
// not have it. A patch is for every instance of a configuration, whatever its password source.
func withoutAbsent(initContainers []corev1.Container) []corev1.Container {
	return slices.DeleteFunc(initContainers, func(c corev1.Container) bool {
		return c.Image == "" && (c.Name == specs.PrepareContainer || c.Name == specs.CertificateContainer)
	})
}

// patchClaimTemplates merges a list of changes. Anything else, such as a null, removes all templates.
func patchClaimTemplates(ours []corev1.PersistentVolumeClaim, changes any) ([]corev1.PersistentVolumeClaim, error) {
	list, ok := changes.([]any)
	if !ok {
		return nil, nil
	}
	claims := slices.Clone(ours)
	for _, change := range list {
		patch, ok := change.(map[string]any)
		if !ok {
			return nil, errPatch
		}
		name, _, _ := unstructured.NestedString(patch, "metadata", "name")
		at := slices.IndexFunc(claims, func(claim corev1.PersistentVolumeClaim) bool { return claim.Name == name })
		if at < 0 {
			at = len(claims)
			claims = append(claims, corev1.PersistentVolumeClaim{})
		}
		claim, err := merge(&claims[at], patch)
		if err != nil {
			return nil, err
		}
		claims[at] = *claim
	}
	return claims, nil
}

func oldFirst(before, after []corev1.Container) []corev1.Container {
	after = inOrder(before, after, containerName)
	for i := range after {
		for _, old := range before {
			if old.Name == after[i].Name {
				after[i].Env = inOrder(old.Env, after[i].Env, func(v corev1.EnvVar) string { return v.Name })
				after[i].VolumeMounts = inOrder(old.VolumeMounts, after[i].VolumeMounts, func(m corev1.VolumeMount) string { return m.MountPath })
			}
		}
	}
	return after
}

// inOrder puts the previous elements first, in their previous order.
func inOrder[T any](before, after []T, key func(T) string) []T {
	position := make(map[string]int, len(before))
	for i, element := range before {
		position[key(element)] = i + 1
	}
	slices.SortStableFunc(after, func(a, b T) int {
		left, right := position[key(a)], position[key(b)]
		if left == 0 || right == 0 { // a new one
			return right - left
		}
		return left - right
	})
	return after
}
