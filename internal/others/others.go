// Package others warns about items that conflict with an instance: pods and selectors that share its label,
// other creators of its Secrets, references to Secrets that do not exist, and passwords that are placeholders
// or shared.
//
// It can only guess about objects that are not ours, so it only warns.
package others

import (
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/instance"
	"github.com/bizmatters/dragonfly-generator/internal/krm"
	"github.com/bizmatters/dragonfly-generator/internal/plan"
	"github.com/bizmatters/dragonfly-generator/internal/report"
	"github.com/bizmatters/dragonfly-generator/internal/yamlnode"
)

// Warn adds the warnings about the planned instances.
func Warn(list *krm.List, plans []plan.Plan, results *report.Results) {
	if len(plans) == 0 {
		return
	}
	w := newWarner(list, plans, results)
	for _, item := range list.All() {
		if item.Group == v1alpha1.Group || item.Annotation(v1alpha1.GeneratedFrom) != "" {
			continue
		}
		w.neighbour(item)
		w.maker(item)
		w.reader(item)
	}
	w.tellNeighbours()
	w.tellReaders()
	for i := range plans {
		w.password(&plans[i])
	}
	w.extraKeys()
}

type warner struct {
	list    *krm.List
	plans   []plan.Plan
	results *report.Results

	byName  map[instance.Name]*plan.Plan
	named   map[string][]*plan.Plan // instances by the names of their Secrets, in all namespaces
	ignored map[string][]*plan.Plan // the same by the names that claims ask for in fields of Crossplane
	former  map[string]bool         // names that claims had before kustomize changed them
	made    map[secret]bool         // that something else among the items makes
	// By the names of claims, whatever the namespace, and by what is left of them without what a prefix or suffix may
	// have put there, in their namespace and in none. See indexParts.
	whole map[string]*plan.Plan
	parts map[secret]*plan.Plan
	reads []read                   // references to Secrets
	meets map[instance.Name]*meets // what shares the label of an instance
}

// secret is a Secret by where it is and how it is called.
type secret struct{ namespace, name string }

func newWarner(list *krm.List, plans []plan.Plan, results *report.Results) *warner {
	w := &warner{
		list: list, plans: plans, results: results,
		byName: map[instance.Name]*plan.Plan{}, named: map[string][]*plan.Plan{},
		ignored: map[string][]*plan.Plan{}, former: map[string]bool{}, made: map[secret]bool{}, meets: map[instance.Name]*meets{},
	}
	for i := range plans {
		p := &plans[i]
		inst := p.Instance
		w.byName[inst.Name] = p
		for _, name := range []string{inst.PasswordSecret(), inst.ConnectionSecret()} {
			w.named[name] = append(w.named[name], p)
		}
		for _, path := range p.OwnSecrets {
			if name := yamlnode.Text(p.Item.Node, append(strings.Split(path, "."), "name")...); name != "" {
				w.ignored[name] = append(w.ignored[name], p)
			}
		}
		for _, was := range p.Item.FormerNames()[1:] {
			w.former[was.Name] = true
		}
	}
	return w
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
