package system

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	debversion "github.com/knqyf263/go-deb-version"
)

// CompareDebVersions orders two versions by dpkg's own rules: -1, 0 or 1.
func CompareDebVersions(a, b string) (int, error) {
	x, err := readDebVersion(a)
	if err != nil {
		return 0, err
	}
	y, err := readDebVersion(b)
	if err != nil {
		return 0, err
	}
	return cmp.Compare(x.Compare(y), 0), nil // the library also returns larger numbers
}

// readDebVersion refuses what the library would order wrongly without a word: it takes all
// numbers beyond an int as equal.
func readDebVersion(text string) (debversion.Version, error) {
	version, err := debversion.NewVersion(text)
	if err == nil && longestNumber(text) > 18 {
		err = errors.New("a number in it is too long")
	}
	if err != nil {
		return version, fmt.Errorf("cannot read the version %q: %w", text, err)
	}
	return version, nil
}

func longestNumber(text string) int {
	longest, run := 0, 0
	for _, c := range []byte(text) {
		run++
		if c < '0' || c > '9' {
			run = 0
		}
		longest = max(longest, run)
	}
	return longest
}

// DebConstraint is what a version has to meet: "1.2-3" or "= 1.2-3" exactly, or a list of
// comparisons such as ">= 1.2, < 2~". Its zero value is met by every version.
type DebConstraint struct {
	terms []debTerm
}

type debTerm struct {
	op, version string
}

// ParseDebConstraint reads a constraint in Plumb's spelling.
func ParseDebConstraint(text string) (DebConstraint, error) {
	if strings.TrimSpace(text) == "" {
		return DebConstraint{}, nil
	}
	var c DebConstraint
	for part := range strings.SplitSeq(text, ",") {
		term := splitTerm(strings.TrimSpace(part))
		if _, err := readDebVersion(term.version); err != nil || strings.ContainsAny(term.version, " \t") {
			return DebConstraint{}, fmt.Errorf("%q is not a version or a comparison such as \">= 1.2\"", part)
		}
		c.terms = append(c.terms, term)
	}
	return c, nil
}

func splitTerm(part string) debTerm {
	for _, op := range []string{">=", "<=", "!=", ">", "<", "="} {
		if rest, ok := strings.CutPrefix(part, op); ok {
			return debTerm{op, strings.TrimSpace(rest)}
		}
	}
	return debTerm{"=", part}
}

// Exact returns the one version that meets the constraint, when it names one.
func (c DebConstraint) Exact() (string, bool) {
	if len(c.terms) == 1 && c.terms[0].op == "=" {
		return c.terms[0].version, true
	}
	return "", false
}

// Match tells whether the version meets every comparison.
func (c DebConstraint) Match(version string) (bool, error) {
	for _, t := range c.terms {
		order, err := CompareDebVersions(version, t.version)
		if err != nil {
			return false, err
		}
		if !t.holds(order) {
			return false, nil
		}
	}
	return true, nil
}

func (t debTerm) holds(order int) bool {
	switch t.op {
	case ">=":
		return order >= 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	case "<":
		return order < 0
	case "!=":
		return order != 0
	default:
		return order == 0
	}
}
