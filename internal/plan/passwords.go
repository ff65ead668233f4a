package plan

import (
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/instance"
	"github.com/bizmatters/dragonfly-generator/internal/krm"
	"github.com/bizmatters/dragonfly-generator/internal/password"
	"github.com/bizmatters/dragonfly-generator/internal/report"
	"github.com/bizmatters/dragonfly-generator/internal/yamlnode"
)

// passwords decides where each password comes from. A password never changes unless somebody asks for
// it, so what is there already is looked at first, and what is there but out of sight is never guessed.
type passwords struct {
	Input
	results *report.Results

	seed     seed
	standIns map[krm.ID]*krm.Item
	former   map[krm.ID]*krm.Item // Secrets by the names that they had before kustomize renamed them
	owners   Owners

	without string // the first claim for which there is no password
}

func newPasswords(in Input, owners Owners, results *report.Results) *passwords {
	p := &passwords{Input: in, results: results, standIns: findStandIns(in.List), owners: owners}
	if !in.Unclear {
		p.seed = findSeed(in, results)
	}
	p.findUnreadable()
	return p
}

// decide fills in the plan's password, its rotation, and what happens to the two Secrets. It returns
// false after reporting a problem.
func (p *passwords) decide(c claim, plan *Plan) bool {
	if p.Unclear {
		return false
	}
	pw := p.look(c, c.PasswordSecretID())
	conn := p.look(c, c.ConnectionSecretID())
	if pw.failed || conn.failed {
		return false
	}
	inst := &plan.Instance
	plan.PasswordSecret, plan.ConnectionSecret = pw.disposition(), conn.disposition()

	before := p.rendered(c)
	for _, view := range []*secretView{&pw, &conn} {
		if view.state == sealed && view.rotation == "" {
			view.rotation = before.rotation // it says nothing, so it is as it was when the pod last restarted
		}
		if view.plain && view.item.Annotation(v1alpha1.PasswordRotation) != view.rotation {
			view.password = password.Password{} // of another rotation than what is sealed, so of no use
		}
	}

	// An own password Secret says for itself which rotation it belongs to. Without one, what is left says it.
	recorded := firstOf(conn.rotation, before.rotation)
	if pw.isThere() && !pw.foreign {
		recorded = pw.rotation
	}
	inst.Rotation = firstOf(c.rotation, recorded)

	stale := func(s secretView) bool { return s.isThere() && c.rotation != "" && s.rotation != c.rotation }
	rotate := stale(pw) && !pw.foreign || !pw.isThere() && stale(conn)
	plan.RestartOnly = pw.foreign && c.rotation != "" && c.rotation != before.rotation

	switch {
	// Who changes the rotation, or has changed it in one of the two Secrets, expects the other to follow.
	case rotate && pw.isHidden():
		return p.cannotRotate(c, c.PasswordSecret(), pw)
	case conn.isHidden() && (rotate || stale(conn)):
		return p.cannotRotate(c, c.ConnectionSecret(), conn)
	case pw.isHidden() && stale(conn):
		return p.outOfSight(c, c.ConnectionSecret(), c.PasswordSecret(), pw, instance.EndpointKey, instance.PortKey, instance.PasswordKey)
	case rotate || !pw.isThere() && !conn.isThere():
		plan.PasswordSecret, plan.ConnectionSecret = Write, Write
		inst.Password, plan.Origin = p.create(c, inst.Rotation, rotate, before)

	case conn.state == encrypted && p.lacksKeys(c, conn.item):
		return false

	case pw.isHidden() && conn.isHidden(): // nothing of ours has to be written
		inst.Derived = before.derived && inst.Rotation == before.rotation
		return true
	case pw.isHidden():
		// What the connection Secret holds is what clients use, so it goes before a readable copy of a
		// password that is sealed now.
		inst.Password = firstSeen(conn.password, pw.password)
		if inst.Password.IsZero() {
			return p.outOfSight(c, c.ConnectionSecret(), c.PasswordSecret(), pw, instance.EndpointKey, instance.PortKey, instance.PasswordKey)
		}
	case !pw.isThere():
		inst.Password = conn.password
		if inst.Password.IsZero() {
			return p.outOfSight(c, c.PasswordSecret(), c.ConnectionSecret(), conn, instance.PasswordKey)
		}
	default:
		inst.Password = pw.password
		if !pw.foreign {
			plan.PasswordSecret = Renew
		}
	}
	plan.OneHidden = pw.isHidden() != conn.isHidden()
	// Where the old connection Secret says something else, somebody has edited the password Secret.
	edited := !conn.password.IsZero() && !conn.password.Equal(inst.Password)
	inst.Derived = p.isDerived(c, *inst, before, plan.Origin == "" && !pw.foreign && !edited)
	return !inst.Password.IsZero()
}

