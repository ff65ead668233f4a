// Package config reads the configuration of a platform team: the settings for all instances, and for those of
// each profile.
package config

import (
	"fmt"
	"iter"
	"maps"
	"reflect"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/decode"
	"github.com/bizmatters/dragonfly-generator/internal/instance"
	"github.com/bizmatters/dragonfly-generator/internal/krm"
	"github.com/bizmatters/dragonfly-generator/internal/report"
	"github.com/bizmatters/dragonfly-generator/internal/yamlnode"
)

// Platform is the configuration of instances without a profile, and of those of each profile.
type Platform struct {
	Config
	// ProfilesUnclear reports that some profiles could not be read, so a claim with an unknown profile may be
	// correct.
	ProfilesUnclear bool

	profiles map[string]Config
}

// For returns the configuration of a profile, or of instances without one for "".
func (p Platform) For(profile string) (Config, bool) {
	if profile == "" {
		return p.Config, true
	}
	cfg, found := p.profiles[profile]
	return cfg, found
}

// Profiles returns the names of the profiles, in their order.
func (p Platform) Profiles() []string { return slices.Sorted(maps.Keys(p.profiles)) }

// All iterates over the configurations, each with the name of its profile: first that of all instances.
func (p Platform) All() iter.Seq2[string, Config] {
	return func(yield func(string, Config) bool) {
		for _, name := range append([]string{""}, p.Profiles()...) {
			if cfg, _ := p.For(name); !yield(name, cfg) {
				return
			}
		}
	}
}

// Path returns the path of a profile's fields in the configuration.
func Path(profile string) string {
	if profile == "" {
		return "spec"
	}
	return decode.Join("spec.profiles", profile)
}

// Config is the configuration of an instance with its defaults filled in.
type Config struct {
	// Image is pinned, so that a change in a registry does not change what runs.
	Image            string
	ImagePullPolicy  corev1.PullPolicy
	ImagePullSecrets []string
	ClusterDomain    string
	// StorageClassName cannot be changed on a live instance. It is "" for the cluster's default class.
	StorageClassName string
	// SnapshotCron is when Dragonfly writes a snapshot, in five plain fields; "" for never.
	SnapshotCron string
	DefaultSize  string
	Sizes        instance.Sizes
	Storage      Storage
	Password     PasswordPolicy
	Connection   ConnectionSecret
	TLS          TLS
	// ServiceAccount is the name of a ServiceAccount that the platform made; "" for one of the instance's own.
	ServiceAccount string
	// ServiceAccountAnnotations are the annotations of the pods' ServiceAccount. If there are any, each
	// instance has one.
	ServiceAccountAnnotations map[string]string

	NodeSelector map[string]string
	Tolerations  []corev1.Toleration
	// Labels and Annotations go to the metadata of every object.
	Labels      map[string]string
	Annotations map[string]string
	// CarryAnnotations are the names of a claim's annotations that go to its objects.
	CarryAnnotations []string
	// Args are further flags of Dragonfly.
	Args         []string
	Overrides    Overrides
	ExtraObjects []ExtraObject
	Backend      v1alpha1.Backend
	// Replicas are the pods of an instance. With the StatefulSet it is 1.
	Replicas int

	// SizesUnclear reports that some sizes could not be read, so a claim with an unknown size may be correct.
	SizesUnclear bool
}

// Storage configures where the data is stored, and the bounds of a volume in GiB.
type Storage struct {
	Type v1alpha1.StorageType
	// Bucket is the URL prefix of all snapshots, without a trailing slash.
	Bucket string

	MinGB, DefaultGB int
	MaxGB            int // 0 for no bound
}

// TLS is the TLS configuration; zero for connections without TLS.
type TLS struct {
	SecretName string
	// Issuer is the cert-manager issuer that creates the Secret, if any.
	Issuer Issuer
	// Reload reports that the pod has a sidecar that has the server read a renewed certificate.
	Reload bool
}

// IsOn reports whether clients connect with TLS.
func (t TLS) IsOn() bool { return t.SecretName != "" }

// Issuer names an issuer of cert-manager.
type Issuer struct {
	Group, Kind, Name string
}

// PasswordPolicy says who makes the password of an instance.
type PasswordPolicy struct {
	Source v1alpha1.PasswordSource
	// Image is the image of the init container that brings the server its password.
	Image string
	// Requests and Limits are the resources of that container.
	Requests, Limits instance.Resources
}

// ConnectionSecret configures the Secret that applications read.
type ConnectionSecret struct {
	// ExtraKeys are further keys, as templates; see ConnectionPlaceholders.
	ExtraKeys map[string]string
	// Labels and Annotations are those of this Secret alone.
	Labels, Annotations map[string]string
	Type                corev1.SecretType
}

// Overrides are strategic merge patches, in the order in which they apply.
type Overrides struct {
	StatefulSet, Service, Dragonfly []Patch
}

