package testkit

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/internal/yamlnode"
)

// The sections of a case, in order.
const (
	input  = "input.yaml"
	output = "output.yaml"
	stderr = "stderr.txt"
)

// Case is one golden case: a file in testdata/golden, in the folder of its family.
//
// A file is a txtar archive. Its first line is one sentence that says what is expected and why. The second may be
// `shows: Kind, Kind.path.to.a.field` or `shows: all`; it is required if a case with items succeeds without a warning,
// because otherwise only the messages would be compared. Then come
//
//	-- input.yaml --   what the program reads on stdin
//	-- output.yaml --  what it writes to stdout, with only the items that the case shows; nothing without this section
//	-- stderr.txt --   what it writes to stderr, with the exit code in the last line unless it is 0
//
// Such a file cannot contain every input: a section cannot contain a line that looks like a marker, must end
// with a line break, and must be UTF-8 with Unix line breaks. Go tests cover other inputs (TestHostileForms,
// TestWindowsLineBreaks).
type Case struct {
	Family, Name string
	Reason       string   // a sentence
	Shows        []string // kinds, fields of kinds, or "all"
	Input        []byte
	Output       string
	Stderr       string // with the exit code in the last line unless it is 0

	file string
}

// Cases returns every case, ordered by family and name.
func Cases(t testing.TB) []Case {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(Root(t), "testdata", "golden", "*", "*.txtar"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	slices.Sort(files)
	var cases []Case
	for _, file := range files {
		c, err := read(file)
		require.NoError(t, err)
		cases = append(cases, c)
	}
	return cases
}

// Find returns one case by family and name, such as "claim/size-small".
func Find(t testing.TB, name string) Case {
	t.Helper()
	c, err := read(filepath.Join(Root(t), "testdata", "golden", filepath.FromSlash(name)+".txtar"))
	require.NoError(t, err)
	return c
}

// Root returns the folder of the repository, above the package that is tested.
func Root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	require.NoError(t, err)
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		require.NotEqual(t, dir, parent, "no go.mod above the tested package")
		dir = parent
	}
}

func read(file string) (Case, error) {
	text, err := os.ReadFile(file) //nolint:gosec // one of our cases
	if err != nil {
		return Case{}, err
	}
	c := Case{
		Family: filepath.Base(filepath.Dir(file)), Name: strings.TrimSuffix(filepath.Base(file), ".txtar"), file: file,
	}
	if !utf8.Valid(text) || bytes.ContainsRune(text, '\r') {
		return Case{}, fmt.Errorf("%s: must be UTF-8 with Unix line breaks; write a Go test for any other input", file)
	}
	archive := txtar.Parse(text)
	c.Reason = strings.TrimSpace(string(archive.Comment))
	if reason, shows, found := strings.Cut(c.Reason, "\nshows: "); found {
		c.Reason, c.Shows = reason, strings.Split(shows, ", ")
	}
	if strings.Contains(c.Reason, "\n") || !strings.HasSuffix(c.Reason, ".") {
		return Case{}, fmt.Errorf("%s: must begin with a line that is a sentence about what is expected and why", file)
	}
	last := -1
	for _, section := range archive.Files {
		at := slices.Index([]string{input, output, stderr}, section.Name)
		if at <= last || last < 0 && at != 0 {
			return Case{}, fmt.Errorf("%s: has an unexpected section %q; the sections, in order, are %s, %s, %s", file, section.Name, input, output, stderr)
		}
		last = at
		switch section.Name {
		case input:
			c.Input = section.Data
		case output:
			c.Output = string(section.Data)
		case stderr:
			c.Stderr = string(section.Data)
		}
	}
	if last < 0 {
		return Case{}, fmt.Errorf("%s: has no section %s", file, input)
	}
	if c.Output != "" && c.Stderr == "" && c.Shows == nil && hasItems(c.Input) {
		return Case{}, fmt.Errorf("%s: succeeds without a warning and shows no object, so it compares next to nothing; add a line `shows: ` with the objects that its reason is about", file)
	}
	return c, nil
}

