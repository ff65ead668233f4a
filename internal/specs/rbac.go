package specs

import (
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/instance"
)

// accountName returns the name of the ServiceAccount of the instance's pods, or "" for the namespace's default.
func accountName(inst instance.Instance) string {
	switch {
	case inst.Config.ServiceAccount.Name != nil:
		return *inst.Config.ServiceAccount.Name
	case hasOwnAccount(inst):
		return inst.ServiceAccount()
	}
	return ""
}

// hasOwnAccount reports whether the instance has its own ServiceAccount.
func hasOwnAccount(inst instance.Instance) bool {
	return inst.Config.ServiceAccount.Name == nil && (inst.HasPrepare() || len(inst.Config.ServiceAccount.Annotations) > 0)
}

// hasRole reports whether the instance has its own Role.
func hasRole(inst instance.Instance) bool {
	return inst.Config.ServiceAccount.Name == nil && inst.HasPrepare()
}

// serviceAccount returns the account of the instance's pods.
func serviceAccount(inst instance.Instance) *corev1.ServiceAccount {
	metadata := Metadata(inst, inst.ServiceAccount())
	metadata.Annotations = instance.Merged(metadata.Annotations, inst.Config.ServiceAccount.Annotations)
	return &corev1.ServiceAccount{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ServiceAccount"},
		ObjectMeta: metadata,
		// The init container gets its own token, and the server gets none.
		AutomountServiceAccountToken: new(false),
	}
}

// role returns what the init container may do: read and fill in the Secrets that are ours, and read a password Secret
// that is not.
func role(inst instance.Instance) *rbacv1.Role {
	return &rbacv1.Role{
		TypeMeta:   metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "Role"},
		ObjectMeta: Metadata(inst, inst.ServiceAccount()),
		Rules:      rules(inst),
	}
}

func rules(inst instance.Instance) []rbacv1.PolicyRule {
	rule := func(secrets []string, verbs ...string) rbacv1.PolicyRule {
		return rbacv1.PolicyRule{
			APIGroups: []string{corev1.GroupName}, Resources: []string{"secrets"}, ResourceNames: secrets, Verbs: verbs,
		}
	}
	if inst.Source == v1alpha1.Existing {
		return []rbacv1.PolicyRule{
			rule([]string{inst.PasswordSecret()}, "get"),
			rule([]string{inst.ConnectionSecret()}, "get", "patch"),
		}
	}
	return []rbacv1.PolicyRule{rule([]string{inst.PasswordSecret(), inst.ConnectionSecret()}, "get", "patch")}
}

func roleBinding(inst instance.Instance) *rbacv1.RoleBinding {
	return &rbacv1.RoleBinding{
		TypeMeta:   metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "RoleBinding"},
		ObjectMeta: Metadata(inst, inst.ServiceAccount()),
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: inst.ServiceAccount()},
		Subjects: []rbacv1.Subject{{
			Kind: rbacv1.ServiceAccountKind, Namespace: inst.Namespace, Name: inst.ServiceAccount(),
		}},
	}
}
