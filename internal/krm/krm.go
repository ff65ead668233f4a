// Package krm decodes a ResourceList into items, finds them by identity, and encodes it again.
//
// It works on YAML nodes rather than typed objects or text, so that objects that are not ours keep their values, order,
// comments and quoting. It does not use the SDK's reader and writer, because those sort the items and repeat the text of
// YAML errors, which quote their input.
package krm

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"strconv"
	"strings"

	"github.com/GoogleContainerTools/kpt-functions-sdk/go/fn"
	"sigs.k8s.io/kustomize/kyaml/kio"
	"sigs.k8s.io/kustomize/kyaml/kio/kioutil"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/internal/yamlnode"
)

// ID identifies an object, independent of its API version.
type ID struct {
	Group, Kind, Namespace, Name string
}

// SecretID identifies a Secret.
func SecretID(namespace, name string) ID {
	return ID{Kind: "Secret", Namespace: namespace, Name: name}
}

// internalPrefix is the prefix of the annotations that the orchestrators use for their own bookkeeping.
const internalPrefix = "internal.config.kubernetes.io/"

// SelectedID is an annotation that kpt adds to items only if the function has selectors, to merge the selected items with
// the hidden ones afterwards.
const SelectedID = "internal.config.k8s.io/kpt-resource-id"

// KustomizeID is an annotation that is on every item from kustomize's transformers, and on none from kpt.
const KustomizeID = "kustomize.config.k8s.io/id"

// PackagePath is kpt's annotation for the package that an item is in.
const PackagePath = internalPrefix + "package-path"

// The annotations in which kustomize records former names of a resource, as comma-separated lists, to update
// references.
const (
	PreviousNames      = internalPrefix + "previousNames"
	PreviousKinds      = internalPrefix + "previousKinds"
	PreviousNamespaces = internalPrefix + "previousNamespaces"
	Prefixes           = internalPrefix + "prefixes"
	Suffixes           = internalPrefix + "suffixes"
)

// Item is one object of a ResourceList.
type Item struct {
	ID
	APIVersion string

	// Node is the object, a mapping. Changes to it change the output.
	Node *yaml.Node

	position int // in the list, from 0; -1 for the functionConfig

	// file and index say where we read the item ourselves; file is "" if an orchestrator read it.
	file  string
	index int
}

// NewItem wraps an object's mapping node.
func NewItem(n *yaml.Node) *Item {
	apiVersion := yamlnode.Text(n, "apiVersion")
	group, _, found := strings.Cut(apiVersion, "/")
	if !found {
		group = ""
	}
	return &Item{
		ID: ID{
			Group:     group,
			Kind:      yamlnode.Text(n, "kind"),
			Namespace: yamlnode.Text(n, "metadata", "namespace"),
			Name:      yamlnode.Text(n, "metadata", "name"),
		},
		APIVersion: apiVersion,
		Node:       n,
		position:   -1,
	}
}

// Annotation returns the annotation's text, or "" if there is none.
func (i *Item) Annotation(key string) string {
	return yamlnode.Text(i.Node, "metadata", "annotations", key)
}

// Label returns the label's text, or "" if there is none.
func (i *Item) Label(key string) string {
	return yamlnode.Text(i.Node, "metadata", "labels", key)
}

// IsSecret reports whether the object is a Secret of Kubernetes.
func (i *Item) IsSecret() bool { return i.Group == "" && i.Kind == "Secret" }

// IsEncrypted reports whether SOPS has encrypted the object.
func (i *Item) IsEncrypted() bool {
	return !yamlnode.IsNull(yamlnode.Get(i.Node, "sops"))
}

// IsLocal reports whether the annotation config.kubernetes.io/local-config keeps the object out of the cluster, as any
// value but false does.
func (i *Item) IsLocal() bool {
	value := i.Annotation(fn.KptLocalConfig)
	return value != "" && value != "false"
}

// GetsHashSuffix reports whether kustomize will append a hash to the object's name, as it does for objects of a generator
// without disableNameSuffixHash.
func (i *Item) GetsHashSuffix() bool {
	return i.Annotation(internalPrefix+"needsHashSuffix") == "enabled"
}

// Listed returns the objects in a List of any type and in the Lists inside it, or nothing for any other object. Their
// location is that of the List.
func (i *Item) Listed() []*Item {
	return i.listed(nil)
}

// listed visits each List once, because aliases can make a List contain itself.
func (i *Item) listed(seen map[*yaml.Node]bool) []*Item {
	if !strings.HasSuffix(i.Kind, "List") || seen[i.Node] {
		return nil
	}
	if seen == nil {
		seen = map[*yaml.Node]bool{}
	}
	seen[i.Node] = true
	var items []*Item
	for _, n := range yamlnode.Elements(i.Node, "items") {
		if n.Kind != yaml.MappingNode {
			continue
		}
		item := NewItem(n)
		item.position, item.file, item.index = i.position, i.Path(), i.Index()
		items = append(append(items, item), item.listed(seen)...)
	}
	return items
}

