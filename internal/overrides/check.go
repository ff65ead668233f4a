package overrides

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/config"
	"github.com/bizmatters/dragonfly-generator/internal/decode"
	"github.com/bizmatters/dragonfly-generator/internal/instance"
	"github.com/bizmatters/dragonfly-generator/internal/krm"
	"github.com/bizmatters/dragonfly-generator/internal/operator"
	"github.com/bizmatters/dragonfly-generator/internal/report"
	"github.com/bizmatters/dragonfly-generator/internal/specs"
	"github.com/bizmatters/dragonfly-generator/internal/yamlnode"
)

// Check reports patches that cannot be applied or that change fixed fields, and extra objects that are refused, in every
// profile. It returns true if there are none.
//
// Patches are tried on two instances that differ in everything: a patch that sets a field to a value may happen to match
// one of them, but not both.
func Check(functionConfig *krm.Item, platform config.Platform, results *report.Results) bool {
	base, isValid := report.Subject{Item: functionConfig, Results: results}, true
	for _, spec := range platform.All() { // first that without a profile
		c := checker{Subject: base.Fork(), spec: spec}
		if decodes := c.decodes(); platform.IsValid() {
			if decodes {
				for _, inst := range Samples(spec) {
					c.try(inst)
				}
			}
			c.extraObjects()
		}
		isValid = isValid && c.Errors() == base.Errors()
		if spec.Path == "spec" {
			base = c.Subject
		}
	}
	return isValid
}

// Samples returns two instances that differ in everything.
func Samples(spec config.Spec) []instance.Instance {
	var samples []instance.Instance
	for i, name := range []string{"first", "second"} {
		amount := func(n int, format resource.Format) *resource.Quantity { return resource.NewQuantity(int64(n), format) }
		inst := instance.Instance{
			Name:   instance.Name{Namespace: "the-" + name + "-namespace", Name: "the-" + name + "-instance"},
			Claim:  v1alpha1.DragonflyInstanceSpec{StorageGB: new(int32(7 + i))}, //nolint:gosec // 7 or 8
			Source: v1alpha1.External,
			Size: v1alpha1.Size{
				Requests: v1alpha1.Resources{CPU: amount(1+i, resource.DecimalSI), Memory: amount((1+i)<<30, resource.BinarySI)},
				Limits:   v1alpha1.Resources{CPU: amount(3+i, resource.DecimalSI), Memory: amount((3+i)<<30, resource.BinarySI)},
			},
		}
		if i > 0 {
			inst.Source, inst.Rotation = v1alpha1.InCluster, "1"
		}
		inst.Config = spec.Filled(inst.Values(*spec.ClusterDomain))
		if i > 0 && inst.Config.TLS == nil { // for a patch of the sidecar, which a profile or a later change may add
			inst.Config.TLS = &v1alpha1.TLS{SecretName: new("the-tls-secret"), Reload: new(true)}
		}
		samples = append(samples, inst)
	}
	return samples
}

type checker struct {
	report.Subject
	spec config.Spec
}

func (c *checker) errorf(path, format string, args ...any) {
	c.Errorf(report.Field{Path: path}, "%s", c.spec.Explain(path, fmt.Sprintf(format, args...)))
}

// decodes reports whether the patches decode into the objects that they patch, and fit the backend.
func (c *checker) decodes() bool {
	ok := true
	byOperator := *c.spec.Backend == v1alpha1.Operator
	for _, p := range c.spec.StatefulSetPatches {
		if byOperator {
			c.errorf(p.Path, "cannot be combined with backend: %s, which creates the StatefulSet itself; remove it, and see docs/operator.md for alternatives", v1alpha1.Operator)
			ok = false
			continue
		}
		ok = c.decode(p, new(appsv1.StatefulSet), decode.Options{}) != nil && ok
	}
	for _, p := range c.spec.ServicePatches {
		n := c.decode(p, new(corev1.Service), decode.Options{})
		ok = n != nil && ok
		if n != nil && byOperator {
			c.carried(n, p.Path)
		}
	}
	for _, p := range c.spec.DragonflyPatches {
		if !byOperator {
			c.errorf(p.Path, "needs backend: %s; set it, or use overrides.statefulSet", v1alpha1.Operator)
			ok = false
			continue
		}
		ok = c.decode(p, new(operator.Dragonfly), decode.Options{Refuse: refuse}) != nil && ok
	}
	return ok
}

// decode returns the patch. If it does not decode into an object of the type, decode reports that and returns nil.
func (c *checker) decode(p config.Raw, into any, o decode.Options) *yaml.Node {
	patch := yamlnode.FromJSON(p.JSON)
	if yamlnode.Get(patch, "$patch") != nil {
		c.errorf(p.Path+"[$patch]", "would replace or delete the whole object; remove it, and write only what changes")
		return nil
	}
	o.Path, o.IsPatch = p.Path, true
	_, problems := decode.Strict(patch, into, o)
	decode.Report(&c.Subject, problems...)
	if len(problems) > 0 {
		return nil
	}
	return patch
}

// carried reports the fields of a Service patch for which the operator has no counterpart.
func (c *checker) carried(n *yaml.Node, path string) {
	known := func(n *yaml.Node, path string, names ...string) {
		for key := range yamlnode.Fields(n) {
			if !slices.Contains(names, key.Value) {
				c.errorf(decode.Join(path, key.Value), "has no counterpart with backend: %s; remove it", v1alpha1.Operator)
			}
		}
	}
	known(n, path, "apiVersion", "kind", "metadata", "spec")
	known(yamlnode.Get(n, "metadata"), path+".metadata", "name", "namespace", "labels", "annotations")
	known(yamlnode.Get(n, "spec"), path+".spec", "type", "ports")
	for i, port := range yamlnode.Elements(n, "spec", "ports") {
		at := decode.Element(path+".spec.ports", i)
		known(port, at, "port", "nodePort")
		if yamlnode.Text(port, "port") != strconv.Itoa(instance.Port) {
			c.errorf(at+".port", "has no counterpart with backend: %s; remove it", v1alpha1.Operator)
		}
	}
}

// try tries the patches on an instance, each on the result of the previous ones.
func (c *checker) try(inst instance.Instance) {
	tryEach(c, specs.Service(inst), inst.Config.ServicePatches, apply, fixedOfService)
	if inst.IsByOperator() {
		tryEach(c, specs.Dragonfly(inst), inst.Config.DragonflyPatches, patchDragonfly, fixedOfDragonfly)
		return
	}
	tryEach(c, specs.StatefulSet(inst), inst.Config.StatefulSetPatches, patchStatefulSet, fixedOfStatefulSet)
}

func tryEach[T any](c *checker, object *T, patches []config.Raw, apply func(*T, json.RawMessage) (*T, error), parts []fixed[*T]) {
	for _, p := range patches {
		patched, err := apply(object, p.JSON)
		if err != nil {
			c.errorf(p.Path, "%s", err)
			return
		}
		for _, part := range parts {
			if !reflect.DeepEqual(part.of(object), part.of(patched)) {
				c.errorf(p.Path+"."+part.path, "cannot be changed here: %s; remove it from the patch", part.why)
			}
		}
		object = patched
	}
}

// refuse returns why a patch must not set a field of a type, or "": for a Dragonfly, if the CRD lacks it.
func refuse(t reflect.Type, name string) string {
	if operator.HasField(t, name) {
		return ""
	}
	return "is not in the CRD of the Dragonfly Operator " + operator.Version + ", so the API server would drop it; remove it"
}
