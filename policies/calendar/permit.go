package calendar

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Freeze is when nothing may change.
type Freeze struct {
	Name  string    `json:"name"`
	From  time.Time `json:"from"`
	Until time.Time `json:"until"`
	// Classes are what must not change; none stands for all.
	Classes []string `json:"classes,omitempty"`
	// Allow are the lanes that it lets pass, such as emergency.
	Allow []string `json:"allow,omitempty"`
	// Reason is shown to everybody who has to wait.
	Reason string `json:"reason,omitempty"`
	// Groups are the groups whose hosts it is for, as they are written in the policy; none
	// stands for all hosts.
	Groups []string `json:"groups,omitempty"`
}

// Holds tells whether the freeze stops a change of the class at t. The lane is how the change
// travels, empty for the usual way.
func (f Freeze) Holds(class, lane string, t time.Time) bool {
	return !t.Before(f.From) && t.Before(f.Until) && covers(f.Classes, class) && !slices.Contains(f.Allow, lane)
}

// Calendar is what stands between a change and one host.
type Calendar struct {
	// Windows are those that the change names; one that is open is enough. With none the
	// change may start at any time.
	Windows []Window
	// Freezes are those for the host; each of them beats all windows.
	Freezes []Freeze
	// Host is the host's own zone; nil stands for UTC.
	Host *time.Location
}

// Decision says whether a change may start now.
type Decision struct {
	Allowed bool
	// Reason says in words for people why not, and when it may.
	Reason string
	// Next is when it may, zero when that is not to be seen.
	Next time.Time
}

// Permit tells whether a change of the class may start.
func (c Calendar) Permit(class, lane string, now time.Time) Decision {
	open, _, from := c.opens(class, now)
	frozen := c.frozen(class, lane, now)
	if frozen == nil && open && !from.After(now) {
		return Decision{Allowed: true}
	}
	d := Decision{Next: c.first(class, lane, now)}
	switch {
	case frozen != nil:
		d.Reason = fmt.Sprintf("frozen by %s until %s", frozen.Name, c.shown(frozen.Until, c.Host))
		if frozen.Reason != "" {
			d.Reason += ": " + frozen.Reason
		}
	case !d.Next.IsZero():
		_, name, _ := c.opens(class, d.Next)
		d.Reason = fmt.Sprintf("waits for the window %s, which opens %s", name, c.shown(d.Next, c.zoneOf(name)))
	default:
		d.Reason = c.never(class)
	}
	return d
}

func (c Calendar) frozen(class, lane string, t time.Time) *Freeze {
	for i, f := range c.Freezes {
		if f.Holds(class, lane, t) {
			return &c.Freezes[i]
		}
	}
	return nil
}

// opens returns the window that is open for the class at t, or the one that opens next, and
// from when on. It is false when none ever does.
func (c Calendar) opens(class string, t time.Time) (ok bool, name string, from time.Time) {
	if len(c.Windows) == 0 {
		return true, "", t
	}
	for _, w := range c.Windows {
		s, err := w.schedule(c.Host)
		if err != nil || !w.Permits(class) {
			continue
		}
		if o, under := s.at(t); under && o.Open(t) {
			return true, w.Name, t
		}
		if o, some := s.next(t); some && (!ok || o.Start.Before(from)) {
			ok, name, from = true, w.Name, o.Start
		}
	}
	return ok, name, from
}

// first returns when a change may start that must wait now.
func (c Calendar) first(class, lane string, t time.Time) time.Time {
	const patience = 200 // freezes and windows may take turns for long
	for range patience {
		if f := c.frozen(class, lane, t); f != nil {
			t = f.Until
			continue
		}
		ok, _, from := c.opens(class, t)
		if !ok {
			return time.Time{}
		}
		if !from.After(t) {
			return t
		}
		t = from
	}
	return time.Time{}
}

func (c Calendar) zoneOf(name string) *time.Location {
	for _, w := range c.Windows {
		if zone, err := w.zone(c.Host); err == nil && w.Name == name {
			return zone
		}
	}
	return c.Host
}

func (c Calendar) shown(t time.Time, zone *time.Location) string {
	if zone == nil {
		zone = time.UTC
	}
	return t.In(zone).Format("Mon 2006-01-02 15:04 MST")
}

// never says why no window will do.
func (c Calendar) never(class string) string {
	var names []string
	for _, w := range c.Windows {
		if _, err := w.schedule(c.Host); err != nil {
			return fmt.Sprintf("the window %s cannot be read here: %v", w.Name, err)
		}
		names = append(names, w.Name)
	}
	return fmt.Sprintf("waits for a window, but none of %s opens again for changes of class %s", strings.Join(names, ", "), class)
}
