package specs

import (
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/config"
	"github.com/bizmatters/dragonfly-generator/internal/instance"
	"github.com/bizmatters/dragonfly-generator/internal/krm"
	"github.com/bizmatters/dragonfly-generator/internal/plan"
)

// Object is one object of an instance on its way into the items.
type Object struct {
	krm.ID
	// NameFor returns the object's name for another name of the claim: the one before kustomize's prefix.
	NameFor func(claim string) string
	// File is the name of its file in the instance's folder, where results are kept.
	File string
	// Disposition is what happens to it.
	Disposition plan.Disposition
	// BringYourOwn reports that an existing object of this name that is not ours is used unchanged.
	BringYourOwn bool
	// Node is the object. It is nil for one that is not written.
	Node *yaml.Node
}

// Instance is one instance with its objects.
type Instance struct {
	plan.Plan
	Objects []Object
}

// Objects returns the objects of an instance, in the order in which they are written. To add a kind of
// object, add a file to this package and a line here.
func Objects(p plan.Plan) ([]Object, error) {
	inst, cfg := p.Instance, filled(p.Config, p.Name)
	byOperator := cfg.Backend == v1alpha1.Operator

	b := builder{failed: p.Failed}
	b.add(needsAccount(inst, cfg), inst.ServiceAccountID(), same, "serviceaccount.yaml", func() (any, error) { return serviceAccount(inst, cfg), nil })
	b.add(inst.InCluster, inst.RoleID(), same, "role.yaml", func() (any, error) { return role(inst, cfg), nil })
	b.add(inst.InCluster, inst.RoleBindingID(), same, "rolebinding.yaml", func() (any, error) { return roleBinding(inst, cfg), nil })
	b.backend(!byOperator, inst.StatefulSetID(), "statefulset.yaml", func() (any, error) { return StatefulSet(inst, cfg) })
	b.backend(!byOperator, inst.ServiceID(), "service.yaml", func() (any, error) { return Service(inst, cfg) })
	b.backend(byOperator, inst.DragonflyID(), "dragonfly.yaml", func() (any, error) { return Dragonfly(inst, cfg) })
	b.secret(p.PasswordSecret, inst.PasswordSecretID(), instance.PasswordSecretName, "secret-password.yaml", func() (any, error) { return PasswordSecret(inst, cfg), nil }).BringYourOwn = true
	b.secret(p.ConnectionSecret, inst.ConnectionSecretID(), instance.ConnectionSecretName, "secret-connection.yaml", func() (any, error) { return ConnectionSecret(inst, cfg), nil })
	hasIssuer := cfg.TLS.Issuer.Name != ""
	b.add(hasIssuer, inst.CertificateID(), same, "certificate.yaml", func() (any, error) { return Certificate(inst, cfg), nil })
	for _, template := range cfg.ExtraObjects {
		b.extra(template, inst, cfg)
	}
	return b.objects, b.err
}

// needsAccount reports whether an instance's pods have a ServiceAccount of their own.
func needsAccount(inst instance.Instance, cfg config.Config) bool {
	return inst.InCluster || len(cfg.ServiceAccountAnnotations) > 0
}

// same is the name of an object that is called as its claim.
func same(claim string) string { return claim }

// builder collects the objects of one instance.
type builder struct {
	objects []Object
	failed  bool // nothing is built, as there is no decision about the password
	err     error
}

// add adds an object that the instance has on a condition.
func (b *builder) add(has bool, id krm.ID, nameFor func(string) string, file string, make func() (any, error)) {
	if has {
		b.append(Object{ID: id, NameFor: nameFor, File: file}, make)
	}
}

// backend adds one of the objects that run the instance. The other backend needs their names.
func (b *builder) backend(has bool, id krm.ID, file string, make func() (any, error)) {
	o := Object{ID: id, NameFor: same, File: file}
	if !has {
		o.Disposition = plan.Supersede
	}
	b.append(o, make)
}

// secret adds a Secret with what was decided about it.
func (b *builder) secret(d plan.Disposition, id krm.ID, nameFor func(string) string, file string, make func() (any, error)) *Object {
	b.append(Object{ID: id, NameFor: nameFor, File: file, Disposition: d}, make)
	return &b.objects[len(b.objects)-1]
}

func (b *builder) append(o Object, make func() (any, error)) {
	if isWritten := o.Disposition == plan.Write || o.Disposition == plan.Renew; isWritten && !b.failed && b.err == nil {
		var typed any
		if typed, b.err = make(); b.err == nil {
			o.Node, b.err = Node(typed)
		}
	}
	b.objects = append(b.objects, o)
}
