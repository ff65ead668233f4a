// Package generator expands the DragonflyInstance claims of a ResourceList into the objects that run
// them: for each a StatefulSet, a Service, a password Secret and a connection Secret.
//
// The model: the objects of a claim depend only on the claim, the configuration and, if configured, a seed,
// so every build gives the same bytes. A password never changes unless somebody asks for it: one that is
// already among the items always wins, and by default no manifest contains it, because the instance's pod
// creates it in the cluster. Our objects carry a mark that names their claim. An object without the mark
// belongs to somebody else and is never overwritten. Everything is decided before anything is changed: after
// an error, the items are returned unchanged.
//
// The steps are packages in internal: krm reads the items, config the configuration, and claim the claims;
// plan decides about passwords; specs builds the objects; merge adds them to the items; report collects the
// results.
package generator

import (
	"crypto/rand"
	"io"
	"os"
	"slices"

	"github.com/GoogleContainerTools/kpt-functions-sdk/go/fn"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/claim"
	"github.com/bizmatters/dragonfly-generator/internal/config"
	"github.com/bizmatters/dragonfly-generator/internal/kpt"
	"github.com/bizmatters/dragonfly-generator/internal/krm"
	"github.com/bizmatters/dragonfly-generator/internal/merge"
	"github.com/bizmatters/dragonfly-generator/internal/others"
	"github.com/bizmatters/dragonfly-generator/internal/plan"
	"github.com/bizmatters/dragonfly-generator/internal/report"
	"github.com/bizmatters/dragonfly-generator/internal/specs"
)

// Environment holds the function's inputs besides the ResourceList. The zero value uses those of the process.
type Environment struct {
	// LookupEnv looks up environment variables. Nil means os.LookupEnv.
	LookupEnv func(name string) (value string, found bool)
	// Random is the source of random passwords. Nil means crypto/rand.
	Random io.Reader
}

func (e Environment) lookupEnv() func(string) (string, bool) {
	if e.LookupEnv == nil {
		return os.LookupEnv
	}
	return e.LookupEnv
}

func (e Environment) random() io.Reader {
	if e.Random == nil {
		return rand.Reader
	}
	return e.Random
}

