package cli

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/bizmatters/dragonfly-generator/internal/prepare"
	"github.com/bizmatters/dragonfly-generator/internal/prepare/handover"
)

func newPrepare(s Streams) *cobra.Command {
	var request handover.Request
	cmd := &cobra.Command{
		Use:   handover.Command,
		Short: "Bring a pod's Dragonfly its password; for the init container only",
		Long: `Brings a pod's Dragonfly its password, which it makes at the first start of an instance unless somebody else does.
The init container of an instance's pod runs this command; outside a pod it fails.

It writes the password into the instance's Secrets, and into a file in memory for the server. A Secret that
has the password already stays as it is. It waits for missing Secrets and for the API server.`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			env := prepare.Environment{LookupEnv: os.LookupEnv, Random: rand.Reader, Log: s.Err}
			if err := prepare.Run(ctx, request, env); err != nil {
				fmt.Fprintf(s.Err, "error: %s\n", err)
				return errFailed
			}
			return nil
		},
	}
	request.Bind(cmd.Flags())
	return cmd
}
