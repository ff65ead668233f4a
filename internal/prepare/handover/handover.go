// Package handover defines the interface between the manifests that we write and our program in the pod: mount paths,
// variables, arguments and keys. Both sides import it, so they cannot disagree.
//
// The init container, `dragonfly-generator prepare`, gets a Request in its arguments and the identity of its pod in
// variables. It passes the password to the server in FlagFile or, if our files cannot be mounted into the server's
// container (Dragonfly Operator), in the key RotationKey of the password Secret.
package handover

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
)

// Command is the subcommand that the init container runs.
const Command = "prepare"

// The mount paths of the init container. The server's container mounts only FlagFolder, read-only.
const (
	// TokenPath is where Kubernetes mounts tokens: token, ca.crt and namespace.
	TokenPath = "/var/run/secrets/kubernetes.io/serviceaccount" //nolint:gosec // a path
	// PasswordSecretPath and ConnectionSecretPath are optional Secret volumes.
	PasswordSecretPath   = "/run/dragonfly/password-secret"
	ConnectionSecretPath = "/run/dragonfly/connection-secret"
	// FlagFolder is an emptyDir in memory.
	FlagFolder = "/run/dragonfly/flags"
	// FlagFile is the file in the server's --flagfile.
	FlagFile = FlagFolder + "/flagfile"
)

// The variables of the init container. The downward API sets the first two to the identity of the pod, and the last to
// the pod's annotation with the requested rotation, which is empty if there is none.
const (
	PodNameVariable          = "POD_NAME"
	PodNamespaceVariable     = "POD_NAMESPACE"
	PasswordRotationVariable = "PASSWORD_ROTATION"
)

// DBFileName is the server's --dbfilename, with which the name of every snapshot file begins.
const DBFileName = "dump"

// LoadablePercent is the size of the largest snapshot that prepare lets the server load, as a percentage of the memory
// limit. A server that loaded 82% peaked at 83%, and the kernel kills one that needs much more.
const LoadablePercent = 85

// Request is what a pod's manifest asks prepare to do.
type Request struct {
	// Data is the folder of the volume, where prepare keeps its record and looks for a snapshot; "" for a pod without
	// a volume.
	Data string
	// Bucket is the URL of the instance's folder in a bucket, or "". It ends with /NAMESPACE/NAME.
	Bucket string
	// FlagFile tells prepare to write the server's flags to the file FlagFile.
	FlagFile bool
	// MaxMemory is the configured maxmemory of the server, in bytes. If it is 0, the flag file does not set it.
	MaxMemory int64
	// MemoryLimit is the memory limit of the server's container, in bytes; 0 if unknown.
	MemoryLimit int64
	// Existing reports that the password Secret belongs to someone else, who creates the password. It is only read.
	Existing bool
	// RotationKey is the key of the password Secret that the server reads, or "" if the manifest does not say.
	RotationKey string
	// Keys are additional keys of the connection Secret, as templates for Values.Fill.
	Keys map[string]string
}

// Args returns the container's args, including the command.
func (r Request) Args() []string { return args(Command, r.Bind) }

// Bind defines the flags of prepare, which set the request. The request's current values are their defaults.
func (r *Request) Bind(flags *pflag.FlagSet) {
	flags.StringVar(&r.Data, "data", r.Data, "keep the record in `DIR`, the folder of the volume, and look for a snapshot there")
	flags.StringVar(&r.Bucket, "bucket", r.Bucket, "fail unless `URL`, the folder of the snapshots, belongs to this instance")
	flags.BoolVar(&r.FlagFile, flagFileFlag, r.FlagFile, "write the password and maxmemory to "+FlagFile+" for the server")
	flags.Int64Var(&r.MaxMemory, "max-memory", r.MaxMemory, "the server's maxmemory in `BYTES`, raised if the snapshot needs more")
	flags.Int64Var(&r.MemoryLimit, "memory-limit", r.MemoryLimit, "the server's memory limit in `BYTES`")
	flags.BoolVar(&r.Existing, "existing", r.Existing, "read the password Secret, and never write to it")
	flags.StringVar(&r.RotationKey, "rotation-key", r.RotationKey, "fail unless `KEY`, the key that the server reads, belongs to the rotation in the pod's annotation")
	flags.Var(keys{&r.Keys}, "key", "add `KEY=TEMPLATE` to the connection Secret; may be repeated")
}

// ParseArgs returns the request in a container's args, as far as it can be read.
func ParseArgs(args []string) Request {
	var r Request
	flags := pflag.NewFlagSet(Command, pflag.ContinueOnError)
	flags.ParseErrorsAllowlist.UnknownFlags = true
	r.Bind(flags)
	var plain []string
	for _, arg := range args {
		plain = append(plain, strings.ReplaceAll(arg, "$$", "$"))
	}
	_ = flags.Parse(plain)
	return r
}

