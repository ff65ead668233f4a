package render

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/atomicfile"
	"github.com/bizmatters/dragonfly-generator/internal/instance"
	"github.com/bizmatters/dragonfly-generator/internal/krm"
	"github.com/bizmatters/dragonfly-generator/internal/report"
)

// inputs is what was read.
type inputs struct {
	sources []*source
	config  *krm.Item
	stdin   bool // something was read from there

	configs []*krm.Item // that were found; config is one of them unless a file was named

	temporaries []string // in the folder, left by a killed run
	folders     []string // in the folder, its own
}

// source is a file, or stdin.
type source struct {
	name      string // as people know it
	inFolder  string // its path in the folder that is kept, with slashes; "" where it is not in there
	named     bool   // on the command line, and not found in a folder
	documents []krm.Document
	items     []*krm.Item // of the documents; nil where one is no resource
}

// items returns the resources, in their order.
func (in *inputs) items() []*krm.Item {
	var items []*krm.Item
	for _, source := range in.sources {
		items = append(items, source.resources()...)
	}
	return items
}

func (s *source) resources() []*krm.Item {
	var items []*krm.Item
	for _, item := range s.items {
		if item != nil {
			items = append(items, item)
		}
	}
	return items
}

func (in *inputs) haveClaims() bool {
	return slices.ContainsFunc(in.items(), instance.IsClaim)
}

// reader finds and reads the inputs. It reports every problem and goes on.
type reader struct {
	inputs
	results *report.Results
	folder  fs.FileInfo // the folder that is kept; nil where there is none
	byPath  map[string]*source
}

// readInputs reads what the paths name, each file once, and what the folder that is kept has already.
func readInputs(o Options, stdin io.Reader, results *report.Results) *inputs {
	r := &reader{results: results, byPath: map[string]*source{}}
	if o.Folder != "" {
		r.folder, _ = os.Stat(o.Folder) // with --check it need not be there
	}
	if o.Config != "" {
		r.byPath[realPath(o.Config)] = nil // is no input, wherever it lies
		r.config = r.readConfig(o.Config)
	}
	for i, path := range o.Paths {
		if i > 0 && i == len(o.Paths)-1 && o.Folder == "" && isMissing(path) {
			results.Errorf(nil, "%s does not exist; to write the manifests into it, use -o %s", path, path)
			continue
		}
		r.path(path, stdin)
	}
	if r.folder != nil {
		r.walk(o.Folder, true)
	}
	for _, source := range r.sources {
		if source.documents == nil {
			r.readFile(source)
		}
		r.findItems(source)
	}
	if o.Config == "" {
		r.chooseConfig()
	}
	return &r.inputs
}

func isMissing(path string) bool {
	_, err := os.Stat(path)
	return path != "-" && errors.Is(err, fs.ErrNotExist)
}

// path finds the files that a path on the command line means.
func (r *reader) path(path string, stdin io.Reader) {
	if path == "-" {
		r.readStdin(stdin)
		return
	}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		r.results.Errorf(nil, "%s cannot be read: %s", path, report.Reason(err))
	case info.IsDir():
		r.walk(path, false)
	default:
		r.file(path, "", true)
	}
}

// walk finds the files in a folder. Hidden files and folders are none of ours, and links to folders are not
// followed, they may lead in circles. The folder that is kept is walked for itself.
func (r *reader) walk(folder string, kept bool) {
	if info, err := os.Stat(folder); !kept && err == nil && r.folder != nil && os.SameFile(info, r.folder) {
		return
	}
	w := walker{reader: r, folder: folder, kept: kept, ignored: ignoreFiles{folder: os.DirFS(folder)}}
	if err := fs.WalkDir(w.ignored.folder, ".", w.visit); err != nil {
		r.results.Errorf(nil, "%s cannot be read: %s", folder, report.Reason(err))
	}
}

// walker is a walk through one folder.
type walker struct {
	*reader
	folder  string
	kept    bool
	ignored ignoreFiles
}

func (w *walker) visit(name string, entry fs.DirEntry, err error) error {
	if err == nil && entry.IsDir() {
		err = w.ignored.enter(name)
	}
	switch {
	case err != nil:
		w.results.Errorf(nil, "%s cannot be read: %s", w.shown(name), report.Reason(err))
		return nil
	case entry.IsDir():
		return w.visitFolder(name, entry)
	}
	w.visitFile(name, entry)
	return nil
}

func (w *walker) shown(name string) string { return filepath.Join(w.folder, filepath.FromSlash(name)) }

