package watch

import (
	"slices"
	"strings"
	"time"

	"plumb/policies"
)

// Breaker finds resources for which somebody else fights. One that was mended Limit times within
// Window is left alone for Rest, so that two managers do not wear a host out. It is no part of
// the Watcher, for only who mends knows of it. Not for use by several goroutines at once.
type Breaker struct {
	Limit  int
	Window time.Duration
	Rest   time.Duration

	mends map[string][]mend
	until map[string]Flap
}

// NewBreaker returns a breaker that lets five mends in ten minutes pass and then rests an hour.
func NewBreaker() *Breaker { return &Breaker{Limit: 5, Window: 10 * time.Minute, Rest: time.Hour} }

type mend struct {
	at time.Time
	by Writer
}

// Flap is a resource that is left alone.
type Flap struct {
	Address string `json:"address"`
	policies.Flapping
	// Shown is true once a run has found it changed and left it alone.
	Shown bool `json:"shown,omitempty"`
}

// Mended notes that an event made a resource be mended. It returns true when it is left alone
// from now on, which is to be told once.
func (b *Breaker) Mended(address string, by Writer, now time.Time) (Flap, bool) {
	if b.mends == nil {
		b.mends, b.until = map[string][]mend{}, map[string]Flap{}
	}
	list := slices.DeleteFunc(b.mends[address], func(m mend) bool { return now.Sub(m.at) >= b.Window })
	list = append(list, mend{now, by})
	if b.mends[address] = list; len(list) < b.Limit {
		return Flap{}, false
	}
	delete(b.mends, address)
	flap := Flap{Address: address, Flapping: policies.Flapping{Since: whole(list[0].at), Until: whole(now.Add(b.Rest)), Mends: len(list), Writers: programs(list)}}
	b.until[address] = flap
	return flap, true
}

// whole leaves out what people do not need of a time.
func whole(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }

// programs names each writer once.
func programs(list []mend) []string {
	var names []string
	for _, m := range list {
		if name := m.by.program(); name != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Rests tells whether a resource is left alone. A clock that was set back by more than the rest
// ends it.
func (b *Breaker) Rests(address string, now time.Time) bool {
	flap, ok := b.until[address]
	if ok && (!now.Before(flap.Until) || flap.Until.Sub(now) > b.Rest) {
		delete(b.until, address)
		return false
	}
	return ok
}

// Show tells whether a resource that rests has yet to be looked at since it rests, and notes that
// it is now. Nobody mends it then; but how it was left is to be told, once.
func (b *Breaker) Show(address string) bool {
	flap, ok := b.until[address]
	if !ok || flap.Shown {
		return false
	}
	flap.Shown = true
	b.until[address] = flap
	return true
}

// Restore makes a breaker leave alone what another one did, as after a start of the agent.
func (b *Breaker) Restore(list []Flap) {
	for _, flap := range list {
		if b.until == nil {
			b.mends, b.until = map[string][]mend{}, map[string]Flap{}
		}
		b.until[flap.Address] = flap
	}
}

// Flapping lists what is left alone, by address.
func (b *Breaker) Flapping(now time.Time) []Flap {
	var list []Flap
	for address, flap := range b.until {
		if b.Rests(address, now) {
			list = append(list, flap)
		}
	}
	slices.SortFunc(list, func(x, y Flap) int { return strings.Compare(x.Address, y.Address) })
	return list
}
