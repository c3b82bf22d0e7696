package system

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// begunFile tells which versions an InstallPatch was about that did not come to its end.
const begunFile = "/var/cache/plumb-agent/installing.json"

type aptBegun struct {
	Wanted    []Target `json:"wanted"`
	Conffiles string   `json:"conffiles"`
	// Drawn are the packages that nobody asked for by name. apt takes them for wanted once their
	// version was asked for, and would never let them go again.
	Drawn []string `json:"drawn,omitempty"`
}

// begin notes what is going to be installed before dpkg gets its first word.
func (a aptManager) begin(ctx context.Context, job aptJob, conffiles string) error {
	b, err := a.s.begun()
	if err != nil {
		return err
	}
	drawn, err := a.drawn(ctx, job)
	if err != nil {
		return err
	}
	b.Wanted, b.Conffiles = job.wanted, conffiles
	b.Drawn = slices.Compact(slices.Sorted(slices.Values(append(b.Drawn, drawn...))))
	raw, err := json.Marshal(b)
	if err != nil {
		return err
	}
	if err := a.s.Files().Write(begunFile, raw, WriteOptions{}); err != nil {
		return fmt.Errorf("cannot note what is going to be installed: %w", err)
	}
	return nil
}

// drawn lists what of a job nobody asked for: what is new, and what apt has marked so.
func (a aptManager) drawn(ctx context.Context, job aptJob) ([]string, error) {
	var drawn, there []string
	for _, t := range job.wanted {
		name := aptName(t.bare(), t.arch(), job.db.Arch)
		if p, ok := t.find(job.db); ok && !p.Gone() {
			there = append(there, name)
		} else {
			drawn = append(drawn, name)
		}
	}
	if len(there) == 0 {
		return drawn, nil
	}
	argv := slices.Concat([]string{"apt-mark"}, a.s.apt.options, []string{"showauto", "--"}, there)
	out, err := a.s.must(ctx, Command{Argv: argv, Timeout: aptQueryLimit})
	if err != nil {
		return nil, fmt.Errorf("cannot tell what was drawn in: %w", err)
	}
	return append(drawn, strings.Fields(out)...), nil
}

// end marks again what was drawn in and forgets the job: it must not be taken up when something
// else breaks later. A mark that is lost costs some room on a disk, no more.
func (a aptManager) end(ctx context.Context) {
	if b, err := a.s.begun(); err == nil && len(b.Drawn) > 0 {
		argv := slices.Concat([]string{"apt-mark"}, a.s.apt.options, []string{"auto", "--"}, b.Drawn)
		_, _ = a.s.Run(context.WithoutCancel(ctx), Command{Argv: argv, Timeout: aptQueryLimit})
	}
	_ = a.s.Files().Remove(begunFile)
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
