// Package claim finds the claims among the items and validates them.
package claim

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/config"
	"github.com/bizmatters/dragonfly-generator/internal/decode"
	"github.com/bizmatters/dragonfly-generator/internal/instance"
	"github.com/bizmatters/dragonfly-generator/internal/krm"
	"github.com/bizmatters/dragonfly-generator/internal/report"
	"github.com/bizmatters/dragonfly-generator/internal/yamlnode"
)

// trackingDomains are the domains of labels with which tools track the objects that they own. Copied to our
// objects, these labels could make a tool own them twice or prune them.
var trackingDomains = []string{
	"kpt.dev", "cli-utils.sigs.k8s.io", "config.k8s.io", // kpt
	"argoproj.io", "fluxcd.io", "helm.sh", "crossplane.io",
	"config.kubernetes.io",                            // kustomize
	"kubectl.kubernetes.io", "applyset.kubernetes.io", // kubectl
}

// The Crossplane fields that name another Secret, which is not created.
const (
	publishConnection = "publishConnectionDetailsTo"
	writeConnection   = "writeConnectionSecretToRef"
)

// The fields that a claim can have.
var (
	topFields      = decode.Fields(reflect.TypeFor[v1alpha1.DragonflyInstance]())
	specFields     = decode.Fields(reflect.TypeFor[v1alpha1.DragonflyInstanceSpec]())
	metadataFields = decode.Fields(reflect.TypeFor[v1alpha1.Metadata]())
)

// GroupKind is that of a claim.
var GroupKind = schema.GroupKind{Group: v1alpha1.Group, Kind: v1alpha1.ClaimKind}

// homes returns the parent of each field of a claim, by field name.
var homes = sync.OnceValue(func() map[string]string { return decode.Homes(reflect.TypeFor[v1alpha1.DragonflyInstance]()) })

// configHint returns the hint for a field that only the configuration has.
func configHint(_, name string) string {
	if slices.Contains(decode.Fields(reflect.TypeFor[v1alpha1.DragonflyGeneratorSpec]()), name) {
		return fmt.Sprintf("the platform team sets this, in a %s; remove it here", v1alpha1.ConfigKind)
	}
	return ""
}

// Claim is a claim that has been validated, with its defaults filled in.
type Claim struct {
	instance.Instance
	// Item is the claim's item, or the functionConfig.
	Item *krm.Item
	// Config is the configuration that applies to the claim.
	Config config.Config

	// HasStorageGB reports that the claim sets storageGB.
	HasStorageGB bool
	// SourceStated reports that the claim states its password source.
	SourceStated bool
	// Seen are the objects that make the instance's Secrets, where nothing states its password source but they show
	// it.
	Seen []*krm.Item
	// OwnSecrets are the paths of Crossplane fields that name another Secret, which is not created.
	OwnSecrets []string
}

// Find returns the valid claims of the list in their order, without duplicates, and the owners of objects
// with the names of an instance's. It reports all problems of the other claims. For kept, see
// generator.Options.
func Find(list *krm.List, kept bool, platform config.Platform, results *report.Results) ([]Claim, Owners) {
	var claims []Claim
	owners := Owners{kept: kept, claimed: map[string]*krm.Item{}}
	for _, item := range claimItems(list, results) {
		c, ok := validate(item, platform, results)
		if first := owners.claimed[c.String()]; first != nil && c.Name.Name != "" {
			results.Errorf(item, "the same claim is in %s and %s; remove one of them", first.Place(), item.Place())
			continue
		}
		owners.claimed[c.String()] = item
		if ok {
			claims = append(claims, c)
		}
	}
	return claims, owners
}

// claimItems returns the claims among the items, and the one that is the functionConfig unless it is
// among the items too: kustomize passes a generator's claim in both places.
func claimItems(list *krm.List, results *report.Results) []*krm.Item {
	var items []*krm.Item
	for _, item := range list.Items {
		switch {
		case instance.IsClaim(item):
			items = append(items, item)
		case slices.ContainsFunc(item.Listed(), holdsClaim):
			results.FieldErrorf(item, report.Field{Path: "items"}, "contains a claim, but claims in a List are ignored; write it as a separate object")
		default:
			reportLikeness(item, results)
		}
	}
	own := list.FunctionConfig
	if own == nil || !instance.IsClaim(own) {
		return items
	}
	for _, item := range items {
		if item.ID != own.ID {
			continue
		}
		if !sameClaim(item, own) {
			results.Errorf(own, "the claim is both the functionConfig and in %s, but the two differ; remove one of them", item.Place())
		}
		return items
	}
	return append(items, own)
}

// holdsClaim reports whether an item of a List is a claim, or nearly one.
func holdsClaim(item *krm.Item) bool { return instance.IsClaim(item) || LikenessOf(item) == NearMiss }

