package system

import (
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"plumb/policies"
)

// rpmConfig is a configuration file that was changed on the host, and for which a new version
// brings another text.
type rpmConfig struct {
	Path    string `json:"path"`
	Package string `json:"package"`
	// Inode is that of the changed file, Saved and New those of what lay at PATH.rpmsave and
	// PATH.rpmnew before, 0 for nothing: they tell what rpm did.
	Inode uint64 `json:"inode"`
	Saved uint64 `json:"saved,omitempty"`
	New   uint64 `json:"new,omitempty"`
}

// conffiles is [PackageManager.Conffiles].
func (r rpmDatabase) conffiles(ctx context.Context, wanted []Target, locate func(Target) (string, bool)) ([]policies.Conffile, error) {
	configs, err := r.configs(ctx, wanted, locate)
	if err != nil {
		return nil, err
	}
	var list []policies.Conffile
	for _, c := range configs {
		list = append(list, policies.Conffile{Path: c.Path, Package: c.Package})
	}
	return list, nil
}

// configs compares three digests of each configuration file: that of the version before, that of
// the new version, and that of the disk.
func (r rpmDatabase) configs(ctx context.Context, wanted []Target, locate func(Target) (string, bool)) ([]rpmConfig, error) {
	list, err := r.packages(ctx)
	if err != nil {
		return nil, err
	}
	var found []rpmConfig
	for _, t := range wanted {
		i := slices.IndexFunc(list, func(p rpmPackage) bool { return p.Name == t.Name && p.Arch == t.Arch })
		file, fetched := locate(t)
		if i < 0 || !fetched || installOnly(t.rpmName()) || list[i].Target == t {
			continue
		}
		before, err := r.configDigests(ctx, "rpm", "-q", "--dump", "--", list[i].nvra())
		if err != nil {
			return nil, err
		}
		after, err := r.configDigests(ctx, "rpm", "-qp", "--nosignature", "--dump", "--", file)
		if err != nil {
			return nil, err
		}
		for _, path := range sortedKeys(before) {
			if c, ok := r.changed(path, before[path], after[path]); ok {
				c.Package = t.Name
				found = append(found, c)
			}
		}
	}
	return found, nil
}

func sortedKeys(digests map[string]string) []string {
	var keys []string
	for key := range digests {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// configDigests runs rpm with --dump and returns the digests of configuration files.
func (r rpmDatabase) configDigests(ctx context.Context, argv ...string) (map[string]string, error) {
	out, err := r.s.must(ctx, Command{Argv: argv, Timeout: rpmQueryLimit, MaxOutput: rpmMaxOutput})
	if err != nil {
		return nil, fmt.Errorf("cannot list configuration files: %w", err)
	}
	return parseRPMDump(out), nil
}

// parseRPMDump reads lines of: path, size, time, digest, mode, owner, group, is it configuration,
// is it documentation, device, link. Paths may hold blanks, so the fields count from the end.
func parseRPMDump(out string) map[string]string {
	digests := map[string]string{}
	for line := range strings.Lines(out) {
		words := strings.Fields(line)
		n := len(words)
		if n < 11 || words[n-4] != "1" || strings.Trim(words[n-8], "0") == "" {
			continue
		}
		path, _, ok := strings.Cut(line, " "+words[n-10]+" "+words[n-9]+" "+words[n-8]+" ")
		if ok && strings.HasPrefix(path, "/") {
			digests[path] = words[n-8]
		}
	}
	return digests
}

// changed tells whether the file on the disk is neither what was brought nor what comes.
func (r rpmDatabase) changed(path, before, after string) (rpmConfig, bool) {
	if after == "" || after == before {
		return rpmConfig{}, false
	}
	raw, err := r.s.Files().Read(path, 16<<20)
	if err != nil {
		return rpmConfig{}, false
	}
	if now := digestLike(before, raw); now == before || now == after {
		return rpmConfig{}, false
	}
	return rpmConfig{Path: path, Inode: r.inode(path), Saved: r.inode(path + ".rpmsave"), New: r.inode(path + ".rpmnew")}, true
}

// digestLike uses the digest that rpm used, which only its length tells.
func digestLike(other string, raw []byte) string {
	if len(other) == hex.EncodedLen(md5.Size) {
		sum := md5.Sum(raw) // of packages older than ten years; only compared, never trusted
		return hex.EncodeToString(sum[:])
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}

func (r rpmDatabase) inode(path string) uint64 {
	e, err := r.s.Files().Stat(path)
	if err != nil {
		return 0
	}
	return e.inode
}

// settle does what the policy for configuration files wants, whichever way the package marked
// them. rpm renames: a file that was moved away has the inode of the one that was changed.
func (r rpmDatabase) settle(b rpmBegun) error {
	for _, c := range b.Configs {
		saved, fresh := r.inode(c.Path+".rpmsave"), r.inode(c.Path+".rpmnew")
		var err error
		switch {
		case b.Conffiles != "new" && saved == c.Inode && saved != c.Saved:
			err = r.swap(c.Path, ".rpmnew", ".rpmsave")
		case b.Conffiles == "new" && fresh != 0 && fresh != c.New && r.inode(c.Path) == c.Inode:
			err = r.swap(c.Path, ".rpmsave", ".rpmnew")
		}
		if err != nil {
			return fmt.Errorf("cannot settle the configuration file %s: %w", c.Path, err)
		}
	}
	return nil
}

// swap puts what lies at path+from in the place of path, which goes to path+to. A cut between
// the two leaves the link: the file itself is there at every instant.
func (r rpmDatabase) swap(path, to, from string) error {
	spot, err := r.s.Files().find(path, false)
	if err != nil {
		return err
	}
	defer spot.close()
	fd := spot.top().fd
	if err := unix.Unlinkat(fd, spot.name+to, 0); err != nil && !errors.Is(err, unix.ENOENT) {
		return err
	}
	if err := unix.Linkat(fd, spot.name, fd, spot.name+to, 0); err != nil {
		return err
	}
	if err := unix.Renameat(fd, spot.name+from, fd, spot.name); err != nil {
		return err
	}
	return syncFolder(fd)
}
