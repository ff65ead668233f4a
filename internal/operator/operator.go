// Package operator holds the types of the Dragonfly Operator's object, as its CRD of Version defines them. The operator's own
// module is not available through the Go module proxy.
//
// The conformance suite compares the types with the CRD, property by property.
package operator

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// Version is the release of the operator that the types and the rules of this package follow.
const Version = "v1.6.1"

// Names and ports in the pods that the operator creates.
const (
	// Container is the server's container.
	Container = "dragonfly"
	// DataVolume is the claim template of the snapshots.
	DataVolume = "df"
	// AdminPort takes commands without TLS and without a password.
	AdminPort = 9999
)

// Dragonfly is the object from which the operator creates a StatefulSet and a Service of the same name.
type Dragonfly struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              Spec `json:"spec,omitempty"`
}

// Spec is its spec. Lists merge by the same key as they do in a pod. If the operator distinguishes between a zero value and
// no value, the field is a pointer, so that a patch can set it to zero.
type Spec struct {
	Replicas                 int32                         `json:"replicas"`
	Image                    string                        `json:"image,omitempty"`
	ImagePullPolicy          corev1.PullPolicy             `json:"imagePullPolicy,omitempty"`
	ImagePullSecrets         []corev1.LocalObjectReference `json:"imagePullSecrets,omitempty" patchStrategy:"merge" patchMergeKey:"name"`
	Args                     []string                      `json:"args,omitempty"`
	Env                      []corev1.EnvVar               `json:"env,omitempty" patchStrategy:"merge" patchMergeKey:"name"`
	Resources                *corev1.ResourceRequirements  `json:"resources,omitempty"`
	Authentication           *Authentication               `json:"authentication,omitempty"`
	ACLFromSecret            *corev1.SecretKeySelector     `json:"aclFromSecret,omitempty"`
	TLSSecretRef             *corev1.SecretReference       `json:"tlsSecretRef,omitempty"`
	MemcachedPort            int32                         `json:"memcachedPort,omitempty"`
	Snapshot                 *Snapshot                     `json:"snapshot,omitempty"`
	Tiering                  *Tiering                      `json:"tiering,omitempty"`
	NodeSelector             map[string]string             `json:"nodeSelector,omitempty"`
	Affinity                 *corev1.Affinity              `json:"affinity,omitempty"`
	Tolerations              []corev1.Toleration           `json:"tolerations,omitempty"`
	PriorityClassName        string                        `json:"priorityClassName,omitempty"`
	PodMetadata              *Metadata                     `json:"podMetadata,omitempty"`
	OwnedObjectsMetadata     *Metadata                     `json:"ownedObjectsMetadata,omitempty"`
	PodSecurityContext       *corev1.PodSecurityContext    `json:"podSecurityContext,omitempty"`
	ContainerSecurityContext *corev1.SecurityContext       `json:"containerSecurityContext,omitempty"`
	SkipFSGroup              bool                          `json:"skipFSGroup,omitempty"`
	ServiceSpec              *Service                      `json:"serviceSpec,omitempty"`
	PDB                      *DisruptionBudget             `json:"pdb,omitempty"`
	// NetworkPolicyEnabled is on by default, and absent from CRDs after v1.6 (pull request 560), so it is emitted only if it
	// is set.
	NetworkPolicyEnabled           *bool  `json:"networkPolicyEnabled,omitempty"`
	EnableReplicationReadinessGate bool   `json:"enableReplicationReadinessGate,omitempty"`
	ServiceAccountName             string `json:"serviceAccountName,omitempty"`

	// TopologySpreadConstraints do not merge: ours are a default, and merging would unite the selectors.
	TopologySpreadConstraints []corev1.TopologySpreadConstraint `json:"topologySpreadConstraints,omitempty"`
	InitContainers            []corev1.Container                `json:"initContainers,omitempty" patchStrategy:"merge" patchMergeKey:"name"`
	AdditionalContainers      []corev1.Container                `json:"additionalContainers,omitempty" patchStrategy:"merge" patchMergeKey:"name"`
	AdditionalVolumes         []corev1.Volume                   `json:"additionalVolumes,omitempty" patchStrategy:"merge,retainKeys" patchMergeKey:"name"`

	CustomLivenessProbeConfigMap  *corev1.LocalObjectReference `json:"customLivenessProbeConfigMap,omitempty"`
	CustomReadinessProbeConfigMap *corev1.LocalObjectReference `json:"customReadinessProbeConfigMap,omitempty"`
	CustomStartupProbeConfigMap   *corev1.LocalObjectReference `json:"customStartupProbeConfigMap,omitempty"`

	// Labels and Annotations are used for the pods if PodMetadata has none.
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// Authentication configures how clients authenticate.
type Authentication struct {
	PasswordFromSecret *corev1.SecretKeySelector `json:"passwordFromSecret,omitempty"`
	ClientCACertSecret *corev1.SecretKeySelector `json:"clientCaCertSecret,omitempty"`
}

// Snapshot configures where and when snapshots are written.
type Snapshot struct {
	Dir                               string                            `json:"dir,omitempty"`
	Cron                              string                            `json:"cron,omitempty"`
	EnableOnMasterOnly                bool                              `json:"enableOnMasterOnly,omitempty"`
	PersistentVolumeClaimSpec         *corev1.PersistentVolumeClaimSpec `json:"persistentVolumeClaimSpec,omitempty"`
	ExistingPersistentVolumeClaimName string                            `json:"existingPersistentVolumeClaimName,omitempty"`
}

// Tiering is the volume for data that does not fit in memory.
type Tiering struct {
	PersistentVolumeClaimSpec *corev1.PersistentVolumeClaimSpec `json:"persistentVolumeClaimSpec,omitempty"`
}

// Metadata is added to the metadata that the operator gives its objects.
type Metadata struct {
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// Service configures the operator's Service.
type Service struct {
	Type        corev1.ServiceType `json:"type,omitempty"`
	Name        string             `json:"name,omitempty"`
	NodePort    int32              `json:"nodePort,omitempty"`
	Labels      map[string]string  `json:"labels,omitempty"`
	Annotations map[string]string  `json:"annotations,omitempty"`
}

// DisruptionBudget configures the operator's PodDisruptionBudget.
type DisruptionBudget struct {
	MinAvailable   *intstr.IntOrString `json:"minAvailable,omitempty"`
	MaxUnavailable *intstr.IntOrString `json:"maxUnavailable,omitempty"`
}
