package specs

import (
	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
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

// Objects returns the objects of an instance, in the order in which they are written. To add a kind of
// object, add a file to this package and a line here.
func Objects(inst instance.Instance) []Object {
	var objects []Object
	add := func(has bool, id krm.ID, nameFor func(string) string, file string, build func(instance.Instance) any) {
		if has {
			objects = append(objects, Object{id, nameFor, file, build(inst)})
		}
	}
	// The objects that run the instance. The other backend needs their names.
	backend := func(has bool, id krm.ID, file string, build func(instance.Instance) any) {
		o := Object{ID: id, NameFor: claimName, File: file}
		if has {
			o.Typed = build(inst)
		}
		objects = append(objects, o)
	}
	add(hasOwnAccount(inst), inst.ServiceAccountID(), claimName, "serviceaccount.yaml", serviceAccount)
	add(hasRole(inst), inst.RoleID(), claimName, "role.yaml", role)
	add(hasRole(inst), inst.RoleBindingID(), claimName, "rolebinding.yaml", roleBinding)
	backend(!inst.IsByOperator(), inst.StatefulSetID(), "statefulset.yaml", func(inst instance.Instance) any { return StatefulSet(inst) })
	backend(!inst.IsByOperator(), inst.ServiceID(), "service.yaml", func(inst instance.Instance) any { return Service(inst) })
	backend(inst.IsByOperator(), inst.DragonflyID(), "dragonfly.yaml", func(inst instance.Instance) any { return Dragonfly(inst) })
	add(inst.Source == v1alpha1.InCluster, inst.PasswordSecretID(), instance.PasswordSecretName, "secret-password.yaml", passwordSecret)
	add(inst.Source != v1alpha1.External, inst.ConnectionSecretID(), instance.ConnectionSecretName, "secret-connection.yaml", connectionSecret)
	add(hasCertificate(inst), inst.CertificateID(), claimName, "certificate.yaml", certificateOf)
	return objects
}

// claimName is the NameFor of an object that has the same name as its claim.
func claimName(claim string) string { return claim }
