package render

import (
	"bytes"
	"encoding/json"
	"maps"
	"path"
	"slices"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/expand"
	"github.com/bizmatters/dragonfly-generator/internal/krm"
	"github.com/bizmatters/dragonfly-generator/internal/merge"
	"github.com/bizmatters/dragonfly-generator/internal/report"
	"github.com/bizmatters/dragonfly-generator/internal/yamlnode"
)

// change is a change to one file of the output folder.
type change struct {
	file          string // in the folder, with slashes
	before, after []byte // nil if there is no file
	nearSecret    bool   // the file has a Secret with a value that this program does not write
}

// fileChanges returns the changes to the files of the output folder, sorted by name.
func fileChanges(in *inputs, expansion expand.Expansion, results *report.Results) []change {
	files := map[string]*file{}
	open := func(name string) *file {
		if files[name] == nil {
			files[name] = newFile(name)
		}
		return files[name]
	}
	byItem := map[*krm.Item]position{}
	bySource := map[string]*source{}
	for _, source := range in.sources {
		if source.inFolder == "" {
			continue
		}
		bySource[source.inFolder] = source
		for i, item := range source.items {
			byItem[item] = position{source, i}
		}
	}

	for _, replacement := range expansion.Replace {
		if at, found := byItem[replacement.Item]; found { // others were already reported
			open(at.source.inFolder).replace(at, replacement)
		}
	}
	for _, removal := range expansion.Remove {
		if at, found := byItem[removal.Item]; found {
			open(at.source.inFolder).remove(at)
		}
	}
	for _, addition := range expansion.Add {
		open(addition.File).add(bySource[addition.File], addition)
	}

	var changes []change
	for _, name := range slices.Sorted(maps.Keys(files)) {
		c, err := files[name].change()
		if err != nil {
			reportBug(err, results)
		}
		changes = append(changes, c)
	}
	return changes
}

// position is the position of an item: its source, and its index among the documents there.
type position struct {
	source *source
	index  int
}

// file is a file that changes.
type file struct {
	name   string
	source *source // nil if the file does not exist yet

	replaced map[int]merge.Replacement
	removed  map[int]bool
	added    []*yaml.Node
}

func newFile(name string) *file {
	return &file{name: name, replaced: map[int]merge.Replacement{}, removed: map[int]bool{}}
}

func (f *file) replace(at position, r merge.Replacement) {
	f.source = at.source
	f.replaced[at.index] = r
}

func (f *file) remove(at position) {
	f.source = at.source
	f.removed[at.index] = true
}

func (f *file) add(to *source, a merge.Addition) {
	f.source = to
	f.added = append(f.added, a.Node)
}

// change builds the new content of the file. Everything that is not ours stays the same to the byte.
func (f *file) change() (change, error) {
	c := change{file: f.name}
	holds := false // something
	var documents []krm.Document
	if f.source != nil {
		documents = f.source.documents
		c.before = []byte{}
	}
	for i, document := range documents {
		c.before = append(c.before, document.Text...)
		r, replaced := f.replaced[i]
		c.nearSecret = c.nearSecret || holdsSecret(document, r.With)
		switch {
		case f.removed[i]:
			continue
		case replaced:
			r.Apply()
			text, err := f.encode(document.Node)
			if err != nil {
				return c, err
			}
			if line, _, _ := bytes.Cut(document.Text, []byte("\n")); krm.IsSeparator(line) {
				c.after = append(c.after, separator...)
			}
			c.after = append(c.after, text...)
		default:
			c.after = append(c.after, document.Text...)
		}
		holds = holds || document.Node != nil
	}
	for _, n := range f.added {
		text, err := f.encode(n)
		if err != nil {
			return c, err
		}
		if holds {
			if !bytes.HasSuffix(c.after, []byte("\n")) {
				c.after = append(c.after, '\n')
			}
			c.after = append(c.after, separator...)
		}
		c.after = append(c.after, text...)
		holds = true
	}
	if !holds {
		c.after = nil
	}
	return c, nil
}

// holdsSecret reports whether a document is a Secret, or a List with one, with a value that this program does not write:
// in one that it did not make, or in one of its own that something was added to. fresh is what replaces that, or nil.
func holdsSecret(document krm.Document, fresh *yaml.Node) bool {
	if document.Node == nil {
		return false
	}
	item := krm.NewItem(document.Node.Content[0])
	return slices.ContainsFunc(append(item.Listed(), item), func(item *krm.Item) bool {
		return item.Kind == "Secret" && (!merge.IsOurs(item) || holdsOther(item.Node, fresh, "data") || holdsOther(item.Node, fresh, "stringData"))
	})
}

// holdsOther reports whether the data of a Secret has a key that what replaces it lacks.
func holdsOther(secret, fresh *yaml.Node, field string) bool {
	for key := range yamlnode.Fields(yamlnode.Get(secret, field)) {
		isKnown := key.Value == v1alpha1.EndpointKey || key.Value == v1alpha1.PortKey
		if !isKnown && yamlnode.Get(fresh, field, key.Value) == nil {
			return true
		}
	}
	return false
}

// encode writes a document in the format of the file, YAML or JSON.
func (f *file) encode(n *yaml.Node) ([]byte, error) {
	if path.Ext(f.name) != ".json" {
		return encode(n)
	}
	if n.Kind == yaml.DocumentNode {
		n = n.Content[0]
	}
	var text bytes.Buffer
	compact, err := yaml.NewRNode(n).MarshalJSON()
	if err == nil {
		err = json.Indent(&text, compact, "", "  ")
	}
	text.WriteByte('\n')
	return text.Bytes(), err
}
