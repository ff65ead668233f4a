package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// DragonflyGenerator is what a platform team sets once for all instances: the functionConfig. Every
// field has a default.
type DragonflyGenerator struct {
	metav1.TypeMeta `json:",inline"`

	// Kustomize wants a name, and the annotation that says how the function is called. Nothing else in here
	// means anything.
	// +optional
	Metadata ConfigMetadata `json:"metadata,omitempty"`

	// What is set. Everything else keeps its default.
	// +optional
	Spec DragonflyGeneratorSpec `json:"spec,omitempty"`
}

// ConfigMetadata is any metadata.
// +kubebuilder:pruning:PreserveUnknownFields
type ConfigMetadata struct{}

// DragonflyGeneratorSpec is the configuration.
type DragonflyGeneratorSpec struct {
	ProfileSpec `json:",inline"`

	// Names of annotations of a claim that go to its objects, besides `argocd.argoproj.io/sync-wave`.
	// +kubebuilder:example={example.com/cost-center}
	// +optional
	CarryAnnotations []string `json:"carryAnnotations,omitempty"`

	// Kinds of instances that the platform offers, by name: a claim takes one by the annotation
	// `database.bizmatters.io/profile`. A profile can hold every field above but `carryAnnotations`. What it
	// says replaces what stands above, field by field, lists and maps whole; a null takes a field back to its
	// default; only `overrides` and `extraObjects` are added to those above.
	// +kubebuilder:example={cache: {storage: {type: None}, args: {"--cache_mode=true"}}}
	// +optional
	Profiles map[string]ProfileSpec `json:"profiles,omitempty"`
}

// ProfileSpec is what can be set for all instances, and for those of one profile.
type ProfileSpec struct {
	// Container image of Dragonfly. Pin a release: an image that a registry changes restarts into another
	// version. Older than v1.38 has no `/healthz` and never becomes ready.
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

	// Secrets, in the namespace of each instance, with which the image is pulled.
	// +kubebuilder:example={{name: registry}}
	// +optional
	ImagePullSecrets []ObjectName `json:"imagePullSecrets,omitempty"`

	// Domain of the cluster, the end of every endpoint.
	// +kubebuilder:default=cluster.local
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:example=cluster.example.com
	// +optional
	ClusterDomain *string `json:"clusterDomain,omitempty"`

	// Storage class of the volumes; `""` for the cluster's default class. It cannot change for a live
	// instance.
	// +kubebuilder:default=local-path
	// +kubebuilder:validation:Pattern=`^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*)?$`
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:example=standard
	// +optional
	StorageClassName *string `json:"storageClassName,omitempty"`

	// When Dragonfly writes a snapshot, besides at its end: minute, hour, day of the month, month and day of
	// the week, in plain numbers with `*`, `,`, `-` and `/`; `""` for none.
	// +unit=UTC
	// +kubebuilder:default="*/30 * * * *"
	// +kubebuilder:example="0 3 * * *"
	// +optional
	SnapshotCron *string `json:"snapshotCron,omitempty"`

	// Size of a claim that names none.
	// +kubebuilder:default=small
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:example=micro
	// +optional
	DefaultSize *string `json:"defaultSize,omitempty"`

	// Sizes that claims can name: new ones, or other values for `micro`, `small`, `medium` and `large`. One
	// of these that is given in part keeps the rest. A new one needs a memory limit, and a CPU limit or
	// `threads`; its requests default to the limits.
	// +kubebuilder:example={xlarge: {requests: {cpu: "2", memory: 4Gi}, limits: {cpu: "8", memory: 16Gi}}}
	// +optional
	Sizes map[string]Size `json:"sizes,omitempty"`

	// Where the data outlives the pod, and what claims may ask for as `storageGB`.
	// +optional
	Storage Storage `json:"storage,omitempty"`

	// How a password comes about that is not there yet.
	// +optional
	Password Password `json:"password,omitempty"`

	// What the connection Secret holds besides `endpoint`, `port` and `password`.
	// +optional
	ConnectionSecret ConnectionSecret `json:"connectionSecret,omitempty"`

	// TLS on the data port. Clients then connect with TLS only, and `{scheme}` of the extra keys is `rediss`.
	// +optional
	TLS *TLS `json:"tls,omitempty"`

	// ServiceAccount of the instance's pods.
	// +optional
	ServiceAccount ServiceAccount `json:"serviceAccount,omitempty"`

	// Labels of the nodes that the pods run on. It replaces the default; `{}` for any node.
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

	// Annotations of every object, but not of the pods. What is carried over from a claim wins over these.
	// Placeholders as in `labels`.
	// +kubebuilder:example={example.com/owner: platform}
	// +optional
	Annotations map[string]string `json:"annotations,omitempty"`

	// Further flags of Dragonfly, one each, as `--name=value`. What the function sets itself cannot be set
	// here, nor what would break its promises: `requirepass`, `aclfile`, `flagfile`, `fromenv`, `tryfromenv`,
	// `port`, `memcached_port`, `primary_port_http_enabled`, and `bind` and `admin_bind` but for `0.0.0.0` and
	// `::`. Placeholders as in `labels`.
	// +kubebuilder:example={"--cache_mode=true"}
	// +optional
	Args []string `json:"args,omitempty"`

	// Whatever else the platform wants of the objects, as strategic merge patches. Placeholders as in `labels`.
	// +optional
	Overrides Overrides `json:"overrides,omitempty"`

	// Further objects, one of each for every instance, in its namespace: NetworkPolicy, PodMonitor, a Service
	// for something else. Placeholders as in `labels`; the name must contain `{name}`. They get the labels and
	// annotations of all objects. Secrets are refused.
	// +kubebuilder:example={{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: "{name}"}, spec: {podSelector: {matchLabels: {app: "{name}"}}}}}
	// +optional
	ExtraObjects []ExtraObject `json:"extraObjects,omitempty"`

	// What runs the instances: `StatefulSet`, one pod each, or `Operator`, which leaves that to the Dragonfly
	// Operator, with replicas and failover.
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
	// StatefulSet is one pod, which we make ourselves.
	StatefulSet Backend = "StatefulSet"
	// Operator is a Dragonfly object, of which the Dragonfly Operator makes the rest.
	Operator Backend = "Operator"
)

