package rollout

import (
	"fmt"
	"strings"

	"plumb/inventory"
)

// Refusal is why a person's act is not possible, and what is.
type Refusal struct{ Text, Hint string }

func (r *Refusal) Error() string { return r.Text }

func refuse(hint, format string, args ...any) error {
	return &Refusal{Text: fmt.Sprintf(format, args...), Hint: hint}
}

// Check refuses an act without a name or a reason: somebody has to answer for it.
func (a Act) Check() error {
	if strings.TrimSpace(a.Who) == "" {
		return refuse("use a token with a name", "the act needs the name of a person")
	}
	if strings.TrimSpace(a.Why) == "" {
		return refuse("add --reason with why you do it", "the act needs a reason")
	}
	return nil
}

func (s State) open(act Act) error {
	if err := act.Check(); err != nil {
		return err
	}
	switch {
	case s.Plan == nil:
		return refuse("declare a rollout block to take releases through rings", "%s has no rollout: all hosts got it at once", s.Title())
	case s.Superseded > 0:
		return refuse("act on "+s.successor(), "%s took the place of %s", s.successor(), s.Title())
	case s.Withdrawn != nil:
		return refuse("the next cycle begins when something is approved for its rollout", "policy ended %s: %s", s.Title(), s.Withdrawn.Why)
	case !s.Done.IsZero():
		return refuse(s.mend(), "%s has passed all of its rings", s.Title())
	}
	return nil
}

// successor names what took its place.
func (s State) successor() string {
	return State{Rollout: s.Rollout, Release: s.Superseded}.Title()
}

// mend is what helps when it is too late for it.
func (s State) mend() string {
	if s.Rollout == "" {
		return "push a commit that mends it"
	}
	return fmt.Sprintf("`plumb patch set new %s` begins another cycle", s.Rollout)
}

// Pause holds the rollout back until it is resumed.
func (s State) Pause(act Act) (State, error) {
	if err := s.open(act); err != nil {
		return s, err
	}
	if s.Paused != nil {
		return s, refuse("", "%s is paused already, by %s", s.Title(), s.Paused.Who)
	}
	s = s.clone()
	s.Paused = &act
	s.note(Entry{At: act.At, What: "paused", Who: act.Who, Why: act.Why})
	return s, nil
}

// Resume ends a pause and lifts a halt. The failures of now are forgiven then: only further
// ones count, so that the ring does not halt again for what the person has seen.
func (s State) Resume(act Act, members Members, hosts map[inventory.HostID]Host) (State, error) {
	if err := s.open(act); err != nil {
		return s, err
	}
	s = s.clone()
	resumed := s.Paused != nil
	s.Paused = nil
	for i := range s.Rings {
		if r := &s.Rings[i]; r.Phase == Halted {
			t := s.Survey(*r, members[r.Name], hosts)
			r.Forgiven = append(append([]inventory.HostID{}, r.Forgiven...), t.Culprits...)
			r.Soaked, resumed = 0, true
			s.turn(r, Rolling, act)
		}
	}
	if !resumed {
		return s, refuse("`plumb rollout show` tells what it waits for", "%s is neither paused nor halted", s.Title())
	}
	s.note(Entry{At: act.At, What: "resumed", Who: act.Who, Why: act.Why})
	return s, nil
}

// Promote is a person's word for a ring. Where the gate asks for approval it is that; else, or
// when approval was given already, the ring passes at once, whatever else is missing.
func (s State) Promote(ring string, act Act) (State, error) {
	if err := s.open(act); err != nil {
		return s, err
	}
	s = s.clone()
	for i := range s.Rings {
		r := &s.Rings[i]
		if r.Name != ring && r.Phase == Passed {
			continue
		}
		if r.Name != ring {
			return s, refuse("promote "+r.Name+" first", "the ring %s waits for the ring %s, which is %s", ring, r.Name, words(r.Phase))
		}
		return s, s.promote(i, act)
	}
	return s, refuse("`plumb rollout show` lists its rings", "the rollout of %s has no ring %q", s.Title(), ring)
}

func (s *State) promote(i int, act Act) error {
	r := &s.Rings[i]
	switch {
	case r.Phase == Passed:
		return refuse("", "the ring %s has passed already", r.Name)
	case r.Phase == RolledBack:
		return refuse(s.mend(), "the ring %s was rolled back", r.Name)
	case s.Plan.Rings[i].Gate.Approval && r.Approved == nil && r.Phase != Halted:
		r.Approved = &act
		s.note(Entry{At: act.At, Ring: r.Name, What: "approved", Who: act.Who, Why: act.Why})
		return nil
	}
	s.turn(r, Passed, act)
	return nil
}

// Rollback gives the hosts of a ring the release before again, where that may take its place, or
// lets them undo the patch cycle.
// Without the name of a ring it is the one that is under way or halted.
func (s State) Rollback(ring string, act Act) (State, error) {
	if err := s.open(act); err != nil {
		return s, err
	}
	s = s.clone()
	for i := range s.Rings {
		r := &s.Rings[i]
		begun := r.Phase != Waiting && r.Phase != Eligible && r.Phase != RolledBack
		if begun && (r.Name == ring || ring == "" && r.Phase != Passed) {
			s.turn(r, RolledBack, act)
			return s, nil
		}
	}
	if ring != "" && s.ring(ring) == nil {
		return s, refuse("`plumb rollout show` lists its rings", "the rollout of %s has no ring %q", s.Title(), ring)
	}
	return s, refuse("name a ring that has begun", "there is nothing to roll back in %s", s.Title())
}

// words is a phase as people read it.
func words(p Phase) string { return strings.ReplaceAll(string(p), "_", " ") }
