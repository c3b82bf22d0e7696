package patch

import (
	"slices"
	"strings"

	"plumb/inventory"
)

// Matches tells whether the offer comes from such a repository.
func (s Source) Matches(o inventory.Offer) bool {
	if s == (Source{}) {
		return false
	}
	for _, pair := range [][2]string{{s.Origin, o.Origin}, {s.Label, o.Label}, {s.Suite, o.Suite},
		{s.Codename, o.Codename}, {s.Component, o.Component}, {s.Site, o.Site}} {
		if pair[0] != "" && !glob(pair[0], pair[1]) {
			return false
		}
	}
	return true
}

// names tells whether one of the patterns names the offered package.
func names(patterns []string, o inventory.Offer) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		name, version, one := strings.Cut(pattern, "=")
		binary, _, _ := strings.Cut(o.Package, ":")
		return (glob(name, binary) || glob(name, o.Source)) && (!one || glob(version, o.Candidate))
	})
}

// glob matches a whole text, * standing for any text and ? for any byte. It goes back to the
// last star only, so that no pattern is slow.
func glob(pattern, text string) bool {
	p, t, star, from := 0, 0, -1, 0
	for t < len(text) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, from = p, t
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == text[t]):
			p, t = p+1, t+1
		case star >= 0:
			from++
			p, t = star+1, from
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}
