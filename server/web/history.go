package web

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"plumb/policies"
	"plumb/server/api"
	"plumb/server/store"
	"plumb/server/views"
)

// historyPage is all that happened to a host, a page at a time.
type historyPage struct {
	frame
	Past    past
	Name    string
	Choices []choice
	Events  eventList
	// First and Next are the addresses of those pages; empty where this is one of them.
	First, Next string
}

const historyShown = 100

// historyKind is a choice of a history and the events that it selects.
type historyKind struct {
	what, words string
	kinds       []string
	causes      []policies.Cause
}

func histories() []historyKind {
	return []historyKind{
		{"", "all", nil, nil},
		{"drift", "drift", []string{store.EventOpened, store.EventRepaired, store.EventFlapping}, []policies.Cause{policies.Corrective, ""}},
		{"changes", "changes", []string{store.EventRepaired}, []policies.Cause{policies.Initial, policies.Intentional, policies.Upstream, policies.RevertedWaiver}},
		{"trouble", "trouble", []string{store.EventFailed, store.EventRefused, store.EventMismatch}, nil},
		{"host", "the host itself", []string{store.EventEnrolled, store.EventRevoked, store.EventRebooted, store.EventStale, store.EventReturned}, nil},
	}
}

func (s *site) history(c *api.Call) (any, error) {
	ctx, name, what := c.Request.Context(), c.Param("name"), c.Query("what")
	then, err := instantOf(c, "/hosts/"+url.PathEscape(name)+"/history", query(c, "what"))
	if err != nil {
		return nil, err
	}
	h, err := s.hostThen(ctx, name, then)
	if err != nil {
		return nil, err
	}
	f := store.EventFilter{Host: h.ID, Limit: historyShown + 1}
	known := histories()
	i := slices.IndexFunc(known, func(one historyKind) bool { return one.what == what })
	if i < 0 {
		return nil, &api.Error{Code: http.StatusNotFound, Text: fmt.Sprintf("nothing in a history is called %q", what)}
	}
	f.Kinds, f.Causes = known[i].kinds, known[i].causes
	if f.Before, err = eventNumber(c.Query("before")); err != nil {
		return nil, err
	}
	later := f.Before != 0
	if then.Is() && !later {
		if f.Before, err = s.Read().Store.EventsEnd(ctx, h.ID, then.At); err != nil {
			return nil, err
		}
	}
	events, err := s.Read().Events(ctx, f)
	if err != nil {
		return nil, err
	}
	p := historyPage{frame: then.moved(s.frame(c, "History of "+h.Name, "/hosts")), Past: then, Name: h.Name}
	p.fill(events, what, query(c, "what"), later)
	return s.show("history", p)
}

func (p *historyPage) fill(events []views.Event, what string, q url.Values, later bool) {
	path := "/hosts/" + url.PathEscape(p.Name) + "/history"
	for _, one := range histories() {
		to := url.Values{}
		if one.what != "" {
			to.Set("what", one.what)
		}
		p.Past.Keep(to)
		p.Choices = append(p.Choices, choice{Words: one.words, Link: link(path, to, ""), Chosen: one.what == what})
	}
	p.Past.Keep(q)
	if later {
		p.First = link(path, q, "")
	}
	if len(events) > historyShown {
		events = events[:historyShown]
		q.Set("before", fmt.Sprint(events[historyShown-1].ID))
		p.Next = link(path, q, "")
	}
	p.Events = eventList{First: events, Now: p.Now}
}

func eventNumber(text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 1 {
		return 0, &api.Error{Code: http.StatusBadRequest, Text: fmt.Sprintf("%q is not the number of an event", text)}
	}
	return n, nil
}