// Patch is a strategic merge patch.
type Patch struct {
	Path string // in the configuration
	Node *yaml.Node
}

// ExtraObject is the template of an object that every instance gets.
type ExtraObject struct {
	Path string // in the configuration
	Node *yaml.Node
}

// syncWave is the one annotation of a claim that goes to its objects without being configured: it
// orders an Argo CD sync, and the objects stand in the claim's place.
const syncWave = "argocd.argoproj.io/sync-wave"

// Default returns the default configuration.
func Default() Config {
	return Config{
		Image:            "docker.dragonflydb.io/dragonflydb/dragonfly:v1.40.1",
		ImagePullPolicy:  corev1.PullIfNotPresent,
		ClusterDomain:    "cluster.local",
		StorageClassName: "local-path",
		SnapshotCron:     "*/30 * * * *",
		DefaultSize:      "small",
		Sizes:            instance.DefaultSizes(),
		Storage:          Storage{Type: v1alpha1.OnVolume, MinGB: 1, DefaultGB: 10},
		NodeSelector:     map[string]string{"workload-type": "stateful"},
		Password: PasswordPolicy{
			Source: v1alpha1.InCluster, Image: "ghcr.io/bizmatters/dragonfly-generator:v0.1.0",
			Requests: prepareResources(), Limits: prepareResources(),
		},
		Connection:       ConnectionSecret{Type: corev1.SecretTypeOpaque},
		CarryAnnotations: []string{syncWave},
		Backend:          v1alpha1.StatefulSet,
		Replicas:         1,
	}
}

// Read returns the configuration in the functionConfig, with defaults for what is not set. It reports all
// problems, including those in profiles that no claim uses. If there is no functionConfig, or it is a claim,
// Read returns the default configuration.
func Read(functionConfig *krm.Item, results *report.Results) Platform {
	if functionConfig == nil || instance.IsClaim(functionConfig) {
		return Platform{Config: Default()}
	}
	r := reader{Object: decode.Object{Item: functionConfig, Results: results}, path: "spec", Config: Default()}
	var platform Platform
	switch {
	case functionConfig.APIVersion == v1alpha1.APIVersion && functionConfig.Kind == v1alpha1.ConfigKind:
		var object v1alpha1.DragonflyGenerator
		node := r.Plain()
		r.Decode(node, "", &object)
		r.layers = []layer{{r.path, yamlnode.Get(node, "spec")}}
		if holdsVariable(node) {
			results.FieldErrorf(functionConfig, report.Field{Path: "spec"}, "%s", VariableMessage)
			return Platform{Config: Default(), ProfilesUnclear: true}
		}
		r.carryAnnotations(object.Spec.CarryAnnotations)
		r.spec(object.Spec.ProfileSpec)
		platform.profiles = r.profiles(object.Spec)
		platform.ProfilesUnclear = node == nil || r.Misspelt("profiles") || r.Misspelt("spec") || r.HasProblemIn("spec.profiles")
	case functionConfig.APIVersion == "v1" && functionConfig.Kind == "ConfigMap":
		r.path = "data"
		r.spec(r.configMap(r.Plain()))
	case functionConfig.Group == v1alpha1.Group && functionConfig.Kind == v1alpha1.ConfigKind:
		r.Errorf(report.Field{Path: "apiVersion", Current: functionConfig.APIVersion, Proposed: v1alpha1.APIVersion}, "is not a version of %s; use %s", v1alpha1.ConfigKind, v1alpha1.APIVersion)
		platform.ProfilesUnclear = true
	default:
		r.Errorf(report.Field{Path: "kind"}, "is not a configuration of this function; use a %s or a %s of %s, or a ConfigMap with plain values",
			v1alpha1.ConfigKind, v1alpha1.ClaimKind, v1alpha1.APIVersion)
		platform.ProfilesUnclear = true
	}
	platform.Config = r.Config
	return platform
}

// reader reads a configuration, field by field, into Config.
type reader struct {
	decode.Object
	Config

	path string // of the fields: spec, that of a profile, or data in a ConfigMap
	// layers are what the fields come from: spec, and for a profile that profile.
	layers []layer
}

// layer is a mapping of the configuration, and where it stands.
type layer struct {
	path string
	node *yaml.Node
}

// at returns a field of the configuration. Paths can end in user-defined names, which may contain any
// character.
func (r *reader) at(path string) report.Field { return report.Field{Path: r.path + "." + path} }

