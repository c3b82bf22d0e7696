package patching

import (
	"context"

	"plumb/inventory"
	"plumb/policies"
)

// phaseWord is the stage in the words of reports.
func (m *Machine) phaseWord() string {
	if m.phase != "" {
		return m.phase
	}
	switch m.j.Stage {
	case stageBegun, stageAbandon:
		return policies.PhasePreflight
	case stageInstall:
		return policies.PhaseInstall
	case stageRestart:
		return policies.PhaseRestart
	case stageReboot, stageRest:
		return policies.PhaseReboot
	case stageVerify, stageFinish:
		return policies.PhaseVerify
	case stageBack, stageSettle:
		return policies.PhaseRollback
	case stageGone:
		return policies.PhaseRolledBack
	case stageGiveUp, stageFailed:
		return m.j.FailedIn
	case stageDone:
		return policies.PhaseDone
	}
	return policies.PhaseIdle
}

// Patched tells how the cycle fares, as the last Check or Apply left it.
func (m *Machine) Patched() *policies.Patched {
	if m.order == nil && (m.j.Stage.resting() && m.j.Stage != stageRest) {
		return &policies.Patched{Phase: policies.PhaseIdle}
	}
	p := &policies.Patched{Phase: m.phaseWord(), Missing: missing(m.missing)}
	if m.order != nil {
		p.Cycle, p.Set = m.order.Cycle, m.order.Digest
		if m.j.Blocked.Set == m.order.Digest {
			p.Held, p.Left, p.Conffiles = m.j.Blocked.Held, m.j.Blocked.Left, m.j.Blocked.Conffiles
		}
	}
	if !m.j.Stage.resting() || m.j.Stage == stageRest || m.order.Cycle == m.j.Cycle && m.j.Stage != stageIdle {
		m.told(p)
		return p
	}
	m.untouched(p)
	return p
}

// told fills in what the journal has.
func (m *Machine) told(p *policies.Patched) {
	if m.j.Cycle != 0 {
		p.Cycle, p.Set = m.j.Cycle, m.j.Set
	}
	if p.Phase == policies.PhaseDone && (len(m.missing) > 0 || !m.looked) {
		p.Phase = policies.PhaseIdle // a part of the set is still to come
	}
	p.Installed = m.installed()
	p.Conffiles = append(p.Conffiles, m.j.Conffiles...)
	p.Restarted, p.Stale, p.Reboot, p.Probes, p.Kernels = m.j.Restarted, m.j.Stale, m.j.Reboot, m.j.Probes, m.j.Removed
	p.RolledBack, p.Rollback, p.Notes = m.j.Stage == stageGone, m.j.Rollback, m.j.Notes
}

// untouched tells of a host on which the cycle has begun nothing.
func (m *Machine) untouched(p *policies.Patched) {
	switch {
	case m.order.Undo:
		p.Phase, p.RolledBack, p.Rollback = policies.PhaseRolledBack, true, askedFor
	case m.phase != "":
	case m.looked && len(m.missing) == 0:
		p.Phase = policies.PhaseDone
	default:
		p.Phase = policies.PhaseIdle
	}
}

// installed are the packages that the cycle brought and that are still there.
func (m *Machine) installed() []policies.PatchedPackage {
	if m.manager == nil || m.j.Stage == stageGone {
		return nil
	}
	s, err := m.stock(context.Background(), inventory.Offers{})
	if err != nil {
		return nil
	}
	var list []policies.PatchedPackage
	for _, one := range merged(m.j.Earlier, m.j.Moves) {
		if s.version(one.Name, one.Arch) == one.After {
			list = append(list, policies.PatchedPackage{Name: one.Name, Before: one.Before, After: one.After})
		}
	}
	return list
}

// Progress tells how far a cycle is that is under way: its phase and how many packages of how many
// are in. The cycle is 0 when none is. It reads the journal and nothing else, so that it
// may be asked while another machine is at work.
func (m *Machine) Progress() (cycle uint64, phase string, done, total int) {
	if m.sys.State == "" {
		return 0, "", 0, 0
	}
	j, err := m.shelf.load()
	if err != nil || j.Stage.resting() {
		return 0, "", 0, 0
	}
	m.j = j
	for i, step := range j.Steps {
		total += len(step)
		if i < j.Step {
			done += len(step)
		}
	}
	return j.Cycle, m.phaseWord(), done, total
}
