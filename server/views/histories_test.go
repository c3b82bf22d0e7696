package views

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plumb/inventory"
	"plumb/server/kpi"
	"plumb/server/rollout"
	"plumb/server/store"
)

// TestHistoriesAreWhatIsStored has hosts do anything: who kept what was read before is told the same as who reads all anew.
func TestHistoriesAreWhatIsStored(t *testing.T) {
	s, ctx, dice := kpiStore(t), t.Context(), rand.New(rand.NewPCG(11, 12))
	if err := s.AddRelease(ctx, store.Release{Number: 1, Commit: "c1", Committed: kpiStart, Made: kpiStart.Add(20 * time.Hour)}); err != nil {
		t.Fatal(err)
	}
	keeps := Reader{Store: s, Memory: &Memory{}}
	var hosts []inventory.HostID
	last, recalled := map[inventory.HostID]int{}, 0
	for n := range 120 {
		now := kpiStart.Add(time.Duration(n) * time.Hour)
		if len(hosts) < 6 {
			hosts = append(hosts, kpiHost(t, s, fmt.Sprint("host", n)))
		}
		id := hosts[dice.IntN(len(hosts))]
		_ = s.Seen(ctx, id, store.Heartbeat{}, now) // it may be revoked
		switch dice.IntN(8) {
		case 0:
			_, _ = s.MarkStale(ctx, now.Add(-9*time.Hour), now)
		case 1:
			_ = s.NoteTwin(ctx, id, now)
		case 2:
			if n%5 == 0 {
				_ = s.Revoke(ctx, id, "ada", now)
			}
		case 3, 4, 5:
			_ = s.Accept(ctx, id, epochOf(last[id]), uint64(last[id]), []store.Step{kpiReportAt(last[id]+1, now, dice)}, now)
			if h, err := s.Host(ctx, id); err == nil {
				last[id] = int(h.Seq)
			}
		}
		f := KPIFilter{Query: kpi.Query{From: now.Add(-time.Duration(dice.IntN(40)) * time.Hour), To: now, AsOf: now}}
		before := keeps.Memory.hosts.size()
		compare(t, n, func(r Reader) (any, error) { return r.KPIs(ctx, f) }, keeps)
		compare(t, n, func(r Reader) (any, error) { return r.ChangeRecord(ctx, rollout.ID{Number: 1}, now) }, keeps)
		recalled += min(before, keeps.Memory.hosts.size())
	}
	if recalled == 0 {
		t.Error("nothing was kept")
	}
}

// size is how many hosts are kept.
func (k *histories) size() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.known)
}

func compare(t *testing.T, round int, ask func(Reader) (any, error), keeps Reader) {
	t.Helper()
	want, err := ask(Reader{Store: keeps.Store})
	if err != nil {
		t.Fatal(err)
	}
	got, err := ask(keeps)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("what is kept says otherwise than what is stored after round %d (-stored +kept):\n%s", round, diff)
	}
}

func epochOf(seq int) string {
	if seq == 0 {
		return ""
	}
	return "e"
}

func kpiReportAt(seq int, at time.Time, dice *rand.Rand) store.Step {
	one := kpiStep(seq)
	one.Host.Since, one.Host.Ran, one.Events[0].At = at, at, at
	one.Events[0].Kind = []string{store.EventRepaired, store.EventOpened, store.EventClosed, store.EventFailed}[dice.IntN(4)]
	if dice.IntN(3) == 0 {
		one.Events[0].Checked = at.Add(-time.Hour)
	}
	return one
}

// TestHistoriesAreReadOnce holds that those of hosts that did nothing are not read again, and that memory is bounded.
func TestHistoriesAreReadOnce(t *testing.T) {
	k := &histories{}
	h := history{version: 3, since: kpiStart, intervals: make([]kpi.Interval, mostHistoryRows/2)}
	k.keep("a", h)
	k.keep("a", h)
	k.keep("b", h)
	k.keep("c", h)
	for id, want := range map[inventory.HostID]bool{"a": true, "b": true, "c": false} {
		if _, got := k.of(id, 3, kpiStart.Add(time.Hour)); got != want {
			t.Errorf("%s is kept: %v, want %v", id, got, want)
		}
	}
	for name, ask := range map[string]struct {
		version uint64
		since   time.Time
	}{"another version": {4, kpiStart}, "from before on": {3, kpiStart.Add(-time.Millisecond)}} {
		if _, got := k.of("a", ask.version, ask.since); got {
			t.Errorf("a question about %s is answered from memory", name)
		}
	}
	if k.forget(); k.size() != 0 {
		t.Errorf("%d are left", k.size())
	}
}

// TestToldFromLaterOn holds that who asks about a shorter time is told what the database would tell.
func TestToldFromLaterOn(t *testing.T) {
	later, seen := kpiStart.Add(time.Hour), kpiStart.Add(3*time.Hour)
	event := func(kind string, at time.Time) kpi.Event { return kpi.Event{Kind: kind, At: at} }
	h := history{since: kpiStart,
		events:    []kpi.Event{event(store.EventOpened, kpiStart), event(store.EventRepaired, kpiStart), event(store.EventClosed, kpiStart), event(store.EventRepaired, later)},
		intervals: []kpi.Interval{{Since: kpiStart, Until: later}, {Since: later, Until: seen}, {Since: seen}}}
	got := h.told(store.PastHost{Name: "a", LastSeen: seen}, later)
	want := kpi.Host{Name: "a", Events: []kpi.Event{h.events[0], h.events[2], h.events[3]}, Intervals: []kpi.Interval{h.intervals[1], {Since: seen, LastCheckIn: seen}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("what is told differs (-want +got):\n%s", diff)
	}
}
