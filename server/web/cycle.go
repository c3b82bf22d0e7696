package web

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"plumb/policies"
	"plumb/server/api"
	"plumb/server/store"
	"plumb/server/views"
)

// cyclePage is one patch cycle: what it carries, whom it reached and how it went.
type cyclePage struct {
	frame
	Query  url.Values
	Change views.ChangeRecord
	Set    views.PatchSetDetail
	// News are the packages that the cycle before did not have in this version, Same the others.
	News, Same []views.PatchSetItem
	// Bar is how the hosts fare whose newest report is about it.
	Bar []piece
	// Hosts are those of them that the filter selects.
	Hosts []views.CycleHost
	// First and Next are the addresses of those pages; empty where this is one of them.
	First, Next string
}

func (s *site) cycle(c *api.Call) (any, error) {
	n, err := releaseNumber(c.Param("cycle"))
	if err != nil {
		return nil, err
	}
	id := fmt.Sprintf("%s/%d", c.Param("number"), n)
	record, err := s.record(c, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, &api.Error{Code: http.StatusNotFound, Text: fmt.Sprintf("there is no patch cycle %s", id), Hint: "the page of changes lists them"}
	}
	if err != nil {
		return nil, err
	}
	set, err := s.Read().PatchSet(c.Request.Context(), c.Param("number"), n)
	if err != nil {
		return nil, err
	}
	p := cyclePage{frame: s.frame(c, "Change "+id, "/changes"), Query: query(c, "outcome"), Change: record, Set: set}
	for _, i := range set.Items {
		if i.New {
			p.News = append(p.News, i)
		} else {
			p.Same = append(p.Same, i)
		}
	}
	p.fare(recordLink(record), c.Query("after"))
	return s.show("cycle", p)
}

// fare draws how the hosts fare, and picks those of one page.
func (p *cyclePage) fare(path, after string) {
	c := p.Change.Cycle
	p.Bar = lay([]piece{{Mark: "compliant", Words: "converged", Count: c.Converged}, {Mark: "error", Words: "failed", Count: c.Failed},
		{Mark: "rolled_back", Words: "rolled back", Count: c.RolledBack}, {Mark: "pending", Words: "waiting", Count: c.Waiting}})
	for i := range p.Bar {
		p.Bar[i].Link = path + "?" + url.Values{"outcome": {p.Bar[i].Words}}.Encode() + "#hosts"
	}
	for _, h := range c.Hosts {
		if want := p.Query.Get("outcome"); want == "" || cycleOutcome(h) == want {
			p.Hosts = append(p.Hosts, h)
		}
	}
	slices.SortFunc(p.Hosts, func(a, b views.CycleHost) int { return cmp.Compare(a.Name, b.Name) })
	from := firstNumber(after, len(p.Hosts))
	if from > 0 {
		p.First = link(path, p.Query, "") + "#hosts"
	}
	if p.Hosts = p.Hosts[from:]; len(p.Hosts) > hostsShown {
		p.Hosts = p.Hosts[:hostsShown]
		p.Next = link(path, p.Query, decimal(from+hostsShown)) + "#hosts"
	}
}

// cycleOutcome says how a host fares with a cycle, in the words of the record.
func cycleOutcome(h views.CycleHost) string {
	switch {
	case h.Phase == policies.PhaseRolledBack:
		return "rolled back"
	case h.Status == policies.Failed:
		return "failed"
	case h.Status.Passing() && (h.Phase == policies.PhaseDone || h.Phase == policies.PhaseIdle):
		return "converged"
	}
	return "waiting"
}
