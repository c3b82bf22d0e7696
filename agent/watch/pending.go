package watch

import (
	"slices"
	"strings"
	"time"
)

const (
	// settle is how long an event waits for others of the same doing.
	settle = 100 * time.Millisecond
	// burst is how many events an address may cause at once; afterwards it is one every refill.
	// A file that is written to without end must not keep a host busy.
	burst  = 8
	refill = 10 * time.Second
)

// pending is what has been seen and not been told.
type pending struct {
	dirty   map[string]*dirt
	budgets map[string]budget
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

func newPending() pending { return pending{map[string]*dirt{}, map[string]budget{}} }

func (p *pending) note(d Drift, now time.Time) {
	if was := p.dirty[d.Address]; was != nil {
		if d.By.PID != 0 || was.drift.By.PID == 0 {
			was.drift = d
		}
		return
	}
	due := now.Add(settle)
	if b := p.budget(d.Address, now); b.left < 1 {
		due = now.Add(max(settle, time.Duration((1-b.left)*float64(refill))))
	}
	p.dirty[d.Address] = &dirt{d, now, due}
}

// force makes an address suspect of which it is not known whether anything happened. All that are
// forced at once are due at once, whatever they have spent.
func (p *pending) force(address string, now time.Time) {
	d := Drift{Address: address}
	if was := p.dirty[address]; was != nil {
		d = was.drift
	}
	p.dirty[address] = &dirt{d, now, now.Add(settle)}
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
	var event Event
	var pause time.Duration
	for address, d := range p.dirty {
		if left := d.due.Sub(now); left > 0 {
			if pause == 0 || left < pause {
				pause = left
			}
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
	return event, pause
}

// spend takes one from the budget. A full budget need not be remembered, so the old ones go.
func (p *pending) spend(address string, now time.Time) {
	b := p.budget(address, now)
	b.left--
	p.budgets[address] = b
	if len(p.budgets) < 2*len(p.dirty)+64 {
		return
	}
	for a := range p.budgets {
		if p.budget(a, now).left >= burst {
			delete(p.budgets, a)
		}
	}
}

func (p *pending) forget(address string) {
	delete(p.dirty, address)
	delete(p.budgets, address)
}
