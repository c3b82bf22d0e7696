package web

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"plumb/server/api"
	"plumb/server/views"
)

// hostsPage lists hosts, a page at a time, beside what tells them apart.
type hostsPage struct {
	frame
	Past past
	// Text is what was searched for.
	Text  string
	Hosts []views.Host
	// Summary says how many there are and which of them are shown.
	Summary string
	// Age is how old the list is, where that is worth a word.
	Age string
	// Chips are the filters in force, Facets those that can be added, More those that few need.
	Chips        []chip
	Facets, More []facet
	// Heads are the heads of the columns, which sort.
	Heads []head
	// Kept are the filters that a search keeps.
	Kept []pair
	// Clear is the address without any filter.
	Clear string
	// First and Next are the addresses of those pages; empty where this is one of them.
	First, Next string
}

// chip is a filter in force; Link is the page without it.
type chip struct{ Words, Link string }

// pair is a name and a value of the address.
type pair struct{ Name, Value string }

// head is the head of a column; Sorted is ascending or descending where the list is sorted by it.
type head struct{ Words, Link, Sorted string }

const hostsShown = 100

// maxSearch is how long a search may be, in bytes.
const maxSearch = 200

func (s *site) hosts(c *api.Call) (any, error) {
	f, q, err := hostFilter(c)
	if err != nil {
		return nil, err
	}
	then, err := instantOf(c, "/hosts", q)
	if err != nil {
		return nil, err
	}
	var roll *views.Roll
	if then.Is() {
		q.Set("as_of", then.At.Format(time.RFC3339))
		roll, then.Unknown, err = s.Read().RollAt(c.Request.Context(), then.At)
	} else {
		roll, err = s.roll(c.Request.Context(), c.Now)
	}
	if err != nil {
		return nil, err
	}
	found := roll.Page(f)
	p := hostsPage{frame: then.moved(s.frame(c, "Hosts", "/hosts")), Past: then, Text: f.Text, Hosts: found.Hosts, Clear: link("/hosts", sorted(q), "")}
	p.Chips, p.Heads, p.Kept = chips(q), heads(q), kept(q)
	p.Facets, p.More = facets(found.Facets, q)
	p.Summary = hostSummary(found)
	if age := c.Now.Sub(roll.At); age >= 10*time.Second && !then.Is() {
		p.Age = views.Ago(age)
	}
	if f.After != "" {
		p.First = link("/hosts", q, "")
	}
	if found.Next != "" {
		p.Next = link("/hosts", q, found.Next)
	}
	return s.show("hosts", p)
}

// roll is the list of all hosts as of some seconds ago at most.
func (s *site) roll(ctx context.Context, now time.Time) (*views.Roll, error) {
	roll, _, err := s.rolls.of(ctx, now, func(ctx context.Context) (*views.Roll, error) { return s.Read().Roll(ctx, s.Rollouts, now) })
	return roll, err
}

// hostFilter reads the filter, and what of the address says the same.
func hostFilter(c *api.Call) (views.RollFilter, url.Values, error) {
	q := query(c, "q", "status", "state", "group", "release", "os", "ring", "label", "revoked", "sort")
	for _, old := range []string{"mismatch", "problem"} {
		if c.Query(old) != "" {
			q.Set("state", old)
		}
	}
	f := views.RollFilter{Text: q.Get("q"), Choices: map[string]string{}, Revoked: q.Has("revoked"), Sort: q.Get("sort"), After: c.Query("after"), Limit: hostsShown}
	if len(f.Text) > maxSearch {
		return f, q, &api.Error{Code: http.StatusBadRequest, Text: "the search is too long", Hint: "a few letters of a name are enough"}
	}
	for name, values := range q {
		for _, value := range values {
			if err := choose(f.Choices, name, value); err != nil {
				return f, q, err
			}
		}
	}
	return f, q, nil
}

// choose adds what a parameter asks for to the choices.
func choose(choices map[string]string, name, value string) error {
	switch name {
	case "status", "state", "group", "os":
		choices[name] = value
	case "release":
		_, err := releaseNumber(value)
		choices[views.FacetRelease] = value
		return err
	case "ring":
		rollout, ring, ok := strings.Cut(value, "/")
		if !ok {
			return &api.Error{Code: http.StatusBadRequest, Text: fmt.Sprintf("the ring filter %q has no /", value), Hint: "write ring=releases/canary"}
		}
		choices[views.FacetRing+rollout] = ring
	case "label":
		key, text, ok := strings.Cut(value, "=")
		if !ok {
			return &api.Error{Code: http.StatusBadRequest, Text: fmt.Sprintf("the label filter %q has no =", value), Hint: "write label=role=web"}
		}
		choices[views.FacetLabel+key] = text
	}
	return nil
}

// parameter is how the address says a choice.
func parameter(facet, value string) pair {
	if rollout, ok := strings.CutPrefix(facet, views.FacetRing); ok {
		return pair{"ring", rollout + "/" + value}
	}
	if key, ok := strings.CutPrefix(facet, views.FacetLabel); ok {
		return pair{"label", key + "=" + value}
	}
	return pair{facet, value}
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
func hostSummary(p views.RollPage) string {
	shown := len(p.Hosts)
	switch {
	case p.Total == 0:
		return "No hosts"
	case shown == 0:
		return "No more hosts of " + hosts(p.Total)
	case shown == p.Total:
		return hosts(shown)
	}
	return fmt.Sprintf("%s of %s, from %s to %s", views.Number(shown), hosts(p.Total), p.Hosts[0].Name, p.Hosts[shown-1].Name)
}
