package store

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
)

const releaseColumns = `number, commit_id, subject, author, committed, made, tag, bundle, size, rollback_to, signer, key, trial, signers`

func scanRelease(scan func(...any) error) (Release, error) {
	var r Release
	var committed, made, trial int64
	err := scan(&r.Number, &r.Commit, &r.Subject, &r.Author, &committed, &made, &r.Tag, &r.Bundle, &r.Size, &r.RollbackTo,
		&r.Signer, &r.Key, &trial, &r.Signers)
	r.Committed, r.Made, r.Trial = at(committed), at(made), trial != 0
	return r, err
}

// AddRelease stores a release, whose number must be the next one: ErrConflict otherwise.
func (s *Store) AddRelease(ctx context.Context, r Release) error {
	defer s.newest.forget()
	return s.write(ctx, "store the release", func(ctx context.Context, tx *sql.Tx) error {
		var last uint64
		if err := tx.QueryRowContext(ctx, `SELECT COALESCE(MAX(number), 0) FROM releases`).Scan(&last); err != nil {
			return err
		}
		if r.Number != last+1 {
			return fmt.Errorf("release %d does not follow release %d: %w", r.Number, last, ErrConflict)
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO releases (`+releaseColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`,
			int64(r.Number), r.Commit, r.Subject, r.Author, ms(r.Committed), ms(r.Made), r.Tag, r.Bundle, r.Size, int64(r.RollbackTo),
			r.Signer, r.Key, bit(r.Trial), r.Signers)
		return conflict(err)
	})
}

// Release returns one release.
func (s *Store) Release(ctx context.Context, number uint64) (Release, error) {
	return s.release(ctx, `WHERE number = $1`, int64(number))
}

// LatestRelease returns the newest release: ErrNotFound while there is none.
func (s *Store) LatestRelease(ctx context.Context) (Release, error) {
	if s.postgres { // another server may have made one
		return s.latest(ctx)
	}
	s.newest.mu.Lock()
	defer s.newest.mu.Unlock()
	if s.newest.known {
		return s.newest.release, nil
	}
	r, err := s.latest(ctx)
	s.newest.release, s.newest.known = r, err == nil
	return r, err
}

// LatestReleaseFor is LatestRelease as of the moment when Caller read the row of a host, or later.
func (s *Store) LatestReleaseFor(ctx context.Context, h Host) (Release, error) {
	if !s.postgres || h.Newest == 0 {
		return s.LatestRelease(ctx)
	}
	s.newest.mu.Lock()
	defer s.newest.mu.Unlock()
	if s.newest.known && s.newest.release.Number >= h.Newest {
		return s.newest.release, nil
	}
	r, err := s.latest(ctx)
	s.newest.release, s.newest.known = r, err == nil
	return r, err
}

func (s *Store) latest(ctx context.Context) (Release, error) {
	return s.release(ctx, `ORDER BY number DESC LIMIT 1`)
}

// newest is the newest release while it is known. It is read under the lock, so that a newer one
// that was stored in the meantime is never taken for known.
type newest struct {
	mu      sync.Mutex
	release Release
	known   bool
}

func (n *newest) forget() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.known = false
}

func (s *Store) release(ctx context.Context, clause string, args ...any) (Release, error) {
	r, err := scanRelease(s.one(ctx, `SELECT `+releaseColumns+` FROM releases `+clause, args...).Scan)
	if err != nil {
		return Release{}, fmt.Errorf("cannot read the release: %w", found(err))
	}
	return r, nil
}

// Releases returns releases with a number below before (0: all), the newest first.
func (s *Store) Releases(ctx context.Context, max int, before uint64) ([]Release, error) {
	w := &where{}
	if before > 0 {
		w.and(`number < ?`, int64(before))
	}
	rows, err := s.r.QueryContext(ctx, `SELECT `+releaseColumns+` FROM releases`+w.String()+` ORDER BY number DESC`+limit(max, standardPage), w.args...)
	all, err := list(rows, err, scanRelease)
	if err != nil {
		return nil, fmt.Errorf("cannot list releases: %w", err)
	}
	return all, nil
}