// isDerived says whether the instance's password is the seed's. Without the seed it goes by what was
// recorded of the same password; where nothing is kept, there is nothing to record.
func (p *passwords) isDerived(c claim, inst instance.Instance, before rendered, same bool) bool {
	if p.seed.IsZero() || !p.Kept {
		return before.derived && same && inst.Rotation == before.rotation
	}
	return inst.Password.Equal(password.Derive(p.seed.Seed, c.ID(), inst.Rotation))
}

func (p *passwords) cannotRotate(c claim, name string, hidden secretView) bool {
	p.results.FieldErrorf(c.item, rotationField(c), "a new password is asked for, but the Secret %s is %s, so it cannot be written here; %s",
		name, hidden.how(), hidden.wayToRotate(c))
	return false
}

// outOfSight reports that a Secret, which has those keys, has to be written with a password that another
// one hides.
func (p *passwords) outOfSight(c claim, write, name string, hidden secretView, keys ...string) bool {
	p.results.Errorf(c.item, "the Secret %s has to be written, but the password is out of sight: the Secret %s is %s; %s",
		write, name, hidden.how(), hidden.wayToWrite(c, write, keys...))
	return false
}

func rotationField(c claim) report.Field {
	return report.Field{Path: "metadata.annotations[" + v1alpha1.PasswordRotation + "]", Current: c.rotation}
}

// create makes a password that is not there yet, or the next one of a rotation, and says how.
func (p *passwords) create(c claim, rotation string, rotate bool, before rendered) (password.Password, string) {
	policy := p.Config.Password
	lost := !rotate && before.there
	switch {
	case policy.Source == v1alpha1.Existing && rotate:
		p.results.FieldErrorf(c.item, rotationField(c), "a new password is asked for, but none is made here (spec.password.source is %s); write it into the Secret %s yourself and take the annotation %s off that Secret, so that it counts as yours",
			v1alpha1.Existing, c.PasswordSecret(), v1alpha1.GeneratedFrom)
	case policy.Source == v1alpha1.Existing:
		p.results.Errorf(c.item, "the password has to exist already (spec.password.source is %s), but there is no Secret %s with it; put that Secret beside the claim, with the key %s",
			v1alpha1.Existing, c.PasswordSecret(), instance.PasswordKey)
	case policy.Source == v1alpha1.FromRandom && lost:
		p.lost(c)
	case policy.Source == v1alpha1.FromRandom:
		return p.random(c)
	case p.seed.failed: // reported already
	case rotate && before.derived && p.seed.IsZero() && policy.Source == v1alpha1.Auto && p.seed.missing == "":
		p.results.FieldErrorf(c.item, rotationField(c), "a new password is asked for, and the present one came from a seed, which is not here; set %s, or spec.password.source: %s for one that does not come from it",
			SeedVariable, v1alpha1.FromRandom)
	case p.seed.missing != "":
		p.results.Errorf(c.item, "the password has to come from a seed, but %s", p.seed.missing)
	case lost && !p.seed.IsZero() && !before.derived && policy.Source != v1alpha1.FromSeed:
		// The one that is lost may have been random: the seed would silently make another.
		p.lost(c)
	case !p.seed.IsZero():
		return password.Derive(p.seed.Seed, c.ID(), rotation), "derived from the seed"
	case policy.Source == v1alpha1.FromSeed:
		p.results.Errorf(c.item, "the password has to come from a seed (spec.password.source is %s), but there is none; set the environment variable %s, or name a Secret in spec.password.seedSecretRef",
			v1alpha1.FromSeed, SeedVariable)
	case lost:
		p.lost(c)
	case p.Kept:
		return p.random(c)
	case rotate:
		p.results.FieldErrorf(c.item, rotationField(c), "a new password is asked for, and nothing keeps one that this build makes up: the next build would make another and lock every client out; set the environment variable %s (32 bytes or more, `openssl rand -base64 32`), or render in place, with kpt or `dragonfly-generator render -o`",
			SeedVariable)
	case p.without != "":
		p.results.Errorf(c.item, "there is no password here either; do what is said of DragonflyInstance %s", p.without)
	default:
		p.without = c.String()
		p.results.Errorf(c.item, "there is no password, and nothing keeps one that this build makes up: the next build would make another and lock every client out; set the environment variable %s (32 bytes or more, `openssl rand -base64 32`; pass it with `-e %s` to a container), or put a Secret %s with the key %s beside the claim, or render in place, with kpt or `dragonfly-generator render -o`",
			SeedVariable, SeedVariable, c.PasswordSecret(), instance.PasswordKey)
	}
	return password.Password{}, ""
}

