package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/bizmatters/dragonfly-generator/internal/prepare"
	"github.com/bizmatters/dragonfly-generator/internal/prepare/handover"
)

func newPrepare(s Streams) *cobra.Command {
	var request handover.Request
	cmd := &cobra.Command{
		Use:   handover.Command,
		Short: "Give Dragonfly its password and maxmemory before it starts",
		Long: `The init container of an instance's pod runs this command; outside a pod, it fails.

It creates the instance's password at the first start and writes it into both of its Secrets, or reads yours (password
source Existing) and writes it into the connection Secret. The server gets it in a file in memory. An existing password
is kept. It waits for missing Secrets and for the API server.

It also stops a pod that would lose data: one with another instance's folder in a bucket, a volume that cannot be
written to, or a snapshot that does not fit in the server's memory.`,
		Args: cobra.MatchAll(cobra.NoArgs, func(*cobra.Command, []string) error {
			if request.MaxMemory < 0 || request.MemoryLimit < 0 {
				return errors.New("--max-memory and --memory-limit cannot be negative; specify a number of bytes")
			}
			return nil
		}),
		RunE: func(*cobra.Command, []string) error {
			return untilStopped(s, func(ctx context.Context) error {
				return prepare.Run(ctx, request, prepare.Environment{Getenv: os.Getenv, Random: rand.Reader, Log: s.Err, Sleep: sleep})
			})
		},
	}
	request.Bind(cmd.Flags())
	return cmd
}

// untilStopped runs a command of the pod, which ends early when the kubelet stops the container.
func untilStopped(s Streams, run func(context.Context) error) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		return fail(s, err)
	}
	return nil
}

// sleep pauses. It returns an error if ctx ends first.
func sleep(ctx context.Context, pause time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(pause):
		return nil
	}
}
