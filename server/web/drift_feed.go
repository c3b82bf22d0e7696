package web

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"plumb/policies"
	"plumb/server/api"
	"plumb/server/store"
)

// driftFeedPage is what drifted, the newest first, a page at a time.
type driftFeedPage struct {
	frame
	Past  past
	Query url.Values
	// Choices are the causes.
	Choices []choice
	Events  eventList
	// First and Next are the addresses of those pages; empty where this is one of them.
	First, Next string
}

// driftKinds are the events that are about drift: it was seen, mended, and fought over.
func driftKinds() []string {
	return []string{store.EventOpened, store.EventRepaired, store.EventFailed, store.EventFlapping}
}

// driftCauses are the causes behind a choice of the feed: without one, what nobody here wanted. A
// flapping resource is told without a cause.
func driftCauses(chosen string) []policies.Cause {
	switch chosen {
	case "":
		return []policies.Cause{policies.Corrective}
	case "all":
		return nil
	}
	return []policies.Cause{policies.Cause(chosen)}
}

// feedCauses are the choices of the feed and their words.
func feedCauses() []pair {
	return []pair{{"", "somebody else's changes"}, {string(policies.Upstream), "our own patching"}, {string(policies.RevertedWaiver), "ended waivers"},
		{string(policies.Initial), "first runs"}, {string(policies.Intentional), "changes of policy"}, {"all", "all causes"}}
}

func (s *site) driftFeed(c *api.Call) (any, error) {
	q := query(c, "host", "address", "policy", "days", "cause")
	then, err := instantOf(c, "/drift/feed", q)
	if err != nil {
		return nil, err
	}
	found, err := s.findingFilter(c, then)
	if err != nil {
		return nil, err
	}
	cause := c.Query("cause")
	if !slices.ContainsFunc(feedCauses(), func(p pair) bool { return p.Name == cause }) {
		return nil, &api.Error{Code: http.StatusBadRequest, Text: fmt.Sprintf("%q is no cause of a change", cause)}
	}
	f := store.EventFilter{Host: found.Host, Address: found.Address, Policy: found.Policy, Since: found.Since, Until: then.until(), Kinds: driftKinds(), Causes: driftCauses(cause), Limit: historyShown + 1}
	if f.Before, err = eventNumber(c.Query("before")); err != nil {
		return nil, err
	}
	events, err := s.Read().Events(c.Request.Context(), f)
	if err != nil {
		return nil, err
	}
	then.Keep(q)
	p := driftFeedPage{frame: then.moved(s.frame(c, "What drifted", "/drift")), Past: then, Query: q}
	for _, one := range feedCauses() {
		to := without(p.Query, pair{"cause", cause})
		if one.Name != "" {
			to.Set("cause", one.Name)
		}
		p.Choices = append(p.Choices, choice{Words: one.Value, Link: link("/drift/feed", to, ""), Chosen: one.Name == cause})
	}
	if f.Before != 0 {
		p.First = link("/drift/feed", p.Query, "")
	}
	if len(events) > historyShown {
		events = events[:historyShown]
		to := without(p.Query, pair{})
		to.Set("before", fmt.Sprint(events[historyShown-1].ID))
		p.Next = link("/drift/feed", to, "")
	}
	p.Events = newFeed(events, then, p.Now)
	return s.show("drift_feed", p)
}
