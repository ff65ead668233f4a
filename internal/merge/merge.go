// Package merge merges the objects of the instances into the items. It decides what to add, replace and
// remove, and refuses to change objects of others, before it changes anything.
package merge

import (
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/claim"
	"github.com/bizmatters/dragonfly-generator/internal/decode"
	"github.com/bizmatters/dragonfly-generator/internal/krm"
	"github.com/bizmatters/dragonfly-generator/internal/plan"
	"github.com/bizmatters/dragonfly-generator/internal/report"
	"github.com/bizmatters/dragonfly-generator/internal/specs"
	"github.com/bizmatters/dragonfly-generator/internal/yamlnode"
)

// Input is what is merged.
type Input struct {
	List *krm.List
	// Kept reports that the result goes back to the files that the items came from.
	Kept bool
	// Prune reports that objects whose claim is gone are removed. It needs Kept.
	Prune     bool
	Instances []specs.Instance
	Owners    claim.Owners
}

// Changes are the changes of a merge to a list. Apply makes them.
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

// Decide decides what to do with every object of every instance, and reports conflicts. It changes nothing.
func Decide(in Input, results *report.Results) Changes {
	m := merger{Input: in, results: results, seen: map[*krm.Item]bool{}, anchored: map[*krm.Item]bool{}}
	for _, inst := range in.Instances {
		m.instance(inst)
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
		list.Remove(c.Remove)
	}
	for _, a := range c.Add {
		a.annotate()
		list.Add(a.Node)
	}
}

// Apply gives the item its new content and keeps the comments around it.
func (r Replacement) Apply() {
	if old, fresh := r.Item.Node.Content, r.With.Content; len(old) > 0 && len(fresh) > 0 && fresh[0].HeadComment == "" {
		fresh[0].HeadComment = old[0].HeadComment // which is where the decoder puts a comment above the object
	}
	r.Item.Node.Content = r.With.Content
	r.Item.Node.Style = 0
}

type merger struct {
	Input
	results  *report.Results
	changes  Changes
	seen     map[*krm.Item]bool // objects that belong to a claim that is there
	anchored map[*krm.Item]bool // reported already
	fresh    []plan.Plan        // of instances of which there was nothing
}

// done describes the changes to an instance's objects, for messages.
type done struct {
	created, updated, removed, superseded []string
}

// instance decides on the objects of one instance. Its infos come only when something changes, so that
// a second run in place has none.
func (m *merger) instance(inst specs.Instance) {
	m.checkPath(inst.Item)
	var done done
	isNew := true // aside from Secrets, which people bring along
	for _, o := range inst.Objects {
		items := m.List.Find(o.ID)
		for _, item := range items {
			m.seen[item] = true
		}
		isNew = isNew && (len(items) == 0 || o.Kind == "Secret")
		if o.Kind != "Secret" { // those are looked at where the password is looked for
			if found := m.List.Find(krm.ID{Group: o.Group, Kind: o.Kind, Name: o.Name}); len(found) > 0 {
				plan.NoNamespace(found[0], inst.Name, m.results)
			}
		}
		switch {
		case len(items) > 1:
			m.results.Errorf(items[1], "the same object is in %s and %s; remove one of them", items[0].Place(), items[1].Place())
		case len(items) == 1:
			m.there(items[0], inst.Plan, o, &done)
		case inst.Failed || o.Disposition == plan.Leave || o.Node == nil:
		default:
			m.changes.Add = append(m.changes.Add, m.place(inst.Plan, o))
			done.created = append(done.created, o.Kind+" "+o.Name)
		}
	}
	if isNew && !inst.Failed {
		m.fresh = append(m.fresh, inst.Plan)
	}
	m.tell(inst.Plan, done)
}

// there decides on an object that is there already.
func (m *merger) there(item *krm.Item, p plan.Plan, o specs.Object, done *done) {
	if !m.mayTouch(item, p, o) || p.Failed {
		return
	}
	what := o.Kind + " " + o.Name
	switch o.Disposition {
	case plan.Leave:
	case plan.Supersede:
		if m.remove(item, madeBefore) {
			done.superseded = append(done.superseded, what)
		}
	case plan.Remove:
		if m.remove(item, plainBeside) {
			done.removed = append(done.removed, what)
		}
	case plan.Write, plan.Renew:
		if o.Node == nil {
			return
		}
		if changed := m.update(item, o); changed != nil {
			done.updated = append(done.updated, what)
			m.warn(item.Node, changed, p, o)
		}
	}
}

