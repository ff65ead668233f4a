package plan

import (
	"cmp"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/claim"
	"github.com/bizmatters/dragonfly-generator/internal/instance"
	"github.com/bizmatters/dragonfly-generator/internal/krm"
	"github.com/bizmatters/dragonfly-generator/internal/prepare/password"
	"github.com/bizmatters/dragonfly-generator/internal/report"
	"github.com/bizmatters/dragonfly-generator/internal/yamlnode"
)

// look returns what can be seen of the claim's password. It returns false after reporting a problem with what
// is there.
func (p *passwords) look(c claim.Claim) (facts, bool) {
	f := facts{source: c.Config.Password.Source, asked: c.Rotation, kept: p.Kept, rendered: p.rendered(c)}
	var ok bool
	if f.password, ok = p.secret(c, c.PasswordSecretID()); !ok {
		return f, false
	}
	if f.connection, ok = p.secret(c, c.ConnectionSecretID()); !ok {
		return f, false
	}
	for _, view := range []*secretView{&f.password, &f.connection} {
		if view.state == sealed && view.rotation == "" {
			view.rotation = f.rendered.rotation // it says nothing, so it is as it was when the pod last restarted
		}
	}
	if f.password.shadowed && p.only(c.PasswordSecretID()).Annotation(v1alpha1.PasswordRotation) != f.password.rotation {
		f.password.value = password.Password{} // of another rotation than what is sealed, so of no use
	}
	if f.connection.shadowed && p.only(c.ConnectionSecretID()).Annotation(v1alpha1.PasswordRotation) != f.connection.rotation {
		f.connection.value = password.Password{}
	}
	f.lacksKeys = f.connection.state == encrypted && len(p.missingKeys(c)) > 0
	return f, true
}

// rendered returns what an earlier run made of the claim.
func (p *passwords) rendered(c claim.Claim) rendered {
	var before rendered
	for _, id := range c.RunnerIDs() {
		for _, item := range p.List.Find(id) {
			if p.Owners.Whose(item, c.Name) != claim.Ours {
				continue
			}
			before.there = true
			before.rotation = cmp.Or(before.rotation,
				yamlnode.Text(item.Node, "spec", "template", "metadata", "annotations", v1alpha1.PasswordRotation),
				yamlnode.Text(item.Node, "spec", "podMetadata", "annotations", v1alpha1.PasswordRotation))
			before.inCluster = before.inCluster || hasPasswordContainer(item.Node)
		}
	}
	return before
}

// hasPasswordContainer reports whether what runs an instance has the init container that makes its password.
func hasPasswordContainer(runner *yaml.Node) bool {
	for _, containers := range []*yaml.Node{
		yamlnode.Get(runner, "spec", "template", "spec", "initContainers"), yamlnode.Get(runner, "spec", "initContainers"),
	} {
		if yamlnode.Named(containers, instance.PrepareContainer) != nil {
			return true
		}
	}
	return false
}

// only returns the single item with that identity.
func (p *passwords) only(id krm.ID) *krm.Item { return p.List.Find(id)[0] }

// secret finds that Secret of the claim and reads as much of it as can be read. It returns false after
// reporting a problem.
func (p *passwords) secret(c claim.Claim, id krm.ID) (view secretView, ok bool) {
	standIn := p.standIns[id]
	if standIn != nil {
		view.state, view.rotation = sealed, recordedBy(standIn)
	}
	items := p.List.Find(id)
	switch {
	case len(items) > 1:
		return view, false // reported where the objects are merged
	case p.refuseWithoutNamespace(c, id.Name) || standIn == nil && len(items) == 0 && p.refuseRenamed(c, id.Name):
		return view, false
	case len(items) == 0:
		return view, true
	}

	return p.view(c, items[0], standIn, view)
}

// view completes the view with the Secret itself, beside what stands for it, which may be nil. It returns false
// after reporting a problem.
func (p *passwords) view(c claim.Claim, item, standIn *krm.Item, view secretView) (secretView, bool) {
	owner := p.Owners.Whose(item, c.Name)
	isConnection := item.ID == c.ConnectionSecretID()
	if owner != claim.Theirs && view.state != sealed {
		view.rotation = item.Annotation(v1alpha1.PasswordRotation)
	}
	switch {
	case owner == claim.Theirs && isConnection: // refused where the objects are merged, unless something else makes it
		view.foreign = c.Config.Password.Source == v1alpha1.External
		return view, true
	case owner == claim.Theirs && standIn != nil:
		p.results.Errorf(item, "conflicts with the %s %s, which makes the same Secret; remove one of them", standIn.Kind, standIn.Name)
		return view, false
	case item.IsEncrypted():
		view.state, view.foreign = encrypted, owner == claim.Theirs
		return view, !p.refuseEncrypted(c, item, isConnection)
	case owner != claim.Theirs && !instance.HasPassword(item.Node): // its password is in the cluster
		view.emptied, view.shadowed = standIn == nil, standIn != nil
		return view, true
	}
	var ok bool
	if view.value, ok = p.passwordIn(c, item); !ok {
		return view, false
	}
	if view.state == sealed {
		view.shadowed = true
		return view, true
	}
	view.state, view.foreign = readable, owner == claim.Theirs
	return view, true
}

