package config

import (
	"maps"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/decode"
	"github.com/bizmatters/dragonfly-generator/internal/instance"
	"github.com/bizmatters/dragonfly-generator/internal/krm"
	"github.com/bizmatters/dragonfly-generator/internal/operator"
	"github.com/bizmatters/dragonfly-generator/internal/report"
	"github.com/bizmatters/dragonfly-generator/internal/yamlnode"
)

// PasswordSources are all sources of a password.
var PasswordSources = []v1alpha1.PasswordSource{v1alpha1.InCluster, v1alpha1.Existing, v1alpha1.External}

func (r *reader) password(spec v1alpha1.Password) {
	if spec.Source != nil {
		r.Password.Source = *spec.Source
		oneOf(r, "password.source", *spec.Source, PasswordSources...)
	}
	if spec.Image != nil {
		r.Password.Image = *spec.Image
		r.image("password.image", r.Password.Image)
	}
	r.prepareResources(spec.Resources)
}

// prepareResources takes the resources of the init container. What is set replaces the default; a limit follows its
// request unless it is set too.
func (r *reader) prepareResources(spec v1alpha1.ResourceRequirements) {
	for _, amount := range []struct {
		name           string
		request, limit *resource.Quantity
		into, limits   *resource.Quantity
	}{
		{"cpu", spec.Requests.CPU, spec.Limits.CPU, &r.Password.Requests.CPU, &r.Password.Limits.CPU},
		{"memory", spec.Requests.Memory, spec.Limits.Memory, &r.Password.Requests.Memory, &r.Password.Limits.Memory},
	} {
		switch {
		case amount.request != nil && amount.limit != nil:
			*amount.into, *amount.limits = *amount.request, *amount.limit
		case amount.request != nil:
			*amount.into, *amount.limits = *amount.request, *amount.request
		case amount.limit != nil:
			*amount.into, *amount.limits = *amount.limit, *amount.limit
		}
	}
	r.amount("password.resources", "cpu", r.Password.Requests.CPU, r.Password.Limits.CPU, resource.MustParse("1m"))
	r.amount("password.resources", "memory", r.Password.Requests.Memory, r.Password.Limits.Memory, resource.MustParse("16Mi"))
}

// prepareResources are the resources of the init container unless the configuration sets them. It runs for some
// 50 ms, with 10 MiB resident. A pod's request is the largest of its init containers and of the sum of the others, so
// these cost nothing beside the smallest size; and with limits equal to requests, a size whose are equal is Guaranteed.
func prepareResources() instance.Resources {
	return instance.Resources{CPU: resource.MustParse("100m"), Memory: resource.MustParse("64Mi")}
}

// metadata takes what goes to the metadata of the objects.
func (r *reader) metadata(spec v1alpha1.ProfileSpec) {
	r.Labels, r.Annotations = spec.Labels, spec.Annotations
	for _, key := range slices.Sorted(maps.Keys(spec.Labels)) {
		field := r.at(decode.Join("labels", key))
		if _, own := (instance.Name{}).OwnLabels()[key]; own {
			r.Errorf(field, "is a label that every object gets from its claim; remove it")
			continue
		}
		r.Label(field, key, r.placeholders(field, spec.Labels[key]))
		r.refuseReplacing(field, key, spec.Labels[key])
	}
	for _, key := range slices.Sorted(maps.Keys(spec.Annotations)) {
		path := decode.Join("annotations", key)
		r.annotation(path, key)
		r.placeholders(r.at(path), spec.Annotations[key])
		r.refuseReplacing(r.at(path), key, spec.Annotations[key])
	}
}

func (r *reader) carryAnnotations(keys []string) {
	for i, key := range keys {
		r.annotation(decode.Element("carryAnnotations", i), key)
		r.CarryAnnotations = append(r.CarryAnnotations, key)
	}
}

// serviceAccount takes what a cloud knows the instance's pods by.
func (r *reader) serviceAccount(spec v1alpha1.ServiceAccount) {
	if spec.Name != nil {
		r.ServiceAccount = *spec.Name
		field := r.at("serviceAccount.name")
		filled := r.placeholders(field, r.ServiceAccount)
		switch {
		case len(validation.IsDNS1123Subdomain(filled)) > 0:
			r.Errorf(field, "is not a valid name; use that of a ServiceAccount in the instance's namespace, with lower case letters, digits, dashes and dots")
		case len(spec.Annotations) > 0:
			r.Errorf(r.at("serviceAccount.annotations"), "cannot be set beside serviceAccount.name, which names a ServiceAccount that you make; annotate that one")
		}
	}
	r.ServiceAccountAnnotations = spec.Annotations
	for _, key := range slices.Sorted(maps.Keys(spec.Annotations)) {
		path := decode.Join("serviceAccount.annotations", key)
		r.annotation(path, key)
		r.placeholders(r.at(path), spec.Annotations[key])
	}
}

