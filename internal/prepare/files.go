package prepare

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/bizmatters/dragonfly-generator/internal/atomicfile"
	"github.com/bizmatters/dragonfly-generator/internal/instance"
	"github.com/bizmatters/dragonfly-generator/internal/prepare/handover"
	"github.com/bizmatters/dragonfly-generator/internal/prepare/password"
	"github.com/bizmatters/dragonfly-generator/internal/report"
)

// recordFile is the record's file in the folder of the volume. Dragonfly only looks at dump*.
const recordFile = ".dragonfly-generator"

// record is what the volume remembers about the instance. It contains nothing secret.
type record struct {
	// Instance is the instance's namespace/name. Old records have none.
	Instance    string `json:"instance,omitempty"`
	HadPassword bool   `json:"hadPassword"`
	Rotation    string `json:"rotation,omitempty"` // the one that the password was created for
	// Guessed reports that the rotation may or may not have happened. It does not count as done, but a lost password must not
	// be created again for it either.
	Guessed bool `json:"guessed,omitempty"`
	// EndpointCorrected reports that the connection Secret once had the endpoint of another instance.
	EndpointCorrected bool `json:"endpointCorrected,omitempty"`
}

// volume is the folder of the instance's data. The zero value is for a pod without a volume.
type volume struct {
	folder string
	shown  string // what the folder is called in messages
}

// read returns the record, which may be about another instance. A volume that has a snapshot but no readable record
// predates the record and is the instance's own: the instance had a password, possibly created for the requested rotation.
func (v volume) read(own instance.Name, asked string) (record, error) {
	if v.folder == "" {
		return record{}, nil
	}
	entries, err := os.ReadDir(v.folder)
	if err != nil {
		return record{}, v.problem("read", err)
	}
	lived := false
	for _, entry := range entries {
		switch name := entry.Name(); {
		case name == recordFile:
			var r record
			text, err := os.ReadFile(filepath.Join(v.folder, recordFile))
			if err != nil || json.Unmarshal(text, &r) != nil {
				lived = true
			} else if r.HadPassword || r.of(own) != r {
				return r, nil
			}
		case strings.HasPrefix(name, handover.DBFileName) && strings.HasSuffix(name, ".dfs"):
			lived = true
		}
	}
	if lived {
		return record{Instance: own.String(), HadPassword: true, Rotation: asked, Guessed: asked != ""}, nil
	}
	return record{Instance: own.String()}, nil
}

// of returns the record if it is about the instance, and an empty one otherwise.
func (r record) of(own instance.Name) record {
	if r.Instance != "" && r.Instance != own.String() {
		return record{}
	}
	return r
}

// write replaces the record. This is done at every start, so that a read-only volume is detected before the server loses
// a snapshot because of it.
func (v volume) write(r record) error {
	if v.folder == "" {
		return nil
	}
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if err := replace(v.folder, recordFile, 0o600, string(text)+"\n"); err != nil {
		return v.problem("written to", err)
	}
	return nil
}

// snapshot finds the snapshot that the server will load; see findSnapshot.
func (v volume) snapshot() (snapshot, error) {
	root, err := os.OpenRoot(v.folder)
	if err != nil {
		return snapshot{}, report.Reason(err)
	}
	defer root.Close()
	return findSnapshot(root.FS())
}

func (v volume) problem(verb string, err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("the volume %s cannot be %s by uid %d: %w; give the pod an fsGroup with write access or, if the volume ignores fsGroup, as hostPath does, change the folder's owner on the node",
			v.shown, verb, os.Getuid(), report.Reason(err))
	}
	return fmt.Errorf("the volume %s cannot be %s: %w", v.shown, verb, report.Reason(err))
}

// readSecret reads a mounted Secret. One that is missing or cannot be read counts as empty: the next step
// is to ask the API server.
func readSecret(folder string) secret {
	s := secret{data: map[string][]byte{}}
	entries, _ := os.ReadDir(folder)
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), "..") { // where the kubelet keeps the versions of the volume
			continue
		}
		if value, err := os.ReadFile(filepath.Join(folder, entry.Name())); err == nil { //nolint:gosec // the mount path
			s.data[entry.Name()] = value
		}
	}
	return s
}

// writeFlagFile passes the password to the server, and maxmemory unless it is 0.
func writeFlagFile(root string, p password.Password, maxMemory int64) error {
	folder, file := filepath.Split(handover.FlagFile)
	if err := replace(filepath.Join(root, folder), file, 0o400, handover.FlagFileText(p.Reveal(), maxMemory)); err != nil {
		return fmt.Errorf("%s cannot be written: %w", handover.FlagFile, report.Reason(err))
	}
	return nil
}

// replace replaces a file atomically, and removes temporary files that a killed run left behind.
func replace(folder, name string, perm fs.FileMode, text string) error {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return err
	}
	defer root.Close()
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if atomicfile.IsTemporary(entry.Name()) {
			_ = root.Remove(entry.Name())
		}
	}
	return atomicfile.Replace(root, name, perm, strings.NewReader(text))
}
