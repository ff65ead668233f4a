// Command flux-apply does to a cluster what Flux's kustomize-controller does at each interval: it cleans up after
// kubectl, applies, and prunes. It calls the same module as kustomize-controller, with the options of v1.9.6.
//
//	flux-apply [-previous FILE] sync|diff… < manifests.yaml
//
// sync applies the manifests, and deletes the objects in FILE that are no longer among them. diff prints the kind and
// name of each object that the next sync would change, but no values. Several commands run one after another. The
// cluster is the one in KUBECONFIG.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/fluxcd/pkg/ssa"
	"github.com/fluxcd/pkg/ssa/normalize"
	"github.com/fluxcd/pkg/ssa/utils"
	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

const (
	group      = "kustomize.toolkit.fluxcd.io"
	controller = "kustomize-controller"
)

func main() {
	if err := run(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("flux-apply", flag.ContinueOnError)
	previous := flags.String("previous", "", "")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() == 0 {
		return errors.New("nothing to do; specify sync or diff")
	}
	objects, err := read(os.Stdin)
	if err != nil {
		return err
	}
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	if err != nil {
		return err
	}
	config.QPS, config.Burst = 1000, 1000
	log.SetLogger(logr.Discard())
	cluster, err := client.New(config, client.Options{})
	if err != nil {
		return err
	}
	manager := ssa.NewResourceManager(cluster, nil, ssa.Owner{Field: controller, Group: group})
	manager.SetOwnerLabels(objects, "caches", "flux-system")
	for _, verb := range flags.Args() {
		switch verb {
		case "sync":
			if err = sync(ctx, manager, objects); err == nil && *previous != "" {
				err = prune(ctx, manager, *previous, objects)
			}
		case "diff":
			err = diff(ctx, manager, objects)
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
	objects, err := utils.ReadObjects(from)
	if err != nil {
		return nil, err
	}
	return objects, normalize.UnstructuredList(objects)
}

// sync is kustomize-controller's KustomizationReconciler.apply.
func sync(ctx context.Context, manager *ssa.ResourceManager, objects []*unstructured.Unstructured) error {
	options := ssa.DefaultApplyOptions()
	options.ExclusionSelector = map[string]string{group + "/reconcile": "disabled", group + "/ssa": "Ignore"}
	options.IfNotPresentSelector = map[string]string{group + "/ssa": "IfNotPresent"}
	options.ForceSelector = map[string]string{group + "/force": "enabled"}
	options.Cleanup = ssa.ApplyCleanupOptions{
		Annotations: []string{corev1.LastAppliedConfigAnnotation},
		FieldManagers: []ssa.FieldManager{
			{Name: "kubectl", OperationType: metav1.ManagedFieldsOperationApply},
			{Name: "kubectl", OperationType: metav1.ManagedFieldsOperationUpdate},
			{Name: "before-first-apply", OperationType: metav1.ManagedFieldsOperationUpdate},
			{Name: controller, OperationType: metav1.ManagedFieldsOperationUpdate},
		},
		Exclusions: map[string]string{group + "/ssa": "Merge"},
	}
	_, err := manager.ApplyAllStaged(ctx, objects, options)
	return err
}

func diff(ctx context.Context, manager *ssa.ResourceManager, objects []*unstructured.Unstructured) error {
	for _, object := range objects {
		change, _, _, err := manager.Diff(ctx, object, ssa.DefaultDiffOptions())
		if err != nil {
			return err
		}
		if change.Action != ssa.UnchangedAction {
			fmt.Println(object.GetKind(), object.GetName())
		}
	}
	return nil
}

// prune is kustomize-controller's deleteObjects.
func prune(ctx context.Context, manager *ssa.ResourceManager, previous string, objects []*unstructured.Unstructured) error {
	file, err := os.Open(previous)
	if err != nil {
		return err
	}
	defer file.Close()
	before, err := read(file)
	if err != nil {
		return err
	}
	present := map[string]bool{}
	for _, object := range objects {
		present[utils.FmtUnstructured(object)] = true
	}
	var gone []*unstructured.Unstructured
	for _, object := range before {
		if !present[utils.FmtUnstructured(object)] {
			gone = append(gone, object)
		}
	}
	_, err = manager.DeleteAll(ctx, gone, ssa.DeleteOptions{
		PropagationPolicy: metav1.DeletePropagationBackground,
		Inclusions:        manager.GetOwnerLabels("caches", "flux-system"),
		Exclusions:        map[string]string{group + "/prune": "disabled", group + "/reconcile": "disabled", group + "/ssa": "Ignore"},
	})
	return err
}
