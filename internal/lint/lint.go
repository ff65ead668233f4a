// Package lint tells users what they should know about the instances and their changes: what the cluster refuses or
// Dragonfly may not survive on a live instance, and what else among the items conflicts with one.
//
// It reports results only. Nothing that it finds changes the output.
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

// Input is what is looked at.
type Input struct {
	List      *krm.List
	Instances []overrides.Built
	Changes   merge.Changes
}

// Check adds the warnings and infos about the instances.
func Check(in Input, results *report.Results) {
	l := newLinter(in, results)
	l.changes()
	if len(in.Instances) == 0 {
		return
	}
	for _, item := range in.List.All() {
		if item.Group == v1alpha1.Group || item.Annotation(v1alpha1.GeneratedFrom) != "" {
			continue
		}
		for _, id := range instance.MadeBy(item) {
			if instance.MakesEverywhere(item) {
				id.Namespace = ""
			}
			l.made[secret{id.Namespace, id.Name}] = true
		}
		l.neighbour(item)
		l.reader(item)
	}
	l.warnOfNeighbours()
	l.warnOfReaders()
}

type linter struct {
	Input
	results *report.Results

	byName  map[instance.Name]*instance.Instance
	named   map[string][]*instance.Instance // claims by the names of their Secrets, in all namespaces
	ignored map[string][]*instance.Instance // the same by the names that claims ask for in fields of Crossplane
	former  map[string]bool                 // names that claims had before kustomize changed them
	made    map[secret]bool                 // that something else among the items makes
	// By the names of claims, whatever the namespace, and by what is left of them without what a prefix or suffix may
	// have put there, in their namespace and in none. See indexParts.
	whole map[string]*instance.Instance
	parts map[secret]*instance.Instance
	reads []read                   // references to Secrets
	meets map[instance.Name]*meets // what shares the label of an instance
}

// secret is a Secret by where it is and how it is called.
type secret struct{ namespace, name string }

func newLinter(in Input, results *report.Results) *linter {
	l := &linter{
		Input: in, results: results,
		byName: map[instance.Name]*instance.Instance{}, named: map[string][]*instance.Instance{},
		ignored: map[string][]*instance.Instance{}, former: map[string]bool{}, made: map[secret]bool{}, meets: map[instance.Name]*meets{},
	}
	for i := range in.Instances {
		c := &in.Instances[i].Instance
		l.byName[c.Name] = c
		for _, name := range []string{c.PasswordSecret(), c.ConnectionSecret()} {
			l.named[name] = append(l.named[name], c)
		}
		for _, path := range c.IgnoredSecrets() {
			if name := yamlnode.Text(c.Item.Node, append(strings.Split(path, "."), "name")...); name != "" {
				l.ignored[name] = append(l.ignored[name], c)
			}
		}
		for _, was := range c.Item.FormerNames()[1:] {
			l.former[was.Name] = true
		}
	}
	return l
}

// podOf returns the pod that an object makes, or is: its labels and its spec are where those of a pod are. It is nil
// for any other object.
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

// visit calls back for every field in n, through lists.
func visit(n *yaml.Node, field func(key string, value *yaml.Node)) {
	seen := map[*yaml.Node]bool{} // aliases can make a node contain itself
	var walk func(n *yaml.Node)
	walk = func(n *yaml.Node) {
		if n = yamlnode.Follow(n); n == nil || seen[n] {
			return
		}
		seen[n] = true
		for key, value := range yamlnode.Fields(n) {
			field(key.Value, value)
		}
		for _, child := range n.Content {
			walk(child)
		}
	}
	walk(n)
}

// changesOf are the changes of one instance.
type changesOf struct {
	created, updated, superseded, dropped []string
}

// changes reports what changes: for each instance an info, so that a second run in place has none, and warnings about
// what that means for the live one.
func (l *linter) changes() {
	all := map[instance.Name]*changesOf{}
	of := func(name instance.Name) *changesOf {
		if all[name] == nil {
			all[name] = &changesOf{}
		}
		return all[name]
	}
	replaced := map[instance.Name][]merge.Replacement{}
	for _, a := range l.Changes.Add {
		of(a.Instance).created = append(of(a.Instance).created, nameOf(a.Node))
	}
	for _, r := range l.Changes.Replace {
		of(r.Instance).updated = append(of(r.Instance).updated, nameOf(r.With))
		replaced[r.Instance] = append(replaced[r.Instance], r)
	}
	for _, r := range l.Changes.Remove {
		switch what := nameOf(r.Item.Node); r.Why {
		case merge.OtherBackend:
			of(r.Instance).superseded = append(of(r.Instance).superseded, what)
		case merge.NotHad:
			of(r.Instance).dropped = append(of(r.Instance).dropped, what)
		case merge.ClaimGone:
		}
	}
	for _, inst := range l.Instances {
		if changed := all[inst.Name]; changed != nil {
			for _, r := range replaced[inst.Name] {
				switch id := r.Item.ID; id {
				case inst.StatefulSetID(), inst.DragonflyID():
					l.live(r.Item.Node, r.With, inst.Instance, id.Kind)
				case inst.ConnectionSecretID():
					l.warnOfSecretType(r.Item.Node, inst.Instance)
				}
			}
			l.changed(inst.Instance, *changed)
		}
	}
	l.gone(all)
}

func nameOf(n *yaml.Node) string {
	item := krm.NewItem(n)
	return item.Kind + " " + item.Name
}

// changed reports the changes of an instance, and what users should know about it then.
func (l *linter) changed(c instance.Instance, changes changesOf) {
	if len(changes.superseded) > 0 {
		l.warnOfBackend(c)
	}
	if slices.ContainsFunc(changes.dropped, func(what string) bool { return strings.HasPrefix(what, "Secret ") }) {
		l.results.Warnf(c.Item, "its password source is %s now, so the manifests of its Secrets go, and a tool that prunes would delete the live ones with the password; annotate those first with argocd.argoproj.io/sync-options: Prune=false (Argo CD) or kustomize.toolkit.fluxcd.io/prune: disabled (Flux), and see docs/passwords.md", c.Source)
	}
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
	l.results.Infof(c.Item, "%s", strings.Join(append(all, origin(c)), "; "))
	l.warnOfVolume(c)
	for _, field := range c.IgnoredSecrets() { // warned of where somebody reads it
		l.results.FieldInfof(c.Item, report.Field{Path: field}, "is ignored, so the Secret that it names will not exist; let applications read %s", c.ConnectionSecret())
	}
}

// origin says where the password comes from.
func origin(c instance.Instance) string {
	switch {
	case c.Source == v1alpha1.InCluster:
		return "the password is made by the instance's own pod, in the cluster"
	case len(c.Seen) > 0:
		var makers []string
		for _, item := range c.Seen {
			makers = append(makers, item.Kind+" "+item.Name)
		}
		return "the password source is " + string(c.Source) + ", because of " + strings.Join(makers, " and ")
	case c.Source == v1alpha1.Existing:
		return "the password is that of the Secret " + c.PasswordSecret() + ", which something else makes"
	}
	return "something else makes the Secrets " + c.PasswordSecret() + " and " + c.ConnectionSecret()
}
