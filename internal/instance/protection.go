package instance

import "strings"

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
		for option := range strings.SplitSeq(text, ",") {
			option = strings.TrimSpace(option)
			if strings.HasPrefix(option, "Prune=") || strings.HasPrefix(option, "Delete=") {
				kept = append(kept, option)
			}
		}
		return strings.Join(kept, ",")
	}
	return ""
}
