package v1alpha1

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/bizmatters/dragonfly-generator/internal/nearest"
)

// The details of errors say what is wrong and what to do. They never show a value, because it may be a password.

// Validate returns the problems with a platform's settings, after Default. Patches and extra objects are validated where they
// are applied.
func (s *ProfileSpec) Validate(path *field.Path) field.ErrorList {
	var errs field.ErrorList
	invalid := func(at *field.Path, detail string) { errs = append(errs, problem(at, detail)) }
	errs = append(errs, oneOf(path.Child("backend"), *s.Backend, StatefulSet, Operator)...)
	switch at := path.Child("replicas"); {
	case *s.Replicas < 1:
		invalid(at, "is too small; use 1 or more")
	case *s.Replicas > 1 && *s.Backend != Operator:
		invalid(at, "needs backend: Operator, because the pods of a StatefulSet would be separate stores behind one Service; set it, or remove replicas")
	}
	errs = append(errs, validateImage(path.Child("image"), *s.Image)...)
	errs = append(errs, oneOf(path.Child("imagePullPolicy"), *s.ImagePullPolicy, corev1.PullAlways, corev1.PullIfNotPresent, corev1.PullNever)...)
	for i, secret := range s.ImagePullSecrets {
		if len(validation.IsDNS1123Subdomain(secret.Name)) > 0 {
			invalid(path.Child("imagePullSecrets").Index(i).Child("name"), "is missing or not a valid Secret name; set the name of the Secret that contains the registry's password")
		}
	}
	if len(validation.IsDNS1123Subdomain(*s.ClusterDomain)) > 0 {
		invalid(path.Child("clusterDomain"), "is not a valid domain; use lower case letters, digits, dashes and dots, without a dot at the end, such as cluster.local")
	}
	if class := *s.StorageClassName; class != "" && len(validation.IsDNS1123Subdomain(class)) > 0 {
		invalid(path.Child("storageClassName"), `is not a valid storage class name; use lower case letters, digits, dashes and dots, or "" for the cluster's default class`)
	}
	errs = append(errs, validateCron(path.Child("snapshotCron"), *s.SnapshotCron)...)
	errs = append(errs, s.validateSizes(path)...)
	errs = append(errs, s.Storage.validate(path.Child("storage"))...)
	errs = append(errs, s.Password.validate(path.Child("password"))...)
	errs = append(errs, s.ConnectionSecret.validate(path.Child("connectionSecret"))...)
	if s.TLS != nil {
		errs = append(errs, s.TLS.validate(path.Child("tls"))...)
	}
	errs = append(errs, s.ServiceAccount.validate(path.Child("serviceAccount"))...)
	errs = append(errs, validateLabels(path.Child("labels"), s.Labels)...)
	errs = append(errs, validateAnnotations(path.Child("annotations"), s.Annotations, true)...)
	for _, key := range slices.Sorted(maps.Keys(s.NodeSelector)) {
		errs = append(errs, validateLabel(child(path.Child("nodeSelector"), key), key, s.NodeSelector[key])...)
	}
	for i, toleration := range s.Tolerations {
		errs = append(errs, validateToleration(path.Child("tolerations").Index(i), toleration)...)
	}
	for i, arg := range s.Args {
		if detail := s.validateArg(arg); detail != "" {
			invalid(path.Child("args").Index(i), detail)
		}
	}
	return errs
}

// problem returns an error with that detail, and without the value.
func problem(path *field.Path, detail string) *field.Error {
	return field.Invalid(path, field.OmitValueType{}, detail)
}

// IsPlainName reports whether a name consists of letters, digits, dashes and underscores. In the path of a field, any other name
// is put in brackets.
func IsPlainName(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_'
	})
}

// child returns the path of an element with a user-defined name.
func child(path *field.Path, name string) *field.Path {
	if IsPlainName(name) {
		return path.Child(name)
	}
	return path.Key(name)
}

func oneOf[T ~string](path *field.Path, value T, known ...T) field.ErrorList {
	if slices.Contains(known, value) {
		return nil
	}
	names := make([]string, len(known))
	for i, name := range known {
		names[i] = string(name)
	}
	_, hint := nearest.Hint(string(value), names)
	return field.ErrorList{problem(path, "is unknown; "+hint+"use one of "+strings.Join(names, ", "))}
}

// PasswordSources are all sources of a password.
var PasswordSources = []PasswordSource{InCluster, Existing, External}

