// Package render expands the claims in files, without an orchestrator.
//
// It reads files, folders and stdin as plain YAML, and calls the same expansion as the function. The manifests go to
// stdout, with the other resources, or into an output folder, which is read first. Files there are replaced atomically;
// the next run completes what a killed run did not finish.
package render

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/expand"
	"github.com/bizmatters/dragonfly-generator/internal/instance"
	"github.com/bizmatters/dragonfly-generator/internal/krm"
	"github.com/bizmatters/dragonfly-generator/internal/merge"
	"github.com/bizmatters/dragonfly-generator/internal/report"
)

// Options are the arguments of a render.
type Options struct {
	// Paths are files and folders, and "-" for stdin.
	Paths []string
	// Folder is the output folder; "" for stdout.
	Folder string
	// Config is the file with the configuration; "" for none.
	Config string
	// Check makes Run write nothing and show what would change in Folder.
	Check bool
	// Prune makes Run remove instances from Folder whose claims are gone.
	Prune bool
}

// Streams are the standard streams.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// Run renders. It reports on stderr, and returns true if there was no error and, with Check, if nothing would change.
func Run(o Options, s Streams) bool {
	var results report.Results
	if o.Folder != "" {
		return intoFolder(o, s, &results)
	}
	in := readInputs(o, s.In, &results)
	planned := expanded(o, in, &results)
	text, err := stdout(in, planned, &results)
	if err != nil {
		reportBug(err, &results)
	}
	fmt.Fprint(s.Err, report.Lines(results.All()))
	return !results.HasErrors() && report.Stdout(s.Out, s.Err, text)
}

// intoFolder renders into the output folder.
func intoFolder(o Options, s Streams, results *report.Results) bool {
	f, err := openFolder(o)
	if err != nil {
		results.Errorf(nil, "%s", err)
		fmt.Fprint(s.Err, report.Lines(results.All()))
		return false
	}
	defer f.close()

	in := readInputs(o, s.In, results)
	planned := expanded(o, in, results)
	refuseOutside(o, in, results)
	changes := fileChanges(in, planned, results)
	f.refuseLinks(changes, results)
	if o.Check {
		return f.check(s, changes, results)
	}
	if !results.HasErrors() {
		f.apply(in, changes, results)
	}
	fmt.Fprint(s.Err, report.LinesWithInfos(results.All()))
	return !results.HasErrors()
}

// expanded expands the claims. It reports an error if there are none, so that a wrong path removes nothing.
func expanded(o Options, in *inputs, results *report.Results) merge.Changes {
	list := krm.NewList(in.items(), in.config)
	planned := expand.Expand(list, merge.Options{InPlace: o.Folder != "", Prune: o.Prune}, results)
	if !results.HasErrors() && !slices.ContainsFunc(list.Items, instance.IsClaim) {
		hint := "name the files or folders that contain the claims"
		if in.stdin {
			hint += ", and do not annotate claims with config.kubernetes.io/local-config, or kustomize drops them"
		}
		results.Errorf(nil, "there is no %s in %s; %s", v1alpha1.ClaimKind, strings.Join(o.Paths, ", "), hint)
	}
	return planned
}

// refuseOutside reports objects of ours that are outside the output folder, because nothing would keep them up to date.
func refuseOutside(o Options, in *inputs, results *report.Results) {
	for _, source := range in.sources {
		for _, item := range source.resources() {
			if source.inFolder == "" && merge.IsOurs(item) {
				results.Errorf(item, "was generated from a claim by an earlier run, but is not in %s; move it there, or leave it out of the input", o.Folder)
			}
		}
	}
}

func reportBug(err error, results *report.Results) {
	results.Errorf(nil, "an object cannot be written as YAML (%T); please report this as a bug", err)
}
