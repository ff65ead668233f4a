package render

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/bizmatters/dragonfly-generator/internal/atomicfile"
	"github.com/bizmatters/dragonfly-generator/internal/report"
)

// folder is the output folder.
type folder struct {
	name  string
	root  *os.Root // nil if --check finds no folder
	isNew bool     // did not exist before
}

// openFolder opens the folder. If it does not exist, it is created, except with --check.
func openFolder(o Options) (*folder, error) {
	f := &folder{name: o.Folder}
	if _, err := os.Stat(o.Folder); errors.Is(err, fs.ErrNotExist) {
		if o.Check {
			return f, nil
		}
		if err := os.MkdirAll(o.Folder, 0o755); err != nil { //nolint:gosec // for manifests
			return nil, fmt.Errorf("%s cannot be created: %w", o.Folder, report.Reason(err))
		}
		f.isNew = true
	}
	root, err := os.OpenRoot(o.Folder)
	if err != nil {
		return nil, fmt.Errorf("%s cannot be opened: %w", o.Folder, report.Reason(err))
	}
	f.root = root
	return f, nil
}

// close closes the folder, and removes it if it is new and still empty.
func (f *folder) close() {
	if f.isNew {
		_ = os.Remove(f.name) // fails if the folder is not empty
	}
	if f.root != nil {
		_ = f.root.Close()
	}
}

// refuseLinks reports symbolic links on the path of a file to be changed, because the file written would not be the one that
// was read, and anything else that blocks the path.
func (f *folder) refuseLinks(changes []change, results *report.Results) {
	if f.root == nil {
		return
	}
	reported := map[string]bool{}
	for _, c := range changes {
		at := ""
		for _, element := range strings.Split(c.file, "/") {
			at = path.Join(at, element)
			info, err := f.root.Lstat(at)
			if err != nil {
				break // does not exist yet
			}
			var problem string
			switch isFile := at == c.file; {
			case info.Mode()&fs.ModeSymlink != 0:
				problem = "is a symbolic link, and this command does not write through links; replace it with what it points to"
			case isFile && !info.Mode().IsRegular(), !isFile && !info.IsDir():
				problem = "blocks a file that must be written; move it elsewhere"
			default:
				continue
			}
			if !reported[at] {
				reported[at] = true
				results.Errorf(nil, "%s %s", f.path(at), problem)
			}
			break
		}
	}
}

// apply removes the temporary files that killed runs left behind, makes the changes in order, and then removes empty folders
// of instances.
func (f *folder) apply(in *inputs, changes []change, results *report.Results) {
	for _, name := range in.temporaries {
		if err := f.root.Remove(name); err != nil {
			f.failed(name, "removed", err, results)
			return
		}
	}
	for _, c := range changes {
		if err := f.make(c); err != nil {
			what := "written"
			if c.after == nil {
				what = "removed"
			}
			f.failed(c.file, what, err, results)
			return
		}
	}
	for _, name := range in.folders {
		if !isInstanceFolder(path.Base(name)) {
			continue
		}
		if entries, err := fs.ReadDir(f.root.FS(), name); err == nil && len(entries) == 0 {
			if err := f.root.Remove(name); err != nil {
				f.failed(name, "removed", err, results)
			}
		}
	}
}

// make makes one change, unless the file has changed since it was read.
func (f *folder) make(c change) error {
	switch text, err := f.root.ReadFile(c.file); {
	case errors.Is(err, fs.ErrNotExist) && c.before == nil:
	case err != nil:
		return err
	case c.before == nil || !bytes.Equal(text, c.before):
		return errors.New("it has changed since it was read")
	}
	if c.after == nil {
		return atomicfile.Remove(f.root, c.file)
	}
	if err := atomicfile.MakeFolder(f.root, path.Dir(c.file)); err != nil {
		return err
	}
	return atomicfile.Replace(f.root, c.file, 0o644, bytes.NewReader(c.after))
}

// isInstanceFolder reports whether a folder has a name that an instance's folder would have.
func isInstanceFolder(name string) bool {
	instance, namespace, found := strings.Cut(name, ".")
	return found && len(validation.IsDNS1035Label(instance)) == 0 && len(validation.IsDNS1123Label(namespace)) == 0
}

func (f *folder) failed(name, what string, err error, results *report.Results) {
	results.Errorf(nil, "%s cannot be %s: %s; no file is half-written; fix this and run again", f.path(name), what, report.Reason(err))
}

// path returns the path of a file as the user would write it.
func (f *folder) path(name string) string { return filepath.Join(f.name, filepath.FromSlash(name)) }
