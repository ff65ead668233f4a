// Package generator expands the DragonflyInstance claims in a ResourceList into the objects that run them: for each claim a
// StatefulSet, a Service, a password Secret, a connection Secret, and what the pod needs to fill in the Secrets.
//
// The objects depend only on the claims, the configuration and the other items, so every build gives the same bytes. No
// password passes through this package: the instance's own pod creates it in the cluster, or something else does. The
// objects have a mark that names their claim. An object without the mark belongs to someone else and is never overwritten. If
// there is an error, the items are returned unchanged.
package generator

import (
	"github.com/GoogleContainerTools/kpt-functions-sdk/go/fn"

	"github.com/bizmatters/dragonfly-generator/internal/expand"
	"github.com/bizmatters/dragonfly-generator/internal/krm"
	"github.com/bizmatters/dragonfly-generator/internal/report"
)

// Run takes a ResourceList as YAML, and returns it with the objects of its claims, and the results. If one of
// the results is an error, the items in out are unchanged; out is empty if in is not a ResourceList.
func Run(in []byte) (out []byte, all fn.Results) {
	var results report.Results
	list, err := krm.ResourceList(in)
	if err != nil {
		results.Errorf(nil, "%s", err)
		return nil, results.All()
	}
	expand.ResourceList(list, &results)
	if out, err = list.Bytes(results.All()); err != nil {
		results.Errorf(nil, "the ResourceList cannot be written as YAML (%T); please report this as a bug", err)
		return nil, results.All()
	}
	return out, results.All()
}