func (p *Password) validate(path *field.Path) field.ErrorList {
	errs := oneOf(path.Child("source"), *p.Source, PasswordSources...)
	errs = append(errs, validateImage(path.Child("image"), *p.Image)...)
	return append(errs, validateResources(path.Child("resources"), p.Resources.Requests, p.Resources.Limits, "16Mi")...)
}

// bucketURL matches an object store, a bucket or container, and a prefix, as Dragonfly v1.40 accepts them for --dir.
var bucketURL = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(s3|gs|az)://[a-z0-9][a-z0-9._-]*(/[A-Za-z0-9_=][A-Za-z0-9._=-]*)*/?$`)
})

func (s *Storage) validate(path *field.Path) field.ErrorList {
	errs := oneOf(path.Child("type"), *s.Type, OnVolume, NoStorage, InBucket)
	invalid := func(name, detail string) { errs = append(errs, problem(path.Child(name), detail)) }
	switch {
	case s.Bucket != nil && !bucketURL().MatchString(*s.Bucket):
		invalid("bucket", "is not a valid bucket URL; write s3://, gs:// or az://, the bucket's name and an optional prefix, such as s3://backups/dragonfly")
	case s.Bucket != nil && *s.Type != InBucket:
		invalid("bucket", "has no effect with storage.type: "+string(*s.Type)+"; set it to Bucket, or remove the bucket")
	case s.Bucket == nil && *s.Type == InBucket:
		invalid("bucket", "is missing; set the bucket for the snapshots, such as s3://backups/dragonfly")
	}
	fits := true
	for _, bound := range []struct {
		name  string
		value *int32
	}{{"minGB", s.MinGB}, {"maxGB", s.MaxGB}, {"defaultGB", s.DefaultGB}} {
		if bound.value != nil && *bound.value < 1 {
			fits = false
			invalid(bound.name, "is too small; use 1 (GiB) or more")
		}
	}
	switch {
	case !fits:
	case s.MaxGB != nil && *s.MinGB > *s.MaxGB:
		invalid("minGB", "is larger than maxGB; lower it, or raise maxGB")
	case !s.Allows(*s.DefaultGB):
		invalid("defaultGB", "is outside the bounds; use "+s.Bounds()+", or change minGB or maxGB")
	}
	return errs
}

// Bounds returns the sizes of a volume that a claim may ask for, for messages.
func (s *Storage) Bounds() string {
	if s.MaxGB == nil {
		return fmt.Sprintf("%d (GiB) or more", *s.MinGB)
	}
	return fmt.Sprintf("%d to %d (GiB)", *s.MinGB, *s.MaxGB)
}

// Allows reports whether a claim may ask for a volume of this size, in GiB.
func (s *Storage) Allows(gb int32) bool {
	return gb >= *s.MinGB && (s.MaxGB == nil || gb <= *s.MaxGB)
}

func (s *ProfileSpec) validateSizes(path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for _, name := range slices.Sorted(maps.Keys(s.Sizes)) {
		at, size := child(path.Child("sizes"), name), s.Sizes[name]
		if name == "" || len(validation.IsValidLabelValue(name)) > 0 {
			errs = append(errs, problem(at, "is not a valid size name; use letters, digits, dashes, underscores and dots, with a letter or digit at both ends"))
		}
		errs = append(errs, size.validate(at)...)
	}
	if _, found := s.Sizes[*s.DefaultSize]; !found {
		errs = append(errs, oneOf(path.Child("defaultSize"), *s.DefaultSize, s.SizeNames()...)...)
	}
	return errs
}

// maxThreads is more than any machine has CPUs, and more than Dragonfly supports.
const maxThreads = 1024

func (s Size) validate(path *field.Path) field.ErrorList {
	var errs field.ErrorList
	invalid := func(at *field.Path, detail string) { errs = append(errs, problem(at, detail)) }
	limits := path.Child("limits")
	if s.Threads != nil && (*s.Threads < 1 || *s.Threads > maxThreads) {
		invalid(path.Child("threads"), "is out of range; use 1 to 1024")
	}
	if s.MaxMemoryPercent != nil && (*s.MaxMemoryPercent < 1 || *s.MaxMemoryPercent > maxSafePercent) {
		invalid(path.Child("maxMemoryPercent"), "is out of range; use 1 to 80, and 70 or less to be safe")
	}
	for _, limit := range []struct {
		name   string
		amount *resource.Quantity
		isFree bool
	}{{"cpu", s.Limits.CPU, s.Threads != nil}, {"memory", s.Limits.Memory, false}} {
		switch {
		case limit.amount == nil && !limit.isFree:
			invalid(limits.Child(limit.name), "is missing, but a size needs a memory limit, and a CPU limit or threads; set it")
		case limit.amount != nil && limit.amount.IsZero(): // this means no limit, which must be expressed differently
			invalid(limits.Child(limit.name), "is too small; raise it, or remove it and set threads for a size without this limit")
		}
	}
	if len(errs) > 0 {
		return errs
	}
	if errs = validateResources(path, s.Requests, s.Limits, "1Mi"); len(errs) > 0 { // 512m of memory is half a byte
		return errs
	}
	if s.MaxMemory()/MinMemoryPerThread < s.ThreadCount() {
		invalid(limits, fmt.Sprintf("Dragonfly would exit at start: it needs 256 MiB for each of its %d threads, but gets %d MiB in all (%d%% of the memory limit); raise the memory limit, or lower the CPU limit or the threads",
			s.ThreadCount(), s.MaxMemory()>>20, s.MemoryPercent()))
	}
	return errs
}

