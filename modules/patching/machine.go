package patching

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"plumb/inventory"
	"plumb/modules/system"
	"plumb/policies"
	"plumb/policies/calendar"
	"plumb/policies/patch"
)

// Machine patches one host. It is made for one call and reads all else from the disk.
type Machine struct {
	spec  Spec
	sys   *system.System
	host  Host
	shelf shelf

	manager system.PackageManager
	order   *patch.Order
	j       journal
	missing []want
	looked  bool   // missing is known
	phase   string // in place of what the journal's stage stands for
}

// New returns the machine of a rollout on a host.
func New(spec Spec, sys *system.System) *Machine {
	m := &Machine{spec: spec, sys: sys, host: realHost{sys}, shelf: shelfOf(sys.State, spec.Rollout)}
	m.shelf.spec = &m.spec
	for i, o := range sys.Orders {
		if o.Rollout == spec.Rollout {
			m.order = &sys.Orders[i]
		}
	}
	return m
}

// waiting is the reason for which a host waits.
type waiting string

func (w waiting) Error() string        { return string(w) }
func (w waiting) Is(target error) bool { return target == ErrWait }

func waits(format string, args ...any) error { return waiting(fmt.Sprintf(format, args...)) }

// open reads the journal and finds the package manager. It is idle when there is nothing to
// look at: no order, and nothing that was begun.
func (m *Machine) open() (idle bool, err error) {
	if m.sys.State == "" {
		if m.order == nil {
			return true, nil
		}
		return false, fmt.Errorf("%w: the agent has no state folder to remember in what it does", ErrUnknown)
	}
	if m.j, err = m.shelf.load(); err != nil {
		return false, err
	}
	if m.j.Lost && m.j.Cycle == 0 && m.order != nil {
		m.j.Cycle, m.j.Set = m.order.Cycle, m.order.Digest
	}
	if m.order == nil && m.j.Stage.ended() {
		return true, nil
	}
	m.manager, err = m.sys.PackageManager()
	if errors.Is(err, system.ErrNoOffers) {
		return false, fmt.Errorf("%w: %w", ErrUnknown, err)
	}
	return false, err
}

// Check lists what is still to come. It wraps [ErrWait] when all of that is held back, and is
// an error when the set failed here.
func (m *Machine) Check(ctx context.Context) ([]policies.Change, error) {
	idle, err := m.open()
	if idle || err != nil {
		return nil, err
	}
	switch {
	case !m.j.Stage.resting():
		return m.underWay(), nil
	case m.order != nil && m.order.Undo && m.j.Lost && m.order.Cycle == m.j.Cycle:
		return nil, errors.New("it cannot be rolled back: the journal was damaged, and the versions before are not known any more")
	case m.order != nil && m.order.Undo && m.order.Cycle == m.j.Cycle:
		return m.undoing(), nil
	case m.order != nil && m.order.Undo: // of a cycle that began nothing here; the one before may have left something
		half, err := m.halfDone(ctx)
		return append(half, m.owed()...), err
	case m.refused():
		return nil, m.verdict()
	}
	changes, err := m.updates(ctx)
	if err != nil {
		return nil, err
	}
	changes = append(changes, m.owed()...)
	if len(changes) == 0 && len(m.missing) > 0 {
		return nil, waits("%s", m.j.Blocked.words())
	}
	return changes, nil
}

// owed is the reboot that a cycle rests before.
func (m *Machine) owed() []policies.Change {
	if m.j.Stage != stageRest {
		return nil
	}
	return []policies.Change{{Attribute: "reboot", Before: "needed: " + words(m.j.RebootDue), After: "rebooted"}}
}

// halfDone lists what an older cycle, or anybody, left half done.
func (m *Machine) halfDone(ctx context.Context) ([]policies.Change, error) {
	broken, err := m.manager.Broken(ctx)
	if err != nil || len(broken) == 0 {
		return nil, err
	}
	return []policies.Change{{Attribute: "packages", Before: "half done: " + words(broken), After: "complete"}}, nil
}

// updates lists the packages to update, without those that are known to be held back.
func (m *Machine) updates(ctx context.Context) ([]policies.Change, error) {
	if m.order == nil || len(m.order.Set.Items) == 0 {
		m.looked = true
		return nil, nil
	}
	offers, key, err := m.offers(ctx)
	if err != nil {
		return nil, err
	}
	s, err := m.stock(ctx, offers)
	if err != nil {
		return nil, err
	}
	if m.missing, err = m.wants(ctx, m.order.Set, s, key); err != nil {
		return nil, err
	}
	m.looked = true
	known := m.j.Blocked
	var changes []policies.Change
	for _, w := range m.missing {
		if known.Key == key && known.Set == m.order.Digest && slices.Contains(known.Targets, w.target) {
			continue
		}
		changes = append(changes, policies.Change{Attribute: w.target.Name, Before: w.before, After: w.target.Version})
	}
	return changes, nil
}

// underWay lists what the journal says is still to be done.
func (m *Machine) underWay() []policies.Change {
	changes := []policies.Change{{Attribute: "cycle", Before: "under way (" + m.phaseWord() + ")", After: "finished"}}
	for i, step := range m.j.Steps {
		for _, t := range step {
			if i >= m.j.Step && m.j.Stage == stageInstall {
				changes = append(changes, policies.Change{Attribute: t.Name, Before: m.before(t), After: t.Version})
			}
		}
	}
	return changes
}

