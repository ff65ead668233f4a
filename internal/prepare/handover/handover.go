// Package handover defines the interface between the manifests that we write, the init container of the
// password source InCluster, and the server's container: mount paths, variables, arguments and keys.
//
// The init container, `dragonfly-generator prepare`, gets a Request. It hands the password to the server
// in FlagFile, or in the key RotationKey of the password Secret where nothing of ours can be mounted into the
// server's container (the Dragonfly Operator).
package handover

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/bizmatters/dragonfly-generator/internal/placeholder"
	"github.com/bizmatters/dragonfly-generator/internal/prepare/password"
)

// Command is the command of the program that the init container runs.
const Command = "prepare"

// Where the init container finds what is mounted into it. The server's container has FlagFolder alone,
// read-only.
const (
	// TokenPath is where Kubernetes mounts tokens: token, ca.crt and namespace.
	TokenPath = "/var/run/secrets/kubernetes.io/serviceaccount" //nolint:gosec // a path
	// PasswordSecretPath and ConnectionSecretPath are optional Secret volumes.
	PasswordSecretPath   = "/run/dragonfly/password-secret"
	ConnectionSecretPath = "/run/dragonfly/connection-secret"
	// FlagFolder is an emptyDir in memory.
	FlagFolder = "/run/dragonfly/flags"
	// FlagFile is what the server's --flagfile names.
	FlagFile = FlagFolder + "/flagfile"
)

// The variables with the identity of the init container's pod. The downward API sets them.
const (
	PodNameVariable          = "POD_NAME"
	PodNamespaceVariable     = "POD_NAMESPACE"
	PasswordRotationVariable = "PASSWORD_ROTATION"
)

// Request is what a pod's manifest asks of prepare.
type Request struct {
	Rotation               string
	Bucket                 string
	MaxMemory, MemoryLimit int64
	Existing               bool
	RotationKey            string
	// Data is the folder of the volume, where prepare keeps its record; "" for a pod without a volume.
	Data string
	// FlagFile asks for the password in the file FlagFile.
	FlagFile bool
	// Keys are further keys of the connection Secret. In their templates {password} and {passwordEncoded} are
	// left to fill in; see Fill.
	Keys map[string]string
}

// The flags that carry a Request.
const (
	dataFlag     = "data"
	flagFileFlag = "flag-file"
	keyFlag      = "key"
)

// Args returns the container's args, the command included. Kubernetes expands $(NAME) in args and reads $$ as a
// dollar sign, so each dollar sign is doubled.
func (r Request) Args() []string {
	args := []string{Command}
	add := func(flag, value string) { args = append(args, "--"+flag+"="+strings.ReplaceAll(value, "$", "$$")) }
	if r.Data != "" {
		add(dataFlag, r.Data)
	}
	if r.Bucket != "" {
		add("bucket", r.Bucket)
	}
	if r.MaxMemory != 0 {
		add("max-memory", fmt.Sprint(r.MaxMemory))
	}
	if r.MemoryLimit != 0 {
		add("memory-limit", fmt.Sprint(r.MemoryLimit))
	}
	if r.Existing {
		args = append(args, "--existing")
	}
	if r.RotationKey != "" {
		add("rotation-key", r.RotationKey)
	}
	if r.FlagFile {
		args = append(args, "--"+flagFileFlag)
	}
	for _, key := range slices.Sorted(maps.Keys(r.Keys)) {
		add(keyFlag, key+"="+r.Keys[key])
	}
	return args
}

// Bind makes the flags of prepare set the request.
func (r *Request) Bind(flags *pflag.FlagSet) {
	flags.StringVar(&r.Data, dataFlag, "", "keep the record in `DIR`, the folder of the volume")
	flags.BoolVar(&r.FlagFile, flagFileFlag, false, "write the password to "+FlagFile+" for the server")
	flags.Var(&keys{&r.Keys}, keyFlag, "add `KEY=TEMPLATE` to the connection Secret; may be repeated")
}

// Parse reads the arguments of the process, the command included, which are what Args returns after Kubernetes
// has expanded them.
func Parse(args []string) (Request, error) {
	var r Request
	flags := pflag.NewFlagSet(Command, pflag.ContinueOnError)
	r.Bind(flags)
	if err := flags.Parse(args); err != nil {
		return Request{}, err
	}
	if !slices.Equal(flags.Args(), []string{Command}) {
		return Request{}, errors.New("not the arguments of " + Command)
	}
	return r, nil
}

// keys is the flag --key, a pflag.Value.
type keys struct{ to *map[string]string }

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

// passwordKey is the key of the password in the password Secret.
const passwordKey = "password"

// RotationKey returns the key of the password Secret that holds the password of a rotation: password for
// none, else a key of the rotation's own. That one is missing until the password of the rotation is there,
// so a server that reads it waits, however old the kubelet's copy of the Secret is.
func RotationKey(rotation string) string {
	if rotation == "" {
		return passwordKey
	}
	hash := sha256.Sum256([]byte(rotation))
	return passwordKey + "-" + hex.EncodeToString(hash[:8])
}

// IsRotationKey reports whether a key of the password Secret is the RotationKey of some rotation.
func IsRotationKey(key string) bool {
	hash, found := strings.CutPrefix(key, passwordKey+"-")
	return found && len(hash) == 16 && strings.Trim(hash, "0123456789abcdef") == ""
}

// Fill fills {password} and {passwordEncoded} into the template of a key of the connection Secret. What it
// returns is a secret.
func Fill(template string, p password.Password) string {
	text := p.Reveal()
	return placeholder.Fill(template, map[string]string{"password": text, "passwordEncoded": Encode(text)})
}

// Encode percent-encodes all but the unreserved characters of RFC 3986, so that a password can stand
// anywhere in a URI. The escapes of net/url leave more characters as they are, and write blanks as plus signs.
func Encode(text string) string {
	const unreserved = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
	var encoded strings.Builder
	for _, b := range []byte(text) {
		if strings.IndexByte(unreserved, b) >= 0 {
			encoded.WriteByte(b)
		} else {
			fmt.Fprintf(&encoded, "%%%02X", b)
		}
	}
	return encoded.String()
}
