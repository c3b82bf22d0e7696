package system

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"unicode"
)

// aptRepository is one repository as its Release file describes it.
type aptRepository struct {
	prefix                               string // of its files in the folder of lists
	origin, label, suite, codename, site string
	security, notAutomatic, butAutomatic bool
	priority                             int
}

const (
	maxRelease = 8 << 20   // bytes of a Release file
	maxList    = 512 << 20 // bytes of a package list, unpacked; Debian's main has 50 MiB
)

// repositories reads the Release file of each repository. A signature is no matter here: apt
// checked it when it fetched the file.
func (a aptOffers) repositories(names []string) ([]*aptRepository, error) {
	var all []*aptRepository
	for _, name := range names {
		prefix, ok := releasePrefix(name)
		if !ok {
			continue
		}
		raw, err := a.s.Files().Read(aptLists+"/"+name, maxRelease)
		if err != nil {
			return nil, fmt.Errorf("cannot read what a repository calls itself: %w", err)
		}
		all = append(all, parseRelease(prefix, raw))
	}
	return all, nil
}

func releasePrefix(name string) (string, bool) {
	for _, ending := range []string{"_InRelease", "_Release"} {
		if prefix, ok := strings.CutSuffix(name, ending); ok {
			return prefix + "_", true
		}
	}
	return "", false
}

// parseRelease reads the fields at the top of a Release file, which may be wrapped into a
// signature. The priority is what apt gives a repository that no pin names.
func parseRelease(prefix string, raw []byte) *aptRepository {
	r := &aptRepository{prefix: prefix, priority: 500}
	r.site, _, _ = strings.Cut(prefix, "_")
	for line := range bytes.Lines(raw) {
		field, value, ok := bytes.Cut(line, []byte(":"))
		if ok && line[0] != ' ' {
			r.take(string(field), printableWord(value))
		}
	}
	if r.notAutomatic {
		r.priority = 1
	}
	if r.notAutomatic && r.butAutomatic {
		r.priority = 100
	}
	for _, word := range []string{r.label, r.suite, r.codename} {
		r.security = r.security || strings.HasSuffix(strings.ToLower(word), "-security")
	}
	return r
}

// printableWord keeps a name short and without what could harm a terminal.
func printableWord(value []byte) string {
	const longest = 200
	word := strings.Map(func(c rune) rune {
		if unicode.IsControl(c) {
			return -1
		}
		return c
	}, strings.ToValidUTF8(text(value), "?"))
	return strings.ToValidUTF8(word[:min(len(word), longest)], "")
}

func (r *aptRepository) take(field, value string) {
	switch field {
	case "Origin":
		r.origin = value
	case "Label":
		r.label = value
	case "Suite":
		r.suite = value
	case "Codename":
		r.codename = value
	case "NotAutomatic":
		r.notAutomatic = value == "yes"
	case "ButAutomaticUpgrades":
		r.butAutomatic = value == "yes"
	}
}

// repositoryOf returns the repository that a list belongs to, and the rest of the file's name.
func repositoryOf(name string, all []*aptRepository) (*aptRepository, string) {
	var best *aptRepository
	for _, r := range all {
		if strings.HasPrefix(name, r.prefix) && (best == nil || len(r.prefix) > len(best.prefix)) {
			best = r
		}
	}
	if best == nil {
		return nil, ""
	}
	return best, strings.TrimPrefix(name, best.prefix)
}

// readList opens a list, unpacked. What the standard library cannot unpack only apt's own
// helper can, which is there on a running host.
func (a aptOffers) readList(ctx context.Context, name string, read func(io.Reader) error) error {
	full := path.Join(aptLists, name)
	switch path.Ext(name) {
	case ".xz", ".lz4", ".zst", ".bz2", ".lzma":
		return a.unpackList(ctx, full, read)
	}
	file, err := a.s.Files().Open(full)
	if err != nil {
		return err
	}
	defer file.Close()
	var r io.Reader = file
	if path.Ext(name) == ".gz" {
		if r, err = gzip.NewReader(file); err != nil {
			return err
		}
	}
	return read(&io.LimitedReader{R: r, N: maxList})
}

const aptHelper = "/usr/lib/apt/apt-helper"

func (a aptOffers) unpackList(ctx context.Context, full string, read func(io.Reader) error) error {
	if !a.s.Running() {
		return errors.New("it is packed, and only a running host can unpack it")
	}
	from, to := io.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		to.CloseWithError(a.catFile(ctx, full, to))
	}()
	err := read(&io.LimitedReader{R: from, N: maxList})
	from.CloseWithError(err) // ends the helper when there was no reading to the end
	<-done
	return err
}

// catFile writes a list, unpacked, as it comes: it may be much larger than all else that an
// agent ever holds.
func (a aptOffers) catFile(ctx context.Context, full string, to io.Writer) error {
	out, err := a.s.Run(ctx, Command{Argv: []string{aptHelper, "cat-file", full}, Timeout: aptQueryLimit, Sink: to})
	if err == nil && out.Code != 0 {
		err = fmt.Errorf("apt-helper failed (exit %d): %s", out.Code, out.LastWords())
	}
	return err
}
