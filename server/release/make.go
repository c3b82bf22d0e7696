package release

import (
	"context"
	"errors"
	"fmt"

	"plumb/agent/protocol"
	"plumb/server/repo"
	"plumb/server/store"
)

// made is a release that was just made, and what it does.
type made struct {
	release store.Release
	verdict verdict
}

// line is what the author of a push sees last.
func (m made) line() string {
	by := "signed by " + m.release.Signer
	if m.release.Trial {
		by = "trial: signed by this server's own key"
	}
	what := count(len(m.verdict.tree), "file") + "; no host has reported yet"
	if m.verdict.hosts > 0 {
		what = fmt.Sprintf("%s, %s; changes %d of %s", count(len(m.verdict.policies), "policy"), count(len(m.verdict.resources), "resource"),
			m.verdict.changed, count(m.verdict.hosts, "host"))
	}
	return fmt.Sprintf("plumb: %s → release %d (%s)", what, m.release.Number, by)
}

// Reconcile makes up for what a server that died between a push and its release left undone.
// Call it at start. It can be called at any time and does nothing when all is in order. Its
// error is in the status, too, and no reason not to start: people have to mend it by a push.
func (d *Desk) Reconcile(ctx context.Context) error {
	if err := d.Repo.Sweep(d.Now()); err != nil {
		return err
	}
	if err := d.restoreTags(ctx); err != nil {
		return err
	}
	_, err := d.make(ctx, true)
	return err
}

// make takes in release tags that the store does not know yet and, in trial mode, signs main.
// One at a time; what another one has done already is not done again. A main that was found
// bad is only judged again when anew is set, since compiling for a fleet is work.
func (d *Desk) make(ctx context.Context, anew bool) ([]made, error) {
	d.making.Lock()
	defer d.making.Unlock()
	var all []made
	for {
		m, err := d.next(ctx, anew)
		if err != nil {
			d.setProblem(err.Error())
			return all, err
		}
		if m.release.Number == 0 {
			d.setProblem("")
			return all, nil
		}
		all = append(all, m)
	}
}

// next makes one release, or none when there is nothing to do.
func (d *Desk) next(ctx context.Context, anew bool) (made, error) {
	now, last, err := d.state(ctx)
	if err != nil {
		return made{}, err
	}
	head, err := d.Repo.Head()
	if errors.Is(err, repo.ErrNone) {
		return made{}, nil
	}
	if err != nil {
		return made{}, err
	}
	view, err := d.Repo.View("")
	if err != nil {
		return made{}, err
	}
	tags, err := d.Repo.Releases()
	if err != nil {
		return made{}, err
	}
	if hash, ok := tags[last.Number+1]; ok {
		return d.takeTag(ctx, view, hash, head.Hash, last, now)
	}
	if now.mode != Trial || head.Hash == last.Commit {
		return made{}, nil
	}
	if !anew && d.stuck != nil && d.stuck.verdict.commit == head.Hash {
		return made{}, d.stuck
	}
	return d.signMain(ctx, view, head.Hash, last, now)
}

// takeTag takes in a release tag that is in the repository but not in the store.
func (d *Desk) takeTag(ctx context.Context, view repo.View, hash, main string, last store.Release, now signing) (made, error) {
	raw, r, err := d.open(ctx, view, hash, last, now)
	if err != nil {
		return made{}, fmt.Errorf("the tag %s in the repository is no good: %w", protocol.TagName(last.Number+1), err)
	}
	v, err := d.check(ctx, view, r, main, now)
	if err != nil {
		return made{}, fmt.Errorf("the tag %s in the repository is no good: %w", protocol.TagName(r.Number), err)
	}
	row, err := d.keep(ctx, raw, r, v)
	return made{row, v}, err
}

// signMain makes a release of main in trial mode. The tag is written first: if the server
// dies before the store has it, takeTag finds it again.
func (d *Desk) signMain(ctx context.Context, view repo.View, main string, last store.Release, now signing) (made, error) {
	v, err := d.inspect(ctx, view, main, now)
	if err != nil {
		return made{}, err
	}
	if d.stuck = nil; v.bad() {
		d.stuck = &badCommit{v}
		return made{}, d.stuck
	}
	r := describe(last, v, d.Now())
	raw, err := d.sign(r)
	if err != nil {
		return made{}, err
	}
	if r, err = protocol.OpenRelease(raw, now.signers); err != nil {
		return made{}, fmt.Errorf("cannot verify what this server just signed: %w", err)
	}
	if _, err := d.Repo.WriteTag(ctx, protocol.TagName(r.Number), raw); err != nil {
		return made{}, err
	}
	row, err := d.keep(ctx, raw, r, v)
	return made{row, v}, err
}
