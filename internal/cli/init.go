package cli

import (
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/expand"
	"github.com/bizmatters/dragonfly-generator/internal/krm"
	"github.com/bizmatters/dragonfly-generator/internal/merge"
	"github.com/bizmatters/dragonfly-generator/internal/report"
)

// starter holds the files that init writes. Words in capitals are placeholders.
//
//go:embed starter/*.yaml
var starter embed.FS

// starterFiles are the names of these files, in the order in which to read them.
var starterFiles = []string{"claim.yaml", "dragonfly-generator.yaml", "kustomization.yaml"}

type initOptions struct {
	folder, name, namespace string
	container               bool
}

func newInit(s Streams) *cobra.Command {
	var o initOptions
	cmd := &cobra.Command{
		Use:   "init [DIR]",
		Short: "Write a claim and the files to build it",
		Long: `Writes claim.yaml, dragonfly-generator.yaml and kustomization.yaml into DIR (default: the current folder), and prints
the command that builds them. If any of the files already exists, nothing is written.`,
		Example: `  dragonfly-generator init my-app --name sessions --namespace my-app`,
		Args:    cobra.MatchAll(cobra.MaximumNArgs(1), hasNoEmptyDir),
		RunE: func(_ *cobra.Command, args []string) error {
			o.folder = "."
			if len(args) == 1 {
				o.folder = args[0]
			}
			return initialize(s, o)
		},
		ValidArgsFunction: onlyFolders,
	}
	flags := cmd.Flags()
	flags.StringVar(&o.name, "name", "my-cache", "call the instance `NAME`")
	flags.StringVar(&o.namespace, "namespace", "my-namespace", "put the instance into `NAMESPACE`")
	flags.BoolVar(&o.container, "container", false, "have kustomize run the function as a container, not as a program")
	return cmd
}

// initialize writes the starter files.
func initialize(s Streams, o initOptions) error {
	texts, results := o.texts()
	if results.HasErrors() {
		fmt.Fprint(s.Err, report.Lines(results.All()))
		return errFailed
	}
	if err := writeNew(o.folder, texts); err != nil {
		return fail(s, err)
	}
	var out strings.Builder
	for _, file := range starterFiles {
		fmt.Fprintf(&out, "%s\n", filepath.Join(o.folder, file))
	}
	flags := "--enable-alpha-plugins --enable-exec"
	if o.container {
		flags = "--enable-alpha-plugins"
	}
	fmt.Fprintf(s.Err, "info: to build it, run: kustomize build %s %s\n", flags, report.Quote(o.folder))
	return write(s, out.String())
}

// texts fills in the files. It validates the claim, so that the user learns about problems before anything is written.
func (o initOptions) texts() (map[string]string, *report.Results) {
	function := "exec:\n        path: " + program
	if o.container {
		function = "container:\n        image: " + v1alpha1.DefaultPrepareImage
	}
	fill := strings.NewReplacer("NAMESPACE", yamlText(o.namespace), "NAME", yamlText(o.name), "FUNCTION", function)
	texts, results := map[string]string{}, &report.Results{}
	for _, file := range starterFiles {
		text, err := fs.ReadFile(starter, "starter/"+file)
		if err != nil {
			results.Errorf(nil, "%s cannot be read: %s", file, report.Reason(err))
			continue
		}
		texts[file] = fill.Replace(string(text))
	}
	documents, err := krm.Documents("claim.yaml", []byte(texts["claim.yaml"]))
	if err != nil {
		results.Errorf(nil, "%s", err)
		return texts, results
	}
	claim := krm.NewItem(documents[0].Node.Content[0])
	expand.Expand(krm.NewList([]*krm.Item{claim}, nil), merge.Options{}, results)
	return texts, results
}

// yamlText returns a text as a YAML scalar on one line. Anything but plain words is quoted, so that 123 stays a string.
func yamlText(text string) string {
	if plain, err := yaml.Marshal(text); err == nil && string(plain) == text+"\n" {
		return text
	}
	quoted, _ := json.Marshal(text) // cannot fail
	return string(quoted)
}

// writeNew writes files that must not exist yet, either all of them or none.
func writeNew(folder string, texts map[string]string) error {
	if err := os.MkdirAll(folder, 0o755); err != nil { //nolint:gosec // for manifests
		return fmt.Errorf("%s cannot be written to: %w", folder, report.Reason(err))
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return fmt.Errorf("%s cannot be written to: %w", folder, report.Reason(err))
	}
	defer root.Close()
	for _, file := range starterFiles {
		if _, err := root.Lstat(file); err == nil {
			return fmt.Errorf("%s already exists, so nothing is written; choose another DIR", filepath.Join(folder, file))
		}
	}
	for i, file := range starterFiles {
		if err := createFile(root, file, texts[file]); err != nil {
			for _, written := range starterFiles[:i] {
				_ = root.Remove(written) // we have just written it
			}
			return fmt.Errorf("%s cannot be written: %w", filepath.Join(folder, file), report.Reason(err))
		}
	}
	return nil
}

// createFile writes a file that must not exist. If it cannot be written completely, it is removed.
func createFile(root *os.Root, name, text string) error {
	file, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = file.WriteString(text)
	if closing := file.Close(); err == nil {
		err = closing
	}
	if err != nil {
		_ = root.Remove(name)
	}
	return err
}
