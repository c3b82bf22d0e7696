package rollout

import (
	"cmp"
	"slices"
	"time"

	"plumb/policies"
	"plumb/policies/calendar"
)

// hours says whether the windows and freezes of hosts let a change begin now. Hosts in the same
// ring, zone and freezes share an answer.
type hours struct {
	windows map[string]calendar.Window
	class   string
	lane    string
	now     time.Time
	known   map[string]calendar.Decision
}

// hoursOf returns the hours for what goes through the rings.
func hoursOf(s State, windows map[string]calendar.Window, now time.Time) *hours {
	h := &hours{windows: windows, class: calendar.Config, now: now, known: map[string]calendar.Decision{}}
	if s.Rollout != "" {
		h.class = calendar.Package
	}
	if s.Emergency {
		h.lane = "emergency"
	}
	return h
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
	key := ring.Name + "\x00" + p.zone
	for _, f := range p.freezes {
		key += "\x00" + f.Name
	}
	if d, ok := h.known[key]; ok {
		return d
	}
	c := calendar.Calendar{Freezes: p.freezes}
	for _, name := range names {
		c.Windows = append(c.Windows, h.window(name))
	}
	if zone, err := time.LoadLocation(p.zone); err == nil {
		c.Host = zone
	}
	h.known[key] = c.Permit(h.class, h.lane, h.now)
	return h.known[key]
}

// window returns a window by its name; one that nobody declared never opens.
func (h *hours) window(name string) calendar.Window {
	w := h.windows[name]
	w.Name = cmp.Or(w.Name, name)
	return w
}

// ringPlan returns a ring of the plan by its name.
func ringPlan(s State, name string) (policies.Ring, Ring) {
	i := slices.IndexFunc(s.Rings, func(r Ring) bool { return r.Name == name })
	return s.Plan.Rings[i], s.Rings[i]
}