func (w *walker) visitFolder(name string, entry fs.DirEntry) error {
	switch {
	case name == "." && w.kept:
	case w.ignored.holdsChart(name):
		w.results.Warnf(nil, "%s contains a Helm chart, whose templates are not YAML, so it is not read; render it (`helm template`) and read the result", w.shown(name))
		return fs.SkipDir
	case name == ".":
	case strings.HasPrefix(path.Base(name), "."):
		return fs.SkipDir
	case w.kept:
		w.folders = append(w.folders, name)
	case w.isKept(entry), w.ignored.matches(name, true):
		return fs.SkipDir
	}
	return nil
}

func (w *walker) visitFile(name string, entry fs.DirEntry) {
	switch isResource := isKustomizationFile(entry.Name()) || slices.Contains([]string{".yaml", ".yml", ".json"}, path.Ext(name)); {
	case w.kept && atomicfile.IsTemporary(entry.Name()):
		w.temporaries = append(w.temporaries, name)
		return
	case !isResource, strings.HasPrefix(entry.Name(), "."):
		return
	case w.ignored.matches(name, false) && (!w.kept || !hasMark(w.shown(name))):
		return
	}
	if info, err := os.Stat(w.shown(name)); err == nil && !info.Mode().IsRegular() {
		return
	}
	inFolder := ""
	if w.kept {
		inFolder = name
	}
	w.file(w.shown(name), inFolder, false)
}

func (r *reader) isKept(entry fs.DirEntry) bool {
	if r.folder == nil {
		return false
	}
	info, err := entry.Info()
	return err == nil && os.SameFile(info, r.folder)
}

// file adds a file, once, by whatever ways it is reached.
func (r *reader) file(name, inFolder string, named bool) {
	key := realPath(name)
	found, seen := r.byPath[key]
	if !seen {
		found = &source{name: name}
		r.byPath[key] = found
		r.sources = append(r.sources, found)
	}
	if found != nil { // it is the configuration otherwise
		found.named = found.named || named
		if inFolder != "" {
			found.inFolder = inFolder
		}
	}
}

// realPath identifies a file. A file without a real path, such as a pipe of the shell, is identified by its
// name.
func realPath(name string) string {
	if real, err := filepath.EvalSymlinks(name); err == nil {
		name = real
	}
	if absolute, err := filepath.Abs(name); err == nil {
		return absolute
	}
	return name
}

func (r *reader) readStdin(stdin io.Reader) {
	if r.stdin {
		return
	}
	r.stdin = true
	text, err := io.ReadAll(stdin)
	if err != nil {
		r.results.Errorf(nil, "stdin cannot be read: %s", report.Reason(err))
		return
	}
	s := &source{name: "stdin", named: true, documents: []krm.Document{}}
	r.sources = append(r.sources, s)
	r.parse(s, text)
	// A command that fails writes nothing into its pipe: that must not look as if all its claims were gone.
	if len(bytes.TrimSpace(text)) == 0 {
		r.results.Errorf(nil, "stdin is empty; check the command before the pipe, or remove -")
	}
}

// hasMark reports whether a file contains an object of ours. In the folder that is kept it is read although .krmignore
// lists it, as it would be written again otherwise.
func hasMark(file string) bool {
	text, err := os.ReadFile(file) //nolint:gosec // found in the folder
	return err == nil && bytes.Contains(text, []byte(v1alpha1.GeneratedFrom))
}

// readFile returns false after reporting a problem.
func (r *reader) readFile(s *source) bool {
	text, err := os.ReadFile(s.name)
	if err != nil {
		r.results.Errorf(nil, "%s cannot be read: %s", s.name, report.Reason(err))
		return false
	}
	return r.parse(s, text)
}

// parse returns false after reporting a problem.
func (r *reader) parse(s *source, text []byte) bool {
	documents, err := krm.Documents(s.name, text)
	switch {
	case err == nil:
		s.documents = documents
	case !s.named && filepath.Ext(s.name) == ".json" && !mayBeResource(text):
		// Settings of some tool, in JSON with comments.
	default:
		r.results.Errorf(nil, "%s", err)
		return false
	}
	return true
}

// mayBeResource reports whether a text that cannot be read could be meant as a resource: as a claim, say.
func mayBeResource(text []byte) bool {
	return bytes.Contains(text, []byte("apiVersion")) || bytes.Contains(bytes.ToLower(text), []byte("dragonfly"))
}
