package views

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"plumb/policies"
	"plumb/policies/calendar"
	"plumb/policies/patch"
	"plumb/server/patching"
	"plumb/server/rollout"
	"plumb/server/store"
)

// PatchNext answers for one rollout that carries patches: what happens next, and when?
type PatchNext struct {
	Rollout string `json:"rollout"`
	// Cycle is the newest one, 0 before the first. Phase is as in Rollout, or none.
	Cycle     uint64 `json:"cycle"`
	Phase     string `json:"phase"`
	Emergency bool   `json:"emergency"`
	// Ring is the ring that is under way or comes next, empty when all have passed.
	Ring string `json:"ring,omitempty"`
	// Packages and Hosts count what is still to be installed there, or anywhere when all have passed.
	Packages int `json:"packages"`
	Hosts    int `json:"hosts"`
	// At is when that may begin; with HostTime it is on each host's own clock, and not UTC. It is
	// left out when that is not to be seen.
	At       *time.Time `json:"at,omitempty"`
	HostTime bool       `json:"host_time,omitempty"`
	// Soaking is the ring before it that has to hold first: until SoakEnds, or, when that is left
	// out, until a person or a query says so.
	Soaking  string     `json:"soaking,omitempty"`
	SoakEnds *time.Time `json:"soak_ends,omitempty"`
	// Sentence says all of it in words.
	Sentence string `json:"sentence"`
}

// PatchPlans is what else it takes to say what happens next.
type PatchPlans struct {
	// Rollouts are those of the newest release that carry patches.
	Rollouts []policies.Rollout
	// Show returns the newest cycle of a rollout: store.ErrNotFound before the first.
	Show func(ctx context.Context, name string) (rollout.Picture, error)
	// Plans holds the windows that rings name, and the freezes.
	Plans Plans
}

// PatchNexts says for each rollout that carries patches what happens next.
func (r Reader) PatchNexts(ctx context.Context, p PatchPlans, now time.Time) ([]PatchNext, error) {
	seen, err := r.sight(ctx, PatchFilter{})
	if err != nil {
		return nil, err
	}
	all := []PatchNext{}
	for _, plan := range p.Rollouts {
		picture, err := p.Show(ctx, plan.Name)
		if errors.Is(err, store.ErrNotFound) {
			all = append(all, seen.first(plan, now))
			continue
		}
		if err != nil {
			return nil, err
		}
		set, err := patching.ReadSet(ctx, r.Store, picture.Set)
		if err != nil {
			return nil, err
		}
		n := nexter{sight: seen, Picture: picture, items: set.Items, plans: p.Plans, now: now}
		all = append(all, n.next())
	}
	slices.SortFunc(all, func(a, b PatchNext) int { return cmp.Compare(a.Rollout, b.Rollout) })
	return all, nil
}

// first is what to say before the first cycle.
func (p *sight) first(plan policies.Rollout, now time.Time) PatchNext {
	n := PatchNext{Rollout: plan.Name, Phase: "none", Sentence: "no cycle yet: nothing is approved" + p.approval(plan, now)}
	return n
}

// approval says when the next waiting version is approved for a host of the rollout.
func (p *sight) approval(plan policies.Rollout, now time.Time) string {
	var first time.Time
	var name string
	for _, a := range p.groups {
		if plan.RingOf(a.Terms.Groups) == "" {
			continue
		}
		for _, b := range a.Terms.Baselines {
			if b.Name != plan.Baseline() {
				continue
			}
			for _, o := range a.Offers.List {
				v, _ := p.Judge(a.Alike, b, o, now)
				if v.State == patch.Waiting && !v.Until.IsZero() && (first.IsZero() || v.Until.Before(first)) {
					first, name = v.Until, o.Package
				}
			}
		}
	}
	if first.IsZero() {
		return ""
	}
	return fmt.Sprintf("; %s is next, %s", name, moment(first, now, false))
}

// nexter says what comes next in one cycle.
type nexter struct {
	*sight
	rollout.Picture
	items []patch.Item
	plans Plans
	now   time.Time
}

func (n nexter) next() PatchNext {
	v := PatchNext{Rollout: n.Rollout, Cycle: n.Release, Phase: rolloutPhase(n.State), Emergency: n.Emergency}
	i := slices.IndexFunc(n.Rings, func(r rollout.Ring) bool { return r.Phase != rollout.Passed })
	if i < 0 || v.Phase == "done" {
		v.Packages, v.Hosts = n.lacking("")
		v.Sentence = fmt.Sprintf("cycle %d is through all rings, %s%s", v.Cycle, left(v), n.approval(*n.Plan, n.now))
		return v
	}
	from := n.now
	if n.Rings[i].Phase == rollout.Soaking {
		v.Soaking = n.Rings[i].Name
		if rest := n.Soak(n.Plan.Rings[i]) - n.Rings[i].Soaked; rest > 0 {
			from = n.now.Add(rest)
			v.SoakEnds = stamp(from.Truncate(time.Second))
		}
		i = min(i+1, len(n.Rings)-1)
	}
	plan := n.Plan.Rings[i]
	v.Ring = plan.Name
	v.Packages, v.Hosts = n.lacking(plan.Name)
	if v.Soaking == "" || v.SoakEnds != nil {
		n.time(&v, plan, from)
	}
	v.Sentence = n.sentence(v)
	return v
}

