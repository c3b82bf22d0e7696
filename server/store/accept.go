package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"plumb/inventory"
	"plumb/policies"
)

// Accept stores what reports of a host did, all in one transaction, if its newest report is
// still (epoch, afterSeq): ErrConflict otherwise. Before a host's first report these are "" and 0.
func (s *Store) Accept(ctx context.Context, id inventory.HostID, epoch string, afterSeq uint64, steps []Step, now time.Time) error {
	if len(steps) == 0 {
		return nil
	}
	return s.write(ctx, "store the report", func(ctx context.Context, tx *sql.Tx) error {
		h, err := lockHost(ctx, tx, `id = $1 AND epoch = $2 AND seq = $3 AND revoked = 0`, string(id), epoch, int64(afterSeq))
		if errors.Is(err, ErrNotFound) {
			return ErrConflict
		}
		if err != nil {
			return err
		}
		verified := true
		for _, step := range steps {
			verified = verified && sameInput(h, step.Host)
			if h, err = accept(ctx, tx, h, step); err != nil {
				return err
			}
			if err := acceptPatching(ctx, tx, id, step, now); err != nil {
				return err
			}
		}
		if err := updateHost(ctx, tx, h, verified); err != nil {
			return err
		}
		return noteEpochs(ctx, tx, id, steps)
	})
}

// acceptPatching stores what a report says about updates.
func acceptPatching(ctx context.Context, tx *sql.Tx, id inventory.HostID, step Step, now time.Time) error {
	if err := noteVersions(ctx, tx, step.Offered, now); err != nil {
		return err
	}
	if err := noteAdvisories(ctx, tx, step.Notices, now); err != nil {
		return err
	}
	if step.PatchHosts == nil {
		return nil
	}
	return replacePatchHosts(ctx, tx, id, step.PatchHosts)
}

// sameInput tells whether what the host compiled is still what was verified.
func sameInput(before, after Host) bool {
	return before.Release == after.Release && before.Facts == after.Facts && before.Catalog == after.Catalog
}

// accept does one step on the locked host and returns the host as it stands after it.
func accept(ctx context.Context, tx *sql.Tx, before Host, step Step) (Host, error) {
	h := step.Host
	h.Host, h.LastSeen, h.Terms = before.Host, before.LastSeen, before.Terms
	h.Epoch, h.Seq = step.Report.Epoch, step.Report.Seq
	h.Status = h.Found
	for _, e := range step.Events {
		e.Host = h.ID
		if err := insertEvent(ctx, tx, e); err != nil {
			return Host{}, err
		}
	}
	if !step.NewInterval && before.Status != policies.Stale {
		h.Since = before.Since
		return h, nil
	}
	h.Since = later(h.Since, before.Since)
	if err := closeInterval(ctx, tx, before, h.Since); err != nil {
		return Host{}, err
	}
	if err := insertInterval(ctx, tx, h.interval()); err != nil {
		return Host{}, err
	}
	if !step.NewInterval {
		return h, nil
	}
	return h, replaceFindings(ctx, tx, h.ID, step.Findings)
}

func updateHost(ctx context.Context, tx *sql.Tx, h Host, verified bool) error {
	_, err := tx.ExecContext(ctx, `UPDATE hosts SET epoch = $2, seq = $3, release = $4, commit_id = $5, facts = $6, catalog = $7,
		result = $8, since = $9, ran = $10, status = $11, found = $12, counts = $13, audit = $14, stale = $15, problem = $16, boot_id = $17, offers = $18
		WHERE id = $1`,
		string(h.ID), h.Epoch, int64(h.Seq), int64(h.Release), h.Commit, h.Facts, h.Catalog,
		h.Result, ms(h.Since), ms(h.Ran), string(h.Status), string(h.Found), countsColumn(h.Counts), bit(h.Audit), bit(h.Stale), h.Problem, h.BootID, h.Offers)
	if err != nil || verified {
		return err
	}
	_, err = tx.ExecContext(ctx, `UPDATE hosts SET verified = 0, expected = '' WHERE id = $1`, string(h.ID))
	return err
}

// noteEpochs stores how far each epoch has come. It must only grow: that is checked once more here.
func noteEpochs(ctx context.Context, tx *sql.Tx, id inventory.HostID, steps []Step) error {
	for i, step := range steps {
		r := step.Report
		if i+1 < len(steps) && steps[i+1].Report.Epoch == r.Epoch {
			continue
		}
		err := exec1(ctx, tx, ErrConflict, `INSERT INTO epochs (host, epoch, seq) VALUES ($1, $2, $3)
			ON CONFLICT (host, epoch) DO UPDATE SET seq = excluded.seq WHERE epochs.seq < excluded.seq`,
			string(id), r.Epoch, int64(r.Seq))
		if err != nil {
			return err
		}
	}
	_, err := tx.ExecContext(ctx, `DELETE FROM wants WHERE host = $1`, string(id))
	return err
}

// Accepted returns the newest stored Seq of an epoch of a host, 0 when there is none.
func (s *Store) Accepted(ctx context.Context, id inventory.HostID, epoch string) (uint64, error) {
	var seq uint64
	err := s.r.QueryRowContext(ctx, `SELECT COALESCE(MAX(seq), 0) FROM epochs WHERE host = $1 AND epoch = $2`, string(id), epoch).Scan(&seq)
	if err != nil {
		return 0, fmt.Errorf("cannot read what is stored of an epoch: %w", err)
	}
	return seq, nil
}
