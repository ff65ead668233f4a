package lint

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/instance"
	"github.com/bizmatters/dragonfly-generator/internal/krm"
	"github.com/bizmatters/dragonfly-generator/internal/yamlnode"
)

// read is a reference to a Secret.
type read struct {
	by *krm.Item
	krm.ID
}

// noteReader notes the Secrets that an item refers to, each once.
func (l *linter) noteReader(item *krm.Item) {
	seen := map[string]bool{}
	take := func(ref *yaml.Node, name string) {
		if name != "" && !seen[name] && yamlnode.Text(ref, "optional") != "true" {
			seen[name] = true
			l.reads = append(l.reads, read{item, krm.SecretID(item.Namespace, name)})
		}
	}
	for n := range yamlnode.All(item.Node) {
		for key, value := range yamlnode.Fields(n) {
			switch key.Value {
			case "secretKeyRef", "secretRef":
				take(value, yamlnode.Text(value, "name"))
			case "secret": // of a volume, or one of its sources
				take(value, yamlnode.Text(value, "secretName"))
				take(value, yamlnode.Text(value, "name"))
			}
		}
	}
}

// kustomizeHash is what kustomize appends to the names of generated Secrets: ten of the characters that it encodes hashes with.
var kustomizeHash = regexp.MustCompile("-[2456789bcdfghkmt]{10}$")

// warnOfHash warns about a generated password Secret that already has a hash in its name, as in the output of kustomize. With the
// hash it is not the Secret of a claim, and nobody would use its password.
func (l *linter) warnOfHash(item *krm.Item) {
	if !item.IsSecret() || !kustomizeHash.MatchString(item.Name) {
		return
	}
	name := kustomizeHash.ReplaceAllString(item.Name, "")
	for _, inst := range l.named[name] {
		if inst.Namespace == item.Namespace && inst.PasswordSecret() == name && inst.Source == v1alpha1.InCluster {
			l.results.Warnf(item, "is not the password Secret of the claim %s, because kustomize added a hash to its name; set disableNameSuffixHash: true in the options of its generator, or call this function as a transformer", inst.Name)
		}
	}
}

// warnOfReaders warns about references to Secrets that do not exist but look like those of a claim.
func (l *linter) warnOfReaders() {
	for _, r := range l.reads {
		if l.made[r.ID] || l.made[krm.SecretID("", r.Name)] || slices.ContainsFunc(l.named[r.Name], r.mayReach) {
			continue
		}
		if i := slices.IndexFunc(l.ignored[r.Name], r.mayReach); i >= 0 {
			inst := l.ignored[r.Name][i]
			l.results.Warnf(r.by, "reads the Secret %s, which the claim %s names in an ignored Crossplane field, so nothing creates it; read %s instead", r.Name, inst.Name, inst.ConnectionSecret())
		} else if inst, found := l.meant(r); found {
			l.warnOfReader(r, inst)
		}
	}
}

// warnOfReader warns about a reference that probably means that claim.
func (l *linter) warnOfReader(r read, inst *instance.Instance) {
	name, _ := strings.CutSuffix(r.Name, instance.ConnectionSecretName(""))
	switch {
	case r.Namespace == "" && l.former[instance.Name{Namespace: inst.Namespace, Name: name}]:
		l.results.Warnf(r.by, "reads the Secret %s, but kustomize renames the claim and updates only the references in the claim's namespace; set the namespace %s on this object too", r.Name, inst.Namespace)
	case r.Namespace == inst.Namespace || r.Namespace == "":
		l.results.Warnf(r.by, "reads the Secret %s, but no claim in this namespace has a Secret of that name; if the claim %s is meant, read %s", r.Name, inst.Name, inst.ConnectionSecret())
	case r.Name == inst.ConnectionSecret() && len(inst.Config.ConnectionSecret.Annotations)+len(inst.Config.ConnectionSecret.Labels) > 0:
		// These make another tool copy the Secret there.
	default:
		l.results.Warnf(r.by, "reads the Secret %s, but the claim %s is in another namespace, and pods can only read Secrets in their own; have the Secret copied (see docs/configuration.md)", r.Name, inst.Name)
	}
}

// mayReach reports whether a reference can be to the Secrets of an instance. Without a namespace, it can be to any
// instance.
func (r read) mayReach(inst *instance.Instance) bool {
	return r.Namespace == "" || r.Namespace == inst.Namespace
}

// meant returns the instance that is probably meant by a Secret that follows our naming convention but has another name or
// namespace than the instance's. If kustomize has changed a name, it updates the references in the same namespace itself, after
// this function; to kustomize, no namespace is the namespace default.
//
// Many Secrets that are not ours end in -password: shop-web-password need not mean the claim shop-web-cache, nor
// redis-password the claim my-redis. So such a name counts only if it has several words and the claim's name adds a prefix to it.
func (l *linter) meant(r read) (*instance.Instance, bool) {
	name, isConnection := strings.CutSuffix(r.Name, instance.ConnectionSecretName(""))
	if !isConnection {
		name = strings.TrimSuffix(r.Name, instance.PasswordSecretName(""))
	}
	if name == "" || name == r.Name || l.former[instance.Name{Namespace: cmp.Or(r.Namespace, corev1.NamespaceDefault), Name: name}] {
		return nil, false
	}
	if all := l.named[r.Name]; isConnection && len(all) > 0 { // in another namespace
		return all[0], true
	}
	for i := range l.instances {
		inst := &l.instances[i].Instance
		hasPrefix, hasSuffix := strings.HasSuffix(inst.Name.Name, "-"+name), strings.HasPrefix(inst.Name.Name, name+"-")
		if r.mayReach(inst) && (hasPrefix && (isConnection || strings.Contains(name, "-")) || hasSuffix && isConnection) {
			return inst, true
		}
	}
	return nil, false
}
