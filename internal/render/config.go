package render

import (
	"github.com/bizmatters/dragonfly-generator/internal/krm"
	"github.com/bizmatters/dragonfly-generator/internal/report"
)

// ReadConfig reads the configuration in a file, nil with an error in the results where there is none.
func ReadConfig(file string, results *report.Results) *krm.Item {
	r := &reader{results: results, byPath: map[string]*source{}}
	return r.readConfig(file)
}
