package store

import (
	"strconv"
	"sync"
	"testing"
	"time"

	"plumb/agent/protocol"
	"plumb/inventory"
	"plumb/policies"
)

func TestCreateHost(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		id := enrol(t, s, "web1", start)
		h, err := s.Host(ctx, id)
		must(t, err)
		same(t, "host", h, Host{
			Host: inventory.Host{ID: id, Name: "web1", Labels: map[string]string{"env": "prod", "n": "web1"}},
			Key:  "SHA256:web1", Enrolled: start, LastSeen: start, Since: start,
			Status: policies.Unknown, Found: policies.Unknown, Counts: map[policies.Status]int{},
		})
		byName, err := s.HostByName(ctx, "web1")
		must(t, err)
		byKey, err := s.HostByKey(ctx, "SHA256:web1")
		must(t, err)
		same(t, "host by name", byName, h)
		same(t, "host by key", byKey, h)
		token, err := s.TokenByHash(ctx, "hash-web1")
		must(t, err)
		same(t, "token", token, Token{ID: "t-web1", Hash: "hash-web1", Labels: map[string]string{}, Created: start,
			Expires: start.Add(time.Hour), Used: start, UsedBy: string(id)})
		_, err = s.Host(ctx, "nobody")
		wantErr(t, err, ErrNotFound)
	})
}

func TestCreateHostRefuses(t *testing.T) {
	cases := map[string]struct {
		name, key, token string
		after            time.Duration
		want             error
	}{
		"unknown token":            {"db1", "k", "nothing", 0, ErrNotFound},
		"used token":               {"db1", "k", "hash-web1", 0, ErrTokenUsed},
		"expired token":            {"db1", "k", "fresh", 2 * time.Hour, ErrTokenExpired},
		"expired at the very time": {"db1", "k", "fresh", time.Hour, ErrTokenExpired},
		"revoked token":            {"db1", "k", "revoked", 0, ErrTokenExpired},
		"a person's token":         {"db1", "k", "person", 0, ErrNotFound},
		"name taken":               {"web1", "k", "fresh", 0, ErrNameTaken},
		"key taken":                {"db1", "SHA256:web1", "fresh", 0, ErrKeyTaken},
	}
	onBoth(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		enrol(t, s, "web1", start)
		must(t, s.CreateToken(ctx, Token{ID: "f", Hash: "fresh", Created: start, Expires: start.Add(time.Hour)}))
		must(t, s.CreateToken(ctx, Token{ID: "r", Hash: "revoked", Created: start}))
		must(t, s.RevokeToken(ctx, "r", start))
		must(t, s.CreateToken(ctx, Token{ID: "p", Hash: "person", Role: "admin", Created: start}))
		for name, c := range cases {
			t.Run(name, func(t *testing.T) {
				h := Host{Host: inventory.Host{ID: "x", Name: c.name}, Key: c.key}
				wantErr(t, s.CreateHost(ctx, h, c.token, start.Add(c.after)), c.want)
				token, err := s.TokenByHash(ctx, "fresh")
				must(t, err)
				if !token.Used.IsZero() {
					t.Fatal("a refused enrolment used the token up")
				}
			})
		}
	})
}

func TestTokenIsUsedOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		must(t, s.CreateToken(ctx, Token{ID: "t", Hash: "once", Created: start}))
		var wg sync.WaitGroup
		var mu sync.Mutex
		won := 0
		for i := range 8 {
			wg.Go(func() {
				n := strconv.Itoa(i)
				err := s.CreateHost(ctx, Host{Host: inventory.Host{ID: inventory.HostID("id" + n), Name: "h" + n}, Key: "k" + n}, "once", start)
				if err == nil {
					mu.Lock()
					won++
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		same(t, "hosts made with one token", won, 1)
	})
}

func TestRevoke(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		id := enrol(t, s, "web1", start)
		later := start.Add(time.Minute)
		must(t, s.Revoke(ctx, id, "alice", later))
		wantErr(t, s.Revoke(ctx, id, "alice", later), ErrNotFound)
		wantErr(t, s.Seen(ctx, id, Heartbeat{}, later), ErrNotFound)
		wantErr(t, s.Accept(ctx, id, "", 0, []Step{step("e", 1, "r", later)}, later), ErrConflict)
		_, err := s.IntervalAt(ctx, id, later)
		wantErr(t, err, ErrNotFound)
		hosts, err := s.Hosts(ctx, HostFilter{})
		must(t, err)
		same(t, "hosts left", len(hosts), 0)

		must(t, s.CreateToken(ctx, Token{ID: "again", Hash: "again", Created: later}))
		again := Host{Host: inventory.Host{ID: "id2", Name: "web1"}, Key: "SHA256:other"}
		must(t, s.CreateHost(ctx, again, "again", later))
		h, err := s.HostByName(ctx, "web1")
		must(t, err)
		same(t, "who has the name now", h.ID, inventory.HostID("id2"))
		counts, err := s.FleetCounts(ctx)
		must(t, err)
		same(t, "counts", counts, FleetCounts{Total: 1, Revoked: 1, Status: map[policies.Status]int{policies.Unknown: 1}})
	})
}