// plainBeside is about a Secret of ours, filled in or not, where results are not kept.
const plainBeside = "is here beside the SealedSecret or ExternalSecret that makes it; remove the plain one"

// remove removes an object of ours. Where results are not kept it is reported instead.
func (m *merger) remove(item *krm.Item, notKept string) bool {
	switch {
	case !m.Kept:
		m.results.Errorf(item, "%s", notKept)
		return false
	case m.isAnchored(item):
		return false
	}
	m.changes.Remove = append(m.changes.Remove, item)
	return true
}

// mayTouch reports whether the object that is there already is ours to change, after reporting one that is in
// the way.
func (m *merger) mayTouch(item *krm.Item, p plan.Plan, o specs.Object) bool {
	switch owner := m.Owners.Whose(item, p.Name); {
	case item.IsEncrypted() && (owner == claim.Ours || owner == claim.Theirs && o.BringYourOwn):
		return false // whatever touched it would break its signature
	case owner == claim.Theirs:
		if o.Disposition == plan.Supersede {
			m.results.Errorf(item, "the claim %s needs this name for the object that runs it, but this one was not made from a claim; rename the claim, or remove this object", p.Name)
		} else if !o.BringYourOwn && o.Disposition != plan.Leave {
			m.results.Errorf(item, "the claim %s needs this name for its own %s, but this one was not made from a claim; rename the claim, or remove this object", p.Instance.Name, item.Kind)
		}
		return false
	case owner == claim.Renamed && m.Kept:
		m.results.Errorf(item, "is a copy of an object of the claim %s, which is here too, and has a name that the claim %s needs; remove this object", item.Annotation(v1alpha1.GeneratedFrom), p.Name)
		return false
	case owner == claim.Renamed:
		m.refuseRenamed(item)
		return false
	}
	return true
}

// update decides on an object of ours that is there already, and returns what it will be replaced with, nil
// for nothing.
func (m *merger) update(item *krm.Item, o specs.Object) *yaml.Node {
	object := decode.Object{Item: item, Results: m.results}
	old := object.Plain()
	if old == nil {
		return nil
	}
	if o.Disposition == plan.Renew {
		keepData(o.Node, old)
	}
	keepPlace(o.Node, old)
	if yamlnode.Equal(o.Node, old) || m.isAnchored(item) {
		return nil
	}
	if !m.Kept {
		m.results.Errorf(item, madeBefore)
		return nil
	}
	m.changes.Replace = append(m.changes.Replace, Replacement{Item: item, With: o.Node})
	return o.Node
}

// madeBefore is about what is ours and in the way where results are not kept.
const madeBefore = "was made from this claim before (by this function in a base or component, or rendered into Git) and no longer matches the claim; run the function once, in the outermost kustomization, and remove its output from `resources:`; to render in place, add a Kptfile, or use `dragonfly-generator render -o`"

// isAnchored reports an object that has to go and has YAML anchors, to which others may refer.
func (m *merger) isAnchored(item *krm.Item) bool {
	if !yamlnode.HasAnchors(item.Node) {
		return false
	}
	if !m.anchored[item] {
		m.anchored[item] = true
		m.results.Errorf(item, "has to change, but has YAML anchors that something else may refer to; write the values out, without anchors")
	}
	return true
}

