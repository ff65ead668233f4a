// Package merge puts the objects of the instances into the items: it decides what is added, replaced
// and removed, refuses to touch what somebody else wrote, and only then changes anything.
package merge

import (
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/config"
	"github.com/bizmatters/dragonfly-generator/internal/decode"
	"github.com/bizmatters/dragonfly-generator/internal/instance"
	"github.com/bizmatters/dragonfly-generator/internal/krm"
	"github.com/bizmatters/dragonfly-generator/internal/plan"
	"github.com/bizmatters/dragonfly-generator/internal/report"
	"github.com/bizmatters/dragonfly-generator/internal/specs"
	"github.com/bizmatters/dragonfly-generator/internal/yamlnode"
)

// Input is what is merged.
type Input struct {
	List   *krm.List
	Config config.Config
	// Kept says that the result goes back to the files that the items came from.
	Kept   bool
	Plans  []plan.Plan
	Owners plan.Owners
}

// Changes is what a merge does to a list. Apply does it.
type Changes struct {
	Replace []Replacement
	Remove  []*krm.Item
	Add     []Addition

	local []*krm.Item // see MarkLocal
}

// Replacement is new content for an object of ours that is there already.
type Replacement struct {
	Item *krm.Item
	With *yaml.Node
}

// Addition is an object that was not there.
type Addition struct {
	Node  *yaml.Node
	Claim *krm.Item
	// File is where it goes where results are kept, and "" elsewhere: a folder of the instance's own, with
	// a slash, and a file that holds nothing else.
	File string
}

// Decide decides on every object of every instance and reports what stands in the way. It changes nothing.
func Decide(in Input, results *report.Results) (Changes, error) {
	m := merger{Input: in, results: results, seen: map[*krm.Item]bool{}}
	for _, p := range in.Plans {
		if err := m.instance(p); err != nil {
			return Changes{}, err
		}
	}
	m.leftovers()
	return m.changes, nil
}

// Apply changes the list.
func (c Changes) Apply(list *krm.List) {
	for _, item := range c.local {
		yamlnode.SetText(item.Node, "true", localConfig...)
	}
	for _, r := range c.Replace {
		r.Apply()
	}
	if len(c.Remove) > 0 {
		list.Remove(c.Remove)
	}
	for _, a := range c.Add {
		a.annotate()
		list.Add(a.Node)
	}
}

// Apply gives the item its new content, and leaves the comments around it.
func (r Replacement) Apply() {
	r.Item.Node.Content = r.With.Content
	r.Item.Node.Style = 0
}

type merger struct {
	Input
	results *report.Results
	changes Changes
	seen    map[*krm.Item]bool // objects that belong to a claim that is there
}

// object is one object of an instance on its way into the items.
type object struct {
	make         func() (any, error)
	id           krm.ID
	name         func(claim string) string
	file         string // its file, where results are kept
	disposition  plan.Disposition
	bringYourOwn bool // somebody else's is taken as it is
	superseded   bool // by another backend, which needs its name
}

// node returns the object as YAML.
func (o object) node() (*yaml.Node, error) {
	typed, err := o.make()
	if err != nil {
		return nil, err
	}
	return specs.Node(typed)
}

func objectsOf(p plan.Plan, cfg config.Config) []object {
	inst := p.Instance
	same := func(claim string) string { return claim }
	byOperator := cfg.Backend == v1alpha1.Operator
	return []object{{
		make:       func() (any, error) { return specs.StatefulSet(inst, cfg) },
		id:         inst.StatefulSetID(),
		name:       same,
		file:       "statefulset.yaml",
		superseded: byOperator,
	}, {
		make:       func() (any, error) { return specs.Service(inst, cfg) },
		id:         inst.ServiceID(),
		name:       same,
		file:       "service.yaml",
		superseded: byOperator,
	}, {
		make:       func() (any, error) { return specs.Dragonfly(inst, cfg) },
		id:         inst.DragonflyID(),
		name:       same,
		file:       "dragonfly.yaml",
		superseded: !byOperator,
	}, {
		make:         func() (any, error) { return specs.PasswordSecret(inst, cfg), nil },
		id:           inst.PasswordSecretID(),
		name:         instance.PasswordSecretName,
		file:         "secret-password.yaml",
		disposition:  p.PasswordSecret,
		bringYourOwn: true,
	}, {
		make:        func() (any, error) { return specs.ConnectionSecret(inst, cfg), nil },
		id:          inst.ConnectionSecretID(),
		name:        instance.ConnectionSecretName,
		file:        "secret-connection.yaml",
		disposition: p.ConnectionSecret,
	}}
}

