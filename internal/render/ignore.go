package render

import (
	"errors"
	"io/fs"
	"path"
	"path/filepath"

	gitignore "github.com/monochromegane/go-gitignore"
)

// ignoreFiles are the .krmignore files of a folder, with kpt's rules: there is one in the folder itself and one in each
// package below it, which is a folder with a Kptfile. Each applies to its own package.
type ignoreFiles struct {
	folder    fs.FS
	byPackage map[string]gitignore.IgnoreMatcher
}

// enter must be called for each folder before its contents are matched.
func (i *ignoreFiles) enter(name string) error {
	if name != "." && !i.has(name, "Kptfile") {
		return nil
	}
	i.byPackage[name] = gitignore.DummyIgnoreMatcher(false)
	file, err := i.folder.Open(path.Join(name, ".krmignore"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	defer file.Close()
	i.byPackage[name] = gitignore.NewGitIgnoreFromReader(filepath.FromSlash(name), file)
	return nil
}

// matches reports whether the file or folder, or a folder that it is in, is ignored.
func (i *ignoreFiles) matches(name string, isFolder bool) bool {
	for at := path.Dir(name); ; at = path.Dir(at) {
		if matcher, found := i.byPackage[at]; found {
			return matcher.Match(filepath.FromSlash(name), isFolder) || path.Dir(name) != at && i.matches(path.Dir(name), true)
		}
		if at == "." {
			return false
		}
	}
}

func (i *ignoreFiles) has(folder, file string) bool {
	_, err := fs.Stat(i.folder, path.Join(folder, file))
	return err == nil
}