// tell reports the changes to an instance, and what users should know about it.
func (m *merger) tell(p plan.Plan, d done) {
	if p.Notes.OneHidden {
		m.results.Warnf(p.Item, "one of the Secrets %s and %s can be read and the other cannot, so it is unknown whether they hold the same password; encrypt or seal both", p.PasswordSecretID().Name, p.ConnectionSecretID().Name)
	}
	if p.Notes.CouldMove && p.Config.Password.Stated {
		m.results.Warnf(p.Item, "the password source is %s, but the password stays in plain text in the Secret %s, because it is there already; to move it into the cluster without changing it, follow docs/passwords.md",
			v1alpha1.InCluster, p.Instance.PasswordSecret())
	}
	if p.Notes.LeftBehind {
		m.results.Warnf(p.Item, "the password source is %s, but the Secrets %s and %s of an earlier render are still here, and would be applied over what makes them in the cluster; remove them once it does",
			v1alpha1.External, p.PasswordSecretID().Name, p.ConnectionSecretID().Name)
	}
	if len(d.superseded) > 0 {
		m.warnOfBackend(p)
	}
	var all []string
	for _, what := range []struct {
		verb    string
		objects []string
	}{
		{"created", d.created}, {"updated", d.updated},
		{"removed, because a SealedSecret or ExternalSecret makes it:", d.removed},
		{"removed, because another backend needs the name:", d.superseded},
	} {
		if len(what.objects) > 0 {
			all = append(all, what.verb+" "+strings.Join(what.objects, ", "))
		}
	}
	if len(all) == 0 {
		return
	}
	if p.Origin != "" {
		all = append(all, "the password is "+p.Origin)
	}
	m.results.Infof(p.Item, "%s", strings.Join(all, "; "))
	m.tellVolume(p)
	m.tellPassword(p)
	for _, field := range p.OwnSecrets { // warned of where somebody reads it
		m.results.FieldInfof(p.Item, report.Field{Path: field}, "is ignored, so the Secret that it names will not exist; let applications read %s", p.Instance.ConnectionSecret())
	}
}

// tellVolume warns of a volume that is too small for what may be in memory. A snapshot is written beside the
// one before, and a tenth more leaves room for what the file system needs. A full volume goes unnoticed: the
// server keeps answering but no longer saves anything.
func (m *merger) tellVolume(p plan.Plan) {
	if p.Config.Storage.Type != v1alpha1.OnVolume {
		if p.HasStorageGB {
			m.results.FieldInfof(p.Item, report.Field{Path: "spec.storageGB", Current: p.StorageGB},
				"has no effect, because instances with storage.type: %s have no volume", p.Config.Storage.Type)
		}
		return
	}
	volume, once := p.Instance.StorageBytes(), p.Size.MaxMemory()
	enough := 2*once + once/5
	field := report.Field{Path: "spec.storageGB", Current: p.StorageGB, Proposed: (enough + 1<<30 - 1) >> 30}
	switch {
	case volume < once:
		m.results.FieldWarnf(p.Item, field, "the volume is too small for a snapshot of a full instance, and what cannot be saved is lost at the next restart; use a larger volume")
	case volume < enough:
		m.results.FieldWarnf(p.Item, field, "the volume is too small for two snapshots of a full instance, and each is written beside the previous one; use a larger volume, or keep the memory from filling up")
	}
}

// tellPassword reports what users should know about the password.
func (m *merger) tellPassword(p plan.Plan) {
	if p.Notes.RestartOnly {
		m.results.Infof(p.Item, "the rotation restarts the pod but changes no password, because the Secret %s was not made by this function; write the new password into it yourself", p.Instance.PasswordSecret())
	}
	if p.Notes.NewPlain {
		m.results.Warnf(p.Item, "has a new password, in plain text in the file of the Secret %s; encrypt it before you commit it (see docs/passwords.md), or use the password source %s, which keeps passwords out of files",
			p.Instance.PasswordSecret(), v1alpha1.InCluster)
	}
	if p.Notes.CouldMove && !p.Config.Password.Stated {
		m.results.Infof(p.Item, "the password stays in plain text in the Secret %s, because it is there already; to move it into the cluster without changing it, see docs/passwords.md", p.Instance.PasswordSecret())
	}
	if p.Notes.EntersCluster {
		m.results.Warnf(p.Item, "moves its password into the cluster, but applying a Secret without the password removes the live one, unless you prevent that first; follow docs/passwords.md before you apply this")
	}
	if p.Notes.LeavesCluster {
		m.results.Warnf(p.Item, "had a password that its pod made, and gets another one from the seed, so clients have to restart; to keep it, add the live Secret %s beside the claim and set the password source %s",
			p.Instance.PasswordSecret(), v1alpha1.Existing)
	}
}
