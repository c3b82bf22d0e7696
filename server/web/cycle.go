package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

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
	name, now, read := c.Param("number"), c.Now, s.Read()
	record, _, err := s.cycles.named(id).of(c.Request.Context(), now, func(ctx context.Context) (cycleRecord, error) { return readCycle(ctx, read, name, n, now) })
	if errors.Is(err, store.ErrNotFound) {
		return nil, &api.Error{Code: http.StatusNotFound, Text: fmt.Sprintf("there is no patch cycle %s", id), Hint: "the page of changes lists them"}
	}
	if err != nil {
		return nil, err
	}
	p := cyclePage{frame: s.frame(c, "Change "+id, "/changes"), Query: query(c, "outcome"), Change: record.Change, Set: record.Set}
	for _, i := range p.Set.Items {
		if i.New {
			p.News = append(p.News, i)
		} else {
			p.Same = append(p.Same, i)
		}
	}
	p.fare(recordLink(p.Change), c.Query("after"))
	return s.show("cycle", p)
}

// cycleRecord is all that is kept of a cycle.
type cycleRecord struct {
	Change views.ChangeRecord
	Set    views.PatchSetDetail
}

// readCycle reads a cycle.
func readCycle(ctx context.Context, read views.Reader, name string, number uint64, now time.Time) (r cycleRecord, err error) {
	if r.Change, err = read.ChangeRecordOf(ctx, fmt.Sprintf("%s/%d", name, number), now); err != nil {
		return r, err
	}
	r.Set, err = read.PatchSet(ctx, name, number)
	return r, err
}

// fare draws how the hosts fare, and picks those of one page.
func (p *cyclePage) fare(path, after string) {
	c := p.Change.Cycle
	p.Bar = lay([]piece{{Mark: "compliant", Words: "converged", Count: c.Converged}, {Mark: "error", Words: "failed", Count: c.Failed},
		{Mark: "rolled_back", Words: "rolled back", Count: c.RolledBack}, {Mark: "pending", Words: "waiting", Count: c.Waiting}})
	for i := range p.Bar {
		p.Bar[i].Link = path + "?" + url.Values{"outcome": {p.Bar[i].Words}}.Encode() + "#hosts"
	}
	from, met := firstNumber(after, len(c.Hosts)), 0
	for _, h := range c.Hosts {
		if want := p.Query.Get("outcome"); want != "" && cycleOutcome(h) != want {
			continue
		}
		if met++; met > from && len(p.Hosts) < hostsShown {
			p.Hosts = append(p.Hosts, h)
		}
	}
	if from > 0 {
		p.First = link(path, p.Query, "") + "#hosts"
	}
	if met > from+hostsShown {
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
