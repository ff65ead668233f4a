package others

import (
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/internal/instance"
	"github.com/bizmatters/dragonfly-generator/internal/krm"
	"github.com/bizmatters/dragonfly-generator/internal/plan"
	"github.com/bizmatters/dragonfly-generator/internal/yamlnode"
)

// read is a reference to a Secret.
type read struct {
	by *krm.Item
	secret
}

// reader notes the Secrets that an item refers to, each once.
func (w *warner) reader(item *krm.Item) {
	seen := map[string]bool{}
	take := func(ref *yaml.Node, name string) {
		if name != "" && !seen[name] && yamlnode.Text(ref, "optional") != "true" {
			seen[name] = true
			w.reads = append(w.reads, read{item, secret{item.Namespace, name}})
		}
	}
	visit(item.Node, func(_, key string, value *yaml.Node) {
		switch key {
		case "secretKeyRef", "secretRef":
			take(value, yamlnode.Text(value, "name"))
		case "secret": // of a volume, or one of its sources
			take(value, yamlnode.Text(value, "secretName"))
			take(value, yamlnode.Text(value, "name"))
		}
	})
}

// tellReaders warns of references to Secrets that nobody makes although a claim is meant.
func (w *warner) tellReaders() {
	for _, r := range w.reads {
		if w.made[r.secret] || w.made[secret{name: r.name}] || slices.ContainsFunc(w.named[r.name], r.mayReach) {
			continue
		}
		if i := slices.IndexFunc(w.ignored[r.name], r.mayReach); i >= 0 {
			p := w.ignored[r.name][i]
			w.results.Warnf(r.by, "reads the Secret %s, which the claim %s names in an ignored Crossplane field, so nothing makes it; read %s instead", r.name, p.Name, p.Instance.ConnectionSecret())
		} else if p, found := w.meant(r); found {
			w.results.Warnf(r.by, "reads the Secret %s, but there is no claim of that name in its namespace; for the claim %s, read %s from the same namespace", r.name, p.Name, p.Instance.ConnectionSecret())
		}
	}
}

// mayReach reports whether a reference can lead to the Secrets of an instance. One without a namespace can lead
// anywhere.
func (r read) mayReach(p *plan.Plan) bool { return r.namespace == "" || r.namespace == p.Namespace }

// meant returns the instance that a Secret of our convention belongs to by another name or in another namespace.
// Names that kustomize has changed are followed by kustomize itself, after us.
func (w *warner) meant(r read) (*plan.Plan, bool) {
	name, found := strings.CutSuffix(r.name, instance.ConnectionSecretName(""))
	if !found || name == "" || w.former[name] {
		return nil, false
	}
	w.indexParts()
	if p, found := w.whole[name]; found { // in another namespace
		return p, true
	}
	p, found := w.parts[secret{r.namespace, name}]
	return p, found
}

// indexParts fills in whole and parts, once.
func (w *warner) indexParts() {
	if w.parts != nil {
		return
	}
	w.whole, w.parts = map[string]*plan.Plan{}, map[secret]*plan.Plan{}
	add := func(namespace, name string, p *plan.Plan) {
		if _, found := w.parts[secret{namespace, name}]; !found {
			w.parts[secret{namespace, name}] = p
		}
	}
	for i := range w.plans {
		p := &w.plans[i]
		name := p.Name.Name
		if _, found := w.whole[name]; !found {
			w.whole[name] = p
		}
		for i, c := range name {
			if c == '-' {
				for _, namespace := range []string{p.Namespace, ""} {
					add(namespace, name[:i], p)
					add(namespace, name[i+1:], p)
				}
			}
		}
	}
}
