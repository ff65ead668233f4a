// Package golden reads and rewrites the golden cases in testdata/golden: one file per case, in a folder per
// family.
//
// A file is a txtar archive. Its comment is one sentence that says what is expected and why. Then come
//
//	-- input.yaml --   what the program reads on stdin
//	-- env --          the variables that it sees, one a line; without the section, none
//	-- output.yaml --  what it writes to stdout; without the section, nothing
//	-- stderr.txt --   what it writes to stderr, with the exit code in the last line unless that is 0
//
// Such a file cannot contain every input: a section cannot contain a line that looks like a marker, must end
// with a line break, and must be UTF-8 with Unix line breaks. Go tests cover other inputs (TestHostileForms,
// TestWindowsLineBreaks).
package golden

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
)

// The sections of a case, in their order.
const (
	input  = "input.yaml"
	env    = "env"
	output = "output.yaml"
	stderr = "stderr.txt"
)

// Case is one golden case.
type Case struct {
	Family, Name string
	Reason       string // a sentence
	Input        []byte
	Env          []string // KEY=value
	Output       string
	Stderr       string // with the exit code in the last line unless that is 0

	file string
}

// Cases returns every case, in the order of families and names.
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

// Find returns one case, by its family and name: "claim/size-small".
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
	text, err := os.ReadFile(file) //nolint:gosec // a case of ours
	if err != nil {
		return Case{}, err
	}
	c := Case{
		Family: filepath.Base(filepath.Dir(file)), Name: strings.TrimSuffix(filepath.Base(file), ".txtar"), file: file,
	}
	if !utf8.Valid(text) || bytes.ContainsRune(text, '\r') {
		return Case{}, fmt.Errorf("%s: must be UTF-8 with plain line breaks; make a Go test of any other input", file)
	}
	archive := txtar.Parse(text)
	c.Reason = strings.TrimSpace(string(archive.Comment))
	if strings.Contains(c.Reason, "\n") || !strings.HasSuffix(c.Reason, ".") {
		return Case{}, fmt.Errorf("%s: must begin with one line, a sentence that says what is expected and why", file)
	}
	last := -1
	for _, section := range archive.Files {
		at := slices.Index([]string{input, env, output, stderr}, section.Name)
		if at <= last || last < 0 && at != 0 {
			return Case{}, fmt.Errorf("%s: has the section %q out of place; the sections are %s, %s, %s, %s", file, section.Name, input, env, output, stderr)
		}
		last = at
		switch section.Name {
		case input:
			c.Input = section.Data
		case env:
			c.Env = strings.Split(strings.TrimSuffix(string(section.Data), "\n"), "\n")
		case output:
			c.Output = string(section.Data)
		case stderr:
			c.Stderr = string(section.Data)
		}
	}
	if last < 0 {
		return Case{}, fmt.Errorf("%s: has no section %s", file, input)
	}
	return c, nil
}

// Update rewrites what the case expects and leaves the rest of its file as it is.
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
		err = fmt.Errorf("%s: cannot hold what the program prints; make a Go test of it", c.file)
	}
	return err
}

var order = map[string]string{input: "1", env: "2", output: "3", stderr: "4"}
