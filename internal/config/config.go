// Package config reads the configuration of a platform team: the settings for all instances, and for those of
// each profile.
package config

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	kjson "sigs.k8s.io/json"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/decode"
	"github.com/bizmatters/dragonfly-generator/internal/krm"
	"github.com/bizmatters/dragonfly-generator/internal/nearest"
	"github.com/bizmatters/dragonfly-generator/internal/report"
	"github.com/bizmatters/dragonfly-generator/internal/yamlnode"
)

// Platform is the configuration of instances without a profile and of those with each profile.
type Platform struct {
	specs   map[string]Spec // by profile, "" for none
	isValid bool
}

// IsValid reports whether no problems were found. An invalid configuration must not be used for anything else.
func (p Platform) IsValid() bool { return p.isValid }

// Spec is the configuration that applies to an instance, with its defaults filled in.
type Spec struct {
	v1alpha1.ProfileSpec
	// Path is its path in the configuration: spec, or that of a profile.
	Path string
	// CarryAnnotations are the names of annotations that are copied from a claim to its objects.
	CarryAnnotations []string
	// The patches of the platform and then of the profile, in the order in which they apply, and the extra objects of both.
	StatefulSetPatches, ServicePatches, DragonflyPatches []Raw
	Extra                                                []Raw

	own map[string]json.RawMessage // the settings of the profile itself
}

// Sets reports whether the profile itself sets the field at a path, or the list or map that contains it.
func (s Spec) Sets(path string) bool {
	return has(s.own, inherited(strings.TrimPrefix(path, s.Path+".")))
}

// Explain completes the message about a field of spec that is wrong only in a profile that inherits it: it names the profile,
// and says how to change or remove the field there.
func (s Spec) Explain(path, message string) string {
	if strings.HasPrefix(path, s.Path+".") {
		return message
	}
	return "in " + s.Path + ", " + message + "; or set " + inherited(strings.TrimPrefix(path, "spec.")) + " in the profile, where null removes it"
}

// Raw is a patch or an extra object, as JSON.
type Raw struct {
	Path string // in the configuration
	JSON json.RawMessage
}

// syncWave is an annotation that is always copied from a claim to its objects: it orders an Argo CD sync, and the objects
// replace the claim.
const syncWave = "argocd.argoproj.io/sync-wave"

// Default returns the default configuration.
func Default() Platform {
	spec := Spec{Path: "spec", CarryAnnotations: []string{syncWave}}
	spec.Default()
	return Platform{specs: map[string]Spec{"": spec}, isValid: true}
}

// For returns the configuration of a profile; "" is for instances without one.
func (p Platform) For(profile string) (Spec, bool) {
	spec, found := p.specs[profile]
	return spec, found
}

// Profiles returns the sorted names of the profiles.
func (p Platform) Profiles() []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(p.specs)), func(name string) bool { return name == "" })
}

// All returns all configurations: first that of instances without a profile.
func (p Platform) All() []Spec {
	var all []Spec
	for _, name := range slices.Sorted(maps.Keys(p.specs)) {
		all = append(all, p.specs[name])
	}
	return all
}

// Read returns the configuration in the functionConfig, with defaults for what is not set. It reports all
// problems, including those in profiles that no claim uses. If there is no functionConfig, or it is a claim, Read returns
// the default configuration.
func Read(functionConfig *krm.Item, results *report.Results) Platform {
	if functionConfig == nil || v1alpha1.IsClaim(functionConfig.APIVersion, functionConfig.Kind) {
		return Default()
	}
	r := reader{Subject: report.Subject{Item: functionConfig, Results: results}}
	platform := r.read()
	platform.isValid = r.Errors() == 0 && !r.profileFailed
	return platform
}

type reader struct {
	report.Subject
	profileFailed bool // a profile has a problem
}

func (r *reader) read() Platform {
	item := r.Item
	node, err := yamlnode.Plain(item.Node)
	switch {
	case err != nil:
		decode.Report(&r.Subject, decode.ProblemOf(err, reflect.TypeFor[v1alpha1.DragonflyGenerator]()))
	case item.APIVersion == v1alpha1.APIVersion && item.Kind == v1alpha1.ConfigKind:
		return r.generator(node)
	case item.APIVersion == "v1" && item.Kind == "ConfigMap":
		return r.configMap(node)
	case v1alpha1.IsConfig(item.APIVersion, item.Kind):
		r.Errorf(report.Field{Path: "apiVersion", Current: item.APIVersion, Proposed: v1alpha1.APIVersion}, "is not a version of %s; use %s", v1alpha1.ConfigKind, v1alpha1.APIVersion)
	default:
		r.Errorf(report.Field{Path: "kind"}, "is not a configuration of this function; use a %s or a %s of %s, or a ConfigMap with plain values",
			v1alpha1.ConfigKind, v1alpha1.ClaimKind, v1alpha1.APIVersion)
	}
	return Default()
}

