package system

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// aptSimulation is what apt would do, in its own words.
type aptSimulation struct {
	// install are the versions that would come, by name and architecture.
	install []Target
	// remove would go.
	remove []string
	// refused is what apt said when it found no way.
	refused string
	// unmet are the dependencies that it then complained about.
	unmet []string
}

// fine tells whether it works out without a package going.
func (s aptSimulation) fine() bool { return s.refused == "" && len(s.remove) == 0 }

// simulate asks apt what the installation of exactly these versions comes to.
func (a aptManager) simulate(ctx context.Context, db *Dpkg, wanted []Target, offered debOffers) (aptSimulation, error) {
	args := append([]string{"-s"}, installArgs(db, wanted, offered)...)
	out, err := a.s.aptGet(ctx, aptQueryLimit, args)
	if err != nil {
		return aptSimulation{}, err
	}
	if out.Code != 0 {
		return aptSimulation{refused: aptErrors(out), unmet: parseUnmet(string(out.Stdout))}, nil
	}
	return parseSimulation(string(out.Stdout), db.Arch), nil
}

// installArgs are apt-get's arguments for exactly these versions. A host that was offline is
// not asked for phasing again: its ring is its phase.
func installArgs(db *Dpkg, wanted []Target, offered debOffers) []string {
	args := []string{"-o", "APT::Install-Recommends=false", "-o", "APT::Get::Always-Include-Phased-Updates=true"}
	if slices.ContainsFunc(wanted, func(t Target) bool { return older(db, t) }) {
		args = append(args, "--allow-downgrades")
	}
	args = append(args, "install", "--")
	for _, t := range wanted {
		args = append(args, offered.spec(t))
	}
	return args
}

// older tells whether the version is older than what is installed.
func older(db *Dpkg, t Target) bool {
	p, ok := t.find(db)
	return ok && !p.Gone() && newer(p.Version, t.Version)
}

// find returns what dpkg has of the target's package.
func (t Target) find(db *Dpkg) (Package, bool) {
	for _, p := range db.packages[t.bare()] {
		if p.Arch == t.arch() || t.arch() == "" || t.arch() == "all" || p.Arch == "all" {
			return p, true
		}
	}
	return Package{}, false
}

// reached tells whether dpkg has the target completely installed.
func (t Target) reached(db *Dpkg) bool {
	for _, p := range db.packages[t.bare()] {
		sameArch := p.Arch == t.arch() || t.arch() == "" || t.arch() == "all" || p.Arch == "all"
		if sameArch && p.Version == t.Version && p.Installed() {
			return true
		}
	}
	return false
}

// parseSimulation reads the lines of "apt-get -s" that tell what would be done:
//
//	Inst libc6 [2.36-9] (2.36-10 Debian:12/stable [amd64]) []
//	Remv nginx [1.22.1-9]
func parseSimulation(out, native string) aptSimulation {
	var found aptSimulation
	for line := range strings.Lines(out) {
		words := strings.Fields(line)
		if len(words) < 2 {
			continue
		}
		switch words[0] {
		case "Inst":
			if t, ok := parseInst(line, words[1], native); ok {
				found.install = append(found.install, t)
			}
		case "Remv", "Purg":
			found.remove = append(found.remove, words[1])
		}
	}
	slices.SortFunc(found.install, orderDebs)
	found.install = slices.Compact(found.install)
	slices.Sort(found.remove)
	found.remove = slices.Compact(found.remove)
	return found
}

// parseInst takes the version behind "(" and the architecture in the last brackets before ")".
func parseInst(line, name, native string) (Target, bool) {
	_, inner, ok := strings.Cut(line, "(")
	inner, _, closed := strings.Cut(inner, ")")
	words := strings.Fields(inner)
	if !ok || !closed || len(words) == 0 {
		return Target{}, false
	}
	t := Target{Name: name, Version: words[0]}
	if last := words[len(words)-1]; len(words) > 1 && strings.HasPrefix(last, "[") {
		t.Arch = strings.Trim(last, "[]")
	}
	if bare, arch, _ := strings.Cut(name, ":"); arch == native {
		t.Name = bare
	}
	return t, t.bare() != ""
}

// parseUnmet reads what apt says stands in the way:
//
//	The following packages have unmet dependencies:
//	 app : Depends: lib (>= 2) but 1 is to be installed
func parseUnmet(out string) []string {
	_, out, found := strings.Cut(out, "have unmet dependencies:\n")
	if !found {
		return nil
	}
	var lines []string
	for line := range strings.Lines(out) {
		text, of, _ := strings.Cut(strings.TrimSpace(line), ":")
		if !strings.HasPrefix(line, " ") || of == "" || len(lines) == 8 {
			break
		}
		lines = append(lines, printableWord([]byte(text+strings.TrimRight(of, " "))))
	}
	return lines
}

func orderDebs(a, b Target) int {
	return strings.Compare(a.order(), b.order())
}

func (t Target) order() string { return fmt.Sprintf("%s\x00%s\x00%s", t.Name, t.Arch, t.Version) }
