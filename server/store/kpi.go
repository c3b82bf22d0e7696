package store

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"plumb/inventory"
)

// PastHost is what figures need of a host.
type PastHost struct {
	ID   inventory.HostID
	Name string
	// Enrolled, Revoked, LastSeen and Terms are as in Host.
	Enrolled, Revoked, LastSeen time.Time
	Terms                       string
}

// PastHosts returns all hosts, those that are gone among them, in order of their IDs.
func (s *Store) PastHosts(ctx context.Context) ([]PastHost, error) {
	if err := s.freshBeats(ctx); err != nil {
		return nil, err
	}
	rows, has, err := s.rostered(ctx)
	if err != nil {
		return nil, fmt.Errorf("cannot list hosts: %w", err)
	}
	if has {
		return pastOf(rows), nil
	}
	all := []PastHost{}
	same := sharing{texts: map[string]string{}}
	const line = `id || ' ' || CAST(enrolled AS TEXT) || ' ' || CAST(revoked AS TEXT) || ' ' || CAST(last_seen AS TEXT) || ' ' || terms || ' ' || name`
	err = s.lines(ctx, func(l string) error {
		f := strings.SplitN(l, " ", 6)
		n, err := numbers(f, 6, 1, 2, 3)
		if err != nil {
			return err
		}
		all = append(all, PastHost{ID: inventory.HostID(strings.Clone(f[0])), Name: strings.Clone(f[5]), Enrolled: at(n[0]), Revoked: at(n[1]), LastSeen: at(n[2]), Terms: same.text(f[4])})
		return nil
	}, `SELECT `+line+` FROM `+hostRows)
	if err != nil {
		return nil, fmt.Errorf("cannot list hosts: %w", err)
	}
	slices.SortFunc(all, func(a, b PastHost) int { return strings.Compare(string(a.ID), string(b.ID)) })
	return all, nil
}

// pastOf is what figures need of hosts, in order of their IDs.
func pastOf(rows []*rosterRow) []PastHost {
	all := make([]PastHost, len(rows))
	for i, h := range rows {
		all[i] = PastHost{ID: h.ID, Name: h.Name, Enrolled: h.enrolled, Revoked: h.Revoked, LastSeen: h.LastSeen, Terms: h.Terms}
	}
	slices.SortFunc(all, func(a, b PastHost) int { return strings.Compare(string(a.ID), string(b.ID)) })
	return all
}

// Past is what figures need of the host.
func (h Host) Past() PastHost {
	return PastHost{ID: h.ID, Name: h.Name, Enrolled: h.Enrolled, Revoked: h.Revoked, LastSeen: h.LastSeen, Terms: h.Terms}
}

// PastRange selects hosts: those of a list, or where Whole is true, all from its first to its last.
type PastRange struct {
	Hosts []inventory.HostID
	Whole bool
}

func (r PastRange) where() *where {
	w := &where{}
	if n := len(r.Hosts); r.Whole && n > 0 {
		w.and(`host >= ? AND host <= ?`, string(r.Hosts[0]), string(r.Hosts[n-1]))
		return w
	}
	in(w, `host`, r.Hosts)
	return w
}

// PastEvent is what figures need of an event.
type PastEvent struct {
	Host inventory.HostID
	// At and Checked are as in Event.
	At, Checked time.Time
	// Kind, Address, Cause, Status and Release are as in Event.
	Kind, Address, Cause, Status string
	Release                      uint64
}

// PastInterval is what figures need of an interval.
type PastInterval struct {
	Host inventory.HostID
	// Since, Until and LastCheckIn are as in Interval, but for one that lasts the last check-in is
	// that of its beginning: the host has the newest.
	Since, Until, LastCheckIn time.Time
	Release                   uint64
	Status                    string
	// Counts is JSON: how many resources have each status.
	Counts string
	// Result is the digest of what was found; only PastResults tells it.
	Result string
}