// validateResources validates the requests and limits of a container. Either may be absent.
func validateResources(path *field.Path, requests, limits Resources, leastMemory string) field.ErrorList {
	var errs field.ErrorList
	invalid := func(list, name, detail string) {
		errs = append(errs, problem(path.Child(list, name), detail))
	}
	for _, r := range []struct {
		name           string
		request, limit *resource.Quantity
		least          string
	}{{"cpu", requests.CPU, limits.CPU, "1m"}, {"memory", requests.Memory, limits.Memory, leastMemory}} {
		least := resource.MustParse(r.least)
		switch {
		case r.limit != nil && r.limit.Cmp(resource.MustParse("1Pi")) > 0: // more than any machine has, and than our arithmetic can handle
			invalid("limits", r.name, "is larger than 1Pi; use a smaller value")
		case r.request != nil && r.request.Cmp(resource.MustParse("1Pi")) > 0:
			invalid("requests", r.name, "is larger than 1Pi; use a smaller value")
		case r.limit != nil && r.limit.Cmp(least) < 0:
			invalid("limits", r.name, "is too small; use "+r.least+" or more")
		case r.request != nil && r.request.Cmp(least) < 0:
			invalid("requests", r.name, "is too small; use "+r.least+" or more")
		case r.request != nil && r.limit != nil && r.request.Cmp(*r.limit) > 0:
			invalid("requests", r.name, "is above the limit; lower it, or raise the limit")
		}
	}
	return errs
}

// The keys of the connection Secret. The password Secret only has PasswordKey.
const (
	EndpointKey = "endpoint"
	PortKey     = "port"
	PasswordKey = "password"
)

func (c *ConnectionSecret) validate(path *field.Path) field.ErrorList {
	errs := append(validateLabels(path.Child("labels"), c.Labels), validateAnnotations(path.Child("annotations"), c.Annotations, true)...)
	invalid := func(at *field.Path, detail string) { errs = append(errs, problem(at, detail)) }
	for _, key := range slices.Sorted(maps.Keys(c.ExtraKeys)) {
		at := child(path.Child("extraKeys"), key)
		switch {
		case len(validation.IsConfigMapKey(key)) > 0:
			invalid(at, "is not a valid Secret key; use letters, digits, dashes, underscores and dots")
		case key == EndpointKey || key == PortKey || key == PasswordKey:
			invalid(at, "is a key that every connection Secret already has; use another name")
		}
		for _, word := range Words(c.ExtraKeys[key]) {
			if !slices.Contains(ConnectionPlaceholders, word) {
				hint := ""
				if near := nearest.To(word, ConnectionPlaceholders); near != "" {
					hint = "did you mean {" + near + "}? "
				}
				invalid(at, "has an unknown placeholder; "+hint+"the placeholders are {"+strings.Join(ConnectionPlaceholders, "} {")+"}")
				break
			}
		}
	}
	switch at := path.Child("type"); {
	case *c.Type == "":
		invalid(at, "is empty; set a type, such as servicebinding.io/redis, or remove it")
	case strings.HasPrefix(*c.Type, "kubernetes.io/"):
		invalid(at, "is a built-in type of Kubernetes, which requires other keys; use another type, such as servicebinding.io/redis")
	case len(validation.IsQualifiedName(*c.Type)) > 0:
		invalid(at, "is not a valid Secret type; use letters, digits, dashes, underscores and dots, optionally with a domain and a slash in front")
	}
	return errs
}

