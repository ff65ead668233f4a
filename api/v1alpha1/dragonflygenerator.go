package v1alpha1

import (
	"errors"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// DragonflyGenerator is the configuration that a platform team writes once for all instances: the
// functionConfig. Every field has a default.
type DragonflyGenerator struct {
	metav1.TypeMeta `json:",inline"`

	// Kustomize needs a name, and the annotation that specifies how to call the function. Everything else is
	// ignored.
	// +optional
	Metadata map[string]Ignored `json:"metadata,omitempty"`

	// The settings. A field that is not set keeps its default.
	// +optional
	Spec DragonflyGeneratorSpec `json:"spec,omitempty"`
}

// DragonflyGeneratorSpec holds the settings.
type DragonflyGeneratorSpec struct {
	ProfileSpec `json:",inline"`

	// Names of annotations that are copied from a claim to its objects, in addition to
	// `argocd.argoproj.io/sync-wave` and those that protect from deletion.
	// +kubebuilder:example={example.com/cost-center}
	// +optional
	CarryAnnotations []string `json:"carryAnnotations,omitempty"`

	// Kinds of instances that the platform offers, by name. A claim selects one with the annotation
	// `database.bizmatters.io/profile`. A profile can set every field above except `carryAnnotations`. Its
	// fields replace those above one by one, and lists and maps as a whole; a null resets a field to its
	// default. Only `overrides` and `extraObjects` are added to those above.
	// +kubebuilder:example={cache: {storage: {type: None}, args: {"--cache_mode=true"}}}
	// +optional
	Profiles map[string]ProfileSpec `json:"profiles,omitempty"`
}

// ProfileSpec holds the settings that apply to all instances or to those of one profile.
type ProfileSpec struct {
	// Container image of Dragonfly. Pin a release: with a tag that moves, a restart can change the version.
	// Images older than v1.38 have no `/healthz` and never become ready (not tried with `backend: Operator`, which has
	// another probe).
	// +kubebuilder:default="docker.dragonflydb.io/dragonflydb/dragonfly:v1.40.1"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:example="registry.example.com/dragonfly:v1.40.1"
	// +optional
	Image *string `json:"image,omitempty"`

	// When a node pulls the image.
	// +kubebuilder:default=IfNotPresent
	// +kubebuilder:validation:Enum=Always;IfNotPresent;Never
	// +kubebuilder:example=Always
	// +optional
	ImagePullPolicy *corev1.PullPolicy `json:"imagePullPolicy,omitempty"`

	// Secrets for pulling the image, in the namespace of each instance.
	// +kubebuilder:example={{name: registry}}
	// +optional
	ImagePullSecrets []ObjectName `json:"imagePullSecrets,omitempty"`

	// DNS domain of the cluster. Every endpoint ends with it.
	// +kubebuilder:default=cluster.local
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:example=cluster.example.com
	// +optional
	ClusterDomain *string `json:"clusterDomain,omitempty"`

	// Storage class of the volumes; `""` for the cluster's default class. It cannot be changed for a live
	// instance.
	// +kubebuilder:default=local-path
	// +kubebuilder:validation:Pattern=`^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*)?$`
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:example=standard
	// +optional
	StorageClassName *string `json:"storageClassName,omitempty"`

	// When Dragonfly writes a snapshot, in addition to the one at shutdown: minute, hour, day of the month,
	// month and day of the week, as plain numbers with `*`, `,`, `-` and `/`; `""` for never.
	// +unit=UTC
	// +kubebuilder:default="*/30 * * * *"
	// +kubebuilder:example="0 3 * * *"
	// +optional
	SnapshotCron *string `json:"snapshotCron,omitempty"`

	// Size of a claim that does not set one.
	// +kubebuilder:default=small
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:example=micro
	// +optional
	DefaultSize *string `json:"defaultSize,omitempty"`

	// Sizes that claims can use: new ones, or other values for `micro`, `small`, `medium` and `large`. Values
	// of these four that are not set keep their defaults. A new size needs a memory limit, and a CPU limit or
	// `threads`; its requests default to its limits.
	// +kubebuilder:example={xlarge: {requests: {cpu: "2", memory: 4Gi}, limits: {cpu: "8", memory: 16Gi}}}
	// +optional
	Sizes map[string]Size `json:"sizes,omitempty"`

	// Where the data is stored, and the bounds for `storageGB` in claims.
	// +optional
	Storage Storage `json:"storage,omitempty"`

	// Who creates the password.
	// +optional
	Password Password `json:"password,omitempty"`

	// The Secret that applications read.
	// +optional
	ConnectionSecret ConnectionSecret `json:"connectionSecret,omitempty"`

	// TLS on the data port. Clients can then only connect with TLS, and `{scheme}` in the extra keys is
	// `rediss`.
	// +optional
	TLS *TLS `json:"tls,omitempty"`

	// ServiceAccount of the instance's pods.
	// +optional
	ServiceAccount ServiceAccount `json:"serviceAccount,omitempty"`

	// Labels of the nodes that the pods run on. A value replaces the default; `{}` for any node.
	// +kubebuilder:default={"workload-type": "stateful"}
	// +kubebuilder:example={disk: ssd}
	// +optional
	NodeSelector map[string]string `json:"nodeSelector,omitempty"`

	// Tolerations of the pods.
	// +kubebuilder:example={{key: dedicated, operator: Equal, value: cache, effect: NoSchedule}}
	// +optional
	Tolerations []corev1.Toleration `json:"tolerations,omitempty"`

	// Labels of every object, but not of the pods. A claim's own labels win over these. Placeholders:
	// `{name}`, `{namespace}` and `{endpoint}` of the instance.
	// +kubebuilder:example={team: platform}
	// +optional
	Labels map[string]string `json:"labels,omitempty"`

	// Annotations of every object, but not of the pods. Annotations copied from a claim win over these.
	// Placeholders as in `labels`.
	// +kubebuilder:example={example.com/owner: platform}
	// +optional
	Annotations map[string]string `json:"annotations,omitempty"`

	// Additional Dragonfly flags, one per element, as `--name=value`. Flags that the function sets itself are
	// refused, and so are those that would expose or bypass the password, or make the Service or the probes
	// fail: `requirepass`, `aclfile`, `flagfile`, `fromenv`, `tryfromenv`, `port`, `memcached_port`,
	// `primary_port_http_enabled`, and `bind` and `admin_bind` with any value but `0.0.0.0` and `::`.
	// Placeholders as in `labels`.
	// +kubebuilder:example={"--cache_mode=true"}
	// +optional
	Args []string `json:"args,omitempty"`

	// Strategic merge patches of the objects, for anything that has no field of its own. Placeholders as in
	// `labels`.
	// +optional
	Overrides Overrides `json:"overrides,omitempty"`

	// Additional objects, created for every instance in its namespace, such as a NetworkPolicy, a PodMonitor
	// or a second Service. Placeholders as in `labels`; the name must contain `{name}`. They get the labels
	// and annotations that all objects get. Secrets are refused.
	// +kubebuilder:example={{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: "{name}"}, spec: {podSelector: {matchLabels: {app: "{name}"}}}}}
	// +optional
	ExtraObjects []Object `json:"extraObjects,omitempty"`

	// What runs the instances: `StatefulSet`, with one pod per instance, or `Operator`, which leaves them to
	// the Dragonfly Operator, with replicas and failover.
	// +kubebuilder:default=StatefulSet
	// +kubebuilder:example=Operator
	// +optional
	Backend *Backend `json:"backend,omitempty"`

	// Pods of each instance, the master included. More than one needs `backend: Operator`.
	// +unit=pods
	// +kubebuilder:default=1
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=2147483647
	// +kubebuilder:example=2
	// +optional
	Replicas *int32 `json:"replicas,omitempty"`
}

// Backend is what runs an instance.
// +kubebuilder:validation:Enum=StatefulSet;Operator
type Backend string

const (
	// StatefulSet runs one pod in a StatefulSet of ours.
	StatefulSet Backend = "StatefulSet"
	// Operator writes a Dragonfly object, from which the Dragonfly Operator creates the rest.
	Operator Backend = "Operator"
)

// ObjectName names an object in the instance's namespace.
type ObjectName struct {
	// Name of the Secret.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:example=registry
	Name string `json:"name"`
}

// Size holds the resources of an instance.
type Size struct {
	// Resources that the scheduler reserves. They must not exceed the limits.
	// +optional
	Requests Resources `json:"requests,omitempty"`

	// Maximum resources that the instance can use. Dragonfly uses `maxMemoryPercent` of the memory for data,
	// and one thread per CPU, rounded up. It needs 256 MiB of memory for data per thread.
	// +optional
	Limits Resources `json:"limits,omitempty"`

	// Number of Dragonfly's threads. A size with `threads` needs no CPU limit, and has none unless
	// `limits.cpu` is set.
	// +unit=threads
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1024
	// +kubebuilder:example=2
	// +optional
	Threads *int32 `json:"threads,omitempty"`

	// Share of the memory limit that Dragonfly may fill with data, 70 by default. Dragonfly needs the rest to
	// load a snapshot: with more than 70, a full instance may be killed at every start.
	// +unit=percent
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=80
	// +kubebuilder:example=60
	// +optional
	MaxMemoryPercent *int32 `json:"maxMemoryPercent,omitempty"`
}

// Resources is an amount of CPU and of memory.
type Resources struct {
	// Number of CPUs, such as `2` or `500m`.
	// +unit=CPUs
	// +kubebuilder:example="2"
	// +optional
	CPU *resource.Quantity `json:"cpu,omitempty"`

	// Memory.
	// +unit=bytes
	// +kubebuilder:example="4Gi"
	// +optional
	Memory *resource.Quantity `json:"memory,omitempty"`
}

// Storage configures where the data is stored, and the size of the volumes.
type Storage struct {
	// `Volume`: snapshots are stored on a volume per instance. `None`: no snapshots, for a cache; the data is
	// lost when the process ends, and `storageGB` has no effect. `Bucket`: snapshots are stored in an object
	// store, and there is no volume.
	// +kubebuilder:default=Volume
	// +kubebuilder:example=None
	// +optional
	Type *StorageType `json:"type,omitempty"`

	// Bucket for `type: Bucket`, with an optional prefix, as an `s3://`, `gs://` or `az://` URL.
	// `/<namespace>/<name>` of the instance is appended.
	// +kubebuilder:validation:Pattern=`^(s3|gs|az)://[a-z0-9][a-z0-9._-]*(/[A-Za-z0-9_=][A-Za-z0-9._=-]*)*/?$`
	// +kubebuilder:example="s3://backups/dragonfly"
	// +optional
	Bucket *string `json:"bucket,omitempty"`

	// Smallest volume that a claim may ask for.
	// +unit=GiB
	// +kubebuilder:default=1
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=2147483647
	// +kubebuilder:example=5
	// +optional
	MinGB *int32 `json:"minGB,omitempty"`

	// Largest volume that a claim may ask for; unlimited by default.
	// +unit=GiB
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=2147483647
	// +kubebuilder:example=500
	// +optional
	MaxGB *int32 `json:"maxGB,omitempty"`

	// Volume size of a claim that does not set one. It must be within the bounds.
	// +unit=GiB
	// +kubebuilder:default=10
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=2147483647
	// +kubebuilder:example=20
	// +optional
	DefaultGB *int32 `json:"defaultGB,omitempty"`
}

// StorageType selects where snapshots are stored.
// +kubebuilder:validation:Enum=Volume;None;Bucket
type StorageType string

const (
	// OnVolume stores snapshots on a volume per instance.
	OnVolume StorageType = "Volume"
	// NoStorage stores nothing, for a cache.
	NoStorage StorageType = "None"
	// InBucket stores snapshots in an object store.
	InBucket StorageType = "Bucket"
)

// TLS configures the certificate of the data port. TLS is on if this is set.
// +kubebuilder:validation:MinProperties=1
type TLS struct {
	// Secret with `tls.crt` and `tls.key`, in the namespace of the instance. Required, unless `issuerRef` is set:
	// then `{name}-tls` is the default. Placeholders as in `labels`.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:example="{name}-tls"
	// +optional
	SecretName *string `json:"secretName,omitempty"`

	// Adds a sidecar to the pod that makes the server load a renewed certificate. It needs Kubernetes 1.29. Without it,
	// the server presents the old certificate until it restarts.
	// +kubebuilder:default=true
	// +kubebuilder:example=false
	// +optional
	Reload *bool `json:"reload,omitempty"`

	// cert-manager issuer. If set, each instance gets a Certificate, from which cert-manager creates the
	// Secret.
	// +optional
	IssuerRef *IssuerRef `json:"issuerRef,omitempty"`
}

// IssuerRef names a cert-manager issuer. Placeholders as in `labels`.
type IssuerRef struct {
	// API group of the issuer.
	// +kubebuilder:default=cert-manager.io
	// +kubebuilder:example=awspca.cert-manager.io
	// +optional
	Group *string `json:"group,omitempty"`

	// Kind of the issuer: `Issuer` or `ClusterIssuer`, unless the group has other kinds.
	// +kubebuilder:default=Issuer
	// +kubebuilder:example=ClusterIssuer
	// +optional
	Kind *string `json:"kind,omitempty"`

	// Name of the issuer.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:example=internal
	Name string `json:"name"`
}

// ServiceAccount configures the ServiceAccount of the instance's pods.
type ServiceAccount struct {
	// Name of a ServiceAccount that the platform team created in the instance's namespace, with the permissions that
	// the pod needs; see docs/passwords.md. The function then generates no ServiceAccount, Role or RoleBinding.
	// Placeholders as in `labels`.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:example=dragonfly
	// +optional
	Name *string `json:"name,omitempty"`

	// Annotations of the ServiceAccount, for a cloud's workload identity. If there is one, each instance gets
	// its own ServiceAccount. Placeholders as in `labels`.
	// +kubebuilder:example={eks.amazonaws.com/role-arn: "arn:aws:iam::123456789012:role/dragonfly"}
	// +optional
	Annotations map[string]string `json:"annotations,omitempty"`
}

// Password configures who creates the password of an instance.
type Password struct {
	// `InCluster`: the instance's pod creates the password at its first start. `Existing`: you create the Secret
	// `<name>-password`, with the key `password`. `External`: something else creates both Secrets, `<name>-password` and
	// `<name>-conn`. The manifests contain no password in any case. The annotation
	// `database.bizmatters.io/password-source` on a claim wins over this.
	// +kubebuilder:default=InCluster
	// +kubebuilder:example=Existing
	// +optional
	Source *PasswordSource `json:"source,omitempty"`

	// Image of the init container that provides the server's password, and of the sidecar that `tls.reload` adds. It must
	// contain this program.
	// +kubebuilder:default="ghcr.io/bizmatters/dragonfly-generator:v0.1.0"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:example="registry.example.com/dragonfly-generator:v0.1.0"
	// +optional
	Image *string `json:"image,omitempty"`

	// Resources of each of these containers, by default 100m of CPU and 64Mi of memory. A limit equals its request
	// unless it is set too.
	// +optional
	Resources ResourceRequirements `json:"resources,omitempty"`
}

// ResourceRequirements are the resources of a container.
type ResourceRequirements struct {
	// Resources that the scheduler reserves.
	// +optional
	Requests Resources `json:"requests,omitempty"`

	// Maximum resources that the container can use.
	// +optional
	Limits Resources `json:"limits,omitempty"`
}

// PasswordSource selects who creates a password.
// +kubebuilder:validation:Enum=InCluster;Existing;External
type PasswordSource string

const (
	// InCluster lets the instance's pod create the password.
	InCluster PasswordSource = "InCluster"
	// Existing takes the password from a Secret that someone else creates, and copies it into the connection Secret.
	Existing PasswordSource = "Existing"
	// External leaves both Secrets to something else.
	External PasswordSource = "External"
)

// ConnectionSecret configures the Secret that applications read.
type ConnectionSecret struct {
	// Keys in addition to `endpoint`, `port` and `password`, each with a template for its value. Placeholders:
	// `{endpoint}`, `{port}`, `{scheme}` (`redis`, or `rediss` with TLS), `{password}`, `{passwordEncoded}` (for
	// URIs: all but the unreserved characters of RFC 3986 are percent-encoded), `{name}` and `{namespace}`.
	// +kubebuilder:example={uri: "{scheme}://:{passwordEncoded}@{endpoint}:{port}/0"}
	// +optional
	ExtraKeys map[string]string `json:"extraKeys,omitempty"`

	// Labels of this Secret alone, for tools that copy or watch it. Placeholders as in `labels`.
	// +kubebuilder:example={example.com/sync: "true"}
	// +optional
	Labels map[string]string `json:"labels,omitempty"`

	// Annotations of this Secret alone. Placeholders as in `labels`.
	// +kubebuilder:example={reflector.v1.k8s.emberstack.com/reflection-allowed: "true"}
	// +optional
	Annotations map[string]string `json:"annotations,omitempty"`

	// Type of the Secret, which Kubernetes does not allow to change for a live Secret. Types that begin with
	// `kubernetes.io/` are refused.
	// +kubebuilder:default=Opaque
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:example=servicebinding.io/redis
	// +optional
	Type *string `json:"type,omitempty"`
}

// Overrides are strategic merge patches, for everything that has no field of its own: affinity, priority
// class, other user IDs. They cannot change names, selectors and the labels those need, the flags, the
// `DFLY_` variables, the data volume, the init container that creates the password, or the Secrets.
type Overrides struct {
	// Patch of the StatefulSet. Its container is named `dragonfly`. Refused with `backend: Operator`.
	// +kubebuilder:pruning:PreserveUnknownFields
	// +kubebuilder:example={spec: {template: {spec: {priorityClassName: databases}}}}
	// +optional
	StatefulSet *Object `json:"statefulSet,omitempty"`

	// Patch of the Service. With `backend: Operator`, it can set labels, annotations, `type` and `nodePort`
	// only.
	// +kubebuilder:pruning:PreserveUnknownFields
	// +kubebuilder:example={spec: {internalTrafficPolicy: Local}}
	// +optional
	Service *Object `json:"service,omitempty"`

	// Patch of the `Dragonfly` object, only with `backend: Operator`. It can set any field of the Dragonfly
	// Operator's CRD (v1.6.1) except replicas, image, flags, password, resources and volume, which have their
	// own fields here.
	// +kubebuilder:pruning:PreserveUnknownFields
	// +kubebuilder:example={spec: {priorityClassName: databases, networkPolicyEnabled: false}}
	// +optional
	Dragonfly *Object `json:"dragonfly,omitempty"`
}

// Object of any kind, with any fields.
// +kubebuilder:pruning:PreserveUnknownFields
type Object struct{}

// UnmarshalJSON implements json.Unmarshaler. It stores nothing: code that uses the object reads the configuration's JSON.
func (*Object) UnmarshalJSON(text []byte) error {
	if len(text) == 0 || text[0] != '{' && string(text) != "null" { // encoding/json asks every Unmarshaler to accept null
		return errors.New("not an object")
	}
	return nil
}
