package merge

import (
	"github.com/GoogleContainerTools/kpt-functions-sdk/go/fn"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/internal/instance"
	"github.com/bizmatters/dragonfly-generator/internal/krm"
	"github.com/bizmatters/dragonfly-generator/internal/report"
	"github.com/bizmatters/dragonfly-generator/internal/yamlnode"
)

// localConfig is the path of the annotation that keeps an object out of the cluster.
var localConfig = []string{"metadata", "annotations", fn.KptLocalConfig}

// MarkLocal plans to add that annotation to items that are meant for this function and not for the cluster. An item that
// has it already keeps its value, whatever that is: there are other ways to keep an item out of the cluster.
func (c *Changes) MarkLocal(items []*krm.Item, results *report.Results) {
	for _, item := range items {
		switch {
		case !instance.IsClaim(item) && !instance.IsConfig(item):
		case !yamlnode.IsNull(yamlnode.Get(item.Node, localConfig...)):
		case instance.IsClaim(item) && !hasAnnotations(item): // already reported when the claim was validated
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

// hasAnnotations reports whether the item's metadata and annotations are each a mapping or absent.
func hasAnnotations(item *krm.Item) bool {
	for _, path := range [][]string{{"metadata"}, {"metadata", "annotations"}} {
		if n := yamlnode.Get(item.Node, path...); !yamlnode.IsNull(n) && n.Kind != yaml.MappingNode {
			return false
		}
	}
	return true
}
