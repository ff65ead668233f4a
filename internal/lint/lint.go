// Package lint tells users what they should know about the instances and their changes: what the cluster will refuse, what
// a live Dragonfly may not survive, and which other items conflict with an instance.
//
// It only reports results and never changes the output.
package lint

import (
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/instance"
	"github.com/bizmatters/dragonfly-generator/internal/krm"
	"github.com/bizmatters/dragonfly-generator/internal/merge"
	"github.com/bizmatters/dragonfly-generator/internal/overrides"
	"github.com/bizmatters/dragonfly-generator/internal/report"
	"github.com/bizmatters/dragonfly-generator/internal/yamlnode"
)

// Check adds the warnings and infos about the instances and what is planned for them.
func Check(list *krm.List, instances []overrides.Built, planned merge.Changes, results *report.Results) {
	l := newLinter(list, instances, planned, results)
	l.changes()
	if len(instances) == 0 {
		return
	}
	for _, item := range list.All() {
		if item.Group == v1alpha1.Group || item.Annotation(v1alpha1.GeneratedFrom) != "" || item.IsLocal() {
			continue
		}
		for _, id := range instance.MadeBy(item) {
			l.made[id] = true
		}
		l.warnOfHash(item)
		l.noteNeighbor(item)
		l.noteReader(item)
	}
	l.warnOfNeighbors()
	l.warnOfReaders()
}

type linter struct {
	list      *krm.List
	instances []overrides.Built
	planned   merge.Changes
	results   *report.Results

	named     map[string][]*instance.Instance // instances by the names of their Secrets, in all namespaces
	ignored   map[string][]*instance.Instance // instances by the Secret names in their ignored Crossplane fields
	former    map[instance.Name]bool          // names that claims had before kustomize changed them, which it follows
	made      map[krm.ID]bool                 // Secrets that other items make
	reads     []read                          // references to Secrets
	neighbors map[instance.Name]*neighbors    // items that share the label app of an instance
}

func newLinter(list *krm.List, instances []overrides.Built, planned merge.Changes, results *report.Results) *linter {
	l := &linter{
		list: list, instances: instances, planned: planned, results: results,
		named:   map[string][]*instance.Instance{},
		ignored: map[string][]*instance.Instance{}, former: map[instance.Name]bool{}, made: map[krm.ID]bool{}, neighbors: map[instance.Name]*neighbors{},
	}
	for i := range instances {
		inst := &instances[i].Instance
		l.neighbors[inst.Name] = &neighbors{}
		for _, name := range []string{inst.PasswordSecret(), inst.ConnectionSecret()} {
			l.named[name] = append(l.named[name], inst)
		}
		for _, field := range inst.IgnoredSecrets() {
			if name := yamlnode.Text(inst.Item.Node, "spec", field, "name"); name != "" {
				l.ignored[name] = append(l.ignored[name], inst)
			}
		}
		for _, was := range inst.Item.FormerNames() {
			l.former[instance.Name{Namespace: inst.Namespace, Name: was.Name}] = true
		}
	}
	return l
}

// podOf returns the pod, or the pod template of an object that creates pods: both have their labels and spec at the same
// paths. It returns nil for any other object.
func podOf(item *krm.Item) *yaml.Node {
	if item.Group == "" && item.Kind == "Pod" {
		return item.Node
	}
	for _, path := range [][]string{{"spec", "template"}, {"spec", "jobTemplate", "spec", "template"}} {
		if pod := yamlnode.Get(item.Node, path...); yamlnode.Get(pod, "spec", "containers") != nil {
			return pod
		}
	}
	return nil
}

// changesOf holds the changes to one instance.
type changesOf struct {
	created, updated, superseded, dropped []string

	old, fresh *yaml.Node // what runs the instance before and after these changes, if it changes
	secret     *yaml.Node // its connection Secret before these changes, if it changes
}

