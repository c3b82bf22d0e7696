package lang

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/Masterminds/semver/v3"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"plumb/policies"
)

// meaning evaluates a meta-argument to a type. It is the null value when there is nothing to
// read: no such argument, a mistake, or unknown for now.
func (s *scope) meaning(e hclsyntax.Expression, extra *names, wants cty.Type, words string) cty.Value {
	none := cty.NullVal(wants)
	if e == nil {
		return none
	}
	v, err := convert.Convert(s.eval(e, extra), wants)
	switch {
	case err != nil:
		s.report(failure(e.Range(), "Wrong type of value", "Here stands "+words+"."))
		return none
	case v.ContainsMarked():
		s.report(failure(e.Range(), "Sensitive value not allowed", "This is shown to everybody who may see the host, so a secret cannot stand here."))
		return none
	case !v.IsWhollyKnown():
		return none
	}
	return v
}

func (s *scope) text(e hclsyntax.Expression, extra *names) string {
	return text(s.meaning(e, extra, cty.String, "text in quotes"))
}

// release checks the version of a policy: ours are strict, so that two of them always compare.
func (s *scope) release(e hclsyntax.Expression) {
	text := s.text(e, nil)
	if text == "" {
		return
	}
	if _, err := semver.StrictNewVersion(text); err != nil {
		s.report(failure(e.Range(), "Unusable version", fmt.Sprintf("%q is not a version of three numbers, such as \"1.4.0\" or \"2.0.0-rc.1\".", text)))
	}
}

func (s *scope) texts(e hclsyntax.Expression, extra *names) []string {
	var list []string
	for _, one := range elements(s.meaning(e, extra, cty.List(cty.String), `a list of strings, such as ["a", "b"]`)) {
		list = append(list, text(one))
	}
	return list
}

func (s *scope) whole(e hclsyntax.Expression, extra *names, least, most int) int {
	v := s.meaning(e, extra, cty.Number, "a whole number")
	if v.IsNull() {
		return 0
	}
	f, _ := v.AsBigFloat().Float64()
	if f != math.Trunc(f) || f < float64(least) || f > float64(most) {
		s.report(failure(e.Range(), "Number out of range", fmt.Sprintf("Here stands a whole number from %d to %d.", least, most)))
		return 0
	}
	return int(f)
}

func (s *scope) mode(e hclsyntax.Expression, extra *names, otherwise policies.Mode) policies.Mode {
	word := s.word(e, extra, string(policies.Enforce), string(policies.Audit))
	if word == "" {
		return otherwise
	}
	return policies.Mode(word)
}

func (s *scope) severity(e hclsyntax.Expression, extra *names) string {
	return s.word(e, extra, "critical", "high", "medium", "low")
}

func (s *scope) word(e hclsyntax.Expression, extra *names, allowed ...string) string {
	word := s.text(e, extra)
	if word == "" || slices.Contains(allowed, word) {
		return word
	}
	s.report(failure(e.Range(), "Unknown word", fmt.Sprintf("%q cannot stand here.%s It is one of: %s.", word, suggest(word, allowed), strings.Join(allowed, ", "))))
	return ""
}

var controlForm = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9_-]+:[A-Za-z0-9._()/-]+$`) })

func (s *scope) controls(e hclsyntax.Expression, extra *names) []string {
	list := unique(s.texts(e, extra))
	for _, one := range list {
		if !controlForm().MatchString(one) {
			s.report(failure(e.Range(), "Unusable control", fmt.Sprintf(`%q does not name a control. Write the framework, a colon and the id, such as "cis_debian12:5.1.20".`, one)))
		}
	}
	return list
}

func (s *scope) seconds(e hclsyntax.Expression, extra *names) int {
	word := s.text(e, extra)
	if word == "" {
		return 0
	}
	n, ok := durationSeconds(word)
	if !ok {
		s.report(failure(e.Range(), "Unusable duration", fmt.Sprintf(`%q is not a duration. Write a number with s, m, h, d or w behind it, such as "90s", "1h30m" or "7d"; ten years at most.`, word)))
	}
	return n
}

var (
	durationForm = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^([0-9]{1,9}[smhdw])+$`) })
	durationPart = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`[0-9]+[smhdw]`) })
)

// durationSeconds reads a duration such as 36h or 7d.
func durationSeconds(word string) (int, bool) {
	if !durationForm().MatchString(word) {
		return 0, false
	}
	units := map[byte]int{'s': 1, 'm': 60, 'h': 3600, 'd': 86400, 'w': 7 * 86400}
	total := 0
	for _, part := range durationPart().FindAllString(word, -1) {
		n, err := strconv.Atoi(part[:len(part)-1])
		if err != nil {
			return 0, false
		}
		if total += n * units[part[len(part)-1]]; total > 3650*86400 {
			return 0, false
		}
	}
	return total, true
}
