package patching

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"plumb/modules/system"
	"plumb/policies"
	"plumb/policies/calendar"
)

const (
	lockWait  = 2 * time.Minute
	skew      = time.Hour // clocks of host and server may differ by so much
	maxStarts = 10        // of a cycle that never comes to an installation
	margin    = 64 << 20  // bytes that stay free beside what is counted
)

// start looks at everything before it touches anything, fetches, and begins the cycle.
func (m *Machine) start(ctx context.Context) error {
	if why := m.mayBegin(calendar.Package); why != "" {
		return waits("%s", why)
	}
	m.phase = policies.PhasePreflight
	if err := m.preflight(ctx); err != nil {
		return err
	}
	d, s, err := m.drafted(ctx, nil)
	if err != nil {
		return err
	}
	if len(d.wants) == 0 {
		return m.nothing(ctx, d)
	}
	if err := m.room(d.plan); err != nil {
		return err
	}
	m.phase = policies.PhaseDownload
	if err := m.fetch(ctx, d.plan.Steps); err != nil {
		return err
	}
	if d, s, err = m.conffiles(ctx, d, s); err != nil {
		return err
	}
	if len(d.wants) == 0 {
		return m.nothing(ctx, d)
	}
	m.phase = ""
	return m.begin(ctx, d, s)
}

// preflight wants a clock, the locks and a package database that is whole.
func (m *Machine) preflight(ctx context.Context) error {
	given := time.Unix(max(m.order.Offered, m.order.Taken), 0)
	if m.now().Add(skew).Before(given) {
		return waits("the host's clock says %s, before the patch set was given out at %s", m.now().UTC().Format(time.RFC3339), given.UTC().Format(time.RFC3339))
	}
	if err := m.free(ctx); err != nil {
		return err
	}
	return m.mend(ctx)
}

// free waits for other package managers.
func (m *Machine) free(ctx context.Context) error {
	err := m.manager.Busy(ctx, lockWait)
	if errors.Is(err, system.ErrBusy) {
		return waits("%v", err)
	}
	return err
}

// mend finishes what an interrupted run of anybody left half done.
func (m *Machine) mend(ctx context.Context) error {
	broken, err := m.manager.Broken(ctx)
	if err != nil || len(broken) == 0 {
		return err
	}
	said := m.manager.Mend(context.WithoutCancel(ctx))
	if errors.Is(said, system.ErrBusy) {
		return waits("%v", said)
	}
	left, err := m.manager.Broken(ctx)
	if err != nil || len(left) == 0 {
		return err
	}
	if said == nil {
		said = errors.New("it reports no error")
	}
	return fmt.Errorf("cannot mend %s, which an interrupted installation left half done: %w", words(left), said)
}

// drafted plans what is wanted, without some packages. Where versions are wanted that nothing has
// here, the package lists may be old: they are fetched, and all of it is looked at anew.
func (m *Machine) drafted(ctx context.Context, without []policies.Conffile) (*draft, stock, error) {
	d, s, err := m.draft(ctx, without, false)
	if !errors.Is(err, errOldLists) {
		return d, s, err
	}
	if err := m.manager.Update(ctx); err != nil {
		return nil, s, waits("the package lists cannot be fetched: %v", err)
	}
	return m.draft(ctx, without, true)
}

func (m *Machine) draft(ctx context.Context, without []policies.Conffile, updated bool) (*draft, stock, error) {
	offers, key, err := m.offers(ctx)
	if err != nil {
		return nil, stock{}, err
	}
	s, err := m.stock(ctx, offers)
	if err != nil {
		return nil, stock{}, err
	}
	d := &draft{updated: updated}
	if d.wants, err = m.wants(ctx, m.order.Set, s, key); err != nil {
		return nil, s, err
	}
	d.blocked.Conffiles = without
	for _, c := range without {
		d.hold(c.Package, []string{"its new version brings another " + c.Path + ", which was changed on the host"})
	}
	if err := m.plan(ctx, s, d); err != nil {
		return nil, s, err
	}
	return d, s, nil
}

