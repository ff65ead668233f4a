// Package expand turns claims into manifests. The function and the command render share it.
//
// Each step is a package: config reads the configuration and instance the claims; specs builds the objects and overrides
// patches them; merge decides what happens to objects already among the items; lint warns. All decisions are made, and all
// problems found, before anything is changed.
package expand

import (
	"slices"

	"github.com/bizmatters/dragonfly-generator/internal/config"
	"github.com/bizmatters/dragonfly-generator/internal/instance"
	"github.com/bizmatters/dragonfly-generator/internal/krm"
	"github.com/bizmatters/dragonfly-generator/internal/lint"
	"github.com/bizmatters/dragonfly-generator/internal/merge"
	"github.com/bizmatters/dragonfly-generator/internal/overrides"
	"github.com/bizmatters/dragonfly-generator/internal/report"
)

// Expand decides how the claims become objects among the items. It changes nothing.
func Expand(list *krm.List, o merge.Options, results *report.Results) merge.Changes {
	platform := config.Read(list.FunctionConfig, results)
	isConfigured := overrides.Check(list.FunctionConfig, platform, results) && platform.IsValid()
	instances, claims := instance.FromClaims(list, platform, results)
	if !isConfigured { // any further problems may be consequences
		return merge.Changes{}
	}
	lint.Platform(list.FunctionConfig, platform, results)
	instances = instance.Sources(list, instances, claims, results)
	built := overrides.Build(list, instances, results)
	changes := merge.Plan(merge.Input{Options: o, List: list, Instances: built, Claims: claims}, results)
	lint.Check(list, built, changes, results)
	return changes
}

// ResourceList expands the claims of a list from an orchestrator, and changes the list unless there was an error.
func ResourceList(list *krm.List, results *report.Results) {
	inPlace := isInPlace(list, results)
	if !inPlace && !results.HasErrors() {
		warnOfInPlace(list, results)
	}
	packages := newTree(list.Items)
	checkIdle(list, packages, results)
	own := ownPart(list, packages)
	refuseTwice(list, own, results)
	changes := Expand(own, merge.Options{InPlace: inPlace, Prune: inPlace}, results)
	changes.MarkLocal(own.Items, results)
	if !results.HasErrors() {
		changes.Apply(list)
	}
}

// checkIdle reports a configuration that has no effect: a warning if it is among the items instead of the functionConfig,
// and an error if the function is called without any items.
func checkIdle(list *krm.List, packages tree, results *report.Results) {
	own := list.FunctionConfig
	isOwn := own != nil && instance.IsConfig(own)
	if isOwn && !slices.ContainsFunc(list.Items, func(item *krm.Item) bool { return item.ID != own.ID }) {
		// kustomize passes only its own configuration to a generator, and to a transformer if there are no resources.
		results.Errorf(own, "receives no resources, because it is under `generators:` of a kustomization, or because `resources:` lists no files or only empty ones; put it under `transformers:`, and the claims under `resources:`")
	}
	for _, item := range list.Items {
		switch {
		case isOwn && item.Name == own.Name || packages.isConfig(item):
		case instance.IsConfig(item):
			results.Warnf(item, "is among the resources, but is not the configuration of this function, so it has no effect; put it under `transformers:` in the kustomization, or set it as configPath in the Kptfile")
		}
	}
}
