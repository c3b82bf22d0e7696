package store

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"plumb/inventory"
)

// TestRosterIsWhatIsStored has hosts do anything, and compares what is told of all of them with what is read anew.
func TestRosterIsWhatIsStored(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "plumb.db"))
	dice, ctx := rand.New(rand.NewPCG(3, 4)), t.Context()
	fleet := newRosterFleet(t, s, 12)
	acts := []func(*rosterFleet, inventory.HostID, int){(*rosterFleet).report, (*rosterFleet).call, (*rosterFleet).seen, (*rosterFleet).verify, (*rosterFleet).silence,
		(*rosterFleet).brief, (*rosterFleet).revoke, func(f *rosterFleet, _ inventory.HostID, _ int) { f.enrol() }}
	for n := range 200 {
		for range dice.IntN(3) {
			which := dice.IntN(len(acts))
			acts[which](fleet, fleet.ids[dice.IntN(len(fleet.ids))], n)
		}
		if dice.IntN(40) == 0 {
			s.roster.forget()
		}
		must(t, s.settleBeats(ctx))
		var want, got []Entry
		must(t, s.readRoll(ctx, func(e Entry) { want = append(want, e) }))
		must(t, s.eachOfRoll(ctx, func(e Entry) { got = append(got, e) }))
		same(t, fmt.Sprintf("roll after round %d", n), got, want)
		if n%10 > 0 {
			continue
		}
		past, err := s.PastHosts(ctx)
		must(t, err)
		for _, h := range past {
			host, err := s.row(ctx, h.ID)
			must(t, err)
			same(t, "past of a host", h, host.Past())
		}
	}
}

// TestRosterReadsWhatChanged holds that nothing else is read, by changing a row without a word.
func TestRosterReadsWhatChanged(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "plumb.db"))
	fleet := newRosterFleet(t, s, 8)
	problems := func() (problems []string) {
		must(t, s.Roll(t.Context(), func(e Entry) { problems = append(problems, e.Problem) }))
		return problems[:2]
	}
	same(t, "problems", problems(), []string{"", ""})
	_, err := s.w.ExecContext(t.Context(), `UPDATE hosts SET problem = 'unsaid'`)
	must(t, err)
	fleet.seen("id-host001", 1)
	same(t, "problems of a host that changed in secret, and one that called", problems(), []string{"", "unsaid"})
}

// TestLargeFleetHasNoRoster holds that memory is bounded, before and after a fleet has grown.
func TestLargeFleetHasNoRoster(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "plumb.db"))
	fleet := newRosterFleet(t, s, 1)
	call := func(want int) {
		t.Helper()
		hosts := 0
		must(t, s.Roll(t.Context(), func(Entry) { hosts++ }))
		past, err := s.PastHosts(t.Context())
		must(t, err)
		same(t, "hosts", []int{hosts, len(past)}, []int{want, want})
	}
	call(1)
	same(t, "hosts that are kept", len(s.roster.rows), 1)
	for _, statement := range []string{
		fmt.Sprintf(`WITH RECURSIVE n(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM n WHERE n < %d) INSERT INTO hosts (id, name, labels, key, enrolled, since, status, found)
			SELECT 'many' || n, 'many' || n, '{}', 'many' || n, 1, 1, 'unknown', 'unknown' FROM n`, mostRostered),
		`INSERT INTO beats (host, last_seen) SELECT id, 1 FROM hosts WHERE id LIKE 'many%'`,
	} {
		_, err := s.w.ExecContext(t.Context(), statement)
		must(t, err)
	}
	fleet.enrol() // one that says so: more than a quarter changed, and all are read
	call(mostRostered + 2)
	same(t, "hosts that are kept of a large fleet", len(s.roster.rows), 0)
	call(mostRostered + 2)
}

// rosterFleet is a fleet in which things happen.
type rosterFleet struct {
	*testing.T
	s   *Store
	ids []inventory.HostID
	seq map[inventory.HostID]uint64
	// facts are those of the newest report.
	facts map[inventory.HostID][]byte
}

func newRosterFleet(t *testing.T, s *Store, hosts int) *rosterFleet {
	f := &rosterFleet{T: t, s: s, seq: map[inventory.HostID]uint64{}, facts: map[inventory.HostID][]byte{}}
	for range hosts {
		f.enrol()
	}
	return f
}

func (f *rosterFleet) at(n int) time.Time { return start.Add(time.Duration(n) * time.Minute) }

func (f *rosterFleet) enrol() {
	f.ids = append(f.ids, enrol(f, f.s, fmt.Sprintf("host%03d", len(f.ids)), start))
}

func (f *rosterFleet) report(id inventory.HostID, n int) {
	epoch, seq := "e", f.seq[id]
	if seq == 0 {
		epoch = ""
	}
	one := step("e", seq+1, fmt.Sprint("r", n), f.at(n))
	facts := fmt.Appendf(nil, `{"os":{"name":"system %d"}}`, n)
	one.Host.Facts, one.Host.Problem, one.Host.Audit = inventory.Digest(facts), fmt.Sprint(n%3), n%2 == 0
	if f.s.Accept(f.Context(), id, epoch, seq, []Step{one}, f.at(n)) == nil { // it may be revoked
		f.seq[id], f.facts[id] = seq+1, facts
	}
}

func (f *rosterFleet) call(id inventory.HostID, n int) {
	h, err := f.s.Caller(f.Context(), id)
	must(f, err)
	_ = f.s.Heard(f.Context(), h, Heartbeat{Agent: "2"}, f.at(n)) // it may be revoked
}

func (f *rosterFleet) seen(id inventory.HostID, n int) {
	_ = f.s.Seen(f.Context(), id, Heartbeat{}, f.at(n))
}

func (f *rosterFleet) verify(id inventory.HostID, n int) {
	h, err := f.s.Host(f.Context(), id)
	must(f, err)
	must(f, f.s.SetExpected(f.Context(), []Expectation{{Host: h, Catalog: "another", Terms: fmt.Append(nil, "terms", n)}}, f.at(n)))
}

func (f *rosterFleet) silence(_ inventory.HostID, n int) {
	_, err := f.s.MarkStale(f.Context(), f.at(n-20), f.at(n))
	must(f, err)
}

// brief stores facts only after the report that names them.
func (f *rosterFleet) brief(id inventory.HostID, n int) {
	if facts := f.facts[id]; facts != nil {
		must(f, f.s.PutObject(f.Context(), Ref{Kind: KindFacts, Digest: inventory.Digest(facts)}, facts, f.at(n)))
	}
}

func (f *rosterFleet) revoke(id inventory.HostID, n int) {
	if n%10 == 0 {
		_ = f.s.Revoke(f.Context(), id, "ada", f.at(n))
	}
}
