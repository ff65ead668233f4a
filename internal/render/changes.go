package render

import (
	"bytes"
	"cmp"
	"encoding/json"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/generator"
	"github.com/bizmatters/dragonfly-generator/internal/instance"
	"github.com/bizmatters/dragonfly-generator/internal/krm"
	"github.com/bizmatters/dragonfly-generator/internal/merge"
	"github.com/bizmatters/dragonfly-generator/internal/report"
)

// change is what happens to one file of the folder.
type change struct {
	file  string // in the folder, with slashes
	order int
	perm  fs.FileMode // as atomicfile.Replace takes it

	before, after []byte // nil where there is no file
}

// The order in which files are changed. A password is on the disk before anything that would be taken for
// the rest of an instance without one, and stays until that is gone.
const (
	writePasswords = iota
	writeSecrets
	writeOthers
	removeOthers
	removeSecrets
)

// fileChanges returns the changes of the folder's files, in the order in which they are to be made.
func fileChanges(in *inputs, expansion generator.Expansion, results *report.Results) []change {
	files := map[string]*file{}
	open := func(name string) *file {
		if files[name] == nil {
			files[name] = newFile(name)
		}
		return files[name]
	}
	byItem := map[*krm.Item]place{}
	bySource := map[string]*source{}
	for _, source := range in.sources {
		if source.inFolder == "" {
			continue
		}
		bySource[source.inFolder] = source
		for i, item := range source.items {
			byItem[item] = place{source, i}
		}
	}

	for _, replacement := range expansion.Replace {
		if at, found := byItem[replacement.Item]; found { // others have been reported
			open(at.source.inFolder).replace(at, replacement)
		}
	}
	for _, item := range expansion.Remove {
		if at, found := byItem[item]; found {
			open(at.source.inFolder).remove(at, item)
		}
	}
	for _, addition := range expansion.Add {
		open(addition.File).add(bySource[addition.File], addition)
	}

	var changes []change
	for _, name := range slices.Sorted(maps.Keys(files)) {
		f := files[name]
		if f.source != nil {
			if encrypted := slices.IndexFunc(f.source.items, func(item *krm.Item) bool { return item != nil && item.IsEncrypted() }); encrypted >= 0 {
				results.Errorf(f.source.items[encrypted], "is encrypted with SOPS, which signs the whole file, but something else in the file has to change; move it to a file of its own")
			}
		}
		c, err := f.change()
		if err != nil {
			reportBug(err, results)
		}
		changes = append(changes, c)
	}
	slices.SortFunc(changes, func(a, b change) int {
		return cmp.Or(cmp.Compare(a.order, b.order), cmp.Compare(a.file, b.file))
	})
	return changes
}

// place is where an item stands: the source, and the place among its documents.
type place struct {
	source *source
	index  int
}

// file is a file that changes.
type file struct {
	name   string
	source *source // nil where there is none yet

	replaced map[int]merge.Replacement
	removed  map[int]bool
	added    []*yaml.Node

	order       int
	hasPassword bool // now
}

func newFile(name string) *file {
	return &file{name: name, replaced: map[int]merge.Replacement{}, removed: map[int]bool{}, order: removeSecrets}
}

func (f *file) replace(at place, r merge.Replacement) {
	f.source = at.source
	f.replaced[at.index] = r
	f.writes(r.With)
}

func (f *file) remove(at place, item *krm.Item) {
	f.source = at.source
	f.removed[at.index] = true
	if item.Kind != "Secret" {
		f.order = min(f.order, removeOthers)
	}
}

func (f *file) add(there *source, a merge.Addition) {
	f.source = there
	f.added = append(f.added, a.Node)
	f.writes(a.Node)
}

func (f *file) writes(n *yaml.Node) {
	item := krm.NewItem(n)
	switch {
	case item.Kind != "Secret":
		f.order = min(f.order, writeOthers)
		return
	case strings.HasSuffix(item.Name, instance.PasswordSecretName("")):
		f.order = writePasswords
	default:
		f.order = min(f.order, writeSecrets)
	}
	f.hasPassword = f.hasPassword || holdsPassword(n)
}

// hadPassword reports whether the file contained a password before. Its permissions are somebody's choice then.
func (f *file) hadPassword() bool {
	return f.source != nil && slices.ContainsFunc(f.source.documents, func(d krm.Document) bool {
		return d.Node != nil && len(d.Node.Content) > 0 && holdsPassword(d.Node.Content[0])
	})
}

func holdsPassword(n *yaml.Node) bool { return isSecret(n) && instance.HasPassword(n) }

// change puts the new text together. What is not ours stays in it to the byte.
func (f *file) change() (change, error) {
	c := change{file: f.name, order: f.order, perm: 0o644}
	if f.hasPassword && !f.hadPassword() {
		c.perm = 0o600
	}
	holds := false // something
	var documents []krm.Document
	if f.source != nil {
		documents = f.source.documents
		c.before = []byte{}
	}
	for i, document := range documents {
		c.before = append(c.before, document.Text...)
		r, replaced := f.replaced[i]
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

// encode writes a document in the language of the file.
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
