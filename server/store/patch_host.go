package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"plumb/inventory"
	"plumb/policies"
)

// PatchHost is how one host stands with one rollout that carries patches, as of its newest report.
type PatchHost struct {
	Host    inventory.HostID
	Rollout string
	// Ring is the ring that the host believes to be in.
	Ring string
	// Cycle is the cycle that the report was about, 0 when the host held none; Set is its digest.
	Cycle  uint64
	Set    string
	Status policies.Status
	// Phase is one of the Phase words of package policies.
	Phase string
	// Reboot is true while the host needs one.
	Reboot  bool
	Message string
	Detail  policies.Patched
	// Since is when cycle, status, phase or the need of a reboot last changed.
	Since time.Time
}

const patchHostColumns = `p.host, p.rollout, p.ring, p.cycle, p.patch_set, p.status, p.phase, p.reboot, p.message, p.detail, p.since`

func scanPatchHost(scan func(...any) error) (PatchHost, error) {
	var p PatchHost
	var cycle, reboot, since int64
	var detail string
	err := scan(&p.Host, &p.Rollout, &p.Ring, &cycle, &p.Set, &p.Status, &p.Phase, &reboot, &p.Message, &detail, &since)
	if err != nil {
		return PatchHost{}, err
	}
	p.Cycle, p.Reboot, p.Since = uint64(cycle), reboot == 1, at(since)
	return p, decode(detail, &p.Detail)
}

// PatchHosts returns how hosts stand with a rollout ("": with all), by rollout and host.
// Revoked hosts are left out.
func (s *Store) PatchHosts(ctx context.Context, rollout string) ([]PatchHost, error) {
	w := &where{}
	if rollout != "" {
		w.and(`p.rollout = ?`, rollout)
	}
	return s.patchHosts(ctx, w)
}

// Reboots are those of PatchHosts that need a reboot.
func (s *Store) Reboots(ctx context.Context) ([]PatchHost, error) {
	w := &where{}
	w.and(`p.reboot = 1`)
	return s.patchHosts(ctx, w)
}

func (s *Store) patchHosts(ctx context.Context, w *where) ([]PatchHost, error) {
	w.and(`h.revoked = 0`)
	rows, err := s.r.QueryContext(ctx, `SELECT `+patchHostColumns+` FROM patch_hosts p JOIN hosts h ON h.id = p.host`+w.String()+
		` ORDER BY p.rollout, p.host`, w.args...)
	all, err := list(rows, err, scanPatchHost)
	if err != nil {
		return nil, fmt.Errorf("cannot list how hosts stand with patches: %w", err)
	}
	return all, nil
}

// EachPatchHost calls each with how each host stands with a rollout ("": with all), without set and detail, which are
// most of it. Revoked hosts are left out. As with EachHost none is kept, and each must not ask the store.
func (s *Store) EachPatchHost(ctx context.Context, rollout string, each func(PatchHost)) error {
	w := &where{}
	w.and(`p.host NOT IN (SELECT id FROM hosts WHERE revoked <> 0)`)
	if rollout != "" {
		w.and(`p.rollout = ?`, rollout)
	}
	same := sharing{texts: map[string]string{}}
	rows, err := s.r.QueryContext(ctx, `SELECT p.host, p.rollout, p.ring, p.cycle, p.status, p.phase, p.reboot, p.message, p.since FROM patch_hosts p`+w.String(), w.args...)
	err = walk(rows, err, func(scan func(...any) error) error {
		var p PatchHost
		var cycle, reboot, since int64
		err := scan(&p.Host, &p.Rollout, &p.Ring, &cycle, &p.Status, &p.Phase, &reboot, &p.Message, &since)
		p.Cycle, p.Reboot, p.Since = uint64(cycle), reboot == 1, at(since)
		p.Rollout, p.Ring, p.Phase, p.Message = same.text(p.Rollout), same.text(p.Ring), same.text(p.Phase), same.text(p.Message)
		if p.Status = policies.Status(same.text(string(p.Status))); err == nil {
			each(p)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("cannot list how hosts stand with patches: %w", err)
	}
	return nil
}

// replacePatchHosts makes these the rows of a host: a rollout that its catalog no longer has
// leaves with its row.
func replacePatchHosts(ctx context.Context, tx *sql.Tx, id inventory.HostID, rows []PatchHost) error {
	left := &where{}
	left.and(`host = ?`, string(id))
	for _, p := range rows {
		left.and(`rollout <> ?`, p.Rollout)
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM patch_hosts`+left.String(), left.args...); err != nil {
		return err
	}
	for _, p := range rows {
		if err := putPatchHost(ctx, tx, id, p); err != nil {
			return err
		}
	}
	return nil
}

func putPatchHost(ctx context.Context, tx *sql.Tx, id inventory.HostID, p PatchHost) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO patch_hosts (host, rollout, ring, cycle, patch_set, status, phase, reboot, message, detail, since)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
		ON CONFLICT (host, rollout) DO UPDATE SET ring = excluded.ring, cycle = excluded.cycle, patch_set = excluded.patch_set,
		status = excluded.status, phase = excluded.phase, reboot = excluded.reboot, message = excluded.message, detail = excluded.detail,
		since = CASE WHEN patch_hosts.cycle = excluded.cycle AND patch_hosts.status = excluded.status AND patch_hosts.phase = excluded.phase
			AND patch_hosts.reboot = excluded.reboot THEN patch_hosts.since ELSE excluded.since END`,
		string(id), p.Rollout, p.Ring, int64(p.Cycle), p.Set, string(p.Status), p.Phase, bit(p.Reboot), p.Message, encode(p.Detail), ms(p.Since))
	return err
}
