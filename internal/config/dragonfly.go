package config

import (
	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/operator"
	"github.com/bizmatters/dragonfly-generator/internal/report"
)

// patchesOfDragonfly reports patches of an object that is not made, and what the operator's CRD has no field for.
func (r *reader) patchesOfDragonfly() {
	for _, patch := range r.Overrides.Dragonfly {
		if r.Backend != v1alpha1.Operator {
			r.Errorf(report.Field{Path: patch.Path}, "needs backend: %s; set it, or use overrides.statefulSet", v1alpha1.Operator)
			continue
		}
		for _, unknown := range operator.Unknown(patch.Node) {
			r.Errorf(report.Field{Path: patch.Path + "." + unknown}, "is not in the CRD of operator %s, so the API server would drop it; remove it", operator.Version)
		}
	}
}