func (m *Machine) before(t system.Target) string {
	for _, one := range m.j.Moves {
		if one.Name == t.Name && one.Arch == t.Arch {
			return one.Before
		}
	}
	return ""
}

// refused tells whether this very cycle failed here before. Only a new cycle, or an undo and
// the word to go on, lets it be tried again.
func (m *Machine) refused() bool {
	failed := m.j.Stage == stageGone && !m.j.Asked || m.j.Stage == stageFailed
	return failed && m.order != nil && m.ours()
}

// ours tells whether the journal is about the order.
func (m *Machine) ours() bool { return m.order.Cycle == m.j.Cycle && m.order.Digest == m.j.Set }

// Apply goes on as far as it may, and returns nil when the cycle is done.
func (m *Machine) Apply(ctx context.Context) error {
	idle, err := m.open()
	if idle || err != nil {
		return err
	}
	finishing := !m.j.Stage.resting()
	if err := m.pass(ctx); err != nil || !finishing || !m.more(ctx) {
		return err
	}
	return m.pass(ctx) // what was finished was an older cycle, or a part of this one
}

func (m *Machine) pass(ctx context.Context) (err error) {
	if m.j.Stage == stageBegun || m.j.Stage == stageAbandon { // a run was cut off before it touched a package
		if err := m.abandon(ctx); err != nil {
			return err
		}
	}
	switch {
	case !m.j.Stage.resting():
		err = m.turn()
	case m.order == nil && m.j.Stage != stageRest:
	case m.order != nil && m.order.Undo:
		err = m.undo(ctx)
	case m.refused():
	case m.j.Stage == stageRest && !m.another(ctx):
	default:
		err = m.start(ctx)
	}
	if err != nil {
		return err
	}
	return m.advance(ctx)
}

// more tells whether the order still wants something of a host that has come to rest.
func (m *Machine) more(ctx context.Context) bool {
	if m.order == nil || m.refused() {
		return false
	}
	if m.order.Undo {
		return len(m.undoing()) > 0
	}
	left, err := m.updates(ctx)
	return err == nil && len(left) > 0
}

// another tells whether a host that waits for a reboot has another cycle to begin meanwhile.
func (m *Machine) another(ctx context.Context) bool {
	if m.order == nil || m.ours() || m.mayBegin(calendar.Package) != "" {
		return false
	}
	changes, err := m.updates(ctx)
	return err == nil && len(changes) > 0
}

// advance goes from stage to stage until one waits or the end is reached.
func (m *Machine) advance(ctx context.Context) error {
	stages := map[stage]func(context.Context) error{
		stageAbandon: m.abandon, stageInstall: m.install, stageRestart: m.restart, stageReboot: m.reboot,
		stageVerify: m.verify, stageRest: m.rest, stageFinish: m.finish, stageBack: m.back, stageSettle: m.settle, stageGiveUp: m.giveUp,
	}
	for {
		do, ok := stages[m.j.Stage]
		if !ok {
			return m.verdict()
		}
		if err := do(ctx); err != nil {
			return err
		}
	}
}

// to goes to a stage; that stands on the disk when it returns.
func (m *Machine) to(s stage) error {
	m.j.Stage, m.j.Tries = s, 0
	return m.shelf.save(&m.j)
}

// mayBegin says why something of a class must not begin now.
func (m *Machine) mayBegin(class string) string {
	if m.sys.Frozen {
		return "changes are frozen"
	}
	return m.mayGoOn(class)
}

// mayGoOn is the same for what is a part of something that was begun: a freeze by the server
// does not leave it half done.
func (m *Machine) mayGoOn(class string) string {
	if m.sys.Permit == nil {
		return ""
	}
	return m.sys.Permit(class)
}

// Presses says why patching must go on now: something was begun and is not to stay half done,
// or the deadline is over.
func (m *Machine) Presses(now time.Time) string {
	idle, err := m.open()
	if idle || err != nil && !errors.Is(err, ErrUnknown) {
		return ""
	}
	if !m.j.Stage.resting() {
		return fmt.Sprintf("patch cycle %d was begun and is to be finished (%s)", m.j.Cycle, m.phaseWord())
	}
	if m.order == nil || m.order.Undo || m.spec.Deadline <= 0 || m.refused() {
		return ""
	}
	due := time.Unix(m.order.Offered, 0).Add(m.spec.Deadline)
	if grace := time.Unix(m.order.Taken, 0).Add(m.spec.Grace); grace.After(due) {
		due = grace
	}
	if now.Before(due) {
		return ""
	}
	return "the deadline of patch cycle " + fmt.Sprint(m.order.Cycle) + " was " + due.UTC().Format("2006-01-02 15:04 MST")
}

// offers are what the package lists have, read again only when something changed.
func (m *Machine) offers(ctx context.Context) (inventory.Offers, string, error) {
	key, err := m.manager.OffersKey()
	if err != nil {
		return inventory.Offers{}, "", fmt.Errorf("cannot tell what is on offer: %w", err)
	}
	if found, ok := m.shelf.loadOffers(m.manager.Name(), key); ok {
		return found, key, nil
	}
	found, err := m.manager.Offers(ctx)
	if err != nil {
		return inventory.Offers{}, "", fmt.Errorf("cannot tell what is on offer: %w", err)
	}
	m.shelf.saveOffers(m.manager.Name(), key, found)
	return found, key, nil
}
