package web

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"plumb/server/api"
	"plumb/server/views"
)

// patchHostsPage lists the hosts behind a number of the page of patches.
type patchHostsPage struct {
	frame
	Heading, About string
	Hosts          []patchHost
	// First and Next are the addresses of those pages; empty where this is one of them.
	First, Next string
}

// patchHost is a host and what is said of it.
type patchHost struct {
	Name string
	Note string
}

func (s *site) patchHosts(c *api.Call) (any, error) {
	all, _, err := s.patching(c)
	if err != nil {
		return nil, err
	}
	q := query(c, "what", "package", "version", "state", "baseline")
	p := patchHostsPage{}
	switch q.Get("what") {
	case "reboot":
		p.reboots(all.status.Reboots)
	case "unknown":
		p.unknown(all.status.Unknown)
	default:
		if !q.Has("package") {
			return nil, &api.Error{Code: http.StatusNotFound, Text: "which update is it about?", Hint: "the page of patches leads to the hosts of each"}
		}
		p.update(all.status.Updates, q)
	}
	p.frame = s.frame(c, p.Heading, "/patches")
	p.page(q, c.Query("after"))
	return s.show("patch_hosts", p)
}

func (p *patchHostsPage) reboots(all []views.PatchReboot) {
	p.Heading, p.About = "Pending reboots", "Those that wait longest come first."
	for _, r := range all {
		note := "since " + exactly(r.Since) + ", " + r.Rollout
		for _, why := range r.Reasons {
			note += "; " + why
		}
		p.Hosts = append(p.Hosts, patchHost{r.Host, note})
	}
}

func (p *patchHostsPage) unknown(all []views.PatchUnknown) {
	p.Heading, p.About = "Hosts of which it is not known", "They are never counted as having nothing on offer."
	for _, u := range all {
		p.Hosts = append(p.Hosts, patchHost{u.Host, u.Reason})
	}
}

func (p *patchHostsPage) update(all []views.PatchUpdate, q url.Values) {
	p.Heading, p.About = "Hosts with "+q.Get("package")+" "+q.Get("version")+" on offer", spaced(q.Get("state"))
	if name := q.Get("baseline"); name != "" {
		p.About += " by patch_baseline." + name
	}
	for _, u := range all {
		if u.Package != q.Get("package") || u.Version != q.Get("version") || string(u.State) != q.Get("state") || u.Baseline != q.Get("baseline") {
			continue
		}
		for _, name := range u.Hosts.Names() {
			p.Hosts = append(p.Hosts, patchHost{name, ""})
		}
	}
	slices.SortFunc(p.Hosts, func(a, b patchHost) int { return cmp.Compare(a.Name, b.Name) })
	p.Hosts = slices.Compact(p.Hosts)
}

func (p *patchHostsPage) page(q url.Values, after string) {
	from := firstNumber(after, len(p.Hosts))
	if from > 0 {
		p.First = link("/patches/hosts", q, "")
	}
	if p.Hosts = p.Hosts[from:]; len(p.Hosts) > hostsShown {
		p.Hosts = p.Hosts[:hostsShown]
		p.Next = link("/patches/hosts", q, decimal(from+hostsShown))
	}
}

// firstNumber reads how many rows are left out, which is never more than there are.
func firstNumber(text string, rows int) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0
	}
	return max(0, min(n, rows))
}

func decimal(n int) string { return strconv.Itoa(n) }
