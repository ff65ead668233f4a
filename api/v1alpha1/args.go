package v1alpha1

import (
	"slices"
	"strings"
)

// ownFlags are the flags that the function sets itself, each with the reason or the source of its value.
var ownFlags = map[string]string{
	"dir":              "the volume is mounted there",
	"dbfilename":       "with another name, old snapshots would fill up the volume",
	"version_check":    "it would call home",
	"tls":              "it comes from spec.tls",
	"tls_cert_file":    "it comes from spec.tls",
	"tls_key_file":     "it comes from spec.tls",
	"snapshot_cron":    "it comes from spec.snapshotCron",
	"maxmemory":        "it follows from the memory limit in spec.sizes",
	"proactor_threads": "it follows from the CPU limit in spec.sizes",
}

// forbiddenFlags would expose or bypass the password, allow any other flag, break the Service or the probes, or end the
// program.
var forbiddenFlags = []string{
	"requirepass",
	"aclfile", // its users do not need our password, and a default user needs none
	"flagfile", "fromenv", "tryfromenv",
	"port", "primary_port_http_enabled",
	"version", "only_check_args",
	"admin_nopass",   // opens a port without a password
	"memcached_port", // so does this one (dragonfly pull request 5098)
}

// bindFlags are only allowed with a wildcard value, so that the Service and the probes still reach Dragonfly.
var bindFlags = []string{"bind", "admin_bind"}

// wildcards are all IPv4 addresses, and all IPv4 and IPv6 addresses, which IPv6-only clusters need.
var wildcards = []string{"0.0.0.0", "::"}

// operatorFlags are the flags that the Dragonfly Operator sets itself, to reach its pods and to replicate, and flags that need
// files that it cannot mount.
var operatorFlags = []string{
	"admin_port", "admin_nopass", "break_replication_on_master_restart", "replicaof",
	"tls_ca_cert_file", "tls_ca_cert_dir", "tls_replication", "no_tls_on_admin_port",
}

// clientCertificateFlags make Dragonfly ask clients for certificates.
var clientCertificateFlags = []string{"tls_ca_cert_file", "tls_ca_cert_dir"}

// FlagVariable is the prefix of environment variables that Dragonfly reads as flags.
const FlagVariable = "DFLY_"

// validateArg returns why an additional Dragonfly flag is refused, or "".
func (s *ProfileSpec) validateArg(arg string) string {
	name, isFlag := FlagName(arg)
	_, value, _ := strings.Cut(arg, "=")
	why, isOwn := ownFlags[name]
	switch {
	case !isFlag:
		return "is not a flag; write each one as a single string, --name=value"
	case strings.ContainsAny(arg, "\r\n\x00"):
		return "contains a line break or a NUL; write each flag on one line, --name=value"
	// Kubernetes fills in variables, and arguments show in the process list.
	case strings.Contains(arg, "$("+FlagVariable):
		return "would put a secret among the arguments, where everyone can see it; remove it"
	case isOwn:
		return "sets --" + name + ", which the function sets itself: " + why + "; remove it"
	case slices.Contains(forbiddenFlags, name), strings.HasPrefix(strings.TrimPrefix(name, "no"), "help"):
		return "sets --" + name + ", which would break a guarantee of every instance (its password, its port or its health check); remove it"
	case slices.Contains(bindFlags, name) && !slices.Contains(wildcards, value):
		return "sets --" + name + ", but neither the Service nor the probes would reach Dragonfly at an address other than 0.0.0.0 or ::; use one of these, or remove it"
	case *s.Backend == Operator && slices.Contains(operatorFlags, name):
		return "sets --" + name + ", which the operator sets itself, or which needs files that backend: Operator cannot mount; remove it"
	}
	return ""
}

// MaySetFlag reports whether args may set a flag.
func MaySetFlag(name string) bool {
	return ownFlags[name] == "" && !slices.Contains(forbiddenFlags, name)
}

// AsksForClientCertificates reports whether a flag, by its name, makes Dragonfly ask clients for certificates.
func AsksForClientCertificates(name string) bool {
	return slices.Contains(clientCertificateFlags, strings.TrimPrefix(name, "no"))
}

// FlagName returns Dragonfly's name of the flag that an argument sets, whether it is written with one dash or two, with
// dashes instead of underscores, in capitals, or with the `no` that turns a flag off.
func FlagName(arg string) (name string, isFlag bool) {
	name, isFlag = strings.CutPrefix(arg, "-")
	name, _, _ = strings.Cut(strings.TrimPrefix(name, "-"), "=")
	if !isFlag || name == "" || strings.HasPrefix(name, "-") || !IsPlainName(name) {
		return "", false
	}
	name = strings.ReplaceAll(strings.ToLower(name), "-", "_")
	off := strings.TrimPrefix(name, "no")
	for _, flags := range [][]string{forbiddenFlags, bindFlags, operatorFlags} {
		if slices.Contains(flags, off) {
			return off, true
		}
	}
	if ownFlags[off] != "" {
		return off, true
	}
	return name, true
}
