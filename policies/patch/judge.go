package patch

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"plumb/inventory"
)

// State is what a baseline says of an offer.
type State string

// The states, the strongest first: a reject wins over an approval.
const (
	Rejected            State = "rejected"
	AllowedAsDependency State = "allowed_as_dependency"
	Held                State = "held" // a rule is about it, and somebody on the host keeps the version
	Approved            State = "approved"
	Waiting             State = "waiting"
	NotApplicable       State = "not_applicable"
)

// Verdict is a baseline's answer about one offer.
type Verdict struct {
	State State `json:"state"`
	// Rule says what decided: rule 2, reject 1, approved list. Rules count from 1.
	Rule string `json:"rule,omitempty"`
	// Until is when a waiting offer is approved, or when a reject ends; zero when that is not known.
	Until time.Time `json:"until,omitzero"`
	// Level is the compliance level of the rule.
	Level string `json:"level,omitempty"`
	// Reason says it in words.
	Reason string `json:"reason"`
}

// Judge says what the baseline makes of an offer whose version was first seen at firstSeen
// (zero: not seen yet) and which answers these advisories.
//
// What the host's administrator holds is Held where it would be approved or wait. A version that
// its repository lets out step by step waits until it is for everybody: a set goes to all hosts,
// and which of them the repository means is for each of them to know. The approved list passes that.
func Judge(b Baseline, o inventory.Offer, firstSeen time.Time, advisories []Advisory, now time.Time) Verdict {
	if v, ok := b.reject(o, now); ok {
		return v
	}
	v := b.judge(o, firstSeen, advisories, now)
	if o.Held && (v.State == Approved || v.State == Waiting) {
		v.State, v.Until, v.Reason = Held, time.Time{}, "held on the host by its administrator"
	}
	return v
}

func (b Baseline) judge(o inventory.Offer, firstSeen time.Time, advisories []Advisory, now time.Time) Verdict {
	if names(b.Approved, o) {
		return Verdict{State: Approved, Rule: "approved list", Level: b.ApprovedLevel, Reason: "the baseline names the package"}
	}
	if !b.about(o) {
		return Verdict{State: NotApplicable, Reason: "the baseline is not about this repository"}
	}
	v := b.approve(o, firstSeen, advisories, now)
	if o.Phased > 0 && o.Phased < 100 && (v.State == Approved || v.State == Waiting) {
		v.State, v.Until, v.Reason = Waiting, time.Time{}, fmt.Sprintf("phased %d %%: not for everybody yet", o.Phased)
	}
	return v
}

func (b Baseline) about(o inventory.Offer) bool {
	return slices.ContainsFunc(b.Sources, func(s Source) bool { return s.Matches(o) })
}

// reject finds the reject that is in force; of several the one that blocks.
func (b Baseline) reject(o inventory.Offer, now time.Time) (Verdict, bool) {
	var found *Verdict
	for i, r := range b.Rejects {
		if !r.holds(now) || !names(r.Packages, o) {
			continue
		}
		v := Verdict{State: Rejected, Rule: fmt.Sprintf("reject %d", i+1), Until: r.Expires, Reason: r.Reason}
		if r.Action == AllowAsDependency {
			v.State = AllowedAsDependency
		}
		if found == nil || found.State == AllowedAsDependency && v.State == Rejected {
			found = &v
		}
	}
	if found == nil {
		return Verdict{}, false
	}
	return *found, true
}

// approve takes the first rule that approves now, else the one that will do so first.
func (b Baseline) approve(o inventory.Offer, firstSeen time.Time, advisories []Advisory, now time.Time) Verdict {
	best := Verdict{State: NotApplicable, Reason: "no rule of the baseline approves such an update"}
	for i, r := range b.Rules {
		if !r.covers(o, advisories) {
			continue
		}
		v, ok := r.verdict(firstSeen, now)
		v.Rule, v.Level = fmt.Sprintf("rule %d", i+1), r.Level
		if ok && v.State == Approved {
			return v
		}
		if ok && (best.State != Waiting || v.Until.Before(best.Until)) {
			best = v
		}
	}
	return best
}

func (r Rule) covers(o inventory.Offer, advisories []Advisory) bool {
	if len(r.Packages) > 0 && !names(r.Packages, o) {
		return false
	}
	if len(r.Severity) > 0 && !slices.Contains(r.Severity, Worst(advisories)) {
		return false
	}
	return len(r.Classification) == 0 || slices.ContainsFunc(Classes(o, advisories), func(class string) bool {
		return slices.Contains(r.Classification, class)
	})
}

// verdict is what a rule says by age alone; it is not ok when the rule will never approve.
func (r Rule) verdict(firstSeen, now time.Time) (v Verdict, ok bool) {
	if firstSeen.IsZero() {
		return Verdict{State: Waiting, Reason: "it is not known yet how old the version is"}, true
	}
	if !r.SeenUntil.IsZero() {
		return Verdict{State: Approved, Reason: "first seen in time"}, !firstSeen.After(r.SeenUntil)
	}
	due := firstSeen.Add(time.Duration(r.After) * time.Second)
	if now.Before(due) {
		return Verdict{State: Waiting, Until: due, Reason: "first seen " + day(firstSeen) + ", approved after " + span(r.After)}, true
	}
	return Verdict{State: Approved, Reason: "first seen " + day(firstSeen)}, true
}

func day(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") }

// span says seconds in the largest whole unit.
func span(seconds int) string {
	switch {
	case seconds%86400 == 0:
		return fmt.Sprintf("%d d", seconds/86400)
	case seconds%3600 == 0:
		return fmt.Sprintf("%d h", seconds/3600)
	}
	return (time.Duration(seconds) * time.Second).String()
}

// isKernel goes by the source package.
func isKernel(source string) bool {
	return source == "linux" || strings.HasPrefix(source, "linux-signed") || strings.HasPrefix(source, "linux-meta") || strings.HasPrefix(source, "linux-latest")
}
