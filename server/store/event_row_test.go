package store

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"plumb/inventory"
	"plumb/policies"
)

// someEvents makes up what a report tells. Most of it is alike.
func someEvents(r *rand.Rand, seq uint64) []Event {
	events := []Event{}
	for len(events) < 3+r.IntN(2*mostInRow) {
		e := Event{Seq: seq, At: start.Add(time.Duration(seq) * time.Minute), Kind: EventRepaired, Cause: policies.Corrective, Status: policies.Repaired, Release: 1}
		switch r.IntN(6) {
		case 0:
			e.Cause, e.Message = policies.Intentional, "meant"
		case 1:
			e.Kind, e.Status, e.Checked = EventFailed, policies.Failed, start
		}
		for range 1 + r.IntN(12) {
			e.Address = fmt.Sprintf("policy.p%d.file.f%02d", r.IntN(3), r.IntN(40))
			e.Changes = nil
			if r.IntN(3) > 0 {
				e.Changes = []policies.Change{{Attribute: "mode", Before: fmt.Sprint(r.IntN(1000)), After: "0600"}}
			}
			if r.IntN(30) == 0 {
				e.Address = []string{"", "rollout.security", "policy.p1.exec.a\nb", "policy.p1"}[r.IntN(4)]
			}
			events = append(events, e)
		}
	}
	return events
}

// told has hosts tell events, each report with all of it in one step, or with a step for each event: then no two share a row.
func told(t *testing.T, s *Store, alone bool) {
	t.Helper()
	r, seqs := rand.New(rand.NewPCG(1, 2)), map[inventory.HostID]uint64{}
	ids := []inventory.HostID{enrol(t, s, "web1", start), enrol(t, s, "web2", start), enrol(t, s, "web3", start)}
	for n := range uint64(60) {
		id := ids[r.IntN(len(ids))]
		var steps []Step
		events, last := someEvents(r, n), seqs[id]
		if !alone {
			steps = append(steps, step("e", last+uint64(len(events)), "r", start.Add(time.Duration(n)*time.Minute)))
			steps[0].Events = events
		}
		for i := 0; alone && i < len(events); i++ {
			steps = append(steps, step("e", last+uint64(i)+1, "r", start.Add(time.Duration(n)*time.Minute)))
			steps[i].Events = events[i : i+1]
		}
		seqs[id] += uint64(len(events))
		epoch := "e"
		if last == 0 {
			epoch = ""
		}
		must(t, s.Accept(t.Context(), id, epoch, last, steps, start))
	}
}

// Whatever is asked, events that share a row are told as those that do not.
func TestEventsThatShareRowsAreToldAsAlone(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		other := open(t, t.TempDir()+"/alone.db")
		told(t, s, false)
		told(t, other, true)
		var rows, single int
		must(t, s.r.QueryRow(`SELECT COUNT(*) FROM events`).Scan(&rows))
		must(t, other.r.QueryRow(`SELECT COUNT(*) FROM events`).Scan(&single))
		if rows*2 > single {
			t.Errorf("%d events are in %d rows", single, rows)
		}
		for name, f := range filters() {
			want, err := other.Events(t.Context(), f)
			must(t, err)
			same(t, "events by "+name, unnumbered(paged(t, s, f)), unnumbered(want))
		}
		for name, ask := range map[string]func(s *Store) any{
			"reach": func(s *Store) any { got, err := s.Reach(t.Context(), 1); must(t, err); return got },
			"cause": func(s *Store) any { got, err := s.RepairsByCause(t.Context(), 1); must(t, err); return got },
			"cycle": func(s *Store) any {
				got, err := s.CycleReach(t.Context(), "security", start, time.Time{})
				must(t, err)
				return got
			},
			"by address": func(s *Store) any {
				got, err := s.ReachByAddress(t.Context(), 1)
				must(t, err)
				slices.SortFunc(got, func(a, b AddressReach) int {
					return cmp.Or(strings.Compare(a.Address, b.Address), strings.Compare(a.Kind, b.Kind))
				})
				return got
			},
			"past": func(s *Store) any {
				past := []PastEvent{}
				must(t, s.PastEvents(t.Context(), PastRange{Hosts: []inventory.HostID{"id-web1", "id-web2"}}, start.Add(20*time.Minute), func(e PastEvent) { past = append(past, e) }))
				return past
			},
		} {
			same(t, name, ask(s), ask(other))
		}
	})
}

func filters() map[string]EventFilter {
	all := map[string]EventFilter{
		"nothing":        {},
		"time":           {Since: start.Add(5 * time.Minute), Until: start.Add(40 * time.Minute)},
		"kind":           {Kinds: []string{EventFailed}},
		"own":            {Release: 1, Own: true},
		"address of two": {Address: "policy.p1.exec.a"},
		"odd address":    {Address: "policy.p1.exec.a\nb"},
		"rollout":        {Address: "rollout.security"},
		"nothing such":   {Address: "policy.p1.file.f"},
		"part of a name": {Policy: "p"},
	}
	for i := range 3 {
		policy := fmt.Sprint("p", i)
		address := fmt.Sprintf("policy.%s.file.f%02d", policy, 7*i)
		all[policy] = EventFilter{Policy: policy}
		all["failures of "+policy] = EventFilter{Policy: policy, Kinds: []string{EventFailed}}
		all[address] = EventFilter{Address: address}
		all["host and "+address] = EventFilter{Host: "id-web1", Address: address}
		all["cause and "+address] = EventFilter{Address: address, Causes: []policies.Cause{policies.Intentional}, Release: 1}
	}
	for name, f := range all {
		f.Limit = 100_000
		all[name] = f
	}
	return all
}

