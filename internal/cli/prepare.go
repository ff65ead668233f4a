package cli

import (
	"context"
	"fmt"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/bizmatters/dragonfly-generator/internal/prepare"
	"github.com/bizmatters/dragonfly-generator/internal/prepare/handover"
)

func newPrepare(s Streams, code *int) *cobra.Command {
	var request handover.Request
	cmd := &cobra.Command{
		Use:   handover.Command,
		Short: "create an instance's password in its pod, and keep it",
		Long: `Creates the password of an instance in the cluster at its first start, and keeps it. The init container of the
password source InCluster runs this command; outside a pod it fails.

It writes the password into the instance's two Secrets, and into a file in memory for the server. A Secret that
has the password already stays as it is. It waits for missing Secrets and for the API server.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fmt.Errorf("%s takes no arguments; remove %q", handover.Command, args[0])
			}
			return nil
		},
		RunE: func(*cobra.Command, []string) error {
			ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			env := prepare.Environment{LookupEnv: s.Env.LookupEnv, Random: s.Env.Random, Log: s.Err}
			if err := prepare.Run(ctx, request, env); err != nil {
				fmt.Fprintf(s.Err, "error: %s\n", err)
				*code = exitError
			}
			return nil
		},
	}
	request.Bind(cmd.Flags())
	return cmd
}