// configMap returns the plain values that a ConfigMap can hold: those at the top by their names, those below with
// dots. kpt makes one from `configMap:`, and an empty one where it was given nothing.
func (r *reader) configMap(n *yaml.Node) v1alpha1.ProfileSpec {
	var spec v1alpha1.ProfileSpec
	if !yamlnode.IsNull(yamlnode.Get(n, "binaryData")) {
		r.Errorf(report.Field{Path: "binaryData"}, "is not supported; write plain strings under data")
	}
	plain := plainFields(reflect.TypeFor[v1alpha1.ProfileSpec](), "")
	all := decode.Fields(reflect.TypeFor[v1alpha1.DragonflyGeneratorSpec]())
	nested := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	for key, value := range yamlnode.Fields(r.Mapping(n, "data")) {
		top, _, _ := strings.Cut(key.Value, ".")
		switch {
		case slices.Contains(plain, key.Value):
			nest(nested, value, strings.Split(key.Value, ".")...)
		case slices.Contains(all, key.Value) || slices.Contains(all, top) && top != key.Value && decode.Nearest(key.Value, plain) == "":
			r.Errorf(r.at(key.Value), "cannot be set in a ConfigMap, which holds plain strings; use a %s of %s", v1alpha1.ConfigKind, v1alpha1.APIVersion)
		default:
			r.Known(&yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{key, value}}, "data", plain)
		}
	}
	r.Decode(nested, "data", &spec)
	return spec
}

// nest sets a field of n, and makes the mappings on the way to it.
func nest(n, value *yaml.Node, path ...string) {
	if len(path) == 1 {
		yamlnode.Set(n, path[0], value)
		return
	}
	inner := yamlnode.Get(n, path[0])
	if inner == nil {
		inner = &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
		yamlnode.Set(n, path[0], inner)
	}
	nest(inner, value, path[1:]...)
}

// plainFields are those of a type that are strings, by their paths.
func plainFields(t reflect.Type, path string) []string {
	var names []string
	for field := range t.Fields() {
		name, _ := decode.JSONName(field)
		of := field.Type
		if of.Kind() == reflect.Pointer {
			of = of.Elem()
		}
		switch of.Kind() {
		case reflect.String:
			names = append(names, path+name)
		case reflect.Struct:
			names = append(names, plainFields(of, path+name+".")...)
		}
	}
	return names
}

// spec reads and validates the fields that are set.
func (r *reader) spec(spec v1alpha1.ProfileSpec) {
	r.backend(spec)
	if spec.Image != nil {
		r.Image = *spec.Image
		r.dragonflyImage(r.Image)
	}
	if spec.ImagePullPolicy != nil {
		r.ImagePullPolicy = *spec.ImagePullPolicy
		oneOf(r, "imagePullPolicy", r.ImagePullPolicy, corev1.PullAlways, corev1.PullIfNotPresent, corev1.PullNever)
	}
	for i, secret := range spec.ImagePullSecrets {
		path := decode.Element("imagePullSecrets", i)
		if len(validation.IsDNS1123Subdomain(secret.Name)) > 0 && !r.HasProblemIn(r.path+"."+path) {
			r.Errorf(r.at(path+".name"), "is missing or not a valid Secret name; set the name of the Secret that holds the registry's password")
		}
		r.ImagePullSecrets = append(r.ImagePullSecrets, secret.Name)
	}
	if spec.ClusterDomain != nil {
		r.ClusterDomain = *spec.ClusterDomain
		if len(validation.IsDNS1123Subdomain(r.ClusterDomain)) > 0 {
			r.Errorf(r.at("clusterDomain"), "is not a valid domain; use lower case letters, digits, dashes and dots, without a dot at the end, such as cluster.local")
		}
	}
	if spec.StorageClassName != nil {
		r.StorageClassName = *spec.StorageClassName
		if r.StorageClassName != "" && len(validation.IsDNS1123Subdomain(r.StorageClassName)) > 0 {
			r.Errorf(r.at("storageClassName"), "is not a valid storage class name; use lower case letters, digits, dashes and dots, or \"\" for the cluster's default class")
		}
	}
	if spec.SnapshotCron != nil {
		r.snapshotCron(*spec.SnapshotCron)
	}
	r.sizes(spec)
	r.storage(spec.Storage)
	r.password(spec.Password)
	r.connectionSecret(spec.ConnectionSecret)
	r.tls(spec.TLS, spec.Args)
	r.serviceAccount(spec.ServiceAccount)
	r.metadata(spec)
	r.pods(spec)
	r.args(spec.Args)
	r.overrides()
	r.extraObjects()
}

// oneOf reports a value that is not among the known ones. It does not show the value, which may be a secret.
func oneOf[T ~string](r *reader, path string, value T, known ...T) {
	if slices.Contains(known, value) {
		return
	}
	names := make([]string, len(known))
	for i, name := range known {
		names[i] = string(name)
	}
	field, hint := r.at(path), ""
	if near := decode.Nearest(string(value), names); near != "" {
		field.Proposed, hint = near, fmt.Sprintf("did you mean %q? ", near)
	}
	r.Errorf(field, "is unknown; %suse one of %s", hint, strings.Join(names, ", "))
}
