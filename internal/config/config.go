// Package config holds what a platform team sets once for all instances.
package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/decode"
	"github.com/bizmatters/dragonfly-generator/internal/instance"
	"github.com/bizmatters/dragonfly-generator/internal/krm"
	"github.com/bizmatters/dragonfly-generator/internal/report"
	"github.com/bizmatters/dragonfly-generator/internal/yamlnode"
)

// Config is the configuration with its defaults filled in.
type Config struct {
	// Image is pinned: what runs must not change because a registry did.
	Image            string
	ImagePullPolicy  corev1.PullPolicy
	ImagePullSecrets []string
	ClusterDomain    string
	// StorageClassName cannot change on a live instance. It is "" for the cluster's default class.
	StorageClassName string
	// SnapshotCron is when Dragonfly writes a snapshot, in five plain fields; "" for never.
	SnapshotCron string
	DefaultSize  string
	Sizes        instance.Sizes
	Storage      Storage
	Password     PasswordPolicy
	// ExtraKeys are further keys of the connection Secret, as templates; see Placeholders.
	ExtraKeys    map[string]string
	NodeSelector map[string]string
	Tolerations  []corev1.Toleration
	// Labels and Annotations go to the metadata of every object.
	Labels      map[string]string
	Annotations map[string]string
	// CarryAnnotations are the names of a claim's annotations that go to its objects.
	CarryAnnotations []string
	// Args are further flags of Dragonfly.
	Args      []string
	Overrides Overrides
	Backend   v1alpha1.Backend
	// Replicas are the pods of an instance. With the StatefulSet it is 1.
	Replicas int

	// SizesUnclear says that a problem with Sizes was reported, so that a claim may be right that names one
	// which is not there.
	SizesUnclear bool
}

// Storage bounds what a claim may ask for, in GiB.
type Storage struct {
	MinGB, DefaultGB int
	MaxGB            int // 0 for no bound
}

// PasswordPolicy is where a password comes from that is not there yet.
type PasswordPolicy struct {
	Source v1alpha1.PasswordSource
	// Stated reports that somebody has chosen the source.
	Stated bool
	// Image is that of the init container that makes the password in the cluster: this program's own.
	Image string
	// SeedSecret names the Secret in the items, and SeedKey the key in it, that holds the seed. Zero for
	// none: the seed comes from the environment or not at all.
	SeedSecret krm.ID
	SeedKey    string
}

// Overrides are strategic merge patches, nil for none.
type Overrides struct {
	StatefulSet, Service, Dragonfly *yaml.Node
}

// syncWave is the one annotation of a claim that goes to its objects without being configured: it
// orders an Argo CD sync, and the objects stand in the claim's place.
const syncWave = "argocd.argoproj.io/sync-wave"

// Default returns what holds without a configuration.
func Default() Config {
	return Config{
		Image:            "docker.dragonflydb.io/dragonflydb/dragonfly:v1.40.1",
		ImagePullPolicy:  corev1.PullIfNotPresent,
		ClusterDomain:    "cluster.local",
		StorageClassName: "local-path",
		SnapshotCron:     "*/30 * * * *",
		DefaultSize:      "small",
		Sizes:            instance.DefaultSizes(),
		Storage:          Storage{MinGB: 1, DefaultGB: 10},
		NodeSelector:     map[string]string{"workload-type": "stateful"},
		Password:         PasswordPolicy{Source: v1alpha1.InCluster, Image: "ghcr.io/bizmatters/dragonfly-generator:v0.1.0"},
		CarryAnnotations: []string{syncWave},
		Backend:          v1alpha1.StatefulSet,
		Replicas:         1,
	}
}

// Read returns the configuration that the functionConfig holds, with the defaults for what it does not
// say, and reports what is wrong with it. A claim as functionConfig, or none at all, is the default
// configuration.
func Read(functionConfig *krm.Item, results *report.Results) Config {
	if functionConfig == nil || functionConfig.Group == v1alpha1.Group && functionConfig.Kind == v1alpha1.ClaimKind {
		return Default()
	}
	r := reader{Object: decode.Object{Item: functionConfig, Results: results}, path: "spec", Config: Default()}
	switch {
	case functionConfig.APIVersion == v1alpha1.APIVersion && functionConfig.Kind == v1alpha1.ConfigKind:
		var object v1alpha1.DragonflyGenerator
		r.Decode(r.Plain(), "", &object)
		r.spec(object.Spec)
	case functionConfig.APIVersion == "v1" && functionConfig.Kind == "ConfigMap":
		r.path = "data"
		r.spec(r.configMap(r.Plain()))
	default:
		r.Errorf(report.Field{Path: "kind"}, "this function takes a %s or a %s of %s as its functionConfig, or a ConfigMap with plain values; write one of them",
			v1alpha1.ConfigKind, v1alpha1.ClaimKind, v1alpha1.APIVersion)
	}
	return r.Config
}

