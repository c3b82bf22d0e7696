package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Episode is one alert: opened once, closed once.
type Episode struct {
	ID int64
	// Key names what it is about for good; one key has one open episode at the most.
	Key string
	// Kind, Subject, Severity and Detail are what people are told.
	Kind, Subject, Severity, Detail string
	Opened                          time.Time
	// Cleared is since when its cause is out of sight; zero while it is in sight.
	Cleared time.Time
	// Closed is zero while it is open.
	Closed time.Time
	// Returns counts how often its cause came back before it was closed.
	Returns int
	// Gathered is true for one of many: another episode tells of it.
	Gathered bool
}

// EpisodeChange stores an episode, a new one when its ID is 0, and what receivers are to be told of it.
type EpisodeChange struct {
	Episode Episode
	// Tell is added as it is; its ID and Episode are not read. What has a token that is there
	// already is told already.
	Tell []Delivery
}

// EpisodeFilter selects episodes, the newest first. Zero fields select all.
type EpisodeFilter struct {
	Open bool
	Kind string
	// Limit is the most to return, 0 for 1,000.
	Limit int
}

const episodeColumns = `id, key, kind, subject, severity, detail, opened, cleared, closed, returns, gathered`

func scanEpisode(scan func(...any) error) (Episode, error) {
	var e Episode
	var opened, cleared, closed, gathered int64
	err := scan(&e.ID, &e.Key, &e.Kind, &e.Subject, &e.Severity, &e.Detail, &opened, &cleared, &closed, &e.Returns, &gathered)
	e.Opened, e.Cleared, e.Closed, e.Gathered = at(opened), at(cleared), at(closed), gathered == 1
	return e, err
}

// OpenEpisodes returns all open episodes, the oldest first.
func (s *Store) OpenEpisodes(ctx context.Context) ([]Episode, error) {
	rows, err := s.r.QueryContext(ctx, `SELECT `+episodeColumns+` FROM episodes WHERE closed = 0 ORDER BY id`)
	all, err := list(rows, err, scanEpisode)
	if err != nil {
		return nil, fmt.Errorf("cannot list open alerts: %w", err)
	}
	return all, nil
}

// Episodes returns the selected episodes, the newest first.
func (s *Store) Episodes(ctx context.Context, f EpisodeFilter) ([]Episode, error) {
	w := &where{}
	if f.Open {
		w.and(`closed = 0`)
	}
	if f.Kind != "" {
		w.and(`kind = ?`, f.Kind)
	}
	rows, err := s.r.QueryContext(ctx, `SELECT `+episodeColumns+` FROM episodes`+w.String()+` ORDER BY id DESC`+limit(f.Limit, standardPage), w.args...)
	all, err := list(rows, err, scanEpisode)
	if err != nil {
		return nil, fmt.Errorf("cannot list alerts: %w", err)
	}
	return all, nil
}

// Episode returns one episode: ErrNotFound when there is none.
func (s *Store) Episode(ctx context.Context, id int64) (Episode, error) {
	e, err := scanEpisode(s.r.QueryRowContext(ctx, `SELECT `+episodeColumns+` FROM episodes WHERE id = $1`, id).Scan)
	if err != nil {
		return Episode{}, fmt.Errorf("cannot read alert %d: %w", id, found(err))
	}
	return e, nil
}

// ChangeEpisodes stores episodes together with what is to be told of them, all or nothing: no alert
// is opened that nobody hears of, and none is told twice.
func (s *Store) ChangeEpisodes(ctx context.Context, changes []EpisodeChange) error {
	if len(changes) == 0 {
		return nil
	}
	return s.write(ctx, "store alerts", func(ctx context.Context, tx *sql.Tx) error {
		for _, c := range changes {
			if err := changeEpisode(ctx, tx, c); err != nil {
				return err
			}
		}
		return nil
	})
}

func changeEpisode(ctx context.Context, tx *sql.Tx, c EpisodeChange) error {
	e := c.Episode
	if e.ID == 0 {
		err := tx.QueryRowContext(ctx, `INSERT INTO episodes (key, kind, subject, severity, detail, opened, cleared, closed, returns, gathered)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING RETURNING id`,
			e.Key, e.Kind, e.Subject, e.Severity, e.Detail, ms(e.Opened), ms(e.Cleared), ms(e.Closed), e.Returns, bit(e.Gathered)).Scan(&e.ID)
		if errors.Is(err, sql.ErrNoRows) {
			return nil // it is open already
		}
		if err != nil {
			return err
		}
	} else if _, err := tx.ExecContext(ctx, `UPDATE episodes SET severity = $2, detail = $3, cleared = $4, closed = $5, returns = $6 WHERE id = $1 AND closed = 0`,
		e.ID, e.Severity, e.Detail, ms(e.Cleared), ms(e.Closed), e.Returns); err != nil {
		return err
	}
	for _, d := range c.Tell {
		d.Episode = e.ID
		if err := addDelivery(ctx, tx, d); err != nil {
			return err
		}
	}
	return nil
}

// ForgetEpisodes removes what was closed before a time, with what was told of it.
func (s *Store) ForgetEpisodes(ctx context.Context, before time.Time) error {
	return s.write(ctx, "forget old alerts", func(ctx context.Context, tx *sql.Tx) error {
		const old = `SELECT id FROM episodes e WHERE e.closed > 0 AND e.closed < $1
			AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.episode = e.id AND d.state = 'pending')`
		if _, err := tx.ExecContext(ctx, `DELETE FROM deliveries WHERE episode IN (`+old+`)`, ms(before)); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `DELETE FROM episodes WHERE id IN (`+old+`)`, ms(before))
		return err
	})
}

// OpenAlerts counts open episodes by kind.
func (s *Store) OpenAlerts(ctx context.Context) (map[string]int, error) {
	rows, err := s.r.QueryContext(ctx, `SELECT kind, COUNT(*) FROM episodes WHERE closed = 0 GROUP BY kind`)
	return tally(rows, err)
}
