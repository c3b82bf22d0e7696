package views

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"plumb/policies"
	"plumb/policies/patch"
	"plumb/server/kpi"
	"plumb/server/rollout"
)

// ChangeRecord is the record of a release, or of a patch cycle. A cycle's Number is its own, and
// Reached counts the hosts whose newest report is about it.
type ChangeRecord struct {
	Change
	// ID is the release's number, or ROLLOUT/N for a patch cycle.
	ID string `json:"id"`
	// Kind is release or cycle.
	Kind string `json:"kind"`
	// Phase is as in Rollout.
	Phase string `json:"phase"`
	// Begun is when the first ring began, Ended when the last one passed, a ring was rolled back, or
	// another change took its place.
	Begun *time.Time `json:"begun,omitempty"`
	Ended *time.Time `json:"ended,omitempty"`
	// Cycle is what only patch cycles have.
	Cycle *CycleRecord `json:"cycle,omitempty"`
	// People is what people decided about it.
	People []RolloutEvent `json:"people"`
	// Verdict is how it counts in the figures; only in the record of one change.
	Verdict *kpi.Record `json:"verdict,omitempty"`
	// Rings are those that it goes through; without a rollout there are none.
	Rings []RingRecord `json:"rings,omitempty"`
	// Reach is whom a release reached, by name; only in the record of one, and not in its JSON, which
	// would have a row for each host.
	Reach []Reached `json:"-"`
}

// CycleRecord is what a patch cycle carries and how its hosts stand.
type CycleRecord struct {
	Rollout   string `json:"rollout"`
	Set       string `json:"set"`
	Emergency bool   `json:"emergency"`
	// Packages counts those of the set; Items lists them, only in the record of one change.
	Packages int          `json:"packages"`
	Items    []patch.Item `json:"items,omitempty"`
	// Converged, RolledBack, Failed and Waiting count the hosts whose newest report is about it.
	Converged  int `json:"converged"`
	RolledBack int `json:"rolled_back"`
	Failed     int `json:"failed"`
	Waiting    int `json:"waiting"`
	// Hosts are these hosts; only in the record of one change.
	Hosts []CycleHost `json:"hosts,omitempty"`
}

// CycleHost is how one host stands with a patch cycle.
type CycleHost struct {
	Name    string          `json:"name"`
	Ring    string          `json:"ring"`
	Status  policies.Status `json:"status"`
	Phase   string          `json:"phase"`
	Since   time.Time       `json:"since"`
	Message string          `json:"message,omitempty"`
}

// course is what a record needs of a rollout's state. Who was given what is left out: there may be
// thousands of hosts in it.
type course struct {
	Set        string            `json:"set"`
	Emergency  bool              `json:"emergency"`
	Made       time.Time         `json:"made"`
	Plan       *policies.Rollout `json:"plan"`
	Rings      []rollout.Ring    `json:"rings"`
	Paused     *rollout.Act      `json:"paused"`
	Frozen     bool              `json:"frozen"`
	Done       time.Time         `json:"done"`
	Superseded uint64            `json:"superseded"`
	Withdrawn  *rollout.Act      `json:"withdrawn"`
	History    []rollout.Entry   `json:"history"`
}

// tell adds to a record how it went.
func (c course) tell(r *ChangeRecord) {
	r.Rings = c.ringRecords()
	r.Phase = rolloutPhase(rollout.State{Plan: c.Plan, Rings: c.Rings, Paused: c.Paused, Frozen: c.Frozen, Done: c.Done, Superseded: c.Superseded, Withdrawn: c.Withdrawn})
	if c.Plan == nil {
		r.Begun, r.Ended = stamp(c.Made), stamp(c.Made)
	}
	for _, e := range c.History {
		switch {
		case e.What == string(rollout.Rolling) && r.Begun == nil:
			r.Begun = stamp(e.At)
		case slices.Contains([]string{"done", "superseded", "withdrawn", string(rollout.RolledBack)}, e.What) && r.Ended == nil:
			r.Ended = stamp(e.At)
		}
		if e.Who != "" {
			r.People = append(r.People, RolloutEvent{At: e.At.UTC(), Ring: e.Ring, What: e.What, Who: e.Who, Why: e.Why})
		}
	}
}

// ChangeRecords returns the records of the newest releases and patch cycles, the newest first.
func (r Reader) ChangeRecords(ctx context.Context, limit int) ([]ChangeRecord, error) {
	changes, err := r.Changes(ctx, limit)
	if err != nil {
		return nil, err
	}
	records := make([]ChangeRecord, 0, len(changes))
	for _, one := range changes {
		record, err := r.releaseRecord(ctx, one)
		if err != nil {
			return nil, err
		}
		records = append(records, record)
	}
	cycles, err := r.cycleRecords(ctx, limit)
	if err != nil {
		return nil, err
	}
	for _, one := range cycles {
		one.Cycle.Items = nil
		records = append(records, one)
	}
	slices.SortStableFunc(records, func(a, b ChangeRecord) int { return b.Made.Compare(a.Made) })
	return records[:min(limit, len(records))], nil
}

func (r Reader) releaseRecord(ctx context.Context, one Change) (ChangeRecord, error) {
	record := ChangeRecord{Change: one, ID: fmt.Sprint(one.Number), Kind: kpi.Release, People: []RolloutEvent{}}
	course := course{Made: one.Made, Done: one.Made}
	rows, err := r.Store.Rollouts(ctx, 1, one.Number+1)
	if err != nil {
		return record, err
	}
	if len(rows) == 1 && rows[0].Release == one.Number {
		course.Done = time.Time{}
		if err := json.Unmarshal([]byte(rows[0].State), &course); err != nil {
			return record, fmt.Errorf("cannot read the rollout of release %d: %w", one.Number, err)
		}
	}
	course.tell(&record)
	return record, nil
}

// ChangeRecord returns the record of one change with all there is to know of it as of now.
// store.ErrNotFound when there is no such change.
func (r Reader) ChangeRecord(ctx context.Context, id rollout.ID, now time.Time) (ChangeRecord, error) {
	var record ChangeRecord
	var err error
	if id.Rollout != "" {
		record, err = r.cycleRecord(ctx, id)
	} else {
		var one Change
		if one, err = r.Change(ctx, id.Number); err == nil {
			record, err = r.releaseRecord(ctx, one)
		}
	}
	if err != nil {
		return record, err
	}
	record.Verdict, err = r.verdict(ctx, &record, now)
	return record, err
}

// slack is how much earlier than the server a host's clock may have put what a change did.
const slack = time.Hour

// verdict derives how one change counts in the figures as of now, from what came since it was made. On the
// way it notes whom a release reached.
func (r Reader) verdict(ctx context.Context, record *ChangeRecord, now time.Time) (*kpi.Record, error) {
	changes, err := r.pastChanges(ctx)
	if err != nil {
		return nil, err
	}
	changes = slices.DeleteFunc(changes, func(c kpi.Change) bool { return c.ID != record.ID })
	hosts, err := r.kpiHosts(ctx, KPIFilter{})
	if err != nil {
		return nil, err
	}
	past := &past{store: r.Store, ctx: ctx, since: record.Made.Add(-slack), whole: true, kept: r.histories(len(hosts))}
	all := past.hosts(hosts)
	if record.Kind == kpi.Release {
		all = noting(all, record.Number, &record.Reach)
	}
	figures := kpi.Compute(kpi.Query{To: now.Add(time.Millisecond), AsOf: now}, changes, all)
	if past.err != nil || len(figures.List) == 0 {
		return nil, past.err
	}
	return &figures.List[0], nil
}
