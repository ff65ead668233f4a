package instance

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/config"
	"github.com/bizmatters/dragonfly-generator/internal/decode"
	"github.com/bizmatters/dragonfly-generator/internal/krm"
	"github.com/bizmatters/dragonfly-generator/internal/nearest"
	"github.com/bizmatters/dragonfly-generator/internal/report"
	"github.com/bizmatters/dragonfly-generator/internal/yamlnode"
)

// Claims are the claims among the items, by the mark on their objects, including those with problems.
type Claims map[string]*krm.Item

// FromClaims returns the instances of the valid claims in the list, in order and without duplicates, and all claims. It
// reports all problems of the others.
func FromClaims(list *krm.List, platform config.Platform, results *report.Results) ([]Instance, Claims) {
	var instances []Instance
	claims := Claims{}
	for _, item := range claimItems(list, results) {
		name := Name{Namespace: item.Namespace, Name: item.Name}
		inst, ok := fromClaim(item, platform, results)
		if first := claims[name.String()]; first != nil && name.Name != "" {
			results.Errorf(item, "the same claim is in %s and %s; remove one of them", first.Location(), item.Location())
			continue
		}
		claims[name.String()] = item
		if ok {
			instances = append(instances, inst)
		}
	}
	return instances, claims
}

// IsClaim reports whether an item is a claim, of any version or without one.
func IsClaim(item *krm.Item) bool { return v1alpha1.IsClaim(item.APIVersion, item.Kind) }

// IsConfig reports whether an item is a configuration, of any version or without one.
func IsConfig(item *krm.Item) bool { return v1alpha1.IsConfig(item.APIVersion, item.Kind) }

// claimItems returns the claims among the items, and the functionConfig if it is a claim that is not also among the items:
// kustomize passes a generator's claim both ways.
func claimItems(list *krm.List, results *report.Results) []*krm.Item {
	var items []*krm.Item
	for _, item := range list.Items {
		switch {
		case IsClaim(item):
			items = append(items, item)
		case item.Kind == "List" && item.APIVersion == "v1" && !hasItems(item.Node):
			results.FieldErrorf(item, report.Field{Path: "items"}, "is missing or not a list, so what the List was meant to hold is ignored; write its objects under items")
		case slices.ContainsFunc(item.Listed(), IsMeantAsClaim):
			results.FieldErrorf(item, report.Field{Path: "items"}, "contains a claim, but claims in a List are ignored; write it as a separate object")
		case item.Annotation(v1alpha1.GeneratedFrom) == "": // an extra object of ours may look like a claim
			reportLikeness(item, results)
		}
	}
	own := list.FunctionConfig
	if own == nil || !IsClaim(own) {
		return items
	}
	for _, item := range items {
		if item.ID != own.ID {
			continue
		}
		if !sameClaim(item, own) {
			results.Errorf(own, "the claim is both the functionConfig and in %s, but the two differ; remove one of them", item.Location())
		}
		return items
	}
	return append(items, own)
}

// hasItems reports whether a List has a list of items, which may be empty.
func hasItems(list *yaml.Node) bool {
	items := yamlnode.Get(list, "items")
	return items != nil && (items.Kind == yaml.SequenceNode || yamlnode.IsNull(items))
}

// IsMeantAsClaim reports whether an item is a claim, or nearly one, which is reported as a mistake.
func IsMeantAsClaim(item *krm.Item) bool { return IsClaim(item) || LikenessOf(item) == NearMiss }

// sameClaim reports whether two claims are equal. It returns true for claims that cannot be read, which validation
// reports.
func sameClaim(a, b *krm.Item) bool {
	if a.APIVersion != b.APIVersion || slices.ContainsFunc(ownAnnotations, func(key string) bool { return a.Annotation(key) != b.Annotation(key) }) {
		return false
	}
	left, err := yamlnode.Plain(a.Node)
	if err != nil {
		return true
	}
	right, err := yamlnode.Plain(b.Node)
	return err != nil || yamlnode.Equal(yamlnode.Get(left, "spec"), yamlnode.Get(right, "spec"))
}