// time says when a ring may begin, as far as deferral and windows say.
func (n nexter) time(v *PatchNext, plan policies.Ring, from time.Time) {
	if deferred := n.Made.Add(n.Deferral(plan)); deferred.After(from) {
		from = deferred
	}
	if at, floating, ok := n.opens(plan, from); ok {
		v.At, v.HostTime = stamp(at.Truncate(time.Second)), floating
	}
}

// sentence is "14 packages on 312 hosts, Saturday 22:00 host time, ring early; soak of ring canary
// ends Tuesday 10:00 UTC".
func (n nexter) sentence(v PatchNext) string {
	switch v.Phase {
	case "halted", "rolled_back", "paused", "frozen":
		return n.stopped(v)
	}
	text := fmt.Sprintf("%s on %s, %s, ring %s", count(v.Packages, "package"), count(v.Hosts, "host"), n.when(v), v.Ring)
	if v.Hosts == 0 {
		text = "nothing left to install in ring " + v.Ring
	}
	if v.Emergency {
		text = "emergency: " + text
	}
	if v.SoakEnds != nil {
		return text + fmt.Sprintf("; soak of ring %s ends %s", v.Soaking, moment(*v.SoakEnds, n.now, false))
	}
	under := slices.IndexFunc(n.Rings, func(r rollout.Ring) bool {
		return r.Phase == rollout.Soaking || v.Hosts == 0 && r.Phase == rollout.Rolling
	})
	if under >= 0 && n.Waits[n.Rings[under].Name] != "" {
		return text + fmt.Sprintf("; ring %s waits for %s", n.Rings[under].Name, n.Waits[n.Rings[under].Name])
	}
	return text
}

func (n nexter) when(v PatchNext) string {
	switch {
	case v.At == nil && v.Soaking != "":
		return "after ring " + v.Soaking
	case v.At == nil:
		return "no window is to be seen"
	case v.At.After(n.now):
		return moment(*v.At, n.now, v.HostTime)
	}
	return "now"
}

// stopped says why nothing happens.
func (n nexter) stopped(v PatchNext) string {
	for _, r := range n.Rings {
		switch r.Phase {
		case rollout.Halted:
			return fmt.Sprintf("cycle %d is halted in ring %s (%s failed): it waits for a person to resume, promote or roll back",
				v.Cycle, r.Name, count(n.Tallies[r.Name].Failed, "host"))
		case rollout.RolledBack:
			return fmt.Sprintf("cycle %d was rolled back in ring %s: the next one begins when something else is approved, or with `plumb patch set new`", v.Cycle, r.Name)
		}
	}
	if n.Paused != nil {
		return fmt.Sprintf("cycle %d is paused by %s: %s", v.Cycle, n.Paused.Who, n.Paused.Why)
	}
	return fmt.Sprintf("cycle %d is held back by a freeze of the whole server", v.Cycle)
}

func left(v PatchNext) string {
	if v.Hosts == 0 {
		return "nothing of it is left to install"
	}
	return fmt.Sprintf("%s on %s still to come", count(v.Packages, "package"), count(v.Hosts, "host"))
}

// lacking counts what of the set is not installed yet on the hosts of a ring ("": of all rings).
func (n nexter) lacking(ring string) (packages, hosts int) {
	missing := map[string]bool{}
	for _, a := range n.groups {
		in := n.Plan.RingOf(a.Terms.Groups)
		if in == "" || ring != "" && in != ring {
			continue
		}
		names := patching.Lacking(n.items, a.Offers)
		for _, name := range names {
			missing[name] = true
		}
		if len(names) > 0 {
			hosts += len(a.Hosts)
		}
	}
	return len(missing), hosts
}

// opens is when a ring's hosts may change from a time on: with floating on their own clocks.
func (n nexter) opens(ring policies.Ring, from time.Time) (at time.Time, floating, ok bool) {
	c := calendar.Calendar{}
	for _, w := range n.plans.Windows {
		if slices.Contains(ring.Windows, w.Name) {
			c.Windows = append(c.Windows, w)
			floating = floating || w.FollowsHost()
		}
	}
	if len(c.Windows) < len(ring.Windows) {
		return time.Time{}, false, false // a window that is not known any more
	}
	for _, f := range n.plans.Freezes {
		if len(f.Groups) == 0 {
			c.Freezes = append(c.Freezes, f)
		}
	}
	lane := ""
	if n.Emergency {
		lane = "emergency"
	}
	d := c.Permit(calendar.Package, lane, from)
	if d.Allowed {
		return from, false, true
	}
	return d.Next, floating, !d.Next.IsZero()
}

// moment says a time as people do: the day of the week when it is soon, else the date.
func moment(t, now time.Time, floating bool) string {
	layout, zone := "2006-01-02 15:04", " UTC"
	if t.Sub(now) < 6*24*time.Hour {
		layout = "Monday 15:04"
	}
	if floating {
		zone = " host time"
	}
	return t.UTC().Format(layout) + zone
}

func count(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}