// reader reads a configuration, field by field, into Config.
type reader struct {
	decode.Object
	Config

	path string // of the fields: spec, or data in a ConfigMap
}

// at returns a field of the configuration. Paths end in names that people give, which can be anything.
func (r *reader) at(path string) report.Field { return report.Field{Path: r.path + "." + path} }

// configMap returns the plain values that a ConfigMap can hold. kpt makes one from `configMap:`, and an
// empty one where it was given nothing.
func (r *reader) configMap(n *yaml.Node) v1alpha1.DragonflyGeneratorSpec {
	var spec v1alpha1.DragonflyGeneratorSpec
	if !yamlnode.IsNull(yamlnode.Get(n, "binaryData")) {
		r.Errorf(report.Field{Path: "binaryData"}, "is not read; write plain strings under data")
	}
	data := r.Mapping(n, "data")
	if data == nil {
		return spec
	}
	plain := plainFields()
	all := decode.Fields(reflect.TypeFor[v1alpha1.DragonflyGeneratorSpec]())
	allowed := &yaml.Node{Kind: yaml.MappingNode}
	for i := 0; i+1 < len(data.Content); i += 2 {
		if name := data.Content[i].Value; slices.Contains(all, name) && !slices.Contains(plain, name) {
			r.Errorf(r.at(name), "cannot be set in a ConfigMap, which holds plain strings; write a %s of %s", v1alpha1.ConfigKind, v1alpha1.APIVersion)
			continue
		}
		allowed.Content = append(allowed.Content, data.Content[i], data.Content[i+1])
	}
	r.Decode(allowed, "data", &spec)
	return spec
}

// plainFields are those of the configuration that are strings.
func plainFields() []string {
	var names []string
	for field := range reflect.TypeFor[v1alpha1.DragonflyGeneratorSpec]().Fields() {
		if t := field.Type; t.Kind() == reflect.Pointer && t.Elem().Kind() == reflect.String {
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			names = append(names, name)
		}
	}
	return names
}

// spec takes over what is set, and judges it.
func (r *reader) spec(spec v1alpha1.DragonflyGeneratorSpec) {
	if spec.Image != nil {
		r.image(*spec.Image)
	}
	if spec.ImagePullPolicy != nil {
		r.ImagePullPolicy = *spec.ImagePullPolicy
		oneOf(r, "imagePullPolicy", r.ImagePullPolicy, corev1.PullAlways, corev1.PullIfNotPresent, corev1.PullNever)
	}
	for i, secret := range spec.ImagePullSecrets {
		path := decode.Element("imagePullSecrets", i)
		if len(validation.IsDNS1123Subdomain(secret.Name)) > 0 && !r.HasProblemIn(r.path+"."+path) {
			r.Errorf(r.at(path+".name"), "is missing or no name of a Secret; write the name of one that holds the registry's password")
		}
		r.ImagePullSecrets = append(r.ImagePullSecrets, secret.Name)
	}
	if spec.ClusterDomain != nil {
		r.ClusterDomain = *spec.ClusterDomain
		if len(validation.IsDNS1123Subdomain(r.ClusterDomain)) > 0 {
			r.Errorf(r.at("clusterDomain"), "is no domain; write lower case letters, digits, dashes and dots, such as cluster.local, without a dot at its end")
		}
	}
	if spec.StorageClassName != nil {
		r.StorageClassName = *spec.StorageClassName
		if r.StorageClassName != "" && len(validation.IsDNS1123Subdomain(r.StorageClassName)) > 0 {
			r.Errorf(r.at("storageClassName"), "is no name of a storage class; write lower case letters, digits, dashes and dots, or \"\" for the cluster's default class")
		}
	}
	if spec.SnapshotCron != nil {
		r.snapshotCron(*spec.SnapshotCron)
	}
	r.backend(spec)
	r.sizes(spec)
	r.storage(spec.Storage)
	r.password(spec.Password)
	r.extraKeys(spec.ConnectionSecret.ExtraKeys)
	r.metadata(spec)
	r.pods(spec)
	r.args(spec.Args)
	r.overrides(spec.Overrides)
}

// oneOf reports a value that is not one of those that there are. It does not show it: somebody may have
// put a secret there.
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
	r.Errorf(field, "is unknown; %swrite one of %s", hint, strings.Join(names, ", "))
}