// fromClaim decodes a claim, fills in its defaults and validates it. If a stage finds problems, fromClaim reports them, skips
// the remaining stages, and returns false.
func fromClaim(item *krm.Item, platform config.Platform, results *report.Results) (Instance, bool) {
	c := claim{report.Subject{Item: item, Results: results}}
	object, ok := c.decode()
	if !ok {
		return Instance{}, false
	}
	annotations := texts(object.Metadata.Annotations)
	profile, stated := annotations[v1alpha1.Profile]
	spec, found := platform.For(profile)
	if !found || stated && profile == "" {
		if platform.IsValid() {
			c.unknownProfile(profile, platform.Profiles())
		}
		return Instance{}, false
	}
	inst := Instance{
		Name: Name{Namespace: object.Metadata.Namespace, Name: object.Metadata.Name},
		Item: item, Claim: object.Spec, Rotation: annotations[v1alpha1.PasswordRotation],
	}
	c.validateName(inst.Name)
	inst.Labels = c.labels(texts(object.Metadata.Labels))
	inst.Annotations = c.annotations(annotations, spec.CarryAnnotations)
	inst.Source = *spec.Password.Source
	if source, stated := annotations[v1alpha1.PasswordSourceAnnotation]; stated {
		inst.Source = v1alpha1.PasswordSource(source)
		c.validateSource(inst.Source)
	}
	inst.Claim.Default(&spec.ProfileSpec)
	if platform.IsValid() {
		c.validateSpec(inst.Claim, spec)
	}
	if c.Errors() > 0 || !platform.IsValid() {
		return Instance{}, false
	}
	inst.Size = spec.Sizes[*inst.Claim.Size]
	inst.Config = spec.Filled(inst.Values(*spec.ClusterDomain))
	return inst, true
}

// claim is a claim being read.
type claim struct{ report.Subject }

// decode decodes the claim into its type. It returns false if the claim cannot be validated any further.
func (c *claim) decode() (object v1alpha1.DragonflyInstance, ok bool) {
	if c.Item.APIVersion != v1alpha1.APIVersion {
		c.Errorf(report.Field{Path: "apiVersion", Current: c.Item.APIVersion, Proposed: v1alpha1.APIVersion},
			"version %q of %s is not supported; use %s", c.Item.APIVersion, v1alpha1.ClaimKind, v1alpha1.APIVersion)
		return object, false
	}
	node, err := yamlnode.Plain(c.Item.Node)
	if err != nil {
		decode.Report(&c.Subject, decode.ProblemOf(err, reflect.TypeFor[v1alpha1.DragonflyInstance]()))
		return object, false
	}
	for _, path := range [][]string{{"metadata", "name"}, {"metadata", "namespace"}, {"metadata", "annotations"}, {"spec"}} {
		switch n := yamlnode.Get(node, path...); {
		case config.HoldsVariable(n):
			c.Results.Errorf(c.Item, "%s", config.VariableMessage)
			return object, false
		case path[len(path)-1] != "annotations" && isTemplate(n):
			c.Results.Errorf(c.Item, "contains `{{`, so it is a template and not yet a claim; render it first (`helm template`), and use the result")
			return object, false
		}
	}
	_, problems := decode.Strict(node, &object, decode.Options{Hint: hint, IsText: func(path string) bool {
		return strings.HasPrefix(path, "metadata.labels") || strings.HasPrefix(path, "metadata.annotations")
	}})
	decode.Report(&c.Subject, problems...)
	return object, true
}

// hint returns where an unknown field of a claim belongs.
func hint(path, name string) string {
	switch {
	case path == "metadata" && name == "spec":
		return "move it to the top level (is it indented too far?)"
	case path == "metadata" && decode.Has[v1alpha1.DragonflyInstanceSpec](name):
		return "move it under spec"
	case path == "spec" && (name == "name" || name == "namespace" || name == "labels" || name == "annotations"):
		return "move it under metadata"
	case path == "spec" && (name == "resources" || name == "cpu" || name == "memory"):
		return "CPU and memory follow from the size; remove this field, and set size"
	case path == "spec" && decode.Has[v1alpha1.DragonflyGeneratorSpec](name) && nearest.To(name, decode.Fields(reflect.TypeFor[v1alpha1.DragonflyInstanceSpec]())) == "":
		return fmt.Sprintf("the platform team sets this, in a %s; remove it here", v1alpha1.ConfigKind)
	}
	return ""
}

