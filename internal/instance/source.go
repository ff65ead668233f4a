package instance

import (
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/krm"
	"github.com/bizmatters/dragonfly-generator/internal/report"
	"github.com/bizmatters/dragonfly-generator/internal/yamlnode"
)

// Sources determines who makes the password of each instance, and returns the instances for which that is clear. No
// password passes through this program, so it matters what makes a Secret, not what the Secret contains.
func Sources(list *krm.List, instances []Instance, claims Claims, results *report.Results) []Instance {
	refused := refusePasswords(list, results)
	m := findMakers(list)
	var clear []Instance
	for _, inst := range instances {
		if m.setSource(&inst, claims, results) && !refused[inst.String()] {
			clear = append(clear, inst)
		}
	}
	return clear
}

// refusePasswords reports Secrets of ours that contain a password, and returns their marks. If applied, such a manifest
// would override the password that the pod makes, and in Git everyone could read it.
func refusePasswords(list *krm.List, results *report.Results) map[string]bool {
	refused := map[string]bool{}
	for _, item := range list.All() {
		if item.IsSecret() && item.Annotation(v1alpha1.GeneratedFrom) != "" && HasPassword(item.Node) {
			refused[item.Annotation(v1alpha1.GeneratedFrom)] = true
			remedy := "remove this Secret (the live one keeps its password)"
			if strings.HasSuffix(item.Name, PasswordSecretName("")) { // the connection Secret alone cannot be the user's
				remedy += ", or, if it is yours, remove its annotation " + v1alpha1.GeneratedFrom + ", so that the password source becomes " + string(v1alpha1.Existing)
			}
			results.Errorf(item, "contains a password, but this function never writes one; %s", remedy)
		}
	}
	return refused
}

// HasPassword reports whether the manifest of a Secret contains a password.
func HasPassword(secret *yaml.Node) bool {
	return !yamlnode.IsNull(yamlnode.Get(secret, "data", v1alpha1.PasswordKey)) || !yamlnode.IsNull(yamlnode.Get(secret, "stringData", v1alpha1.PasswordKey))
}

// makersOf holds the objects that make Secrets and are not ours, by the Secret that they make.
type makersOf struct {
	made map[krm.ID]*krm.Item
	// everywhere are those that make a Secret in namespaces that they do not name, by the name of the Secret.
	everywhere map[string]*krm.Item
	// former holds all of them by the names that they had before kustomize renamed them.
	former map[krm.ID]*krm.Item
}

func findMakers(list *krm.List) makersOf {
	m := makersOf{made: map[krm.ID]*krm.Item{}, everywhere: map[string]*krm.Item{}, former: map[krm.ID]*krm.Item{}}
	for _, item := range list.All() {
		if item.Annotation(v1alpha1.GeneratedFrom) != "" {
			continue
		}
		made := MadeBy(item)
		for _, id := range made {
			if MakesEverywhere(item) {
				m.everywhere[id.Name] = item
			} else {
				m.made[id] = item
			}
		}
		if len(made) > 0 {
			for _, was := range item.FormerNames() {
				m.former[krm.SecretID(was.Namespace, was.Name)] = item
			}
		}
	}
	return m
}

// of returns the object that makes the Secret, or nil.
func (m makersOf) of(id krm.ID) *krm.Item {
	if item := m.made[id]; item != nil {
		return item
	}
	return m.everywhere[id.Name]
}