// changes reports one info for each instance that changes, so a second run in place reports none, and warns about what the
// changes mean for the live instance.
func (l *linter) changes() {
	all := map[instance.Name]*changesOf{}
	of := func(name instance.Name) *changesOf {
		if all[name] == nil {
			all[name] = &changesOf{}
		}
		return all[name]
	}
	for _, a := range l.planned.Add {
		changed, item := of(a.Instance), krm.NewItem(a.Node)
		changed.created = append(changed.created, nameOf(item))
		if runs(item, a.Instance) {
			changed.fresh = a.Node
		}
	}
	for _, r := range l.planned.Replace {
		changed := of(r.Instance)
		changed.updated = append(changed.updated, nameOf(r.Item))
		if runs(r.Item, r.Instance) {
			changed.old, changed.fresh = r.Item.Node, r.With
		}
		if r.Item.ID == r.Instance.ConnectionSecretID() {
			changed.secret = r.Item.Node
		}
	}
	for _, r := range l.planned.Remove {
		switch changed := of(r.Instance); r.Why {
		case merge.OtherBackend:
			changed.superseded = append(changed.superseded, nameOf(r.Item))
			if runs(r.Item, r.Instance) {
				changed.old = r.Item.Node
			}
		case merge.Dropped:
			changed.dropped = append(changed.dropped, nameOf(r.Item))
		case merge.ClaimGone:
		}
	}
	for _, inst := range l.instances {
		if changed := all[inst.Name]; changed != nil {
			l.changed(inst.Instance, *changed)
		}
	}
	l.gone(all)
}

// runs reports whether an item is the object that runs the instance.
func runs(item *krm.Item, name instance.Name) bool {
	return item.ID == name.StatefulSetID() || item.ID == name.DragonflyID()
}

func nameOf(item *krm.Item) string { return item.Kind + " " + item.Name }

// changed reports the changes to an instance and what users should know about them.
func (l *linter) changed(inst instance.Instance, changes changesOf) {
	before, after := runnerOf(changes.old), runnerOf(changes.fresh)
	switch {
	case len(changes.superseded) > 0:
		l.warnOfBackend(before, inst)
	case changes.old != nil:
		l.live(before, after, inst)
	}
	if changes.secret != nil {
		l.warnOfSecretType(changes.secret, inst)
	}
	dropsSecret := slices.ContainsFunc(changes.dropped, func(what string) bool { return strings.HasPrefix(what, "Secret ") })
	hasNewSource := (changes.fresh != nil || dropsSecret) && l.warnOfSource(before, dropsSecret, inst)
	var all []string
	for _, what := range []struct {
		verb    string
		objects []string
	}{
		{"created", changes.created}, {"updated", changes.updated},
		{"removed, because the instance no longer has it:", changes.dropped},
		{"removed, because another backend needs the name:", changes.superseded},
	} {
		if len(what.objects) > 0 {
			all = append(all, what.verb+" "+strings.Join(what.objects, ", "))
		}
	}
	if hasNewSource {
		all = append(all, passwordOrigin(inst))
	}
	l.results.Infof(inst.Item, "%s", strings.Join(all, "; "))
	l.warnOfVolume(inst)
	for _, field := range inst.IgnoredSecrets() { // something that reads it gets a warning
		l.results.FieldInfof(inst.Item, report.Field{Path: "spec." + field}, "is ignored, so the Secret that it names will not exist; change applications to read %s", inst.ConnectionSecret())
	}
}

// passwordOrigin describes where the password comes from.
func passwordOrigin(inst instance.Instance) string {
	switch {
	case inst.Source == v1alpha1.InCluster:
		return "the instance's own pod creates the password in the cluster"
	case len(inst.Seen) > 0:
		var makers []string
		for _, item := range inst.Seen {
			makers = append(makers, item.Kind+" "+item.Name)
		}
		return "the password source is " + string(inst.Source) + ", because of " + strings.Join(makers, " and ")
	case inst.Source == v1alpha1.Existing:
		return "the password is that of the Secret " + inst.PasswordSecret() + ", which something else creates"
	}
	return "something else creates the Secrets " + inst.PasswordSecret() + " and " + inst.ConnectionSecret()
}
