package config

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/robfig/cron/v3"
	"golang.org/x/mod/semver"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/decode"
	"github.com/bizmatters/dragonfly-generator/internal/instance"
	"github.com/bizmatters/dragonfly-generator/internal/krm"
	"github.com/bizmatters/dragonfly-generator/internal/operator"
	"github.com/bizmatters/dragonfly-generator/internal/yamlnode"
)

// firstWithHealthz is the first release that answers GET /healthz, which the readiness probe asks.
const firstWithHealthz = "v1.38"

func (r *reader) image(image string) {
	r.Image = image
	if image == "" || strings.ContainsAny(image, " \t\r\n") {
		r.Errorf(r.at("image"), "is no image; write registry, name and tag, such as %s", Default().Image)
		return
	}
	name, _, isPinned := strings.Cut(image, "@")
	_, tag, hasTag := strings.Cut(name[strings.LastIndex(name, "/")+1:], ":")
	version := "v" + strings.TrimPrefix(tag, "v")
	switch {
	case !isPinned && (!hasTag || tag == "latest"):
		r.Results.FieldWarnf(r.Item, r.at("image"), "means latest, so pods restart into another Dragonfly whenever the registry has one, and an older one exits on the snapshot of a newer; pin a release")
	case semver.IsValid(version) && semver.Compare(semver.MajorMinor(version), firstWithHealthz) < 0:
		r.Results.FieldWarnf(r.Item, r.at("image"), "is older than %s and has no /healthz, so its pods never become ready; take a newer one, or another readinessProbe in overrides.statefulSet", firstWithHealthz)
	}
}

// snapshotCron takes five plain fields. Dragonfly puts one for the seconds in front, so six would be
// something else to it; and not every cron means the same by names and macros.
func (r *reader) snapshotCron(text string) {
	r.SnapshotCron = text
	if text == "" {
		return
	}
	if _, err := cron.ParseStandard(text); err != nil || !plainCron().MatchString(text) {
		r.Errorf(r.at("snapshotCron"), "is no schedule; write minute, hour, day of the month, month and day of the week, in plain numbers with *, comma, dash and slash, such as %q, or \"\" for no snapshots", Default().SnapshotCron)
	}
}

// plainCron is five fields of stars, numbers and ranges, with steps.
var plainCron = sync.OnceValue(func() *regexp.Regexp {
	const element = `(\*|[0-9]+(-[0-9]+)?)(/[0-9]+)?`
	const field = element + `(,` + element + `)*`
	return regexp.MustCompile(`^` + field + `( ` + field + `){4}$`)
})

