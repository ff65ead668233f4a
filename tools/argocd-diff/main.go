// Command argocd-diff does to a cluster what Argo CD does when it syncs and compares an application, by the module
// that Argo CD does it with. The conformance tests learn from it whether Argo CD would see a difference.
//
//	argocd-diff sync [-server-side] < manifests.yaml
//	argocd-diff diff [-structured | -server-side] < manifests.yaml
//
// sync applies the manifests, with -server-side as the sync option ServerSideApply=true does. diff prints the kind
// and name of each object that Argo CD would show as out of sync, and no value. Argo CD compares with -structured
// where ServerSideApply=true is set, and with -server-side where the compare option ServerSideDiff=true is. The
// cluster is that of KUBECONFIG.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/argoproj/gitops-engine/pkg/diff"
	"github.com/argoproj/gitops-engine/pkg/utils/kube"
	"github.com/argoproj/gitops-engine/pkg/utils/tracing"
	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/tools/clientcmd"
	cmdutil "k8s.io/kubectl/pkg/cmd/util"
)

// manager is the field manager that Argo CD applies with.
const manager = "argocd-controller"

func main() {
	if err := run(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 || args[0] != "sync" && args[0] != "diff" {
		return errors.New("the first argument must be sync or diff")
	}
	flags := flag.NewFlagSet(args[0], flag.ContinueOnError)
	serverSide := flags.Bool("server-side", false, "apply or compare in the API server")
	structured := flags.Bool("structured", false, "compare by the schema and the managed fields")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	text, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	objects, err := kube.SplitYAML(text)
	if err != nil {
		return err
	}
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	if err != nil {
		return err
	}
	kubectl := &kube.KubectlCmd{Log: logr.Discard(), Tracer: tracing.NopTracer{}}
	schema, parser, err := kubectl.LoadOpenAPISchema(config)
	if err != nil {
		return err
	}
	applier, cleanup, err := kubectl.ManageResources(config, schema)
	if err != nil {
		return err
	}
	defer cleanup()
	// Comparing on the server side takes an applier that answers with the object as JSON.
	dryRunner, cleanupDryRunner, err := kube.ManageServerSideDiffDryRuns(config, schema, kubectl.Tracer, kubectl.Log, nil)
	if err != nil {
		return err
	}
	defer cleanupDryRunner()
	options := []diff.Option{
		diff.WithLogr(logr.Discard()), diff.WithManager(manager), diff.WithGVKParser(parser),
		diff.WithStructuredMergeDiff(*structured), diff.WithServerSideDiff(*serverSide), diff.WithServerSideDryRunner(diff.NewK8sServerSideDryRunner(dryRunner)),
	}
	for _, object := range objects {
		if args[0] == "sync" {
			_, err = applier.ApplyResource(ctx, object, cmdutil.DryRunNone, false, true, *serverSide, manager)
		} else {
			var live *unstructured.Unstructured
			var result *diff.DiffResult
			live, err = kubectl.GetResource(ctx, config, object.GroupVersionKind(), object.GetName(), object.GetNamespace())
			if err == nil {
				result, err = diff.Diff(object, live, options...)
			}
			if err == nil && result.Modified {
				fmt.Println(object.GetKind(), object.GetName())
			}
		}
		if err != nil {
			return fmt.Errorf("%s %s: %w", object.GetKind(), object.GetName(), err)
		}
	}
	return nil
}
