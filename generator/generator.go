// Package generator expands the DragonflyInstance claims of a ResourceList into the objects that run
// them: for each a StatefulSet, a Service, a password Secret and a connection Secret.
//
// The model in a few sentences. A claim names a size and nothing else; what it becomes depends on the
// claim, the configuration and the seed only, so every build gives the same bytes. The password is the
// exception: it must never change unless somebody asks for it, so what is already among the items wins
// over everything. An object of ours carries a mark that names its claim; what has no mark is somebody
// else's and never overwritten. Everything is decided before anything is changed: on an error the items
// leave as they came.
//
// The packages are the steps: read, plan, build, merge, report.
package generator

import (
	"io"

	"github.com/GoogleContainerTools/kpt-functions-sdk/go/fn"

	"github.com/bizmatters/dragonfly-generator/generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/config"
	"github.com/bizmatters/dragonfly-generator/internal/krm"
	"github.com/bizmatters/dragonfly-generator/internal/merge"
	"github.com/bizmatters/dragonfly-generator/internal/plan"
	"github.com/bizmatters/dragonfly-generator/internal/report"
	"github.com/bizmatters/dragonfly-generator/internal/specs"
)

// Environment is what the function takes from outside its input.
type Environment struct {
	// LookupEnv finds environment variables, as os.LookupEnv does.
	LookupEnv func(name string) (value string, found bool)
	// Random is the system's random generator.
	Random io.Reader
}

// Run takes a ResourceList as YAML and returns it with the objects of its claims, and the results. If
// one of these is an error, out is the list with its items as they came, or empty where in is no
// ResourceList.
func Run(in []byte, env Environment) (out []byte, all fn.Results) {
	var results report.Results
	list, err := krm.ResourceList(in)
	if err != nil {
		results.Errorf(nil, "%s", err)
		return nil, results.All()
	}
	expansion, err := Expand(list, isKept(list, &results), env, &results)
	if err != nil {
		results.Errorf(nil, "an object cannot be written as YAML (%T); please report this as a bug", err)
	}
	expansion.MarkLocal(expansion.Local, &results)
	if !results.HasErrors() {
		expansion.Apply(list)
	}
	if out, err = list.Bytes(results.All()); err != nil {
		results.Errorf(nil, "the ResourceList cannot be written as YAML (%T); please report this as a bug", err)
		return nil, results.All()
	}
	return out, results.All()
}

// Expansion is what the claims of a list become.
type Expansion struct {
	merge.Changes
	// Local are the items that are for this function and not for the cluster: claims, configurations, and
	// the Secret with the seed.
	Local []*krm.Item
}

// Expand is the way from the claims to their objects among the items. Kept says that the result goes back
// to the files that the items came from, so that the next run sees what this one made. It decides only:
// nothing is changed before there is no error left to find.
func Expand(list *krm.List, kept bool, env Environment, results *report.Results) (Expansion, error) {
	cfg := config.Read(list.FunctionConfig, results)
	warnOfIdle(list, results)
	specs.CheckOverrides(list.FunctionConfig, cfg, results)
	in := plan.Input{
		List: list, Config: cfg, Kept: kept, Unclear: results.HasErrors(),
		LookupEnv: env.LookupEnv, Random: env.Random,
	}
	plans, owners := plan.Make(in, results)
	changes, err := merge.Decide(merge.Input{
		List: list, Config: cfg, Kept: kept, Plans: plans, Owners: owners,
	}, results)
	return Expansion{Changes: changes, Local: localItems(in)}, err
}

// warnOfIdle warns of a configuration that stands among the items while the function has none: somebody
// believes in it, and nothing of it holds.
func warnOfIdle(list *krm.List, results *report.Results) {
	if fc := list.FunctionConfig; fc != nil && fc.Kind == v1alpha1.ConfigKind {
		return
	}
	for _, item := range list.Items {
		if item.Group == v1alpha1.Group && item.Kind == v1alpha1.ConfigKind {
			results.Warnf(item, "is among the resources, but not the configuration of this function, so nothing in it holds; put it under `transformers:` of the kustomization, or name it as configPath in the Kptfile")
		}
	}
}

// localItems returns the items that are for this function and not for the cluster: claims,
// configurations, and the Secret with the seed.
func localItems(in plan.Input) []*krm.Item {
	var local []*krm.Item
	for _, item := range in.List.Items {
		if item.Group == v1alpha1.Group && (item.Kind == v1alpha1.ClaimKind || item.Kind == v1alpha1.ConfigKind) {
			local = append(local, item)
		}
	}
	return append(local, plan.SeedSecrets(in)...)
}

// isKept says whether the result goes back to the files that the items came from. Only kpt's own
// Kptfile among the items proves that; a path annotation does not, kustomize makes some up. It reports
// kpt's selectors: they could hide the Secrets that hold the passwords.
func isKept(list *krm.List, results *report.Results) bool {
	kept := false
	var inPackage, selected *krm.Item
	for _, item := range list.Items {
		kept = kept || item.Group == "kpt.dev" && item.Kind == "Kptfile"
		if inPackage == nil && item.Annotation(krm.PackagePath) != "" {
			inPackage = item
		}
		if selected == nil && item.Annotation(krm.SelectedID) != "" {
			selected = item
		}
	}
	if !kept && inPackage != nil {
		selected = inPackage // and the Kptfile is hidden
	}
	if selected != nil {
		results.Errorf(selected, "is one of those that `selectors:` or `exclude:` of the pipeline let through, which may hide the Secrets that hold the passwords; take them off this function, it leaves alone what is not its own")
	}
	return kept
}
