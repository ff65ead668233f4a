// Package overrides applies what a platform team writes in raw form: strategic merge patches of our objects, and extra
// objects. Patches may change anything that an instance's guarantees do not depend on; see fixed.
package overrides

import (
	"encoding/json"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/internal/config"
	"github.com/bizmatters/dragonfly-generator/internal/instance"
	"github.com/bizmatters/dragonfly-generator/internal/krm"
	"github.com/bizmatters/dragonfly-generator/internal/operator"
	"github.com/bizmatters/dragonfly-generator/internal/report"
	"github.com/bizmatters/dragonfly-generator/internal/specs"
)

// Object is one object of an instance, to be merged into the items.
type Object struct {
	krm.ID
	// NameFor and File are the fields of specs.Object.
	NameFor func(claim string) string
	File    string
	// Node is the object. It is nil if the instance does not have the object but reserves its name.
	Node *yaml.Node
}

// Built is an instance with its objects.
type Built struct {
	instance.Instance
	Objects []Object
}

// Build builds the objects of every instance, patches them, and adds the extra objects. It reports names that are invalid
// or conflict.
func Build(list *krm.List, instances []instance.Instance, results *report.Results) []Built {
	built := make([]Built, len(instances))
	for i, inst := range instances {
		built[i].Instance = inst
		for _, o := range specs.Objects(inst) {
			object := Object{ID: o.ID, NameFor: o.NameFor, File: o.File}
			if o.Typed != nil {
				patched, err := patch(o.Typed, inst)
				if err == nil {
					object.Node, err = krm.FromTyped(patched)
				}
				if err != nil {
					results.Errorf(inst.Item, "an object cannot be written as YAML (%T); please report this as a bug", err)
				}
			}
			built[i].Objects = append(built[i].Objects, object)
		}
		checkFilled(inst, results)
		for _, extra := range inst.Config.Extra {
			built[i].addExtra(extra, results)
		}
	}
	refuseExtraObjects(built, results)
	refuseHashedNames(list, built, results)
	return built
}

// patch applies the patches of the configuration to an object of the instance.
func patch(object any, inst instance.Instance) (any, error) {
	switch object := object.(type) {
	case *appsv1.StatefulSet:
		return applyAll(object, inst.Config.StatefulSetPatches, patchStatefulSet)
	case *corev1.Service:
		return applyAll(object, inst.Config.ServicePatches, apply)
	case *operator.Dragonfly:
		if len(inst.Config.ServicePatches) > 0 {
			service, err := applyAll(specs.Service(inst), inst.Config.ServicePatches, apply)
			if err != nil {
				return nil, err
			}
			object.Spec.ServiceSpec = specs.OperatorService(service)
		}
		return applyAll(object, inst.Config.DragonflyPatches, patchDragonfly)
	}
	return object, nil
}

func applyAll[T any](object *T, patches []config.Raw, applyOne func(*T, json.RawMessage) (*T, error)) (*T, error) {
	for _, p := range patches {
		var err error
		if object, err = applyOne(object, p.JSON); err != nil {
			return nil, err
		}
	}
	return object, nil
}

// filter returns the elements of a list that are wanted, or nil if there is none.
func filter[T any](list []T, wanted func(T) bool) []T {
	var found []T
	for _, element := range list {
		if wanted(element) {
			found = append(found, element)
		}
	}
	return found
}

// withNames returns the elements of a list with one of the names.
func withNames[T any](list []T, name func(T) string, names ...string) []T {
	return filter(list, func(element T) bool { return slices.Contains(names, name(element)) })
}

func containerName(c corev1.Container) string { return c.Name }

func volumeName(v corev1.Volume) string { return v.Name }

// orZero returns the value that a pointer points to, or the zero value if it is nil.
func orZero[T any](pointer *T) T {
	if pointer == nil {
		return *new(T)
	}
	return *pointer
}

// only returns the entries of a map whose keys are wanted.
func only(from map[string]string, wanted func(key string) bool) map[string]string {
	selected := map[string]string{}
	for key, value := range from {
		if wanted(key) {
			selected[key] = value
		}
	}
	return selected
}

// Patched returns the object that runs an instance, with the patches of the configuration applied.
func Patched(inst instance.Instance) (any, error) {
	if inst.IsByOperator() {
		return patch(specs.Dragonfly(inst), inst)
	}
	return patch(specs.StatefulSet(inst), inst)
}
