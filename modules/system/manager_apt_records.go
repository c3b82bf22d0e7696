package system

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
)

// debRecord is one version of one package as its control file has it, with what we read of it.
type debRecord struct {
	name, version, arch, source string
	multiArch                   string
	// depends must be there, clashes must not (Breaks and Conflicts), provides are other names.
	depends           [][]debAtom
	clashes, provides []debAtom
	// size is of the archive in bytes, unpacked of its files in KiB.
	size, unpacked int64
	sha256, file   string
	// archive is the file of a version that only we still have.
	archive string
	// state is dpkg's three words for what is on the host, empty for what is on offer.
	state string
}

func (r *debRecord) key() debKey { return debKey{r.name, r.arch} }

// debKey names one package of one architecture.
type debKey struct{ name, arch string }

// onOffer tells what a repository has from what is only on the host.
func (r *debRecord) onOffer() bool { return r.file != "" }

// scanRecords reads stanzas of Debian's control format. What it does not understand it passes
// over; a stanza without a name or version is none.
func scanRecords(r io.Reader, add func(*debRecord)) error {
	now := &debRecord{}
	all := func(field, value []byte) bool { return true }
	return scanStanzas(r, all, now.take, func() {
		done := *now
		*now = debRecord{}
		if done.name == "" || done.version == "" {
			return
		}
		if done.source == "" {
			done.source = done.name
		}
		add(&done)
	})
}

func (r *debRecord) take(field string, value []byte) {
	switch field {
	case "Package":
		r.name = printableWord(value)
	case "Version":
		r.version = printableWord(value)
	case "Architecture":
		r.arch = printableWord(value)
	case "Source":
		r.source, _ = splitSource(printableWord(value))
	case "Multi-Arch":
		r.multiArch = printableWord(value)
	case "Depends", "Pre-Depends":
		r.depends = append(r.depends, parseRelations(string(value))...)
	case "Breaks", "Conflicts":
		r.clashes = append(r.clashes, flatRelations(string(value))...)
	case "Provides":
		r.provides = append(r.provides, flatRelations(string(value))...)
	case "Size":
		r.size = positive(value)
	case "Installed-Size":
		r.unpacked = positive(value)
	case "SHA256":
		r.sha256 = printableWord(value)
	case "Filename":
		r.file = printableWord(value)
	case "Status":
		r.state = strings.Join(strings.Fields(string(value)), " ")
	}
}

// showLimit is how many names one call of apt-cache gets, far below what a command line holds.
const showLimit = 500

// onOffer asks apt for all versions of the packages that some repository has.
func (a aptManager) onOffer(ctx context.Context, names []string) (debOffers, error) {
	found := debOffers{}
	names = slices.Compact(slices.Sorted(slices.Values(names)))
	for chunk := range slices.Chunk(names, showLimit) {
		argv := slices.Concat([]string{"apt-cache"}, a.s.apt.options, []string{"show", "--all-versions", "--"}, chunk)
		out, err := a.s.Run(ctx, Command{Argv: argv, Timeout: aptQueryLimit, MaxOutput: 256 << 20})
		if err != nil {
			return nil, fmt.Errorf("cannot ask apt what is on offer: %w", err)
		}
		// A name that apt does not know is an error of its own; what it does know it shows.
		err = scanRecords(bytes.NewReader(out.Stdout), func(r *debRecord) {
			if r.onOffer() {
				found[r.name] = append(found[r.name], r)
			}
		})
		if err != nil {
			return nil, fmt.Errorf("cannot read what apt has on offer: %w", err)
		}
	}
	return found, nil
}

// onHost reads the relations of all that is on the host from dpkg's own files.
func (a aptManager) onHost() ([]*debRecord, error) {
	there := map[debKey]*debRecord{}
	for _, name := range dpkgFiles(a.s) {
		raw, err := a.s.Files().Read(name, dpkgMaxLen)
		if err != nil {
			continue // only the status file has to be there, and Dpkg has said so
		}
		err = scanRecords(bytes.NewReader(raw), func(r *debRecord) { there[r.key()] = r })
		if err != nil {
			return nil, fmt.Errorf("cannot read dpkg's database: %w", err)
		}
	}
	var list []*debRecord
	for _, r := range there {
		if !strings.HasSuffix(r.state, " not-installed") && !strings.HasSuffix(r.state, " config-files") {
			list = append(list, r)
		}
	}
	return list, nil
}

// debOffers are the versions that can be had, by the bare name of the package.
type debOffers map[string][]*debRecord

// find returns the record of a target, nil when it is gone.
func (o debOffers) find(t Target) *debRecord {
	for _, r := range o[t.bare()] {
		if r.version == t.Version && (r.arch == t.arch() || t.arch() == "" || r.arch == "all") {
			return r
		}
	}
	return nil
}

// spec is what apt-get takes for exactly this version: the archive itself when no repository
// has it any more.
func (o debOffers) spec(t Target) string {
	if r := o.find(t); r != nil && r.archive != "" {
		return r.archive
	}
	return t.spec()
}

// bare is the name without an architecture.
func (t Target) bare() string {
	name, _, _ := strings.Cut(t.Name, ":")
	return name
}

// arch is the architecture, which the name tells where Arch does not.
func (t Target) arch() string {
	if _, arch, ok := strings.Cut(t.Name, ":"); ok {
		return arch
	}
	return t.Arch
}

// spec is what apt-get takes for exactly this version.
func (t Target) spec() string {
	if arch := t.arch(); arch != "" && arch != "all" {
		return fmt.Sprintf("%s:%s=%s", t.bare(), arch, t.Version)
	}
	return fmt.Sprintf("%s=%s", t.bare(), t.Version)
}
