package web

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"plumb/policies/patch"
	"plumb/server/api"
	"plumb/server/views"
)

// advisoriesPage lists advisories, those whose answer some host lacks first.
type advisoriesPage struct {
	frame
	Query url.Values
	// Severities are the choices of the filter.
	Severities []string
	Summary    string
	Rows       []*views.AdvisoryRow
	// First and Next are the addresses of those pages; empty where this is one of them.
	First, Next string
}

const advisoriesShown = 100

func (s *site) advisoryRows(c *api.Call) ([]*views.AdvisoryRow, error) {
	now, read := c.Now, s.Read()
	rows, _, err := s.notices.of(c.Request.Context(), now, func(ctx context.Context) ([]*views.AdvisoryRow, error) { return read.AdvisoryRows(ctx, now) })
	return rows, err
}

func (s *site) advisories(c *api.Call) (any, error) {
	all, err := s.advisoryRows(c)
	if err != nil {
		return nil, err
	}
	p := advisoriesPage{frame: s.frame(c, "Advisories", "/advisories"), Query: query(c, "severity", "open", "late", "exploited"), Severities: patch.Severities()}
	rows := make([]*views.AdvisoryRow, 0, len(all))
	for _, r := range all {
		if p.selects(r) {
			rows = append(rows, r)
		}
	}
	p.Summary = p.summary(rows)
	from := firstNumber(c.Query("after"), len(rows))
	if from > 0 {
		p.First = link("/advisories", p.Query, "")
	}
	if p.Rows = rows[from:]; len(p.Rows) > advisoriesShown {
		p.Rows = p.Rows[:advisoriesShown]
		p.Next = link("/advisories", p.Query, decimal(from+advisoriesShown))
	}
	return s.show("advisories", p)
}

func (p *advisoriesPage) selects(r *views.AdvisoryRow) bool {
	q := p.Query
	return (!q.Has("severity") || r.Severity == q.Get("severity")) && (!q.Has("open") || r.Hosts > 0) &&
		(!q.Has("late") || r.Late > 0) && (!q.Has("exploited") || r.Exploited)
}

func (p *advisoriesPage) summary(rows []*views.AdvisoryRow) string {
	open, late := 0, 0
	for _, r := range rows {
		open += min(r.Hosts, 1)
		late += min(r.Late, 1)
	}
	if len(rows) == 0 {
		return "No advisories"
	}
	return fmt.Sprintf("%s; hosts lack the answer to %s, and are late with %s", plural(len(rows), "advisory", "advisories"), views.Number(open), views.Number(late))
}

// advisoryPage is one advisory and the hosts that lack the answer to it.
type advisoryPage struct {
	frame
	Row   views.AdvisoryRow
	Hosts []views.Lacking
	// First and Next are the addresses of those pages; empty where this is one of them.
	First, Next string
}

func (s *site) advisory(c *api.Call) (any, error) {
	id := c.Param("id")
	all, err := s.advisoryRows(c)
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(all, func(r *views.AdvisoryRow) bool { return r.ID == id })
	if at < 0 {
		return nil, &api.Error{Code: http.StatusNotFound, Text: fmt.Sprintf("there is no advisory %q", id), Hint: "the page of advisories lists them"}
	}
	p := advisoryPage{frame: s.frame(c, id, "/advisories"), Row: *all[at], Hosts: all[at].Lacking()}
	path, from := "/advisories/"+url.PathEscape(id), firstNumber(c.Query("after"), len(p.Hosts))
	if from > 0 {
		p.First = path
	}
	if p.Hosts = p.Hosts[from:]; len(p.Hosts) > hostsShown {
		p.Hosts = p.Hosts[:hostsShown]
		p.Next = link(path, nil, decimal(from+hostsShown))
	}
	return s.show("advisory", p)
}
