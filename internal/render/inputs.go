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

	gitignore "github.com/monochromegane/go-gitignore"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/atomicfile"
	"github.com/bizmatters/dragonfly-generator/internal/krm"
	"github.com/bizmatters/dragonfly-generator/internal/report"
)

// inputs is what was read.
type inputs struct {
	sources []*source
	config  *krm.Item
	stdin   bool // stdin was read

	temporaries []string // in the output folder, left by a killed run
	folders     []string // in the output folder
}

// source is a file, or stdin.
type source struct {
	name      string    // as the user would write it
	inFolder  string    // its path in the output folder, with slashes; "" if it is not in there
	named     bool      // on the command line, rather than found in a folder
	stdin     io.Reader // nil for a file
	documents []document
}

// document is a document with the resource that it holds, which is nil if it holds none.
type document struct {
	krm.Document
	item *krm.Item
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
	for _, d := range s.documents {
		if d.item != nil {
			items = append(items, d.item)
		}
	}
	return items
}

// reader finds and reads the inputs. It reports every problem and continues.
type reader struct {
	inputs
	results *report.Results
	folder  fs.FileInfo // the output folder; nil if there is none
	byPath  map[string]*source

	hasConfig      bool // --config was given
	kustomizations []kustomization
}

// readInputs reads the paths, each file once, and the present contents of the output folder.
func readInputs(o Options, stdin io.Reader, results *report.Results) *inputs {
	r := &reader{results: results, byPath: map[string]*source{}}
	if o.Folder != "" {
		r.folder, _ = os.Stat(o.Folder) // with --check it need not exist
	}
	if o.Config != "" {
		r.hasConfig, r.byPath[realPath(o.Config)] = true, nil // not an input, wherever it is
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
		r.findItems(source, r.read(source))
	}
	for _, k := range r.kustomizations { // now that the configuration has been found
		r.notApplied(k)
	}
	return &r.inputs
}

func isMissing(path string) bool {
	_, err := os.Stat(path)
	return path != "-" && errors.Is(err, fs.ErrNotExist)
}

// path finds the files that a path on the command line refers to.
func (r *reader) path(path string, stdin io.Reader) {
	if path == "-" {
		if !r.stdin {
			r.stdin = true
			r.sources = append(r.sources, &source{name: "stdin", named: true, stdin: stdin})
		}
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

// walk finds the files in a folder. It skips hidden files and folders, and does not follow links to folders, which may lead
// in circles. The output folder is walked separately.
func (r *reader) walk(folder string, isOutputFolder bool) {
	w := walker{reader: r, folder: folder, isOutputFolder: isOutputFolder, ignored: ignoreFiles{os.DirFS(folder), map[string]gitignore.IgnoreMatcher{}}}
	if err := fs.WalkDir(w.ignored.folder, ".", w.visit); err != nil {
		r.results.Errorf(nil, "%s cannot be read: %s", folder, report.Reason(err))
	}
}

// walker is a walk through one folder.
type walker struct {
	*reader
	folder         string
	isOutputFolder bool
	ignored        ignoreFiles
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
	case !w.isOutputFolder && w.isOutput(entry):
		return fs.SkipDir
	case name == "." && w.isOutputFolder:
	case w.ignored.has(name, "Chart.yaml"):
		w.results.Warnf(nil, "%s contains a Helm chart, whose templates are not YAML, so it is not read; render it (`helm template`) and read the result", w.shown(name))
		return fs.SkipDir
	case name == ".":
	case strings.HasPrefix(path.Base(name), "."):
		return fs.SkipDir
	case w.isOutputFolder:
		w.folders = append(w.folders, name)
	case w.ignored.matches(name, true):
		return fs.SkipDir
	}
	return nil
}

func (w *walker) visitFile(name string, entry fs.DirEntry) {
	switch isResource := isKustomizationFile(entry.Name()) || slices.Contains([]string{".yaml", ".yml", ".json"}, path.Ext(name)); {
	case w.isOutputFolder && atomicfile.IsTemporary(entry.Name()):
		w.temporaries = append(w.temporaries, name)
		return
	case !isResource, strings.HasPrefix(entry.Name(), "."):
		return
	case w.ignored.matches(name, false) && (!w.isOutputFolder || !hasMark(w.shown(name))):
		return
	}
	if info, err := os.Stat(w.shown(name)); err == nil && !info.Mode().IsRegular() {
		return
	}
	inFolder := ""
	if w.isOutputFolder {
		inFolder = name
	}
	w.file(w.shown(name), inFolder, false)
}

func (r *reader) isOutput(entry fs.DirEntry) bool {
	if r.folder == nil {
		return false
	}
	info, err := entry.Info()
	return err == nil && os.SameFile(info, r.folder)
}

// file adds a file, but only once, however often it is reached.
func (r *reader) file(name, inFolder string, named bool) {
	key := realPath(name)
	found, seen := r.byPath[key]
	if !seen {
		found = &source{name: name}
		r.byPath[key] = found
		r.sources = append(r.sources, found)
	}
	if found != nil { // otherwise, it is the configuration
		found.named = found.named || named
		if inFolder != "" {
			found.inFolder = inFolder
		}
	}
}

// realPath identifies a file by its real path, or by its name if it has none, such as a shell's pipe.
func realPath(name string) string {
	if real, err := filepath.EvalSymlinks(name); err == nil {
		name = real
	}
	if absolute, err := filepath.Abs(name); err == nil {
		return absolute
	}
	return name
}

// hasMark reports whether a file contains an object of ours. Such a file in the output folder is read even if .krmignore
// lists it; otherwise, it would be written again.
func hasMark(file string) bool {
	text, err := os.ReadFile(file) //nolint:gosec // found in the folder
	return err == nil && bytes.Contains(text, []byte(v1alpha1.GeneratedFrom))
}

// read returns the documents of a source, or nil after reporting a problem.
func (r *reader) read(s *source) []krm.Document {
	var text []byte
	var err error
	if s.stdin != nil {
		text, err = io.ReadAll(s.stdin)
	} else {
		text, err = os.ReadFile(s.name)
	}
	if err != nil {
		r.results.Errorf(nil, "%s cannot be read: %s", s.name, report.Reason(err))
		return nil
	}
	// A failed command writes nothing into its pipe. That must not look as if all claims were gone.
	if s.stdin != nil && len(bytes.TrimSpace(text)) == 0 {
		r.results.Errorf(nil, "stdin is empty; check the command before the pipe, or remove -")
	}
	documents, err := krm.Documents(s.name, text)
	if err != nil {
		isSettings := !s.named && filepath.Ext(s.name) == ".json" && !mayBeResource(text) // of some tool, in JSON with comments
		if !isSettings {
			r.results.Errorf(nil, "%s", err)
		}
		return nil
	}
	return documents
}

// mayBeResource reports whether an unreadable text could be meant as a resource, such as a claim.
func mayBeResource(text []byte) bool {
	text = bytes.ReplaceAll(text, []byte{0}, nil) // UTF-16
	return bytes.Contains(text, []byte("apiVersion")) || bytes.Contains(bytes.ToLower(text), []byte("dragonfly"))
}
