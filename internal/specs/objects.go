package specs

import (
	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/bizmatters/dragonfly-generator/internal/instance"
	"github.com/bizmatters/dragonfly-generator/internal/krm"
)

// Object is one object of an instance.
type Object struct {
	krm.ID
	// NameFor returns the name that the object has for another name of the claim, such as the one without kustomize's prefix.
	NameFor func(claim string) string
	// File is the name of its file in the instance's folder.
	File string
	// Typed is the object. It is nil if the instance does not have the object but reserves its name, because the other backend
	// makes an object of that name in the cluster.
	Typed any
}

// kinds are the objects that an instance can have, in the order in which they are written. To add a kind of object, add a file
// to this package and a line here.
var kinds = []struct {
	group, kind string
	nameFor     func(claim string) string
	file        string
	has         func(instance.Instance) bool
	build       func(instance.Instance) any
	isReserved  bool // the other backend needs the name
}{
	{"", "ServiceAccount", claimName, "serviceaccount.yaml", hasOwnAccount, of(serviceAccount), false},
	{rbacv1.GroupName, "Role", claimName, "role.yaml", hasRole, of(role), false},
	{rbacv1.GroupName, "RoleBinding", claimName, "rolebinding.yaml", hasRole, of(roleBinding), false},
	{"apps", "StatefulSet", claimName, "statefulset.yaml", isByUs, of(StatefulSet), true},
	{"", "Service", claimName, "service.yaml", isByUs, of(Service), true},
	{"dragonflydb.io", "Dragonfly", claimName, "dragonfly.yaml", instance.Instance.IsByOperator, of(Dragonfly), true},
	{"", "Secret", instance.PasswordSecretName, "secret-password.yaml", hasPasswordSecret, of(passwordSecret), false},
	{"", "Secret", instance.ConnectionSecretName, "secret-connection.yaml", instance.Instance.HasPrepare, of(connectionSecret), false},
	{"cert-manager.io", "Certificate", claimName, "certificate.yaml", hasCertificate, of(certificateOf), false},
}

func of[T any](build func(instance.Instance) T) func(instance.Instance) any {
	return func(inst instance.Instance) any { return build(inst) }
}

// claimName is the nameFor of an object that has the same name as its claim.
func claimName(claim string) string { return claim }

func isByUs(inst instance.Instance) bool { return !inst.IsByOperator() }

// Objects returns the objects of an instance.
func Objects(inst instance.Instance) []Object {
	var objects []Object
	for i, id := range IDs(inst.Name) {
		k := kinds[i]
		o := Object{ID: id, NameFor: k.nameFor, File: k.file}
		if k.has(inst) {
			o.Typed = k.build(inst)
		} else if !k.isReserved {
			continue
		}
		objects = append(objects, o)
	}
	return objects
}

// IDs returns the IDs of all objects that an instance can have, except the extra objects of a configuration.
func IDs(name instance.Name) []krm.ID {
	ids := make([]krm.ID, len(kinds))
	for i, k := range kinds {
		ids[i] = krm.ID{Group: k.group, Kind: k.kind, Namespace: name.Namespace, Name: k.nameFor(name.Name)}
	}
	return ids
}
