package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/bizmatters/dragonfly-generator/internal/explain"
)

// footer is the annotation with the end of a command's help.
const footer = "footer"

// help returns a command's help.
func help(cmd *cobra.Command) string {
	var out strings.Builder
	fmt.Fprintf(&out, "%s\n\nUsage:\n", cmd.Long)
	if cmd.HasParent() {
		fmt.Fprintf(&out, "  %s\n", cmd.UseLine())
	} else {
		fmt.Fprintf(&out, "  %s COMMAND\n  %s < RESOURCELIST\n\nCommands:\n", program, program)
		for _, sub := range cmd.Commands() {
			fmt.Fprintf(&out, "  %-20s %s\n", sub.Name(), sub.Short)
		}
	}
	fmt.Fprintf(&out, "\nFlags:\n%s", cmd.LocalFlags().FlagUsages())
	if cmd.Example != "" {
		fmt.Fprintf(&out, "\nExamples:\n%s\n", cmd.Example)
	}
	if !cmd.HasParent() { // `kpt fn doc` shows this help: it is the only place where it can show the configuration
		fmt.Fprintf(&out, "\nThe configuration, a DragonflyGenerator as functionConfig, has these fields in its spec:\n%s", explain.ConfigurationFields())
	}
	if text := cmd.Annotations[footer]; text != "" {
		fmt.Fprintf(&out, "\n%s\n", text)
	}
	return out.String()
}
