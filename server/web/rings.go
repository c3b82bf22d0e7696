package web

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	"plumb/server/api"
	"plumb/server/views"
)

// ringsPage has each rollout with its rings side by side.
type ringsPage struct {
	frame
	Boards []board
	// Moving is true while something is under way; the page then asks for itself again, unless
	// Still was asked for.
	Moving, Still bool
}

// again is after how many seconds a page that shows something under way is asked for again.
const again = 5

func (s *site) rings(c *api.Call) (any, error) {
	boards, err := s.Read().Boards(c.Request.Context(), s.Rollouts, c.Now)
	if err != nil {
		return nil, err
	}
	p := ringsPage{frame: s.frame(c, "Rings", "/rings"), Still: c.Query("still") != ""}
	for _, b := range boards {
		own := newBoard(b)
		if b.Newest.Cycle > 0 {
			own.Work = s.Read().PatchProgress(b.Name, c.Now)
		}
		p.Boards = append(p.Boards, own)
		p.Moving = p.Moving || b.Moving
	}
	if p.Moving && !p.Still {
		p.Refresh = again
	}
	return s.show("rings", p)
}

// board is a rollout as the page draws it.
type board struct {
	views.Board
	Columns []column
	// Work is what hosts are at right now, by their own word.
	Work []views.PatchProgress
}

type column struct {
	views.Column
	Cards []card
}

// card is a change in a ring.
type card struct {
	views.Card
	// Link is the change record, Hosts the list of the ring's hosts.
	Link, Hosts string
	// Bar is how the hosts of the ring fare.
	Bar []piece
	// Soak is how much of the soak is over; nothing when none is asked for.
	Soak []piece
}

func newBoard(b views.Board) board {
	shown := board{Board: b}
	for _, c := range b.Columns {
		own := column{Column: c}
		for _, one := range c.Cards {
			own.Cards = append(own.Cards, newCard(one))
		}
		shown.Columns = append(shown.Columns, own)
	}
	return shown
}

func newCard(c views.Card) card {
	shown := card{Card: c, Link: changeLink(c.Change)}
	if c.Counted {
		shown.Hosts = "/rings/hosts?" + url.Values{"of": {c.Change.ID}, "ring": {c.Ring.Name}}.Encode()
		shown.Bar = lay([]piece{
			{Mark: "compliant", Words: "converged", Count: c.Ring.Converged},
			{Mark: "error", Words: "failed", Count: c.Ring.Failed},
			{Mark: "pending", Words: "under way", Count: c.Ring.Waiting},
			{Mark: "unknown", Words: "not yet begun", Count: c.Ahead()},
		})
		for i := range shown.Bar {
			shown.Bar[i].Link = shown.Hosts + "&outcome=" + outcomes[shown.Bar[i].Words]
		}
	}
	if c.Ring.Soak > 0 {
		shown.Soak = lay([]piece{{Mark: "compliant", Words: "soaked", Count: c.Ring.Soaked}, {Mark: "unknown", Words: "to soak", Count: c.Ring.Soak - c.Ring.Soaked}})
	}
	return shown
}

// outcomes are the words of a bar and those of views.RingHost.
var outcomes = map[string]string{"converged": "converged", "failed": "failed", "under way": "waiting", "not yet begun": "ahead"}

// changeLink is the change record of a release or of a patch cycle.
func changeLink(v views.Rollout) string {
	if v.Cycle == 0 {
		return "/changes/" + strconv.FormatUint(v.Release, 10)
	}
	return "/changes/" + url.PathEscape(v.Name) + "/" + strconv.FormatUint(v.Cycle, 10)
}

// Soaking tells whether a soak is under way or was.
func (c card) Soaking() bool {
	return c.Ring.Soak > 0 && (c.Ring.Soaked > 0 || c.Ring.Phase == "soaking")
}

// Waits says what the ring waits for, where the soak does not say it already.
func (c card) Waits() string {
	if c.Soaking() && c.Ring.Phase == "soaking" && strings.HasSuffix(c.Ring.Waits, "of soak") {
		return ""
	}
	return c.Ring.Waits
}

// SoakWords says how far the soak is.
func (c card) SoakWords() string {
	whole, over := time.Duration(c.Ring.Soak)*time.Second, time.Duration(c.Ring.Soaked)*time.Second
	if over >= whole {
		return views.Span(whole) + " soaked"
	}
	return views.Span(over) + " of " + views.Span(whole) + " soaked"
}

// ApprovalWanted tells whether a person has to say yes before the gate is passed.
func (c card) ApprovalWanted() bool {
	return c.Ring.Approval && c.Ring.Approved == nil && (c.Ring.Phase == "rolling" || c.Ring.Phase == "soaking")
}

// Stuck tells whether a person has to act.
func (b board) Stuck() bool { return b.Newest.Phase == "halted" || b.Newest.Phase == "rolled_back" }

// First are the first hosts that are at work, More counts the others.
func (b board) First() []views.PatchProgress { return b.Work[:min(len(b.Work), listedShown)] }

func (b board) More() int { return len(b.Work) - len(b.First()) }

// Link is the record of the newest change.
func (b board) Link() string { return changeLink(b.Newest) }
