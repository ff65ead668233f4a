package cli

import (
	"bytes"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/instance"
	"github.com/bizmatters/dragonfly-generator/internal/krm"
	"github.com/bizmatters/dragonfly-generator/internal/merge"
	"github.com/bizmatters/dragonfly-generator/internal/report"
	"github.com/bizmatters/dragonfly-generator/internal/yamlnode"
)

func newRefusePlainSecrets(s Streams, code *int) *cobra.Command {
	return &cobra.Command{
		Use:   "refuse-plain-secrets FILE...",
		Short: "fail if a file contains a generated password in plain text",
		Long: `Fails for each Secret among the files that this program made and whose password is neither encrypted nor made in
the cluster. It is a hook for pre-commit: such a file must not be committed.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("refuse-plain-secrets needs a FILE; name the files that are committed")
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			var results report.Results
			for _, file := range args {
				refusePlainSecrets(file, &results)
			}
			fmt.Fprint(s.Err, report.Lines(results.All()))
			*code = exitOK
			if results.HasErrors() {
				*code = exitError
			}
			return nil
		},
	}
}

// refusePlainSecrets reports the Secrets of ours in a file that hold a password. A file that is no YAML is somebody
// else's, unless our mark is in it.
func refusePlainSecrets(file string, results *report.Results) {
	text, err := os.ReadFile(file) //nolint:gosec // named on the command line
	if err != nil {
		results.Errorf(nil, "%s cannot be read: %s", file, report.Reason(err))
		return
	}
	if !bytes.Contains(text, []byte(v1alpha1.GeneratedFrom)) {
		return
	}
	documents, err := krm.Documents(file, text)
	if err != nil {
		results.Errorf(nil, "%s", err)
		return
	}
	index := 0
	for _, document := range documents {
		if document.Node == nil {
			continue
		}
		item := krm.NewFileItem(document.Node.Content[0], file, index)
		index++
		for _, object := range append(item.Listed(), item) {
			if object.Kind == "Secret" && merge.IsOurs(object) && !object.IsEncrypted() && holdsPassword(object) {
				results.Errorf(object, "holds its password in plain text; encrypt the file before you commit it (see docs/passwords.md)")
			}
		}
	}
}

func holdsPassword(secret *krm.Item) bool {
	return yamlnode.Text(secret.Node, "data", instance.PasswordKey) != "" || yamlnode.Text(secret.Node, "stringData", instance.PasswordKey) != ""
}