const flagFileFlag = "flag-file"

// args returns a container's args: the command, and the flags that have a value. Kubernetes expands $(NAME) in args and reads
// $$ as a dollar sign, so each dollar sign is doubled.
func args(command string, bind func(*pflag.FlagSet)) []string {
	flags := pflag.NewFlagSet(command, pflag.ContinueOnError)
	flags.SortFlags = false
	bind(flags)
	args := []string{command}
	flags.VisitAll(func(f *pflag.Flag) {
		values := []string{f.Value.String()}
		if k, isKeys := f.Value.(keys); isKeys {
			values = k.pairs()
		}
		for _, value := range values {
			switch kind := f.Value.Type(); {
			case kind == "bool" && value == "true":
				args = append(args, "--"+f.Name)
			case kind == "bool", kind == "int64" && value == "0", value == "":
			default:
				args = append(args, "--"+f.Name+"="+strings.ReplaceAll(value, "$", "$$"))
			}
		}
	})
	return args
}

// keys is the flag --key, a pflag.Value.
type keys struct{ to *map[string]string }

// pairs returns the keys with their templates, sorted.
func (k keys) pairs() []string {
	var pairs []string
	for _, key := range slices.Sorted(maps.Keys(*k.to)) {
		pairs = append(pairs, key+"="+(*k.to)[key])
	}
	return pairs
}

// String implements pflag.Value.
func (keys) String() string { return "" }

// Type implements pflag.Value.
func (keys) Type() string { return "KEY=TEMPLATE" }

// Set implements pflag.Value.
func (k keys) Set(text string) error {
	key, template, found := strings.Cut(text, "=")
	if !found || key == "" {
		return errors.New("must be KEY=TEMPLATE")
	}
	if *k.to == nil {
		*k.to = map[string]string{}
	}
	(*k.to)[key] = template
	return nil
}

// RotationKey returns the key of the password Secret that holds the password of a rotation: password if there is no
// rotation, otherwise a key for that rotation alone. It is missing until the rotation has its password, so a server that
// reads it waits, however old the kubelet's copy of the Secret is.
func RotationKey(rotation string) string {
	if rotation == "" {
		return v1alpha1.PasswordKey
	}
	hash := sha256.Sum256([]byte(rotation))
	return v1alpha1.PasswordKey + "-" + hex.EncodeToString(hash[:8])
}

// IsRotationKey reports whether a key of the password Secret is the RotationKey of some rotation.
func IsRotationKey(key string) bool {
	hash, found := strings.CutPrefix(key, v1alpha1.PasswordKey+"-")
	return found && len(hash) == 16 && strings.Trim(hash, "0123456789abcdef") == ""
}

// The placeholders that only the pod fills in. In the manifest, the others are already filled in.
const (
	passwordPlaceholder        = "password"
	passwordEncodedPlaceholder = "passwordEncoded"
	endpointPlaceholder        = "endpoint"
	namePlaceholder            = "name"
	namespacePlaceholder       = "namespace"
)

// Values are what a pod fills into the templates of a Request.
type Values struct {
	Password        string
	Endpoint        string // host name of the instance
	Name, Namespace string // of the instance
}

// Fill fills in a template. The result is a secret if the template needs the password.
func (v Values) Fill(template string) string {
	return v1alpha1.Fill(template, map[string]string{
		passwordPlaceholder:        v.Password,
		passwordEncodedPlaceholder: encode(v.Password),
		endpointPlaceholder:        v.Endpoint,
		namePlaceholder:            v.Name,
		namespacePlaceholder:       v.Namespace,
	})
}

// NeedsPassword reports whether a template needs the password. The manifest of the connection Secret omits
// such a key.
func NeedsPassword(template string) bool {
	return has(template, passwordPlaceholder, passwordEncodedPlaceholder)
}

// NeedsEndpoint reports whether a template needs the endpoint.
func NeedsEndpoint(template string) bool { return has(template, endpointPlaceholder) }

// NeedsPod reports whether a template belongs in Request.Keys: it needs the password, or the name or location of the
// instance. In a copied namespace, only the pod knows them.
func NeedsPod(template string) bool {
	return NeedsPassword(template) || NeedsEndpoint(template) || has(template, namePlaceholder, namespacePlaceholder)
}

func has(template string, words ...string) bool {
	return slices.ContainsFunc(v1alpha1.Words(template), func(word string) bool { return slices.Contains(words, word) })
}

// encode percent-encodes all but the unreserved characters of RFC 3986, so that a password can be used anywhere in a
// URI. QueryEscape does the same except for spaces.
func encode(text string) string { return strings.ReplaceAll(url.QueryEscape(text), "+", "%20") }
