// Package atomicfile replaces files completely or not at all.
//
// New content is written to a temporary file in the same folder, synced to disk, and renamed over the old
// file. A process that is killed at any moment leaves either the old file or the new one, and at worst a
// temporary file, which IsTemporary recognizes. When a function of this package returns, its change is on
// disk.
//
// All names are relative to an os.Root, so symbolic links cannot lead out of it.
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

// Temporary files are hidden, and have an extension that kubectl, kustomize and we do not read.
const (
	temporaryPrefix = ".dragonfly-generator-"
	temporarySuffix = ".tmp"
)

// IsTemporary reports whether name is that of a temporary file left by a killed process.
func IsTemporary(name string) bool {
	return strings.HasPrefix(name, temporaryPrefix) && strings.HasSuffix(name, temporarySuffix)
}

// Replace replaces the content of the file with in. A new file gets the permissions perm, before umask. An
// existing file keeps its own; if perm gives the group and others none, they lose theirs.
func Replace(root *os.Root, name string, perm fs.FileMode, in io.Reader) error {
	temporary := path.Join(path.Dir(name), temporaryPrefix+rand.Text()+temporarySuffix)
	err := write(root, temporary, name, perm, in)
	if err == nil {
		err = root.Rename(temporary, name)
	}
	if err != nil {
		_ = root.Remove(temporary) // the first error matters
		return err
	}
	return sync(root, path.Dir(name))
}

// write writes the temporary file that is to replace name.
func write(root *os.Root, temporary, name string, perm fs.FileMode, in io.Reader) (err error) {
	file, err := root.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if old, err := root.Stat(name); err == nil {
		mode := old.Mode().Perm()
		if perm&0o077 == 0 {
			mode &= 0o700
		}
		if err := file.Chmod(mode); err != nil {
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
	return sync(root, path.Dir(name))
}

// MakeFolder creates the folder if it does not exist. Its parent must exist.
func MakeFolder(root *os.Root, name string) error {
	if info, err := root.Stat(name); err == nil && info.IsDir() {
		return nil
	}
	if err := root.Mkdir(name, 0o755); err != nil {
		return err
	}
	return sync(root, path.Dir(name))
}

// sync writes the folder's directory entries to disk.
func sync(root *os.Root, name string) error {
	if runtime.GOOS == "windows" { // cannot sync folders
		return nil
	}
	folder, err := root.Open(filepath.FromSlash(name))
	if err != nil {
		return err
	}
	defer folder.Close()
	if err := folder.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.ENOTSUP) { // not supported by the file system
		return err
	}
	return nil
}
