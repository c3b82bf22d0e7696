package modules

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"plumb/modules/system"
	"plumb/policies"
)

// Apply makes apt and dpkg do it, and believes only dpkg's status afterwards.
func (p *Package) Apply(ctx context.Context, sys *system.System, _ []policies.Change) error {
	if !sys.Running() {
		return fmt.Errorf("%w: packages can only be changed on the running host", ErrUnknown)
	}
	said := p.transact(ctx, sys)
	if errors.Is(said, system.ErrBusy) {
		return fmt.Errorf("%w: %w", ErrWait, said)
	}
	if p.Hold != nil && !errors.Is(said, system.ErrNoPlan) {
		said = errors.Join(said, sys.HoldPackage(ctx, p.Name, *p.Hold))
	}
	sys.ForgetDpkg()
	left, err := p.Check(ctx, sys)
	if err != nil || len(left) == 0 {
		return err
	}
	if said == nil {
		said = errors.New("apt reports no error; a virtual package is never installed itself")
	}
	return fmt.Errorf("cannot make package %s %s, it is %s: %w", p.Name, left[0].After, orNothing(left[0].Before), said)
}

func orNothing(s string) string {
	if s == "" {
		return "absent"
	}
	return s
}

// transact lets apt do what dpkg's status says is still to do.
func (p *Package) transact(ctx context.Context, sys *system.System) error {
	db, err := sys.Dpkg()
	if err != nil {
		return err
	}
	found, known := db.Find(p.Name)
	wait, err := p.lockTimeout()
	if err != nil {
		return err
	}
	request := system.AptRequest{
		Recommends: p.Recommends, AllowDowngrade: p.AllowDowngrade, LockTimeout: wait,
		Accept: func(plan system.AptPlan) error { return p.accept(plan, db) },
	}
	if p.unwanted() {
		return p.remove(ctx, sys, request, found, known)
	}
	if found.Flag == "ok" && found.Status == "installed" {
		return p.keep(ctx, sys, request, found)
	}
	return p.install(ctx, sys, request, found.Version)
}

func (p *Package) remove(ctx context.Context, sys *system.System, r system.AptRequest, found system.Package, known bool) error {
	if len(p.checkGone(found, known)) == 0 {
		return nil
	}
	r.Remove, r.Purge = []string{p.Name}, p.State == "purged"
	return sys.DoApt(ctx, r)
}

// keep corrects the version of a package that is there. One that was selected for removal
// is selected for staying: apt itself never does that.
func (p *Package) keep(ctx context.Context, sys *system.System, r system.AptRequest, found system.Package) error {
	if !found.Installed() {
		if err := sys.HoldPackage(ctx, p.Name, false); err != nil {
			return err
		}
	}
	wanted, err := p.wantedVersion(ctx, sys, found.Version)
	if err != nil || wanted == "" {
		return err
	}
	return p.install(ctx, sys, r, found.Version)
}

// install asks apt for the package. When apt does not know it, the package lists may be
// old or missing: they are fetched once a run and it is tried again.
func (p *Package) install(ctx context.Context, sys *system.System, r system.AptRequest, installed string) error {
	try := func() error {
		target, err := p.target(ctx, sys, installed)
		if err != nil {
			return err
		}
		r.Install = []string{target}
		return sys.DoApt(ctx, r)
	}
	err := try()
	if !errors.Is(err, system.ErrNoPlan) {
		return err
	}
	tried, updateErr := sys.UpdateApt(ctx, r.LockTimeout)
	if !tried {
		return errors.Join(err, updateErr)
	}
	if err = try(); err != nil {
		return errors.Join(err, updateErr)
	}
	return nil
}

// target is what apt-get install is given: the name, or the name with a version.
func (p *Package) target(ctx context.Context, sys *system.System, installed string) (string, error) {
	constraint, err := system.ParseDebConstraint(p.Version)
	if err != nil || p.Version == "" {
		return p.Name, err
	}
	if exact, ok := constraint.Exact(); ok {
		return p.Name + "=" + exact, nil
	}
	versions, err := sys.AptVersions(ctx, p.Name)
	if err != nil {
		return "", err
	}
	best := bestVersion(versions, constraint)
	if best == "" {
		return "", fmt.Errorf("%w: no version of %s meets %q, the repositories have %s (installed: %s)", system.ErrNoPlan,
			p.Name, p.Version, orNothing(strings.Join(versions, ", ")), orNothing(installed))
	}
	return p.Name + "=" + best, nil
}

// bestVersion returns the newest version that meets the constraint, "" for none.
func bestVersion(versions []string, constraint system.DebConstraint) string {
	best := ""
	for _, v := range versions {
		if ok, err := constraint.Match(v); err != nil || !ok {
			continue
		}
		if order, err := system.CompareDebVersions(v, best); best == "" || err == nil && order > 0 {
			best = v
		}
	}
	return best
}

// accept refuses a plan that touches what the policy did not speak of.
func (p *Package) accept(plan system.AptPlan, db *system.Dpkg) error {
	self := strings.TrimSuffix(p.Name, ":"+db.Arch) // apt leaves out the host's own architecture
	removed := slices.DeleteFunc(slices.Clone(plan.Remove), func(name string) bool { return p.unwanted() && name == self })
	if len(removed) > 0 && !p.AllowRemovals {
		return fmt.Errorf("apt would also remove %s: set allow_removals if that is meant", strings.Join(removed, ", "))
	}
	for name, old := range plan.Old {
		found, _ := db.Find(name)
		if name != self && found.Held() {
			return fmt.Errorf("apt would also change %s, which is held at %s", name, old)
		}
		order, err := system.CompareDebVersions(plan.Install[name], old)
		if err == nil && order < 0 && !p.AllowDowngrade {
			return fmt.Errorf("%s would go from %s back to %s: set allow_downgrade if that is meant", name, old, plan.Install[name])
		}
	}
	return nil
}