func (r *reader) annotation(path, key string) { r.annotationName(r.at(path), key) }

// annotationName reports names of annotations that users must not set.
func (r *reader) annotationName(field report.Field, key string) {
	domain, _, _ := strings.Cut(key, "/")
	switch {
	case len(validation.IsQualifiedName(strings.ToLower(key))) > 0:
		r.Errorf(field, "is not a valid annotation name; use at most 63 letters, digits, dashes, underscores and dots, optionally with a domain and a slash in front")
	case domain == v1alpha1.Group:
		r.Errorf(field, "is in the group %s, which this function sets itself; remove it", v1alpha1.Group)
	case krm.IsOrchestrators(key):
		r.Errorf(field, "is bookkeeping of kustomize or kpt; remove it")
	}
}

// pods reads where the pods run.
func (r *reader) pods(spec v1alpha1.ProfileSpec) {
	if spec.NodeSelector != nil {
		r.NodeSelector = spec.NodeSelector
	}
	for _, key := range slices.Sorted(maps.Keys(spec.NodeSelector)) {
		r.Label(r.at(decode.Join("nodeSelector", key)), key, spec.NodeSelector[key])
	}
	r.Tolerations = spec.Tolerations
	for i, toleration := range spec.Tolerations {
		r.toleration(decode.Element("tolerations", i), toleration)
	}
}

func (r *reader) toleration(path string, t corev1.Toleration) {
	if t.Operator != "" {
		oneOf(r, path+".operator", t.Operator, corev1.TolerationOpExists, corev1.TolerationOpEqual)
	}
	if t.Effect != "" {
		oneOf(r, path+".effect", t.Effect, corev1.TaintEffectNoSchedule, corev1.TaintEffectPreferNoSchedule, corev1.TaintEffectNoExecute)
	}
	switch {
	case t.Key == "" && t.Operator != corev1.TolerationOpExists:
		r.Errorf(r.at(path+".key"), "is missing; set the key of the taint, or operator: Exists for all taints")
	case t.Key != "":
		r.Label(r.at(path+".key"), t.Key, t.Value)
	}
	if t.Operator == corev1.TolerationOpExists && t.Value != "" {
		r.Errorf(r.at(path+".value"), "has no effect with operator: Exists; remove one of them")
	}
	if t.TolerationSeconds != nil && t.Effect != corev1.TaintEffectNoExecute {
		r.Errorf(r.at(path+".tolerationSeconds"), "needs effect: NoExecute; set it, or remove tolerationSeconds")
	}
}

// overrides takes the patches whose fields are those of the objects, from each layer in turn. What a patch may
// not change is judged where it is applied, in package specs.
func (r *reader) overrides() {
	for _, layer := range r.layers {
		overrides := yamlnode.Get(layer.node, "overrides")
		if isSetToNull(layer.node, "overrides") {
			r.Overrides = Overrides{}
		}
		for _, patch := range []struct {
			name string
			into *[]Patch
			of   any
		}{
			{"statefulSet", &r.Overrides.StatefulSet, new(appsv1.StatefulSet)},
			{"service", &r.Overrides.Service, new(corev1.Service)},
			{"dragonfly", &r.Overrides.Dragonfly, new(operator.Dragonfly)},
		} {
			n := yamlnode.Get(overrides, patch.name)
			path := layer.path + ".overrides." + patch.name
			switch {
			case isSetToNull(overrides, patch.name):
				*patch.into = nil
			case n == nil:
			case n.Kind != yaml.MappingNode:
				r.NotAnObject(n, path)
			case r.Passes(func() { r.DecodePatch(n, path, patch.of) }):
				r.placeholdersIn(n, path)
				*patch.into = append(*patch.into, Patch{path, n})
			}
		}
	}
	r.patchesOfDragonfly()
	if r.Backend == v1alpha1.Operator {
		r.forOperator()
	}
}

// isSetToNull reports whether a mapping says that it has no such field.
func isSetToNull(n *yaml.Node, name string) bool {
	value := yamlnode.Get(n, name)
	return value != nil && yamlnode.IsNull(value)
}
