//go:build linux

package bench

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// part writes some items of a list. Nothing is kept in memory, because a child's peak starts with this process's.
type part func(w io.Writer)

// newInput writes a ResourceList with the given items to a file.
func newInput(b *testing.B, parts ...part) file {
	b.Helper()
	path := filepath.Join(b.TempDir(), "input.yaml")
	out, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	w := bufio.NewWriter(out)
	fmt.Fprint(w, "apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nitems:\n")
	for _, write := range parts {
		write(w)
	}
	if err := w.Flush(); err != nil {
		b.Fatal(err)
	}
	if err := out.Close(); err != nil {
		b.Fatal(err)
	}
	return file(path)
}

// expanded returns the program's output for an input.
func expanded(b *testing.B, input file) file {
	b.Helper()
	output := file(filepath.Join(b.TempDir(), "output.yaml"))
	start(b, exec.Command(find(b, "dragonfly-generator")), input, output)
	return output
}

func claims(n int) part {
	return func(w io.Writer) {
		for i := range n {
			fmt.Fprintf(w, `- apiVersion: database.bizmatters.io/v1alpha1
  kind: DragonflyInstance
  metadata:
    name: cache-%d
    namespace: team-%d
    annotations:
      config.kubernetes.io/path: 'claims/cache-%d.yaml'
  spec:
    size: small
    storageGB: 10
`, i, i%100, i)
		}
	}
}

func deployments(n int) part {
	return func(w io.Writer) {
		for i := range n {
			fmt.Fprintf(w, `- apiVersion: apps/v1
  kind: Deployment
  metadata:
    name: app-%d
    namespace: team-%d
  spec:
    replicas: 2
    selector:
      matchLabels: {app: app-%d}
    template:
      metadata:
        labels: {app: app-%d}
      spec:
        containers:
        - name: app
          image: registry.example.com/app:v1.0.0 # as its team released it
          env:
          - name: REDIS_HOST
            valueFrom: {secretKeyRef: {name: cache-0-conn, key: endpoint}}
`, i, i%100, i, i)
		}
	}
}

// kptfile marks the result as kept.
func kptfile(w io.Writer) {
	fmt.Fprint(w, `- apiVersion: kpt.dev/v1
  kind: Kptfile
  metadata:
    name: package
    annotations:
      config.kubernetes.io/path: 'Kptfile'
`)
}

// program is how kustomize calls a function that is a program; container is for one in a container.
func program(b *testing.B, name string) (call string) {
	b.Helper()
	return "exec: {path: " + find(b, name) + "}"
}

func container(b *testing.B, name string) (call string) {
	b.Helper()
	return "container: {image: " + buildImage(b, name) + "}"
}

// kustomization creates a folder with the items of a list as resources, and a function as a transformer.
func kustomization(b *testing.B, call string, list file) (folder string) {
	b.Helper()
	return folderOf(b, map[string]string{
		"kustomization.yaml": "resources: [resources.yaml]\ntransformers: [function.yaml]\n",
		"resources.yaml":     documents(b, list),
		"function.yaml": fmt.Sprintf("apiVersion: database.bizmatters.io/v1alpha1\nkind: DragonflyGenerator\n"+
			"metadata:\n  name: function\n  annotations:\n    config.kubernetes.io/function: |\n      %s\n", call),
	})
}

// plain creates a folder with the items of a list as resources, and no function.
func plain(b *testing.B, list file) (folder string) {
	b.Helper()
	return folderOf(b, map[string]string{
		"kustomization.yaml": "resources: [resources.yaml]\n",
		"resources.yaml":     documents(b, list),
	})
}

// generators creates a folder in which each claim of a list calls the function separately.
func generators(b *testing.B, list file) (folder string) {
	b.Helper()
	return folderOf(b, map[string]string{
		"kustomization.yaml": "generators: [claims.yaml]\n",
		"claims.yaml": strings.ReplaceAll(documents(b, list), "  annotations:\n", fmt.Sprintf(
			"  annotations:\n    config.kubernetes.io/function: |\n      exec: {path: %s}\n", find(b, "dragonfly-generator"))),
	})
}

// documents returns the items of a list as a stream of YAML documents.
func documents(b *testing.B, list file) string {
	b.Helper()
	text, err := os.ReadFile(string(list))
	if err != nil {
		b.Fatal(err)
	}
	_, items, _ := strings.Cut(string(text), "\nitems:\n")
	items, _, _ = strings.Cut(items, "\nresults:\n")
	resources := strings.ReplaceAll(strings.TrimPrefix("\n"+items, "\n- "), "\n- ", "\n---\n")
	return strings.ReplaceAll(resources, "\n  ", "\n")
}

// folderOf creates a folder with these files.
func folderOf(b *testing.B, files map[string]string) (folder string) {
	b.Helper()
	folder = b.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	return folder
}