// generator reads a DragonflyGenerator.
func (r *reader) generator(node *yaml.Node) Platform {
	r.refuseVariables(yamlnode.Get(node, "spec"), "spec", "overrides", "extraObjects", "profiles") // scripts also contain variables
	for name, profile := range yamlnode.Fields(yamlnode.Get(node, "spec", "profiles")) {
		r.refuseVariables(profile, decode.Join("spec.profiles", name.Value), "overrides", "extraObjects")
	}
	if r.Errors() > 0 {
		return Default()
	}
	var object v1alpha1.DragonflyGenerator
	decoded, problems := decode.Strict(node, &object, decode.Options{Hint: hint})
	decode.Report(&r.Subject, problems...)
	for i, key := range object.Spec.CarryAnnotations {
		if detail := v1alpha1.InvalidAnnotation(key); detail != "" {
			r.Errorf(report.Field{Path: decode.Element("spec.carryAnnotations", i)}, "%s", detail)
		}
	}
	carry := append([]string{syncWave}, object.Spec.CarryAnnotations...)
	base := fields(fields(decoded)["spec"])
	profiles := fields(base["profiles"])
	platform := Platform{specs: map[string]Spec{}}
	spec, errs := r.spec(base, "spec", carry)
	spec.addLayer(base, "spec")
	platform.specs[""] = spec
	reportProblems(&r.Subject, errs, spec, nil, nil)
	for _, name := range slices.Sorted(maps.Keys(object.Spec.Profiles)) {
		path := decode.Join("spec.profiles", name)
		if len(validation.IsValidLabelValue(name)) > 0 || name == "" {
			r.Errorf(report.Field{Path: path}, "is not a valid profile name; use at most 63 letters, digits, dashes, underscores and dots, with a letter or digit at both ends")
		}
		own := fields(profiles[name])
		profile, problems := r.spec(overlay(base, own, reflect.TypeFor[v1alpha1.ProfileSpec]()), path, carry)
		profile.own = own
		profile.addLayer(base, "spec")
		profile.addLayer(own, path)
		platform.specs[name] = profile
		part := r.Fork()
		reportProblems(&part, problems, profile, errs, base)
		r.profileFailed = r.profileFailed || part.Errors() > r.Errors()
	}
	return platform
}

// hint returns what to do about a field of spec that profiles do not have, in a profile.
func hint(path, name string) string {
	if strings.HasPrefix(path, "spec.profiles") && decode.Has[v1alpha1.DragonflyGeneratorSpec](name) && !decode.Has[v1alpha1.ProfileSpec](name) {
		return "it is a field of spec, not of a profile, so move it there"
	}
	return ""
}

// spec returns the settings in a mapping, and the problems with them.
func (r *reader) spec(settings map[string]json.RawMessage, path string, carry []string) (Spec, field.ErrorList) {
	spec := Spec{Path: path, CarryAnnotations: carry}
	text, err := json.Marshal(settings)
	if err == nil {
		err = kjson.UnmarshalCaseSensitivePreserveInts(text, &spec.ProfileSpec)
	}
	if err != nil { // every field was decoded before
		r.Errorf(report.Field{Path: path}, "cannot be decoded (%T); please report this as a bug", err)
	}
	spec.Default()
	return spec, spec.Validate(field.NewPath(path))
}

// reportProblems reports the problems with a profile's settings. A problem with an inherited field is reported at that field
// in spec, and only once if spec has it too.
func reportProblems(subject *report.Subject, errs field.ErrorList, profile Spec, above field.ErrorList, base map[string]json.RawMessage) {
	for _, err := range errs {
		path := strings.TrimPrefix(err.Field, profile.Path+".")
		isKnown := slices.ContainsFunc(above, func(known *field.Error) bool { return known.Field == "spec."+path })
		if !profile.Sets(err.Field) && (isKnown || has(base, inherited(path))) {
			err.Field = "spec." + path
		}
		subject.Errorf(report.Field{Path: err.Field}, "%s", profile.Explain(err.Field, err.Detail))
	}
}

// inherited returns the part of a path in settings that a profile inherits or sets as a whole, see overlay.
func inherited(path string) string {
	path, _, _ = strings.Cut(path, "[")
	var names []string
	t, isStruct := reflect.TypeFor[v1alpha1.ProfileSpec](), true
	for name := range strings.SplitSeq(path, ".") {
		if !isStruct {
			break
		}
		names = append(names, name)
		t, isStruct = structOf(t, name)
	}
	return strings.Join(names, ".")
}

// has reports whether there is a field at a dotted path.
func has(settings map[string]json.RawMessage, path string) bool {
	name, rest, isDeeper := strings.Cut(path, ".")
	value, found := settings[name]
	return found && (!isDeeper || has(fields(value), rest))
}

// fields returns the fields of an object.
func fields(object json.RawMessage) map[string]json.RawMessage {
	all := map[string]json.RawMessage{}
	_ = json.Unmarshal(object, &all) // it was decoded before, or is absent
	return all
}

