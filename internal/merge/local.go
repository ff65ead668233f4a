package merge

import (
	"github.com/GoogleContainerTools/kpt-functions-sdk/go/fn"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/krm"
	"github.com/bizmatters/dragonfly-generator/internal/report"
	"github.com/bizmatters/dragonfly-generator/internal/yamlnode"
)

// localConfig leads to the annotation that keeps an object away from the cluster.
var localConfig = []string{"metadata", "annotations", fn.KptLocalConfig}

// MarkLocal plans that annotation for the items that are for this function and not for the cluster, where it
// is missing. An object with another value is left alone. The annotation is optional: the items can be kept
// away from the cluster in other ways.
func (c *Changes) MarkLocal(items []*krm.Item, results *report.Results) {
	for _, item := range items {
		switch {
		case !yamlnode.IsNull(yamlnode.Get(item.Node, localConfig...)):
		case item.Kind == v1alpha1.ClaimKind && !hasAnnotations(item): // reported as the claim was validated
		case !yamlnode.CanSet(item.Node, localConfig...):
			results.FieldErrorf(item, report.Field{Path: "metadata.annotations", Proposed: fn.KptLocalConfig + `: "true"`},
				"needs the annotation %s: \"true\", which cannot be added, because the metadata %s; add it yourself", fn.KptLocalConfig, obstacle(item))
		default:
			c.local = append(c.local, item)
		}
	}
}

// obstacle returns the reason why an annotation cannot be added.
func obstacle(item *krm.Item) string {
	if hasAnnotations(item) {
		return "is shared through a YAML anchor"
	}
	return "is not an object"
}

// hasAnnotations reports whether the item's metadata and annotations are mappings or not there at all.
func hasAnnotations(item *krm.Item) bool {
	for _, path := range [][]string{{"metadata"}, {"metadata", "annotations"}} {
		if n := yamlnode.Get(item.Node, path...); !yamlnode.IsNull(n) && n.Kind != yaml.MappingNode {
			return false
		}
	}
	return true
}
