package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"plumb/agent/state"
	"plumb/policies"
)

// maxAttempts is how often a release may begin its first run without coming to its end.
// What kills the agent or the host each time must not do so for ever.
const maxAttempts = 3

// enforce runs the release on trial, if there is one that may run, and else the one in force. A
// release that fails is quarantined, and the one in force runs again at once. One that passed and
// has patch resources runs again, too: they were left alone while it was judged, so that no kill
// in the middle of an upgrade is ever counted against a release.
func (r *round) enforce(ctx context.Context) error {
	var err error
	if r.found, r.rawFacts, err = r.collect(ctx); err != nil {
		return err
	}
	r.findOffers(ctx)
	if r.mayTry() {
		if passed, err := r.try(ctx); err != nil || passed && !r.patches {
			return err
		}
	}
	good := r.releases.Good
	if good == nil {
		return r.reportNone()
	}
	done, err := r.runRelease(ctx, *good, false)
	if isRejected(err) { // it compiled once, but not here and now
		return r.reportProblem(*good, err)
	}
	if err != nil {
		return err
	}
	return r.report(done)
}

// mayTry tells whether a release on trial may run now: not past the lease, and not in a freeze.
func (r *round) mayTry() bool {
	return r.releases.Trial != nil && !r.stale() && !r.lease.Freeze
}

// try runs the release on trial and tells whether it was the one to run. In audit mode it is
// measured and stays on trial, for nothing was tried.
func (r *round) try(ctx context.Context) (bool, error) {
	t := r.releases.Trial
	if t.Attempts >= maxAttempts {
		return false, r.quarantine(t.Held, fmt.Sprintf("its first run did not come to its end in %d attempts", t.Attempts))
	}
	before, err := r.lastGood()
	if err != nil {
		return false, err
	}
	if !r.auditing() {
		t.Attempts++
		if err := r.Dir.SaveReleases(r.releases); err != nil {
			return false, err
		}
	}
	h := t.Held
	done, err := r.runRelease(ctx, h, !r.auditing())
	switch {
	case ctx.Err() != nil: // stopped by an administrator, which is not the release's fault
		t.Attempts = max(0, t.Attempts-1)
		return false, errors.Join(err, r.Dir.SaveReleases(r.releases))
	case isRejected(err):
		return false, r.reject(h, err)
	case err != nil: // it may be the host's fault, so it is tried again before it is quarantined
		r.problem = fmt.Sprintf("release %d cannot be run on this host: %v", h.Number, err)
		r.Log.Error("cannot run a release", "release", h.Number, "error", err)
		return false, nil
	case r.auditing():
		return true, r.report(done)
	}
	r.patches = hasPatches(done.catalog) || len(done.astray) > 0
	bad := regressions(before, judged(done.catalog, done.result))
	if len(bad) > 0 && r.full() { // no fault of the release: it stays on trial, and the one in force goes on
		t.Attempts = max(0, t.Attempts-1)
		r.problem = fmt.Sprintf("release %d waits until the host's disk has room again: %s", h.Number, blame(bad))
		return false, errors.Join(r.Dir.SaveReleases(r.releases), r.report(done))
	}
	if len(bad) > 0 {
		err = r.quarantine(h, blame(bad))
		return false, errors.Join(err, r.report(done))
	}
	return true, errors.Join(r.promote(h), r.report(done))
}

// fullBelow is how little room in bytes makes a disk a full one.
const fullBelow = 1 << 20

// full tells whether the disk of the host or of the agent's state is full.
func (r *round) full() bool {
	for _, dir := range []string{r.Root, r.Dir.Path} {
		var fs unix.Statfs_t
		if unix.Statfs(dir, &fs) == nil && fs.Blocks > 0 && fs.Bavail*uint64(fs.Bsize) < fullBelow {
			return true
		}
	}
	return false
}

func isRejected(err error) bool {
	var rejected *Rejected
	return errors.As(err, &rejected)
}

// auditing tells whether the host itself forbids changes.
func (r *round) auditing() bool { return r.Audit || r.pause != nil }

// reject quarantines a release whose policy does not compile here, and reports it.
func (r *round) reject(h state.Held, err error) error {
	if err := r.quarantine(h, err.Error()); err != nil {
		return err
	}
	return r.reportProblem(h, err)
}

