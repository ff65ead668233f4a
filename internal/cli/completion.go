package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// shells are those for which there is a completion, with what writes it.
var shells = map[string]func(*cobra.Command, io.Writer) error{
	"bash":       func(root *cobra.Command, out io.Writer) error { return root.GenBashCompletionV2(out, true) },
	"zsh":        (*cobra.Command).GenZshCompletion,
	"fish":       func(root *cobra.Command, out io.Writer) error { return root.GenFishCompletion(out, true) },
	"powershell": (*cobra.Command).GenPowerShellCompletionWithDesc,
}

func newCompletion(root *cobra.Command, s Streams, code *int) *cobra.Command {
	names := slices.Sorted(maps.Keys(shells))
	return &cobra.Command{
		Use:   "completion SHELL",
		Short: "print the completion for a shell",
		Long:  "Prints what bash, fish, powershell or zsh reads to complete the commands, flags and topics of this program.",
		Example: `  source <(dragonfly-generator completion bash)      # in ~/.bashrc
  source <(dragonfly-generator completion zsh)       # in ~/.zshrc, below compinit
  dragonfly-generator completion fish >~/.config/fish/completions/dragonfly-generator.fish
  dragonfly-generator completion powershell | Out-String | Invoke-Expression   # in $PROFILE`,
		ValidArgs: names,
		Args: func(_ *cobra.Command, args []string) error {
			switch {
			case len(args) != 1:
				return errors.New("completion needs one SHELL; name " + strings.Join(names, ", "))
			case shells[args[0]] == nil:
				return fmt.Errorf("unknown shell %q; %s", args[0], suggest(args[0], names, "the shells are "+strings.Join(names, ", ")))
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			var script bytes.Buffer
			if err := shells[args[0]](root, &script); err != nil {
				return err
			}
			*code = write(s, script.Bytes())
			return nil
		},
	}
}

// isCompletion reports the command by which a completion asks what could come next. cobra adds it only then.
func isCompletion(word string) bool {
	return word == cobra.ShellCompRequestCmd || word == cobra.ShellCompNoDescRequestCmd
}

// onlyFolders completes the names of folders.
func onlyFolders(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveFilterDirs
}
