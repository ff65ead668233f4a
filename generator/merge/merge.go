// Package merge puts the objects of the instances into the items: it decides what is added, replaced
// and removed, refuses to touch what somebody else wrote, and only then changes anything.
package merge

import (
	"strings"

	"github.com/GoogleContainerTools/kpt-functions-sdk/go/fn"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/generator/build"
	"github.com/bizmatters/dragonfly-generator/generator/check"
	"github.com/bizmatters/dragonfly-generator/generator/config"
	"github.com/bizmatters/dragonfly-generator/generator/instance"
	"github.com/bizmatters/dragonfly-generator/generator/plan"
	"github.com/bizmatters/dragonfly-generator/generator/read"
	"github.com/bizmatters/dragonfly-generator/generator/report"
	"github.com/bizmatters/dragonfly-generator/generator/yamlnode"
)

// Input is what is merged.
type Input struct {
	List   *read.List
	Config config.Config
	// Kept says that the result goes back to the files that the items came from.
	Kept   bool
	Plans  []plan.Plan
	Owners plan.Owners
	// Local are the items that are for this function and not for the cluster.
	Local []*read.Item
}

// Changes is what a merge does to a list. Apply does it.
type Changes struct {
	local   []*read.Item
	replace []replacement
	remove  []*read.Item
	add     []*yaml.Node
}

type replacement struct {
	item *read.Item
	with *yaml.Node
}

// Decide decides on every object of every instance and reports what stands in the way. It changes nothing.
func Decide(in Input, results *report.Results) (Changes, error) {
	m := merger{Input: in, results: results, seen: map[*read.Item]bool{}}
	for _, p := range in.Plans {
		if err := m.instance(p); err != nil {
			return Changes{}, err
		}
	}
	m.leftovers()
	m.markLocal()
	return m.changes, nil
}

// Apply changes the list.
func (c Changes) Apply(list *read.List) {
	for _, item := range c.local {
		yamlnode.SetText(item.Node, "true", localConfig...)
	}
	for _, r := range c.replace {
		r.item.Node.Content = r.with.Content
		r.item.Node.Style = 0
	}
	if len(c.remove) > 0 {
		list.Remove(c.remove)
	}
	for _, n := range c.add {
		list.Add(n)
	}
}

type merger struct {
	Input
	results *report.Results
	changes Changes
	seen    map[*read.Item]bool // objects that belong to a claim that is there
}

// object is one object of an instance on its way into the items.
type object struct {
	make         func() any
	id           read.ID
	name         func(claim string) string
	file         string // its file, where results are kept
	disposition  plan.Disposition
	bringYourOwn bool // somebody else's is taken as it is
}

func objectsOf(p plan.Plan, cfg config.Config) []object {
	inst := p.Instance
	same := func(claim string) string { return claim }
	return []object{{
		make: func() any { return build.StatefulSet(inst, cfg) },
		id:   inst.StatefulSetID(),
		name: same,
		file: "statefulset.yaml",
	}, {
		make: func() any { return build.Service(inst) },
		id:   inst.ServiceID(),
		name: same,
		file: "service.yaml",
	}, {
		make:         func() any { return build.PasswordSecret(inst) },
		id:           inst.PasswordSecretID(),
		name:         instance.PasswordSecretName,
		file:         "secret-password.yaml",
		disposition:  p.PasswordSecret,
		bringYourOwn: true,
	}, {
		make:        func() any { return build.ConnectionSecret(inst, cfg) },
		id:          inst.ConnectionSecretID(),
		name:        instance.ConnectionSecretName,
		file:        "secret-connection.yaml",
		disposition: p.ConnectionSecret,
	}}
}

// instance decides on the objects of one instance. Its infos come only when something changes, so that
// a second run in place has none.
func (m *merger) instance(p plan.Plan) error {
	var created, updated, removed []string
	for _, o := range objectsOf(p, m.Config) {
		what := o.id.Kind + " " + o.id.Name
		items := m.List.Find(o.id)
		for _, item := range items {
			m.seen[item] = true
		}
		if o.id.Kind != "Secret" { // those are looked at where the password is looked for
			for _, item := range m.List.Find(read.ID{Group: o.id.Group, Kind: o.id.Kind, Name: o.id.Name}) {
				plan.NoNamespace(item, p.Instance.Name, m.results)
			}
		}
		switch {
		case len(items) > 1:
			m.results.Errorf(items[1], "the same object stands in %s and %s; remove one of them", items[0].Place(), items[1].Place())
		case len(items) == 1 && !m.mayTouch(items[0], p, o):
		case p.Failed || o.disposition == plan.Leave:
		case o.disposition == plan.Remove && !m.Kept:
			m.results.Errorf(items[0], "is here in plain text beside the SealedSecret or ExternalSecret that stands for it; remove the plain one")
		case o.disposition == plan.Remove && !m.isAnchored(items[0]):
			m.changes.remove = append(m.changes.remove, items[0])
			removed = append(removed, what)
		case len(items) == 0:
			n, err := build.Node(o.make())
			if err != nil {
				return err
			}
			m.place(n, p, o)
			m.changes.add = append(m.changes.add, n)
			created = append(created, what)
		default:
			changed, err := m.update(items[0], o)
			if err != nil {
				return err
			}
			if changed {
				updated = append(updated, what)
				m.warn(items[0], p, o)
			}
		}
	}
	if p.OneHidden {
		m.results.Warnf(p.Claim, "one of the Secrets %s and %s is readable and the other is not, so nobody sees whether they hold the same password; encrypt or seal both", p.Instance.PasswordSecret(), p.Instance.ConnectionSecret())
	}
	m.inform(p, created, updated, removed)
	return nil
}