// ObjectName names an object of the namespace at hand.
type ObjectName struct {
	// Name of the Secret.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:example=registry
	Name string `json:"name"`
}

// Size is what an instance of that size may use.
type Size struct {
	// What the scheduler sets aside. Not above the limits.
	// +optional
	Requests Resources `json:"requests,omitempty"`

	// What the instance gets at most. Dragonfly takes `maxMemoryPercent` of the memory for data, and a thread
	// for each started CPU; it needs 256 MiB of data for each thread.
	// +optional
	Limits Resources `json:"limits,omitempty"`

	// Dragonfly's threads. With it a size needs no CPU limit, and has none unless `limits.cpu` says one.
	// +unit=threads
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1024
	// +kubebuilder:example=2
	// +optional
	Threads *int32 `json:"threads,omitempty"`

	// Part of the memory limit that Dragonfly may fill with data, 70 unless set. The rest is what it needs
	// while it loads a snapshot: a full instance with more than 70 may not come back.
	// +unit=percent
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=80
	// +kubebuilder:example=60
	// +optional
	MaxMemoryPercent *int32 `json:"maxMemoryPercent,omitempty"`
}

// Resources is an amount of CPU and of memory.
type Resources struct {
	// CPU, in whole or in thousandths.
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

// Storage is where the data outlives the pod, and bounds what claims may ask for.
type Storage struct {
	// `Volume`: snapshots on a volume of the instance's own. `None`: no snapshots at all, for a cache; the data
	// goes with the process, and `storageGB` means nothing. `Bucket`: snapshots in an object store, without a
	// volume.
	// +kubebuilder:default=Volume
	// +kubebuilder:example=None
	// +optional
	Type *StorageType `json:"type,omitempty"`

	// Bucket, and prefix in it, for `type: Bucket`, as `s3://`, `gs://` or `az://`. `/<namespace>/<name>` of the
	// instance is added.
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

	// Largest volume that a claim may ask for; no bound unless set.
	// +unit=GiB
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=2147483647
	// +kubebuilder:example=500
	// +optional
	MaxGB *int32 `json:"maxGB,omitempty"`

	// Volume of a claim that names none. It has to be within the bounds.
	// +unit=GiB
	// +kubebuilder:default=10
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=2147483647
	// +kubebuilder:example=20
	// +optional
	DefaultGB *int32 `json:"defaultGB,omitempty"`
}

// StorageType is where the data of an instance outlives its pod.
// +kubebuilder:validation:Enum=Volume;None;Bucket
type StorageType string

const (
	// OnVolume is a volume of the instance's own.
	OnVolume StorageType = "Volume"
	// NoStorage is a cache that may be lost.
	NoStorage StorageType = "None"
	// InBucket is an object store.
	InBucket StorageType = "Bucket"
)

// TLS is on if it is there.
type TLS struct {
	// Secret in the namespace of the instance with `tls.crt` and `tls.key`. Placeholders as in `labels`.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:example="{name}-tls"
	SecretName string `json:"secretName"`

	// Issuer of cert-manager. With it each instance gets a Certificate, which makes the Secret.
	// +optional
	IssuerRef *IssuerRef `json:"issuerRef,omitempty"`
}

// IssuerRef names an issuer of cert-manager. Placeholders as in `labels`.
type IssuerRef struct {
	// API group of the issuer.
	// +kubebuilder:default=cert-manager.io
	// +kubebuilder:example=awspca.cert-manager.io
	// +optional
	Group *string `json:"group,omitempty"`

	// Kind of the issuer.
	// +kubebuilder:default=Issuer
	// +kubebuilder:example=ClusterIssuer
	// +optional
	Kind *string `json:"kind,omitempty"`

	// Name of the issuer.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:example=internal
	Name string `json:"name"`
}

// ServiceAccount is that of the instance's pods.
type ServiceAccount struct {
	// Annotations of the ServiceAccount, for the workload identity of a cloud. With one, each instance has a
	// ServiceAccount of its own. Placeholders as in `labels`.
	// +kubebuilder:example={eks.amazonaws.com/role-arn: "arn:aws:iam::123456789012:role/dragonfly"}
	// +optional
	Annotations map[string]string `json:"annotations,omitempty"`
}

// ExtraObject is an object of any kind.
// +kubebuilder:pruning:PreserveUnknownFields
type ExtraObject struct{}

// Password is where a password comes from that is not there yet.
type Password struct {
	// `InCluster`: the instance's own pod makes it at its first start, and the manifests hold none. `Seed`
	// derives it from the seed. `Random` makes one up, which is kept with the files. `Existing`: it has to be
	// among the resources. `External`: something else in the cluster makes both Secrets. A claim's annotation
	// `database.bizmatters.io/password-source` wins over this.
	// +kubebuilder:default=InCluster
	// +kubebuilder:example=Seed
	// +optional
	Source *PasswordSource `json:"source,omitempty"`

	// Image of the init container that makes the password with `InCluster`: this program.
	// +kubebuilder:default="ghcr.io/bizmatters/dragonfly-generator:v0.1.0"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:example="registry.example.com/dragonfly-generator:v0.1.0"
	// +optional
	Image *string `json:"image,omitempty"`

	// Secret among the resources that holds the seed. It states `source: Seed`. Without it, the seed comes
	// from the environment variable `DRAGONFLY_PASSWORD_SEED`.
	// +optional
	SeedSecretRef *SecretKey `json:"seedSecretRef,omitempty"`
}

// PasswordSource is one way to get a password.
// +kubebuilder:validation:Enum=InCluster;Seed;Random;Existing;External
type PasswordSource string

const (
	// InCluster lets the instance's own pod make it.
	InCluster PasswordSource = "InCluster"
	// FromSeed derives it from the seed.
	FromSeed PasswordSource = "Seed"
	// FromRandom makes a random one.
	FromRandom PasswordSource = "Random"
	// Existing never makes one.
	Existing PasswordSource = "Existing"
	// External leaves both Secrets to something else in the cluster.
	External PasswordSource = "External"
)

// SecretKey is a key of a Secret.
type SecretKey struct {
	// Namespace of the Secret; any unless set.
	// +kubebuilder:example=platform
	// +optional
	Namespace string `json:"namespace,omitempty"`

	// Name of the Secret.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:example=dragonfly-seed
	Name string `json:"name"`

	// Key whose value is the seed.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:example=seed
	Key string `json:"key"`
}

// ConnectionSecret is what the connection Secret holds besides its three keys.
type ConnectionSecret struct {
	// Further keys, each with a template of its value. It may hold `{endpoint}`, `{port}`, `{scheme}` (`redis`,
	// or `rediss` with TLS), `{password}`, `{passwordEncoded}` (for a URI: all but the unreserved characters of
	// RFC 3986 escaped), `{name}` and `{namespace}`.
	// +kubebuilder:example={uri: "{scheme}://:{passwordEncoded}@{endpoint}:{port}/0"}
	// +optional
	ExtraKeys map[string]string `json:"extraKeys,omitempty"`
}

// Overrides are strategic merge patches, for everything that has no field of its own: affinity, priority
// class, other user ids. Names, selectors, the labels that they need, the flags, the `DFLY_` variables, the
// volume with the data, what makes the password and the Secrets stay as they are.
type Overrides struct {
	// Patch of the StatefulSet. The container is called `dragonfly`. Not with `backend: Operator`.
	// +kubebuilder:pruning:PreserveUnknownFields
	// +kubebuilder:example={spec: {template: {spec: {priorityClassName: databases}}}}
	// +optional
	StatefulSet *Patch `json:"statefulSet,omitempty"`

	// Patch of the Service. With `backend: Operator` it may set labels, annotations, `type` and `nodePort`.
	// +kubebuilder:pruning:PreserveUnknownFields
	// +kubebuilder:example={spec: {internalTrafficPolicy: Local}}
	// +optional
	Service *Patch `json:"service,omitempty"`

	// Patch of the Dragonfly Operator's `Dragonfly`, only with `backend: Operator`: whatever its CRD, v1.6.1, has.
	// Replicas, image, flags, password, resources and volume keep the fields of their own.
	// +kubebuilder:pruning:PreserveUnknownFields
	// +kubebuilder:example={spec: {priorityClassName: databases, networkPolicyEnabled: false}}
	// +optional
	Dragonfly *Patch `json:"dragonfly,omitempty"`
}

// Patch is a strategic merge patch.
type Patch struct{}
