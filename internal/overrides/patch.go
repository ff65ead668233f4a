package overrides

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/internal/yamlnode"
)

// errPatch reports a patch that cannot be merged. The library's own error may quote the patch.
var errPatch = errors.New("cannot be merged into the object; give each element of a list that is merged its key (name, mountPath, containerPort), and write `$patch: replace` as an element of its own")

// apply returns the object with a strategic merge patch applied, as `kubectl patch` would.
func apply[T any](object *T, patch json.RawMessage) (*T, error) {
	change, err := yaml.Parse(string(patch))
	if err != nil {
		return nil, errPatch
	}
	return applyNode(object, change.YNode())
}

func applyNode[T any](object *T, change *yaml.Node) (*T, error) {
	var fields map[string]any
	if normal(change, false).Decode(&fields) != nil {
		return nil, errPatch
	}
	patch, err := json.Marshal(fields)
	if err != nil {
		return nil, errPatch
	}
	before, err := json.Marshal(object)
	if err != nil {
		return nil, errPatch
	}
	after, err := strategicpatch.StrategicMergePatch(before, patch, *object)
	if err != nil || bytes.Contains(after, []byte(`"$patch":`)) { // in a list that is not merged, it is not a directive
		return nil, errPatch
	}
	result := new(T)
	if json.Unmarshal(after, result) != nil {
		return nil, errPatch
	}
	return result, nil
}

// normal rewrites the patch so that the library does what its author means: a deleted object is gone rather than empty, and
// a null in a new object has no effect.
func normal(n *yaml.Node, isNew bool) *yaml.Node {
	if n.Kind == yaml.ScalarNode {
		return n
	}
	isNew = isNew || yamlnode.Text(n, "$patch") == "replace"
	fresh := &yaml.Node{Kind: n.Kind, Tag: n.Tag}
	if n.Kind == yaml.SequenceNode {
		for _, element := range n.Content {
			fresh.Content = append(fresh.Content, normal(element, isNew))
		}
		return fresh
	}
	for key, value := range yamlnode.Fields(n) {
		switch {
		case isNew && yamlnode.IsNull(value):
		case value.Kind == yaml.MappingNode && yamlnode.Text(value, "$patch") == "delete":
			fresh.Content = append(fresh.Content, key, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"})
		case key.Value == "nodeSelector" && value.Kind == yaml.MappingNode: // ours is a default
			selector := normal(value, true)
			yamlnode.Set(selector, "$patch", yamlnode.Scalar("replace"))
			fresh.Content = append(fresh.Content, key, selector)
		default:
			fresh.Content = append(fresh.Content, key, normal(value, isNew))
		}
	}
	return fresh
}

// patchStatefulSet also merges the claim templates by name. The API has no merge key for them, so a patch of one of their
// fields would replace the volume. Elements that a patch adds to a list go after the existing ones: kubectl uses the first
// container by default, and a variable can only refer to earlier ones.
func patchStatefulSet(set *appsv1.StatefulSet, patch json.RawMessage) (*appsv1.StatefulSet, error) {
	parsed, err := yaml.Parse(string(patch))
	if err != nil {
		return nil, errPatch
	}
	change := parsed.YNode()
	claims, err := patchClaimTemplates(set.Spec.VolumeClaimTemplates, yamlnode.Get(change, "spec", "volumeClaimTemplates"))
	if err != nil {
		return nil, err
	}
	patched, err := applyNode(set, withoutClaimTemplates(change))
	if err != nil {
		return nil, err
	}
	patched.Spec.VolumeClaimTemplates = claims
	before, after := set.Spec.Template.Spec, &patched.Spec.Template.Spec
	after.Containers = oldFirst(before.Containers, after.Containers)
	after.InitContainers = oldFirst(before.InitContainers, after.InitContainers)
	after.Volumes = inOrder(before.Volumes, after.Volumes, func(v corev1.Volume) string { return v.Name })
	return patched, nil
}

func patchClaimTemplates(ours []corev1.PersistentVolumeClaim, changes *yaml.Node) ([]corev1.PersistentVolumeClaim, error) {
	switch {
	case changes == nil:
		return ours, nil
	case changes.Kind != yaml.SequenceNode:
		return nil, nil
	}
	claims := slices.Clone(ours)
	for _, change := range changes.Content {
		name := yamlnode.Text(change, "metadata", "name")
		at := slices.IndexFunc(claims, func(claim corev1.PersistentVolumeClaim) bool { return claim.Name == name })
		if at < 0 {
			at = len(claims)
			claims = append(claims, corev1.PersistentVolumeClaim{})
		}
		claim, err := applyNode(&claims[at], change)
		if err != nil {
			return nil, err
		}
		claims[at] = *claim
	}
	return claims, nil
}

func withoutClaimTemplates(change *yaml.Node) *yaml.Node {
	if yamlnode.Get(change, "spec", "volumeClaimTemplates") == nil {
		return change
	}
	spec, rest := *yamlnode.Get(change, "spec"), *change
	spec.Content, rest.Content = slices.Clone(spec.Content), slices.Clone(rest.Content)
	yamlnode.Set(&spec, "volumeClaimTemplates", nil)
	yamlnode.Set(&rest, "spec", &spec)
	return &rest
}

func oldFirst(before, after []corev1.Container) []corev1.Container {
	after = inOrder(before, after, func(c corev1.Container) string { return c.Name })
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
