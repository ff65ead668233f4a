package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// DragonflyInstance is a developer's claim for one Dragonfly, a Redis-compatible store, with a password
// and a volume.
type DragonflyInstance struct {
	metav1.TypeMeta `json:",inline"`

	// Name, namespace, labels and annotations.
	Metadata Metadata `json:"metadata"`

	// What the instance may use. Without it the defaults hold.
	// +optional
	Spec DragonflyInstanceSpec `json:"spec,omitempty"`

	// What a cluster once wrote here; ignored.
	// +optional
	Status Ignored `json:"status,omitempty"`
}

// DragonflyInstanceSpec is what a developer asks for, and what Crossplane added to every claim.
type DragonflyInstanceSpec struct {
	// How much memory and CPU the instance gets: `micro`, `small`, `medium`, `large`, or a size that the
	// platform's configuration adds.
	// +kubebuilder:default=small
	// +kubebuilder:example=medium
	// +optional
	Size string `json:"size,omitempty"`

	// Size of the volume. The platform's configuration may set other bounds and another default. Kubernetes
	// refuses another size for a live instance; the warning says how it is done.
	// +unit=GiB
	// +kubebuilder:default=10
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=2147483647
	// +kubebuilder:example=20
	// +optional
	StorageGB int32 `json:"storageGB,omitempty"`

	CrossplaneFields `json:",inline"`
}

// CrossplaneFields are those that Crossplane added to the schema of every claim. They mean nothing here,
// and are accepted so that a claim moves over unchanged.
type CrossplaneFields struct {
	// Of Crossplane; ignored.
	// +optional
	CompositionRef Ignored `json:"compositionRef,omitempty"`

	// Of Crossplane; ignored.
	// +optional
	CompositionSelector Ignored `json:"compositionSelector,omitempty"`

	// Of Crossplane; ignored.
	// +optional
	CompositionRevisionRef Ignored `json:"compositionRevisionRef,omitempty"`

	// Of Crossplane; ignored.
	// +optional
	CompositionRevisionSelector Ignored `json:"compositionRevisionSelector,omitempty"`

	// Of Crossplane; ignored.
	// +optional
	CompositionUpdatePolicy Ignored `json:"compositionUpdatePolicy,omitempty"`

	// Of Crossplane; ignored.
	// +optional
	CompositeDeletePolicy Ignored `json:"compositeDeletePolicy,omitempty"`

	// Of Crossplane; ignored, so the Secret that it names will not exist: applications read `<name>-conn`.
	// +optional
	PublishConnectionDetailsTo Ignored `json:"publishConnectionDetailsTo,omitempty"`

	// Of Crossplane; ignored.
	// +optional
	ResourceRef Ignored `json:"resourceRef,omitempty"`

	// Of Crossplane; ignored, so the Secret that it names will not exist: applications read `<name>-conn`.
	// +optional
	WriteConnectionSecretToRef Ignored `json:"writeConnectionSecretToRef,omitempty"`

	// Where Crossplane v2 keeps the same things; ignored.
	// +optional
	Crossplane Ignored `json:"crossplane,omitempty"`
}

// Metadata is that of every Kubernetes object. It is a type of its own because kustomize passes a label
// `tier: 1` as the number that it is, and because the name has to fit a Service and a StatefulSet.
type Metadata struct {
	// Name of the instance, of its StatefulSet and of its Service.
	// +kubebuilder:validation:Pattern=`^[a-z]([-a-z0-9]*[a-z0-9])?$`
	// +kubebuilder:validation:MaxLength=52
	// +kubebuilder:example=my-cache
	Name string `json:"name"`

	// Namespace of everything that is made for the instance. It has to be there when the function runs;
	// kustomize or kpt may set it before.
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:example=my-namespace
	// +optional
	Namespace string `json:"namespace,omitempty"`

	// Labels go to the metadata of what is made for the claim, but not to the pods.
	// +optional
	Labels map[string]intstr.IntOrString `json:"labels,omitempty"`

	// Annotations stay on the claim, but for `argocd.argoproj.io/sync-wave` and those that the configuration
	// carries over. `database.bizmatters.io/password-rotation` asks for a new password when it changes.
	// +optional
	Annotations map[string]intstr.IntOrString `json:"annotations,omitempty"`

	ClusterFields `json:",inline"`
}

// ClusterFields are those of the metadata that a cluster writes. They mean nothing here.
type ClusterFields struct {
	Finalizers                 *Ignored `json:"finalizers,omitempty"`
	OwnerReferences            *Ignored `json:"ownerReferences,omitempty"`
	UID                        *Ignored `json:"uid,omitempty"`
	ResourceVersion            *Ignored `json:"resourceVersion,omitempty"`
	Generation                 *Ignored `json:"generation,omitempty"`
	CreationTimestamp          *Ignored `json:"creationTimestamp,omitempty"`
	DeletionTimestamp          *Ignored `json:"deletionTimestamp,omitempty"`
	DeletionGracePeriodSeconds *Ignored `json:"deletionGracePeriodSeconds,omitempty"`
	ManagedFields              *Ignored `json:"managedFields,omitempty"`
	GenerateName               *Ignored `json:"generateName,omitempty"`
	SelfLink                   *Ignored `json:"selfLink,omitempty"`
}

// Ignored means nothing here, whatever it holds.
// +kubebuilder:validation:Type=""
// +kubebuilder:pruning:PreserveUnknownFields
type Ignored struct{}