// PastEvents calls each with the events of the hosts from since on (zero: all of them), and with all
// by which findings opened, changed and closed, host by host in order of their IDs, those of one in the
// order in which they were stored.
//
// A million rows are read for one question, and each column costs as much as the row itself. So
// the database puts a row into one line of text, the column that may hold blanks at its end.
func (s *Store) PastEvents(ctx context.Context, hosts PastRange, since time.Time, each func(PastEvent)) error {
	w := hosts.where()
	if !since.IsZero() {
		w.and(`(at >= ? OR kind IN ('opened', 'changed', 'closed'))`, ms(since))
	}
	const line = `host || ' ' || CAST(at AS TEXT) || ' ' || CAST(release AS TEXT) || ' ' || CAST(checked AS TEXT) || ' ' || kind || ' ' || cause || ' ' || status || ' ' || CAST(resources AS TEXT) || ' ' || address`
	err := s.lines(ctx, func(l string) error {
		f := strings.SplitN(l, " ", 9)
		n, err := numbers(f, 9, 1, 2, 3)
		if err != nil {
			return err
		}
		e := PastEvent{Host: inventory.HostID(f[0]), At: at(n[0]), Release: uint64(n[1]), Checked: at(n[2]), Kind: f[4], Cause: f[5], Status: f[6], Address: f[8]}
		if f[7] == "1" {
			each(e)
			return nil
		}
		for e.Address = range strings.SplitSeq(f[8], "\n") {
			each(e)
		}
		return nil
	}, `SELECT `+line+` FROM events`+w.String()+` ORDER BY host, id`, w.args...)
	if err != nil {
		return fmt.Errorf("cannot read past events: %w", err)
	}
	return nil
}

// PastIntervals calls each with the intervals of the hosts that lasted until after since (zero: all
// of them), host by host in order of their IDs, those of one in order of time.
func (s *Store) PastIntervals(ctx context.Context, hosts PastRange, since time.Time, each func(PastInterval)) error {
	return s.pastIntervals(ctx, hosts, since, `''`, each)
}

// PastResults is PastIntervals with the results, which few questions need.
func (s *Store) PastResults(ctx context.Context, hosts PastRange, since time.Time, each func(PastInterval)) error {
	return s.pastIntervals(ctx, hosts, since, `result`, each)
}

func (s *Store) pastIntervals(ctx context.Context, hosts PastRange, since time.Time, result string, each func(PastInterval)) error {
	w := hosts.where()
	if !since.IsZero() {
		w.and(`(until = 0 OR until > ?)`, ms(since))
	}
	line := `host || ' ' || CAST(since AS TEXT) || ' ' || CAST(until AS TEXT) || ' ' || CAST(last_checkin AS TEXT) || ' ' ||
		CAST(release AS TEXT) || ' ' || status || ' ' || ` + result + ` || ' ' || counts`
	err := s.lines(ctx, func(l string) error {
		f := strings.SplitN(l, " ", 8)
		n, err := numbers(f, 8, 1, 2, 3, 4)
		if err != nil {
			return err
		}
		each(PastInterval{Host: inventory.HostID(f[0]), Since: at(n[0]), Until: at(n[1]), LastCheckIn: at(n[2]), Release: uint64(n[3]), Status: f[5], Result: f[6], Counts: f[7]})
		return nil
	}, `SELECT `+line+` FROM intervals`+w.String()+` ORDER BY host, since, id`, w.args...)
	if err != nil {
		return fmt.Errorf("cannot read past intervals: %w", err)
	}
	return nil
}

// numbers reads those of the fields that are numbers; there must be want fields.
func numbers(fields []string, want int, which ...int) (n [4]int64, err error) {
	if len(fields) != want {
		return n, fmt.Errorf("a stored row has %d fields and not %d", len(fields), want)
	}
	for k, i := range which {
		if n[k], err = strconv.ParseInt(fields[i], 10, 64); err != nil {
			return n, err
		}
	}
	return n, nil
}

// lines calls each with each row of a query that has one column of text.
func (s *Store) lines(ctx context.Context, each func(line string) error, query string, args ...any) error {
	rows, err := s.r.QueryContext(ctx, query, args...)
	var line string
	return walk(rows, err, func(scan func(...any) error) error {
		if err := scan(&line); err != nil {
			return err
		}
		return each(line)
	})
}

// CycleReach counts, for each kind of event of a patch cycle, the hosts that had one: those of the
// rollout's resource from when the cycle was made until the next one was (zero: until now).
func (s *Store) CycleReach(ctx context.Context, rollout string, made, next time.Time) (map[string]int, error) {
	w := &where{}
	w.and(`resources = 1 AND address = ?`, "rollout."+rollout)
	w.and(`at >= ?`, ms(made))
	if !next.IsZero() {
		w.and(`at < ?`, ms(next))
	}
	rows, err := s.r.QueryContext(ctx, `SELECT kind, COUNT(DISTINCT host) FROM events`+w.String()+` GROUP BY kind`, w.args...)
	counts, err := tally(rows, err)
	if err != nil {
		return nil, fmt.Errorf("cannot count the events of the patch cycles of %s: %w", rollout, err)
	}
	return counts, nil
}
