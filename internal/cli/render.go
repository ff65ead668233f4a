package cli

import (
	"errors"
	"slices"

	"github.com/spf13/cobra"

	"github.com/bizmatters/dragonfly-generator/internal/render"
)

func newRender(s Streams) *cobra.Command {
	var o render.Options
	cmd := &cobra.Command{
		Use:   "render PATH...",
		Short: "Write manifests without kustomize or kpt",
		Long: `Reads files, folders and - (stdin) as plain YAML, expands the claims in them, and prints the manifests, after the
other resources. Claims and anything else not meant for the cluster are left out.

With -o, it writes only the instances' manifests, as DIR/NAME.NAMESPACE/*.yaml. The contents of DIR are read first.
Only files that change are written, each one completely or not at all. An instance whose claim is gone stays, with a
warning, unless --prune is given.`,
		Example: `  dragonfly-generator render claims/ | kubectl apply -f -
  kustomize build prod | dragonfly-generator render - | kubectl apply -f -
  dragonfly-generator render claims/ -o manifests/
  dragonfly-generator render claims/ -o manifests/ --check`,
		Args: func(cmd *cobra.Command, args []string) error {
			switch {
			case len(args) == 0:
				return errors.New("render needs a PATH; specify files or folders with claims, or - for stdin")
			case cmd.Flags().Changed("output") && o.Folder == "":
				return errors.New("-o needs a DIR, but it is empty; specify a folder")
			case o.Folder == "-":
				return errors.New("-o needs a DIR; without -o, the manifests go to stdout")
			case cmd.Flags().Changed("config") && o.Config == "":
				return errors.New("--config needs a FILE, but it is empty; specify a file")
			case o.Prune && o.Folder == "":
				return errors.New("--prune needs a folder to remove from; add -o DIR")
			case o.Check && o.Folder == "":
				return errors.New("--check needs a folder to compare with; add -o DIR")
			case slices.Contains(args, ""):
				return errors.New("a PATH is empty; specify a file or folder, or - for stdin")
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			o.Paths = args
			if !render.Run(o, render.Streams{In: s.In, Out: s.Out, Err: s.Err}) {
				return errFailed
			}
			return nil
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&o.Folder, "output", "o", "", "write into `DIR`")
	flags.BoolVar(&o.Check, "check", false, "write nothing; print what would change in the DIR of -o, and exit with 1 if anything would")
	flags.BoolVar(&o.Prune, "prune", false, "remove from the DIR of -o the instances whose claims are gone")
	flags.StringVar(&o.Config, "config", "", "read the configuration, a DragonflyGenerator, from `FILE`, and ignore any in PATH")
	_ = cmd.MarkFlagDirname("output") // fails only for a flag that does not exist
	return cmd
}
