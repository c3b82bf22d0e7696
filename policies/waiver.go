package policies

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// MaxWaiver is how long an exception lasts at most.
const MaxWaiver = 365 * 24 * time.Hour

// Waiver is an accepted exception: while it holds, what it names is not mended, and a
// difference there is waived.
type Waiver struct {
	Name string `json:"name"`
	// From is when it begins, zero for at once; Expires is the first instant at which it no longer holds.
	From    time.Time `json:"from,omitzero"`
	Expires time.Time `json:"expires"`
	// Effect is audit (measured, not mended) or skip (not even looked at).
	Effect string `json:"effect"`
	// Reason is why; Risk is critical, high, medium, low or empty.
	Reason string `json:"reason"`
	Risk   string `json:"risk,omitempty"`
	// Ticket and ApprovedBy say who agreed, and where that is written.
	Ticket     string   `json:"ticket,omitempty"`
	ApprovedBy []string `json:"approved_by,omitempty"`
	// Controls and Resources are what it is for, as the policy names it.
	Controls  []string `json:"controls,omitempty"`
	Resources []string `json:"resources,omitempty"`
	// AppliesTo is its condition as it is written; empty is every host.
	AppliesTo string `json:"applies_to,omitempty"`
	// Source is where it is declared.
	Source Position `json:"source"`
}

// The effects of a waiver.
const (
	WaiveAudit = "audit"
	WaiveSkip  = "skip"
)

// Holds tells whether the waiver is in force at t.
func (w Waiver) Holds(t time.Time) bool { return !t.Before(w.From) && t.Before(w.Expires) }

// Holding are the exceptions of the catalog that are in force at t, by name.
func (c Catalog) Holding(t time.Time) []Waiver {
	list := []Waiver{}
	for _, name := range slices.Sorted(maps.Keys(c.Waivers)) {
		if w := c.Waivers[name]; w.Holds(t) {
			list = append(list, w)
		}
	}
	return list
}

// TooLong tells whether a waiver that begins at its From, or else now, lasts longer than is allowed.
func (w Waiver) TooLong(now time.Time) bool {
	begin := w.From
	if begin.IsZero() {
		begin = now
	}
	return w.Expires.Sub(begin) > MaxWaiver
}

// String says in words for people what was agreed.
func (w Waiver) String() string {
	text := fmt.Sprintf("waived by %s until %s: %s", w.Name, w.Expires.UTC().Format("2006-01-02 15:04 MST"), w.Reason)
	if w.Ticket != "" {
		text += " (" + w.Ticket + ")"
	}
	if len(w.ApprovedBy) > 0 {
		text += ", approved by " + strings.Join(w.ApprovedBy, ", ")
	}
	return text
}

// Aged returns what is wrong by the clock with waivers that are granted now: one without a From must not
// be longer than the others, and one that is over is of no use.
func Aged(list []Waiver, now time.Time) []Problem {
	var problems []Problem
	for _, w := range list {
		p := Problem{File: w.Source.File, Line: w.Source.Line, Column: 1}
		switch {
		case w.TooLong(now):
			p.Severity, p.Summary = "error", "Waiver too long"
			p.Detail = fmt.Sprintf("The waiver %q ends in more than 365 days. Let it end earlier, and grant it anew then, so that somebody looks at it again.", w.Name)
		case !now.Before(w.Expires):
			p.Severity, p.Summary = "warning", "Waiver is over"
			p.Detail = fmt.Sprintf("The waiver %q ended at %s, so it has no effect. Take the block out.", w.Name, w.Expires.UTC().Format(time.RFC3339))
		default:
			continue
		}
		problems = append(problems, p)
	}
	return problems
}