// refuseEncrypted reports an encrypted Secret of another claim, as far as its mark can be read.
func (p *passwords) refuseEncrypted(c claim.Claim, item *krm.Item, isConnection bool) bool {
	switch mark := item.Annotation(v1alpha1.GeneratedFrom); {
	case isEncryptedValue(mark): // reported by refuseUnreadable
		return true
	case isConnection && mark != c.String():
		p.results.Errorf(item, "was made for the claim %s, so its endpoint is wrong for %s, but it is encrypted with SOPS and cannot be written; decrypt the Secrets of the instance, run this again, and encrypt both",
			mark, c.Name)
		return true
	}
	return false
}

// passwordIn returns the password in a Secret. It returns false after reporting a problem.
func (p *passwords) passwordIn(c claim.Claim, secret *krm.Item) (value password.Password, ok bool) {
	text, field, err := secretText(secret.Node, instance.PasswordKey)
	if err == nil && strings.HasPrefix(text, sopsValue+"AES256_GCM,") {
		err = errors.New("is encrypted by SOPS, but the `sops` block that is needed to decrypt it is missing; restore that block")
	} else if err == nil {
		value, err = password.Parse(text)
	}
	if err != nil {
		p.results.FieldErrorf(secret, report.Field{Path: field}, "the password of %s %s", c.Name, err)
	}
	return value, err == nil
}

// missingKeys returns the keys that the claim's connection Secret should have and does not. SOPS encrypts
// values only.
func (p *passwords) missingKeys(c claim.Claim) []string {
	item := p.only(c.ConnectionSecretID())
	var missing []string
	for _, key := range slices.Sorted(maps.Keys(c.Config.ExtraKeys)) {
		if yamlnode.Get(item.Node, "data", key) == nil && yamlnode.Get(item.Node, "stringData", key) == nil {
			missing = append(missing, key)
		}
	}
	return missing
}

// refuseWithoutNamespace reports a Secret of the right name, or what stands for one, that has no namespace:
// kubectl would apply it to its current namespace, so its owner is unclear.
func (p *passwords) refuseWithoutNamespace(c claim.Claim, name string) bool {
	id := krm.ID{Kind: "Secret", Name: name}
	items := p.List.Find(id)
	if standIn := p.standIns[id]; standIn != nil {
		items = append(slices.Clone(items), standIn)
	}
	if len(items) == 0 {
		return false
	}
	NoNamespace(items[0], c.Name, p.results) // not all: each of them is in the way of each claim of that name
	return true
}

// refuseRenamed reports a Secret, or what stands for one, that had the right name before kustomize renamed the
// claim, and has another one now: a nameSuffix goes behind "-password", and what an ExternalSecret targets
// is not renamed at all.
func (p *passwords) refuseRenamed(c claim.Claim, name string) bool {
	former := c.Item.FormerNames()[1:]
	if len(former) == 0 {
		return false
	}
	secretName := instance.PasswordSecretName
	if name == c.ConnectionSecret() {
		secretName = instance.ConnectionSecretName
	}
	p.indexFormerNames()
	for _, was := range former {
		if p.Owners.IsClaimed(instance.Name{Namespace: c.Namespace, Name: was.Name}.String()) {
			continue // it may be that one's
		}
		var found *krm.Item
		for _, namespace := range []string{was.Namespace, c.Namespace, ""} {
			id := krm.ID{Kind: "Secret", Namespace: namespace, Name: secretName(was.Name)}
			if found = p.former[id]; found == nil {
				found = p.standIns[id]
			}
			if found != nil {
				break
			}
		}
		if found != nil {
			p.results.Errorf(found, "was meant for the claim %s, but kustomize has given the two different names, and the claim needs a Secret %s; use namePrefix instead of nameSuffix, and write the final name where kustomize does not (spec.target.name of an ExternalSecret)", c.Name, name)
			return true
		}
	}
	return false
}

