package store

import (
	"context"
	"database/sql"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"plumb/inventory"
	"plumb/policies"
)

// beats are heartbeats that are not written yet. Many hosts call in a second, and what a heartbeat
// says the host says again with its next one: so those of a second are written together, and who
// reads waits for that.
type beats struct {
	mu      sync.Mutex
	waiting map[inventory.HostID]beat
	// flying are those that are just being written.
	flying map[inventory.HostID]beat
	busy   bool
	// writing is held while waiting beats are written.
	writing sync.Mutex
}

type beat struct {
	Heartbeat
	at time.Time
}

const (
	// beatEvery is how long heartbeats wait.
	beatEvery = time.Second
	// beatBatch bounds for how long they keep others from writing.
	beatBatch = 500
)

// Heard notes that a host called which Caller has just returned. It is written within a second; a
// host that was silent gets its event at once, as by Seen.
func (s *Store) Heard(ctx context.Context, h Host, said Heartbeat, now time.Time) error {
	if h.Status == policies.Stale || !h.Revoked.IsZero() {
		return s.Seen(ctx, h.ID, said, now)
	}
	s.beats.mu.Lock()
	defer s.beats.mu.Unlock()
	if s.beats.waiting == nil {
		s.beats.waiting = map[inventory.HostID]beat{}
	}
	s.beats.waiting[h.ID] = beat{said, now}
	if !s.beats.busy {
		s.beats.busy = true
		time.AfterFunc(beatEvery, func() { _ = s.writeBeats(context.Background()) }) // what fails is tried again with the next
	}
	return nil
}

// freshBeats is settleBeats for those who only read: on a full disk they are told what is stored.
func (s *Store) freshBeats(ctx context.Context) error {
	if err := s.settleBeats(ctx); !errors.Is(err, ErrFull) {
		return err
	}
	return nil
}

// settleBeats has all heartbeats written that are known, for those who read them.
func (s *Store) settleBeats(ctx context.Context) error {
	s.beats.mu.Lock()
	none := len(s.beats.waiting) == 0
	s.beats.mu.Unlock()
	if none {
		s.beats.writing.Lock() // somebody may be writing the last ones just now
		defer s.beats.writing.Unlock()
		return nil
	}
	return s.writeBeats(ctx)
}

func (s *Store) writeBeats(ctx context.Context) error {
	s.beats.writing.Lock()
	defer s.beats.writing.Unlock()
	all := s.beats.take()
	defer s.beats.landed()
	ids := slices.Sorted(maps.Keys(all)) // writers that lock many hosts all do it in this order
	for some := range slices.Chunk(ids, beatBatch) {
		err := s.write(ctx, "note the check-ins", func(ctx context.Context, tx *sql.Tx) error { return s.putBeats(ctx, tx, some, all) })
		if err != nil {
			s.beats.putBack(all) // those that are written already do no harm
			return err
		}
	}
	return nil
}

func (b *beats) take() map[inventory.HostID]beat {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.flying = b.waiting
	b.waiting, b.busy = nil, false
	return b.flying
}

func (b *beats) landed() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.flying = nil
}

// of returns the beat of a host while it is not written.
func (b *beats) of(id inventory.HostID) (one beat, waits bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if one, waits = b.waiting[id]; !waits {
		one, waits = b.flying[id]
	}
	return one, waits
}

// putBack keeps beats that could not be written, where there are no newer ones.
func (b *beats) putBack(all map[inventory.HostID]beat) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.waiting == nil {
		b.waiting = map[inventory.HostID]beat{}
	}
	for id, one := range all {
		if _, newer := b.waiting[id]; !newer {
			b.waiting[id] = one
		}
	}
	b.busy = b.busy && len(all) == 0 // the next one that comes has them written
}

const (
	setBeat = `UPDATE beats SET last_seen = $2, agent = $3, counter = $4, floor = $5, paused = $6`
	putBeat = setBeat + ` WHERE host = $1 AND silent = 0`
)

func beatRow(id inventory.HostID, one beat) []any {
	return []any{string(id), ms(one.at), one.Agent, int64(one.Counter), int64(one.Floor), pauseColumn(one.Heartbeat)}
}

func (s *Store) putBeats(ctx context.Context, tx *sql.Tx, ids []inventory.HostID, all map[inventory.HostID]beat) error {
	noteCalls(ctx, ids)
	rows := make([][]any, len(ids))
	for i, id := range ids {
		rows[i] = beatRow(id, all[id]) // what Caller keeps holds on: it may be of the past in these
	}
	if s.postgres { // an UPDATE of many rows locks them in any order
		if _, err := tx.ExecContext(ctx, `SELECT host FROM beats WHERE host = ANY($1) ORDER BY host FOR UPDATE`, columnsOf(rows)[0]); err != nil {
			return err
		}
	}
	n, err := s.execRows(ctx, tx, putBeat, rows)
	if err != nil || n == int64(len(ids)) {
		return err
	}
	return s.wakeAny(ctx, tx, ids, all)
}

// wakeAny ends the silence of those hosts that were marked silent at the very moment when they called.
func (s *Store) wakeAny(ctx context.Context, tx *sql.Tx, ids []inventory.HostID, all map[inventory.HostID]beat) error {
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = string(id)
	}
	condition, arg := s.among(`host`, names)
	rows, err := tx.QueryContext(ctx, `SELECT host FROM beats JOIN hosts ON id = host WHERE `+condition+` AND silent = 1 AND revoked = 0 ORDER BY host`, arg)
	silent, err := list(rows, err, func(scan func(...any) error) (id inventory.HostID, err error) { return id, scan(&id) })
	if err != nil {
		return err
	}
	for _, id := range silent {
		if err := wake(ctx, tx, id, all[id]); err != nil {
			return err
		}
	}
	return nil
}
