package system

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"plumb/policies"
)

// Conffiles asks the question of dpkg before dpkg does: a configuration file is in conflict
// when it differs from what its package last brought, and the new version brings something
// that is neither. Who is asked is the fetched archive. Policy is left to the caller.
func (a aptManager) Conffiles(ctx context.Context, wanted []Target) ([]policies.Conffile, error) {
	job, err := a.newJob(ctx, wanted)
	if err != nil {
		return nil, err
	}
	if _, job = job.split(); len(job.wanted) == 0 {
		return nil, nil
	}
	last, err := a.lastConffiles()
	if err != nil {
		return nil, err
	}
	var found []policies.Conffile
	for _, t := range job.wanted {
		if p, ok := t.find(job.db); !ok || p.Status == "not-installed" {
			continue // its first configuration
		}
		file, err := a.fetched(job.offered.find(t))
		if err != nil {
			return nil, err
		}
		sums, err := a.conffilesIn(ctx, file)
		if err != nil {
			return nil, fmt.Errorf("cannot read the archive of %s %s: %w", t.Name, t.Version, err)
		}
		for name, sum := range sums {
			conflict, err := a.conflicts(name, last[name], sum)
			if err != nil {
				return nil, err
			}
			if conflict {
				found = append(found, policies.Conffile{Path: name, Package: t.Name})
			}
		}
	}
	slices.SortFunc(found, func(a, b policies.Conffile) int { return strings.Compare(a.Path, b.Path) })
	return found, nil
}

// conflicts compares the three texts by their sums, as dpkg does. A file that somebody deleted
// is changed; one that was never there is not.
func (a aptManager) conflicts(name, last, next string) (bool, error) {
	if last == next {
		return false, nil
	}
	f, err := a.s.Files().Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return last != "", nil
	}
	if err != nil {
		return false, fmt.Errorf("cannot look at a configuration file: %w", err)
	}
	defer f.Close()
	sum := md5.New()
	if _, err := io.Copy(sum, f); err != nil {
		return false, fmt.Errorf("cannot read a configuration file: %w", err)
	}
	now := hex.EncodeToString(sum.Sum(nil))
	return now != last && now != next, nil
}

// lastConffiles reads from dpkg's status what each configuration file was when its package
// last brought it.
func (a aptManager) lastConffiles() (map[string]string, error) {
	sums := map[string]string{}
	for _, name := range dpkgFiles(a.s) {
		raw, err := a.s.Files().Read(name, dpkgMaxLen)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("cannot read dpkg's database: %w", err)
		}
		scanConffiles(raw, sums)
	}
	return sums, nil
}

// scanConffiles reads the lines below "Conffiles:", " /etc/x.conf 0123… [obsolete]".
func scanConffiles(raw []byte, sums map[string]string) {
	inside := false
	for line := range bytes.Lines(raw) {
		if line[0] != ' ' && line[0] != '\t' {
			inside = bytes.HasPrefix(line, []byte("Conffiles:"))
			continue
		}
		if !inside {
			continue
		}
		words := strings.Fields(string(line))
		for i := 1; i < len(words); i++ { // a path may hold blanks
			if sum, err := hex.DecodeString(words[i]); err == nil && len(sum) == md5.Size {
				sums[strings.Join(words[:i], " ")] = words[i]
				break
			}
		}
	}
}

// maxControl bounds the list of configuration files of a package, in bytes.
const maxControl = 4 << 20

// conffilesIn returns the configuration files of an archive with the sums of their texts.
func (a aptManager) conffilesIn(ctx context.Context, file string) (map[string]string, error) {
	sums := map[string]string{}
	err := a.eachMember(ctx, file, "--ctrl-tarfile", func(name string, r io.Reader) error {
		if name != "/conffiles" {
			return nil
		}
		raw, err := io.ReadAll(io.LimitReader(r, maxControl))
		for _, name := range parseConffileList(string(raw)) {
			sums[name] = ""
		}
		return err
	})
	if err != nil || len(sums) == 0 {
		return nil, err
	}
	err = a.eachMember(ctx, file, "--fsys-tarfile", func(name string, r io.Reader) error {
		if _, listed := sums[name]; !listed {
			return nil
		}
		sum := md5.New()
		_, err := io.Copy(sum, r)
		sums[name] = hex.EncodeToString(sum.Sum(nil))
		return err
	})
	for name, sum := range sums {
		if sum == "" { // a link, or a file that is only listed
			delete(sums, name)
		}
	}
	return sums, err
}

// parseConffileList reads the member "conffiles". A file that is to be removed brings no text.
func parseConffileList(text string) []string {
	var names []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "/") {
			names = append(names, line)
		}
	}
	return names
}

// eachMember visits the regular files of one of the two tar files in an archive.
func (a aptManager) eachMember(ctx context.Context, file, which string, visit func(name string, r io.Reader) error) error {
	from, to := io.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		out, err := a.s.Run(ctx, Command{Argv: []string{"dpkg-deb", which, file}, Timeout: aptQueryLimit, Sink: to})
		if err == nil && out.Code != 0 {
			err = fmt.Errorf("dpkg-deb failed (exit %d): %s", out.Code, out.LastWords())
		}
		to.CloseWithError(err)
	}()
	err := eachTarFile(from, visit)
	if err == nil {
		_, err = io.Copy(io.Discard, from)
	}
	from.CloseWithError(err) // ends dpkg-deb when there was no reading to the end
	<-done
	return err
}

func eachTarFile(r io.Reader, visit func(name string, r io.Reader) error) error {
	members := tar.NewReader(r)
	for {
		h, err := members.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		if err := visit(path.Join("/", h.Name), members); err != nil {
			return err
		}
	}
}