func (p *passwords) lost(c claim) {
	p.results.Errorf(c.item, "the instance was rendered before (its other manifests are here), but its Secret %s is missing: it was deleted, ignored by Git, or hidden by a selector; bring it back, from Git's history or with `kubectl get secret %s -n %s -o yaml`, or, if it came from a seed, set %s and spec.password.source: %s; for a new password, which locks its clients out until they restart, remove the instance's other manifests too",
		c.PasswordSecret(), c.PasswordSecret(), c.Namespace, SeedVariable, v1alpha1.FromSeed)
}

func (p *passwords) random(c claim) (password.Password, string) {
	random, err := password.Random(p.Random)
	if err != nil {
		p.results.Errorf(c.item, "%s; try again", err)
	}
	return random, "new and random"
}

// rendered is what the objects that were made for a claim before say of its password.
type rendered struct {
	there    bool   // some are
	rotation string // that the pod was last restarted for
	derived  bool   // from the seed, for this very claim
}

func (p *passwords) rendered(c claim) rendered {
	var before rendered
	for _, id := range c.RunnerIDs() {
		for _, item := range p.List.Find(id) {
			if p.owners.Whose(item, c.Name) != Ours {
				continue
			}
			before.there = true
			before.rotation = firstOf(before.rotation,
				yamlnode.Text(item.Node, "spec", "template", "metadata", "annotations", v1alpha1.PasswordRotation),
				yamlnode.Text(item.Node, "spec", "podMetadata", "annotations", v1alpha1.PasswordRotation))
			before.derived = before.derived || item.Annotation(v1alpha1.SourceRecord) == string(v1alpha1.FromSeed) &&
				item.Annotation(v1alpha1.GeneratedFrom) == c.String()
		}
	}
	return before
}

// state is how a Secret is there.
type state int

const (
	absent    state = iota
	readable        // in plain text
	encrypted       // with SOPS: kept as it is
	sealed          // a SealedSecret or an ExternalSecret stands for it
)

// secretView is what can be seen of one of the two Secrets of a claim.
type secretView struct {
	state    state
	rotation string            // the one recorded, if it is ours
	password password.Password // zero where it is out of sight
	foreign  bool              // made by somebody else, readable or encrypted
	item     *krm.Item         // unless absent or sealed
	standIn  *krm.Item         // with sealed
	plain    bool              // with sealed: our own readable one is there too
	failed   bool              // a problem was reported
}

func (s secretView) isThere() bool  { return s.state != absent }
func (s secretView) isHidden() bool { return s.state == encrypted || s.state == sealed }

// disposition is what happens to the Secret unless there is a new password for it.
func (s secretView) disposition() Disposition {
	switch {
	case s.plain:
		return Remove
	case s.isHidden() || s.foreign:
		return Leave
	default:
		return Write
	}
}

