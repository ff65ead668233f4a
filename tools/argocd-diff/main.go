// Command argocd-diff does to a cluster what Argo CD does when it compares and syncs an application, with the module
// that Argo CD uses. The conformance tests use it to find out whether Argo CD would see a difference, and what is left
// of a Secret.
//
//	argocd-diff [flags] sync|diff… < manifests.yaml
//
// sync applies the manifests. diff prints the kind and name of each object that Argo CD would show as out of sync, but
// no values. Several commands run one after another. The cluster is the one in KUBECONFIG.
//
//	-server-side-apply   the sync option ServerSideApply=true
//	-server-side-diff    the compare option ServerSideDiff=true
//	-replace             the sync option Replace=true
//	-respect-ignored     the sync option RespectIgnoreDifferences=true, in an application that ignores the differences in
//	                     /data of all Secrets
//	-previous FILE       prune, after a sync, the objects in FILE that are no longer among the manifests
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/argoproj/argo-cd/gitops-engine/pkg/diff"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/sync"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/sync/common"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/utils/kube"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/utils/tracing"
	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// manager is the field manager that Argo CD applies with.
const manager = "argocd-controller"

// argocd is Argo CD with one application.
type argocd struct {
	serverSideApply, serverSideDiff, replace, respectIgnored bool

	config  *rest.Config
	kubectl *kube.KubectlCmd
	diffs   []diff.Option
}

func main() {
	if err := run(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	a := argocd{kubectl: &kube.KubectlCmd{Log: logr.Discard(), Tracer: tracing.NopTracer{}}}
	flags := flag.NewFlagSet("argocd-diff", flag.ContinueOnError)
	flags.BoolVar(&a.serverSideApply, "server-side-apply", false, "")
	flags.BoolVar(&a.serverSideDiff, "server-side-diff", false, "")
	flags.BoolVar(&a.replace, "replace", false, "")
	flags.BoolVar(&a.respectIgnored, "respect-ignored", false, "")
	previous := flags.String("previous", "", "")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() == 0 {
		return errors.New("nothing to do; specify sync or diff")
	}
	targets, err := read(os.Stdin)
	if err != nil {
		return err
	}
	var gone []*unstructured.Unstructured
	if *previous != "" {
		file, err := os.Open(*previous)
		if err != nil {
			return err
		}
		defer file.Close()
		before, err := read(file)
		if err != nil {
			return err
		}
		gone = without(before, targets)
	}
	cleanup, err := a.connect()
	if err != nil {
		return err
	}
	defer cleanup()
	for _, verb := range flags.Args() {
		switch verb {
		case "sync":
			err = a.sync(ctx, targets, gone)
		case "diff":
			err = a.diff(ctx, targets)
		default:
			err = fmt.Errorf("%q is neither sync nor diff", verb)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func read(from io.Reader) ([]*unstructured.Unstructured, error) {
	text, err := io.ReadAll(from)
	if err != nil {
		return nil, err
	}
	return kube.SplitYAML(text)
}

// without returns the objects that are not among the excluded ones.
func without(objects, excluded []*unstructured.Unstructured) []*unstructured.Unstructured {
	return slices.DeleteFunc(objects, func(object *unstructured.Unstructured) bool {
		return slices.ContainsFunc(excluded, func(other *unstructured.Unstructured) bool {
			return kube.GetResourceKey(other) == kube.GetResourceKey(object)
		})
	})
}

func (a *argocd) connect() (cleanup func(), err error) {
	if a.config, err = clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG")); err != nil {
		return nil, err
	}
	a.config.QPS, a.config.Burst = 1000, 1000
	_, parser, err := a.kubectl.LoadOpenAPISchema(a.config)
	if err != nil {
		return nil, err
	}
	// Comparing on the server side needs an applier that returns the object as JSON.
	dryRunner, cleanup, err := a.kubectl.ManageServerSideDiffDryRuns(a.config)
	if err != nil {
		return nil, err
	}
	a.diffs = []diff.Option{
		diff.WithLogr(logr.Discard()), diff.WithManager(manager), diff.WithGVKParser(parser),
		// If Argo CD applies on the server side, it compares by schema and managed fields.
		diff.WithStructuredMergeDiff(a.serverSideApply && !a.serverSideDiff),
		diff.WithServerSideDiff(a.serverSideDiff), diff.WithServerSideDryRunner(diff.NewK8sServerSideDryRunner(dryRunner)),
	}
	return cleanup, nil
}

// live returns the live object, or nil if there is none.
func (a *argocd) live(ctx context.Context, object *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	live, err := a.kubectl.GetResource(ctx, a.config, object.GroupVersionKind(), object.GetName(), object.GetNamespace())
	if apierrors.IsNotFound(err) {
		return nil, nil //nolint:nilnil // as the module has it
	}
	return live, err
}

func (a *argocd) diff(ctx context.Context, targets []*unstructured.Unstructured) error {
	for _, target := range targets {
		live, err := a.live(ctx, target)
		if err != nil {
			return err
		}
		result, err := diff.Diff(target, live, a.diffs...)
		if err != nil {
			return fmt.Errorf("%s %s: %w", target.GetKind(), target.GetName(), err)
		}
		if result.Modified {
			fmt.Println(target.GetKind(), target.GetName())
		}
	}
	return nil
}

func (a *argocd) sync(ctx context.Context, targets, gone []*unstructured.Unstructured) error {
	var result sync.ReconciliationResult
	for _, target := range targets {
		live, err := a.live(ctx, target)
		if err != nil {
			return err
		}
		target = target.DeepCopy()
		if a.respectIgnored {
			keepIgnored(target, live)
		}
		result.Target, result.Live = append(result.Target, target), append(result.Live, live)
	}
	for _, object := range gone {
		live, err := a.live(ctx, object)
		if err != nil {
			return err
		}
		if live != nil {
			result.Target, result.Live = append(result.Target, nil), append(result.Live, live)
		}
	}
	operation, cleanup, err := sync.NewSyncContext("", result, a.config, a.config, a.kubectl, "default",
		sync.WithLogr(logr.Discard()), sync.WithServerSideApplyManager(manager), sync.WithOperationSettings(false, true, false, false),
		sync.WithServerSideApply(a.serverSideApply), sync.WithReplace(a.replace))
	if err != nil {
		return err
	}
	defer cleanup()
	for range 100 {
		operation.Sync()
		phase, message, results := operation.GetState()
		switch {
		case phase == common.OperationSucceeded:
			return nil
		case phase.Completed():
			for _, r := range results {
				message += fmt.Sprintf("\n%s: %s", r.ResourceKey, r.Message)
			}
			return errors.New(message)
		}
		time.Sleep(100 * time.Millisecond)
	}
	return errors.New("the sync does not finish")
}

// keepIgnored does to a Secret's target what normalizeTargetResources in Argo CD v3.5.7 (controller/sync.go, which is
// not in a module) does if differences in /data are ignored: it copies /data from the live object.
func keepIgnored(target, live *unstructured.Unstructured) {
	if target.GetKind() != "Secret" || live == nil {
		return
	}
	if data, found := live.Object["data"]; found {
		target.Object["data"] = data
	} else {
		delete(target.Object, "data")
	}
}
