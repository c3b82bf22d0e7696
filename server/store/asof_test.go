package store

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"plumb/inventory"
	"plumb/policies"
)

// TestPastAt counts a random fleet as of many instants, and again after more has happened.
func TestPastAt(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx, dice := t.Context(), rand.New(rand.NewPCG(3, 4))
		var ids []inventory.HostID
		for i := range 6 {
			ids = append(ids, randomPast(t, s, dice, i))
		}
		var told []Past
		instants := []time.Time{}
		for at := start.Add(-2 * time.Minute); at.Before(start.Add(2 * time.Hour)); at = at.Add(13 * time.Minute) {
			p, err := s.PastAt(ctx, at)
			must(t, err)
			stood := Turns(p.Status)
			same(t, fmt.Sprint("the fleet at ", at), stood, asTheyWere(t, s, ids, at))
			sum := 0
			for _, n := range p.Status {
				sum += n
			}
			same(t, fmt.Sprint("hosts at ", at), sum, p.Total)
			agree(t, s, at, p)
			told, instants = append(told, p), append(instants, at)
		}
		_, err := s.MarkStale(ctx, start.Add(20*time.Hour), start.Add(21*time.Hour))
		must(t, err)
		for i, at := range instants {
			again, err := s.PastAt(ctx, at)
			must(t, err)
			same(t, fmt.Sprint("the fleet at ", at, ", asked later"), again, told[i])
		}
	})
}

// agree is that the lists of an instant say the same as its counts.
func agree(t *testing.T, s *Store, at time.Time, p Past) {
	t.Helper()
	var entries []Entry
	err := s.RollAt(t.Context(), at, func(e Entry) { entries = append(entries, e) })
	must(t, err)
	counts := map[policies.Status]int{}
	for _, e := range entries {
		counts[e.Status]++
	}
	same(t, fmt.Sprint("the roll at ", at), counts, p.Status)
	standings, err := s.StandingsAt(t.Context(), at)
	must(t, err)
	hosts, alike := 0, map[[2]string]int{}
	for _, one := range standings {
		if hosts += one.Hosts; one.Catalog != "" {
			alike[[2]string{one.Catalog, one.Result}] += one.Hosts
		}
	}
	want := map[[2]string]int{}
	for _, one := range p.Alike {
		want[[2]string{one.Catalog, one.Result}] += one.Hosts
	}
	same(t, fmt.Sprint("hosts that stand somehow at ", at), hosts, p.Total)
	same(t, fmt.Sprint("hosts that stand alike at ", at), alike, want)
}

// TestHostAt has two hosts of one name, the one after the other.
func TestHostAt(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		minute := func(n int) time.Time { return start.Add(time.Duration(n) * time.Minute) }
		for i, name := range []string{"first", "second"} {
			token := Token{ID: name, Hash: name, Created: start, Expires: minute(100)}
			must(t, s.CreateToken(ctx, token))
			h := Host{Host: inventory.Host{ID: inventory.HostID(name), Name: "web1"}, Key: name}
			must(t, s.CreateHost(ctx, h, token.Hash, minute(10+20*i)))
			if i == 0 {
				must(t, s.Revoke(ctx, h.ID, "ada", minute(20)))
			}
		}
		must(t, s.AddRelease(ctx, Release{Number: 1, Commit: "c1", Made: minute(15)}))
		for n, want := range map[int]string{9: "none", 10: "first", 19: "first", 20: "first", 29: "first", 30: "second", 99: "second"} {
			h, i, err := s.HostAt(ctx, "web1", minute(n))
			got := string(h.ID)
			if errors.Is(err, ErrNotFound) {
				got = "none"
			} else {
				must(t, err)
			}
			if got != want || got != "none" && (i.Host != h.ID || i.Status != policies.Unknown) {
				t.Errorf("web1 at minute %d is %s with %+v, want %s", n, got, i, want)
			}
		}
		for n, want := range map[int]int64{9: eventID(1, 0), 10: eventID(2, 0), 19: eventID(2, 0), 20: 0} {
			end, err := s.EventsEnd(ctx, "first", minute(n))
			must(t, err)
			same(t, fmt.Sprint("end of events at minute ", n), end, want)
		}
		_, err := s.ReleaseAt(ctx, minute(14))
		wantErr(t, err, ErrNotFound)
		r, err := s.ReleaseAt(ctx, minute(15))
		must(t, err)
		same(t, "release", r.Commit, "c1")
	})
}