// look finds that Secret of the claim and reads it as far as it can be read.
func (p *passwords) look(c claim, id krm.ID) secretView {
	view := secretView{standIn: p.standIns[id]}
	if view.standIn != nil {
		view.state = sealed
		view.rotation = recordedBy(view.standIn)
	}
	items := p.List.Find(id)
	switch {
	case len(items) > 1:
		return secretView{failed: true} // reported where the objects are merged
	case p.lacksNamespace(c, id.Name) || view.standIn == nil && len(items) == 0 && p.isRenamed(c, id.Name):
		return secretView{failed: true}
	case len(items) == 0:
		return view
	}

	item := items[0]
	view.item = item
	owner := p.owners.Whose(item, c.Name)
	if owner != Theirs && view.state != sealed {
		view.rotation = item.Annotation(v1alpha1.PasswordRotation)
	}
	switch {
	case owner == Theirs && id == c.ConnectionSecretID():
		return view // refused where the objects are merged
	case owner == Theirs && view.standIn != nil:
		p.results.Errorf(item, "is here beside the %s %s that makes the same Secret; remove one of them", view.standIn.Kind, view.standIn.Name)
		return secretView{failed: true}
	case item.IsEncrypted() && strings.HasPrefix(item.Annotation(v1alpha1.GeneratedFrom), sopsValue):
		return secretView{failed: true} // reported by findUnreadable
	case item.IsEncrypted() && id == c.ConnectionSecretID() && item.Annotation(v1alpha1.GeneratedFrom) != c.String():
		p.results.Errorf(item, "was made for the claim %s, so its endpoint is wrong for %s, but it is encrypted with SOPS and cannot be written; decrypt the Secrets of the instance, run this again, and encrypt both",
			item.Annotation(v1alpha1.GeneratedFrom), c.Name)
		return secretView{failed: true}
	case item.IsEncrypted():
		view.state, view.foreign = encrypted, owner == Theirs
		return view
	}
	text, field, err := secretText(item.Node, instance.PasswordKey)
	if err == nil && strings.HasPrefix(text, sopsValue+"AES256_GCM,") {
		err = errors.New("is what SOPS makes of one, without the block that SOPS needs to decrypt it; bring the `sops` block back")
	} else if err == nil {
		view.password, err = password.Parse(text)
	}
	if err != nil {
		p.results.FieldErrorf(item, report.Field{Path: field}, "the password of %s %s", c.Name, err)
		return secretView{failed: true}
	}
	if view.state == sealed && owner != Theirs {
		view.plain = true
		return view
	}
	view.state, view.foreign = readable, owner == Theirs
	return view
}

// lacksNamespace reports a Secret of the right name, or what stands for one, that says no namespace: it
// would be applied to wherever kubectl happens to point, so it is neither this claim's nor nobody's.
func (p *passwords) lacksNamespace(c claim, name string) bool {
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

// isRenamed reports a Secret, or what stands for one, that had the right name before kustomize renamed the
// claim, and has another one now: a nameSuffix goes behind "-password", and what an ExternalSecret targets
// is not renamed at all.
func (p *passwords) isRenamed(c claim, name string) bool {
	former := c.item.FormerNames()[1:]
	if len(former) == 0 {
		return false
	}
	secretName := instance.PasswordSecretName
	if name == c.ConnectionSecret() {
		secretName = instance.ConnectionSecretName
	}
	p.indexFormerNames()
	for _, was := range former {
		if p.owners.IsClaimed(instance.Name{Namespace: c.Namespace, Name: was.Name}.String()) {
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
		"is missing, so it is not clear whether this belongs to the claim %s; write `namespace: %s` into it, or give it another name", name, name.Namespace)
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
			return "", field, errors.New("is not valid base64; encode it, or write it into stringData")
		}
		return string(decoded), field, nil
	}
	return "", "data." + key, fmt.Errorf("is missing: the Secret has no key %s; add it", key)
}

func firstOf(texts ...string) string {
	for _, text := range texts {
		if text != "" {
			return text
		}
	}
	return ""
}

func firstSeen(passwords ...password.Password) password.Password {
	for _, p := range passwords {
		if !p.IsZero() {
			return p
		}
	}
	return password.Password{}
}

