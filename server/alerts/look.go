package alerts

import (
	"context"
	"fmt"
	"strings"
	"time"

	"plumb/server/rollout"
	"plumb/server/store"
)

// Late is a patch_sla with updates that are past their time.
type Late struct {
	Name string
	// Hosts counts them, once for each advisory.
	Hosts int
	// Advisory is the one that is late for the longest time, and Severity that of the worst.
	Advisory, Severity string
}

// view is what one look saw: the conditions, and the kinds that could be looked at.
type view struct {
	seen   []Condition
	looked map[string]bool
}

func (v *view) add(kind, id, subject, severity, detail string) {
	v.seen = append(v.seen, Condition{Key: kind + "/" + id, Kind: kind, Subject: clip(subject, maxTitle), Severity: severity, Detail: clip(detail, maxDetail)})
}

func (v *view) did(kinds ...string) {
	for _, kind := range kinds {
		v.looked[kind] = true
	}
}

// look finds out what is wrong now. The error tells what could not be looked at; what else was
// seen holds all the same.
func (s *Station) look(ctx context.Context, now time.Time) (view, []error) {
	v := view{looked: map[string]bool{}}
	var problems []error
	for _, one := range []func(context.Context, *view, time.Time) error{s.lookAtHosts, s.lookAtTwins, s.lookAtFindings, s.lookAtFlapping, s.lookAtRollouts, s.lookAtFreeze, s.lookAtSLAs} {
		if err := one(ctx, &v, now); err != nil {
			problems = append(problems, err)
		}
	}
	return v, problems
}

func (s *Station) lookAtHosts(ctx context.Context, v *view, _ time.Time) error {
	hosts, err := s.Store.TroubledHosts(ctx)
	if err != nil {
		return err
	}
	v.did(HostSilent, CatalogMismatch, ReleaseRefused)
	for _, h := range hosts {
		if h.Silent {
			v.add(HostSilent, string(h.ID), h.Name, "high", lastSeen(h))
		}
		if h.Mismatch {
			v.add(CatalogMismatch, string(h.ID), h.Name, "critical", fmt.Sprintf("release %d", h.Release))
		}
		if h.Problem != "" {
			v.add(ReleaseRefused, string(h.ID), h.Name, "high", h.Problem)
		}
	}
	return nil
}

// twinFor is how long a twin is an alert after it was told last: it is told each hour while both call.
const twinFor = 24 * time.Hour

func (s *Station) lookAtTwins(ctx context.Context, v *view, now time.Time) error {
	twins, err := s.Store.Twins(ctx, now.Add(-twinFor))
	if err != nil {
		return err
	}
	v.did(HostTwin)
	for _, one := range twins {
		v.add(HostTwin, string(one.ID), one.Name, "critical", "both get no change; revoke it, remove the state folder on one of them and enrol both anew")
	}
	return nil
}

func lastSeen(h store.Troubled) string {
	if h.LastSeen.IsZero() {
		return "it never called"
	}
	return "last seen " + h.LastSeen.UTC().Format(time.RFC3339)
}

// lookAtFindings makes one alert a host of all its severe findings.
func (s *Station) lookAtFindings(ctx context.Context, v *view, _ time.Time) error {
	rows, err := s.Store.SevereFindings(ctx)
	if err != nil {
		return err
	}
	v.did(HostNoncompliant)
	for i := 0; i < len(rows); {
		first, words := rows[i], []string{}
		for ; i < len(rows) && rows[i].ID == first.ID; i++ {
			words = append(words, fmt.Sprintf("%d %s, such as %s", rows[i].Count, rows[i].Severity, rows[i].First))
		}
		// The worst is the first: critical sorts before high.
		v.add(HostNoncompliant, string(first.ID), first.Name, first.Severity, strings.Join(words, "; "))
	}
	return nil
}

// lookAtFlapping makes one alert of each fight, which the host looks at again when its rest is over.
func (s *Station) lookAtFlapping(ctx context.Context, v *view, _ time.Time) error {
	rows, err := s.Store.FlappingFindings(ctx)
	if err != nil {
		return err
	}
	v.did(Flapping)
	for _, one := range rows {
		severity := "medium"
		if reaches(one.Severity, severity) {
			severity = one.Severity
		}
		v.add(Flapping, string(one.ID)+"/"+one.Address, one.Address+" on "+one.Name, severity, one.Flapping.String())
	}
	return nil
}

func (s *Station) lookAtRollouts(_ context.Context, v *view, _ time.Time) error {
	v.did(RolloutHalted, ApprovalPending)
	for _, state := range s.States() {
		if !state.Active() || state.Plan == nil {
			continue
		}
		for i, ring := range state.Rings {
			id := state.ID().String()
			soaked := ring.Phase == rollout.Soaking && ring.Soaked >= state.Soak(state.Plan.Rings[i])
			switch {
			case ring.Phase == rollout.Halted:
				v.add(RolloutHalted, id+"/"+ring.Name, state.Title(), "critical", "in the ring "+ring.Name+reason(state, ring.Name))
			case soaked && state.Plan.Rings[i].Gate.Approval && ring.Approved == nil && !state.Held():
				v.add(ApprovalPending, id+"/"+ring.Name, state.Title(), "medium", "in the ring "+ring.Name)
			}
		}
	}
	return nil
}

// reason is why a ring halted, as its history has it.
func reason(s rollout.State, ring string) string {
	for i := len(s.History) - 1; i >= 0; i-- {
		if e := s.History[i]; e.Ring == ring && e.What == string(rollout.Halted) && e.Why != "" {
			return ": " + e.Why
		}
	}
	return ""
}

func (s *Station) lookAtFreeze(ctx context.Context, v *view, _ time.Time) error {
	act, err := s.Frozen(ctx)
	if err != nil {
		return fmt.Errorf("cannot look whether all is frozen: %w", err)
	}
	v.did(FreezeSet)
	if act != nil {
		v.add(FreezeSet, "all", "all hosts", "low", "by "+act.Who+": "+act.Why)
	}
	return nil
}

// slaEvery is how often updates are judged, which costs more than the other looks.
const slaEvery = time.Minute

func (s *Station) lookAtSLAs(ctx context.Context, v *view, now time.Time) error {
	if age := now.Sub(s.slaSeen); age >= 0 && age < slaEvery {
		return nil
	}
	late, err := s.Overdue(ctx, now)
	if err != nil {
		return fmt.Errorf("cannot look for overdue updates: %w", err)
	}
	s.slaSeen = now
	v.did(PatchOverdue)
	for _, one := range late {
		severity := "medium"
		if reaches(one.Severity, severity) {
			severity = one.Severity
		}
		v.add(PatchOverdue, one.Name, one.Name, severity, fmt.Sprintf("%d answers are missing on hosts, %s for the longest time", one.Hosts, one.Advisory))
	}
	return nil
}
