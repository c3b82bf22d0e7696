package patching

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"plumb/inventory"
	"plumb/modules/system"
	"plumb/policies"
	"plumb/policies/calendar"
)

// askedFor is what is said of a way back that a person wanted.
const askedFor = "rolled back as asked"

// fail turns the host round: from now on it goes back, or stays as it is where that is not wanted.
func (m *Machine) fail(phase, why string) error {
	m.j.Failure, m.j.FailedIn = why, phase
	switch {
	case m.spec.Rollback == "none":
		m.j.Rollback = "nothing was brought back, as the rollout says"
		return m.to(stageGiveUp)
	case len(m.j.Moves) == 0 && m.j.Snapshot == "":
		m.j.Rollback = "it is not known what to go back to"
		return m.to(stageGiveUp)
	}
	return m.to(stageBack)
}

// turn lets a person's undo turn a host round that is under way.
func (m *Machine) turn() error {
	if m.order == nil || !m.order.Undo || m.order.Cycle != m.j.Cycle || m.j.Asked {
		return nil
	}
	m.j.Asked = true
	switch m.j.Stage {
	case stageBack, stageSettle, stageGiveUp:
		return m.shelf.save(&m.j)
	}
	m.j.Moves, m.j.Earlier = merged(m.j.Earlier, m.j.Moves), nil
	return m.to(stageBack)
}

// undo begins the way back of a host at rest, because a person asked for it.
func (m *Machine) undo(ctx context.Context) error {
	if m.order.Cycle != m.j.Cycle {
		return m.tidy(ctx)
	}
	moves := merged(m.j.Earlier, m.j.Moves)
	if len(moves) == 0 || m.j.Stage == stageGone && m.j.Asked {
		return nil
	}
	if m.j.Stage == stageGone { // it went back by itself already
		m.j.Asked, m.j.Rollback = true, askedFor
		return m.shelf.save(&m.j)
	}
	if why := m.mayBegin(calendar.Package); why != "" {
		return waits("%s", why)
	}
	m.j.Moves, m.j.Earlier, m.j.Asked = moves, nil, true
	return m.to(stageBack)
}

// tidy is the undo of a cycle that began nothing here: it leaves nothing half done that the one before
// could not bring to its end.
func (m *Machine) tidy(ctx context.Context) error {
	half, err := m.halfDone(ctx)
	if err != nil || len(half) == 0 {
		return err
	}
	if why := m.mayBegin(calendar.Package); why != "" {
		return waits("%s", why)
	}
	return m.mend(ctx)
}

// undoing lists what an undo is to bring back.
func (m *Machine) undoing() []policies.Change {
	moves := merged(m.j.Earlier, m.j.Moves)
	if m.order.Cycle != m.j.Cycle || len(moves) == 0 || m.j.Stage == stageGone && m.j.Asked {
		return nil
	}
	changes := []policies.Change{{Attribute: "cycle", Before: m.phaseWord(), After: askedFor}}
	for _, one := range moves {
		if one.Before != "" && m.j.Stage != stageGone {
			changes = append(changes, policies.Change{Attribute: one.Name, Before: one.After, After: one.Before})
		}
	}
	return changes
}

// merged is what two attempts of one cycle did together: from before the first to after the last.
func merged(earlier, later []move) []move {
	list := slices.Clone(earlier)
	for _, one := range later {
		at := slices.IndexFunc(list, func(o move) bool { return o.Name == one.Name && o.Arch == one.Arch })
		if at < 0 {
			list = append(list, one)
			continue
		}
		list[at].After = one.After
	}
	return list
}

// before lists the versions before; a package that was not there has none.
func before(moves []move) []system.Target {
	var list []system.Target
	for _, one := range moves {
		if one.Before != "" {
			list = append(list, system.Target{Name: one.Name, Arch: one.Arch, Version: one.Before})
		}
	}
	return list
}

// lacking is what has to come back: the version before is not there, and what is there is ours
// or nothing. What somebody else has installed meanwhile stays.
func (m *Machine) lacking(s stock) []system.Target {
	var list []system.Target
	for _, one := range m.j.Moves {
		old := system.Target{Name: one.Name, Arch: one.Arch, Version: one.Before}
		ours := s.version(one.Name, one.Arch)
		if one.Before != "" && !s.has(old) && (ours == "" || ours == one.After) {
			list = append(list, old)
		}
	}
	return list
}

