package web

import (
	"errors"
	"fmt"
	"net/http"

	"plumb/server/api"
	"plumb/server/store"
	"plumb/server/views"
)

// changesPage is the record of changes, the newest first.
type changesPage struct {
	frame
	Changes []views.Change
	// Full is true when there may be older ones.
	Full   bool
	Policy views.Policy
}

const changesListed = 50

func (s *site) changes(c *api.Call) (any, error) {
	ctx, read := c.Request.Context(), s.Read()
	changes, err := read.Changes(ctx, changesListed)
	if err != nil {
		return nil, err
	}
	policy, err := read.Policy(ctx)
	if err != nil {
		return nil, err
	}
	return s.show("changes", changesPage{frame: s.frame(c, "Changes", "/changes"),
		Changes: changes, Full: len(changes) == changesListed, Policy: policy})
}

// changePage is one change: whom it reached and what it did there.
type changePage struct {
	frame
	Change views.Change
	// Kind selects events; empty shows all.
	Kind string
}

func (s *site) change(c *api.Call) (any, error) {
	n, err := releaseNumber(c.Param("number"))
	if err != nil {
		return nil, err
	}
	change, err := s.Read().Change(c.Request.Context(), n)
	if errors.Is(err, store.ErrNotFound) {
		return nil, &api.Error{Code: http.StatusNotFound, Text: fmt.Sprintf("there is no change %d", n), Hint: "the page of changes lists them"}
	}
	if err != nil {
		return nil, err
	}
	p := changePage{frame: s.frame(c, fmt.Sprintf("Change %d", n), "/changes"), Change: change, Kind: c.Query("kind")}
	p.Change.Events = ofKind(change.Events, p.Kind)
	return s.show("change", p)
}

func ofKind(events []views.Event, kind string) []views.Event {
	if kind == "" {
		return events
	}
	var own []views.Event
	for _, e := range events {
		if e.Kind == kind {
			own = append(own, e)
		}
	}
	return own
}
