// Package yamlnode reads and changes YAML nodes in place, so that the comments, order and quoting of objects that are not
// ours survive.
//
// kyaml's RNode is not enough: it fails on aliases, does not see the fields that a merge key adds, and quotes values in its
// errors. Nothing here quotes a value, because it may be a secret.
package yamlnode

import (
	"errors"
	"iter"
	"regexp"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// Follow returns the target of an alias, and any other node unchanged.
func Follow(n *yaml.Node) *yaml.Node {
	for n != nil && n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

// Fields iterates over the keys and values of a mapping, in order. Any other node has none.
func Fields(n *yaml.Node) iter.Seq2[*yaml.Node, *yaml.Node] {
	return func(yield func(key, value *yaml.Node) bool) {
		if n == nil || n.Kind != yaml.MappingNode {
			return
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			if !yield(n.Content[i], n.Content[i+1]) {
				return
			}
		}
	}
}

// Elements returns the elements of the list at path, or nil if there is no list.
func Elements(n *yaml.Node, path ...string) []*yaml.Node {
	list := Get(n, path...)
	if list == nil || list.Kind != yaml.SequenceNode {
		return nil
	}
	elements := make([]*yaml.Node, len(list.Content))
	for i, element := range list.Content {
		elements[i] = Follow(element)
	}
	return elements
}

// Named returns the element of a list that has the name, or nil if there is none. The path leads to the name's parent.
func Named(list *yaml.Node, name string, path ...string) *yaml.Node {
	for _, element := range Elements(list) {
		if Text(element, append(path, "name")...) == name {
			return element
		}
	}
	return nil
}

// All iterates over n and everything in it, each node once, because aliases can make a node contain itself.
func All(n *yaml.Node) iter.Seq[*yaml.Node] {
	return func(yield func(*yaml.Node) bool) {
		seen := map[*yaml.Node]bool{}
		var visit func(n *yaml.Node) bool
		visit = func(n *yaml.Node) bool {
			if n = Follow(n); n == nil || seen[n] {
				return true
			}
			seen[n] = true
			return yield(n) && !slices.ContainsFunc(n.Content, func(child *yaml.Node) bool { return !visit(child) })
		}
		visit(n)
	}
}

// Get follows the keys of path through mappings, aliases and merge keys. It returns nil if there is no such field.
func Get(n *yaml.Node, path ...string) *yaml.Node {
	n = Follow(n)
	for _, key := range path {
		if n = Follow(value(n, key)); n == nil {
			return nil
		}
	}
	return n
}

// Text returns the text of the scalar at path, whatever its YAML type, or "" if there is none: a label `tier: 1` reads as
// "1".
func Text(n *yaml.Node, path ...string) string {
	if n = Get(n, path...); n == nil || n.Kind != yaml.ScalarNode || IsNull(n) {
		return ""
	}
	return n.Value
}

// Texts returns the fields of a mapping.
func Texts(n *yaml.Node) map[string]string {
	all := map[string]string{}
	for key, value := range Fields(n) {
		all[key.Value] = Text(value)
	}
	return all
}

// IsNull reports whether there is nothing at n: no node, or an explicit null.
func IsNull(n *yaml.Node) bool {
	n = Follow(n)
	return n == nil || n.Kind == 0 || n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null"
}

// IsString reports whether n is a scalar that Kubernetes reads as a string.
func IsString(n *yaml.Node) bool {
	n = Follow(n)
	return n != nil && n.Kind == yaml.ScalarNode && n.ShortTag() == "!!str"
}

// KindName names the kind of n for an error.
func KindName(n *yaml.Node) string {
	switch Follow(n).Kind {
	case yaml.MappingNode:
		return "an object"
	case yaml.SequenceNode:
		return "a list"
	default:
		return "a plain value"
	}
}

// Scalar returns a new string node. It is quoted if a YAML 1.2 parser would read it as another type, which the encoder takes
// care of, or if a YAML 1.1 parser such as kubectl's would.
func Scalar(text string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text}
	if oldWords[text] || strings.Contains(text, ":") && base60.MatchString(text) {
		n.Style = yaml.DoubleQuotedStyle
	}
	return n
}

// oldWords are booleans, or the merge key, only in YAML 1.1.
var oldWords = map[string]bool{
	"<<": true,
	"y":  true, "Y": true, "yes": true, "Yes": true, "YES": true, "on": true, "On": true, "ON": true,
	"n": true, "N": true, "no": true, "No": true, "NO": true, "off": true, "Off": true, "OFF": true,
}

// base60 matches numbers such as 1:30, which YAML 1.1 reads as 90.
var base60 = regexp.MustCompile(`^[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?$`)

// CanSet reports whether SetText may write at path: whether each mapping on the path is n's own or can be created. Nodes
// that come from an alias or a merge key are shared.
func CanSet(n *yaml.Node, path ...string) bool {
	for _, key := range path[:len(path)-1] {
		if n.Kind != yaml.MappingNode || n.Anchor != "" {
			return false
		}
		i := index(n, key)
		if i < 0 {
			return value(n, key) == nil
		}
		if IsNull(n.Content[i+1]) {
			return n.Content[i+1].Anchor == ""
		}
		n = n.Content[i+1]
	}
	i := index(n, path[len(path)-1])
	return n.Kind == yaml.MappingNode && n.Anchor == "" && (i < 0 || n.Content[i+1].Anchor == "")
}

// NewMapping returns a mapping without fields.
func NewMapping() *yaml.Node { return &yaml.Node{Kind: yaml.MappingNode, Tag: yaml.NodeTagMap} }

// SetText sets the field at path to a string, and creates mappings on the path that are missing or null. CanSet must allow
// it.
func SetText(n *yaml.Node, text string, path ...string) {
	n = Mapping(n, path[:len(path)-1]...)
	key, fresh := path[len(path)-1], Scalar(text)
	if i := index(n, key); i >= 0 {
		old := Follow(n.Content[i+1])
		fresh.HeadComment, fresh.LineComment, fresh.FootComment = old.HeadComment, old.LineComment, old.FootComment
	}
	Set(n, key, fresh)
}

// Mapping returns the mapping at path, and creates those on the path that are missing or null. CanSet must allow it.
func Mapping(n *yaml.Node, path ...string) *yaml.Node {
	for _, key := range path {
		i := index(n, key)
		if i < 0 {
			Set(n, key, NewMapping())
			i = index(n, key)
		} else if null := n.Content[i+1]; IsNull(null) {
			n.Content[i].LineComment = null.LineComment // a mapping has no line comment
			fresh := NewMapping()
			// Comments below a key without a value, such as commented-out fields, move into the mapping.
			head := strings.TrimPrefix(null.HeadComment+"\n"+n.Content[i].FootComment, "\n")
			fresh.HeadComment, fresh.FootComment = strings.TrimSuffix(head, "\n"), null.FootComment
			n.Content[i].FootComment, n.Content[i+1] = "", fresh
		}
		n = n.Content[i+1]
	}
	return n
}

// Set sets the field key of the mapping n, or removes it if value is nil.
func Set(n *yaml.Node, key string, value *yaml.Node) {
	switch i := index(n, key); {
	case i >= 0 && value != nil:
		n.Content[i+1] = value
	case i >= 0:
		n.Content = slices.Delete(n.Content, i, i+2)
	case value != nil:
		n.Content = append(n.Content, Scalar(key), value)
	}
}

// Equal reports whether a and b mean the same, regardless of key order, quoting, comments and style.
func Equal(a, b *yaml.Node) bool {
	a, b = Follow(a), Follow(b)
	if IsNull(a) || IsNull(b) {
		return IsNull(a) && IsNull(b)
	}
	if a.Kind != b.Kind || len(a.Content) != len(b.Content) {
		return false
	}
	switch a.Kind {
	case yaml.ScalarNode:
		return a.Value == b.Value && a.ShortTag() == b.ShortTag()
	case yaml.MappingNode:
		indexIn := indexer(b)
		for key, value := range Fields(a) {
			j := indexIn(key.Value)
			if j < 0 || !Equal(value, b.Content[j+1]) {
				return false
			}
		}
		return true
	default:
		return slices.EqualFunc(a.Content, b.Content, Equal)
	}
}

// value returns the value of key in the mapping n or in the mappings that its merge keys add.
func value(n *yaml.Node, key string) *yaml.Node {
	if i := index(n, key); i >= 0 {
		return n.Content[i+1]
	}
	if n == nil || !slices.ContainsFunc(n.Content, isMergeKey) {
		return nil
	}
	return merged(n, key, map[*yaml.Node]bool{})
}

// merged searches the merge keys of n. It visits each node once, because merge keys can contain themselves.
func merged(n *yaml.Node, key string, seen map[*yaml.Node]bool) *yaml.Node {
	n = Follow(n)
	if n == nil || seen[n] {
		return nil
	}
	seen[n] = true
	if n.Kind == yaml.SequenceNode {
		for _, source := range n.Content {
			if found := merged(source, key, seen); found != nil {
				return found
			}
		}
		return nil
	}
	if i := index(n, key); i >= 0 {
		return n.Content[i+1]
	}
	for field, from := range Fields(n) {
		if isMergeKey(field) {
			if found := merged(from, key, seen); found != nil {
				return found
			}
		}
	}
	return nil
}

// index returns the index of key in the mapping n, or -1.
func index(n *yaml.Node, key string) int {
	if n == nil || n.Kind != yaml.MappingNode {
		return -1
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if k := Follow(n.Content[i]); k.Kind == yaml.ScalarNode && k.Value == key {
			return i
		}
	}
	return -1
}

// indexer returns index for the mapping n. A mapping with many keys is read once rather than for each key.
func indexer(n *yaml.Node) func(key string) int {
	const many = 100
	if len(n.Content) < many {
		return func(key string) int { return index(n, key) }
	}
	byKey := make(map[string]int, len(n.Content)/2)
	for i := len(n.Content) - 2; i >= 0; i -= 2 { // the first counts
		if k := Follow(n.Content[i]); k.Kind == yaml.ScalarNode {
			byKey[k.Value] = i
		}
	}
	return func(key string) int {
		if i, found := byKey[key]; found {
			return i
		}
		return -1
	}
}

// DuplicateKeyError reports that a mapping has the same key twice, so parsers would disagree on which one counts.
type DuplicateKeyError struct {
	// Path is the path of the key: names of fields, and indices of elements. A key can be a misplaced secret, so print only
	// the part of the path that the object's type knows.
	Path []any
}

func (e *DuplicateKeyError) Error() string { return "has the same key twice" }

// errAliases reports aliases that contain themselves or expand to too many nodes.
var errAliases = errors.New("has YAML aliases that contain themselves or expand to more than 100000 nodes")

// maxExpanded limits the expansion of aliases and merge keys, in nodes: a claim has dozens, an alias bomb has billions.
const maxExpanded = 100_000

// Plain returns n without aliases and merge keys, as Kubernetes would read it: n itself if it has none, otherwise a copy in
// which they are written out. The error is a *DuplicateKeyError, or says that aliases contain themselves or expand to more
// than 100,000 nodes.
func Plain(n *yaml.Node) (*yaml.Node, error) {
	n = Follow(n)
	if path, found := duplicateKey(n); found {
		return nil, &DuplicateKeyError{Path: path}
	}
	if !hasAliases(n) {
		return n, nil
	}
	e := expander{open: map[*yaml.Node]bool{}}
	return e.expand(n)
}

func hasAliases(n *yaml.Node) bool {
	return n.Kind == yaml.AliasNode || isMergeKey(n) || slices.ContainsFunc(n.Content, hasAliases)
}

// HasAnchors reports whether something in n can be referred to from elsewhere.
func HasAnchors(n *yaml.Node) bool {
	return n.Anchor != "" || slices.ContainsFunc(n.Content, HasAnchors)
}

// isMergeKey also accepts `!!merge <<`, which some tools write.
func isMergeKey(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.Value == "<<" && n.Style&^yaml.TaggedStyle == 0 && (n.Tag == "" || n.Tag == yaml.MergeTag)
}

// duplicateKey does not follow aliases: their targets are checked where they are defined.
func duplicateKey(n *yaml.Node) (path []any, found bool) {
	if n.Kind == yaml.MappingNode {
		seen := make(map[string]bool, len(n.Content)/2)
		for key, value := range Fields(n) {
			if key.Kind == yaml.ScalarNode && seen[key.Value] {
				return []any{key.Value}, true
			}
			seen[key.Value] = true
			if path, found := duplicateKey(value); found {
				return append([]any{key.Value}, path...), true
			}
		}
		return nil, false
	}
	for i, child := range n.Content {
		if path, found := duplicateKey(child); found {
			return append([]any{i}, path...), true
		}
	}
	return nil, false
}

type expander struct {
	open  map[*yaml.Node]bool // the nodes that we are inside of
	nodes int
}

func (e *expander) expand(n *yaml.Node) (*yaml.Node, error) {
	n = Follow(n)
	if e.nodes++; e.nodes > maxExpanded || e.open[n] {
		return nil, errAliases
	}
	e.open[n] = true
	defer delete(e.open, n)

	plain := *n
	plain.Anchor, plain.Content = "", nil
	var merged []*yaml.Node
	for i, child := range n.Content {
		if n.Kind == yaml.MappingNode && isMergeKey(n.Content[i-i%2]) {
			if i%2 == 1 {
				merged = append(merged, child)
			}
			continue
		}
		c, err := e.expand(child)
		if err != nil {
			return nil, err
		}
		plain.Content = append(plain.Content, c)
	}
	if len(merged) == 0 {
		return &plain, nil
	}
	have := map[string]bool{}
	for key := range Fields(&plain) {
		have[key.Value] = true
	}
	for _, m := range merged {
		if err := e.merge(&plain, have, m); err != nil {
			return nil, err
		}
	}
	return &plain, nil
}

// merge adds to n the fields of a merge key's value that n does not have. The value is a mapping or a list of mappings, of
// which earlier ones win.
func (e *expander) merge(n *yaml.Node, have map[string]bool, from *yaml.Node) error {
	plain, err := e.expand(from)
	if err != nil {
		return err
	}
	sources := []*yaml.Node{plain}
	if plain.Kind == yaml.SequenceNode {
		sources = plain.Content
	}
	for _, source := range sources {
		for key, value := range Fields(source) {
			if !have[key.Value] {
				have[key.Value] = true
				n.Content = append(n.Content, key, value)
			}
		}
	}
	return nil
}

// FromJSON returns JSON as plain YAML, with its fields in order, or an empty mapping if the text is not JSON.
func FromJSON(text []byte) *yaml.Node {
	parsed, err := yaml.Parse(string(text))
	if err != nil {
		return NewMapping()
	}
	return plainStyle(parsed.YNode())
}

// plainStyle returns a copy of a tree in block style, without unnecessary quotes.
func plainStyle(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.ScalarNode && IsString(n) {
		return Scalar(n.Value)
	}
	fresh := &yaml.Node{Kind: n.Kind, Tag: n.Tag, Value: n.Value}
	for i, child := range n.Content {
		if isKey := n.Kind == yaml.MappingNode && i%2 == 0; isKey { // a string in JSON, even if it is <<
			fresh.Content = append(fresh.Content, Scalar(child.Value))
			continue
		}
		fresh.Content = append(fresh.Content, plainStyle(child))
	}
	return fresh
}
