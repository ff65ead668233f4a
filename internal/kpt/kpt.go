// Package kpt knows which package of a tree an item is in, and which of the packages call this function.
package kpt

import (
	"path"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/internal/krm"
	"github.com/bizmatters/dragonfly-generator/internal/yamlnode"
)

// function is the name of this function's image, and of its program.
const function = "dragonfly-generator"

// IsKptfile reports whether an item is the file that makes a folder a package.
func IsKptfile(item *krm.Item) bool { return item.Group == "kpt.dev" && item.Kind == "Kptfile" }

// Tree is the packages among the items: the one that kpt renders now, and those below it.
type Tree struct {
	nested  bool            // there is more than one
	root    string          // its path, "" where kpt names no package
	callers map[string]bool // the paths of the packages that call this function
	configs map[string]bool // the files that some package names as the configuration of a function
}

// NewTree finds the packages among the items.
func NewTree(items []*krm.Item) Tree {
	t := Tree{callers: map[string]bool{}, configs: map[string]bool{}}
	first := true
	for _, item := range items {
		if !IsKptfile(item) {
			continue
		}
		at := item.Annotation(krm.PackagePath)
		t.nested = !first
		if first || len(at) < len(t.root) { // the others are below it
			t.root, first = at, false
		}
		for f := range functions(item) {
			if file := yamlnode.Text(f, "configPath"); file != "" {
				t.configs[path.Join(at, file)] = true
			}
			if isThis(f) {
				t.callers[at] = true
			}
		}
	}
	return t
}

// IsNested reports whether there is more than one package.
func (t Tree) IsNested() bool { return t.nested }

// IsElsewhere reports whether an item belongs to a package below the one that kpt renders now, which calls this
// function itself: to the nearest of those that do.
func (t Tree) IsElsewhere(item *krm.Item) bool {
	for at := item.Annotation(krm.PackagePath); at != "" && at != t.root; at = path.Dir(at) {
		if t.callers[at] {
			return true
		}
		if at == path.Dir(at) {
			break
		}
	}
	return false
}

// IsConfig reports whether some package names the item's file as the configuration of a function.
func (t Tree) IsConfig(item *krm.Item) bool {
	return t.configs[path.Join(item.Annotation(krm.PackagePath), item.AnnotatedPath())]
}

// functions visits those of a Kptfile's pipeline.
func functions(kptfile *krm.Item) func(yield func(*yaml.Node) bool) {
	return func(yield func(*yaml.Node) bool) {
		for _, list := range []string{"mutators", "validators"} {
			functions := yamlnode.Get(kptfile.Node, "pipeline", list)
			if functions == nil || functions.Kind != yaml.SequenceNode {
				continue
			}
			for _, f := range functions.Content {
				if !yield(f) {
					return
				}
			}
		}
	}
}

// isThis reports whether an entry of a pipeline is this function, by the name of its image or program.
func isThis(f *yaml.Node) bool {
	image, _, _ := strings.Cut(path.Base(yamlnode.Text(f, "image")), "@")
	image, _, _ = strings.Cut(image, ":")
	program, _, _ := strings.Cut(strings.TrimSpace(yamlnode.Text(f, "exec")), " ")
	return image == function || path.Base(program) == function
}
