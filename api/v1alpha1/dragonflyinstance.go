package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// DragonflyInstance is a developer's claim for one Dragonfly, a Redis-compatible data store, with a password
// and a volume.
type DragonflyInstance struct {
	metav1.TypeMeta `json:",inline"`

	// Name, namespace, labels and annotations.
	Metadata Metadata `json:"metadata"`

	// Size of the instance and its volume. Fields that are not set have their defaults.
	// +optional
	Spec DragonflyInstanceSpec `json:"spec,omitempty"`

	// Ignored. Crossplane wrote it.
	// +optional
	Status Ignored `json:"status,omitempty"`
}

// DragonflyInstanceSpec holds what a developer asks for, and the fields that Crossplane added to every claim.
type DragonflyInstanceSpec struct {
	// Memory and CPU of the instance: `micro`, `small`, `medium`, `large`, or a size from the platform's
	// configuration.
	// +kubebuilder:default=small
	// +kubebuilder:example=medium
	// +optional
	Size *string `json:"size,omitempty"`

	// Size of the volume. The platform's configuration can set other bounds and another default. Kubernetes
	// refuses to change the size of a live instance's volume template; the function's warning explains how to
	// grow it.
	// +unit=GiB
	// +kubebuilder:default=10
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=2147483647
	// +kubebuilder:example=20
	// +optional
	StorageGB *int32 `json:"storageGB,omitempty"`

	CrossplaneFields `json:",inline"`
}

// CrossplaneFields are those that Crossplane added to the schema of every claim. They are accepted and
// ignored, so that claims can move here unchanged.
type CrossplaneFields struct {
	// Crossplane field; ignored.
	// +optional
	CompositionRef Ignored `json:"compositionRef,omitempty"`

	// Crossplane field; ignored.
	// +optional
	CompositionSelector Ignored `json:"compositionSelector,omitempty"`

	// Crossplane field; ignored.
	// +optional
	CompositionRevisionRef Ignored `json:"compositionRevisionRef,omitempty"`

	// Crossplane field; ignored.
	// +optional
	CompositionRevisionSelector Ignored `json:"compositionRevisionSelector,omitempty"`

	// Crossplane field; ignored.
	// +optional
	CompositionUpdatePolicy Ignored `json:"compositionUpdatePolicy,omitempty"`

	// Crossplane field; ignored.
	// +optional
	CompositeDeletePolicy Ignored `json:"compositeDeletePolicy,omitempty"`

	// Crossplane field; ignored. The Secret that it names is not created: applications read `<name>-conn`.
	// +optional
	PublishConnectionDetailsTo Ignored `json:"publishConnectionDetailsTo,omitempty"`

	// Crossplane field; ignored.
	// +optional
	ResourceRef Ignored `json:"resourceRef,omitempty"`

	// Crossplane field; ignored. The Secret that it names is not created: applications read `<name>-conn`.
	// +optional
	WriteConnectionSecretToRef Ignored `json:"writeConnectionSecretToRef,omitempty"`

	// Where Crossplane v2 keeps the same fields; ignored.
	// +optional
	Crossplane Ignored `json:"crossplane,omitempty"`
}

// Metadata is Kubernetes object metadata. It has its own type because kustomize passes a label `tier: 1` as a
// number, and because the name must be valid for a Service and a StatefulSet.
type Metadata struct {
	// Name of the instance, of its StatefulSet and of its Service.
	// +kubebuilder:validation:Pattern=`^[a-z]([-a-z0-9]*[a-z0-9])?$`
	// +kubebuilder:validation:MaxLength=52
	// +kubebuilder:example=my-cache
	Name string `json:"name"`

	// Namespace of the instance's objects. It must be set when the function runs; kustomize or kpt can set it
	// before.
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:example=my-namespace
	// +optional
	Namespace string `json:"namespace,omitempty"`

	// Labels are copied to the instance's objects, but not to its pods.
	// +optional
	Labels map[string]intstr.IntOrString `json:"labels,omitempty"`

	// Three annotations configure the instance: `database.bizmatters.io/profile` selects a profile of the
	// platform's configuration, `database.bizmatters.io/password-source` (`InCluster`, `Existing` or `External`)
	// sets who creates the password, and each new value of `database.bizmatters.io/password-rotation` requests a new
	// password. `argocd.argoproj.io/sync-wave`, annotations that protect against deletion, and those in the
	// configuration's `carryAnnotations` are copied to the instance's objects.
	// +optional
	Annotations map[string]intstr.IntOrString `json:"annotations,omitempty"`

	ClusterFields `json:",inline"`
}

// ClusterFields are the metadata that a cluster writes. They are ignored.
type ClusterFields struct {
	Finalizers                 Ignored `json:"finalizers,omitempty"`
	OwnerReferences            Ignored `json:"ownerReferences,omitempty"`
	UID                        Ignored `json:"uid,omitempty"`
	ResourceVersion            Ignored `json:"resourceVersion,omitempty"`
	Generation                 Ignored `json:"generation,omitempty"`
	CreationTimestamp          Ignored `json:"creationTimestamp,omitempty"`
	DeletionTimestamp          Ignored `json:"deletionTimestamp,omitempty"`
	DeletionGracePeriodSeconds Ignored `json:"deletionGracePeriodSeconds,omitempty"`
	ManagedFields              Ignored `json:"managedFields,omitempty"`
	GenerateName               Ignored `json:"generateName,omitempty"`
	SelfLink                   Ignored `json:"selfLink,omitempty"`
}

// Ignored by the function; any value is accepted.
// +kubebuilder:validation:Type=""
// +kubebuilder:pruning:PreserveUnknownFields
type Ignored struct{}

// UnmarshalJSON implements json.Unmarshaler.
func (*Ignored) UnmarshalJSON([]byte) error { return nil }