func (r *round) quarantine(h state.Held, reason string) error {
	if len(reason) > 600 {
		reason = reason[:600]
	}
	q := state.Quarantine{Number: h.Number, Tag: h.Tag, Bundle: h.Bundle, Reason: reason}
	r.problem = quarantined(q)
	if r.releases.Good != nil {
		r.problem += fmt.Sprintf("; release %d stays in force", r.releases.Good.Number)
	}
	r.Log.Error("a release failed on this host", "release", h.Number, "reason", reason)
	r.releases.Quarantined, r.releases.Trial = &q, nil
	return r.Dir.SaveReleases(r.releases)
}

// promote puts a release in force that this host can live with.
func (r *round) promote(h state.Held) error {
	r.releases.Previous, r.releases.Good, r.releases.Trial = r.releases.Good, &h, nil
	if err := r.Dir.SaveReleases(r.releases); err != nil {
		return err
	}
	r.forgetCatalogs(r.releases)
	r.Log.Info("a release is in force", "release", h.Number)
	return nil
}

// finished is a run that came to its end and is not reported yet.
type finished struct {
	ran
	held    state.Held
	comp    Compiled
	started time.Time
}

// runRelease compiles and runs one release, on trial or in force. The error is a [*Rejected] when its policy is at fault.
func (r *round) runRelease(ctx context.Context, h state.Held, trial bool) (finished, error) {
	stand := r.stands(h)
	comp, tree, err := r.compiled(ctx, h, stand)
	if err != nil {
		return finished{}, err
	}
	started := r.Now()
	orders, refused := r.orders()
	done, err := r.run(ctx, job{folder: "runs", tree: tree, comp: comp, stand: stand, trial: trial, orders: orders, refused: refused, strays: true, only: r.only, last: r.last, lapsed: r.lapsed(), live: r.live(),
		audit: r.auditing(), frozen: r.lease.Freeze, since: r.spool.Started(), started: started,
		zone: r.found.Timezone, skew: r.skew(), agreed: r.agreed(started), commit: h.Commit})
	r.blame(done.result)
	r.tellReboot(&done)
	r.tellAstray(done.astray)
	return finished{done, h, comp, started}, err
}

// compiled returns the catalog of a held release, with its tree. What stands needs no second look at
// the bundle, nor have its keys to be pinned again.
func (r *round) compiled(ctx context.Context, h state.Held, stand *standing) (Compiled, fs.FS, error) {
	if stand != nil {
		return stand.comp, r.lazyTree(h), nil
	}
	raw, err := r.Dir.Bundle(h)
	if err != nil {
		return Compiled{}, nil, err
	}
	tree, err := unpack(h, raw)
	if err != nil {
		return Compiled{}, nil, err
	}
	if err := r.adopt(h, tree); err != nil {
		return Compiled{}, nil, err
	}
	comp, err := r.catalog(ctx, h, raw, r.id.Host, r.found)
	if err != nil && comp.Digest == "" {
		return Compiled{}, nil, err
	}
	if err != nil {
		r.Log.Error("the release no longer compiles; its last catalog goes on", "error", err)
		r.problem, r.older = err.Error(), true
	}
	return comp, tree.FS(), nil
}

// tellAstray logs how patch cycles fare of which the policy has nothing any more, when that is
// another way than in the last run. The server is not told: it would look for their rollouts in
// the host's catalog.
func (r *round) tellAstray(list []policies.ResourceResult) {
	if len(list) == 0 {
		return
	}
	last, _, _ := r.loadLast() // without it, what is known is told again
	for _, one := range list {
		if slices.ContainsFunc(last.Astray, func(old policies.ResourceResult) bool {
			return old.Address == one.Address && old.Status == one.Status && old.Message == one.Message
		}) {
			continue
		}
		level := slog.LevelInfo
		if one.Status == policies.Failed {
			level = slog.LevelError
		}
		r.Log.Log(context.Background(), level, "a patch cycle is brought to its end of which the policy has nothing any more",
			"resource", one.Address, "status", one.Status, "message", one.Message)
	}
}