// sameClaim reports whether two claims are equal. It returns true for claims that cannot be read, because
// validation reports those.
func sameClaim(a, b *krm.Item) bool {
	if a.APIVersion != b.APIVersion || a.Annotation(v1alpha1.PasswordRotation) != b.Annotation(v1alpha1.PasswordRotation) {
		return false
	}
	left, err := yamlnode.Plain(a.Node)
	if err != nil {
		return true
	}
	right, err := yamlnode.Plain(b.Node)
	return err != nil || yamlnode.Equal(yamlnode.Get(left, "spec"), yamlnode.Get(right, "spec"))
}

// validate turns an item into a claim. It reports all problems; ok is true if there were none. The name is
// set as far as it is readable.
func validate(item *krm.Item, platform config.Platform, results *report.Results) (c Claim, ok bool) {
	v := validator{decode.Object{Item: item, Results: results, Homes: homes, Hint: configHint}}
	c = Claim{Item: item}
	c.Name = instance.Name{Namespace: item.Namespace, Name: item.Name}
	if item.APIVersion != v1alpha1.APIVersion {
		v.Errorf(report.Field{Path: "apiVersion", Current: item.APIVersion, Proposed: v1alpha1.APIVersion},
			"version %q of %s is not supported; use %s", item.APIVersion, v1alpha1.ClaimKind, v1alpha1.APIVersion)
		return c, false
	}
	node := v.Plain()
	if node == nil {
		return c, false
	}

	for _, path := range [][]string{{"metadata", "name"}, {"metadata", "namespace"}, {"metadata", "annotations"}, {"spec"}} {
		if config.HoldsVariable(yamlnode.Get(node, path...)) {
			v.Results.Errorf(item, "%s", config.VariableMessage)
			return c, false
		}
	}
	if isTemplate(yamlnode.Get(node, "metadata", "name")) || isTemplate(yamlnode.Get(node, "metadata", "namespace")) || isTemplate(yamlnode.Get(node, "spec")) {
		v.Results.Errorf(item, "contains `{{`, so it is a template and not yet a claim; render it first (`helm template`), and read the result")
		return c, false
	}

	var found bool
	if c.Config, found = v.profile(item.Annotation(v1alpha1.Profile), platform); !found {
		return c, false
	}
	cfg := c.Config
	v.Known(node, "", topFields)
	v.metadata(node, cfg, &c)

	spec := v.Mapping(node, "spec")
	v.Known(spec, "spec", specFields)
	c.Size = v.size(spec, cfg)
	c.StorageGB = v.storageGB(spec, cfg)
	c.HasStorageGB = !yamlnode.IsNull(yamlnode.Get(spec, "storageGB"))
	for _, field := range []string{publishConnection, writeConnection} {
		if !yamlnode.IsNull(yamlnode.Get(spec, field)) {
			c.OwnSecrets = append(c.OwnSecrets, "spec."+field)
		}
	}
	return c, !v.Failed
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

// validator reports the problems of one claim.
type validator struct {
	decode.Object
}

// profile returns the configuration of the claim's profile. Everything else depends on it, so a claim with an
// unknown profile is not checked further.
func (v *validator) profile(name string, platform config.Platform) (config.Config, bool) {
	cfg, found := platform.For(name)
	if found || platform.ProfilesUnclear { // it may be one that could not be read
		return cfg, found
	}
	field := report.Field{Path: "metadata.annotations[" + v1alpha1.Profile + "]", Current: name}
	names := platform.Profiles()
	switch near := decode.Nearest(name, names); {
	case len(names) == 0:
		v.Errorf(field, "unknown profile %q, because the function has no configuration with profiles; remove the annotation, or add spec.profiles to the %s", name, v1alpha1.ConfigKind)
	case near != "":
		field.Proposed = near
		v.Errorf(field, "unknown profile %q; did you mean %q? the profiles are %s", name, near, strings.Join(names, ", "))
	default:
		v.Errorf(field, "unknown profile %q; the profiles are %s", name, strings.Join(names, ", "))
	}
	return cfg, false
}

func (v *validator) metadata(node *yaml.Node, cfg config.Config, c *Claim) {
	metadata := v.Mapping(node, "metadata")
	if metadata == nil && !yamlnode.IsNull(yamlnode.Get(node, "metadata")) {
		return // of the wrong kind, and reported
	}
	v.Known(metadata, "metadata", metadataFields)

	name := yamlnode.Get(metadata, "name")
	switch {
	case yamlnode.IsNull(name):
		v.Errorf(report.Field{Path: "metadata.name"}, "is missing; give the claim a name")
	case !yamlnode.IsString(name):
		v.Errorf(report.Field{Path: "metadata.name"}, "must be a string; start it with a letter")
	case len(name.Value) > instance.MaxNameLength:
		v.Errorf(report.Field{Path: "metadata.name", Current: name.Value},
			"has %d characters, but Kubernetes makes no pod for a StatefulSet with more than %d; shorten the name", len(name.Value), instance.MaxNameLength)
	case len(validation.IsDNS1035Label(name.Value)) > 0:
		v.Errorf(report.Field{Path: "metadata.name", Current: name.Value},
			"must be lower case letters, digits and dashes, start with a letter and end with a letter or digit, because it is also the name of the Service; rename the claim")
	}

	namespace := yamlnode.Get(metadata, "namespace")
	switch {
	case yamlnode.IsNull(namespace):
		v.Errorf(report.Field{Path: "metadata.namespace"},
			"is missing, but the endpoint contains it; set it in the claim, or before this function runs with `namespace:` of the same kustomization or kpt's set-namespace")
	case !yamlnode.IsString(namespace):
		v.Errorf(report.Field{Path: "metadata.namespace"}, "must be a string; put it in quotes")
	case len(validation.IsDNS1123Label(namespace.Value)) > 0:
		v.Errorf(report.Field{Path: "metadata.namespace", Current: namespace.Value},
			"must be at most 63 lower case letters, digits and dashes, and start and end with a letter or digit; correct it")
	}

	if metadata != nil {
		c.Labels = v.labels(v.Mapping(node, "metadata", "labels"))
		v.annotations(v.Mapping(node, "metadata", "annotations"), cfg.CarryAnnotations, c)
	}
}

// labels returns the labels to copy to the objects. Kustomize passes `tier: 1` as a number, so any scalar is
// accepted as its text.
func (v *validator) labels(n *yaml.Node) map[string]string {
	if n == nil {
		return nil
	}
	labels := map[string]string{}
	for name, value := range yamlnode.Fields(n) {
		key := name.Value
		field := report.Field{Path: "metadata.labels[" + key + "]"}
		switch {
		case value.Kind != yaml.ScalarNode:
			v.Errorf(field, "must be a string, not %s; write a single string", yamlnode.KindName(value))
		case slices.Contains(ownAnnotations, key):
			v.Errorf(field, "is an annotation and has no effect as a label; move it to metadata.annotations")
		case v.Label(field, key, yamlnode.Text(value)) && !isTracking(key):
			labels[key] = yamlnode.Text(value)
		}
	}
	return labels
}

func isTracking(label string) bool {
	domain, _, found := strings.Cut(label, "/")
	return found && label != fluxPrune && slices.ContainsFunc(trackingDomains, func(tracking string) bool {
		return domain == tracking || strings.HasSuffix(domain, "."+tracking)
	})
}

func (v *validator) annotations(n *yaml.Node, carry []string, c *Claim) {
	if n == nil {
		return
	}
	carried := func(key, text string) {
		if c.Annotations == nil {
			c.Annotations = map[string]string{}
		}
		c.Annotations[key] = text
	}
	for name, value := range yamlnode.Fields(n) {
		key := name.Value
		field := report.Field{Path: "metadata.annotations[" + key + "]"}
		switch {
		case value.Kind != yaml.ScalarNode:
			v.Errorf(field, "must be a string, not %s; write a single string", yamlnode.KindName(value))
		case slices.Contains(carry, key):
			carried(key, yamlnode.Text(value))
		case protection(key, yamlnode.Text(value)) != "":
			carried(key, protection(key, yamlnode.Text(value)))
		case strings.HasPrefix(key, v1alpha1.Group+"/"):
			v.own(field, key, yamlnode.Text(value), c)
		default:
			if own := nearlyOwn(key); own != "" {
				field.Proposed = own
				v.Errorf(field, "unknown annotation; did you mean %q?", own)
			}
		}
	}
}

// nearlyOwn returns the annotation that a key has the name of, in a group that is nearly ours, or "".
func nearlyOwn(key string) string {
	domain, name, _ := strings.Cut(key, "/")
	own := v1alpha1.Group + "/" + name
	_, parent, _ := strings.Cut(v1alpha1.Group, ".")
	// In the group above ours, a profile may be anything.
	isNear := domain == parent && own != v1alpha1.Profile || decode.Distance(domain, v1alpha1.Group) <= 2
	if !slices.Contains(ownAnnotations, own) || !isNear {
		return ""
	}
	return own
}

// ownAnnotations are the annotations of our group that a claim can have.
var ownAnnotations = []string{v1alpha1.Profile, v1alpha1.PasswordSourceAnnotation, v1alpha1.PasswordRotation}

// own reads an annotation of our group. It reports misspelt ones, which would otherwise be ignored silently.
func (v *validator) own(field report.Field, key, text string, c *Claim) {
	switch key {
	case v1alpha1.PasswordRotation:
		c.Rotation = text
		if !isRotation(text) {
			field.Current = text
			v.Errorf(field, "must be 1 to 63 printable ASCII characters without `${`; use a number, and increment it for the next rotation")
		}
	case v1alpha1.PasswordSourceAnnotation:
		v.passwordSource(field, text, c)
	case v1alpha1.Profile: // already read
	default:
		var names []string
		for _, own := range ownAnnotations {
			names = append(names, strings.TrimPrefix(own, v1alpha1.Group+"/"))
		}
		if near := decode.Nearest(strings.TrimPrefix(key, v1alpha1.Group+"/"), names); near != "" {
			near = v1alpha1.Group + "/" + near
			field.Proposed = near
			v.Errorf(field, "unknown annotation; did you mean %q?", near)
			return
		}
		v.Results.FieldWarnf(v.Item, field, "is unknown, so it has no effect; remove it, or use one of %s", strings.Join(ownAnnotations, ", "))
	}
}

// passwordSource reads the claim's password source.
func (v *validator) passwordSource(field report.Field, text string, c *Claim) {
	source := v1alpha1.PasswordSource(text)
	if slices.Contains(config.PasswordSources, source) {
		c.Config.Password.Source, c.SourceStated = source, true
		return
	}
	names := make([]string, len(config.PasswordSources))
	for i, known := range config.PasswordSources {
		names[i] = string(known)
	}
	hint := ""
	if near := decode.Nearest(text, names); near != "" {
		field.Proposed = near
		hint = fmt.Sprintf("did you mean %q? ", near)
	}
	v.Errorf(field, "unknown password source; %suse one of %s", hint, strings.Join(names, ", "))
}

func isRotation(text string) bool {
	return len(text) >= 1 && len(text) <= 63 && !strings.Contains(text, "${") &&
		!strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' })
}

func (v *validator) size(spec *yaml.Node, cfg config.Config) instance.Size {
	n := yamlnode.Get(spec, "size")
	if yamlnode.IsNull(n) {
		return cfg.Sizes[cfg.DefaultSize]
	}
	if size, found := cfg.Sizes[n.Value]; found && yamlnode.IsString(n) {
		return size
	}
	names := cfg.Sizes.Names()
	field := report.Field{Path: "spec.size"}
	if !yamlnode.IsString(n) {
		v.Errorf(field, "must be a string; use one of %s", strings.Join(names, ", "))
		return instance.Size{}
	}
	if cfg.SizesUnclear {
		return instance.Size{} // it may be one of those that could not be read
	}
	field.Current = n.Value
	hint := ""
	if near := decode.Nearest(n.Value, names); near != "" {
		field.Proposed = near
		hint = fmt.Sprintf("did you mean %q? ", near)
	}
	v.Errorf(field, "unknown size %q; %sthe sizes are %s", n.Value, hint, strings.Join(names, ", "))
	return instance.Size{}
}

func (v *validator) storageGB(spec *yaml.Node, cfg config.Config) int {
	n := yamlnode.Get(spec, "storageGB")
	if yamlnode.IsNull(n) {
		return cfg.Storage.DefaultGB
	}
	field := report.Field{Path: "spec.storageGB"}
	if n.Kind != yaml.ScalarNode {
		v.Errorf(field, "must be a whole number of GiB, not %s; write a number", yamlnode.KindName(n))
		return 0
	}
	field.Current = n.Value
	gb, err := strconv.ParseInt(n.Value, 10, 32)
	switch {
	case errors.Is(err, strconv.ErrRange):
		v.Errorf(field, "is out of range; set the size of the volume in GiB")
	case n.ShortTag() == "!!str" && err == nil:
		field.Proposed = gb
		v.Errorf(field, "must be a number, not a string; remove the quotes")
	// YAML 1.1 reads 010 as 8 and 1_0 as 10. Numbers that look different from what they mean are refused.
	case n.ShortTag() != "!!int" || err != nil || strconv.FormatInt(gb, 10) != n.Value:
		v.Errorf(field, "must be a whole number of GiB; write it in plain digits, without a unit")
	case cfg.Storage.Type != v1alpha1.OnVolume: // it has no effect, which an info says
	case gb < int64(cfg.Storage.MinGB):
		field.Proposed = cfg.Storage.MinGB
		v.Errorf(field, "is too small; use %s", cfg.Storage)
	case !cfg.Storage.Allows(int(gb)):
		field.Proposed = cfg.Storage.MaxGB
		v.Errorf(field, "is too large; use %s", cfg.Storage)
	}
	return int(gb)
}
