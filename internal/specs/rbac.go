package specs

import (
	"maps"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/bizmatters/dragonfly-generator/internal/config"
	"github.com/bizmatters/dragonfly-generator/internal/instance"
)

// serviceAccount returns the account of the instance's pods.
func serviceAccount(inst instance.Instance, cfg config.Config) *corev1.ServiceAccount {
	metadata := meta(inst, cfg, inst.ServiceAccount())
	maps.Copy(metadata.Annotations, cfg.ServiceAccountAnnotations)
	return &corev1.ServiceAccount{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ServiceAccount"},
		ObjectMeta: metadata,
		// The init container gets a token of its own, and the server none.
		AutomountServiceAccountToken: new(false),
	}
}

// role returns what the init container may do: read the instance's two Secrets and write into them.
func role(inst instance.Instance, cfg config.Config) *rbacv1.Role {
	return &rbacv1.Role{
		TypeMeta:   metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "Role"},
		ObjectMeta: meta(inst, cfg, inst.ServiceAccount()),
		Rules: []rbacv1.PolicyRule{{
			APIGroups:     []string{corev1.GroupName},
			Resources:     []string{"secrets"},
			ResourceNames: []string{inst.PasswordSecret(), inst.ConnectionSecret()},
			Verbs:         []string{"get", "patch"},
		}},
	}
}

func roleBinding(inst instance.Instance, cfg config.Config) *rbacv1.RoleBinding {
	return &rbacv1.RoleBinding{
		TypeMeta:   metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "RoleBinding"},
		ObjectMeta: meta(inst, cfg, inst.ServiceAccount()),
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: inst.ServiceAccount()},
		Subjects: []rbacv1.Subject{{
			Kind: rbacv1.ServiceAccountKind, Namespace: inst.Namespace, Name: inst.ServiceAccount(),
		}},
	}
}
