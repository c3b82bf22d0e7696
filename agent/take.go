package agent

import (
	"context"
	"errors"
	"fmt"
	"os"

	"plumb/agent/protocol"
	"plumb/agent/state"
	"plumb/agent/transport"
	"plumb/agent/trust"
	"plumb/policies/bundle"
)

// take fetches and verifies the release that an accepted lease names, and puts it on trial. What
// it cannot believe it refuses, and the release in force stays.
func (r *round) take(ctx context.Context, l protocol.Lease) error {
	if l.Release == 0 || r.holds(l) {
		return nil
	}
	if q := r.releases.Quarantined; q != nil && (q.Tag == l.Tag || q.Bundle == l.Bundle) {
		r.problem = quarantined(*q)
		return r.dropTrial()
	}
	if l.Freeze {
		r.Log.Info("a release waits for the end of a freeze", "release", l.Release)
		return nil
	}
	release, err := r.verify(ctx, l)
	if err != nil {
		return err
	}
	if release == nil {
		return nil
	}
	return r.fetch(ctx, l, *release)
}

func quarantined(q state.Quarantine) string {
	return fmt.Sprintf("release %d is quarantined on this host: %s", q.Number, q.Reason)
}

// holds tells whether the lease names what is in force or on trial already. When it names what
// is in force, whatever was on trial is no longer wanted.
func (r *round) holds(l protocol.Lease) bool {
	if t := r.releases.Trial; t != nil && t.Tag == l.Tag {
		return true
	}
	if g := r.releases.Good; g == nil || g.Tag != l.Tag {
		return false
	}
	if err := r.dropTrial(); err != nil {
		r.Log.Error("cannot drop a release", "error", err)
	}
	return true
}

func (r *round) dropTrial() error {
	if r.releases.Trial == nil {
		return nil
	}
	r.releases.Trial = nil
	return r.Dir.SaveReleases(r.releases)
}

// verify fetches the tag alone and believes it or not. Nil without an error is a refusal.
func (r *round) verify(ctx context.Context, l protocol.Lease) (*protocol.Release, error) {
	text, err := r.Dir.Signers()
	if err != nil {
		return nil, err
	}
	signers, err := protocol.ParseSigners(text)
	if err != nil {
		return nil, err
	}
	if !isDigest(l.Tag) || !isDigest(l.Bundle) {
		r.refuse(fmt.Errorf("the lease names no usable tag or bundle"))
		return nil, nil
	}
	r.tag, err = r.client.Tag(ctx, l.Tag)
	if errors.Is(err, transport.ErrWrong) {
		r.refuse(err)
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	release, floors, err := trust.Release(r.floors, l, r.tag, signers)
	if err != nil {
		r.refuse(err)
		return nil, nil
	}
	return &release, r.raise(floors)
}

func isDigest(s string) bool {
	for _, c := range s {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return len(s) == 64
}

// fetch gets the bundle, from the disk where it is held already, and puts it on trial.
func (r *round) fetch(ctx context.Context, l protocol.Lease, release protocol.Release) error {
	h := state.Held{Number: release.Number, Commit: release.Commit, Tag: l.Tag, Bundle: l.Bundle, Signer: release.Signer}
	raw, err := r.Dir.Bundle(h)
	if err != nil {
		raw, err = r.download(release.Bundle, func(part *os.File) ([]byte, error) {
			return r.client.Bundle(ctx, release.Bundle, release.Size, part)
		})
	}
	if errors.Is(err, transport.ErrWrong) {
		r.refuse(err)
		return nil
	}
	if err != nil {
		return err
	}
	if err := trust.Bundle(release, raw); err != nil {
		r.refuse(err)
		return nil
	}
	tree, err := unpack(h, raw)
	if err == nil {
		_, _, err = r.keys(release.Number, tree)
	}
	if err != nil {
		r.refuse(err)
		return nil
	}
	if err := r.Dir.Hold(h, r.tag, raw); err != nil {
		return err
	}
	r.releases.Trial = &state.Trial{Held: h}
	r.Log.Info("took a release", "release", h.Number, "signer", h.Signer)
	return r.Dir.SaveReleases(r.releases)
}

// download fetches something by its digest, from where an earlier round left it. Without room for
// that on the disk it is fetched all the same.
func (r *round) download(digest string, fetch func(part *os.File) ([]byte, error)) ([]byte, error) {
	part, err := r.Dir.Part(digest)
	if err != nil {
		r.Log.Warn("a download that breaks off will begin anew", "error", err)
	}
	raw, err := fetch(part)
	if part != nil {
		part.Close() // what it did not keep is fetched again
	}
	if err == nil {
		r.Dir.DropPart(digest)
	}
	return raw, err
}

// keys returns the release keys that are in force once the release was taken.
func (r *round) keys(number uint64, tree bundle.Tree) (string, trust.Floors, error) {
	pinned, err := r.Dir.Signers()
	if err != nil {
		return "", r.floors, err
	}
	return trust.Signers(r.floors, number, tree, pinned)
}

// adopt pins the release keys that a taken release brings. It is done for a release on trial at
// the start of each of its runs, so a kill right after it was taken loses nothing. The keys
// count even when the release then fails here: they say who signs the one that mends it.
func (r *round) adopt(h state.Held, tree bundle.Tree) error {
	text, floors, err := r.keys(h.Number, tree)
	if err != nil || floors == r.floors {
		return err
	}
	if err := r.Dir.SetSigners(text); err != nil {
		return err
	}
	r.Log.Info("the release keys changed", "release", h.Number)
	return r.raise(floors)
}
