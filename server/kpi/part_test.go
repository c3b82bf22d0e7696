package kpi

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// part are the rows of a host that a store gives since an instant.
func part(h Host, since time.Time) Host {
	p := h
	p.Intervals, p.Events = nil, nil
	for _, i := range h.Intervals {
		if i.Until.IsZero() || i.Until.After(since) {
			p.Intervals = append(p.Intervals, i)
		}
	}
	for _, e := range h.Events {
		if !e.At.Before(since) || slices.Contains([]string{"opened", "changed", "closed"}, e.Kind) {
			p.Events = append(p.Events, e)
		}
	}
	return p
}

// closing adds what a server stores with each repair of a finding: that it is closed. And what a host
// tells late was not under a release that was made later.
func closing(h Host, changes []Change) Host {
	var events []Event
	for _, e := range h.Events {
		if e.Release > 0 && changes[e.Release-1].Made.After(e.At) {
			e.Release = 0
		}
		events = append(events, e)
		if e.Kind == "repaired" {
			e.Kind = "closed"
			events = append(events, e)
		}
	}
	h.Events = events
	return h
}

// readAgain counts how often all rows of a host were needed, and how often all of all hosts.
type readAgain struct{ parts, hosts, all int }

// computePart does as the views do.
func (n *readAgain) compute(q Query, f fleet) Figures {
	from := since(q, f.changes, 0)
	enough := Enough(q, from, f.changes)
	hosts := func(yield func(Host) bool) {
		for _, h := range f.hosts {
			p := part(h, from)
			if n.parts++; !enough(p) {
				n.hosts++
				p = h
			}
			if !yield(p) {
				return
			}
		}
	}
	got, whole := ComputeSince(q, from, f.changes, hosts)
	if !whole {
		n.all++
		return compute(q, f.changes, f.hosts...)
	}
	return got
}

// TestPartsOfTheRowsSuffice asks for a late period, once of all rows and once of those that it needs.
func TestPartsOfTheRowsSuffice(t *testing.T) {
	var n readAgain
	rapid.Check(t, func(t *rapid.T) {
		_, f, mid := history(t)
		for i := range f.hosts {
			f.hosts[i] = closing(f.hosts[i], f.changes)
		}
		q := Query{From: at(mid), To: at(length), AsOf: at(float64(rapid.IntRange(1, length).Draw(t, "as of")))}
		if diff := cmp.Diff(compute(q, f.changes, f.hosts...), n.compute(q, f)); diff != "" {
			t.Fatalf("from minute %g on (-all rows +part of them):\n%s", mid, diff)
		}
	})
	if n.parts == n.hosts || n.all > n.parts/4 {
		t.Errorf("of %d hosts all rows were read of %d, and %d times of all: that tests nothing", n.parts, n.hosts, n.all)
	}
	t.Logf("%+v", n)
}

// TestSince says from when on rows are read.
func TestSince(t *testing.T) {
	q := Query{From: at(1000), To: at(2000), AsOf: at(2000)}
	older := func(entries ...Entry) Change {
		return Change{Kind: Release, Number: 1, Made: at(100), Planned: true, Next: at(500), Entries: entries}
	}
	for name, c := range map[string]struct {
		change Change
		want   time.Time
	}{
		"followed before the period":        {older(entry(200, "", done)), at(1000)},
		"rolled back before it":             {older(entry(200, "all", rolledBack)), at(1000)},
		"not followed yet":                  {Change{Kind: Release, Made: at(100)}, at(100)},
		"followed in it":                    {Change{Kind: Release, Made: at(100), Next: at(1001)}, at(100)},
		"neither done nor superseded":       {older(entry(200, "all", rolling)), at(100)},
		"halted in it, though it was over":  {older(entry(200, "", superseded), entry(1001, "all", halted)), at(100)},
		"made in it":                        {Change{Kind: Release, Made: at(1500)}, at(1000)},
		"made after what is asked for":      {Change{Kind: Release, Made: at(2500)}, at(1000)},
		"a cycle that no other one follows": {Change{Kind: Cycle, Made: at(300), Planned: true, Entries: []Entry{entry(400, "", done)}}, at(300)},
	} {
		if got := Since(q, []Change{c.change}); !got.Equal(c.want.Add(-clocks)) {
			t.Errorf("%s: Since = %s, want %s", name, got, c.want.Add(-clocks))
		}
	}
	if got := Since(Query{AsOf: noon}, nil); !got.IsZero() {
		t.Errorf("Since of all time = %s, want none", got)
	}
}
