package views

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"plumb/policies"
	"plumb/policies/calendar"
	"plumb/server/rollout"
)

// Glancer tells how changes stand in their rings without taking them further; the driver of
// package rollout does.
type Glancer interface {
	Glimpses() []rollout.Glimpse
	Standings(id rollout.ID, ring string) ([]rollout.Standing, error)
}

// Board is one rollout with its rings side by side, and in each ring the changes that are there.
type Board struct {
	// Name is that of the rollout block; Baseline what it carries, empty for releases.
	Name     string
	Baseline string
	// Newest is the newest release or patch cycle.
	Newest Rollout
	// Seen is when the hosts were looked at; zero when they were not since the server started.
	Seen time.Time
	// Moving is true while hosts get the newest change, or soak with it.
	Moving  bool
	Columns []Column
}

// Column is one ring.
type Column struct {
	Name  string
	Group string
	// Hosts counts those in it; Known is false while nobody looked.
	Hosts int
	Known bool
	// Openings has the next opening of each window; none stands for any time. Lost are names of
	// windows of which it is not known when they open.
	Openings []Opening
	Lost     []string
	// Gate says in words what has to be seen before the next ring begins.
	Gate  []string
	Cards []Card
}

// Card is one change in one ring.
type Card struct {
	// Change is without its rings and its history.
	Change Rollout
	Ring   Ring
	// Counted is false while nobody looked at the hosts.
	Counted bool
	// Why tells who or what halted it, or rolled it back; nil otherwise.
	Why *RolloutEvent
	// Before is true for a change that a newer one will follow.
	Before bool
}

// Ahead counts the hosts of the ring that were not given the change yet.
func (c Card) Ahead() int { return max(0, c.Ring.Members-c.Ring.Given) }

// Boards returns a board for each rollout, that of releases first.
func (r Reader) Boards(ctx context.Context, g Glancer, now time.Time) ([]Board, error) {
	boards := []Board{}
	if g == nil {
		return boards, nil
	}
	for _, one := range g.Glimpses() {
		b, err := r.board(ctx, one, now)
		if err != nil {
			return nil, err
		}
		boards = append(boards, b)
	}
	return boards, nil
}

func (r Reader) board(ctx context.Context, g rollout.Glimpse, now time.Time) (Board, error) {
	newest := g.Book[0]
	b := Board{Name: newest.Plan.Name, Baseline: newest.Plan.Baseline(), Newest: RolloutOf(newest), Seen: g.Seen}
	b.Moving = moving(b.Newest)
	for i, plan := range newest.Plan.Rings {
		c := Column{Name: plan.Name, Group: plan.Group, Gate: gateWords(newest.State, plan), Known: newest.Tallies != nil}
		c.Hosts = newest.Tallies[plan.Name].Members
		windows, err := r.windows(ctx, g, plan)
		if err != nil {
			return b, err
		}
		if err := c.open(plan, windows, now); err != nil {
			return b, err
		}
		c.Cards = cards(g.Book, i)
		b.Columns = append(b.Columns, c)
	}
	return b, nil
}

// moving tells whether something may happen to hosts within seconds.
func moving(v Rollout) bool {
	if v.Phase != "rolling" {
		return false
	}
	return slices.ContainsFunc(v.Rings, func(r Ring) bool {
		return r.Phase == string(rollout.Rolling) || r.Phase == string(rollout.Soaking) || r.Phase == string(rollout.Eligible)
	})
}

// cards are the newest change and, where that has not come as far as this ring, the one that did.
func cards(book []rollout.Picture, ring int) []Card {
	name := book[0].Rings[ring].Name
	var list []Card
	for i, p := range book {
		at := slices.IndexFunc(p.Rings, func(r rollout.Ring) bool { return r.Name == name })
		if at < 0 {
			continue
		}
		came := p.Rings[at].Phase != rollout.Waiting && p.Rings[at].Phase != rollout.Eligible
		if i == 0 || came {
			list = append(list, card(p, at, i > 0))
		}
		if came {
			break
		}
	}
	return list
}

func card(p rollout.Picture, at int, before bool) Card {
	v := RolloutOf(p)
	c := Card{Ring: v.Rings[at], Counted: p.Tallies != nil, Before: before}
	if c.Ring.Phase == string(rollout.Halted) || c.Ring.Phase == string(rollout.RolledBack) {
		c.Why = lastOf(v.History, c.Ring)
	}
	v.Rings, v.History = nil, nil
	c.Change = v
	return c
}

// lastOf finds how a ring got into its phase.
func lastOf(history []RolloutEvent, ring Ring) *RolloutEvent {
	for _, e := range slices.Backward(history) {
		if e.Ring == ring.Name && e.What == ring.Phase {
			return &e
		}
	}
	return nil
}

// gateWords says what has to be seen in a ring before the next one begins.
func gateWords(s rollout.State, plan policies.Ring) []string {
	share := fmt.Sprintf("%g %% of hosts converged", plan.Gate.Converged)
	if plan.Gate.MinHosts > 1 {
		share += fmt.Sprintf(", at least %d", plan.Gate.MinHosts)
	}
	words := []string{share}
	if soak := s.Soak(plan); soak > 0 {
		words = append(words, Span(soak)+" of soak")
	}
	if plan.Gate.Approval {
		words = append(words, "the approval of a person")
	}
	if plan.Gate.Query != "" {
		words = append(words, "a query that answers well")
	}
	return words
}

// Span says how long something lasts, in its two largest units: "3 h 12 min".
func Span(d time.Duration) string {
	units := []struct {
		name string
		size time.Duration
	}{{"days", 24 * time.Hour}, {"h", time.Hour}, {"min", time.Minute}, {"s", time.Second}}
	for i, u := range units {
		if d < u.size || u.name == "days" && d < 48*time.Hour {
			continue
		}
		text := fmt.Sprintf("%d %s", d/u.size, u.name)
		if rest := d % u.size; i+1 < len(units) && rest >= units[i+1].size {
			text += fmt.Sprintf(" %d %s", rest/units[i+1].size, units[i+1].name)
		}
		return text
	}
	return "0 s"
}

// windows returns the windows that the ring names, as far as anybody knows them: the engine does
// while it works, and a host of the ring keeps those that concern it.
func (r Reader) windows(ctx context.Context, g rollout.Glimpse, plan policies.Ring) ([]calendar.Window, error) {
	known := g.Windows
	lacks := slices.ContainsFunc(plan.Windows, func(name string) bool { return known[name].Name == "" })
	if sample := g.Samples[plan.Name]; lacks && sample != "" {
		p, err := r.HostPlans(ctx, sample)
		if err != nil {
			return nil, err
		}
		for _, w := range p.Windows {
			known[w.Name] = w
		}
	}
	var list []calendar.Window
	for _, name := range plan.Windows {
		w := known[name]
		w.Name = cmp.Or(w.Name, name)
		list = append(list, w)
	}
	return list, nil
}

// open adds when the windows open next.
func (c *Column) open(plan policies.Ring, windows []calendar.Window, now time.Time) error {
	calendar, err := Plans{Windows: windows}.Calendar(now, 0)
	if err != nil {
		return err
	}
	for _, o := range calendar.Openings {
		if !slices.ContainsFunc(c.Openings, func(other Opening) bool { return other.Window == o.Window }) {
			c.Openings = append(c.Openings, o)
		}
	}
	for _, name := range plan.Windows {
		if !slices.ContainsFunc(c.Openings, func(o Opening) bool { return o.Window == name }) {
			c.Lost = append(c.Lost, name)
		}
	}
	return nil
}
