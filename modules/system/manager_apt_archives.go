package system

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
)

// aptArchives is where patching keeps what it fetches. It is not apt's own folder: that one is
// emptied by anybody's "apt-get clean", on some images after each run of dpkg. Versions that
// were fetched for an earlier cycle are what a host can go back to when its mirror has only
// the newest.
const aptArchives = "/var/cache/plumb-agent/archives"

// archiveFile is the name that apt gives to the archive of a version.
func archiveFile(name, version, arch string) string {
	return filepath.Join(aptArchives, name+"_"+strings.ReplaceAll(version, ":", "%3a")+"_"+arch+".deb")
}

// archived adds to the offers the targets that only our archives have.
func (a aptManager) archived(ctx context.Context, offered debOffers, wanted []Target) error {
	for _, t := range wanted {
		if offered.find(t) != nil {
			continue
		}
		for _, arch := range []string{t.arch(), "all"} {
			r, err := a.readArchive(ctx, archiveFile(t.bare(), t.Version, arch))
			if err != nil {
				return err
			}
			if r != nil && r.name == t.bare() && r.version == t.Version {
				offered[r.name] = append(offered[r.name], r)
				break
			}
		}
	}
	return nil
}

// readArchive reads what an archive says about itself, nil when there is none that is whole.
func (a aptManager) readArchive(ctx context.Context, file string) (*debRecord, error) {
	there, err := a.s.Files().StatFollow(file)
	if err != nil || !there.IsFile() || !there.Sure {
		return nil, nil
	}
	out, err := a.s.Run(ctx, Command{Argv: []string{"dpkg-deb", "--field", file}, Timeout: aptQueryLimit})
	if err != nil || out.Code != 0 {
		return nil, err
	}
	var found *debRecord
	if err := scanRecords(bytes.NewReader(out.Stdout), func(r *debRecord) { found = r }); err != nil || found == nil {
		return nil, nil
	}
	found.file, found.archive, found.size = file, file, there.Size
	return found, nil
}

// fetched returns the file of a version, an error when it is not there as the repository
// described it. A power cut may leave the right length with other bytes.
func (a aptManager) fetched(r *debRecord) (string, error) {
	if r.archive != "" {
		return r.archive, nil
	}
	file := archiveFile(r.name, r.version, r.arch)
	f, err := a.s.Files().Open(file)
	if err != nil {
		return "", fmt.Errorf("%s %s is not fetched: %w", r.name, r.version, err)
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "", fmt.Errorf("cannot read what was fetched: %w", err)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); r.sha256 != "" && got != r.sha256 {
		return "", fmt.Errorf("the archive of %s %s is not what its repository has", r.name, r.version)
	}
	return file, nil
}

// archivesKept is how many versions of a package are kept: the one that is there, the one
// before, and one more.
const archivesKept = 3

// prune removes the oldest versions of what was just installed. That it cannot is no reason
// to call an update failed.
func (a aptManager) prune(wanted []Target) {
	versions := map[string][]string{} // by name and architecture
	for _, file := range a.s.systemNames(aptArchives) {
		if name, version, ok := splitArchive(file); ok {
			versions[name] = append(versions[name], version)
		}
	}
	for _, t := range wanted {
		for _, arch := range []string{t.arch(), "all"} {
			list := versions[t.bare()+"_"+arch]
			slices.SortFunc(list, func(x, y string) int {
				order, _ := CompareDebVersions(y, x)
				return order
			})
			for _, version := range list[min(len(list), archivesKept):] {
				if version != t.Version {
					_ = a.s.Files().Remove(archiveFile(t.bare(), version, arch))
				}
			}
		}
	}
}

// splitArchive reads "libc6_1%3a2.36-9_amd64.deb" as "libc6_amd64" and "1:2.36-9".
func splitArchive(file string) (name, version string, ok bool) {
	parts := strings.Split(strings.TrimSuffix(file, ".deb"), "_")
	if len(parts) != 3 || !strings.HasSuffix(file, ".deb") {
		return "", "", false
	}
	version = strings.ReplaceAll(parts[1], "%3a", ":")
	_, err := readDebVersion(version)
	return parts[0] + "_" + parts[2], version, err == nil
}
