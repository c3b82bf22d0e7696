package rollout

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"plumb/inventory"
	"plumb/policies"
	"plumb/policies/calendar"
)

// hours says whether the windows and freezes of hosts let a change begin now. Hosts in the same
// ring, zone and freezes share an answer, which holds for a while: to read a rule is slow.
type hours struct {
	of      ID
	windows map[string]calendar.Window
	class   string
	lane    string
	now     time.Time
	known   map[string]answered
}

// answered is an answer and how long it holds.
type answered struct {
	calendar.Decision
	until time.Time
}

// hoursOf returns the hours for what goes through the rings.
func hoursOf(s State, windows map[string]calendar.Window, now time.Time) *hours {
	h := &hours{of: s.ID(), windows: windows, class: calendar.Config, now: now, known: map[string]answered{}}
	if s.Rollout != "" {
		h.class = calendar.Package
	}
	if s.Emergency {
		h.lane = "emergency"
	}
	return h
}

// at goes on to another time.
func (h *hours) at(now time.Time) {
	back := now.Before(h.now)
	maps.DeleteFunc(h.known, func(_ string, d answered) bool { return back || !now.Before(d.until) })
	h.now = now
}

// late tells whether the windows of a ring hold no longer: a patch cycle has a deadline.
func late(s State, plan policies.Ring, r Ring, now time.Time) bool {
	return s.Rollout != "" && plan.Deadline > 0 && !r.Offered.IsZero() && !now.Before(r.Offered.Add(time.Duration(plan.Deadline)*time.Second))
}

// permit answers for one host of a ring. Past the deadline no window is asked, freezes are.
func (h *hours) permit(ring policies.Ring, late bool, p placement) calendar.Decision {
	names := ring.Windows
	if late {
		names = nil
	}
	if len(names)+len(p.freezes) == 0 {
		return calendar.Decision{Allowed: true}
	}
	key := fmt.Sprint(ring.Name, late, "\x00", p.zone)
	for _, f := range p.freezes {
		key += "\x00" + f.Name
	}
	d, ok := h.known[key]
	if !ok {
		d = h.ask(names, p)
		h.known[key] = d
	}
	return d.Decision
}

func (h *hours) ask(names []string, p placement) answered {
	c := calendar.Calendar{Freezes: p.freezes}
	for _, name := range names {
		c.Windows = append(c.Windows, h.window(name))
	}
	if zone, err := time.LoadLocation(p.zone); err == nil {
		c.Host = zone
	}
	d := answered{Decision: c.Permit(h.class, h.lane, h.now)}
	if d.until = d.Next; d.Allowed {
		d.until = h.end(c)
	}
	return d
}

// end returns until when at least what is allowed now stays so.
func (h *hours) end(c calendar.Calendar) time.Time {
	end := h.now.Add(24 * time.Hour)
	for _, w := range c.Windows {
		if o, under := w.At(h.now, c.Host); under && o.Open(h.now) && w.Permits(h.class) {
			end = o.Cutoff
			break
		}
	}
	for _, f := range c.Freezes {
		if f.From.After(h.now) && f.From.Before(end) && f.Holds(h.class, h.lane, f.From) {
			end = f.From
		}
	}
	return end
}

// window returns a window by its name; one that nobody declared never opens.
func (h *hours) window(name string) calendar.Window {
	w := h.windows[name]
	w.Name = cmp.Or(w.Name, name)
	return w
}

// shut says of a host that was not given the change yet whether it may change now.
func (h *hours) shut(s State, ring string, p *placement, id inventory.HostID, host *Host) {
	i := slices.IndexFunc(s.Rings, func(r Ring) bool { return r.Name == ring })
	if _, given := s.Hosts[id]; given || i < 0 {
		return
	}
	plan := s.Plan.Rings[i]
	d := h.permit(plan, late(s, plan, s.Rings[i], h.now), *p)
	host.Closed, host.Opens = !d.Allowed, d.Next
}
