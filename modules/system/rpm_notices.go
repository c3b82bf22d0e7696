package system

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/bzip2"
	"compress/gzip"
	"context"
	"encoding/xml"
	"errors"
	"io"
	"path"
	"slices"
	"strings"
	"time"

	"plumb/inventory"
)

// notices reads the updateinfo of repositories, as dnf or zypper verified and kept it. One that
// cannot be read is left out: notices only add to what is known.
func (r rpmDatabase) notices(ctx context.Context, l rpmLists, repositories map[string]bool) []inventory.Notice {
	var all []inventory.Notice
	for _, index := range r.lists(l) {
		folder := path.Dir(path.Dir(index.Path))
		if !repositories[repositoryOfCache(path.Base(folder))] {
			continue
		}
		raw, err := r.s.Files().Read(index.Path, 4<<20)
		if err != nil {
			continue
		}
		if file := updateinfoFile(raw); file != "" {
			_ = r.readPacked(ctx, path.Join(folder, "repodata", path.Base(file)), func(in io.Reader) error {
				return scanUpdateinfo(in, func(n inventory.Notice) { all = append(all, n) })
			})
		}
	}
	return all
}

// repositoryOfCache takes away the digest that dnf puts behind a repository's name.
func repositoryOfCache(folder string) string {
	i := strings.LastIndexByte(folder, '-')
	if i > 0 && len(folder)-i == 17 && strings.Trim(folder[i+1:], "0123456789abcdef") == "" {
		return folder[:i]
	}
	return folder
}

// updateinfoFile finds the file with notices in repomd.xml, nothing when there is none.
func updateinfoFile(repomd []byte) string {
	var index struct {
		Data []struct {
			Type     string `xml:"type,attr"`
			Location struct {
				Href string `xml:"href,attr"`
			} `xml:"location"`
		} `xml:"data"`
	}
	if err := xml.Unmarshal(bytes.ToValidUTF8(repomd, []byte("?")), &index); err != nil {
		return ""
	}
	for _, d := range index.Data {
		if d.Type == "updateinfo" {
			return d.Location.Href
		}
	}
	return ""
}

const maxUpdateinfo = 256 << 20 // bytes, unpacked

// readPacked unpacks what is packed; xz and zstd take a program of the host.
func (r rpmDatabase) readPacked(ctx context.Context, name string, read func(io.Reader) error) error {
	unpack := map[string]string{".xz": "xz", ".zst": "zstd"}[path.Ext(name)]
	if unpack != "" {
		out, err := r.s.must(ctx, Command{Argv: []string{unpack, "-dc", "--", name}, Timeout: rpmQueryLimit, MaxOutput: maxUpdateinfo})
		if err != nil {
			return err
		}
		return read(strings.NewReader(out))
	}
	file, err := r.s.Files().Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	var in io.Reader = bufio.NewReader(file)
	switch path.Ext(name) {
	case ".gz":
		if in, err = gzip.NewReader(in); err != nil {
			return err
		}
	case ".bz2":
		in = bzip2.NewReader(in)
	}
	return read(io.LimitReader(in, maxUpdateinfo))
}

// updateinfo is one <update> of updateinfo.xml.
type updateinfo struct {
	Type     string `xml:"type,attr"`
	ID       string `xml:"id"`
	Title    string `xml:"title"`
	Severity string `xml:"severity"`
	Issued   struct {
		Date string `xml:"date,attr"`
	} `xml:"issued"`
	References []struct {
		ID    string `xml:"id,attr"`
		Type  string `xml:"type,attr"`
		Title string `xml:"title,attr"`
	} `xml:"references>reference"`
	Packages []struct {
		Name    string `xml:"name,attr"`
		Epoch   string `xml:"epoch,attr"`
		Version string `xml:"version,attr"`
		Release string `xml:"release,attr"`
		Arch    string `xml:"arch,attr"`
		Reboot  string `xml:"reboot_suggested"`
	} `xml:"pkglist>collection>package"`
}

