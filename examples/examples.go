// Package examples contains complete examples. Its test builds them with the kustomize library. The
// end-to-end tests run them with the real programs, and the conformance tests apply their output.
package examples

import (
	"path"
	"path/filepath"
	"slices"
)

// Kustomizations returns the folders below root, this package's folder, that have a kustomization and its
// expected output. Only container needs Docker.
func Kustomizations(root string) []string {
	var folders []string
	for _, pattern := range []string{"*/expected.yaml", "*/*/expected.yaml"} {
		files, _ := filepath.Glob(filepath.Join(root, pattern)) // it fails only for invalid patterns
		for _, file := range files {
			folder, _ := filepath.Rel(root, filepath.Dir(file))
			folders = append(folders, filepath.ToSlash(folder))
		}
	}
	return slices.DeleteFunc(folders, func(folder string) bool { return path.Base(folder) == "container" })
}