// back brings back what was there before: by the snapshot, else package by package.
func (m *Machine) back(ctx context.Context) error {
	if m.j.Snapshot == "taken" && len(m.hooks().Restore) > 0 {
		if done, err := m.restore(ctx); done || err != nil {
			return err
		}
	}
	if err := m.free(ctx); err != nil {
		return err
	}
	mended := m.mend(ctx)
	if errors.Is(mended, ErrWait) {
		return mended
	}
	s, err := m.stock(ctx, inventory.Offers{})
	if err != nil {
		return err
	}
	list := m.lacking(s)
	if len(list) == 0 && mended == nil {
		return m.to(stageSettle)
	}
	if len(list) == 0 && m.j.Tries > 0 {
		m.j.Rollback = fmt.Sprintf("the versions before are back, but %v", mended)
		return m.to(stageGiveUp)
	}
	if !m.j.Drained { // an undo may find the host in service
		if err := m.drain(ctx); err != nil {
			m.note(err.Error())
		}
	}
	if m.j.Tries >= maxTries {
		m.j.Rollback = "the way back was begun many times and never ended"
		return m.to(stageGiveUp)
	}
	m.j.Tries++
	if err := m.shelf.save(&m.j); err != nil {
		return err
	}
	return m.bringBack(ctx, list)
}

// bringBack installs the versions before in one go, and where that fails one by one.
func (m *Machine) bringBack(ctx context.Context, list []system.Target) error {
	_ = m.manager.FetchPatch(ctx, list) // they were fetched before the update; what is missing fails below
	said := m.put(ctx, list)
	if said == nil || errors.Is(said, ErrWait) {
		return said
	}
	lost := list
	for range 2 { // what is broken may be in the way of what comes before it
		left := lost[:0:0]
		for _, t := range lost {
			err := m.put(ctx, []system.Target{t})
			if errors.Is(err, ErrWait) {
				return err
			}
			s, unread := m.stock(ctx, inventory.Offers{})
			if err != nil && (unread != nil || !s.has(t)) {
				left = append(left, t)
			}
		}
		if lost = left; len(lost) == 0 {
			return nil
		}
	}
	m.j.Rollback = fmt.Sprintf("cannot bring back %s: %v", names(lost), said)
	return m.to(stageGiveUp)
}

// restore goes back to the snapshot. Where that fails, packages are brought back instead.
func (m *Machine) restore(ctx context.Context) (done bool, err error) {
	if err := m.hook(ctx, "restore", m.hooks().Restore); err != nil {
		m.note(err.Error())
		m.j.Snapshot = "failed"
		return false, m.shelf.save(&m.j)
	}
	m.j.Snapshot = "restored"
	return true, m.to(stageSettle)
}

// settle puts the host into service with what was before, and says how it fares with it.
func (m *Machine) settle(ctx context.Context) error {
	after, err := m.aftermath(ctx)
	if err != nil {
		return err
	}
	said := "the versions before are back"
	if m.j.Asked {
		said = askedFor
	}
	if why := m.restartServices(ctx, fresh(after.Services, &m.j)); why != "" {
		said += ", but " + why
	}
	failed, err := m.newlyFailed(ctx)
	if err != nil {
		return err
	}
	bad := m.askAll(ctx)
	if ctx.Err() != nil {
		return waits("the host is looked at by the next run: %v", context.Cause(ctx))
	}
	if len(failed)+len(bad) > 0 {
		said += ", but still fail: " + words(slices.Concat(failed, bad))
	}
	m.j.Reboot, m.j.RebootDue, m.j.Rollback = after.Reboot, nil, said
	if err := m.undrain(ctx); err != nil {
		return err
	}
	if m.j.Snapshot == "taken" {
		m.discard(ctx)
	}
	return m.to(stageGone)
}

// fresh lets services be restarted once more that were restarted on the way there.
func fresh(services []string, j *journal) []string {
	j.Restarted = nil
	return services
}

// giveUp puts the host back into service as it is.
func (m *Machine) giveUp(ctx context.Context) error {
	if err := m.undrain(ctx); err != nil {
		return err
	}
	return m.to(stageFailed)
}

// abandon takes back what the hooks before did. No package was touched.
func (m *Machine) abandon(ctx context.Context) error {
	if err := m.undrain(ctx); err != nil {
		return err
	}
	m.discard(ctx)
	m.j.Steps, m.j.Step, m.j.Moves, m.j.Earlier = nil, 0, m.j.Earlier, nil
	switch {
	case m.j.Failure != "":
		m.j.Rollback = "no package was touched"
		return m.to(stageFailed)
	case len(m.j.Moves) > 0:
		return m.to(stageDone)
	}
	return m.to(stageIdle)
}

// verdict is what a host at rest has to say of its order. What an older cycle left is history.
func (m *Machine) verdict() error {
	if m.order != nil && !m.ours() {
		return nil
	}
	switch m.j.Stage {
	case stageGone:
		if m.j.Asked {
			return nil
		}
	case stageFailed:
	default:
		if m.j.Waits != "" {
			return waits("%s", m.j.Waits)
		}
		return nil
	}
	return fmt.Errorf("patch cycle %d failed here: %s; %s", m.j.Cycle, m.j.Failure, m.j.Rollback)
}
