package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"plumb/inventory"
)

// sharedKinds are kinds of rows of which several hosts bring the same ones: how a report brings the nth of them, and a statement that stores
// that one, too.
var sharedKinds = map[string]struct {
	bring func(one *Step, n int)
	store string
}{
	"objects": {
		func(one *Step, n int) { one.Objects = []Object{{Ref{KindResult, sharedName(n)}, "", []byte("{}")}} },
		`INSERT INTO objects (kind, digest, coding, content, stored) VALUES ('` + KindResult + `', $1, '', '{}', 1)`,
	},
	"versions": {
		func(one *Step, n int) {
			one.Offered = []inventory.Offer{{Manager: "apt", Package: sharedName(n), Candidate: "1"}}
		},
		`INSERT INTO versions (manager, repository, package, version, first_seen, security) VALUES ('apt', '` + inventory.Offer{Manager: "apt"}.Repository() + `', $1, '1', 1, 0)`,
	},
}

func sharedName(n int) string { return fmt.Sprintf("shared%d", n) }

// TestServersShareWithoutDeadlock has two servers on one database store the same three things, one from the first to the last and the other
// from the last to the first. Somebody else holds the middle one until both wait: whoever kept the order of arrival would then
// have what the other needs next.
func TestServersShareWithoutDeadlock(t *testing.T) {
	for kind, one := range sharedKinds {
		t.Run(kind, func(t *testing.T) {
			dsn := newDatabase(t)
			first, second := open(t, dsn), open(t, dsn)
			tx, err := first.w.BeginTx(t.Context(), nil)
			must(t, err)
			var batches [2][]*delivery
			for n := range 3 {
				for i, place := range []int{n, 2 - n} {
					report := step("e", 1, "r", start)
					one.bring(&report, place)
					batches[i] = append(batches[i], newDelivery(enrol(t, first, fmt.Sprintf("web%d%d", i, n), start), "", 0, []Step{report}, start))
				}
			}
			_, err = tx.Exec(one.store, sharedName(1))
			must(t, err)
			done := make(chan error, 2)
			for i, s := range []*Store{first, second} {
				go func() { done <- s.acceptAtOnce(t.Context(), batches[i]) }()
			}
			waitForLocks(t, first, 2)
			must(t, tx.Rollback())
			must(t, errors.Join(<-done, <-done))
		})
	}
}

func (s *Store) acceptAtOnce(ctx context.Context, batch []*delivery) error {
	return s.write(ctx, "accept", func(ctx context.Context, tx *sql.Tx) error {
		return (&writing{store: s, ctx: ctx, tx: tx}).accept(batch)
	})
}

// waitForLocks returns when so many wait for others in the database.
func waitForLocks(t *testing.T, s *Store, n int) {
	t.Helper()
	for waiting := 0; waiting < n; {
		must(t, s.r.QueryRowContext(t.Context(), `SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`).Scan(&waiting))
	}
}

// TestServersDeliverTogether has two servers take the reports of the same hosts at the same time, which bring the same objects and
// versions: each counts once, and the database never has to end one of the two because they wait for each other.
func TestServersDeliverTogether(t *testing.T) {
	dsn := newDatabase(t)
	stores := []*Store{open(t, dsn), open(t, dsn)}
	const hosts, reports = 12, 6
	var ids []inventory.HostID
	for i := range hosts {
		ids = append(ids, enrol(t, stores[0], fmt.Sprintf("web%d", i), start))
	}
	var wg sync.WaitGroup
	for i, s := range stores {
		for n := range ids {
			wg.Go(func() {
				for seq := range uint64(reports) {
					sharedReport(t, s, ids[n], i*n, seq+1)
				}
			})
		}
	}
	wg.Wait()
	for _, id := range ids {
		events, err := stores[0].Events(t.Context(), EventFilter{Host: id, Kinds: []string{EventRepaired}, Limit: 100})
		must(t, err)
		same(t, "repairs", len(events), 2*reports)
	}
	same(t, "deadlocks", deadlocks(t, dsn, stores), 0)
}

// sharedReport delivers a report, unless the other server was faster.
func sharedReport(t *testing.T, s *Store, id inventory.HostID, turned int, seq uint64) {
	one, epoch := step("e", seq, fmt.Sprint(id, seq), start.Add(time.Duration(seq)*time.Minute)), "e"
	for n := range 8 {
		name := fmt.Sprintf("%d-%d", seq, (n+turned)%8)
		one.Objects = append(one.Objects, Object{Ref{KindResult, name}, "", []byte("{}")})
		one.Offered = append(one.Offered, inventory.Offer{Manager: "apt", Package: name, Candidate: "1"})
	}
	for n := range 2 {
		one.Events = append(one.Events, Event{Seq: seq, At: one.Host.Since, Kind: EventRepaired, Address: fmt.Sprintf("policy.p.file.f%d", (n+turned)%8)})
	}
	if seq == 1 {
		epoch = ""
	}
	if err := s.Accept(context.Background(), id, epoch, seq-1, []Step{one}, start); err != nil && !errors.Is(err, ErrConflict) {
		t.Errorf("report %d of %s: %v", seq, id, err)
	}
}

// deadlocks is how many the database has counted, which each server tells it at its end.
func deadlocks(t *testing.T, dsn string, stores []*Store) (n int) {
	t.Helper()
	for _, s := range stores {
		must(t, s.Close())
	}
	db, err := sql.Open("pgx", dsn)
	must(t, err)
	defer db.Close()
	db.SetMaxOpenConns(1)
	for others := 1; others > 0; {
		must(t, db.QueryRowContext(t.Context(), `SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()`).Scan(&others))
	}
	must(t, db.QueryRowContext(t.Context(), `SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()`).Scan(&n))
	return n
}
