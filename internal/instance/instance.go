// Package instance turns claims into instances: it finds the claims among the items, validates them, and determines who
// creates their passwords. The names of an instance's objects are API, because applications refer to them.
package instance

import (
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/config"
	"github.com/bizmatters/dragonfly-generator/internal/krm"
	"github.com/bizmatters/dragonfly-generator/internal/yamlnode"
)

// Port is the port on which Dragonfly serves the Redis protocol, /healthz and /metrics.
const Port = 6379

// maxNameLength is the maximum length of an instance's name, in characters. Kubernetes accepts a StatefulSet with 53, but
// then almost never creates its pod: the name, a dash and a hash of up to 10 characters must fit in the 63 characters of the
// label controller-revision-hash.
const maxNameLength = 52

// Name identifies an instance.
type Name types.NamespacedName

// ParseMark returns the name of the instance that an object with the given mark was generated for.
func ParseMark(mark string) Name {
	namespace, name, _ := strings.Cut(mark, "/")
	return Name{Namespace: namespace, Name: name}
}

// String returns "namespace/name", which is also the mark on the objects generated for it.
func (n Name) String() string { return n.Namespace + "/" + n.Name }

// Folder returns the name of the folder for the instance's objects, one per file.
func (n Name) Folder() string { return n.Name + "." + n.Namespace }

// StatefulSet returns the name of the StatefulSet.
func (n Name) StatefulSet() string { return n.Name }

// Service returns the name of the Service.
func (n Name) Service() string { return n.Name }

// PasswordSecret returns the name of the Secret that Dragonfly reads its password from.
func (n Name) PasswordSecret() string { return PasswordSecretName(n.Name) }

// ConnectionSecret returns the name of the Secret that applications read.
func (n Name) ConnectionSecret() string { return ConnectionSecretName(n.Name) }

// ID identifies an object that has the instance's name.
func (n Name) ID(group, kind string) krm.ID {
	return krm.ID{Group: group, Kind: kind, Namespace: n.Namespace, Name: n.Name}
}

// StatefulSetID identifies the StatefulSet.
func (n Name) StatefulSetID() krm.ID { return n.ID("apps", "StatefulSet") }

// DragonflyID identifies the object for the Dragonfly Operator. It has the same name as the StatefulSet and the Service
// that the operator creates from it.
func (n Name) DragonflyID() krm.ID { return n.ID("dragonflydb.io", "Dragonfly") }

// PasswordSecretID identifies the password Secret.
func (n Name) PasswordSecretID() krm.ID { return krm.SecretID(n.Namespace, n.PasswordSecret()) }

// ConnectionSecretID identifies the connection Secret.
func (n Name) ConnectionSecretID() krm.ID { return krm.SecretID(n.Namespace, n.ConnectionSecret()) }

// ServiceAccount returns the name of the ServiceAccount, the Role and the RoleBinding.
func (n Name) ServiceAccount() string { return n.Name }

// OperatorIDs returns the IDs of the objects that the Dragonfly Operator creates besides the StatefulSet and the Service.
func (n Name) OperatorIDs() []krm.ID {
	return []krm.ID{n.ID("policy", "PodDisruptionBudget"), n.ID("networking.k8s.io", "NetworkPolicy")}
}

// OwnLabels returns the label app, which selectors use, and the recommended labels. Nothing else may set them.
func (n Name) OwnLabels() map[string]string { return v1alpha1.OwnLabels(n.Name) }

// Values returns the values of the placeholders.
func (n Name) Values(clusterDomain string) map[string]string {
	return map[string]string{"name": n.Name, "namespace": n.Namespace, "endpoint": n.Endpoint(clusterDomain)}
}

// PasswordSecretName returns the password Secret's name for a claim's name.
func PasswordSecretName(claim string) string { return claim + "-password" }

// ConnectionSecretName returns the connection Secret's name for a claim's name.
func ConnectionSecretName(claim string) string { return claim + "-conn" }

// Endpoint returns the host that applications connect to.
func (n Name) Endpoint(clusterDomain string) string {
	return n.Service() + "." + n.Namespace + ".svc." + clusterDomain
}

// Instance is a claim that has been validated, with the configuration that applies to it.
type Instance struct {
	Name
	// Item is the claim's item, or the functionConfig.
	Item *krm.Item
	// Claim is what the claim asks for, with its defaults filled in.
	Claim v1alpha1.DragonflyInstanceSpec
	// Config is the configuration, with its placeholders filled in.
	Config config.Spec
	// Size is the size that the claim names.
	Size v1alpha1.Size

	// Labels and Annotations are copied from the claim to the objects' metadata.
	Labels      map[string]string
	Annotations map[string]string

	// Rotation is the rotation that the claim requests, or "" if there is none.
	Rotation string
	// Source is who creates the password. Seen holds the objects that create the instance's Secrets, if the source is inferred
	// from them.
	Source v1alpha1.PasswordSource
	Seen   []*krm.Item
}

// IgnoredSecrets returns the Crossplane fields in the claim's spec that name another Secret. That Secret is not created.
func (i Instance) IgnoredSecrets() []string {
	var fields []string
	for _, field := range []string{"publishConnectionDetailsTo", "writeConnectionSecretToRef"} {
		if !yamlnode.IsNull(yamlnode.Get(i.Item.Node, "spec", field)) {
			fields = append(fields, field)
		}
	}
	return fields
}

// HasVolume reports whether the instance keeps its snapshots on a volume.
func (i Instance) HasVolume() bool { return *i.Config.Storage.Type == v1alpha1.OnVolume }

// IsCache reports whether the instance keeps no snapshots.
func (i Instance) IsCache() bool { return *i.Config.Storage.Type == v1alpha1.NoStorage }

// Bucket returns the URL of the instance's snapshots in a bucket, or "" if they are stored elsewhere. It is unique, so that
// no instance loads the data of another.
func (i Instance) Bucket() string {
	if *i.Config.Storage.Type != v1alpha1.InBucket {
		return ""
	}
	return i.Config.Bucket() + "/" + i.Namespace + "/" + i.Name.Name
}

// IsByOperator reports whether the Dragonfly Operator runs the instance.
func (i Instance) IsByOperator() bool { return *i.Config.Backend == v1alpha1.Operator }

// HasPrepare reports whether the instance's pods have the init container that provides the password.
func (i Instance) HasPrepare() bool { return i.Source != v1alpha1.External }

// Storage returns the volume's size as a Kubernetes quantity.
func (i Instance) Storage() string { return strconv.Itoa(int(*i.Claim.StorageGB)) + "Gi" }

// StorageBytes returns the volume's size in bytes.
func (i Instance) StorageBytes() int64 { return int64(*i.Claim.StorageGB) << 30 }