// Run takes a ResourceList as YAML, and returns it with the objects of its claims, and the results. If one of
// the results is an error, the items in out are unchanged; out is empty if in is not a ResourceList.
func Run(in []byte, env Environment) (out []byte, all fn.Results) {
	var results report.Results
	list, err := krm.ResourceList(in)
	if err != nil {
		results.Errorf(nil, "%s", err)
		return nil, results.All()
	}
	kept := isKept(list, &results)
	if !kept {
		warnOfInPlace(list, &results)
	}
	expansion := Expand(ownPart(list), Options{Kept: kept, Prune: kept}, env, &results)
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

// Options describe how the result is used.
type Options struct {
	// Kept reports that the result is written back to the files that the items came from, so that the next
	// run sees what this one created.
	Kept bool
	// Prune reports that objects whose claim is gone are removed. It needs Kept.
	Prune bool
}

// Expansion is the result of expanding the claims of a list.
type Expansion struct {
	merge.Changes
	// Local are the items that are meant for this function and not for the cluster: claims, configurations,
	// and Secrets that contain a seed.
	Local []*krm.Item
	// RandomPasswords is the number of new random passwords.
	RandomPasswords int
}

// Expand decides how the claims become objects among the items, for the commands of this module. It changes
// nothing, so that all errors are found before the first change.
func Expand(list *krm.List, o Options, env Environment, results *report.Results) Expansion {
	platform := config.Read(list.FunctionConfig, results)
	specs.CheckOverrides(list.FunctionConfig, platform, results)
	warnOfIdle(list, results)
	unclear := results.HasErrors()

	claims, owners := claim.Find(list, o.Kept, platform, results)
	plans := plan.Make(plan.Input{
		List: list, Claims: claims, Owners: owners, Kept: o.Kept, Unclear: unclear,
		LookupEnv: env.lookupEnv(), Random: env.random(),
	}, results)
	instances := make([]specs.Instance, len(plans.All))
	for i, p := range plans.All {
		specs.CheckFilled(p, results)
		objects, err := specs.Objects(p)
		if err != nil {
			results.Errorf(p.Item, "an object cannot be written as YAML (%T); please report this as a bug", err)
		}
		instances[i] = specs.Instance{Plan: p, Objects: objects}
	}
	specs.RefuseExtraObjects(instances, results)
	changes := merge.Decide(merge.Input{
		List: list, Kept: o.Kept, Prune: o.Prune, Instances: instances, Owners: owners,
	}, results)
	others.Warn(list, plans.All, results)
	return Expansion{
		Changes:         changes,
		Local:           localItems(list, platform),
		RandomPasswords: plans.Random,
	}
}

// warnOfIdle reports a configuration that has no effect: one among the items that is not the functionConfig,
// and one that is called without any item.
func warnOfIdle(list *krm.List, results *report.Results) {
	own := list.FunctionConfig
	isOwn := own != nil && own.Group == v1alpha1.Group && own.Kind == v1alpha1.ConfigKind
	if isOwn && !slices.ContainsFunc(list.Items, func(item *krm.Item) bool { return item.ID != own.ID }) {
		// kustomize passes a generator to itself, and nothing else.
		results.Errorf(own, "has no resources to read, as under `generators:` of kustomize; put it under `transformers:`, and the claims under `resources:`")
	}
	packages := kpt.NewTree(list.Items)
	for _, item := range list.Items {
		switch {
		case isOwn && item.Name == own.Name || packages.IsConfig(item):
		case item.Group == v1alpha1.Group && item.Kind == v1alpha1.ConfigKind:
			results.Warnf(item, "is among the resources, but is not the configuration of this function, so it has no effect; put it under `transformers:` of the kustomization, or name it as configPath in the Kptfile")
		}
	}
}

// ownPart returns the list without the items of nested kpt packages that call this function themselves.
func ownPart(list *krm.List) *krm.List {
	packages := kpt.NewTree(list.Items)
	if !packages.IsNested() {
		return list
	}
	return list.Without(func(item *krm.Item) bool {
		isOurs := item.Group == v1alpha1.Group || item.Annotation(v1alpha1.GeneratedFrom) != ""
		return isOurs && packages.IsElsewhere(item)
	})
}

// warnOfInPlace warns of files that are rendered in place without a package: the next run could not recognise
// the objects of this one as its own. kustomize gives each item an id, so an item with a path but without an
// id comes from a tool that writes the result back (kpt fn eval, kustomize fn run).
func warnOfInPlace(list *krm.List, results *report.Results) {
	for _, item := range list.Items {
		if item.Annotation(krm.KustomizeID) != "" {
			return
		}
	}
	for _, item := range list.Items {
		if item.Group == v1alpha1.Group && item.Kind == v1alpha1.ClaimKind && item.AnnotatedPath() != "" {
			results.Warnf(item, "is rendered in place, but without a Kptfile, so the next run cannot tell which objects are its own and fails when the claim changes; add a Kptfile (`kpt pkg init`), or use `dragonfly-generator render -o`")
			return
		}
	}
}

// localItems returns the items that are meant for this function and not for the cluster.
func localItems(list *krm.List, platform config.Platform) []*krm.Item {
	var local []*krm.Item
	for _, item := range list.Items {
		if item.Group == v1alpha1.Group && (item.Kind == v1alpha1.ClaimKind || item.Kind == v1alpha1.ConfigKind) {
			local = append(local, item)
		}
	}
	for _, cfg := range platform.All() {
		for _, secret := range plan.SeedSecrets(list, cfg.Password) {
			if !slices.Contains(local, secret) {
				local = append(local, secret)
			}
		}
	}
	return local
}

// isKept reports whether the result is written back to the files that the items came from. Only a Kptfile
// among the items proves that. A path annotation does not, because kustomize adds some of its own. It also
// refuses kpt's selectors, which could hide the Secrets that contain the passwords.
func isKept(list *krm.List, results *report.Results) bool {
	kept := false
	var inPackage, selected *krm.Item
	for _, item := range list.Items {
		kept = kept || kpt.IsKptfile(item)
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
		results.Errorf(selected, "was selected by `selectors:` or `exclude:` of the pipeline, which may hide the Secrets that hold the passwords; remove them from this function, which changes only its own objects")
	}
	return kept
}
