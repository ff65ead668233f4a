package main

import (
	"fmt"
	"log"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/robfig/cron/v3"
)

// A kind says which values a flag accepts.
type kind int

const (
	text kind = iota
	boolean
	number
)

// flags are the flags that the stand-in knows, with their defaults: those that our manifests set, and few more.
// Dragonfly has over two hundred others.
var flags = map[string]struct {
	kind  kind
	value string
}{
	"bind":             {text, ""},
	"cache_mode":       {boolean, "false"},
	"dbfilename":       {text, "dump-{timestamp}"},
	"dir":              {text, ""},
	"logtostderr":      {boolean, "false"},
	"maxmemory":        {number, "0"}, // bytes; Dragonfly also accepts 1GiB and the like
	"port":             {number, "6379"},
	"proactor_threads": {number, "0"},
	"requirepass":      {text, ""},
	"snapshot_cron":    {text, ""},
	"tls":              {boolean, "false"},
	"tls_cert_file":    {text, ""},
	"tls_key_file":     {text, ""},
	"version_check":    {boolean, "true"},
}

// minimumPerThread is the maxmemory per thread, in bytes, below which Dragonfly does not start.
const minimumPerThread = 256 << 20

// settings are the values of the flags.
type settings struct {
	mu     sync.Mutex
	values map[string]string
}

// parse reads the command line and the DFLY_ variables. The command line, including the files that it names, overrides
// the variables.
func parse(args, environ []string) (*settings, error) {
	given, err := commandLine(args)
	if err != nil {
		return nil, err
	}
	for _, variable := range environ {
		name, value, _ := strings.Cut(variable, "=")
		name, ours := strings.CutPrefix(name, "DFLY_")
		if !ours {
			continue
		}
		if _, known := flags[name]; !known {
			return nil, exitError{aborted, fmt.Errorf("unknown environment variable DFLY_%s", name)}
		}
		if err := valid(name, value); err != nil {
			return nil, exitError{aborted, err}
		}
		if _, twice := given[name]; !twice {
			given[name] = value
		}
	}
	s := &settings{values: map[string]string{}}
	for name, flag := range flags {
		s.values[name] = flag.value
		if value, ok := given[name]; ok {
			s.values[name] = value
		}
	}
	memory, threads := s.number("maxmemory"), max(s.number("proactor_threads"), 1) // for 0 Dragonfly counts CPUs
	if memory != 0 && memory < threads*minimumPerThread {
		log.Printf("There are %d threads, so %d.00MiB are required. Exiting...", threads, threads*minimumPerThread>>20)
		return nil, fmt.Errorf("a maxmemory of %d is too small", memory)
	}
	return s, nil
}

// commandLine reads arguments in the forms that absl knows: --name=value, --name value, for a boolean --name and
// --noname, and --flagfile=path, which is replaced by the file's lines. The last one wins.
func commandLine(args []string) (map[string]string, error) {
	given := map[string]string{}
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		name, dashed := strings.CutPrefix(arg, "-")
		if !dashed {
			return nil, fmt.Errorf("unexpected argument %d characters long", len(arg))
		}
		name, value, assigned := strings.Cut(strings.TrimPrefix(name, "-"), "=")
		if negated, isNo := strings.CutPrefix(name, "no"); isNo && !assigned && flags[negated].kind == boolean {
			name, value, assigned = negated, "false", true
		}
		flag, known := flags[name]
		if !known && name != "flagfile" {
			return nil, fmt.Errorf("ERROR: Unknown command line flag '%s'", name)
		}
		switch {
		case assigned:
		case flag.kind == boolean:
			value = "true"
		case len(args) == 0:
			return nil, fmt.Errorf("ERROR: Missing the value for the flag '%s'", name)
		default:
			value, args = args[0], args[1:]
		}
		if name == "flagfile" {
			lines, err := flagfile(value)
			if err != nil {
				return nil, err
			}
			args = append(lines, args...)
			continue
		}
		if err := valid(name, value); err != nil {
			return nil, err
		}
		given[name] = value
	}
	return given, nil
}

// flagfile reads arguments from a file, one per line. Empty lines and those that start with # are ignored.
func flagfile(path string) ([]string, error) {
	data, err := os.ReadFile(path) //nolint:gosec // that is what the flag is for
	if err != nil {
		return nil, fmt.Errorf("ERROR: Can't open flagfile %s", path)
	}
	var args []string
	for i, line := range strings.Split(string(data), "\n") {
		line = strings.TrimLeft(line, " \t")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if !strings.HasPrefix(line, "-") {
			return nil, fmt.Errorf("ERROR: Unexpected line %d in the flagfile %s", i+1, path)
		}
		args = append(args, line)
	}
	return args, nil
}

// valid checks a value without ever repeating it, because it may be a password.
func valid(name, value string) error {
	var err error
	switch flags[name].kind {
	case boolean:
		_, err = strconv.ParseBool(value)
	case number:
		_, err = strconv.ParseUint(value, 10, 63)
	}
	if name == "snapshot_cron" && value != "" {
		_, err = cron.ParseStandard(value)
	}
	if err != nil {
		return fmt.Errorf("ERROR: Illegal value specified for flag '%s'", name)
	}
	return nil
}

func (s *settings) value(name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.values[name]
}

// number returns the value of a flag that is a number.
func (s *settings) number(name string) int64 {
	n, _ := strconv.ParseInt(s.value(name), 10, 64) // checked where it was set
	return n
}

// mutable are the flags that CONFIG SET changes.
var mutable = []string{"maxmemory", "requirepass", "tls", "tls_cert_file", "tls_key_file"}

func cannotBeSet(name string) error {
	return fmt.Errorf("ERR CONFIG SET failed (possibly related to argument '%s') - argument can not be set", name)
}

func (s *settings) set(name, value string) error {
	switch _, known := flags[name]; {
	case !known:
		return fmt.Errorf("ERR Unknown option or number of arguments for CONFIG SET - '%s'", name)
	case !slices.Contains(mutable, name):
		return fmt.Errorf("ERR CONFIG SET failed (possibly related to argument '%s') - can't set immutable config", name)
	case valid(name, value) != nil:
		return cannotBeSet(name)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.values[name] = value
	return nil
}
