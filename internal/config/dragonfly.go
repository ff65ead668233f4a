package config

import (
	"github.com/bizmatters/dragonfly-generator/generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/operator"
	"github.com/bizmatters/dragonfly-generator/internal/report"
)

// patchOfDragonfly reports a patch of an object that is not made, and what the operator's CRD has no field for.
func (r *reader) patchOfDragonfly() {
	patch := r.Overrides.Dragonfly
	if patch == nil {
		return
	}
	const path = "overrides.dragonfly"
	if r.Backend != v1alpha1.Operator {
		r.Errorf(r.at(path), "needs backend: %s; set it, or use overrides.statefulSet", v1alpha1.Operator)
		return
	}
	for _, unknown := range operator.Unknown(patch) {
		r.Errorf(report.Field{Path: r.at(path).Path + "." + unknown}, "is newer than the CRD of the operator, %s, whose API server would drop it; remove it", operator.Version)
	}
}