func (t *TLS) validate(path *field.Path) field.ErrorList {
	var errs field.ErrorList
	invalid := func(at *field.Path, detail string) { errs = append(errs, problem(at, detail)) }
	name := path.Child("secretName")
	if t.SecretName == nil {
		return field.ErrorList{problem(name, "is missing; set the name of the Secret that contains tls.crt and tls.key, such as {name}-tls")}
	}
	switch filled := shortest(*t.SecretName); {
	case len(validation.IsDNS1123Subdomain(filled)) > 0:
		invalid(name, "is not a valid Secret name; use lower case letters, digits, dashes and dots, such as {name}-tls")
	case filled == "n-password" || filled == "n-conn":
		invalid(name, "is the name of another Secret of every instance; use another name, such as {name}-tls")
	case t.IssuerRef != nil && !strings.Contains(*t.SecretName, "{name}"):
		invalid(name, "is the same for all instances in a namespace, but with issuerRef each has its own certificate; include {name}, as in {name}-tls")
	}
	if t.IssuerRef == nil {
		return errs
	}
	for _, ref := range []struct{ name, value string }{{"name", t.IssuerRef.Name}, {"kind", *t.IssuerRef.Kind}, {"group", *t.IssuerRef.Group}} {
		if len(validation.IsDNS1123Subdomain(strings.ToLower(shortest(ref.value)))) > 0 {
			invalid(path.Child("issuerRef", ref.name), "is missing or not valid; set the cert-manager issuer that signs the certificates")
		}
	}
	// Issuers of other groups have other kinds, and a placeholder becomes a kind only with the claim.
	if kind := *t.IssuerRef.Kind; len(errs) == 0 && *t.IssuerRef.Group == "cert-manager.io" && shortest(kind) == kind {
		errs = oneOf(path.Child("issuerRef", "kind"), kind, "Issuer", "ClusterIssuer")
	}
	return errs
}

func (s *ServiceAccount) validate(path *field.Path) field.ErrorList {
	errs := validateAnnotations(path.Child("annotations"), s.Annotations, false)
	switch {
	case s.Name == nil:
	case len(validation.IsDNS1123Subdomain(shortest(*s.Name))) > 0:
		errs = append(errs, problem(path.Child("name"), "is not a valid name; use the name of a ServiceAccount in the instance's namespace, with lower case letters, digits, dashes and dots"))
	case len(s.Annotations) > 0:
		errs = append(errs, problem(path.Child("annotations"), "cannot be combined with serviceAccount.name, which names a ServiceAccount of yours; annotate that one"))
	}
	return errs
}

// OwnLabels returns the labels of every object of an instance: app, which selectors use, and the recommended labels. Nothing
// else may set them.
func OwnLabels(name string) map[string]string {
	return map[string]string{
		"app":                         name,
		"app.kubernetes.io/name":      "dragonfly",
		"app.kubernetes.io/instance":  name,
		"app.kubernetes.io/component": "database",
		ManagedByLabel:                ManagedBy,
	}
}

// IsOwnLabel reports whether a label is one of OwnLabels.
func IsOwnLabel(key string) bool {
	_, own := OwnLabels("")[key]
	return own
}

// ManagedByLabel is the recommended label for the tool that manages an object, and ManagedBy is its value on
// ours.
const (
	ManagedByLabel = "app.kubernetes.io/managed-by"
	ManagedBy      = "dragonfly-generator"
)

// validateLabels validates labels of objects, which include Secrets.
func validateLabels(path *field.Path, labels map[string]string) field.ErrorList {
	var errs field.ErrorList
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		at := child(path, key)
		if IsOwnLabel(key) {
			errs = append(errs, problem(at, "is a label that every object gets from its claim; remove it"))
			continue
		}
		errs = append(errs, validateLabel(at, key, shortest(labels[key]))...)
		errs = append(errs, refuseReplacing(at, key, labels[key])...)
	}
	return errs
}

func validateLabel(path *field.Path, key, value string) field.ErrorList {
	if detail := InvalidLabel(key, value); detail != "" {
		return field.ErrorList{problem(path, detail)}
	}
	return nil
}

// InvalidLabel returns why Kubernetes would refuse a label, or "".
func InvalidLabel(key, value string) string {
	switch {
	case len(validation.IsQualifiedName(key)) > 0:
		return "is not a valid label name; use at most 63 letters, digits, dashes, underscores and dots, optionally with a domain and a slash in front"
	case len(validation.IsValidLabelValue(value)) > 0:
		return "is not a valid label value; use at most 63 letters, digits, dashes, underscores and dots, with a letter or digit at both ends"
	}
	return ""
}

