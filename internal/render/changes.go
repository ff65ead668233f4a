package render

import (
	"bytes"
	"encoding/json"
	"maps"
	"path"
	"slices"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/krm"
	"github.com/bizmatters/dragonfly-generator/internal/merge"
	"github.com/bizmatters/dragonfly-generator/internal/report"
	"github.com/bizmatters/dragonfly-generator/internal/yamlnode"
)

// change is a change to one file of the output folder.
type change struct {
	file          string // in the folder, with slashes
	before, after []byte // nil if there is no file
	nearSecret    bool   // the file has a Secret with a value that this program did not write
}

// fileChanges returns the changes to the files of the output folder, sorted by name.
func fileChanges(in *inputs, planned merge.Changes, results *report.Results) []change {
	e := edits{replaced: map[*krm.Item]merge.Replacement{}, removed: map[*krm.Item]bool{}, added: map[string][]*yaml.Node{}}
	for _, replacement := range planned.Replace {
		e.replaced[replacement.Item] = replacement
	}
	for _, removal := range planned.Remove {
		e.removed[removal.Item] = true
	}
	files := map[string]*source{}
	for _, addition := range planned.Add {
		e.added[addition.File] = append(e.added[addition.File], addition.Node)
		files[addition.File] = &source{inFolder: addition.File}
	}
	for _, source := range in.sources {
		if source.inFolder != "" && (files[source.inFolder] != nil || slices.ContainsFunc(source.resources(), e.isEdited)) {
			files[source.inFolder] = source
		}
	}

	var changes []change
	for _, name := range slices.Sorted(maps.Keys(files)) {
		c, err := e.change(files[name])
		if err != nil {
			reportBug(err, results)
		}
		changes = append(changes, c)
	}
	return changes
}

// edits are what happens to the objects in the output folder.
type edits struct {
	replaced map[*krm.Item]merge.Replacement
	removed  map[*krm.Item]bool
	added    map[string][]*yaml.Node // by file
}

func (e edits) isEdited(item *krm.Item) bool {
	_, isReplaced := e.replaced[item]
	return isReplaced || e.removed[item]
}

// change builds the new content of a file. Everything that is not ours stays the same to the byte.
func (e edits) change(s *source) (change, error) {
	c := change{file: s.inFolder}
	if s.documents != nil {
		c.before = []byte{} // the file exists, even if it is empty
	}
	isEmpty := true // no object is left in the file
	for _, d := range s.documents {
		c.before = append(c.before, d.Text...)
		r, isReplaced := e.replaced[d.item]
		c.nearSecret = c.nearSecret || holdsSecret(d.Document, r.With)
		switch {
		case e.removed[d.item]:
			continue
		case isReplaced:
			r.Apply()
			text, err := encodeFor(s.inFolder, d.Node)
			if err != nil {
				return c, err
			}
			if line, _, _ := bytes.Cut(d.Text, []byte("\n")); krm.IsSeparator(line) {
				c.after = append(c.after, separator...)
			}
			c.after = append(c.after, text...)
		default:
			c.after = append(c.after, d.Text...)
		}
		isEmpty = isEmpty && d.Node == nil
	}
	for _, n := range e.added[s.inFolder] {
		text, err := encodeFor(s.inFolder, n)
		if err != nil {
			return c, err
		}
		if !isEmpty {
			if !bytes.HasSuffix(c.after, []byte("\n")) {
				c.after = append(c.after, '\n')
			}
			c.after = append(c.after, separator...)
		}
		c.after = append(c.after, text...)
		isEmpty = false
	}
	if isEmpty {
		c.after = nil
	}
	return c, nil
}

// holdsSecret reports whether a document is a Secret, or a List with one, that has a value this program did not write: a
// Secret that is not ours, or one of ours to which something has added a key. fresh is the document's replacement, or nil.
func holdsSecret(document krm.Document, fresh *yaml.Node) bool {
	if document.Node == nil {
		return false
	}
	item := krm.NewItem(document.Node.Content[0])
	return slices.ContainsFunc(append(item.Listed(), item), func(item *krm.Item) bool {
		return item.Kind == "Secret" && (!merge.IsOurs(item) || holdsOther(item.Node, fresh, "data") || holdsOther(item.Node, fresh, "stringData"))
	})
}

// holdsOther reports whether a Secret has a key that its replacement lacks.
func holdsOther(secret, fresh *yaml.Node, field string) bool {
	for key := range yamlnode.Fields(yamlnode.Get(secret, field)) {
		isKnown := key.Value == v1alpha1.EndpointKey || key.Value == v1alpha1.PortKey
		if !isKnown && yamlnode.Get(fresh, field, key.Value) == nil {
			return true
		}
	}
	return false
}

// encodeFor writes a document in the format of the file, YAML or JSON.
func encodeFor(file string, n *yaml.Node) ([]byte, error) {
	if path.Ext(file) != ".json" {
		return yaml.Marshal(n)
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