// mayTouch says whether the object that is there already is ours to change. It reports one that is in
// the way.
func (m *merger) mayTouch(item *read.Item, p plan.Plan, o object) bool {
	switch owner := m.Owners.Whose(item, p.Instance.Name); {
	case item.IsEncrypted() && (owner == plan.Ours || owner == plan.Theirs && o.bringYourOwn):
		return false // whatever touched it would break its signature
	case owner == plan.Theirs:
		if !o.bringYourOwn {
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

// update decides on an object of ours that is there already, and says whether it will be replaced.
func (m *merger) update(item *read.Item, o object) (changed bool, err error) {
	object := check.Object{Item: item, Results: m.results}
	old := object.Plain()
	if old == nil {
		return false, nil
	}
	n, err := build.Node(o.make())
	if err != nil {
		return false, err
	}
	if o.disposition == plan.Renew {
		keepData(n, old)
	}
	keepPlace(n, old)
	if yamlnode.Equal(n, old) || m.isAnchored(item) {
		return false, nil
	}
	if !m.Kept {
		m.results.Errorf(item, "was made from this claim before (by this function in a base or component, or rendered into Git) and is not what the claim says now; run the function once, in the outermost kustomization, and take what it made out of `resources:`")
		return false, nil
	}
	m.changes.replace = append(m.changes.replace, replacement{item: item, with: n})
	return true, nil
}

// isAnchored reports an object that has to go and has YAML anchors, to which others may refer.
func (m *merger) isAnchored(item *read.Item) bool {
	anchored := yamlnode.HasAnchors(item.Node)
	if anchored {
		m.results.Errorf(item, "has to change and has YAML anchors, to which something else may refer; write the values out, without anchors")
	}
	return anchored
}

// localConfig leads to the annotation that keeps an object away from the cluster.
var localConfig = []string{"metadata", "annotations", fn.KptLocalConfig}

// markLocal plans that annotation where it is missing. An object that says otherwise has its reason.
func (m *merger) markLocal() {
	for _, item := range m.Local {
		switch {
		case !yamlnode.IsNull(yamlnode.Get(item.Node, localConfig...)):
		case item.Kind == v1alpha1.ClaimKind && !hasAnnotations(item): // reported as the claim was validated
		case item.IsEncrypted():
			m.results.Errorf(item, "holds the seed and would reach the cluster: it needs the annotation %s: \"true\", which cannot be added to what SOPS has signed; decrypt it before this function runs, or encrypt it with the annotation", fn.KptLocalConfig)
		case !yamlnode.CanSet(item.Node, localConfig...):
			m.results.FieldErrorf(item, report.Field{Path: "metadata.annotations", Proposed: fn.KptLocalConfig + `: "true"`},
				"needs the annotation %s: \"true\", which cannot be added to what %s; write it there yourself", fn.KptLocalConfig, obstacle(item))
		default:
			m.changes.local = append(m.changes.local, item)
		}
	}
}

// obstacle says why an annotation cannot be added.
func obstacle(item *read.Item) string {
	if hasAnnotations(item) {
		return "is shared through a YAML anchor"
	}
	return "is no object"
}

// hasAnnotations says whether the item's metadata and annotations are mappings or not there at all.
func hasAnnotations(item *read.Item) bool {
	for _, path := range [][]string{{"metadata"}, {"metadata", "annotations"}} {
		if n := yamlnode.Get(item.Node, path...); !yamlnode.IsNull(n) && n.Kind != yaml.MappingNode {
			return false
		}
	}
	return true
}

// inform adds the infos of an instance that changes.
func (m *merger) inform(p plan.Plan, created, updated, removed []string) {
	var done []string
	for _, what := range []struct {
		verb    string
		objects []string
	}{{"created", created}, {"updated", updated}, {"removed, because a SealedSecret or ExternalSecret stands for it:", removed}} {
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
		m.results.Infof(p.Claim, "the rotation restarts the pod and changes no password: the Secret %s is not ours, write the new password into it yourself", p.Instance.PasswordSecret())
	}
	for _, field := range p.OwnSecrets {
		m.results.FieldInfof(p.Claim, report.Field{Path: field}, "is ignored, so the Secret that it names will not exist; applications read %s", p.Instance.ConnectionSecret())
	}
}
