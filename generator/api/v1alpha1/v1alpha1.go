// Package v1alpha1 spells the API of the group database.bizmatters.io: the names of its kinds and
// the annotations by which a claim says what its schema has no field for.
//
// The claim, DragonflyInstance, is the one that Crossplane served before. It stays valid under both
// systems, so it gets no new spec field: what concerns one instance and is not in the original schema
// is an annotation.
package v1alpha1

const (
	// Group is the API group of both kinds, and the domain of our annotations.
	Group = "database.bizmatters.io"
	// Version is the version of both kinds.
	Version = "v1alpha1"
	// APIVersion is what a claim and a configuration carry as apiVersion.
	APIVersion = Group + "/" + Version

	// ClaimKind is the developers' claim.
	ClaimKind = "DragonflyInstance"
	// ConfigKind is the platform team's configuration, a functionConfig.
	ConfigKind = "DragonflyGenerator"
)

const (
	// GeneratedFrom is the mark by which we know the objects that we made. Its value is the claim's
	// "namespace/name".
	GeneratedFrom = Group + "/generated-from"

	// Profile names, on a claim, the profile of the platform's configuration that the instance takes.
	Profile = Group + "/profile"

	// PasswordSourceAnnotation is, on a claim, where its own password comes from: a PasswordSource.
	PasswordSourceAnnotation = Group + "/password-source"

	// PasswordRotation asks, on a claim, for a new password whenever its value differs from the one
	// recorded on our Secrets. It has 1 to 63 printable ASCII characters.
	PasswordRotation = Group + "/password-rotation"
)
