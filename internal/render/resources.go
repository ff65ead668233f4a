package render

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/instance"
	"github.com/bizmatters/dragonfly-generator/internal/krm"
	"github.com/bizmatters/dragonfly-generator/internal/merge"
	"github.com/bizmatters/dragonfly-generator/internal/report"
	"github.com/bizmatters/dragonfly-generator/internal/yamlnode"
)

// findItems finds the documents that are resources, and reports those that must not be in the input. The objects in a List
// replace it, except that a List in the output folder keeps its text.
func (r *reader) findItems(s *source, read []krm.Document) {
	index := 0
	for _, whole := range read {
		parts := flatten(whole)
		switch isList := len(parts) > 1; {
		case !isList, s.inFolder == "":
		case holdsOurs(krm.NewItem(whole.Node.Content[0])):
			parts = []krm.Document{whole}
		default:
			for i := range parts {
				parts[i].Text = nil
			}
			parts[0].Text = whole.Text
		}
		for _, part := range parts {
			d := document{Document: part}
			if part.Node != nil {
				d.item = r.item(s, part.Node.Content[0], index, len(parts) > 1)
			}
			s.documents = append(s.documents, d)
		}
		if whole.Node != nil {
			index++
		}
	}
}

// flatten returns the comments of a List and a document for each object in it and in the Lists inside it, or, for anything
// else, the document itself.
func flatten(document krm.Document) []krm.Document {
	if document.Node == nil {
		return []krm.Document{document}
	}
	plain, err := yamlnode.Plain(document.Node.Content[0])
	if err != nil { // aliases contain themselves, or a key appears twice: something that only its author can take apart
		return []krm.Document{document}
	}
	listed := krm.NewItem(plain).Listed()
	if len(listed) == 0 {
		return []krm.Document{document}
	}
	documents := []krm.Document{{}}
	isPart := map[*yaml.Node]bool{}
	for _, item := range listed {
		if len(item.Listed()) > 0 {
			continue // what it holds is among the listed
		}
		isPart[item.Node] = true
		text, err := yaml.Marshal(item.Node)
		if err != nil {
			return []krm.Document{document}
		}
		documents = append(documents, krm.Document{Text: text, Node: &yaml.Node{Kind: yaml.DocumentNode, Content: []*yaml.Node{item.Node}}})
	}
	list := *document.Node
	list.Content = []*yaml.Node{plain}
	documents[0].Text = commentsOf([]byte(comments(&list, isPart)))
	return documents
}

// comments returns the comments of a List, without those of its parts.
func comments(n *yaml.Node, isPart map[*yaml.Node]bool) string {
	if isPart[n] {
		return ""
	}
	text := strings.Join([]string{n.HeadComment, n.LineComment, n.FootComment, ""}, "\n")
	for _, child := range n.Content {
		text += comments(child, isPart)
	}
	return text
}

// item returns a document as a resource, or nil if it is not one.
func (r *reader) item(s *source, n *yaml.Node, index int, isListed bool) *krm.Item {
	item := krm.NewFileItem(n, s.name, index)
	isResource := n.Kind == yaml.MappingNode && (item.APIVersion != "" && item.Kind != "" || instance.LikenessOf(item) == instance.NearMiss)
	switch {
	case isKustomizationFile(filepath.Base(s.name)), isKustomization(item):
		r.kustomizations = append(r.kustomizations, kustomization{s, item})
		return nil
	case !isResource && isListed:
		r.results.Errorf(nil, "%s contains a List with an object without apiVersion or kind; add them", item.Location())
		return nil
	case !isResource && s.named:
		r.results.Errorf(nil, "%s is not a Kubernetes resource, because apiVersion or kind is missing; add them, or do not name the file", item.Location())
		return nil
	case !isResource:
		return nil
	case item.Group == "config.kubernetes.io" && item.Kind == "ResourceList":
		r.results.Errorf(item, "is input for a function; pipe it into `dragonfly-generator` without a command")
		return nil
	case instance.IsConfig(item) && r.hasConfig:
		r.results.Warnf(item, "is ignored, because --config specifies another one; remove this one, or omit --config")
		return nil
	case instance.IsConfig(item) && r.config != nil:
		r.results.Errorf(item, "is a second configuration besides the one in %s; remove one of them, or name one with --config", r.config.Location())
		return nil
	case instance.IsConfig(item):
		r.config = item
		return nil
	case s.inFolder != "" && holdsOurs(item):
		r.results.Errorf(item, "contains an object generated from a claim, which cannot be kept up to date there; write it as a separate object")
		return nil
	}
	return item
}

// holdsOurs reports whether an item is a List with an object of ours.
func holdsOurs(item *krm.Item) bool { return slices.ContainsFunc(item.Listed(), merge.IsOurs) }

// kustomization is a kustomization or a component that was found.
type kustomization struct {
	source *source
	item   *krm.Item
}

// notApplied warns about files that only kustomize uses. In the output folder, they are meant for the tool that applies
// the result.
func (r *reader) notApplied(k kustomization) {
	filter := "dragonfly-generator render -"
	if file := r.configFile(); file != "" { // which kustomize does not pass on
		filter += " --config " + report.Quote(file)
	}
	folder := report.Quote(filepath.Dir(k.source.name))
	switch {
	case k.source.inFolder != "":
	case k.item.Kind == "Component":
		r.results.Warnf(k.item, "is not applied; build the kustomization that uses it, and pipe the output into `%s`", filter)
	case len(yamlnode.Elements(k.item.Node, "transformers"))+len(yamlnode.Elements(k.item.Node, "generators")) > 0:
		r.results.Warnf(k.item, "is not applied; if it calls this function, build it instead: `kustomize build --enable-alpha-plugins --enable-exec %s`", folder)
	default:
		r.results.Warnf(k.item, "is not applied; build it and pipe the output: `kustomize build %s | %s`", folder, filter)
	}
}

// configFile returns the file with the configuration, or "" if there is none, or anything else in it.
func (r *reader) configFile() string {
	if r.config == nil {
		return ""
	}
	for _, s := range r.sources {
		if s.name == r.config.Path() && (s.stdin != nil || len(s.documents) > 1) {
			return ""
		}
	}
	return r.config.Path()
}

func isKustomizationFile(name string) bool {
	return slices.Contains([]string{"kustomization.yaml", "kustomization.yml", "Kustomization"}, name)
}

func isKustomization(item *krm.Item) bool {
	return item.Group == "kustomize.config.k8s.io" && (item.Kind == "Kustomization" || item.Kind == "Component")
}

// readConfig reads the configuration file.
func (r *reader) readConfig(name string) *krm.Item {
	documents := r.read(&source{name: name, named: true})
	if documents == nil {
		return nil
	}
	var found []*krm.Item
	for _, document := range documents {
		if document.Node != nil {
			found = append(found, krm.NewFileItem(document.Node.Content[0], name, len(found)))
		}
	}
	if len(found) != 1 || !instance.IsConfig(found[0]) && (found[0].APIVersion != "v1" || found[0].Kind != "ConfigMap") {
		what := "does not contain a configuration"
		if len(found) > 1 {
			what = fmt.Sprintf("contains %d objects", len(found))
		}
		r.results.Errorf(nil, "%s %s; put one %s of %s into it, and nothing else", name, what, v1alpha1.ConfigKind, v1alpha1.APIVersion)
		return nil
	}
	return found[0]
}
