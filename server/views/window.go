package views

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"plumb/inventory"
	"plumb/policies"
	"plumb/policies/calendar"
	"plumb/server/store"
)

// Calendar is when change may start, and when it may not.
type Calendar struct {
	// Release is the one that says so, 0 before the first.
	Release uint64 `json:"release"`
	// Host is set when it is the calendar of one host, and Timezone is that host's own then.
	Host     string `json:"host,omitempty"`
	Timezone string `json:"timezone,omitempty"`
	// Openings are in the order of their start.
	Openings []Opening `json:"openings"`
	// Freezes are those that hold now or later.
	Freezes []calendar.Freeze `json:"freezes"`
}

// Opening is one time that a window opens.
type Opening struct {
	Window string `json:"window"`
	// Open is true when it is open now, and what it is for may start.
	Open bool `json:"open"`
	calendar.Occurrence
	// Timezone is whose clock the times are on. With "host" they are on each host's own clock,
	// and their UTC means nothing.
	Timezone string `json:"timezone"`
	// Classes are what may change in it; none stands for all.
	Classes []string `json:"classes"`
	// Frozen names a freeze that holds when it opens, on all hosts that are asked about.
	Frozen string `json:"frozen,omitempty"`
}

// Plans is where a calendar comes from: windows and freezes of a release, or of one host. Waivers and
// policies are only those of a release.
type Plans struct {
	Release  uint64
	Host     string
	Timezone string
	Windows  []calendar.Window
	Freezes  []calendar.Freeze
	Waivers  []policies.Waiver
	Policies []policies.PolicyInfo
}

// Floating tells whether the times are those of each host's own clock.
func (o Opening) Floating() bool { return o.Timezone == calendar.HostZone }

// HostPlans returns the windows and freezes of one host's newest catalog.
func (r Reader) HostPlans(ctx context.Context, name string) (Plans, error) {
	h, err := r.Store.HostByName(ctx, name)
	if err != nil {
		return Plans{}, fmt.Errorf("cannot find the host %q: %w", name, err)
	}
	p := Plans{Release: h.Release, Host: h.Name}
	var catalog policies.Catalog
	if err := r.decode(ctx, store.KindCatalog, h.Catalog, &catalog); err != nil {
		return p, fmt.Errorf("cannot read the catalog of %s: %w", h.Name, err)
	}
	var facts inventory.Facts
	if err := r.decode(ctx, store.KindFacts, h.Facts, &facts); err != nil {
		return p, fmt.Errorf("cannot read the facts of %s: %w", h.Name, err)
	}
	p.Timezone, p.Freezes = cmp.Or(facts.Timezone, "UTC"), catalog.Freezes
	for _, w := range catalog.Windows {
		p.Windows = append(p.Windows, w)
	}
	return p, nil
}

// decode reads a stored object, and leaves the value alone where the host has not sent one yet.
func (r Reader) decode(ctx context.Context, kind, digest string, into any) error {
	raw, err := r.object(ctx, kind, digest)
	if err != nil || raw == nil {
		return err
	}
	return json.Unmarshal(raw, into)
}

// MaxDays is how far ahead a calendar looks at most.
const MaxDays = 366

// Calendar expands the plans for so many days. Each window has its next opening in it, however
// late that is.
func (p Plans) Calendar(now time.Time, days int) (Calendar, error) {
	c := Calendar{Release: p.Release, Host: p.Host, Timezone: p.Timezone, Openings: []Opening{}, Freezes: []calendar.Freeze{}}
	zone, err := time.LoadLocation(p.Timezone)
	if err != nil {
		return c, fmt.Errorf("cannot tell the time on %s: %w", p.Host, err)
	}
	for _, f := range p.Freezes {
		if now.Before(f.Until) {
			c.Freezes = append(c.Freezes, f)
		}
	}
	for _, w := range p.Windows {
		for _, o := range occurrences(w, now, days, zone) {
			c.Openings = append(c.Openings, p.opening(w, o, now))
		}
	}
	slices.SortFunc(c.Openings, func(a, b Opening) int { return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.Window, b.Window)) })
	return c, nil
}

func occurrences(w calendar.Window, now time.Time, days int, zone *time.Location) []calendar.Occurrence {
	list := w.Between(now.Add(time.Nanosecond), now.AddDate(0, 0, days), zone)
	if next, ok := w.Next(now, zone); ok && len(list) == 0 {
		list = append(list, next)
	}
	if under, ok := w.At(now, zone); ok {
		list = append([]calendar.Occurrence{under}, list...)
	}
	return list
}

func (p Plans) opening(w calendar.Window, o calendar.Occurrence, now time.Time) Opening {
	one := Opening{Window: w.Name, Open: o.Open(now), Occurrence: o, Timezone: w.Timezone, Classes: list(w.Classes)}
	if w.FollowsHost() {
		one.Timezone = cmp.Or(p.Timezone, calendar.HostZone)
		one.Open = one.Open && !one.Floating() // on which host?
	}
	for _, f := range p.Freezes {
		everywhere := p.Host != "" || len(f.Groups) == 0
		if everywhere && stops(f, w, o.Start) {
			one.Frozen = f.Name
		}
	}
	return one
}

// stops tells whether a freeze leaves nothing that may start in the window.
func stops(f calendar.Freeze, w calendar.Window, t time.Time) bool {
	for _, class := range calendar.Classes() {
		if w.Permits(class) && !f.Holds(class, "", t) {
			return false
		}
	}
	return true
}
