package config

import (
	"slices"
	"strings"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/decode"
	"github.com/bizmatters/dragonfly-generator/internal/report"
)

// ownFlags are what the function sets itself, each with where else its value comes from.
var ownFlags = map[string]string{
	"dir":              "the volume is mounted there",
	"dbfilename":       "with another name, old snapshots would fill up the volume",
	"version_check":    "it would call home",
	"snapshot_cron":    "it comes from spec.snapshotCron",
	"maxmemory":        "it follows from the memory limit in spec.sizes",
	"proactor_threads": "it follows from the CPU limit in spec.sizes",
}

// forbiddenFlags are those that would expose or bypass the password, allow any other flag, break the Service
// or the probes, or end the program.
var forbiddenFlags = []string{
	"requirepass",
	"aclfile", // its users do not need our password, and a default user needs none
	"flagfile", "fromenv", "tryfromenv",
	"port", "primary_port_http_enabled",
	"version", "only_check_args",
	"admin_nopass",   // opens a port without a password
	"memcached_port", // so does this one (dragonfly pull request 5098)
}

// bindFlags are allowed with a wildcard value only, so that the Service and the probes still reach Dragonfly.
var bindFlags = []string{"bind", "admin_bind"}

// wildcards are all IPv4 addresses, and all IPv4 and IPv6 addresses, which IPv6-only clusters need.
var wildcards = []string{"0.0.0.0", "::"}

// tlsFlags are what spec.tls sets.
var tlsFlags = []string{"tls", "tls_cert_file", "tls_key_file"}

// args takes further flags of Dragonfly. Errors do not show their values, which may be secrets.
func (r *reader) args(args []string) {
	r.Args = args
	for i, arg := range args {
		field := r.at(decode.Element("args", i))
		name, isFlag := flagName(arg)
		_, value, _ := strings.Cut(arg, "=")
		why, isOwn := ownFlags[name]
		switch {
		case !isFlag:
			r.Errorf(field, "is not a flag; write each one as a single string, --name=value")
		case strings.ContainsAny(arg, "\r\n\x00"):
			r.Errorf(field, "contains a line break or a NUL; write each flag on one line, --name=value")
		// Kubernetes fills in variables, and arguments show in the process list.
		case strings.Contains(arg, "$("+FlagVariable):
			r.Errorf(field, "would put a secret among the arguments, where everyone can see it; remove it")
		case isOwn:
			r.Errorf(field, "sets --%s, which the function sets itself: %s; remove it", name, why)
		case slices.Contains(forbiddenFlags, name), strings.HasPrefix(strings.TrimPrefix(name, "no"), "help"):
			r.Errorf(field, "sets --%s, which would break a guarantee of every instance (its password, its port or its health check); remove it", name)
		case slices.Contains(bindFlags, name) && !slices.Contains(wildcards, value):
			r.Errorf(field, "sets --%s, but neither the Service nor the probes would reach Dragonfly at an address other than 0.0.0.0 or ::; use one of these, or remove it", name)
		case r.Backend == v1alpha1.Operator && slices.Contains(operatorFlags, name):
			r.Errorf(field, "sets --%s, which the operator sets itself, or which needs files that backend: %s cannot mount; remove it", name, v1alpha1.Operator)
		case r.TLS.IsOn() && slices.Contains(tlsFlags, name):
			r.Errorf(field, "sets --%s, which spec.tls sets; remove it", name)
		default:
			r.placeholders(field, arg)
			r.knownFlag(field, name)
		}
	}
}

// FlagVariable begins the name of every environment variable that Dragonfly reads as a flag.
const FlagVariable = "DFLY_"

// knownFlag warns about a flag that Dragonfly does not have, because Dragonfly exits on unknown flags.
func (r *reader) knownFlag(field report.Field, name string) {
	known := knownFlags()
	if off := strings.TrimPrefix(name, "no"); slices.Contains(known, name) || slices.Contains(known, off) {
		if slices.Contains(clientCertificateFlags, off) && r.Backend == v1alpha1.StatefulSet {
			r.Warnf(field, "makes Dragonfly require a client certificate, which the probe does not have, so pods never become ready; remove it, or use another readinessProbe in overrides.statefulSet")
		}
		return
	}
	hint := ""
	mayBeSet := func(flag string) bool { return ownFlags[flag] == "" && !slices.Contains(forbiddenFlags, flag) }
	if near := decode.Nearest(name, known); near != "" && mayBeSet(near) {
		field.Proposed = "--" + near
		hint = "did you mean --" + near + "? "
	}
	if imageVersion(r.Image) == flagsVersion {
		r.Warnf(field, "sets --%s, which Dragonfly %s does not have, so it exits at start; %scorrect or remove it", name, flagsVersion, hint)
		return
	}
	r.Warnf(field, "sets --%s, which Dragonfly %s does not have; %scheck that the version of your image has it, or Dragonfly exits at start", name, flagsVersion, hint)
}

// clientCertificateFlags make Dragonfly ask clients for certificates.
var clientCertificateFlags = []string{"tls_ca_cert_file", "tls_ca_cert_dir"}

// asksForClientCertificates reports whether one of the flags does.
func asksForClientCertificates(args []string) bool {
	return slices.ContainsFunc(args, func(arg string) bool {
		name, _ := flagName(arg)
		return slices.Contains(clientCertificateFlags, name)
	})
}

// flagName returns the name of the flag that an argument sets, as Dragonfly knows it: whether written with
// one dash or two, with dashes for underscores, in capitals, or with the `no` that turns a flag off.
func flagName(arg string) (name string, isFlag bool) {
	name, isFlag = strings.CutPrefix(arg, "-")
	name, _, _ = strings.Cut(strings.TrimPrefix(name, "-"), "=")
	if !isFlag || name == "" || strings.HasPrefix(name, "-") || !decode.IsPlainName(name) {
		return "", false
	}
	name = strings.ReplaceAll(strings.ToLower(name), "-", "_")
	off := strings.TrimPrefix(name, "no")
	for _, flags := range [][]string{forbiddenFlags, bindFlags, operatorFlags, tlsFlags} {
		if slices.Contains(flags, off) {
			return off, true
		}
	}
	if ownFlags[off] != "" {
		return off, true
	}
	return name, true
}
