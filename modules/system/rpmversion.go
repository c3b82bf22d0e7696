package system

import (
	"cmp"
	"fmt"
	"strings"
)

// rpmVersionLimit is far beyond what real packages have, in bytes.
const rpmVersionLimit = 512

// CompareRPMVersions orders two versions [epoch:]version[-release] by rpm's own rules: -1, 0 or
// 1. A tilde sorts before the end of a version and a caret after it.
func CompareRPMVersions(a, b string) (int, error) {
	x, err := readRPMVersion(a)
	if err != nil {
		return 0, err
	}
	y, err := readRPMVersion(b)
	if err != nil {
		return 0, err
	}
	return cmp.Or(
		compareRPMParts(cmp.Or(x.epoch, "0"), cmp.Or(y.epoch, "0")),
		compareRPMParts(x.version, y.version),
		compareRPMReleases(x, y),
	), nil
}

// rpmVersion is a version in its three parts; no epoch is the same as epoch 0.
type rpmVersion struct {
	epoch, version, release string
	released                bool // a release is named, even when it is empty
}

// readRPMVersion splits as rpm does: the epoch ends at the first colon when only digits stand
// before it, the release begins after the last hyphen.
func readRPMVersion(text string) (rpmVersion, error) {
	if len(text) > rpmVersionLimit || strings.ContainsFunc(text, foreignToRPM) {
		return rpmVersion{}, fmt.Errorf("cannot read the version %.80q: it is too long or has signs that rpm does not allow", text)
	}
	v := rpmVersion{version: text}
	if epoch, rest, ok := strings.Cut(text, ":"); ok && strings.Trim(epoch, "0123456789") == "" {
		v.epoch, v.version = epoch, rest
	}
	if i := strings.LastIndexByte(v.version, '-'); i >= 0 {
		v.version, v.release, v.released = v.version[:i], v.version[i+1:], true
	}
	if v.version == "" {
		return rpmVersion{}, fmt.Errorf("cannot read the version %q: it is empty", text)
	}
	return v, nil
}

// foreignToRPM is true for blanks, control characters and all beyond ASCII.
func foreignToRPM(c rune) bool { return c <= ' ' || c > '~' }

// compareRPMReleases puts a version without a release before one that has any.
func compareRPMReleases(x, y rpmVersion) int {
	switch {
	case x.released && !y.released:
		return 1
	case !x.released && y.released:
		return -1
	}
	return compareRPMParts(x.release, y.release)
}

// compareRPMParts is rpmvercmp: it compares runs of digits and runs of letters in turn; all other
// signs but tilde and caret only separate them.
func compareRPMParts(a, b string) int {
	if a == b {
		return 0
	}
	for a != "" || b != "" {
		a, b = strings.TrimLeftFunc(a, separatesRPM), strings.TrimLeftFunc(b, separatesRPM)
		order, sign := compareRPMSigns(a, b)
		if order != 0 {
			return order
		}
		if sign {
			a, b = a[1:], b[1:]
			continue
		}
		if a == "" || b == "" {
			break
		}
		if order, a, b = compareRPMRuns(a, b); order != 0 {
			return order
		}
	}
	return cmp.Compare(min(len(a), 1), min(len(b), 1)) // whatever has something left is newer
}

// compareRPMSigns looks at a tilde or caret in front, and tells whether both have the same.
func compareRPMSigns(a, b string) (order int, same bool) {
	switch tilde, tildeToo := strings.HasPrefix(a, "~"), strings.HasPrefix(b, "~"); {
	case tilde && tildeToo:
		return 0, true
	case tilde:
		return -1, false
	case tildeToo:
		return 1, false
	}
	switch caret, caretToo := strings.HasPrefix(a, "^"), strings.HasPrefix(b, "^"); {
	case caret && caretToo:
		return 0, true
	case caret:
		return afterCaret(b), false
	case caretToo:
		return -afterCaret(a), false
	}
	return 0, false
}

// afterCaret orders what has a caret against what has none: it comes after the end of the other,
// but before anything that the other goes on with.
func afterCaret(other string) int {
	if other == "" {
		return 1
	}
	return -1
}

// compareRPMRuns compares the runs in front and returns what follows them. Both texts begin with a
// letter or a digit. A number is newer than letters.
func compareRPMRuns(a, b string) (order int, restA, restB string) {
	kind, newer := isASCIILetter, -1
	if isDigit(rune(a[0])) {
		kind, newer = isDigit, 1
	}
	runA, runB := leadingRun(a, kind), leadingRun(b, kind)
	restA, restB = a[len(runA):], b[len(runB):]
	if runB == "" {
		return newer, restA, restB
	}
	if newer == 1 {
		runA, runB = strings.TrimLeft(runA, "0"), strings.TrimLeft(runB, "0")
		if order := cmp.Compare(len(runA), len(runB)); order != 0 {
			return order, restA, restB
		}
	}
	return strings.Compare(runA, runB), restA, restB
}

func leadingRun(text string, kind func(rune) bool) string {
	return text[:len(text)-len(strings.TrimLeftFunc(text, kind))]
}

func isDigit(c rune) bool       { return '0' <= c && c <= '9' }
func isASCIILetter(c rune) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }
func separatesRPM(c rune) bool  { return !isDigit(c) && !isASCIILetter(c) && c != '~' && c != '^' }
