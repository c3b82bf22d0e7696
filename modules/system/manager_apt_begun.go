package system

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// begunFile tells which versions an InstallPatch was about that did not come to its end.
const begunFile = "/var/cache/plumb-agent/installing.json"

type aptBegun struct {
	Wanted    []Target `json:"wanted"`
	Conffiles string   `json:"conffiles"`
}

// begin notes what is going to be installed before dpkg gets its first word.
func (s *System) begin(job aptJob, conffiles string) error {
	raw, err := json.Marshal(aptBegun{job.wanted, conffiles})
	if err != nil {
		return err
	}
	if err := s.Files().Write(begunFile, raw, WriteOptions{}); err != nil {
		return fmt.Errorf("cannot note what is going to be installed: %w", err)
	}
	return nil
}

func (s *System) end() {
	// What stays is read only after an interruption, and then compared with dpkg's status.
	_ = s.Files().Remove(begunFile)
}

func (s *System) begun() (aptBegun, error) {
	var b aptBegun
	raw, err := s.Files().Read(begunFile, 16<<20)
	if errors.Is(err, fs.ErrNotExist) {
		return b, nil
	}
	if err != nil {
		return b, err
	}
	if err := json.Unmarshal(raw, &b); err != nil {
		return aptBegun{}, nil // a power cut; dpkg's log knows, too
	}
	return b, nil
}

// versionBegun is the version that was on its way: that of our own job, else what dpkg noted
// last, else what its status has.
func versionBegun(p Package, b aptBegun, log map[debKey]string) string {
	for _, t := range b.Wanted {
		if t.bare() == p.Name && (t.arch() == p.Arch || t.arch() == "") {
			return t.Version
		}
	}
	if version := log[debKey{p.Name, p.Arch}]; version != "" {
		return version
	}
	return p.Version
}

// dpkgLogTail is how much of the end of dpkg's log is read, in bytes.
const dpkgLogTail = 1 << 20

// dpkgLog returns the versions that dpkg last began to bring; none when it keeps no log.
func (a aptManager) dpkgLog() map[debKey]string {
	f, err := a.s.Files().Open("/var/log/dpkg.log")
	if err != nil {
		return nil
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil
	}
	raw := make([]byte, min(info.Size(), dpkgLogTail))
	n, _ := f.ReadAt(raw, info.Size()-int64(len(raw)))
	return parseDpkgLog(string(raw[:n]))
}

// parseDpkgLog reads "2026-11-21 10:00:00 upgrade app:amd64 1.0 1.1" and the same with install.
func parseDpkgLog(log string) map[debKey]string {
	last := map[debKey]string{}
	for line := range strings.Lines(log) {
		words := strings.Fields(line)
		if len(words) != 6 || words[2] != "upgrade" && words[2] != "install" {
			continue
		}
		if name, arch, ok := strings.Cut(words[3], ":"); ok && name != "" && words[5] != "<none>" {
			last[debKey{name, arch}] = words[5]
		}
	}
	return last
}
