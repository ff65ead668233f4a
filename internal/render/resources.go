package render

import (
	"path/filepath"
	"slices"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/instance"
	"github.com/bizmatters/dragonfly-generator/internal/krm"
	"github.com/bizmatters/dragonfly-generator/internal/merge"
)

// findItems finds the documents that are resources, and reports resources that must not be in the input.
func (r *reader) findItems(s *source) {
	index := 0
	for _, document := range s.documents {
		var item *krm.Item
		if document.Node != nil {
			item = r.item(s, document.Node.Content[0], index)
			index++
		}
		s.items = append(s.items, item)
		if item != nil {
			r.list(s, item)
		}
	}
}

// list finds the items of a List. They are read like separate resources, but our own objects cannot be
// updated in a List.
func (r *reader) list(s *source, list *krm.Item) {
	listed := list.Listed()
	if len(listed) == 0 {
		return
	}
	if s.listed == nil {
		s.listed = map[*krm.Item][]*krm.Item{}
	}
	s.listed[list] = nil // it is a List either way
	for _, item := range listed {
		switch {
		case len(item.Listed()) > 0: // its objects are in listed
		case isConfig(item):
			r.configs = append(r.configs, item)
		case r.folder != nil && merge.IsOurs(item):
			r.results.Errorf(item, "is in a List, where it cannot be kept up to date; write it as a separate object")
		default:
			s.listed[list] = append(s.listed[list], item)
		}
	}
}

// chooseConfig selects the configuration. It reports an error if there is more than one.
func (r *reader) chooseConfig() {
	for _, other := range r.configs[min(1, len(r.configs)):] {
		r.results.Errorf(other, "is a second configuration besides the one in %s; remove one of them, or name one with --config", r.configs[0].Location())
	}
	if len(r.configs) > 0 {
		r.config = r.configs[0]
	}
}

// item returns a document as a resource, or nil if it is not one.
func (r *reader) item(s *source, n *yaml.Node, index int) *krm.Item {
	item := krm.NewFileItem(n, s.name, index)
	isResource := n.Kind == yaml.MappingNode && (item.APIVersion != "" && item.Kind != "" || instance.LikenessOf(item) == instance.NearMiss)
	switch {
	case isKustomizationFile(filepath.Base(s.name)), isKustomization(item):
		r.notApplied(s, item)
		return nil
	case !isResource && s.named:
		r.results.Errorf(nil, "%s is not a Kubernetes resource, because apiVersion or kind is missing; add them, or do not name the file", item.Location())
		return nil
	case !isResource:
		return nil
	case item.Group == "config.kubernetes.io" && item.Kind == "ResourceList":
		r.results.Errorf(item, "is input for a function; pipe it into `dragonfly-generator` without a command")
		return nil
	case isConfig(item):
		r.configs = append(r.configs, item)
		return nil
	}
	return item
}

// notApplied warns about files that only kustomize uses. In the output folder, they are meant for the tool that applies
// the result.
func (r *reader) notApplied(s *source, item *krm.Item) {
	switch {
	case s.inFolder != "":
	case item.Kind == "Component":
		r.results.Warnf(item, "is not applied; build the kustomization that uses it, and pipe the output into `dragonfly-generator render -`")
	default:
		r.results.Warnf(item, "is not applied; build it and pipe the output: `kustomize build %s | dragonfly-generator render -`", filepath.Dir(s.name))
	}
}

func isKustomizationFile(name string) bool {
	return slices.Contains([]string{"kustomization.yaml", "kustomization.yml", "Kustomization"}, name)
}

func isKustomization(item *krm.Item) bool {
	return item.Group == "kustomize.config.k8s.io" && (item.Kind == "Kustomization" || item.Kind == "Component")
}

func isConfig(item *krm.Item) bool {
	return item.Group == v1alpha1.Group && item.Kind == v1alpha1.ConfigKind
}

// readConfig reads the configuration file.
func (r *reader) readConfig(name string) *krm.Item {
	s := &source{name: name}
	if !r.readFile(s) {
		return nil
	}
	var found []*krm.Item
	for _, document := range s.documents {
		if document.Node != nil {
			found = append(found, krm.NewFileItem(document.Node.Content[0], name, len(found)))
		}
	}
	if len(found) != 1 || !isConfig(found[0]) && (found[0].APIVersion != "v1" || found[0].Kind != "ConfigMap") {
		r.results.Errorf(nil, "%s does not contain a configuration; put one %s of %s into it, and nothing else", name, v1alpha1.ConfigKind, v1alpha1.APIVersion)
		return nil
	}
	return found[0]
}