// setSource sets the source of the instance's password: the one that the claim or the configuration states, otherwise the
// one inferred from the items. If the source is unclear, it reports that and returns false.
func (m makersOf) setSource(inst *Instance, claims Claims, results *report.Results) bool {
	if m.refuseWithoutNamespace(inst, results) || m.refuseRenamed(inst, claims, results) {
		return false
	}
	if inst.Source == v1alpha1.External {
		return true
	}
	password, connection := m.of(inst.PasswordSecretID()), m.of(inst.ConnectionSecretID())
	isStated := inst.Item.Annotation(v1alpha1.PasswordSourceAnnotation) != ""
	refusesPassword := password != nil && isStated && inst.Source == v1alpha1.InCluster
	refusesConnection := connection != nil && (password == nil || isStated)
	if refusesPassword {
		results.Errorf(password, "%s, but the claim states the password source %s, with which the instance's pod creates the password; remove this object, or remove the annotation %s from the claim",
			isSecretOf(password, inst.PasswordSecret(), inst), inst.Source, v1alpha1.PasswordSourceAnnotation)
	}
	if refusesConnection {
		results.Errorf(connection, "%s, but was not generated from it; remove this object, or, if something creates both Secrets of the claim, set the annotation %s: %s on the claim",
			isSecretOf(connection, inst.ConnectionSecret(), inst), v1alpha1.PasswordSourceAnnotation, v1alpha1.External)
	}
	switch {
	case refusesPassword || refusesConnection:
		return false
	case connection != nil && isPlain(password) && isPlain(connection):
		results.Errorf(inst.Item, "its Secrets %s and %s are among the resources in plain text; if they were exported from a live instance, remove both, because the live ones keep their password; if they are meant to be applied, set the annotation %s: %s",
			inst.PasswordSecret(), inst.ConnectionSecret(), v1alpha1.PasswordSourceAnnotation, v1alpha1.External)
		return false
	case connection != nil:
		inst.Source, inst.Seen = v1alpha1.External, []*krm.Item{password, connection}
	case password != nil && inst.Source != v1alpha1.Existing:
		inst.Source, inst.Seen = v1alpha1.Existing, []*krm.Item{password}
	}
	return true
}

// isSecretOf describes how an object relates to a claim: it is one of its Secrets, or makes one.
func isSecretOf(item *krm.Item, name string, inst *Instance) string {
	if item.Kind == "Secret" {
		return "has the name of a Secret of the claim " + inst.String()
	}
	return "creates " + name + ", a Secret of the claim " + inst.String()
}

// isPlain reports whether an object is a Secret whose manifest has readable values.
func isPlain(item *krm.Item) bool {
	return item.IsSecret() && !item.IsEncrypted() && !item.GetsHashSuffix()
}

// refuseWithoutNamespace reports an object that makes a Secret of the right name and has no namespace: kubectl would apply
// it to its current namespace, so it is unclear which claim it belongs to.
func (m makersOf) refuseWithoutNamespace(inst *Instance, results *report.Results) bool {
	for _, name := range []string{inst.PasswordSecret(), inst.ConnectionSecret()} {
		if item := m.made[krm.SecretID("", name)]; item != nil {
			NoNamespace(item, inst.Name, results)
			return true
		}
	}
	return false
}

// NoNamespace reports an object that has the name of one of the instance's objects but no namespace.
func NoNamespace(item *krm.Item, name Name, results *report.Results) {
	results.FieldErrorf(item, report.Field{Path: "metadata.namespace", Proposed: name.Namespace},
		"is missing, so it is not clear whether this belongs to the claim %s; set `namespace: %s`, or give it another name", name, name.Namespace)
}

// refuseRenamed reports an object that made the Secret of the claim until kustomize renamed the two, and now makes a Secret
// of another name: a nameSuffix goes after "-password", and the target of an ExternalSecret is not renamed at all.
func (m makersOf) refuseRenamed(inst *Instance, claims Claims, results *report.Results) bool {
	for _, secret := range []struct {
		id      krm.ID
		nameFor func(string) string
	}{{inst.PasswordSecretID(), PasswordSecretName}, {inst.ConnectionSecretID(), ConnectionSecretName}} {
		if m.of(secret.id) != nil {
			continue
		}
		for _, was := range inst.Item.FormerNames() {
			if claims[Name{Namespace: inst.Namespace, Name: was.Name}.String()] != nil {
				continue // it may belong to that claim
			}
			for _, namespace := range slices.Compact([]string{was.Namespace, inst.Namespace}) {
				id := krm.SecretID(namespace, secret.nameFor(was.Name))
				item := m.former[id]
				if item == nil {
					item = m.made[id]
				}
				if item != nil {
					results.Errorf(item, "was meant for the claim %s, but kustomize gave the two different names, and the claim needs a Secret %s; use namePrefix instead of nameSuffix, and write the final name where kustomize does not (spec.target.name of an ExternalSecret)",
						inst.Name, secret.id.Name)
					return true
				}
			}
		}
	}
	return false
}
