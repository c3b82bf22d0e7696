package web

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"plumb/server/api"
	"plumb/server/store"
	"plumb/server/views"
)

// hostsPage lists hosts by name, a page at a time.
type hostsPage struct {
	frame
	// Query is the filter as it was asked for.
	Query url.Values
	Hosts []views.Host
	// Summary says how many there are, as far as that is known.
	Summary string
	// First and Next are the addresses of those pages; empty where this is one of them.
	First, Next string
	// Filtered is true when not all hosts were asked for.
	Filtered bool
}

const hostsShown = 100

func (s *site) hosts(c *api.Call) (any, error) {
	f, err := hostFilter(c)
	if err != nil {
		return nil, err
	}
	f.Limit = hostsShown + 1
	rows, err := s.Read().Hosts(c.Request.Context(), f)
	if err != nil {
		return nil, err
	}
	p := hostsPage{frame: s.frame(c, "Hosts", "/hosts"), Query: query(c, "q", "status", "label", "release", "mismatch", "problem", "revoked")}
	p.Filtered = len(p.Query) > 0
	if f.After != "" {
		p.First = link("/hosts", p.Query, "")
	}
	if len(rows) > hostsShown {
		rows = rows[:hostsShown]
		p.Next = link("/hosts", p.Query, rows[hostsShown-1].Name)
	}
	p.Hosts = rows
	p.Summary, err = s.hostSummary(c.Request.Context(), f, p)
	if err != nil {
		return nil, err
	}
	return s.show("hosts", p)
}

// hostFilter reads the API's own filter and what only the pages' links ask for.
func hostFilter(c *api.Call) (store.HostFilter, error) {
	f, err := api.HostFilter(c)
	if err != nil {
		return f, err
	}
	f.Mismatch, f.Problem = c.Query("mismatch") != "", c.Query("problem") != ""
	if text := c.Query("release"); text != "" {
		f.Release, err = releaseNumber(text)
	}
	return f, err
}

func releaseNumber(text string) (uint64, error) {
	n, err := strconv.ParseUint(text, 10, 63)
	if err != nil || n == 0 {
		return 0, &api.Error{Code: http.StatusBadRequest, Text: fmt.Sprintf("%q is not the number of a release", text), Hint: "the page of changes lists them"}
	}
	return n, nil
}

// query keeps the parameters that have a value, and drops all others.
func query(c *api.Call, names ...string) url.Values {
	kept, all := url.Values{}, c.Request.URL.Query()
	for _, name := range names {
		for _, value := range all[name] {
			if value != "" {
				kept.Add(name, value)
			}
		}
	}
	return kept
}

// link is the address of another page of the same list.
func link(path string, q url.Values, after string) string {
	next := url.Values{}
	for name, values := range q {
		next[name] = values
	}
	if after != "" {
		next.Set("after", after)
	}
	if len(next) == 0 {
		return path
	}
	return path + "?" + next.Encode()
}

// hostSummary says how many there are, and on one page of many which these are.
func (s *site) hostSummary(ctx context.Context, f store.HostFilter, p hostsPage) (string, error) {
	shown := len(p.Hosts)
	switch {
	case shown == 0:
		return "No hosts", nil
	case p.First == "" && p.Next == "":
		return hosts(shown), nil
	}
	span := fmt.Sprintf(", from %s to %s", p.Hosts[0].Name, p.Hosts[shown-1].Name)
	total, err := s.hostTotal(ctx, f, p.Query)
	if err != nil || total == 0 {
		return hosts(shown) + span, err
	}
	return views.Number(shown) + " of " + hosts(total) + span, nil
}

// hostTotal counts the hosts of all pages where that is cheap: without a filter, or by
// status alone. Elsewhere it is 0.
func (s *site) hostTotal(ctx context.Context, f store.HostFilter, q url.Values) (int, error) {
	if len(q) > 1 || len(q) == 1 && f.Status == "" {
		return 0, nil
	}
	counts, err := s.Read().Store.FleetCounts(ctx)
	if err != nil || f.Status == "" {
		return counts.Total, err
	}
	return counts.Status[f.Status], nil
}
