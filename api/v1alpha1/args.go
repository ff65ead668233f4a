package v1alpha1

import (
	"slices"
	"strings"
)

// flagRule is why a flag may not be among the additional ones.
type flagRule struct {
	own        string // the function sets it itself, for this reason or from this source
	forbidden  bool   // it would break a guarantee of every instance
	wildcard   bool   // only a wildcard is allowed, so that the Service and the probes still reach Dragonfly
	byOperator bool   // the operator sets it to reach its pods and to replicate, or it needs files that the operator cannot mount
}

// flagRules are the rules by Dragonfly's name of a flag.
var flagRules = map[string]flagRule{
	"dir":              {own: "the volume is mounted there"},
	"dbfilename":       {own: "with another name, old snapshots would fill up the volume"},
	"version_check":    {own: "it would call home"},
	"tls":              {own: "spec.tls turns TLS on"},
	"tls_cert_file":    {own: "the certificate comes from spec.tls"},
	"tls_key_file":     {own: "the key comes from spec.tls"},
	"snapshot_cron":    {own: "it comes from spec.snapshotCron"},
	"maxmemory":        {own: "it follows from the memory limit in spec.sizes"},
	"proactor_threads": {own: "it follows from the CPU limit in spec.sizes"},

	"requirepass":               {forbidden: true},
	"aclfile":                   {forbidden: true}, // its users do not need our password, and a default user needs none
	"admin_nopass":              {forbidden: true}, // opens a port without a password
	"memcached_port":            {forbidden: true}, // so does this one (dragonfly pull request 5098)
	"flagfile":                  {forbidden: true}, // could set any other flag, and so could the next two
	"fromenv":                   {forbidden: true},
	"tryfromenv":                {forbidden: true},
	"port":                      {forbidden: true}, // the Service and the probes need it
	"primary_port_http_enabled": {forbidden: true}, // so do the probes
	"version":                   {forbidden: true}, // ends the program, and so does the next
	"only_check_args":           {forbidden: true},

	"bind":       {wildcard: true},
	"admin_bind": {wildcard: true},

	"admin_port":                          {byOperator: true},
	"break_replication_on_master_restart": {byOperator: true},
	"replicaof":                           {byOperator: true},
	"tls_ca_cert_file":                    {byOperator: true},
	"tls_ca_cert_dir":                     {byOperator: true},
	"tls_replication":                     {byOperator: true},
	"no_tls_on_admin_port":                {byOperator: true},
}

// wildcards are all IPv4 addresses, and all IPv4 and IPv6 addresses, which IPv6-only clusters need.
var wildcards = []string{"0.0.0.0", "::"}

// FlagVariable is the prefix of environment variables that Dragonfly reads as flags.
const FlagVariable = "DFLY_"

// validateArg returns why an additional Dragonfly flag is refused, or "".
func (s *ProfileSpec) validateArg(arg string) string {
	name, isFlag := FlagName(arg)
	_, value, _ := strings.Cut(arg, "=")
	rule := flagRules[name]
	switch {
	case !isFlag:
		return "is not a flag; write each one as a single string, --name=value"
	case strings.ContainsAny(arg, "\r\n\x00"):
		return "contains a line break or a NUL; write each flag on one line, --name=value"
	// Kubernetes fills in variables, and arguments show in the process list.
	case strings.Contains(arg, "$("+FlagVariable):
		return "would put a secret among the arguments, where everyone can see it; remove it"
	case rule.own != "":
		return "sets --" + name + ", which the function sets itself: " + rule.own + "; remove it"
	case rule.forbidden, strings.HasPrefix(strings.TrimPrefix(name, "no"), "help"):
		return "sets --" + name + ", which would break a guarantee of every instance (its password, its port or its health check); remove it"
	case rule.wildcard && !slices.Contains(wildcards, value):
		return "sets --" + name + ", but neither the Service nor the probes would reach Dragonfly at an address other than 0.0.0.0 or ::; use one of these, or remove it"
	case rule.byOperator && *s.Backend == Operator:
		return "sets --" + name + ", which the operator sets itself, or which needs files that backend: Operator cannot mount; remove it"
	}
	return ""
}

// MaySetFlag reports whether args may set a flag.
func MaySetFlag(name string) bool {
	return flagRules[name].own == "" && !flagRules[name].forbidden
}

// AsksForClientCertificates reports whether a flag, by the name that FlagName returns, makes Dragonfly ask clients for
// certificates.
func AsksForClientCertificates(name string) bool {
	return name == "tls_ca_cert_file" || name == "tls_ca_cert_dir"
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
	if _, hasRule := flagRules[off]; hasRule {
		return off, true
	}
	return name, true
}
