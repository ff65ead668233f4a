// Package examples holds directories that show the function at work. Its test runs them with the
// kustomize library; the end-to-end tests run them with the programs themselves, and the conformance
// tests apply what they print.
package examples

import (
	"path"
	"path/filepath"
	"slices"
)

// Seed is the one that seed/README.md names.
const Seed = "an example seed, not for production"

// Env returns the environment that an example is built with: none, but for the one that shows a seed.
func Env(folder string) []string {
	if folder == "seed" {
		return []string{"DRAGONFLY_PASSWORD_SEED=" + Seed}
	}
	return nil
}

// Kustomizations returns the folders in root, which is this package's, with a kustomization and what it
// prints. But for container, they need no Docker.
func Kustomizations(root string) []string {
	var folders []string
	for _, pattern := range []string{"*/expected.yaml", "*/*/expected.yaml"} {
		files, _ := filepath.Glob(filepath.Join(root, pattern)) // its error is for bad patterns only
		for _, file := range files {
			folder, _ := filepath.Rel(root, filepath.Dir(file))
			folders = append(folders, filepath.ToSlash(folder))
		}
	}
	return slices.DeleteFunc(folders, func(folder string) bool { return path.Base(folder) == "container" })
}
