package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"plumb/inventory"
	"plumb/policies"
)

// delivery is what some reports of one host did. Those that come while a commit is on its way to the disk share the next one,
// and the statements in it.
type delivery struct {
	id    inventory.HostID
	epoch string
	after uint64
	steps []Step
	// events are those of each step in rows: whoever delivers makes them, so that the writer need not.
	events []eventBatch
	now    time.Time
	err    error
	done   chan struct{}
}

func newDelivery(id inventory.HostID, epoch string, after uint64, steps []Step, now time.Time) *delivery {
	d := &delivery{id: id, epoch: epoch, after: after, steps: steps, events: make([]eventBatch, len(steps)), now: now, done: make(chan struct{})}
	for i, step := range steps {
		d.events[i].add(id, step.Events)
	}
	return d
}

// follows tells whether the host still stands where the reports go on, and whether they do go on: an epoch never goes back.
func (d *delivery) follows(h Host) bool {
	if h.Epoch != d.epoch || h.Seq != d.after {
		return false
	}
	epoch, seq := h.Epoch, h.Seq
	for _, step := range d.steps {
		if step.Report.Epoch == epoch && step.Report.Seq <= seq {
			return false
		}
		epoch, seq = step.Report.Epoch, step.Report.Seq
	}
	return true
}

// changesEpoch tells whether any of the reports is of another epoch than the one before it.
func (d *delivery) changesEpoch() bool {
	return slices.ContainsFunc(d.steps, func(step Step) bool { return step.Report.Epoch != d.epoch })
}

// Accept stores what reports of a host did, all in one transaction, if its newest report is
// still (epoch, afterSeq): ErrConflict otherwise. Before a host's first report these are "" and 0.
// It does not end before it is known how that went, whatever becomes of ctx.
func (s *Store) Accept(ctx context.Context, id inventory.HostID, epoch string, afterSeq uint64, steps []Step, now time.Time) error {
	if len(steps) == 0 {
		return nil
	}
	err := ctx.Err()
	if err == nil {
		d := newDelivery(id, epoch, afterSeq, steps, now)
		if s.deliveries.add(d) {
			go s.takeDeliveries()
		}
		<-d.done
		err = d.err
	}
	if err != nil {
		return fmt.Errorf("cannot store the report: %w", err)
	}
	return nil
}

// apart chooses those that go together, none twice for the same host.
func apart(waiting []*delivery) (batch, left []*delivery) {
	hosts := map[inventory.HostID]bool{}
	for _, d := range waiting {
		if hosts[d.id] || len(batch) == mostTogether {
			left = append(left, d)
			continue
		}
		hosts[d.id] = true
		batch = append(batch, d)
	}
	return batch, left
}

// takeDeliveries stores what waits and ends when nothing does.
func (s *Store) takeDeliveries() {
	for batch := s.deliveries.next(apart); len(batch) > 0; batch = s.deliveries.next(apart) {
		s.acceptBatch(batch)
	}
}

// acceptBatch stores deliveries together. When that fails each gets a transaction of its own, so
// that none is the ruin of the others.
func (s *Store) acceptBatch(batch []*delivery) {
	w := &writing{store: s}
	err := s.write(context.Background(), "write", func(ctx context.Context, tx *sql.Tx) error {
		w.ctx, w.tx = ctx, tx
		return w.accept(batch)
	})
	if err == nil {
		s.blockKeys.learn(w.noted)
	}
	if err != nil && len(batch) > 1 {
		for _, d := range batch {
			s.acceptBatch([]*delivery{d})
		}
		return
	}
	for _, d := range batch {
		if d.err == nil {
			d.err = err
		}
		close(d.done)
	}
}

// follow is the host as it stands after a step, and whether that begins an interval.
func follow(before Host, step Step) (h Host, fresh bool) {
	h = step.Host // which was read before the transaction began
	h.Host, h.Key, h.Enrolled, h.Revoked, h.RevokedBy = before.Host, before.Key, before.Enrolled, before.Revoked, before.RevokedBy
	h.Expected, h.Mismatch, h.Terms = before.Expected, before.Mismatch, before.Terms
	h.LastSeen, h.Agent, h.Counter, h.Floor, h.Paused = before.LastSeen, before.Agent, before.Counter, before.Floor, before.Paused
	h.Epoch, h.Seq = step.Report.Epoch, step.Report.Seq
	h.Status = h.Found
	if !step.NewInterval && before.Status != policies.Stale {
		h.Since = before.Since
		return h, false
	}
	h.Since = later(h.Since, before.Since)
	return h, true
}

// acceptedOf looks for the newest epoch in the row of the host, for the others where they were left.
const acceptedOf = `SELECT COALESCE(MAX(seq), 0) FROM (SELECT seq FROM hosts WHERE id = $1 AND epoch = $2
	UNION ALL SELECT seq FROM epochs WHERE host = $1 AND epoch = $2) AS known`

// Accepted returns the newest stored Seq of an epoch of a host, 0 when there is none.
func (s *Store) Accepted(ctx context.Context, id inventory.HostID, epoch string) (uint64, error) {
	var seq uint64
	err := s.one(ctx, acceptedOf, string(id), epoch).Scan(&seq)
	if err != nil {
		return 0, fmt.Errorf("cannot read what is stored of an epoch: %w", err)
	}
	return seq, nil
}
