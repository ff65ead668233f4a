// Package atomicfile replaces files whole or not at all.
//
// A new content goes into a temporary file in the same folder, is brought to the disk, and takes the
// place of the old one in a single step. A process that is killed at any moment leaves the old file or the
// new one, and at worst a temporary file, which IsTemporary recognises. What a function here has done has
// reached the disk when it returns.
//
// All names are relative to an os.Root, so no symbolic link leads out of it.
package atomicfile

import (
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
)

// Temporary files are hidden, and have no name that kubectl, kustomize or we would read.
const (
	temporaryPrefix = ".dragonfly-generator-"
	temporarySuffix = ".tmp"
)

// IsTemporary says whether a file of that name is one that a killed process has left.
func IsTemporary(name string) bool {
	return strings.HasPrefix(name, temporaryPrefix) && strings.HasSuffix(name, temporarySuffix)
}

// Replace gives the file the content of in. A new file gets those permissions, less the umask; one that is
// there keeps its own.
func Replace(root *os.Root, name string, perm fs.FileMode, in io.Reader) error {
	temporary := path.Join(path.Dir(name), temporaryPrefix+rand.Text()+temporarySuffix)
	if err := write(root, temporary, name, perm, in); err != nil {
		_ = root.Remove(temporary) // the error that counts is the first
		return err
	}
	if err := root.Rename(temporary, name); err != nil {
		_ = root.Remove(temporary)
		return err
	}
	return Sync(root, path.Dir(name))
}

// write writes the temporary file that is to replace name.
func write(root *os.Root, temporary, name string, perm fs.FileMode, in io.Reader) (err error) {
	file, err := root.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if old, err := root.Stat(name); err == nil {
		if err := file.Chmod(old.Mode().Perm()); err != nil {
			return err
		}
	}
	if _, err := io.Copy(file, in); err != nil {
		return err
	}
	return file.Sync()
}

// Remove removes the file.
func Remove(root *os.Root, name string) error {
	if err := root.Remove(name); err != nil {
		return err
	}
	return Sync(root, path.Dir(name))
}

// MakeFolder makes the folder where it is not there yet. The one above it has to be there.
func MakeFolder(root *os.Root, name string) error {
	if info, err := root.Stat(name); err == nil && info.IsDir() {
		return nil
	}
	if err := root.Mkdir(name, 0o755); err != nil {
		return err
	}
	return Sync(root, path.Dir(name))
}

// Sync brings to the disk which files the folder has.
func Sync(root *os.Root, name string) error {
	if runtime.GOOS == "windows" { // which has nothing of the kind
		return nil
	}
	folder, err := root.Open(filepath.FromSlash(name))
	if err != nil {
		return err
	}
	defer folder.Close()
	if err := folder.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.ENOTSUP) { // of file systems that cannot
		return err
	}
	return nil
}
