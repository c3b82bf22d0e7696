package watch

import (
	"slices"
	"strings"
	"time"
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
	Address string
	// Since is its first mend of those that were too many, Until when it is mended again.
	Since, Until time.Time
	// Writers are the programs that undid the mends, as far as known, each once.
	Writers []string
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
	flap := Flap{Address: address, Since: list[0].at, Until: now.Add(b.Rest), Writers: programs(list)}
	b.until[address] = flap
	return flap, true
}

// programs names each writer once: its pid is another one every time.
func programs(list []mend) []string {
	var names []string
	for _, m := range list {
		if name := strings.TrimSpace(m.by.Comm + " " + m.by.Login); name != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Rests tells whether a resource is left alone.
func (b *Breaker) Rests(address string, now time.Time) bool {
	flap, ok := b.until[address]
	if ok && !now.Before(flap.Until) {
		delete(b.until, address)
		return false
	}
	return ok
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