func TestHostsFilter(t *testing.T) {
	cases := map[string]struct {
		filter HostFilter
		want   []string
	}{
		"all":                {HostFilter{}, []string{"a_1", "a_2", "ab1", "b%1"}},
		"prefix":             {HostFilter{Prefix: "a_"}, []string{"a_1", "a_2"}},
		"contains":           {HostFilter{Contains: "B"}, []string{"ab1", "b%1"}},
		"underscore is text": {HostFilter{Contains: "_"}, []string{"a_1", "a_2"}},
		"percent is text":    {HostFilter{Contains: "%"}, []string{"b%1"}},
		"label":              {HostFilter{Labels: map[string]string{"n": "ab1", "env": "prod"}}, []string{"ab1"}},
		"label differs":      {HostFilter{Labels: map[string]string{"n": "ab1", "env": "test"}}, []string{}},
		"page":               {HostFilter{After: "a_1", Limit: 2}, []string{"a_2", "ab1"}},
		"status":             {HostFilter{Status: policies.Compliant}, []string{"ab1"}},
		"release":            {HostFilter{Release: 1}, []string{"ab1"}},
		"mismatch":           {HostFilter{Mismatch: true}, []string{}},
	}
	onBoth(t, func(t *testing.T, s *Store) {
		for _, name := range []string{"b%1", "ab1", "a_2", "a_1"} {
			enrol(t, s, name, start)
		}
		must(t, s.Accept(t.Context(), "id-ab1", "", 0, []Step{step("e", 1, "r", start)}, start))
		for name, c := range cases {
			t.Run(name, func(t *testing.T) {
				hosts, err := s.Hosts(t.Context(), c.filter)
				must(t, err)
				got := []string{}
				for _, h := range hosts {
					got = append(got, h.Name)
				}
				same(t, "names", got, c.want)
			})
		}
	})
}

func TestSeenAndSilence(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		id := enrol(t, s, "web1", start)
		must(t, s.Accept(ctx, id, "", 0, []Step{step("e", 1, "r1", start.Add(time.Second))}, start.Add(time.Second)))
		beat := Heartbeat{Agent: "1.0", Counter: 7, Floor: 2, Paused: &protocol.Pause{Until: "2026-11-22T00:00:00Z", Reason: "move"}}
		must(t, s.Seen(ctx, id, beat, start.Add(time.Minute)))

		silent, back := start.Add(20*time.Minute), start.Add(30*time.Minute)
		marked, err := s.MarkStale(ctx, start.Add(10*time.Minute), silent)
		must(t, err)
		same(t, "marked", marked, []inventory.HostID{id})
		marked, err = s.MarkStale(ctx, start.Add(10*time.Minute), silent)
		must(t, err)
		same(t, "marked again", marked, []inventory.HostID{})
		h, err := s.Host(ctx, id)
		must(t, err)
		same(t, "status while silent", []policies.Status{h.Status, h.Found}, []policies.Status{policies.Stale, policies.Compliant})

		must(t, s.Seen(ctx, id, beat, back))
		h, err = s.Host(ctx, id)
		must(t, err)
		same(t, "status when back", h.Status, policies.Compliant)
		same(t, "pause", h.Paused, beat.Paused)

		for when, want := range map[time.Time]policies.Status{
			start: policies.Unknown, start.Add(time.Second): policies.Compliant, silent.Add(-time.Millisecond): policies.Compliant,
			silent: policies.Stale, back.Add(-time.Millisecond): policies.Stale, back: policies.Compliant, back.Add(time.Hour): policies.Compliant,
		} {
			i, err := s.IntervalAt(ctx, id, when)
			must(t, err)
			same(t, "status at "+when.String(), i.Status, want)
		}
		_, err = s.IntervalAt(ctx, id, start.Add(-time.Millisecond))
		wantErr(t, err, ErrNotFound)

		intervals, err := s.Intervals(ctx, id, 0)
		must(t, err)
		same(t, "number of intervals", len(intervals), 4)
		same(t, "last check-in before the silence", intervals[2].LastCheckIn, start.Add(time.Minute))
		same(t, "last check-in of the open interval", intervals[0].LastCheckIn, back)
		same(t, "end of the open interval", intervals[0].Until, time.Time{})
		events, err := s.Events(ctx, EventFilter{Host: id})
		must(t, err)
		same(t, "kinds of events", kinds(events), []string{EventReturned, EventStale, EventEnrolled})
	})
}

func kinds(events []Event) []string {
	all := []string{}
	for _, e := range events {
		all = append(all, e.Kind)
	}
	return all
}
