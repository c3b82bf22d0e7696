package web

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"plumb/inventory"
	"plumb/server/api"
	"plumb/server/views"
)

// packagesPage is what a host has installed, and what is on offer to it.
type packagesPage struct {
	frame
	Past       past
	Name, Text string
	// Found counts what the search selects; Rows are of that as much as is shown.
	Found int
	Rows  []packageRow
	hostSoftware
}

// hostSoftware is what a host has installed and what is on offer to it.
type hostSoftware struct {
	// Installed counts the packages.
	Installed int
	// Updates are on offer, the worst first, Security those of them that mend a weakness.
	Updates  []views.PatchUpdate
	Security int
	// Unknown says why it is not known what is on offer.
	Unknown string

	versions map[string]string
}

// packageRow is a package of a host with what is on offer for it.
type packageRow struct {
	Name, Version string
	Updates       []views.PatchUpdate
}

// packagesShown bounds the list; a search finds the rest.
const packagesShown = 500

// installed reads what facts tell.
func installed(facts json.RawMessage) (software hostSoftware) {
	var known inventory.Facts
	if json.Unmarshal(facts, &known) == nil {
		software.versions, software.Installed = known.Packages, len(known.Packages)
	}
	return software
}

// software reads what facts and offers of a host tell.
func (s *site) software(ctx context.Context, name string, facts json.RawMessage, now time.Time) (hostSoftware, error) {
	software := installed(facts)
	status, err := s.Read().PatchStatus(ctx, views.PatchFilter{Host: name}, now)
	if err != nil {
		return software, err
	}
	for _, one := range status.Unknown {
		software.Unknown = one.Reason
	}
	seen := map[string]bool{} // each baseline judges an update
	for _, u := range status.Updates {
		if key := u.Package + " " + u.Version; !seen[key] {
			seen[key] = true
			software.Updates = append(software.Updates, u)
			software.Security += number(u.Security)
		}
	}
	slices.SortStableFunc(software.Updates, func(a, b views.PatchUpdate) int {
		return cmp.Or(number(b.Security)-number(a.Security), strings.Compare(a.Package, b.Package))
	})
	return software, nil
}

// Has is what the host has installed of a package, empty for nothing.
func (h hostSoftware) Has(name string) string { return h.versions[name] }

func (s *site) packages(c *api.Call) (any, error) {
	ctx, name := c.Request.Context(), c.Param("name")
	then, err := instantOf(c, "/hosts/"+url.PathEscape(name)+"/packages", query(c, "q"))
	if err != nil {
		return nil, err
	}
	detail, err := s.detail(ctx, name, then)
	if err != nil {
		return nil, err
	}
	p := packagesPage{Name: detail.Name, Text: c.Query("q")}
	if then.Is() {
		then.Unknown, p.hostSoftware = "updates on offer", installed(detail.Facts)
	} else if p.hostSoftware, err = s.software(ctx, name, detail.Facts, c.Now); err != nil {
		return nil, err
	}
	p.frame, p.Past = then.moved(s.frame(c, "Packages of "+detail.Name, "/hosts")), then
	on := map[string][]views.PatchUpdate{}
	for _, u := range p.Updates {
		on[u.Package] = append(on[u.Package], u)
	}
	for _, pack := range slices.Sorted(maps.Keys(p.versions)) {
		if !strings.Contains(pack, strings.TrimSpace(p.Text)) {
			continue
		}
		if p.Found++; p.Found <= packagesShown {
			p.Rows = append(p.Rows, packageRow{pack, p.versions[pack], on[pack]})
		}
	}
	return s.show("packages", p)
}
