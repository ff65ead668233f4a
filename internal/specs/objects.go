package specs

import (
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/claim"
	"github.com/bizmatters/dragonfly-generator/internal/instance"
	"github.com/bizmatters/dragonfly-generator/internal/krm"
	"github.com/bizmatters/dragonfly-generator/internal/report"
)

// Object is one object of an instance on its way into the items.
type Object struct {
	krm.ID
	// NameFor returns the object's name for another name of the claim: the one before kustomize's prefix.
	NameFor func(claim string) string
	// File is the name of its file in the instance's folder, where results are kept.
	File string
	// Node is the object. It is nil for one that the instance does not have, but whose name is taken: the other
	// backend makes an object of that name in the cluster.
	Node *yaml.Node
}

// Instance is one instance with its objects.
type Instance struct {
	claim.Claim
	Objects []Object
}

// Build builds the objects of every claim, and reports those that cannot be.
func Build(list *krm.List, claims []claim.Claim, results *report.Results) []Instance {
	instances := make([]Instance, len(claims))
	for i, c := range claims {
		CheckFilled(c, results)
		objects, err := Objects(c)
		if err != nil {
			results.Errorf(c.Item, "an object cannot be written as YAML (%T); please report this as a bug", err)
		}
		instances[i] = Instance{Claim: c, Objects: objects}
	}
	RefuseExtraObjects(instances, results)
	RefuseHashedNames(list, instances, results)
	return instances
}

// Objects returns the objects of an instance, in the order in which they are written. To add a kind of
// object, add a file to this package and a line here.
func Objects(c claim.Claim) ([]Object, error) {
	inst, cfg := c.Instance, filled(c.Config, c.Name)
	byOperator := cfg.Backend == v1alpha1.Operator

	var b builder
	b.add(hasOwnAccount(inst, cfg), inst.ServiceAccountID(), same, "serviceaccount.yaml", func() (any, error) { return serviceAccount(inst, cfg), nil })
	b.add(hasRole(inst, cfg), inst.RoleID(), same, "role.yaml", func() (any, error) { return role(inst, cfg), nil })
	b.add(hasRole(inst, cfg), inst.RoleBindingID(), same, "rolebinding.yaml", func() (any, error) { return roleBinding(inst, cfg), nil })
	b.backend(!byOperator, inst.StatefulSetID(), "statefulset.yaml", func() (any, error) { return StatefulSet(inst, cfg) })
	b.backend(!byOperator, inst.ServiceID(), "service.yaml", func() (any, error) { return Service(inst, cfg) })
	b.backend(byOperator, inst.DragonflyID(), "dragonfly.yaml", func() (any, error) { return Dragonfly(inst, cfg) })
	b.add(inst.Source == v1alpha1.InCluster, inst.PasswordSecretID(), instance.PasswordSecretName, "secret-password.yaml", func() (any, error) { return PasswordSecret(inst, cfg), nil })
	b.add(inst.Source != v1alpha1.External, inst.ConnectionSecretID(), instance.ConnectionSecretName, "secret-connection.yaml", func() (any, error) { return ConnectionSecret(inst, cfg), nil })
	b.add(cfg.TLS.Issuer.Name != "", inst.CertificateID(), same, "certificate.yaml", func() (any, error) { return Certificate(inst, cfg), nil })
	for _, template := range cfg.ExtraObjects {
		b.extra(template, inst, cfg)
	}
	return b.objects, b.err
}

// same is the name of an object that is called as its claim.
func same(claim string) string { return claim }

// builder collects the objects of one instance.
type builder struct {
	objects []Object
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
		b.objects = append(b.objects, o)
		return
	}
	b.append(o, make)
}

func (b *builder) append(o Object, make func() (any, error)) {
	if b.err == nil {
		var typed any
		if typed, b.err = make(); b.err == nil {
			o.Node, b.err = Node(typed)
		}
	}
	b.objects = append(b.objects, o)
}
