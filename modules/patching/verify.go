package patching

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"plumb/inventory"
	"plumb/modules/system"
	"plumb/policies"
)

// verify looks at what the cycle left: versions, units, probes, the kernel.
func (m *Machine) verify(ctx context.Context) error {
	if m.j.Rebooted {
		m.host.Booted(ctx)
	}
	why, err := m.trouble(ctx)
	if err != nil {
		return err
	}
	if ctx.Err() != nil { // whatever failed may have failed for that
		return waits("the host is looked at by the next run: %v", context.Cause(ctx))
	}
	if why != "" {
		return m.fail(policies.PhaseVerify, why)
	}
	if len(m.j.RebootDue) == 0 {
		return m.to(stageFinish)
	}
	return m.to(stageRest)
}

// trouble says what is not as it must be.
func (m *Machine) trouble(ctx context.Context) (string, error) {
	s, err := m.stock(ctx, inventory.Offers{})
	if err != nil {
		return "", err
	}
	for _, t := range slices.Concat(m.j.Steps[:m.j.Step]...) {
		if !s.has(t) {
			return fmt.Sprintf("%s is at %s and not at %s", t.Name, s.version(t.Name, t.Arch), t.Version), nil
		}
	}
	failed, err := m.newlyFailed(ctx)
	if err != nil {
		return "", err
	}
	m.j.Probes = m.askAll(ctx)
	kernel, err := m.wrongKernel(ctx)
	if err != nil {
		return "", err
	}
	var parts []string
	if len(failed) > 0 {
		parts = append(parts, "units have failed since: "+words(failed))
	}
	if len(m.j.Probes) > 0 {
		parts = append(parts, "probes fail: "+words(m.j.Probes))
	}
	if kernel != "" {
		parts = append(parts, kernel)
	}
	return strings.Join(parts, "; "), nil
}

// newlyFailed lists units that have failed and had not before.
func (m *Machine) newlyFailed(ctx context.Context) ([]string, error) {
	now, err := m.host.FailedUnits(ctx)
	if err != nil {
		return nil, fmt.Errorf("cannot tell which units have failed: %w", err)
	}
	return slices.DeleteFunc(slices.Clone(now), func(unit string) bool { return slices.Contains(m.j.FailedBefore, unit) }), nil
}

func (m *Machine) newestKernel(ctx context.Context) (string, error) {
	list, err := m.manager.Kernels(ctx)
	if err != nil {
		return "", fmt.Errorf("cannot list the kernels: %w", err)
	}
	for _, k := range list {
		if k.Newest {
			return k.Release, nil
		}
	}
	return "", nil
}

// wrongKernel says that a kernel came in and the boot after it did not run it. A host whose
// running kernel is none of its own, such as a container, is not asked.
func (m *Machine) wrongKernel(ctx context.Context) (string, error) {
	if !m.j.Rebooted {
		return "", nil
	}
	list, err := m.manager.Kernels(ctx)
	if err != nil {
		return "", fmt.Errorf("cannot list the kernels: %w", err)
	}
	running, newest := "", ""
	for _, k := range list {
		if k.Running {
			running = k.Release
		}
		if k.Newest {
			newest = k.Release
		}
	}
	if running == "" || newest == m.j.Kernel || running == newest {
		return "", nil
	}
	return fmt.Sprintf("the host runs the kernel %s and not the new one, %s", running, newest), nil
}

// finish puts the host back into service and tidies up. A host that cannot be put back is an
// error, and the next run tries again; all else is noted.
func (m *Machine) finish(ctx context.Context) error {
	if err := m.undrain(ctx); err != nil {
		return err
	}
	if err := m.hook(ctx, "after", m.hooks().After); err != nil {
		m.note(err.Error())
	}
	m.discard(ctx)
	if err := m.tidyKernels(ctx); err != nil {
		m.note(err.Error())
	}
	if len(m.j.Blocked.Targets) > 0 { // what we installed ourselves is no reason to plan anew
		key, err := m.manager.OffersKey()
		if err != nil {
			return fmt.Errorf("cannot tell what is on offer: %w", err)
		}
		m.j.Blocked.Key = key
	}
	return m.to(stageDone)
}

func (m *Machine) undrain(ctx context.Context) error {
	if !m.j.Drained {
		return nil
	}
	if err := m.hook(ctx, "undrain", m.hooks().Undrain); err != nil {
		return err
	}
	m.j.Drained = false
	return m.shelf.save(&m.j)
}

func (m *Machine) discard(ctx context.Context) {
	if m.j.Snapshot == "" {
		return
	}
	if err := m.hook(ctx, "discard", m.hooks().Discard); err != nil {
		m.note(err.Error())
	}
	m.j.Snapshot = ""
}

// tidyKernels removes all kernels but the running one, the newest one, and so many more as the
// policy says, the newest of the rest.
func (m *Machine) tidyKernels(ctx context.Context) error {
	if m.spec.Kernels == nil {
		return nil
	}
	list, err := m.manager.Kernels(ctx)
	if err != nil {
		return fmt.Errorf("cannot list the kernels: %w", err)
	}
	if !slices.ContainsFunc(list, func(k system.Kernel) bool { return k.Running }) {
		return nil // who does not know what runs removes nothing
	}
	rest := slices.DeleteFunc(list, func(k system.Kernel) bool { return k.Running || k.Newest })
	slices.SortFunc(rest, func(a, b system.Kernel) int { return -stock{manager: m.manager}.compare(a.Release, b.Release) })
	if len(rest) <= *m.spec.Kernels {
		return nil
	}
	var old []string
	for _, k := range rest[max(0, *m.spec.Kernels):] {
		old = append(old, k.Package)
	}
	if err := m.manager.RemoveKernels(ctx, old); err != nil {
		return fmt.Errorf("cannot remove the old kernels %s: %w", words(old), err)
	}
	m.j.Removed = append(m.j.Removed, old...)
	return nil
}
