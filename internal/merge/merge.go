// Package merge merges the objects of the instances into the items. Before it changes anything, it decides what to add,
// replace and remove, and refuses to change objects that are not ours.
package merge

import (
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/instance"
	"github.com/bizmatters/dragonfly-generator/internal/krm"
	"github.com/bizmatters/dragonfly-generator/internal/overrides"
	"github.com/bizmatters/dragonfly-generator/internal/report"
	"github.com/bizmatters/dragonfly-generator/internal/yamlnode"
)

// Options describe how the result is used.
type Options struct {
	// InPlace reports that the result is written back to the files that the items came from, so that the next run sees what
	// this one created.
	InPlace bool
	// Prune reports that objects whose claim is gone should be removed. It needs InPlace.
	Prune bool
}

// Input is what is merged.
type Input struct {
	Options
	List      *krm.List
	Instances []overrides.Built
	Claims    instance.Claims
}

// Changes are the changes to a list that a merge needs. Apply makes them.
type Changes struct {
	Add     []Addition
	Replace []Replacement
	Remove  []Removal
	// Gone lists the instances whose claims are gone, whether their objects are removed or stay.
	Gone []Gone

	local []*krm.Item // see MarkLocal
}

// Addition is a new object.
type Addition struct {
	Instance instance.Name
	Node     *yaml.Node
	Claim    *krm.Item
	// File is the file for an object that is written in place, otherwise "": a folder of the instance, a slash, and the name
	// of a file that contains nothing else.
	File string
}

// Replacement is new content for an existing object of ours.
type Replacement struct {
	Instance instance.Name
	Item     *krm.Item
	With     *yaml.Node
}

// Removal is an object of ours that is no longer needed.
type Removal struct {
	Instance instance.Name
	Item     *krm.Item
	Why      Reason
}

// Reason is why an object of ours is no longer needed.
type Reason int

const (
	// OtherBackend reports that the other backend makes an object of that name in the cluster.
	OtherBackend Reason = iota
	// Dropped reports that the instance no longer has such an object.
	Dropped
	// ClaimGone reports that the instance no longer has a claim.
	ClaimGone
)

// Plan decides what to do with every object of every instance, and reports conflicts. It changes nothing.
func Plan(in Input, results *report.Results) Changes {
	m := merger{Input: in, results: results, seen: map[*krm.Item]bool{}, anchored: map[*krm.Item]bool{}}
	for _, inst := range in.Instances {
		m.checkPath(inst.Item)
		for _, o := range inst.Objects {
			m.object(inst.Instance, o)
		}
		m.madeByOperator(inst.Instance)
	}
	m.leftovers()
	return m.changes
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
		items := make([]*krm.Item, len(c.Remove))
		for i, r := range c.Remove {
			items[i] = r.Item
		}
		list.Remove(items)
	}
	for _, a := range c.Add {
		a.annotate()
		list.Add(a.Node)
	}
}

// Apply gives the item its new content and keeps the comments around it.
func (r Replacement) Apply() {
	if old, fresh := r.Item.Node.Content, r.With.Content; len(old) > 0 && len(fresh) > 0 && fresh[0].HeadComment == "" {
		key := *fresh[0]                     // which objects of krm.FromTyped share
		key.HeadComment = old[0].HeadComment // which is where the decoder puts a comment above the object
		fresh[0] = &key
	}
	r.Item.Node.Content = r.With.Content
	r.Item.Node.Style = 0
}

type merger struct {
	Input
	results  *report.Results
	changes  Changes
	seen     map[*krm.Item]bool // objects whose names an instance needs
	anchored map[*krm.Item]bool // already reported
}

// object decides on one object of an instance.
func (m *merger) object(inst instance.Instance, o overrides.Object) {
	items := m.List.Find(o.ID)
	for _, item := range items {
		m.seen[item] = true
	}
	if lost := m.List.Find(krm.ID{Group: o.Group, Kind: o.Kind, Name: o.Name}); len(lost) > 0 && o.Kind != "Secret" {
		instance.NoNamespace(lost[0], inst.Name, m.results) // Secrets are checked along with the password source
	}
	if len(items) > 1 {
		m.results.Errorf(items[1], "the same object is in %s and %s; remove one of them", items[0].Location(), items[1].Location())
		return
	}
	s := situation{has: o.Node != nil, owner: nobody, inPlace: m.InPlace}
	var item *krm.Item
	if len(items) == 1 {
		item = items[0]
		s.owner = m.whose(item, inst.Name)
		if s.has && s.owner == ours {
			old, err := yamlnode.Plain(item.Node)
			if err != nil {
				m.results.Errorf(item, "%s; write each field once, and do not use aliases that contain themselves", err)
				return
			}
			keepBookkeeping(o.Node, old)
			s.upToDate = yamlnode.Equal(o.Node, old)
		}
	}
	m.apply(s.fate(), item, inst, o)
}

