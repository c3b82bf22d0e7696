package web

import (
	"context"
	"net/url"
	"slices"
	"time"

	"plumb/policies/patch"
	"plumb/server/api"
	"plumb/server/views"
)

// patchesPage answers: what happens next, what is on offer, and what is late?
type patchesPage struct {
	frame
	// Seen is when it was counted.
	Seen  time.Time
	Query url.Values
	Offer views.PatchStatus
	SLAs  []sla
	// Bar is what becomes of what is on offer, Choices the same as a filter of the updates.
	Bar     []piece
	Choices []choice
	Updates []update
	// Reboots and Unknown are the first of them.
	Reboots []views.PatchReboot
	Unknown []views.PatchUnknown
	// First and Next are the addresses of those pages; empty where this is one of them.
	First, Next string
}

// patching is what pages about patches are made from.
type patching struct {
	status views.PatchStatus
	slas   []views.PatchSLA
}

// sla is an SLA with the entries that are late, the longest first.
type sla struct {
	views.PatchSLA
	Late []views.PatchSLADue
	// More counts those left out.
	More int
}

// update is an update with the address of its hosts.
type update struct {
	views.PatchUpdate
	Link string
}

const (
	listedShown  = 10
	updatesShown = 100
)

// states are the states of updates in the order in which people look at them.
var states = []struct {
	State patch.State
	Mark  string
}{
	{patch.Approved, "compliant"}, {patch.Waiting, "pending"}, {patch.Held, "paused"}, {patch.Rejected, "noncompliant"},
	{patch.AllowedAsDependency, "repaired"}, {patch.NotApplicable, "unknown"},
}

func (s *site) patching(c *api.Call) (patching, time.Time, error) {
	now, read := c.Now, s.Read()
	return s.patched.of(c.Request.Context(), now, func(ctx context.Context) (p patching, err error) {
		ctx = views.Once(ctx) // the next question looks at the same hosts
		if p.status, p.slas, err = read.Patching(ctx, now); err != nil || s.Nexts == nil {
			return p, err
		}
		p.status.Rollouts, err = s.Nexts(ctx, now)
		return p, err
	})
}

func (s *site) patches(c *api.Call) (any, error) {
	all, seen, err := s.patching(c)
	if err != nil {
		return nil, err
	}
	p := patchesPage{frame: s.frame(c, "Patches", "/patches"), Seen: seen, Query: query(c, "state"), Offer: all.status,
		Reboots: all.status.Reboots[:min(listedShown, len(all.status.Reboots))], Unknown: all.status.Unknown[:min(listedShown, len(all.status.Unknown))]}
	for _, one := range all.slas {
		p.SLAs = append(p.SLAs, newSLA(one))
	}
	p.draw()
	p.list(c.Query("after"))
	return s.show("patches", p)
}

func newSLA(s views.PatchSLA) sla {
	own := sla{PatchSLA: s}
	for _, e := range s.Entries {
		if e.Overdue {
			own.Late = append(own.Late, e)
		}
	}
	if own.More = len(own.Late) - listedShown; own.More > 0 {
		own.Late = own.Late[:listedShown]
	}
	return own
}

// draw makes the bar and the filter of the states.
func (p *patchesPage) draw() {
	chosen := patch.State(p.Query.Get("state"))
	p.Choices = []choice{{"all", p.updates(""), "/patches#updates", chosen == ""}}
	for _, s := range states {
		to := "/patches?" + url.Values{"state": {string(s.State)}}.Encode() + "#updates"
		p.Bar = append(p.Bar, piece{Mark: s.Mark, Words: spaced(s.State), Count: p.Offer.Counts[s.State], Link: to})
		if n := p.updates(s.State); n > 0 {
			p.Choices = append(p.Choices, choice{spaced(s.State), n, to, chosen == s.State})
		}
	}
	p.Bar = lay(p.Bar)
}

func (p *patchesPage) updates(state patch.State) int {
	n := 0
	for _, u := range p.Offer.Updates {
		if state == "" || u.State == state {
			n++
		}
	}
	return n
}

// list picks the updates of one page.
func (p *patchesPage) list(after string) {
	rows := slices.DeleteFunc(slices.Clone(p.Offer.Updates), func(u views.PatchUpdate) bool {
		return p.Query.Has("state") && string(u.State) != p.Query.Get("state")
	})
	from := firstNumber(after, len(rows))
	if from > 0 {
		p.First = link("/patches", p.Query, "") + "#updates"
	}
	rows = rows[from:]
	if len(rows) > updatesShown {
		rows = rows[:updatesShown]
		p.Next = link("/patches", p.Query, decimal(from+updatesShown)) + "#updates"
	}
	for _, u := range rows {
		to := url.Values{"package": {u.Package}, "version": {u.Version}, "state": {string(u.State)}, "baseline": {u.Baseline}}
		p.Updates = append(p.Updates, update{u, "/patches/hosts?" + to.Encode()})
	}
}

// Why says what decided, and what else there is to know.
func (u update) Why() []string {
	var words []string
	if u.Rule != "" {
		words = append(words, u.Rule)
	}
	words = append(words, u.Reason)
	if u.Phased > 0 && u.Phased < 100 {
		words = append(words, "phased "+decimal(u.Phased)+" %")
	}
	if u.PatchUpdate.Held {
		words = append(words, "held on the host")
	}
	if u.Reboot {
		words = append(words, "needs a reboot")
	}
	return words
}