// instance decides on the objects of one instance. Its infos come only when something changes, so that
// a second run in place has none.
func (m *merger) instance(p plan.Plan) error {
	m.checkPath(p.Claim)
	var created, updated, removed, superseded []string
	for _, o := range objectsOf(p, m.Config) {
		what := o.id.Kind + " " + o.id.Name
		items := m.List.Find(o.id)
		for _, item := range items {
			m.seen[item] = true
		}
		if o.id.Kind != "Secret" { // those are looked at where the password is looked for
			if found := m.List.Find(krm.ID{Group: o.id.Group, Kind: o.id.Kind, Name: o.id.Name}); len(found) > 0 {
				plan.NoNamespace(found[0], p.Instance.Name, m.results)
			}
		}
		switch {
		case len(items) > 1:
			m.results.Errorf(items[1], "the same object stands in %s and %s; remove one of them", items[0].Place(), items[1].Place())
		case len(items) == 1 && !m.mayTouch(items[0], p, o):
		case p.Failed || o.disposition == plan.Leave || o.superseded && len(items) == 0:
		case o.superseded && !m.Kept:
			m.results.Errorf(items[0], madeBefore)
		case o.superseded:
			if !m.isAnchored(items[0]) {
				m.changes.Remove = append(m.changes.Remove, items[0])
				superseded = append(superseded, what)
			}
		case o.disposition == plan.Remove && !m.Kept:
			m.results.Errorf(items[0], "is here in plain text beside the SealedSecret or ExternalSecret that stands for it; remove the plain one")
		case o.disposition == plan.Remove && !m.isAnchored(items[0]):
			m.changes.Remove = append(m.changes.Remove, items[0])
			removed = append(removed, what)
		case len(items) == 0:
			n, err := o.node()
			if err != nil {
				return err
			}
			m.changes.Add = append(m.changes.Add, m.place(n, p, o))
			created = append(created, what)
		default:
			changed, err := m.update(items[0], o)
			if err != nil {
				return err
			}
			if changed != nil {
				updated = append(updated, what)
				m.warn(items[0].Node, changed, p, o)
			}
		}
	}
	if p.OneHidden {
		m.results.Warnf(p.Claim, "one of the Secrets %s and %s is readable and the other is not, so nobody sees whether they hold the same password; encrypt or seal both", p.Instance.PasswordSecret(), p.Instance.ConnectionSecret())
	}
	if len(superseded) > 0 {
		m.warnOfBackend(p)
	}
	m.inform(p, created, updated, removed, superseded)
	return nil
}

// mayTouch says whether the object that is there already is ours to change. It reports one that is in
// the way.
func (m *merger) mayTouch(item *krm.Item, p plan.Plan, o object) bool {
	switch owner := m.Owners.Whose(item, p.Instance.Name); {
	case item.IsEncrypted() && (owner == plan.Ours || owner == plan.Theirs && o.bringYourOwn):
		return false // whatever touched it would break its signature
	case owner == plan.Theirs:
		if o.superseded {
			m.results.Errorf(item, "the claim %s needs this name for what runs it, of which there may be one only, and this one was not made from a claim; rename the claim, or remove this object", p.Instance.Name)
		} else if !o.bringYourOwn {
			m.results.Errorf(item, "the claim %s needs this name for its own %s, and this one was not made from a claim; rename the claim, or remove this object", p.Instance.Name, item.Kind)
		}
		return false
	case owner == plan.Renamed && m.Kept:
		m.results.Errorf(item, "is a copy of what was made for the claim %s, which is here too, and stands where the claim %s needs its own; remove this object", item.Annotation(v1alpha1.GeneratedFrom), p.Instance.Name)
		return false
	case owner == plan.Renamed:
		m.renamed(item)
		return false
	}
	return true
}

// update decides on an object of ours that is there already, and returns what it will be replaced with, nil
// for nothing.
func (m *merger) update(item *krm.Item, o object) (*yaml.Node, error) {
	object := decode.Object{Item: item, Results: m.results}
	old := object.Plain()
	if old == nil {
		return nil, nil
	}
	n, err := o.node()
	if err != nil {
		return nil, err
	}
	if o.disposition == plan.Renew {
		keepData(n, old)
	}
	keepPlace(n, old)
	if yamlnode.Equal(n, old) || m.isAnchored(item) {
		return nil, nil
	}
	if !m.Kept {
		m.results.Errorf(item, madeBefore)
		return nil, nil
	}
	m.changes.Replace = append(m.changes.Replace, Replacement{Item: item, With: n})
	return n, nil
}

// madeBefore is about what is ours and in the way where results are not kept.
const madeBefore = "was made from this claim before (by this function in a base or component, or rendered into Git) and is not what the claim says now; run the function once, in the outermost kustomization, and take what it made out of `resources:`"

// isAnchored reports an object that has to go and has YAML anchors, to which others may refer.
func (m *merger) isAnchored(item *krm.Item) bool {
	anchored := yamlnode.HasAnchors(item.Node)
	if anchored {
		m.results.Errorf(item, "has to change and has YAML anchors, to which something else may refer; write the values out, without anchors")
	}
	return anchored
}

// inform adds the infos of an instance that changes.
func (m *merger) inform(p plan.Plan, created, updated, removed, superseded []string) {
	var done []string
	for _, what := range []struct {
		verb    string
		objects []string
	}{{"created", created}, {"updated", updated}, {"removed, because a SealedSecret or ExternalSecret stands for it:", removed}, {"removed, because another backend needs the name:", superseded}} {
		if len(what.objects) > 0 {
			done = append(done, what.verb+" "+strings.Join(what.objects, ", "))
		}
	}
	if len(done) == 0 {
		return
	}
	if p.Origin != "" {
		done = append(done, "the password is "+p.Origin)
	}
	m.results.Infof(p.Claim, "%s", strings.Join(done, "; "))
	if volume, two := p.Instance.StorageBytes(), 2*p.Instance.Size.MaxMemory(); volume < two {
		m.results.FieldInfof(p.Claim, report.Field{Path: "spec.storageGB", Current: p.Instance.StorageGB, Proposed: (two + 1<<30 - 1) >> 30},
			"the volume is smaller than two full snapshots, and a snapshot is written beside the one before; a larger one is safer if the memory fills up")
	}
	if p.RestartOnly {
		m.results.Infof(p.Claim, "the rotation restarts the pod and changes no password: the Secret %s is not ours; write the new password into it yourself", p.Instance.PasswordSecret())
	}
	for _, field := range p.OwnSecrets {
		m.results.FieldInfof(p.Claim, report.Field{Path: field}, "is ignored, so the Secret that it names will not exist; applications read %s", p.Instance.ConnectionSecret())
	}
}