// nothing remembers what keeps every update out. An update that is not wanted any more is none.
func (m *Machine) nothing(ctx context.Context, d *draft) error {
	if len(d.blocked.Targets) == 0 {
		return nil
	}
	if err := m.block(d.blocked); err != nil {
		return err
	}
	return waits("%s", d.blocked.words())
}

// block remembers what is kept out until the package lists or the database change.
func (m *Machine) block(b blocked) error {
	key, err := m.manager.OffersKey()
	if err != nil {
		return fmt.Errorf("cannot tell what is on offer: %w", err)
	}
	b.Key, b.Set = key, m.order.Digest
	m.j.Blocked = b
	return m.shelf.save(&m.j)
}

// room wants what the policy asks for to be free, and beside it what the plan takes: downloads
// below /var, files below /usr, each with a tenth more.
func (m *Machine) room(plan system.PatchPlan) error {
	need, path := map[string]int64{}, map[string]string{}
	free := map[string]int64{}
	add := func(at string, bytes int64, atLeast bool) error {
		volume, left, err := m.host.Free(at)
		if err != nil {
			return err
		}
		if atLeast {
			need[volume] = max(need[volume], bytes)
		} else {
			need[volume] += bytes + bytes/10
		}
		free[volume] = left
		path[volume] = strings.TrimPrefix(path[volume]+" and "+at, " and ")
		return nil
	}
	for _, at := range slices.Sorted(maps.Keys(m.spec.MinFree)) {
		if err := add(at, m.spec.MinFree[at], true); err != nil {
			return err
		}
	}
	if err := errors.Join(add("/var", plan.Download+margin, false), add("/usr", max(plan.Disk, 0), false)); err != nil {
		return err
	}
	for _, volume := range slices.Sorted(maps.Keys(need)) {
		if free[volume] < need[volume] {
			return fmt.Errorf("there is not enough room on %s: %d MiB are free, and %d MiB are needed", path[volume], free[volume]>>20, need[volume]>>20+1)
		}
	}
	return nil
}

// fetch downloads all steps, so that nothing has to be fetched once the first one has begun.
func (m *Machine) fetch(ctx context.Context, steps [][]system.Target) error {
	if err := m.manager.FetchPatch(ctx, slices.Concat(steps...)); err != nil {
		return waits("cannot fetch the updates: %v", err)
	}
	return nil
}

// conffiles asks which configuration files would be in question. Where the policy says hold,
// their packages stay as they are, and the rest is planned anew.
func (m *Machine) conffiles(ctx context.Context, d *draft, s stock) (*draft, stock, error) {
	m.j.Conffiles = nil
	found, err := m.manager.Conffiles(ctx, slices.Concat(d.plan.Steps...))
	if err != nil {
		return nil, s, fmt.Errorf("cannot tell which configuration files the updates change: %w", err)
	}
	for i := range found {
		found[i].Policy = m.spec.Conffiles
	}
	if m.spec.Conffiles != "hold" || len(found) == 0 {
		m.j.Conffiles = found
		return d, s, nil
	}
	d, s, err = m.drafted(ctx, found)
	if err != nil || len(d.wants) == 0 {
		return d, s, err
	}
	for _, t := range slices.Concat(d.plan.Steps...) {
		for _, c := range found {
			if c.Package == t.Name { // another update draws it in
				for _, w := range slices.Clone(d.wants) {
					d.hold(w.target.Name, []string{"it needs " + c.Package, "whose new version brings another " + c.Path})
				}
			}
		}
	}
	return d, s, nil
}

// begin writes down what is going to happen, and brings the host to where packages may be touched.
func (m *Machine) begin(ctx context.Context, d *draft, s stock) error {
	if why := m.mayBegin(calendar.Package); why != "" { // to fetch may have taken hours
		return waits("%s", why)
	}
	next, err := m.opened(ctx, d, s)
	if err != nil {
		return err
	}
	m.j = next
	if m.j.Starts > maxStarts {
		return m.fail(policies.PhasePreflight, fmt.Sprintf("it was begun %d times and never came to an installation", maxStarts))
	}
	m.wayBack(ctx)
	if err := m.to(stageBegun); err != nil {
		return err
	}
	if err := m.prepare(ctx); err != nil {
		m.j.Failure, m.j.FailedIn = err.Error(), policies.PhasePreflight
		return m.to(stageAbandon)
	}
	return m.to(stageInstall)
}

