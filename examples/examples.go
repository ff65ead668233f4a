// Package examples contains complete examples. Its test builds them with the kustomize library. The
// end-to-end tests run them with the real programs, and the conformance tests apply their output.
package examples

import (
	"path"
	"path/filepath"
	"slices"
)

// Seed is the seed of the example that shows one.
const Seed = "an example seed, not for production"

// Env returns the environment that an example is built with: none, but for the one that shows a seed.
func Env(folder string) []string {
	if folder == "seed" {
		return []string{"DRAGONFLY_PASSWORD_SEED=" + Seed}
	}
	return nil
}

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