// validateAnnotations validates annotations of objects, which may include Secrets.
func validateAnnotations(path *field.Path, annotations map[string]string, ofSecrets bool) field.ErrorList {
	var errs field.ErrorList
	for _, key := range slices.Sorted(maps.Keys(annotations)) {
		at := child(path, key)
		if detail := InvalidAnnotation(key); detail != "" {
			errs = append(errs, problem(at, detail))
		} else if ofSecrets {
			errs = append(errs, refuseReplacing(at, key, annotations[key])...)
		}
	}
	return errs
}

// InvalidAnnotation returns why users must not set an annotation, or "".
func InvalidAnnotation(key string) string {
	domain, _, _ := strings.Cut(key, "/")
	switch {
	case len(validation.IsQualifiedName(strings.ToLower(key))) > 0:
		return "is not a valid annotation name; use at most 63 letters, digits, dashes, underscores and dots, optionally with a domain and a slash in front"
	case domain == Group:
		return "is in the group " + Group + ", which this function sets itself; remove it"
	case IsBookkeeping(key):
		return "is bookkeeping of kustomize or kpt; remove it"
	}
	return ""
}

// IsBookkeeping reports whether an annotation is for the internal use of kustomize or kpt, so that nothing else may set it on
// our objects.
func IsBookkeeping(annotation string) bool {
	switch annotation {
	case "config.kubernetes.io/depends-on", "config.kubernetes.io/apply-time-mutation": // set by users for `kpt live apply`
		return false
	}
	domain, _, _ := strings.Cut(annotation, "/")
	return domain == "config.kubernetes.io" || strings.HasSuffix(domain, ".config.kubernetes.io") ||
		domain == "config.k8s.io" || strings.HasSuffix(domain, ".config.k8s.io") || domain == "internal.kpt.dev"
}

// The labels and annotations by which Argo CD, Flux and Helm replace an object as a whole. A hook is deleted before it is
// created again.
const (
	argoHook        = "argocd.argoproj.io/hook"
	argoSyncOptions = "argocd.argoproj.io/sync-options"
	helmHook        = "helm.sh/hook"
	fluxForce       = "kustomize.toolkit.fluxcd.io/force"
)

// refuseReplacing reports a label or annotation of Secrets that makes an applier replace the live Secret with the manifest,
// which has no password.
func refuseReplacing(path *field.Path, key, value string) field.ErrorList {
	if WithoutReplacing(key, value) == value {
		return nil
	}
	remedy := "set it in overrides.statefulSet.metadata or overrides.service.metadata, which Secrets do not get"
	if key == argoHook || key == helmHook { // there, it would recreate the StatefulSet or the Service at every sync
		remedy = "remove it"
	}
	return field.ErrorList{problem(path, "would make appliers replace the live Secrets with the manifests, which contain no password; "+remedy)}
}

// WithoutReplacing returns the value of a label or annotation without the parts that make an applier replace the whole
// object.
func WithoutReplacing(key, value string) string {
	switch key {
	case argoHook, helmHook:
		return ""
	case fluxForce:
		if strings.EqualFold(value, "enabled") { // as Flux compares it
			return ""
		}
	case argoSyncOptions:
		options := strings.Split(value, ",")
		harmless := slices.DeleteFunc(slices.Clone(options), func(option string) bool {
			option = strings.TrimSpace(option)
			return option == "Replace=true" || option == "Force=true"
		})
		if len(harmless) < len(options) {
			return strings.Join(harmless, ",")
		}
	}
	return value
}

func validateToleration(path *field.Path, t corev1.Toleration) field.ErrorList {
	var errs field.ErrorList
	invalid := func(name, detail string) { errs = append(errs, problem(path.Child(name), detail)) }
	errs = append(errs, oneOf(path.Child("operator"), cmp.Or(t.Operator, corev1.TolerationOpEqual), corev1.TolerationOpExists, corev1.TolerationOpEqual)...)
	errs = append(errs, oneOf(path.Child("effect"), cmp.Or(t.Effect, corev1.TaintEffectNoSchedule), corev1.TaintEffectNoSchedule, corev1.TaintEffectPreferNoSchedule, corev1.TaintEffectNoExecute)...)
	switch {
	case t.Key == "" && t.Operator != corev1.TolerationOpExists:
		invalid("key", "is missing; set the key of the taint, or operator: Exists for all taints")
	case t.Key != "":
		errs = append(errs, validateLabel(path.Child("key"), t.Key, t.Value)...)
	}
	if t.Operator == corev1.TolerationOpExists && t.Value != "" {
		invalid("value", "has no effect with operator: Exists; remove one of them")
	}
	if t.TolerationSeconds != nil && t.Effect != corev1.TaintEffectNoExecute {
		invalid("tolerationSeconds", "needs effect: NoExecute; set it, or remove tolerationSeconds")
	}
	return errs
}