// FormerNames returns the names that the item had before kustomize renamed it, each with its namespace.
func (i *Item) FormerNames() []ID {
	var ids []ID
	if names := i.Annotation(PreviousNames); names != "" {
		namespaces := strings.Split(i.Annotation(PreviousNamespaces), ",")
		for n, name := range strings.Split(names, ",") {
			if n < len(namespaces) {
				ids = append(ids, ID{Group: i.Group, Kind: i.Kind, Namespace: namespaces[n], Name: name})
			}
		}
	}
	return ids
}

// Path returns the file that the item was read from, or "" if the orchestrator does not say.
func (i *Item) Path() string {
	if i.file != "" {
		return i.file
	}
	return i.AnnotatedPath()
}

// AnnotatedPath returns the path in the package that an orchestrator's annotation names, or "" if there is none. After its
// first function, kustomize makes up a path for every item, namespace/kind_name.yaml, which counts as none.
func (i *Item) AnnotatedPath() string {
	file := cmp.Or(i.Annotation(kioutil.PathAnnotation), i.Annotation(kioutil.LegacyPathAnnotation))
	if i.Annotation(KustomizeID) != "" && strings.HasPrefix(path.Base(file), strings.ToLower(i.Kind)+"_") {
		return ""
	}
	return file
}

// Index returns the item's position in its file, from 0.
func (i *Item) Index() int {
	if i.file != "" {
		return i.index
	}
	index, err := strconv.Atoi(cmp.Or(i.Annotation(kioutil.IndexAnnotation), i.Annotation(kioutil.LegacyIndexAnnotation)))
	if err != nil {
		return 0
	}
	return index
}

// Location returns the item's file, or its position if the file is not known, for messages.
func (i *Item) Location() string {
	if path := i.Path(); path != "" {
		return InFile(path, i.Index())
	}
	if i.position < 0 {
		return "functionConfig"
	}
	return fmt.Sprintf("items[%d]", i.position)
}

// InFile names an object in a file, with its index, which counts from 0, unless it is the first.
func InFile(path string, index int) string {
	if index == 0 {
		return path
	}
	return fmt.Sprintf("%s[%d]", path, index)
}

// List is a ResourceList, or a list of items that were read without an orchestrator.
type List struct {
	// Items are the objects, in their order.
	Items []*Item
	// FunctionConfig is nil if there is none.
	FunctionConfig *Item

	document *yaml.Node // the list as it was read; nil if it comes from NewList
	byID     map[ID][]*Item
}

// Without returns a list for lookups, without the dropped items.
func (l *List) Without(dropped func(*Item) bool) *List {
	rest := &List{FunctionConfig: l.FunctionConfig, byID: map[ID][]*Item{}}
	for _, item := range l.Items {
		if !dropped(item) {
			rest.Items = append(rest.Items, item)
			rest.byID[item.ID] = append(rest.byID[item.ID], item)
		}
	}
	return rest
}

// All returns the items, with the objects of each List after the List.
func (l *List) All() []*Item {
	all := make([]*Item, 0, len(l.Items))
	for _, item := range l.Items {
		all = append(append(all, item), item.Listed()...)
	}
	return all
}

// Find returns the items with that ID, in order.
func (l *List) Find(id ID) []*Item {
	return l.byID[id]
}

// ResourceList reads a ResourceList from exactly one YAML document. Its error says what is wrong and quotes at most kind
// and apiVersion of the input.
func ResourceList(in []byte) (*List, error) {
	if len(bytes.TrimSpace(in)) == 0 {
		return nil, errors.New("stdin is empty; pipe a ResourceList into it, as kustomize and kpt do")
	}
	document, err := decode(in)
	if err != nil {
		return nil, err
	}
	root := document.Content[0]
	if root.Kind != yaml.MappingNode {
		return nil, errors.New("stdin is not a ResourceList but " + yamlnode.KindName(root) + "; pipe a ResourceList into it, as kustomize and kpt do")
	}
	if err := checkTop(root); err != nil {
		return nil, err
	}
	if head := NewItem(root); head.Kind != kio.ResourceListKind || head.Group != "config.kubernetes.io" {
		return nil, fmt.Errorf("stdin is not a ResourceList of config.kubernetes.io but %s; pipe a ResourceList into it, as kustomize and kpt do", describe(head))
	}

	steady(document, false)

	list := &List{document: document, byID: map[ID][]*Item{}}
	items := yamlnode.Get(root, "items")
	if !yamlnode.IsNull(items) {
		if items.Kind != yaml.SequenceNode {
			return nil, errors.New("items of the ResourceList must be a list, not " + yamlnode.KindName(items) + "; start each object with a dash")
		}
		for i, n := range items.Content {
			if n = yamlnode.Follow(n); n.Kind != yaml.MappingNode {
				return nil, fmt.Errorf("items[%d] of the ResourceList must be an object, not %s; correct or remove it", i, yamlnode.KindName(n))
			}
			list.append(NewItem(n))
		}
	}
	if fc := yamlnode.Get(root, "functionConfig"); !yamlnode.IsNull(fc) {
		if fc.Kind != yaml.MappingNode {
			return nil, errors.New("functionConfig of the ResourceList must be an object, not " + yamlnode.KindName(fc) + "; correct or remove it")
		}
		if len(fc.Content) > 0 {
			list.FunctionConfig = NewItem(fc)
		}
	}
	if results := yamlnode.Get(root, "results"); !yamlnode.IsNull(results) && results.Kind != yaml.SequenceNode {
		return nil, errors.New("results of the ResourceList must be a list, not " + yamlnode.KindName(results) + "; remove it")
	}
	return list, nil
}

