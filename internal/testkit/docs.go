package testkit

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Page is the text of a docs page, or part of one. Tests find blocks by heading and language, so the sentences around
// them can change.
type Page string

// ReadPage returns a page, by its path in the repository.
func ReadPage(t testing.TB, name string) Page {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(Root(t), name)) //nolint:gosec // one of our pages
	require.NoError(t, err)
	return Page(text)
}

// Replace returns the page with a text replaced, including in its blocks.
func (p Page) Replace(old, now string) Page { return Page(strings.ReplaceAll(string(p), old, now)) }

var (
	heading = regexp.MustCompile(`^(#+) (.*)$`)
	fence   = regexp.MustCompile("^( *)```(.*)$")
)

// Section returns the text under a heading, including its subsections.
func (p Page) Section(t testing.TB, title string) Page {
	t.Helper()
	var section strings.Builder
	level, inBlock := 0, false
	for line := range strings.Lines(string(p)) {
		inBlock = inBlock != fence.MatchString(strings.TrimSuffix(line, "\n"))
		if match := heading.FindStringSubmatch(strings.TrimSpace(line)); match != nil && !inBlock {
			switch {
			case level == 0 && match[2] == title:
				level = len(match[1])
				continue
			case level > 0 && len(match[1]) <= level:
				return Page(section.String())
			}
		}
		if level > 0 {
			section.WriteString(line)
		}
	}
	require.Positive(t, level, "the page has no heading %q", title)
	return Page(section.String())
}

// Blocks returns the code blocks of the languages, or all if none is given, in order, without the indentation of
// surrounding lists.
func (p Page) Blocks(languages ...string) []string {
	var blocks []string
	var block strings.Builder
	inBlock, indent, of := false, "", ""
	for line := range strings.Lines(string(p)) {
		match := fence.FindStringSubmatch(strings.TrimSuffix(line, "\n"))
		switch {
		case match != nil && !inBlock:
			inBlock, indent, of = true, match[1], match[2]
			block.Reset()
		case match != nil:
			if inBlock = false; len(languages) == 0 || slices.Contains(languages, of) {
				blocks = append(blocks, block.String())
			}
		case inBlock:
			block.WriteString(strings.TrimPrefix(line, indent))
		}
	}
	return blocks
}

// Commands returns the commands in each console block. Such a block must contain nothing else.
func (p Page) Commands(t testing.TB) []string {
	t.Helper()
	blocks := p.Blocks("console")
	for i, block := range blocks {
		var commands strings.Builder
		for line := range strings.Lines(block) {
			command, found := strings.CutPrefix(line, "$ ")
			require.True(t, found, "%q is not a command", line)
			commands.WriteString(command)
		}
		blocks[i] = commands.String()
	}
	return blocks
}

// Files returns the YAML blocks whose first line names a file, such as `# claim.yaml`, in order.
func (p Page) Files() []File {
	var files []File
	for _, block := range p.Blocks("yaml") {
		first, _, _ := strings.Cut(block, "\n")
		if name, found := strings.CutPrefix(first, "# "); found && !strings.Contains(name, " ") {
			files = append(files, File{Name: name, Text: block})
		}
	}
	return files
}

// WriteFiles writes the files into a folder.
func (p Page) WriteFiles(t testing.TB, folder string) {
	t.Helper()
	for _, file := range p.Files() {
		file.Write(t, folder)
	}
}

// File is a file that a page shows.
type File struct{ Name, Text string }

// Write writes the file into a folder, and replaces any file with that name.
func (f File) Write(t testing.TB, folder string) {
	t.Helper()
	path := filepath.Join(folder, f.Name)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o750))
	require.NoError(t, os.WriteFile(path, []byte(f.Text), 0o600))
}
