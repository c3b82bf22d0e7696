package system

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// broken lists packages that an interrupted transaction left: two versions of one package, files
// that are not those of the installed version, scripts that did not run. rpm itself has no word for them.
func (r rpmDatabase) broken(ctx context.Context) ([]string, error) {
	list, err := r.packages(ctx)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, t := range olderTwins(list) {
		names = append(names, t.Name)
	}
	begun, err := r.begun()
	if err != nil {
		return nil, err
	}
	unsure, err := r.unfinished(ctx, begun, list)
	if err != nil {
		return nil, err
	}
	for _, t := range unsure {
		names = append(names, t.Name)
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// olderTwins are the older ones of packages that are there in two versions and must not be.
func olderTwins(list []rpmPackage) []Target {
	newest := map[[2]string]Target{}
	for _, p := range list {
		key := [2]string{p.Name, p.Arch}
		if old, ok := newest[key]; !ok || newerRPM(p.Version, old.Version) {
			newest[key] = p.Target
		}
	}
	var older []Target
	for _, p := range list {
		if p.Target != newest[[2]string{p.Name, p.Arch}] && !installOnly(p.rpmName()) {
			older = append(older, p.Target)
		}
	}
	return older
}

// unfinished are the versions of which it is not sure that all is there. Of those that were being
// installed it is all or none: when one is there, or has left files, the rest has to follow, for they may
// need each other; and what is there may lack its scripts.
func (r rpmDatabase) unfinished(ctx context.Context, b rpmBegun, list []rpmPackage) ([]Target, error) {
	var unsure []Target
	for _, t := range b.Failed {
		if hasRPM(list, t) { // else it was replaced since
			unsure = append(unsure, t)
		}
	}
	for _, t := range b.Wanted {
		began := hasRPM(list, t)
		if !began {
			damaged, err := r.damaged(ctx, t, list)
			if err != nil {
				return nil, err
			}
			began = damaged
		}
		if began {
			unsure = append(unsure, b.Wanted...)
			break
		}
	}
	slices.SortFunc(unsure, compareRPMTargets)
	return slices.Compact(unsure), nil
}

func hasRPM(list []rpmPackage, t Target) bool {
	return slices.ContainsFunc(list, func(p rpmPackage) bool { return p.Target == t })
}

// damaged tells whether files of the installed version are missing or hold something else.
func (r rpmDatabase) damaged(ctx context.Context, t Target, list []rpmPackage) (bool, error) {
	for _, p := range list {
		if p.Name != t.Name || p.Arch != t.Arch || installOnly(p.rpmName()) {
			continue
		}
		out, err := r.s.Run(ctx, Command{Argv: []string{"rpm", "-V", "--nodeps", "--noscripts", "--", p.nvra()}, Timeout: rpmQueryLimit, MaxOutput: rpmMaxOutput})
		if err != nil {
			return false, err
		}
		if verifyFails(string(out.Stdout)) {
			return true, nil
		}
	}
	return false, nil
}

// verifyFails reads the lines of rpm -V: nine signs, a letter for the kind of file, the name. What
// is configured on the host, and times and owners, are not damage.
func verifyFails(out string) bool {
	for line := range strings.Lines(out) {
		signs, rest, ok := strings.Cut(strings.TrimRight(line, "\n"), " ")
		kind := strings.TrimLeft(rest, " ")
		if !ok || len(kind) > 1 && kind[1] == ' ' && kind[0] != '/' {
			continue // c, d, g, l, r: configuration and the like
		}
		if signs == "missing" || len(signs) >= 9 && signs[2] == '5' {
			return true
		}
	}
	return false
}

// mend removes older twins and installs anew what was being installed, so that its scripts run.
// It works from rpm's database and the note alone. The note stays until all of it is there.
func (r rpmDatabase) mend(ctx context.Context, how rpmInstaller) error {
	begun, err := r.begun()
	if err != nil {
		return err
	}
	r.sweep(ctx, begun.Wanted, how.locate)
	if err := r.removeTwins(ctx); err != nil {
		return err
	}
	list, err := r.packages(ctx)
	if err != nil {
		return err
	}
	unsure, err := r.unfinished(ctx, begun, list)
	if err != nil {
		return err
	}
	there := slices.DeleteFunc(slices.Clone(unsure), func(t Target) bool { return !hasRPM(list, t) })
	absent := slices.DeleteFunc(unsure, func(t Target) bool { return hasRPM(list, t) })
	// What is not there comes first: what is there may need it.
	more, err := r.again(ctx, how, how.install, absent)
	if err != nil {
		return err
	}
	again, err := r.again(ctx, how, how.reinstall, there)
	if err != nil {
		return err
	}
	if err := r.settle(begun); err != nil {
		return err
	}
	if err := r.note(rpmBegun{Failed: slices.Concat(again, more)}); err != nil {
		return err
	}
	return r.stillBroken(ctx)
}

// again returns the versions of which a script failed once more. All of the list is there then, and a
// reinstallation, which the database does not show, came to its end.
func (r rpmDatabase) again(ctx context.Context, how rpmInstaller, do func(context.Context, []Target) (Output, error), list []Target) ([]Target, error) {
	if len(list) == 0 {
		return nil, nil
	}
	out, err := do(ctx, list)
	if err != nil {
		return nil, err
	}
	missing, err := r.missing(ctx, list)
	if err != nil {
		return nil, err
	}
	switch {
	case len(missing) > 0:
		return nil, how.lacks(missing, out)
	case !how.fine(out.Code):
		return nil, how.failure(out)
	}
	return failedScripts(out, list), nil
}

func (r rpmDatabase) stillBroken(ctx context.Context) error {
	names, err := r.broken(ctx)
	if err != nil || len(names) == 0 {
		return err
	}
	return fmt.Errorf("cannot mend %s", strings.Join(names, ", "))
}

// removeTwins takes away the older version as the rest of the transaction would have done: rpm
// leaves the files alone that the newer one has, too.
func (r rpmDatabase) removeTwins(ctx context.Context) error {
	list, err := r.packages(ctx)
	if err != nil {
		return err
	}
	for _, t := range olderTwins(list) {
		erase := []string{"rpm", "-e", "--nodeps", "--", t.nvra()}
		out, err := r.s.Run(ctx, Command{Argv: erase, Timeout: dnfInstallLimit})
		if err == nil && out.Code != 0 { // its own script stands in the way
			erase = slices.Insert(erase, 2, "--noscripts")
			out, err = r.s.Run(ctx, Command{Argv: erase, Timeout: dnfInstallLimit})
		}
		if err != nil {
			return err
		}
		if out.Code != 0 {
			return fmt.Errorf("cannot remove the older %s: %s", t.nvra(), out.LastWords())
		}
	}
	return nil
}

// rpmPIDFiles hold the process that has the lock, and rpmLocks are locked themselves.
func rpmPIDFiles() []string {
	return []string{"/run/zypp.pid", "/var/lib/dnf/rpmdb_lock.pid", "/var/cache/dnf/metadata_lock.pid", "/var/cache/dnf/download_lock.pid"}
}

func rpmLocks() []string {
	return []string{"/var/lib/rpm/.rpm.lock", "/usr/lib/sysimage/rpm/.rpm.lock", "/run/dnf/rpmtransaction.lock"}
}

// busy waits until nobody else installs packages.
func (r rpmDatabase) busy(ctx context.Context, wait time.Duration) error {
	deadline := time.NewTimer(wait)
	defer deadline.Stop()
	poll := time.NewTicker(500 * time.Millisecond)
	defer poll.Stop()
	for {
		holder, held := r.holder()
		if !held {
			return nil
		}
		select {
		case <-poll.C:
		case <-deadline.C:
			return fmt.Errorf("the lock of the package manager %w by %s, waited %s", ErrBusy, holder, wait)
		case <-ctx.Done():
			return fmt.Errorf("the lock of the package manager %w by %s: %w", ErrBusy, holder, ctx.Err())
		}
	}
}

func (r rpmDatabase) holder() (Holder, bool) {
	if h, ok := r.s.anyHolder(rpmLocks()); ok {
		return h, true
	}
	for _, name := range rpmPIDFiles() {
		raw, err := r.s.Files().Read(name, 64)
		if err != nil {
			continue
		}
		if h, ok := livePackageManager(strings.TrimSpace(string(raw))); ok {
			return h, true
		}
	}
	return Holder{}, false
}
