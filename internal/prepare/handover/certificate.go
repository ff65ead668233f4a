package handover

import "github.com/spf13/pflag"

// CertificateCommand is the subcommand that the TLS sidecar runs.
const CertificateCommand = "keep-certificate"

// PasswordVariable is the variable with the password of a server that has no flag file.
const PasswordVariable = "DFLY_requirepass"

// CertificateRequest is what a pod's manifest asks keep-certificate to do.
type CertificateRequest struct {
	// TLS is the folder where the certificate's Secret is mounted: tls.crt and tls.key.
	TLS string
	// Address is where the server presents its certificate, HOST:PORT.
	Address string
	// Admin is a port of the server that takes commands without TLS and without a password, HOST:PORT; "" if the
	// commands go to Address.
	Admin string
	// FlagFile reports that the password is in the file FlagFile, not in PasswordVariable.
	FlagFile bool
}

// Args returns the container's args, including the command.
func (r CertificateRequest) Args() []string { return args(CertificateCommand, r.Bind) }

// Bind defines the flags of keep-certificate, which set the request. The request's current values are their defaults.
func (r *CertificateRequest) Bind(flags *pflag.FlagSet) {
	flags.StringVar(&r.TLS, "tls", r.TLS, "compare with tls.crt in `DIR`, which must also contain tls.key")
	flags.StringVar(&r.Address, "address", r.Address, "connect with TLS to the server at `HOST:PORT`")
	flags.StringVar(&r.Admin, "admin", r.Admin, "send commands to `HOST:PORT`, without TLS and without a password")
	flags.BoolVar(&r.FlagFile, flagFileFlag, r.FlagFile, "read the password from "+FlagFile+", not from "+PasswordVariable)
}
