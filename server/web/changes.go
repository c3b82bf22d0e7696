package web

import (
	"context"
	"net/url"
	"strconv"

	"plumb/server/api"
	"plumb/server/views"
)

// changesPage is the record of changes, the newest first.
type changesPage struct {
	frame
	Changes []changeRow
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
		Changes: changeRows(changes), Full: len(changes) == changesListed, Policy: policy})
}

// changeRow is a change in the list.
type changeRow struct {
	views.ChangeRecord
	// Bar is how many of the hosts run it, and on how many it failed.
	Bar []piece
}

func changeRows(list []views.ChangeRecord) []changeRow {
	rows := make([]changeRow, 0, len(list))
	for _, r := range list {
		rows = append(rows, changeRow{r, changeBar(r)})
	}
	return rows
}

// changeBar shows how far a change is. A patch cycle tells how its hosts stand, a release how many run it.
func changeBar(r views.ChangeRecord) []piece {
	link := recordLink(r)
	if c := r.Cycle; c != nil {
		return lay([]piece{{Mark: "compliant", Words: "converged", Count: c.Converged, Link: link}, {Mark: "rolled_back", Words: "rolled back", Count: c.RolledBack, Link: link},
			{Mark: "error", Words: "failed", Count: c.Failed, Link: link}, {Mark: "pending", Words: "waiting", Count: c.Waiting, Link: link},
			{Mark: "ahead", Words: "not about it", Count: max(0, r.Hosts-r.Reached)}})
	}
	return lay([]piece{{Mark: "compliant", Words: "run it", Count: r.Reached, Link: "/hosts?" + url.Values{"release": {r.ID}}.Encode()},
		{Mark: "ahead", Words: "run another", Count: max(0, r.Hosts-r.Reached)}})
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
