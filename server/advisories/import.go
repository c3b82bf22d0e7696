package advisories

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"plumb/policies/patch"
)

// MaxBytes is the largest file that is imported. The Debian tracker has 70 MiB.
const MaxBytes = 192 << 20

// Bounds on what one file may hold.
const (
	maxAdvisories = 500_000
	maxAffected   = 2_000 // of one advisory
	maxSummary    = 300   // bytes
	maxWord       = 200   // bytes
)

// ErrFormat means that a file is neither OSV nor the Debian tracker's JSON.
var ErrFormat = errors.New("this is neither OSV JSON nor the JSON of the Debian security tracker")

// Read reads OSV JSON (one advisory, or an array of them) or the JSON of the Debian security
// tracker, whichever it is. Advisories come out sorted by ID, each once.
func Read(raw []byte) ([]patch.Advisory, error) {
	if len(raw) > MaxBytes {
		return nil, fmt.Errorf("the file has %d bytes; %d is the most", len(raw), MaxBytes)
	}
	list, err := read(bytes.TrimSpace(raw))
	if err != nil {
		return nil, fmt.Errorf("cannot read the advisories: %w", err)
	}
	if len(list) > maxAdvisories {
		return nil, fmt.Errorf("the file has %d advisories; %d is the most", len(list), maxAdvisories)
	}
	slices.SortStableFunc(list, func(a, b patch.Advisory) int { return cmp.Compare(a.ID, b.ID) })
	return slices.CompactFunc(list, func(a, b patch.Advisory) bool { return a.ID == b.ID }), nil
}

func read(raw []byte) ([]patch.Advisory, error) {
	if len(raw) > 0 && raw[0] == '[' {
		return readOSV(raw)
	}
	var head struct {
		ID       string          `json:"id"`
		Affected json.RawMessage `json:"affected"`
	}
	if err := json.Unmarshal(raw, &head); err == nil && head.ID != "" {
		return readOSV(slices.Concat([]byte("["), raw, []byte("]")))
	}
	return readDebian(raw)
}

var (
	idForm      = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9._:-]{2,99}$`)
	packageForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.+_-]{0,127}$`)
	cveForm     = regexp.MustCompile(`^CVE-[0-9]{4}-[0-9]{4,12}$`)
)

// line makes one printable line out of foreign text.
func line(s string, most int) string {
	s = strings.Map(func(c rune) rune {
		if unicode.IsControl(c) {
			return ' '
		}
		return c
	}, strings.ToValidUTF8(s, "?"))
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return strings.TrimSpace(s)
}

// usable keeps versions short and free of what no version has.
func usable(version string) bool {
	return len(version) <= maxWord && !strings.ContainsFunc(version, func(c rune) bool { return c <= ' ' || c > '~' })
}

// cves returns those of the words that are CVE numbers, sorted, each once.
func cves(words ...string) []string {
	list := []string{}
	for _, w := range words {
		if cveForm.MatchString(w) {
			list = append(list, w)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}
