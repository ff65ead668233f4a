package cli

import (
	"context"
	"fmt"
	"net"
	"os"

	"github.com/spf13/cobra"

	"github.com/bizmatters/dragonfly-generator/internal/prepare/certificate"
	"github.com/bizmatters/dragonfly-generator/internal/prepare/handover"
)

func newKeepCertificate(s Streams) *cobra.Command {
	var request handover.CertificateRequest
	cmd := &cobra.Command{
		Use:   handover.CertificateCommand,
		Short: "Make an instance's server present a renewed certificate",
		Long: `The sidecar of an instance's pod runs this command if TLS is on; outside a pod, it fails.

Every 30 seconds it compares the certificate that the server presents with the mounted one. If they differ, and
the mounted certificate and key match, it tells the server to load them (CONFIG SET tls true), and then checks what
the server presents. Open connections stay open. It exits on SIGTERM.`,
		Args: cobra.MatchAll(cobra.NoArgs, func(*cobra.Command, []string) error {
			if request.TLS == "" {
				return fmt.Errorf("%s needs --tls=DIR; specify the folder of the mounted certificate", handover.CertificateCommand)
			}
			if _, _, err := net.SplitHostPort(request.Address); err != nil {
				return fmt.Errorf("%s needs --address=HOST:PORT, not %q", handover.CertificateCommand, request.Address)
			}
			if _, _, err := net.SplitHostPort(request.Admin); err != nil && request.Admin != "" {
				return fmt.Errorf("--admin needs a HOST:PORT, not %q", request.Admin)
			}
			return nil
		}),
		RunE: func(*cobra.Command, []string) error {
			return untilStopped(s, func(ctx context.Context) error {
				return certificate.Run(ctx, request, certificate.Environment{Getenv: os.Getenv, Log: s.Err, Sleep: sleep})
			})
		},
	}
	request.Bind(cmd.Flags())
	return cmd
}
