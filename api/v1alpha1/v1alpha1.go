// Package v1alpha1 defines the API group database.bizmatters.io: its kinds, and the annotations of a claim
// for which its schema has no field.
//
// The claim, DragonflyInstance, is the one that Crossplane used to serve. It stays valid in both systems, so its spec gets no
// new fields: settings of a single instance that are not in the original schema are annotations.
package v1alpha1

import "strings"

const (
	// Group is the API group of both kinds, and the domain of our annotations.
	Group = "database.bizmatters.io"
	// Version is the version of both kinds.
	Version = "v1alpha1"
	// APIVersion is the apiVersion of a claim and of a configuration.
	APIVersion = Group + "/" + Version

	// ClaimKind is the kind of a developer's claim.
	ClaimKind = "DragonflyInstance"
	// ConfigKind is the kind of the platform team's configuration, a functionConfig.
	ConfigKind = "DragonflyGenerator"
)

const (
	// GeneratedFrom marks the objects that were generated from a claim. Its value is the claim's "namespace/name".
	GeneratedFrom = Group + "/generated-from"

	// Profile on a claim names the profile of the platform's configuration to use.
	Profile = Group + "/profile"

	// PasswordSourceAnnotation on a claim sets the PasswordSource of the instance.
	PasswordSourceAnnotation = Group + "/password-source"

	// PasswordRotation on a claim requests a new password whenever its value differs from the one recorded on our Secrets.
	// The value has 1 to 63 printable ASCII characters.
	PasswordRotation = Group + "/password-rotation"
)

// IsClaim reports whether an object is a claim, of any version or without one.
func IsClaim(apiVersion, kind string) bool {
	return kind == ClaimKind && isOurs(apiVersion)
}

// IsConfig reports whether an object is a configuration, of any version.
func IsConfig(apiVersion, kind string) bool {
	return kind == ConfigKind && isOurs(apiVersion)
}

func isOurs(apiVersion string) bool {
	group, _, _ := strings.Cut(apiVersion, "/")
	return group == Group
}
