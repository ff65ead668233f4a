package report_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/bizmatters/dragonfly-generator/internal/report"
)

// One cause gets one error.
func TestWhatFollowsIsNotReported(t *testing.T) {
	var results report.Results
	subject := report.Subject{Results: &results}
	assert.Zero(t, subject.Errors())
	for _, path := range []string{"spec.a", "spec.a", "spec.a.b", "spec.a[0].b", "spec.ab", "spec", "spec.c", "status"} {
		subject.Errorf(report.Field{Path: path}, "x")
	}
	var paths []string
	for _, result := range results.All() {
		paths = append(paths, result.Field.Path)
	}
	assert.Equal(t, []string{"spec.a", "spec.ab", "spec.c", "status"}, paths, "Neither a field's contents nor its parents are reported again.")
	assert.Equal(t, len(paths), subject.Errors())
}