// paged reads all selected events, seven at a time.
func paged(t *testing.T, s *Store, f EventFilter) []Event {
	t.Helper()
	want := f.Limit
	if want == 0 {
		want = standardPage
	}
	all := []Event{}
	for f.Limit = 7; len(all) < want; {
		some, err := s.Events(t.Context(), f)
		must(t, err)
		all = append(all, some...)
		if len(some) < f.Limit {
			break
		}
		f.Before = some[len(some)-1].ID
	}
	return all[:min(len(all), want)]
}

// unnumbered leaves out the IDs, and holds that they fall.
func unnumbered(events []Event) []Event {
	for i := range events {
		if i > 0 && events[i].ID >= events[i-1].ID {
			panic(fmt.Sprint("event ", events[i].ID, " comes after ", events[i-1].ID))
		}
	}
	events = slices.Clone(events)
	for i := range events {
		events[i].ID = 0
	}
	return events
}

// A field that events come to have must not be lost to those that share a row.
func TestOnlyAlikeEventsShareARow(t *testing.T) {
	shared := []string{"ID", "Host", "HostName", "Address", "Changes"} // the first three are the row's own
	for _, field := range reflect.VisibleFields(reflect.TypeFor[Event]()) {
		a := Event{Address: "a", At: start, Kind: EventRepaired}
		b := a
		b.Address = "b"
		switch v := reflect.ValueOf(&b).Elem().FieldByIndex(field.Index); v.Interface().(type) {
		case time.Time:
			v.Set(reflect.ValueOf(start.Add(time.Hour)))
		case []policies.Change:
			v.Set(reflect.ValueOf([]policies.Change{{}}))
		case int64:
			v.SetInt(7)
		case uint64:
			v.SetUint(7)
		default:
			v.SetString("other")
		}
		if got, want := together([]Event{a, b}) == 2, slices.Contains(shared, field.Name); got != want {
			t.Errorf("events of which only %s differs share a row: %t, want %t", field.Name, got, want)
		}
	}
}

// What is known of blocks is in memory; a server that begins anew, or whose transaction failed, must not rely on it.
func TestBlocksAreNotedByEachServer(t *testing.T) {
	onBothAddresses(t, func(t *testing.T, dsn string) {
		first := open(t, dsn)
		id := enrol(t, first, "web1", start)
		tell := func(s *Store, seq uint64, address string) error {
			one := step("e", seq, "r", start)
			for _, name := range []string{address, address + "2"} {
				one.Events = append(one.Events, Event{Seq: seq, At: start, Kind: EventRepaired, Address: name, Release: 1})
			}
			epoch := "e"
			if seq == 1 {
				epoch = ""
			}
			return s.Accept(t.Context(), id, epoch, seq-1, []Step{one}, start)
		}
		must(t, tell(first, 1, "a"))
		_, err := first.w.Exec(`DROP TABLE event_blocks`)
		must(t, err)
		if err := tell(first, 2, "b"); err == nil {
			t.Fatal("the report was stored without its blocks")
		}
		_, err = first.w.Exec(`CREATE TABLE event_blocks (key TEXT NOT NULL, block BIGINT NOT NULL, PRIMARY KEY (key, block))`)
		must(t, err)
		must(t, tell(first, 2, "b"))
		must(t, first.Close())
		second := open(t, dsn)
		must(t, tell(second, 3, "a"))
		for address, want := range map[string]int{"a": 2, "b": 1} {
			events, err := second.Events(t.Context(), EventFilter{Address: address})
			must(t, err)
			same(t, "events of "+address, len(events), want)
		}
	})
}

// Rows are found in whichever block they are, also when one commit fills more than one.
func TestEventsAreFoundInManyBlocks(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		id := enrol(t, s, "web1", start)
		one := step("e", 1, "r", start)
		for n := range blockRows + 10 {
			for _, name := range []string{"always", fmt.Sprint("once", n)} {
				one.Events = append(one.Events, Event{Seq: 1, At: start, Kind: EventRepaired, Address: name, Message: fmt.Sprint(n)})
			}
		}
		must(t, s.Accept(t.Context(), id, "", 0, []Step{one}, start))
		two := step("e", 2, "r", start)
		two.Events = one.Events
		must(t, s.Accept(t.Context(), id, "e", 1, []Step{two}, start))
		for address, want := range map[string]int{"always": 2 * (blockRows + 10), "once0": 2, fmt.Sprint("once", blockRows-2): 2, fmt.Sprint("once", blockRows+9): 2} {
			same(t, "events of "+address, len(paged(t, s, EventFilter{Address: address, Limit: 10_000})), want)
		}
		var entries int
		must(t, s.r.QueryRow(`SELECT COUNT(*) FROM event_blocks WHERE key = 'always'`).Scan(&entries))
		same(t, "blocks of what is in all", entries, 3)
	})
}
