package views

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"plumb/inventory"
	"plumb/server/kpi"
	"plumb/server/store"
)

// histories keeps the rows of hosts that figures ask for. Of each host they are read again when something was stored of it.
type histories struct {
	mu    sync.Mutex
	known map[inventory.HostID]history
	rows  int
	aged  *time.Timer
}

// history is what was read of one host from since on, when it had the version.
type history struct {
	version   uint64
	since     time.Time
	intervals []kpi.Interval
	events    []kpi.Event
}

const (
	// mostHistories and mostHistoryRows bound what is kept, at about a hundred bytes a row.
	mostHistories   = 20_000
	mostHistoryRows = 400_000
	// historiesKept is for how long they are after somebody asked.
	historiesKept = 15 * time.Minute
)

// of returns what is known of a host from an instant on.
func (k *histories) of(id inventory.HostID, version uint64, since time.Time) (history, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	h, known := k.known[id]
	return h, known && h.version == version && !h.since.After(since)
}

// keep keeps what was read of a host.
func (k *histories) keep(id inventory.HostID, h history) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.known == nil {
		k.known, k.rows = map[inventory.HostID]history{}, 0
	}
	old := k.known[id]
	delete(k.known, id)
	k.rows -= old.size()
	if k.rows+h.size() > mostHistoryRows || len(k.known) >= mostHistories {
		return
	}
	k.known[id] = h
	k.rows += h.size()
}

func (h history) size() int { return len(h.intervals) + len(h.events) }

// stay keeps all of them for a while.
func (k *histories) stay() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.aged == nil {
		k.aged = time.AfterFunc(historiesKept, k.forget)
		return
	}
	k.aged.Reset(historiesKept)
}

func (k *histories) forget() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.known, k.rows = nil, 0
}

// told is the history from an instant on, as of the last call of the host. What is kept stays as it is.
func (h history) told(one store.PastHost, since time.Time) kpi.Host {
	host := kpi.Host{Name: one.Name, Enrolled: one.Enrolled, Revoked: one.Revoked, Intervals: make([]kpi.Interval, 0, len(h.intervals))}
	for _, i := range h.intervals {
		if i.Until.IsZero() {
			i.LastCheckIn = one.LastSeen
		}
		if i.Until.IsZero() || i.Until.After(since) {
			host.Intervals = append(host.Intervals, i)
		}
	}
	if host.Events = h.events; !h.since.Equal(since) {
		host.Events = slices.DeleteFunc(slices.Clone(h.events), func(e kpi.Event) bool { return e.At.Before(since) && !slices.Contains(findingKinds, e.Kind) })
	}
	return host
}

// findingKinds are those of events that are read from the very first on.
var findingKinds = []string{store.EventOpened, store.EventChanged, store.EventClosed}

// histories are those in memory. Of a large fleet none are kept.
func (r Reader) histories(hosts int) *histories {
	if r.Memory == nil || hosts > mostHistories {
		return nil
	}
	k := &r.Memory.hosts
	k.stay()
	return k
}

// recent are the rows of hosts, from memory as far as they are there. With PostgreSQL all are read.
func (p *past) recent(ctx context.Context, list []store.PastHost) batch {
	_, sure := p.store.Version("")
	if p.kept == nil || !sure || p.policy != nil || !p.whole || p.since.IsZero() {
		return p.rows(ctx, list, p.since, p.whole)
	}
	since := p.since.Truncate(time.Millisecond) // as fine as times are stored
	now, places := batch{hosts: make([]kpi.Host, len(list))}, []int{}
	var ask []store.PastHost
	var versions []uint64
	for i, one := range list {
		version, _ := p.store.Version(one.ID) // before anything is read
		h, known := p.kept.of(one.ID, version, since)
		if known {
			now.hosts[i] = h.told(one, since)
			continue
		}
		ask, places, versions = append(ask, one), append(places, i), append(versions, version)
	}
	read, texts := p.rows(ctx, ask, since, len(ask) == len(list)), map[string]string{}
	if read.err != nil {
		return read
	}
	for i, host := range read.hosts {
		now.hosts[places[i]] = host
		p.kept.keep(ask[i].ID, history{versions[i], since, slices.Clip(host.Intervals), ownTexts(host.Events, texts)})
	}
	return now
}

// ownTexts has the texts of events hold no more than themselves: they are read as parts of lines.
func ownTexts(events []kpi.Event, texts map[string]string) []kpi.Event {
	own := func(text *string) {
		known, is := texts[*text]
		if !is {
			known = strings.Clone(*text)
			texts[known] = known
		}
		*text = known
	}
	events = slices.Clone(events)
	for i := range events {
		e := &events[i]
		own(&e.Kind)
		own(&e.Cause)
		own(&e.Status)
		own(&e.Address)
	}
	return events
}