func (l *List) append(item *Item) {
	item.position = len(l.Items)
	l.Items = append(l.Items, item)
	l.byID[item.ID] = append(l.byID[item.ID], item)
}

// decode reads exactly one document.
func decode(in []byte) (*yaml.Node, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(in))
	var document, next yaml.Node
	if err := decoder.Decode(&document); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, errors.New("stdin contains only comments; pipe a ResourceList into it, as kustomize and kpt do")
		}
		return nil, notYAML("stdin", 0, err)
	}
	switch err := decoder.Decode(&next); {
	case err == nil && yamlnode.IsNull(next.Content[0]): // dashes at the end
	case err == nil:
		return nil, errors.New("stdin contains more than one YAML document; pipe one ResourceList into it, as kustomize and kpt do")
	case !errors.Is(err, io.EOF):
		return nil, notYAML("stdin", 0, err)
	}
	return &document, nil
}

// steady adjusts nodes that the encoder would otherwise write differently from how they were read: it writes `<<:` as
// `!!merge <<:`; folded texts with indented lines or several trailing line breaks grow with every pass; and a null that is
// not spelled out becomes an empty string inside braces or brackets (`{a}`, `{a: }`) or as a key.
func steady(n *yaml.Node, spellOut bool) {
	if n.Kind == yaml.ScalarNode && n.Tag == yaml.MergeTag && n.Value == "<<" {
		n.Tag = ""
	}
	if n.Kind == yaml.ScalarNode && n.Style&yaml.FoldedStyle != 0 && growing.MatchString(n.Value) {
		n.Style = n.Style&^yaml.FoldedStyle | yaml.LiteralStyle
	}
	if spellOut && n.Kind == yaml.ScalarNode && n.Tag == yaml.NodeTagNull && n.Value == "" && n.Style == 0 {
		n.Value = "null"
	}
	spellOut = spellOut || n.Style&yaml.FlowStyle != 0
	for i, child := range n.Content {
		steady(child, spellOut || n.Kind == yaml.MappingNode && i%2 == 0)
	}
}

var growing = regexp.MustCompile(`^\s|\n[ \t]|\n\n$`)

var lineOfError = regexp.MustCompile(`\bline (\d+)\b`)

// notYAML keeps only the line number of a decoder's error: its text quotes the input, which may contain secrets. The
// decoder's input started after the given number of lines of source.
func notYAML(source string, lines int, err error) error {
	if match := lineOfError.FindStringSubmatch(err.Error()); match != nil {
		if line, err := strconv.Atoi(match[1]); err == nil {
			return fmt.Errorf("%s is not valid YAML near line %d; correct it (the text is not shown, because it may contain a secret)", source, lines+line)
		}
	}
	return fmt.Errorf("%s is not valid YAML; correct it (the text is not shown, because it may contain a secret)", source)
}

// checkTop reports a top-level field of the list that appears twice or is shared through an alias: anything added to it
// would also appear where the alias is used.
func checkTop(root *yaml.Node) error {
	seen := map[string]bool{}
	for name, value := range yamlnode.Fields(root) {
		switch key := name.Value; key {
		case "apiVersion", "kind", "items", "functionConfig", "results":
			if seen[key] {
				return fmt.Errorf("the ResourceList has the field %q twice; remove one of them", key)
			}
			if value.Kind == yaml.AliasNode || value.Anchor != "" {
				return fmt.Errorf("the field %q of the ResourceList is shared through a YAML alias; write it out", key)
			}
			seen[key] = true
		}
	}
	return nil
}

func describe(head *Item) string {
	if head.Kind == "" {
		return "an object without a kind"
	}
	return fmt.Sprintf("%q of %q", head.Kind, head.APIVersion)
}
