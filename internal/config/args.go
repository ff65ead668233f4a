package config

import (
	"slices"
	"strings"

	"github.com/bizmatters/dragonfly-generator/generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/decode"
)

// ownFlags are what the function sets itself, each with where else its value comes from.
var ownFlags = map[string]string{
	"dir":              "it is where the volume is",
	"dbfilename":       "another would keep every snapshot until the volume is full",
	"version_check":    "it would call home",
	"snapshot_cron":    "set spec.snapshotCron",
	"maxmemory":        "it follows from the memory limit, set spec.sizes",
	"proactor_threads": "it follows from the CPU limit, set spec.sizes",
}

// forbiddenFlags are those that would show the password or do without, let in any other flag, make the
// Service or the probes useless, or end the program.
var forbiddenFlags = []string{
	"requirepass",
	"flagfile", "fromenv", "tryfromenv",
	"port", "bind", "primary_port_http_enabled",
	"version", "only_check_args",
	"admin_nopass",   // opens a port without a password
	"memcached_port", // so does this one (dragonfly pull request 5098)
}

// args takes further flags of Dragonfly. Errors do not show their values, which may be secrets.
func (r *reader) args(args []string) {
	r.Args = args
	for i, arg := range args {
		field := r.at(decode.Element("args", i))
		name, isFlag := flagName(arg)
		why, isOwn := ownFlags[name]
		switch {
		case !isFlag:
			r.Errorf(field, "is no flag; write each as one text, --name=value")
		case strings.ContainsAny(arg, "\r\n\x00"):
			r.Errorf(field, "has a line break or a NUL in it; write each flag as one line, --name=value")
		// Kubernetes fills in variables, and arguments show in the process list.
		case strings.Contains(arg, "$(DFLY_"):
			r.Errorf(field, "would put a variable with a secret among the arguments, where everybody sees it; take it out")
		case isOwn:
			r.Errorf(field, "sets --%s, which the function sets itself: %s; take it out", name, why)
		case slices.Contains(forbiddenFlags, name), strings.HasPrefix(strings.TrimPrefix(name, "no"), "help"):
			r.Errorf(field, "sets --%s, which would break what every instance promises (its password, its port, its health check); take it out", name)
		case r.Backend == v1alpha1.Operator && slices.Contains(operatorFlags, name):
			r.Errorf(field, "sets --%s, which the operator sets itself, or which needs files that backend: %s cannot mount; take it out", name, v1alpha1.Operator)
		}
	}
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
	if off := strings.TrimPrefix(name, "no"); ownFlags[off] != "" || slices.Contains(forbiddenFlags, off) || slices.Contains(operatorFlags, off) {
		return off, true
	}
	return name, true
}
