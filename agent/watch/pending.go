package watch

import (
	"slices"
	"strings"
	"time"
)

const (
	// settle is how long an event waits for others of the same doing.
	settle = 100 * time.Millisecond
	// along is how much sooner one may be told to go along with others: two files of one doing are
	// written one after the other, and belong to one event.
	along = settle / 2
	// burst is how many events an address may cause at once; afterwards it is one every refill.
	// A file that is written to without end must not keep a host busy.
	burst  = 16 // where the writer is not known, an own change is one of them
	refill = 10 * time.Second
)

// pending is what has been seen and not been told.
type pending struct {
	dirty   map[string]*dirt
	budgets map[string]budget
	limit   int       // how many budgets there may be before the full ones are forgotten
	next    time.Time // nothing is due before; zero when nothing is pending
}

type dirt struct {
	drift   Drift
	at, due time.Time
}

// budget is how many events an address had left at a time.
type budget struct {
	left float64
	at   time.Time
}

func newPending() pending { return pending{dirty: map[string]*dirt{}, budgets: map[string]budget{}} }

// note takes a change down. It returns true when something is due sooner than was known.
func (p *pending) note(d Drift, now time.Time) bool {
	if was := p.dirty[d.Address]; was != nil {
		if d.By.PID != 0 || was.drift.By.PID == 0 {
			was.drift = d
		}
		return false
	}
	due := now.Add(settle)
	if b := p.budget(d.Address, now); b.left < 1 {
		due = now.Add(max(settle, time.Duration((1-b.left)*float64(refill))))
	}
	p.dirty[d.Address] = &dirt{d, now, due}
	return p.hasten(due)
}

func (p *pending) hasten(due time.Time) bool {
	if !p.next.IsZero() && !due.Before(p.next) {
		return false
	}
	p.next = due
	return true
}

// force makes an address suspect of which it is not known whether anything happened. All that are
// forced at once are due at once, whatever they have spent.
func (p *pending) force(address string, now time.Time) {
	d := Drift{Address: address}
	if was := p.dirty[address]; was != nil {
		d = was.drift
	}
	p.dirty[address] = &dirt{d, now, now.Add(settle)}
	p.hasten(now.Add(settle))
}

func (p *pending) budget(address string, now time.Time) budget {
	b, ok := p.budgets[address]
	if !ok {
		return budget{burst, now}
	}
	return budget{min(burst, b.left+float64(now.Sub(b.at))/float64(refill)), now}
}

// due takes what has settled, and tells after how long more will have; 0 is never.
func (p *pending) due(now time.Time) (Event, time.Duration) {
	if left := p.next.Sub(now); p.next.IsZero() || left > 0 {
		return Event{}, max(0, left)
	}
	var event Event
	p.next = time.Time{}
	for address, d := range p.dirty {
		if d.due.After(now.Add(along)) {
			p.hasten(d.due)
			continue
		}
		event.Drifts = append(event.Drifts, d.drift)
		if event.At.IsZero() || d.at.Before(event.At) {
			event.At = d.at
		}
		p.spend(address, now)
		delete(p.dirty, address)
	}
	slices.SortFunc(event.Drifts, func(a, b Drift) int { return strings.Compare(a.Address, b.Address) })
	if p.next.IsZero() {
		return event, 0
	}
	return event, p.next.Sub(now)
}

// spend takes one from the budget. A full budget need not be remembered, so the old ones go.
func (p *pending) spend(address string, now time.Time) {
	b := p.budget(address, now)
	b.left--
	p.budgets[address] = b
	if len(p.budgets) <= p.limit {
		return
	}
	for a := range p.budgets {
		if p.budget(a, now).left >= burst {
			delete(p.budgets, a)
		}
	}
	p.limit = 2*len(p.budgets) + 64
}

func (p *pending) forget(address string) {
	delete(p.dirty, address)
	delete(p.budgets, address)
}