// opened is the journal of a cycle that begins. What the same cycle brought before stays in it, and that the host
// is still out of service since an older one.
func (m *Machine) opened(ctx context.Context, d *draft, s stock) (journal, error) {
	next := journal{Seq: m.j.Seq, Rollout: m.j.Rollout, Cycle: m.order.Cycle, Set: m.order.Digest, Starts: 1,
		Drained: m.j.Drained, Steps: d.plan.Steps, Blocked: d.blocked, Conffiles: m.j.Conffiles}
	next.Blocked.Set = m.order.Digest
	if m.ours() {
		next.Earlier, next.Starts = merged(m.j.Earlier, m.j.Moves), m.j.Starts+1
		next.Lost, next.Notes = m.j.Lost, m.j.Notes
	}
	for _, t := range slices.Concat(d.plan.Steps...) {
		next.Moves = append(next.Moves, move{Name: t.Name, Arch: t.Arch, Before: s.version(t.Name, t.Arch), After: t.Version})
	}
	for _, t := range d.plan.Added {
		next.Notes = append(next.Notes, fmt.Sprintf("%s %s is new: something needs it", t.Name, t.Version))
	}
	var err error
	if next.FailedBefore, err = m.host.FailedUnits(ctx); err != nil {
		return next, fmt.Errorf("cannot tell which units have failed already: %w", err)
	}
	if next.Boot, err = m.host.BootID(); err != nil {
		return next, err
	}
	next.Kernel, err = m.newestKernel(ctx)
	return next, err
}

// wayBack fetches the versions that are there now, as long as nothing depends on it. That one
// cannot be had any more is said and does not stop an update.
func (m *Machine) wayBack(ctx context.Context) {
	if m.spec.Rollback == "none" || m.manager.FetchPatch(ctx, before(m.j.Moves)) == nil {
		return
	}
	var lost []system.Target
	for _, t := range before(m.j.Moves) {
		if err := m.manager.FetchPatch(ctx, []system.Target{t}); err != nil {
			lost = append(lost, t)
		}
	}
	if len(lost) > 0 {
		m.note("there may be no way back to " + names(lost) + ": they cannot be fetched any more")
	}
}

// prepare runs the hooks that come before the first package. Each stands in the journal first.
func (m *Machine) prepare(ctx context.Context) error {
	hooks := m.hooks()
	if err := m.hook(ctx, "before", hooks.Before); err != nil {
		return err
	}
	if err := m.drain(ctx); err != nil {
		return err
	}
	if m.spec.Rollback != "snapshot" || len(hooks.Snapshot) == 0 {
		return nil
	}
	m.j.Snapshot = "begun"
	if err := m.shelf.save(&m.j); err != nil {
		return err
	}
	if err := m.hook(ctx, "snapshot", hooks.Snapshot); err != nil {
		return err
	}
	m.j.Snapshot = "taken"
	return nil
}

// drain runs anew when it is not known how an earlier call of the hook ended.
func (m *Machine) drain(ctx context.Context) error {
	if len(m.hooks().Drain) == 0 {
		return nil
	}
	m.j.Drained = true
	if err := m.shelf.save(&m.j); err != nil {
		return err
	}
	return m.hook(ctx, "drain", m.hooks().Drain)
}

func (m *Machine) hooks() policies.Hooks {
	if m.spec.Hooks == nil {
		return policies.Hooks{}
	}
	return *m.spec.Hooks
}

// hook runs a command of the policy, if there is one.
func (m *Machine) hook(ctx context.Context, name string, argv []string) error {
	if len(argv) == 0 {
		return nil
	}
	if err := m.host.Hook(ctx, argv); err != nil {
		return fmt.Errorf("the hook %s failed: %w", name, err)
	}
	return nil
}
