package instance

import (
	"slices"
	"strings"
)

// The annotations that protect a database from deletion. The claim does not reach the cluster, so its objects
// carry them instead.
const (
	syncOptions    = "argocd.argoproj.io/sync-options"
	fluxPrune      = "kustomize.toolkit.fluxcd.io/prune" // also a label
	resourcePolicy = "helm.sh/resource-policy"
	onRemove       = "cli-utils.sigs.k8s.io/on-remove"
)

// protection returns the part of an annotation that protects from deletion, or "" if there is none.
func protection(key, text string) string {
	switch key {
	case fluxPrune, resourcePolicy, onRemove:
		return text
	case syncOptions:
		var kept []string
		for _, option := range options(text) {
			if strings.HasPrefix(option, "Prune=") || strings.HasPrefix(option, "Delete=") {
				kept = append(kept, option)
			}
		}
		return strings.Join(kept, ",")
	}
	return ""
}

// options returns the options in a comma-separated list.
func options(text string) []string {
	var all []string
	for option := range strings.SplitSeq(text, ",") {
		if option = strings.TrimSpace(option); option != "" {
			all = append(all, option)
		}
	}
	return all
}

// Merged returns all labels or annotations in one map. Later ones win, see Joined.
func Merged(all ...map[string]string) map[string]string {
	result := map[string]string{}
	for _, one := range all {
		for key, value := range one {
			result[key] = Joined(key, result[key], value)
		}
	}
	return result
}

// Joined returns the value of a label or annotation that is set twice. The second value wins. Argo CD's sync options are a
// list, so there it replaces only the options that it sets itself: Replace=true must not remove Prune=false.
func Joined(key, first, second string) string {
	if key != syncOptions || first == "" {
		return second
	}
	name := func(option string) string { name, _, _ := strings.Cut(option, "="); return name }
	winning := options(second)
	kept := slices.DeleteFunc(options(first), func(option string) bool {
		return slices.ContainsFunc(winning, func(other string) bool { return name(other) == name(option) })
	})
	return strings.Join(append(kept, winning...), ",")
}
