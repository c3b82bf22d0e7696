package system

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"plumb/inventory"
)

// Backup is one old version of a file, kept in the agent's own folder.
type Backup struct {
	// Path is the file that it was.
	Path string `json:"path"`
	// Mode, UID and GID are what it had.
	Mode uint32 `json:"mode"`
	UID  int    `json:"uid"`
	GID  int    `json:"gid"`
	// Content is what was in it.
	Content []byte `json:"content"`
	// Missing is true when there was no file before Plumb made one.
	Missing bool `json:"missing,omitempty"`
}

// maxBackup is the largest file of which old content is kept, in bytes.
const maxBackup = 16 << 20

// SaveBackup keeps the present content of a file before it is changed: the newest keep
// versions, and always the first one, from before Plumb came. Without a state folder, and
// for a file of more than 16 MiB, nothing is kept.
func (s *System) SaveBackup(name string, keep int) error {
	if keep <= 0 || s.State == "" {
		return nil
	}
	old, err := s.present(name)
	if err != nil {
		return fmt.Errorf("cannot keep the old content: %w", err)
	}
	versions := s.backupVersions(name)
	if old == nil || old.Missing && len(versions) > 0 {
		return nil
	}
	record, err := json.Marshal(old)
	if err != nil {
		return fmt.Errorf("cannot encode the old content of %s: %w", name, err)
	}
	if err := s.storeBackup(name, versions, record, keep); err != nil {
		return fmt.Errorf("cannot keep the old content of %s: %w", name, err)
	}
	return nil
}

// present is the file as it is now; nil when it is nothing that can be kept.
func (s *System) present(name string) (*Backup, error) {
	e, raw, err := s.Files().Load(name, true, maxBackup)
	if errors.Is(err, fs.ErrNotExist) {
		return &Backup{Path: name, Missing: true}, nil
	}
	if errors.Is(err, ErrTooLarge) || err == nil && !e.IsFile() {
		return nil, nil
	}
	return &Backup{Path: name, Mode: e.Perm, UID: e.UID, GID: e.GID, Content: raw}, err
}

// Restore brings a file back to what it was before Plumb first changed it, and removes it
// when it was not there; fs.ErrNotExist when nothing was kept.
func (s *System) Restore(name string) error {
	old, err := s.Original(name)
	if err != nil {
		return err
	}
	if old.Missing {
		return s.Files().Remove(name)
	}
	return s.Files().Write(name, old.Content, WriteOptions{Mode: &old.Mode, UID: &old.UID, GID: &old.GID, Follow: true, Shared: true})
}

func (s *System) storeBackup(name string, versions []string, record []byte, keep int) error {
	if err := os.MkdirAll(filepath.Join(s.State, backupFolder(name)), 0o700); err != nil {
		return err
	}
	next := 1
	if len(versions) > 0 {
		_, _ = fmt.Sscanf(path.Base(versions[len(versions)-1]), "%d", &next)
		next++
	}
	mode := uint32(0o600)
	full := path.Join(backupFolder(name), fmt.Sprintf("%06d.json", next))
	if err := s.stateFiles().Write(full, record, WriteOptions{Mode: &mode, Shared: true}); err != nil {
		return err
	}
	return s.pruneBackups(append(versions, full), keep)
}

// pruneBackups leaves the first version and the newest ones.
func (s *System) pruneBackups(versions []string, keep int) error {
	for i := 1; i < len(versions)-keep; i++ {
		if err := s.stateFiles().Remove(versions[i]); err != nil {
			return err
		}
	}
	return nil
}

// Original returns the content that a file had before Plumb first changed it;
// fs.ErrNotExist when none was kept.
func (s *System) Original(name string) (Backup, error) {
	versions := s.backupVersions(name)
	if len(versions) == 0 {
		return Backup{}, fmt.Errorf("no old content of %s is kept: %w", name, fs.ErrNotExist)
	}
	raw, err := s.stateFiles().Read(versions[0], 2*maxBackup)
	if err != nil {
		return Backup{}, err
	}
	var b Backup
	if err := json.Unmarshal(raw, &b); err != nil {
		return Backup{}, fmt.Errorf("cannot read the old content of %s: %w", name, err)
	}
	return b, nil
}

func (s *System) stateFiles() Files { return Files{root: s.State, euid: s.user()} }

func backupFolder(name string) string {
	return path.Join("/backup", inventory.Digest([]byte(name)))
}

// backupVersions lists what is kept, the oldest first.
func (s *System) backupVersions(name string) []string {
	list, err := s.stateFiles().List(backupFolder(name))
	if s.State == "" || err != nil {
		return nil
	}
	var versions []string
	for _, e := range list {
		if e.IsFile() && strings.HasSuffix(e.Path, ".json") && !strings.HasPrefix(path.Base(e.Path), tempPrefix) {
			versions = append(versions, e.Path)
		}
	}
	slices.Sort(versions)
	return versions
}
