package system

import (
	"slices"
	"strings"
)

// debAtom is one "name (>= 1.0)" of a relation between packages.
type debAtom struct {
	name, op, version string
	// any is true for "name:any", which every architecture may meet.
	any bool
}

func (a debAtom) String() string {
	if a.op == "" {
		return a.name
	}
	return a.name + " (" + a.op + " " + a.version + ")"
}

// parseRelations reads "a (>= 1) | b, c:any" into groups of alternatives. Lists of
// architectures and profiles stand in source packages only and are passed over.
func parseRelations(text string) [][]debAtom {
	var groups [][]debAtom
	for part := range strings.SplitSeq(text, ",") {
		var group []debAtom
		for one := range strings.SplitSeq(part, "|") {
			if atom, ok := parseAtom(one); ok {
				group = append(group, atom)
			}
		}
		if len(group) > 0 {
			groups = append(groups, group)
		}
	}
	return groups
}

func flatRelations(text string) []debAtom { return slices.Concat(parseRelations(text)...) }

func parseAtom(text string) (debAtom, bool) {
	head, rest, _ := strings.Cut(text, "(")
	words := strings.Fields(head)
	if len(words) == 0 {
		return debAtom{}, false
	}
	name, arch, _ := strings.Cut(words[0], ":")
	atom := debAtom{name: name, any: arch == "any"}
	inner, _, closed := strings.Cut(rest, ")")
	if closed {
		inner = strings.TrimSpace(inner)
		version := strings.TrimLeft(inner, "<>=")
		atom.op, atom.version = inner[:len(inner)-len(version)], strings.TrimSpace(version)
		if atom.op == "" && inner != "" {
			atom.op = "?" // nothing meets what we do not understand
		}
	}
	return atom, name != ""
}

// takes tells whether a version meets the atom. dpkg reads "<" and ">" as "<=" and ">=".
func (a debAtom) takes(version string) bool {
	if a.op == "" {
		return true
	}
	order, err := CompareDebVersions(version, a.version)
	if err != nil {
		return false
	}
	switch a.op {
	case "<<":
		return order < 0
	case "<=", "<":
		return order <= 0
	case "=":
		return order == 0
	case ">=", ">":
		return order >= 0
	case ">>":
		return order > 0
	}
	return false
}

// hits tells whether a package is what the atom names, itself or by what it provides.
func (a debAtom) hits(r *debRecord) bool {
	if a.name == r.name {
		return a.takes(r.version)
	}
	return slices.ContainsFunc(r.provides, func(p debAtom) bool {
		return p.name == a.name && (a.op == "" || p.op == "=" && a.takes(p.version))
	})
}

// serves tells whether r can meet a dependency of the package for: of its architecture, of
// all, or one that serves any.
func (a debAtom) serves(of, r *debRecord) bool {
	fits := r.arch == of.arch || r.arch == "all" || of.arch == "all" || a.any || r.multiArch == "foreign"
	return fits && a.hits(r)
}
