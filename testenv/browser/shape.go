package browser

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
)

var rows = regexp.MustCompile(`^(/(?:hosts|policies|changes|advisories|static|signin|welcome)/)[^/]+`)

// Shape is an address without what differs between rows of one list: what stands behind the first
// part of a path names a row, and so does each value of a filter. Two pages of one shape are made alike.
func Shape(link string) string {
	u, err := url.Parse(link)
	if err != nil {
		return link
	}
	var names []string
	for name := range u.Query() {
		names = append(names, name)
	}
	slices.Sort(names)
	if len(names) > 1 && u.Path == "/hosts" {
		names = names[:1] // facets lead to all combinations
	}
	return rows.ReplaceAllString(u.EscapedPath(), "$1*") + "?" + strings.Join(names, "&")
}