// overlay merges the settings of a profile into the base settings: structs of the API field by field, anything else as a
// whole. A null removes a field.
func overlay(base, over map[string]json.RawMessage, t reflect.Type) map[string]json.RawMessage {
	all := map[string]json.RawMessage{}
	maps.Copy(all, base)
	for name, value := range over {
		inner, isStruct := structOf(t, name)
		var below, above map[string]json.RawMessage
		switch {
		case string(value) == "null":
			delete(all, name)
		case isStruct && json.Unmarshal(all[name], &below) == nil && json.Unmarshal(value, &above) == nil:
			merged, _ := json.Marshal(overlay(below, above, inner)) // cannot fail for JSON
			all[name] = merged
		default:
			all[name] = value
		}
	}
	return all
}

// structOf returns the type of a field, and whether it is a struct of the API. An Object is not: it has no fields of its own.
func structOf(t reflect.Type, name string) (reflect.Type, bool) {
	inner, found := decode.FieldOf(t, name)
	return inner, found && inner.Kind() == reflect.Struct && inner.PkgPath() == t.PkgPath() && inner != reflect.TypeFor[v1alpha1.Object]()
}

// addLayer adds the patches and extra objects in settings, which may be those of a profile. There, a null removes those of the
// platform.
func (s *Spec) addLayer(settings map[string]json.RawMessage, path string) {
	overrides, isNull := fields(settings["overrides"]), string(settings["overrides"]) == "null"
	for name, into := range map[string]*[]Raw{"statefulSet": &s.StatefulSetPatches, "service": &s.ServicePatches, "dragonfly": &s.DragonflyPatches} {
		if patch, found := overrides[name]; isNull || string(patch) == "null" {
			*into = nil
		} else if found {
			*into = append(*into, Raw{path + ".overrides." + name, patch})
		}
	}
	if string(settings["extraObjects"]) == "null" {
		s.Extra = nil
	}
	var objects []json.RawMessage
	_ = json.Unmarshal(settings["extraObjects"], &objects) // it was decoded before, or is absent
	for i, object := range objects {
		s.Extra = append(s.Extra, Raw{decode.Element(path+".extraObjects", i), object})
	}
}

// configMap reads the plain values that a ConfigMap can contain: top-level fields by name, nested fields by dotted path. kpt
// creates one from `configMap:`, and an empty one if there is no configuration.
func (r *reader) configMap(node *yaml.Node) Platform {
	r.refuseVariables(yamlnode.Get(node, "data"), "data")
	if r.Errors() > 0 {
		return Default()
	}
	var object struct {
		metav1.TypeMeta `json:",inline"`

		Metadata  map[string]v1alpha1.Ignored `json:"metadata"`
		Data      map[string]v1alpha1.Ignored `json:"data"` // see below
		Immutable bool                        `json:"immutable"`
	}
	_, problems := decode.Strict(node, &object, decode.Options{})
	decode.Report(&r.Subject, problems...)
	plain := plainFields(reflect.TypeFor[v1alpha1.ProfileSpec](), "")
	settings := yamlnode.NewMapping()
	for key, value := range yamlnode.Fields(yamlnode.Get(node, "data")) {
		at := report.Field{Path: "data." + key.Value}
		top, _, _ := strings.Cut(key.Value, ".")
		switch near := nearest.To(key.Value, plain); {
		case slices.Contains(plain, key.Value):
			path := strings.Split(key.Value, ".")
			yamlnode.Set(yamlnode.Mapping(settings, path[:len(path)-1]...), path[len(path)-1], value)
		case decode.Has[v1alpha1.DragonflyGeneratorSpec](key.Value) || decode.Has[v1alpha1.DragonflyGeneratorSpec](top) && near == "":
			r.Errorf(at, "cannot be set in a ConfigMap, which holds plain strings; use a %s of %s", v1alpha1.ConfigKind, v1alpha1.APIVersion)
		case near != "":
			at.Proposed = near
			r.Errorf(at, "unknown field; did you mean %q?", near)
		default:
			r.Errorf(at, "unknown field; remove it")
		}
	}
	decoded, problems := decode.Strict(settings, new(v1alpha1.ProfileSpec), decode.Options{Path: "data"})
	decode.Report(&r.Subject, problems...)
	spec, errs := r.spec(fields(decoded), "data", []string{syncWave})
	reportProblems(&r.Subject, errs, spec, nil, nil)
	return Platform{specs: map[string]Spec{"": spec}}
}

// plainFields returns the paths of a type's string fields.
func plainFields(t reflect.Type, path string) []string {
	var names []string
	for _, name := range decode.Fields(t) {
		switch inner, isStruct := structOf(t, name); {
		case isStruct:
			names = append(names, plainFields(inner, path+name+".")...)
		case inner.Kind() == reflect.String:
			names = append(names, path+name)
		}
	}
	return names
}
