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

// hostSummary counts what it can without reading all hosts.
func (s *site) hostSummary(ctx context.Context, f store.HostFilter, p hostsPage) (string, error) {
	shown := len(p.Hosts)
	if shown == 0 {
		return "No hosts", nil
	}
	whole := hostWord(shown)
	if p.First != "" || p.Next != "" {
		whole = fmt.Sprintf("%s, from %s to %s", hostWord(shown), p.Hosts[0].Name, p.Hosts[shown-1].Name)
	}
	if p.Filtered && (len(p.Query) > 1 || f.Status == "") {
		return whole, nil
	}
	counts, err := s.Read().Store.FleetCounts(ctx)
	if err != nil {
		return "", err
	}
	total := counts.Total
	if f.Status != "" {
		total = counts.Status[f.Status]
	}
	if p.First == "" && p.Next == "" {
		return whole, nil
	}
	return whole + fmt.Sprintf(" of %s", number(total)), nil
}
