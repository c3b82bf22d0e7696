package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"plumb/server/api"
	"plumb/server/store"
	"plumb/server/views"
)

// changesPage is the record of changes, the newest first.
type changesPage struct {
	frame
	Changes []views.ChangeRecord
	// Full is true when there may be older ones.
	Full   bool
	Policy views.Policy
}

const changesListed = 50

func (s *site) changes(c *api.Call) (any, error) {
	ctx, read := c.Request.Context(), s.Read()
	changes, _, err := s.records.of(ctx, c.Now, func(ctx context.Context) ([]views.ChangeRecord, error) { return read.ChangeRecords(ctx, changesListed) })
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

// changePage is one release: whom it reached and what it did there.
type changePage struct {
	frame
	Change views.ChangeRecord
	// Kind selects events; empty shows all.
	Kind string
}

func (s *site) change(c *api.Call) (any, error) {
	n, err := releaseNumber(c.Param("number"))
	if err != nil {
		return nil, err
	}
	id, now, read := strconv.FormatUint(n, 10), c.Now, s.Read()
	record, _, err := s.ones.named(id).of(c.Request.Context(), now, func(ctx context.Context) (views.ChangeRecord, error) { return read.ChangeRecordOf(ctx, id, now) })
	if errors.Is(err, store.ErrNotFound) {
		return nil, &api.Error{Code: http.StatusNotFound, Text: fmt.Sprintf("there is no change %d", n), Hint: "the page of changes lists them"}
	}
	if err != nil {
		return nil, err
	}
	p := changePage{frame: s.frame(c, fmt.Sprintf("Change %d", n), "/changes"), Change: record, Kind: c.Query("kind")}
	p.Change.Events = ofKind(record.Events, p.Kind)
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

// recordLink is the address of a record.
func recordLink(r views.ChangeRecord) string {
	if r.Cycle == nil {
		return "/changes/" + r.ID
	}
	return "/changes/" + url.PathEscape(r.Cycle.Rollout) + "/" + strconv.FormatUint(r.Number, 10)
}