// scanUpdateinfo reads one notice after the other; such files are large.
func scanUpdateinfo(in io.Reader, add func(inventory.Notice)) error {
	decoder := xml.NewDecoder(in)
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		start, ok := token.(xml.StartElement)
		if !ok || start.Name.Local != "update" {
			continue
		}
		var u updateinfo
		if err := decoder.DecodeElement(&u, &start); err != nil {
			return err
		}
		if n, ok := u.notice(); ok {
			add(n)
		}
	}
}

// notice translates, and leaves out what has no name or fixes nothing.
func (u updateinfo) notice() (inventory.Notice, bool) {
	n := inventory.Notice{ID: printableWord([]byte(u.ID)), Kind: noticeKind(u.Type), Severity: noticeSeverity(u.Severity),
		Summary: printableWord([]byte(u.Title)), Issued: noticeTime(u.Issued.Date)}
	for _, ref := range u.References {
		for _, id := range []string{ref.ID, ref.Title} {
			if cve := printableWord([]byte(id)); ref.Type == "cve" && strings.HasPrefix(cve, "CVE-") && !slices.Contains(n.CVEs, cve) {
				n.CVEs = append(n.CVEs, strings.TrimSuffix(firstWord(cve), ":"))
				break
			}
		}
	}
	slices.Sort(n.CVEs)
	n.CVEs = slices.Compact(n.CVEs)
	for _, p := range u.Packages {
		if p.Arch == "src" || p.Arch == "nosrc" || p.Name == "" || p.Version == "" {
			continue
		}
		version := p.Version + "-" + p.Release
		if p.Epoch != "" && p.Epoch != "0" {
			version = p.Epoch + ":" + version
		}
		t := rpmTarget(printableWord([]byte(p.Name)), printableWord([]byte(p.Arch)), printableWord([]byte(version)))
		n.Fixes = append(n.Fixes, inventory.Fix{Package: t.Name, Arch: t.Arch, Version: t.Version})
		n.Reboot = n.Reboot || isTrue(p.Reboot)
	}
	slices.SortFunc(n.Fixes, func(a, b inventory.Fix) int {
		return cmp.Or(cmp.Compare(a.Package, b.Package), cmp.Compare(a.Arch, b.Arch), cmp.Compare(a.Version, b.Version))
	})
	n.Fixes = slices.Compact(n.Fixes)
	return n, n.ID != "" && len(n.Fixes) > 0
}

func isTrue(text string) bool {
	return slices.Contains([]string{"true", "1", "yes"}, strings.ToLower(strings.TrimSpace(text)))
}

func noticeKind(kind string) string {
	switch kind {
	case "security", "bugfix", "enhancement":
		return kind
	case "recommended": // SUSE's word
		return "bugfix"
	case "optional", "feature", "newpackage":
		return "enhancement"
	}
	return "other"
}

func noticeSeverity(severity string) string {
	switch strings.ToLower(strings.TrimSpace(severity)) {
	case "critical":
		return "critical"
	case "important", "high":
		return "high"
	case "moderate", "medium":
		return "medium"
	case "low":
		return "low"
	}
	return "unknown"
}

// noticeTime reads both ways to write it, a date and seconds after 1970.
func noticeTime(text string) string {
	for _, layout := range []string{"2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02", time.RFC3339} {
		if at, err := time.Parse(layout, text); err == nil {
			return at.UTC().Format(time.RFC3339)
		}
	}
	if text != "" && len(text) < 12 && strings.Trim(text, "0123456789") == "" {
		return time.Unix(positive([]byte(text)), 0).UTC().Format(time.RFC3339)
	}
	return ""
}

// rebootAsked lists installed packages whose notices ask for a reboot.
func (r rpmDatabase) rebootAsked(ctx context.Context, l rpmLists) []string {
	list, err := r.packages(ctx)
	if err != nil {
		return nil
	}
	there := map[inventory.Fix]bool{}
	for _, p := range list {
		there[inventory.Fix{Package: p.Name, Arch: p.Arch, Version: p.Version}] = true
	}
	all := map[string]bool{}
	for id := range r.repositories(l.repositories) {
		all[id] = true
	}
	var names []string
	for _, n := range r.notices(ctx, l, all) {
		for _, f := range n.Fixes {
			if n.Reboot && there[f] {
				names = append(names, f.Package)
			}
		}
	}
	return names
}
