package web

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"plumb/server/api"
	"plumb/server/store"
	"plumb/server/views"
)

// ringHostsPage lists the hosts of a ring and how they fare with the newest change.
type ringHostsPage struct {
	frame
	Of, Ring string
	Query    url.Values
	// Choices lead to the hosts that fare in one way.
	Choices []choice
	Hosts   []views.RingHost
	// First and Next are the addresses of those pages; empty where this is one of them.
	First, Next string
}

// choice is one value of a filter with how much it selects.
type choice struct {
	Words  string
	Count  int
	Link   string
	Chosen bool
}

func (s *site) ringHosts(c *api.Call) (any, error) {
	of, ring, outcome := c.Query("of"), c.Query("ring"), c.Query("outcome")
	after := c.Query("after")
	all, counts, err := s.Read().RingHosts(s.Rollouts, of, ring, outcome, after, hostsShown+1)
	if errors.Is(err, store.ErrNotFound) {
		return nil, &api.Error{Code: http.StatusNotFound, Text: fmt.Sprintf("it is not known who is in the ring %q of %q", ring, of), Hint: "the page of rings shows what is"}
	}
	if err != nil {
		return nil, err
	}
	p := ringHostsPage{frame: s.frame(c, "Ring "+ring, "/rings"), Of: of, Ring: ring, Query: query(c, "of", "ring", "outcome")}
	p.choose(counts, outcome)
	if after != "" {
		p.First = link("/rings/hosts", p.Query, "")
	}
	if p.Hosts = all; len(all) > hostsShown {
		p.Hosts = all[:hostsShown]
		p.Next = link("/rings/hosts", p.Query, p.Hosts[hostsShown-1].Name)
	}
	return s.show("ring_hosts", p)
}

func (p *ringHostsPage) choose(counts map[string]int, outcome string) {
	total := 0
	for _, n := range counts {
		total += n
	}
	to := url.Values{"of": {p.Of}, "ring": {p.Ring}}
	p.Choices = []choice{{"all", total, "/rings/hosts?" + to.Encode(), outcome == ""}}
	for _, word := range views.Outcomes() {
		to.Set("outcome", word)
		p.Choices = append(p.Choices, choice{outcomeWords(word), counts[word], "/rings/hosts?" + to.Encode(), outcome == word})
	}
}

func outcomeWords(outcome string) string {
	for words, one := range outcomes {
		if one == outcome {
			return words
		}
	}
	return outcome
}
