package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/bizmatters/dragonfly-generator/internal/config"
	"github.com/bizmatters/dragonfly-generator/internal/explain"
	"github.com/bizmatters/dragonfly-generator/internal/krm"
	"github.com/bizmatters/dragonfly-generator/internal/render"
	"github.com/bizmatters/dragonfly-generator/internal/report"
)

func newExplain(s Streams, code *int) *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "explain [TOPIC]",
		Short: "explain a size, a profile or a field",
		Long: `Explains a size, a profile, or a field of a claim or a configuration. Without a TOPIC it lists the fields. The
sizes and profiles of a configuration are explained with --config FILE.`,
		Example: `  dragonfly-generator explain sizes
  dragonfly-generator explain size large
  dragonfly-generator explain profile cache --config dragonfly-generator.yaml
  dragonfly-generator explain storage.type
  dragonfly-generator explain password-rotation`,
		Args: func(cmd *cobra.Command, args []string) error {
			switch {
			case len(args) > 2:
				return errors.New("explain takes one topic; see `dragonfly-generator help explain`")
			case cmd.Flags().Changed("config") && file == "":
				return errors.New("--config needs a FILE, but it is empty; name a file")
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			*code = explainTopic(s, args, file)
			return nil
		},
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			switch {
			case len(args) == 0:
				return explain.Words(), cobra.ShellCompDirectiveNoFileComp
			case len(args) == 1 && args[0] == "size":
				return config.Default().Sizes.Names(), cobra.ShellCompDirectiveNoFileComp
			}
			return nil, cobra.ShellCompDirectiveNoFileComp
		},
	}
	cmd.Flags().StringVar(&file, "config", "", "explain the sizes and profiles of the configuration in `FILE`")
	return cmd
}

// explainTopic prints what is to be said of a topic.
func explainTopic(s Streams, words []string, file string) int {
	var results report.Results
	platform := explain.Platform{Platform: config.Read(nil, &results)}
	if file != "" {
		var object *krm.Item
		if object = render.ReadConfig(file, &results); object != nil {
			platform.Platform, platform.Object = config.Read(object, &results), object.Node
		}
		fmt.Fprint(s.Err, report.Lines(results.All()))
		if results.HasErrors() {
			return exitError
		}
	}
	text, err := explain.Explain(words, platform)
	if err != nil {
		fmt.Fprintf(s.Err, "error: %s\n", err)
		return exitError
	}
	return write(s, []byte(text))
}