func hasItems(list []byte) bool {
	parsed, err := yaml.Parse(string(list))
	if err != nil {
		return false
	}
	items := yamlnode.Get(parsed.YNode(), "items")
	return items != nil && len(items.Content) > 0
}

// View returns the part of the program's stdout that a case shows: the items of the kinds that it shows and, of an item
// that it shows in part (`StatefulSet.spec.template.metadata`), those fields and its identity.
func (c Case) View(t testing.TB, stdout string) string {
	t.Helper()
	if stdout == "" || slices.Contains(c.Shows, "all") {
		return stdout
	}
	list, err := yaml.Parse(stdout)
	require.NoError(t, err)
	root := list.YNode()
	yamlnode.Set(root, "functionConfig", nil) // which is returned unchanged
	for i := 0; i+1 < len(root.Content); i += 2 {
		if root.Content[i].Value != "items" {
			continue
		}
		items := root.Content[i+1]
		var shown []*yaml.Node
		for _, item := range items.Content {
			if part := c.part(item); part != nil {
				shown = append(shown, part)
			}
		}
		if items.Content = shown; len(shown) == 0 {
			root.Content = slices.Delete(root.Content, i, i+2)
		}
		break
	}
	var text strings.Builder
	require.NoError(t, yaml.NewEncoder(&text).Encode(root))
	return text.String()
}

// part returns the part of an item that a case shows, or nil.
func (c Case) part(item *yaml.Node) *yaml.Node {
	kind := yamlnode.Text(item, "kind")
	if slices.Contains(c.Shows, kind) {
		return item
	}
	var part *yaml.Node
	for _, shown := range c.Shows {
		of, path, found := strings.Cut(shown, ".")
		if !found || of != kind {
			continue
		}
		if part == nil {
			part = &yaml.Node{Kind: yaml.MappingNode}
			for _, field := range []string{"kind", "metadata.name"} {
				copyField(part, item, field)
			}
		}
		copyField(part, item, path)
	}
	return part
}

// copyField copies the field at path, if it exists. If the path leads through a list, it copies that field of each
// element, and the element's name.
func copyField(into, from *yaml.Node, path string) {
	field, below, found := strings.Cut(path, ".")
	value := yamlnode.Get(from, field)
	switch {
	case value == nil:
	case !found:
		yamlnode.Set(into, field, value)
	case value.Kind == yaml.SequenceNode:
		list := yamlnode.Get(into, field)
		if list == nil {
			list = &yaml.Node{Kind: yaml.SequenceNode}
			for _, element := range value.Content {
				part := &yaml.Node{Kind: yaml.MappingNode}
				copyField(part, element, "name")
				list.Content = append(list.Content, part)
			}
			yamlnode.Set(into, field, list)
		}
		for i, element := range value.Content {
			copyField(list.Content[i], element, below)
		}
	default:
		if yamlnode.Get(into, field) == nil {
			yamlnode.Set(into, field, &yaml.Node{Kind: yaml.MappingNode})
		}
		copyField(yamlnode.Get(into, field), value, below)
	}
}

// Update rewrites the expected output of the case and leaves the rest of its file unchanged.
func (c Case) Update(newOutput, newStderr string) error {
	text, err := os.ReadFile(c.file)
	if err != nil {
		return err
	}
	archive := txtar.Parse(text)
	archive.Files = slices.DeleteFunc(archive.Files, func(f txtar.File) bool { return f.Name == output || f.Name == stderr })
	for name, text := range map[string]string{output: newOutput, stderr: newStderr} {
		if text != "" {
			archive.Files = append(archive.Files, txtar.File{Name: name, Data: []byte(text)})
		}
	}
	slices.SortStableFunc(archive.Files, func(a, b txtar.File) int { return strings.Compare(order[a.Name], order[b.Name]) })
	if err := os.WriteFile(c.file, txtar.Format(archive), 0o644); err != nil { //nolint:gosec // like the other files of the checkout
		return err
	}
	written, err := read(c.file)
	if err == nil && (written.Output != newOutput || written.Stderr != newStderr) {
		err = fmt.Errorf("%s: cannot contain what the program prints; write a Go test instead", c.file)
	}
	return err
}

var order = map[string]string{input: "1", output: "2", stderr: "3"}
