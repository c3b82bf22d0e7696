package web

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"plumb/policies"
	"plumb/server/api"
	"plumb/server/store"
	"plumb/server/views"
)

// eventsPage lists the events behind a figure, the newest first.
type eventsPage struct {
	frame
	What     string
	Query    url.Values
	From, To time.Time
	Events   []views.Event
	// First and Next are the addresses of those pages; empty where this is one of them.
	First, Next string
}

// eventKinds are what the events of a figure are.
var eventKinds = map[string]struct {
	title  string
	kinds  []string
	causes []policies.Cause
}{
	"drift":    {"Drift", []string{store.EventOpened, store.EventRepaired}, []policies.Cause{policies.Corrective}},
	"silent":   {"Hosts that fell silent", []string{store.EventStale}, nil},
	"refused":  {"Releases refused", []string{store.EventRefused}, nil},
	"mismatch": {"Other catalogs", []string{store.EventMismatch}, nil},
}

const eventsShown = 100

func (s *site) events(c *api.Call) (any, error) {
	kind, known := eventKinds[c.Query("what")]
	if !known {
		return nil, &api.Error{Code: http.StatusNotFound, Text: fmt.Sprintf("there are no events of %q", c.Query("what")), Hint: "the page of figures leads to them"}
	}
	period, err := api.KPIFilter(c)
	if err != nil {
		return nil, err
	}
	p := eventsPage{frame: s.frame(c, kind.title, "/kpis"), What: kind.title, Query: query(c, "what", "from", "to", "policy"), From: period.From, To: period.To}
	f := store.EventFilter{Kinds: kind.kinds, Causes: kind.causes, Since: period.From, Until: period.To, Policy: period.Policy, Limit: eventsShown + 1}
	if after := c.Query("after"); after != "" {
		if f.Before, err = strconv.ParseInt(after, 10, 64); err != nil || f.Before <= 0 {
			return nil, &api.Error{Code: http.StatusBadRequest, Text: fmt.Sprintf("after=%q is no event", after)}
		}
		p.First = link("/events", p.Query, "")
	}
	if p.Events, err = s.Read().Events(c.Request.Context(), f); err != nil {
		return nil, err
	}
	if len(p.Events) > eventsShown {
		p.Events = slices.Clip(p.Events[:eventsShown])
		p.Next = link("/events", p.Query, strconv.FormatInt(p.Events[eventsShown-1].ID, 10))
	}
	return s.show("events", p)
}