// findUnreadable reports objects of which SOPS has encrypted what they are known by: they might be the very
// Secrets that are looked for.
func (p *passwords) findUnreadable() {
	for _, item := range p.List.Items {
		if item.IsEncrypted() && slices.ContainsFunc([]string{
			item.Kind, item.Name, item.Namespace, item.Annotation(v1alpha1.GeneratedFrom), item.Annotation(v1alpha1.PasswordRotation),
		}, func(text string) bool { return strings.HasPrefix(text, sopsValue) }) {
			p.results.FileErrorf(item, "SOPS has encrypted the kind, the name or the annotations of %s, so nobody can see what it is; decrypt it, put `encrypted_regex: ^(data|stringData)$` into .sops.yaml, and encrypt it again", item.Place())
		}
	}
}

// sopsValue is how SOPS begins what it has encrypted.
const sopsValue = "ENC["

// lacksKeys reports an encrypted connection Secret that does not have all the extra keys that it should:
// SOPS encrypts their values only.
func (p *passwords) lacksKeys(c claim, item *krm.Item) bool {
	var missing []string
	for _, key := range slices.Sorted(maps.Keys(p.Config.ExtraKeys)) {
		if yamlnode.Get(item.Node, "data", key) == nil && yamlnode.Get(item.Node, "stringData", key) == nil {
			missing = append(missing, key)
		}
	}
	if len(missing) > 0 {
		p.results.Errorf(item, "lacks %s and has to be written, but is encrypted with SOPS; decrypt the Secrets of %s, run this again, and encrypt both",
			strings.Join(missing, ", "), c.Name)
	}
	return len(missing) > 0
}

// findStandIns returns what stands for Secrets, by the Secret: a SealedSecret of the same name, or an
// ExternalSecret by its target.
func findStandIns(list *krm.List) map[krm.ID]*krm.Item {
	standIns := map[krm.ID]*krm.Item{}
	for _, item := range list.Items {
		switch {
		case item.Group == "bitnami.com" && item.Kind == "SealedSecret":
			standIns[krm.ID{Kind: "Secret", Namespace: item.Namespace, Name: item.Name}] = item
		case item.Group == "external-secrets.io" && item.Kind == "ExternalSecret":
			switch yamlnode.Text(item.Node, "spec", "target", "creationPolicy") {
			case "Merge", "None": // it makes no Secret
				continue
			}
			name := firstOf(yamlnode.Text(item.Node, "spec", "target", "name"), item.Name)
			standIns[krm.ID{Kind: "Secret", Namespace: item.Namespace, Name: name}] = item
		}
	}
	return standIns
}

// recordedBy returns the rotation that the stand-in gives the Secret that it makes.
func recordedBy(standIn *krm.Item) string {
	template := []string{"spec", "template"}
	if standIn.Kind == "ExternalSecret" {
		template = []string{"spec", "target", "template"}
	}
	return yamlnode.Text(standIn.Node, append(template, "metadata", "annotations", v1alpha1.PasswordRotation)...)
}

// how names what hides the Secret.
func (s secretView) how() string {
	if s.state == encrypted {
		return "encrypted with SOPS"
	}
	return fmt.Sprintf("made by the %s %s", s.standIn.Kind, s.standIn.Name)
}

func (s secretView) wayToRotate(c claim) string {
	if s.state == encrypted {
		return fmt.Sprintf("decrypt %s and %s, run this again, and encrypt both", c.PasswordSecret(), c.ConnectionSecret())
	}
	return fmt.Sprintf("make the new password where the %s gets it, and give its template the annotation %s: %q", s.standIn.Kind, v1alpha1.PasswordRotation, c.rotation)
}

// wayToWrite says how the other Secret, with those keys, comes about although this one hides the password.
func (s secretView) wayToWrite(c claim, other string, keys ...string) string {
	if s.state == encrypted {
		return fmt.Sprintf("decrypt the Secrets of %s, run this again, and encrypt both", c.Name)
	}
	return fmt.Sprintf("let another %s make %s too, with %s in it", s.standIn.Kind, other, strings.Join(keys, ", "))
}