// madeByOperator refuses objects of others that the operator would overwrite.
func (m *merger) madeByOperator(inst instance.Instance) {
	if !inst.IsByOperator() {
		return
	}
	for _, id := range inst.OperatorIDs() {
		for _, item := range m.List.Find(id) {
			if m.whose(item, inst.Name) == theirs {
				m.results.Errorf(item, "the operator creates a %s with this name for the claim %s; rename this object or the claim", id.Kind, inst.Name)
			}
		}
	}
}

// owner is the owner of an object that has the name of one of ours.
type owner int

const (
	nobody  owner = iota // it does not exist
	theirs               // it does not have our mark
	ours                 // it was created for this claim
	renamed              // it was created for a claim with another name or namespace, and renamed since
)

// whose returns the owner of the item from the point of view of an instance that has an object of that name. If the result
// is written in place and the object's former claim is gone, the object belongs to the new name, because kpt's
// set-namespace has moved both.
func (m *merger) whose(item *krm.Item, name instance.Name) owner {
	switch mark := markOf(item); {
	case mark == "":
		return theirs
	case mark == name.String(), m.InPlace && m.Claims[mark] == nil:
		return ours
	}
	return renamed
}

// situation is what is known about an object of an instance.
type situation struct {
	// has reports that the instance has the object. Otherwise, it needs the name for an object that the other backend makes.
	has      bool
	owner    owner // of the existing object
	inPlace  bool  // the result is written in place
	upToDate bool  // the existing object needs no change
}

// fate is what happens to an object.
type fate int

const (
	leave fate = iota
	add
	replace
	remove
	refuseTheirs
	refuseChanged // it would change, but the change would be lost
	refuseCopy
	refuseRenamed
)

func (s situation) fate() fate {
	switch s.owner {
	case nobody:
		if s.has {
			return add
		}
		return leave
	case theirs:
		return refuseTheirs
	case renamed:
		if s.inPlace {
			return refuseCopy
		}
		return refuseRenamed
	}
	switch {
	case s.has && s.upToDate:
		return leave
	case !s.inPlace:
		return refuseChanged
	case s.has:
		return replace
	}
	return remove
}

// apply records what happens to an object, or reports why it cannot happen.
func (m *merger) apply(f fate, item *krm.Item, inst instance.Instance, o overrides.Object) {
	switch f {
	case leave:
	case add:
		m.changes.Add = append(m.changes.Add, m.addition(inst, o))
	case replace:
		if !m.isAnchored(item) {
			m.changes.Replace = append(m.changes.Replace, Replacement{inst.Name, item, o.Node})
		}
	case remove:
		m.remove(item, inst.Name, OtherBackend)
	case refuseTheirs:
		if item.Label(v1alpha1.ManagedByLabel) == v1alpha1.ManagedBy {
			m.results.Errorf(item, "looks like an object of the claim %s, but lacks the annotation %s; set it to %s, or remove this object", inst.Name, v1alpha1.GeneratedFrom, inst.Name)
			return
		}
		what := "its own " + item.Kind
		if o.Node == nil {
			what = "the object that runs it"
		}
		remedy := "rename the claim, or remove this object"
		if item.ID == inst.PasswordSecretID() { // a local one, or it would be the source of the password
			remedy += ", or, if something else creates this Secret in the cluster, set the claim's annotation " + v1alpha1.PasswordSourceAnnotation + ": " + string(v1alpha1.Existing)
		}
		m.results.Errorf(item, "the claim %s needs this name for %s, but this object was not generated from a claim; %s", inst.Name, what, remedy)
	case refuseChanged:
		m.refuseChanged(item)
	case refuseCopy:
		m.results.Errorf(item, "is a copy of an object of the claim %s, which is also here, and has a name that the claim %s needs; remove this object", markOf(item), inst.Name)
	case refuseRenamed:
		m.refuseRenamed(item)
	}
}

// remove removes an object of ours.
func (m *merger) remove(item *krm.Item, name instance.Name, why Reason) {
	if !m.isAnchored(item) {
		m.changes.Remove = append(m.changes.Remove, Removal{name, item, why})
	}
}

func (m *merger) refuseChanged(item *krm.Item) {
	m.results.Errorf(item, "was generated from its claim by an earlier run (in a base or component, or rendered into Git) and no longer matches the claim; run the function once, in the outermost kustomization, and remove its output from `resources:`; to render in place, add a Kptfile, or use `dragonfly-generator render -o`")
}

// isAnchored reports an error for an object that must be replaced or removed but has YAML anchors, which other objects
// may refer to.
func (m *merger) isAnchored(item *krm.Item) bool {
	if !yamlnode.HasAnchors(item.Node) {
		return false
	}
	if !m.anchored[item] {
		m.anchored[item] = true
		m.results.Errorf(item, "must change, but has YAML anchors that something else may refer to; write the values out, without anchors")
	}
	return true
}