// placeholder is a word in braces: other braces may be those of JSON.
var placeholder = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\{([A-Za-z]+)\}`) })

// Placeholders are what the templates of ExtraKeys may hold, in braces: facts of the connection.
// passwordEncoded is the password for a URI, with all but the unreserved characters of RFC 3986 escaped.
var Placeholders = []string{"endpoint", "port", "password", "passwordEncoded", "name", "namespace"}

func (r *reader) extraKeys(keys map[string]string) {
	r.ExtraKeys = keys
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		field := r.at(decode.Join("connectionSecret.extraKeys", key))
		switch {
		case len(validation.IsConfigMapKey(key)) > 0:
			r.Errorf(field, "is no key of a Secret; use letters, digits, dashes, underscores and dots")
		case key == instance.EndpointKey || key == instance.PortKey || key == instance.PasswordKey:
			r.Errorf(field, "is a key that every connection Secret has; give it another name")
		}
		for _, match := range placeholder().FindAllStringSubmatch(keys[key], -1) {
			if slices.Contains(Placeholders, match[1]) {
				continue
			}
			hint := ""
			if near := decode.Nearest(match[1], Placeholders); near != "" {
				hint = "did you mean {" + near + "}? "
			}
			r.Errorf(field, "has an unknown placeholder; %sthe placeholders are {%s}", hint, strings.Join(Placeholders, "} {"))
		}
	}
}

// PasswordSources are all ways to get a password.
var PasswordSources = []v1alpha1.PasswordSource{v1alpha1.InCluster, v1alpha1.FromSeed, v1alpha1.FromRandom, v1alpha1.Existing, v1alpha1.External}

func (r *reader) password(spec v1alpha1.Password) {
	if spec.Source != nil {
		r.Password.Source, r.Password.Stated = *spec.Source, true
		oneOf(r, "password.source", *spec.Source, PasswordSources...)
	}
	if spec.Image != nil {
		r.Password.Image = *spec.Image
	}
	ref := spec.SeedSecretRef
	if ref == nil {
		return
	}
	if spec.Source == nil {
		r.Password.Source, r.Password.Stated = v1alpha1.FromSeed, true
	}
	r.Password.SeedSecret = krm.ID{Kind: "Secret", Namespace: ref.Namespace, Name: ref.Name}
	r.Password.SeedKey = ref.Key
	misspelt := r.HasProblemIn(r.path + ".password.seedSecretRef")
	for _, field := range []struct{ name, value string }{{"name", ref.Name}, {"key", ref.Key}} {
		if field.value == "" && !misspelt {
			r.Errorf(r.at("password.seedSecretRef."+field.name), "is missing; write which Secret of the items holds the seed, and under which key")
		}
	}
}

// metadata takes what goes to the metadata of the objects.
func (r *reader) metadata(spec v1alpha1.DragonflyGeneratorSpec) {
	r.Labels, r.Annotations = spec.Labels, spec.Annotations
	for _, key := range slices.Sorted(maps.Keys(spec.Labels)) {
		field := r.at(decode.Join("labels", key))
		if _, own := (instance.Name{}).OwnLabels()[key]; own {
			r.Errorf(field, "is a label that every object gets from its claim; take it out")
			continue
		}
		r.Label(field, key, spec.Labels[key])
	}
	for _, key := range slices.Sorted(maps.Keys(spec.Annotations)) {
		r.annotation(decode.Join("annotations", key), key)
	}
	for i, key := range spec.CarryAnnotations {
		r.annotation(decode.Element("carryAnnotations", i), key)
		r.CarryAnnotations = append(r.CarryAnnotations, key)
	}
}

func (r *reader) annotation(path, key string) {
	domain, _, _ := strings.Cut(key, "/")
	switch {
	case len(validation.IsQualifiedName(strings.ToLower(key))) > 0:
		r.Errorf(r.at(path), "is no name of an annotation; use at most 63 letters, digits, dashes, underscores and dots, with a domain and a slash in front if you like")
	case domain == v1alpha1.Group:
		r.Errorf(r.at(path), "is of the group %s, which this function sets itself; take it out", v1alpha1.Group)
	case krm.IsOrchestrators(key):
		r.Errorf(r.at(path), "is the bookkeeping of kustomize or kpt; take it out")
	}
}

// pods takes what says where the pods run.
func (r *reader) pods(spec v1alpha1.DragonflyGeneratorSpec) {
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
		r.Errorf(r.at(path+".key"), "is missing; write the key of the taint, or operator: Exists for all of them")
	case t.Key != "":
		r.Label(r.at(path+".key"), t.Key, t.Value)
	}
	if t.Operator == corev1.TolerationOpExists && t.Value != "" {
		r.Errorf(r.at(path+".value"), "means nothing with operator: Exists; take one of them out")
	}
	if t.TolerationSeconds != nil && t.Effect != corev1.TaintEffectNoExecute {
		r.Errorf(r.at(path+".tolerationSeconds"), "needs effect: NoExecute; set it, or take tolerationSeconds out")
	}
}

// overrides takes the patches whose fields are those of the objects. What a patch may not change is judged
// where it is applied, in package specs.
func (r *reader) overrides(spec v1alpha1.Overrides) {
	n, _ := yamlnode.Plain(r.Item.Node)
	take := func(name string, is *v1alpha1.Patch, into **yaml.Node, of any) {
		if is == nil {
			return
		}
		patch := r.Mapping(n, "spec", "overrides", name)
		if patch != nil && r.Passes(func() { r.DecodePatch(patch, "spec.overrides."+name, of) }) {
			*into = patch
		}
	}
	take("statefulSet", spec.StatefulSet, &r.Overrides.StatefulSet, new(appsv1.StatefulSet))
	take("service", spec.Service, &r.Overrides.Service, new(corev1.Service))
	take("dragonfly", spec.Dragonfly, &r.Overrides.Dragonfly, new(operator.Dragonfly))
	r.patchOfDragonfly()
	if r.Backend == v1alpha1.Operator {
		r.forOperator()
	}
}