// isTemplate reports whether a node contains two opening braces, as in a Helm template: in a string, or as
// nested mappings, which is how YAML parses them.
func isTemplate(n *yaml.Node) bool {
	if n == nil {
		return false
	}
	for key := range yamlnode.Fields(n) {
		if n.Style&yaml.FlowStyle != 0 && key.Kind == yaml.MappingNode && key.Style&yaml.FlowStyle != 0 {
			return true
		}
	}
	return n.Kind == yaml.ScalarNode && strings.Contains(n.Value, "{{") || slices.ContainsFunc(n.Content, isTemplate)
}

// unknownProfile reports a profile that the configuration does not have.
func (c *claim) unknownProfile(name string, known []string) {
	field := report.Field{Path: "metadata.annotations[" + v1alpha1.Profile + "]", Current: name}
	if len(known) == 0 {
		c.Errorf(field, "unknown profile %q, because the function has no configuration with profiles; remove the annotation, or add spec.profiles to the %s", name, v1alpha1.ConfigKind)
		return
	}
	near, hint := nearest.Hint(name, known)
	field.Proposed = near
	c.Errorf(field, "unknown profile %q; %sthe profiles are %s", name, hint, strings.Join(known, ", "))
}

func (c *claim) validateName(name Name) {
	field := report.Field{Path: "metadata.name", Current: name.Name}
	switch {
	case name.Name == "":
		c.Errorf(report.Field{Path: "metadata.name"}, "is missing; give the claim a name")
	case len(name.Name) > maxNameLength:
		c.Errorf(field, "has %d characters, but Kubernetes cannot create the pods of a StatefulSet whose name has more than %d; shorten the name", len(name.Name), maxNameLength)
	case len(validation.IsDNS1035Label(name.Name)) > 0:
		c.Errorf(field, "must be lower case letters, digits and dashes, start with a letter and end with a letter or digit, because it is also the name of the Service; rename the claim")
	}
	switch {
	case name.Namespace == "":
		c.Errorf(report.Field{Path: "metadata.namespace"}, "is missing, but the endpoint contains it; set it in the claim, or, before this function runs, with `namespace:` in the same kustomization or kpt's set-namespace")
	case len(validation.IsDNS1123Label(name.Namespace)) > 0:
		c.Errorf(report.Field{Path: "metadata.namespace", Current: name.Namespace},
			"must be at most 63 lower case letters, digits and dashes, and start and end with a letter or digit; correct it")
	}
}

// validateSpec validates the spec of a claim.
func (c *claim) validateSpec(spec v1alpha1.DragonflyInstanceSpec, platform config.Spec) {
	if _, found := platform.Sizes[*spec.Size]; !found {
		names := platform.SizeNames()
		near, hint := nearest.Hint(*spec.Size, names)
		c.Errorf(report.Field{Path: "spec.size", Current: *spec.Size, Proposed: near}, "unknown size %q; %sthe sizes are %s", *spec.Size, hint, strings.Join(names, ", "))
	}
	field := report.Field{Path: "spec.storageGB", Current: *spec.StorageGB}
	switch storage := platform.Storage; {
	case *storage.Type != v1alpha1.OnVolume || storage.Allows(*spec.StorageGB): // without a volume, it has no effect, and an info says so
	case *spec.StorageGB < *storage.MinGB:
		field.Proposed = *storage.MinGB
		c.Errorf(field, "is too small; use %s", storage.Bounds())
	default:
		field.Proposed = *storage.MaxGB
		c.Errorf(field, "is too large; use %s", storage.Bounds())
	}
}

func (c *claim) validateSource(source v1alpha1.PasswordSource) {
	if slices.Contains(v1alpha1.PasswordSources, source) {
		return
	}
	var names []string
	for _, known := range v1alpha1.PasswordSources {
		names = append(names, string(known))
	}
	near, hint := nearest.Hint(string(source), names)
	c.Errorf(report.Field{Path: "metadata.annotations[" + v1alpha1.PasswordSourceAnnotation + "]", Proposed: near}, "unknown password source; %suse one of %s", hint, strings.Join(names, ", "))
}
