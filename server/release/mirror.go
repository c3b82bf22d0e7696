package release

import (
	"context"
	"errors"
	"fmt"
	"time"

	"plumb/agent/protocol"
	"plumb/server/repo"
)

const defaultPoll = time.Minute

// Poke makes Run look upstream at once. It never blocks.
func (d *Desk) Poke() {
	select {
	case d.poked() <- struct{}{}:
	default: // one is waiting already
	}
}

func (d *Desk) poked() chan struct{} {
	d.once.Do(func() { d.poke = make(chan struct{}, 1) })
	return d.poke
}

// Run follows the upstream until ctx ends, and makes up for pushes whose hook was killed.
func (d *Desk) Run(ctx context.Context) {
	poll := d.Upstream.Poll
	if poll <= 0 {
		poll = defaultPoll
	}
	tick := time.NewTicker(poll)
	defer tick.Stop()
	anew, said := true, ""
	for {
		err := d.round(ctx, anew)
		if text := fmt.Sprint(err); err != nil && ctx.Err() == nil && text != said {
			d.log().Warn("what is in the repository is not released", "upstream", d.Upstream.URL, "error", err)
			said = text // once is enough; the status goes on telling it
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			anew = false
		case <-d.poked():
			anew = true
		}
	}
}

func (d *Desk) round(ctx context.Context, anew bool) error {
	if err := d.Repo.Sweep(d.Now()); err != nil {
		return err
	}
	if d.Upstream.URL != "" {
		return d.Follow(ctx, anew)
	}
	_, err := d.make(ctx, false)
	return err
}

// Follow looks upstream once and takes in what is good. A commit that was refused before is
// only judged again when anew is set, since compiling for a fleet is work. What is wrong
// stays in the status until it is mended.
func (d *Desk) Follow(ctx context.Context, anew bool) error {
	err := d.follow(ctx, anew)
	if ctx.Err() != nil {
		return ctx.Err() // the server stops; that is no fault of the upstream
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.upstream = ""
	if err != nil {
		d.upstream = err.Error()
	}
	return err
}

func (d *Desk) follow(ctx context.Context, anew bool) error {
	commit, err := d.Repo.Fetch(ctx, d.Upstream)
	if err != nil {
		return err
	}
	if err := d.advance(ctx, commit, anew); err != nil {
		return err
	}
	if err := d.copyTag(ctx); err != nil {
		return err
	}
	_, err = d.make(ctx, anew)
	return err
}

// advance moves main to the upstream's commit if that is a good successor.
func (d *Desk) advance(ctx context.Context, commit string, anew bool) error {
	head, err := d.Repo.Head()
	if err != nil && !errors.Is(err, repo.ErrNone) {
		return err
	}
	if head.Hash == commit {
		return nil
	}
	view, err := d.Repo.View("")
	if err != nil {
		return err
	}
	old := repo.Zero
	if head.Hash != "" {
		old = head.Hash
		if err := d.forward(ctx, view, old, commit); err != nil {
			return err
		}
	}
	if err := d.good(ctx, view, commit, anew); err != nil {
		return err
	}
	return d.Repo.MoveMain(ctx, commit, old)
}

func (d *Desk) forward(ctx context.Context, view repo.View, old, commit string) error {
	ok, err := view.IsAncestor(ctx, old, commit)
	if err != nil {
		return err
	}
	if !ok {
		d.alarm("the history of the upstream was rewritten", "upstream", d.Upstream.URL, "main", old, "upstream commit", commit)
		return refuse("put the old history back, or revert in a new commit",
			"alarm: the history of the upstream was rewritten: its %.12s does not follow %.12s; hosts stay where they are", commit, old)
	}
	return nil
}

// good validates the upstream's newest commit.
func (d *Desk) good(ctx context.Context, view repo.View, commit string, anew bool) error {
	d.mu.Lock()
	known, said := d.bad == commit, d.upstream
	d.mu.Unlock()
	if known && !anew {
		return errors.New(said)
	}
	now, _, err := d.state(ctx)
	if err != nil {
		return err
	}
	v, err := d.inspect(ctx, view, commit, now)
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.bad = ""; v.bad() {
		d.bad = commit
		return &badCommit{v}
	}
	return nil
}

// copyTag takes over the release tags that authors signed and pushed upstream, as long as
// each is good. They are taken in one by one, for each may change who signs the next.
func (d *Desk) copyTag(ctx context.Context) error {
	for {
		took, err := d.copyOne(ctx)
		if err != nil || !took {
			return err
		}
		if _, err := d.make(ctx, true); err != nil {
			return err
		}
	}
}

func (d *Desk) copyOne(ctx context.Context) (bool, error) {
	now, last, err := d.state(ctx)
	if err != nil || now.mode == Trial {
		return false, err
	}
	tags, err := d.Repo.UpstreamReleases()
	if err != nil {
		return false, err
	}
	hash, ok := tags[last.Number+1]
	if !ok {
		return false, nil
	}
	view, err := d.Repo.View("")
	if err != nil {
		return false, err
	}
	_, r, err := d.open(ctx, view, hash, last, now)
	if err == nil {
		err = timely(r, now.signers, d.Now())
	}
	if err == nil {
		_, err = d.check(ctx, view, r, "", now)
	}
	if err != nil {
		return false, fmt.Errorf("the upstream's tag %s is not taken: %w", protocol.TagName(last.Number+1), err)
	}
	return true, d.Repo.PlaceTag(ctx, protocol.TagName(r.Number), hash)
}