// indexFormerNames fills in former, once.
func (p *passwords) indexFormerNames() {
	if p.former != nil {
		return
	}
	p.former = map[krm.ID]*krm.Item{}
	for _, item := range p.List.Items {
		if item.Group == "" && item.Kind == "Secret" {
			for _, id := range item.FormerNames()[1:] {
				p.former[id] = item
			}
		}
	}
}

// NoNamespace reports an object that has the name of one of the instance's and says no namespace.
func NoNamespace(item *krm.Item, name instance.Name, results *report.Results) {
	results.FieldErrorf(item, report.Field{Path: "metadata.namespace", Proposed: name.Namespace},
		"is missing, so it is not clear whether this belongs to the claim %s; set `namespace: %s`, or give it another name", name, name.Namespace)
}

// secretText returns a value of a Secret as Kubernetes would store it, where stringData wins over data,
// and the path of the field that it is in. The error never quotes the value.
func secretText(secret *yaml.Node, key string) (text, field string, err error) {
	secret, err = yamlnode.Plain(secret)
	if duplicate := (*yamlnode.DuplicateKeyError)(nil); errors.As(err, &duplicate) {
		return "", "data", fmt.Errorf("cannot be read, because the Secret %w; remove one of them", duplicate)
	} else if err != nil {
		return "", "data", fmt.Errorf("cannot be read, because the Secret %w; write the values out", err)
	}
	for _, data := range []string{"stringData", "data"} {
		value := yamlnode.Get(secret, data, key)
		field := data + "." + key
		switch {
		case yamlnode.IsNull(value):
			continue
		case !yamlnode.IsString(value):
			return "", field, errors.New("must be a string; put it in quotes")
		case data == "stringData":
			return value.Value, field, nil
		}
		decoded, err := base64.StdEncoding.DecodeString(value.Value)
		if err != nil {
			return "", field, errors.New("is not valid base64; encode it, or use stringData")
		}
		return string(decoded), field, nil
	}
	return "", "data." + key, fmt.Errorf("is missing; add the key %s to the Secret", key)
}

// refuseUnreadable reports objects whose identity SOPS has encrypted, because they may be the Secrets of a
// claim.
func (p *passwords) refuseUnreadable() {
	for _, item := range p.List.Items {
		if item.IsEncrypted() && slices.ContainsFunc([]string{
			item.Kind, item.Name, item.Namespace, item.Annotation(v1alpha1.GeneratedFrom), item.Annotation(v1alpha1.PasswordRotation),
		}, isEncryptedValue) {
			p.results.FileErrorf(item, "SOPS has encrypted the kind, the name or the annotations of %s, so it cannot be identified; decrypt it, set `encrypted_regex: ^(data|stringData)$` in .sops.yaml, and encrypt it again", item.Place())
		}
	}
}

// sopsValue is how SOPS begins what it has encrypted.
const sopsValue = "ENC["

// isEncryptedValue reports whether SOPS has encrypted a value.
func isEncryptedValue(text string) bool { return strings.HasPrefix(text, sopsValue) }

// findStandIns returns what stands for Secrets, by the Secret.
func findStandIns(list *krm.List) map[krm.ID]*krm.Item {
	standIns := map[krm.ID]*krm.Item{}
	for _, item := range list.Items {
		if id := StandsFor(item); id != (krm.ID{}) {
			standIns[id] = item
		}
	}
	return standIns
}

// StandsFor returns the Secret that is created from an object: from a SealedSecret the one of the same name, from an
// ExternalSecret its target. Other objects stand for none.
func StandsFor(item *krm.Item) krm.ID {
	switch {
	case item.Group == "bitnami.com" && item.Kind == "SealedSecret":
		return krm.ID{Kind: "Secret", Namespace: item.Namespace, Name: item.Name}
	case item.Group == "external-secrets.io" && item.Kind == "ExternalSecret":
		switch yamlnode.Text(item.Node, "spec", "target", "creationPolicy") {
		case "Merge", "None": // it makes no Secret
			return krm.ID{}
		}
		name := cmp.Or(yamlnode.Text(item.Node, "spec", "target", "name"), item.Name)
		return krm.ID{Kind: "Secret", Namespace: item.Namespace, Name: name}
	}
	return krm.ID{}
}

// recordedBy returns the rotation that the stand-in gives the Secret that it makes.
func recordedBy(standIn *krm.Item) string {
	template := []string{"spec", "template"}
	if standIn.Kind == "ExternalSecret" {
		template = []string{"spec", "target", "template"}
	}
	return yamlnode.Text(standIn.Node, append(template, "metadata", "annotations", v1alpha1.PasswordRotation)...)
}
