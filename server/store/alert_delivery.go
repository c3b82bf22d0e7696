package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// The states of a delivery.
const (
	DeliveryPending   = "pending"   // to be tried, at once or again
	DeliveryDelivered = "delivered" // the receiver said that it has it
	DeliveryFailed    = "failed"    // given up after a day
	DeliverySkipped   = "skipped"   // there was nothing to tell, or nobody to tell it to
)

// Delivery is one thing that one receiver is to be told.
type Delivery struct {
	ID int64
	// Sink is the receiver's name, Episode the alert (0 for a test).
	Sink    string
	Episode int64
	// What is opened, closed or test.
	What string
	// Token is the same at each attempt, so that a receiver can tell one that it has already.
	Token    string
	State    string
	Attempts int
	Made     time.Time
	// Next is when to try again, Done when it came to its end.
	Next, Done time.Time
	// Answer is what came of the newest attempt, in words.
	Answer string
	// Ref is what the receiver calls the ticket that it made.
	Ref string
}

// DeliveryFilter selects deliveries, the newest first. Zero fields select all.
type DeliveryFilter struct {
	Sink, State string
	// Limit is the most to return, 0 for 1,000.
	Limit int
}

const deliveryColumns = `d.id, d.sink, d.episode, d.what, d.token, d.state, d.attempts, d.made, d.next, d.done, d.answer, d.ref`

func scanDelivery(scan func(...any) error) (Delivery, error) {
	var d Delivery
	var made, next, done int64
	err := scan(&d.ID, &d.Sink, &d.Episode, &d.What, &d.Token, &d.State, &d.Attempts, &made, &next, &done, &d.Answer, &d.Ref)
	d.Made, d.Next, d.Done = at(made), at(next), at(done)
	return d, err
}

func addDelivery(ctx context.Context, tx *sql.Tx, d Delivery) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO deliveries (sink, episode, what, token, state, attempts, made, next, done, answer, ref)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (token) DO NOTHING`,
		d.Sink, d.Episode, d.What, d.Token, d.State, d.Attempts, ms(d.Made), ms(d.Next), ms(d.Done), d.Answer, d.Ref)
	return err
}

// AddDelivery stores a delivery that belongs to no episode.
func (s *Store) AddDelivery(ctx context.Context, d Delivery) error {
	return s.write(ctx, "store the delivery", func(ctx context.Context, tx *sql.Tx) error { return addDelivery(ctx, tx, d) })
}

// DueDeliveries returns what a receiver is to be told at now, in the order in which it happened.
// While one thing about an episode is still to be told, what came after it waits.
func (s *Store) DueDeliveries(ctx context.Context, sink string, now time.Time, max int) ([]Delivery, error) {
	rows, err := s.r.QueryContext(ctx, `SELECT `+deliveryColumns+` FROM deliveries d
		WHERE d.sink = $1 AND d.state = 'pending' AND d.next <= $2 AND NOT EXISTS (SELECT 1 FROM deliveries b
			WHERE b.episode = d.episode AND b.sink = d.sink AND b.id < d.id AND b.state = 'pending')
		ORDER BY d.id`+limit(max, standardPage), sink, ms(now))
	all, err := list(rows, err, scanDelivery)
	if err != nil {
		return nil, fmt.Errorf("cannot list what is to be told: %w", err)
	}
	return all, nil
}

// NoteDelivery stores what came of an attempt.
func (s *Store) NoteDelivery(ctx context.Context, d Delivery) error {
	return s.write(ctx, "note the delivery", func(ctx context.Context, tx *sql.Tx) error {
		return exec1(ctx, tx, ErrNotFound, `UPDATE deliveries SET state = $2, attempts = $3, next = $4, done = $5, answer = $6, ref = $7 WHERE id = $1`,
			d.ID, d.State, d.Attempts, ms(d.Next), ms(d.Done), d.Answer, d.Ref)
	})
}

// Deliveries returns the selected deliveries, the newest first.
func (s *Store) Deliveries(ctx context.Context, f DeliveryFilter) ([]Delivery, error) {
	w := &where{}
	if f.Sink != "" {
		w.and(`d.sink = ?`, f.Sink)
	}
	if f.State != "" {
		w.and(`d.state = ?`, f.State)
	}
	rows, err := s.r.QueryContext(ctx, `SELECT `+deliveryColumns+` FROM deliveries d`+w.String()+` ORDER BY d.id DESC`+limit(f.Limit, standardPage), w.args...)
	all, err := list(rows, err, scanDelivery)
	if err != nil {
		return nil, fmt.Errorf("cannot list deliveries: %w", err)
	}
	return all, nil
}

// EpisodeDeliveries returns what the receivers were told, or are to be told, of an episode.
func (s *Store) EpisodeDeliveries(ctx context.Context, episode int64) ([]Delivery, error) {
	rows, err := s.r.QueryContext(ctx, `SELECT `+deliveryColumns+` FROM deliveries d WHERE d.episode = $1 ORDER BY d.id`, episode)
	all, err := list(rows, err, scanDelivery)
	if err != nil {
		return nil, fmt.Errorf("cannot list the deliveries of alert %d: %w", episode, err)
	}
	return all, nil
}

// PendingDeliveries counts what is still to be told.
func (s *Store) PendingDeliveries(ctx context.Context) (int, error) {
	var n int
	if err := s.r.QueryRowContext(ctx, `SELECT COUNT(*) FROM deliveries WHERE state = 'pending'`).Scan(&n); err != nil {
		return 0, fmt.Errorf("cannot count deliveries: %w", err)
	}
	return n, nil
}

// ForgetDeliveries removes what was done before a time and belongs to no open episode, and gives
// up what is for receivers that are no longer there.
func (s *Store) ForgetDeliveries(ctx context.Context, sinks []string, before, now time.Time) error {
	return s.write(ctx, "forget old deliveries", func(ctx context.Context, tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM deliveries WHERE state <> 'pending' AND done < $1
			AND NOT EXISTS (SELECT 1 FROM episodes e WHERE e.id = deliveries.episode AND e.closed = 0)`, ms(before)); err != nil {
			return err
		}
		w := &where{}
		w.and(`state = ?`, DeliveryPending)
		for _, name := range sinks {
			w.and(`sink <> ?`, name)
		}
		w.args = append(w.args, DeliverySkipped, ms(now))
		n := len(w.args)
		_, err := tx.ExecContext(ctx, fmt.Sprintf(`UPDATE deliveries SET state = $%d, done = $%d, answer = 'the receiver is no longer in the settings'`, n-1, n)+w.String(), w.args...)
		return err
	})
}
