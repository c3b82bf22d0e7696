package release

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/hiddeco/sshsig"

	"plumb/agent/protocol"
	"plumb/inventory"
	"plumb/server/repo"
	"plumb/server/store"
)

// trialTagger is who git shows as the maker of a release in trial mode.
const trialTagger = "plumb server <plumb@localhost>"

// refusal is a reason to refuse a push that its author can act on.
type refusal struct{ Text, Hint string }

func (r *refusal) Error() string { return r.Text }

func refuse(hint, format string, args ...any) error {
	return &refusal{Text: fmt.Sprintf(format, args...), Hint: hint}
}

// describe is the release of a good commit that follows the last one.
func describe(last store.Release, v verdict, now time.Time) protocol.Release {
	return protocol.Release{
		Number:     last.Number + 1,
		Commit:     v.commit,
		Bundle:     inventory.Digest(v.bundle),
		Size:       int64(len(v.bundle)),
		RollbackTo: last.Number,
		Tagged:     now.UTC().Truncate(time.Second),
	}
}

// sign returns the raw tag object of a release, signed by the server's own key.
func (d *Desk) sign(r protocol.Release) ([]byte, error) {
	payload := r.Payload(trialTagger)
	sig, err := sshsig.Sign(bytes.NewReader(payload), d.Authority.TrialKey(), sshsig.HashSHA512, protocol.Namespace)
	if err != nil {
		return nil, fmt.Errorf("cannot sign release %d: %w", r.Number, err)
	}
	return append(payload, sshsig.Armor(sig)...), nil
}

// open verifies a tag and holds it against what the server knows. It reads the tag by view,
// since both tag and commit may still be in quarantine.
func (d *Desk) open(ctx context.Context, view repo.View, hash string, last store.Release, now signing) ([]byte, protocol.Release, error) {
	kind, err := view.Type(ctx, hash)
	if err != nil {
		return nil, protocol.Release{}, err
	}
	if kind != "tag" {
		return nil, protocol.Release{}, refuse("make it with `plumb release create`", "a release is a signed tag, and this is a plain %s", kind)
	}
	raw, err := view.TagObject(ctx, hash, protocol.MaxTag)
	if err != nil {
		return nil, protocol.Release{}, err
	}
	r, err := protocol.OpenRelease(raw, now.signers)
	if err != nil {
		return nil, protocol.Release{}, refuse(d.signHint(now), "%v", err)
	}
	return raw, r, follows(r, last)
}

func (d *Desk) signHint(now signing) string {
	if now.mode == Trial {
		return "in trial mode the server signs by itself; push " + protocol.SignersFile + " to main first, then people sign"
	}
	return "sign it with a key that is in the " + protocol.SignersFile + " of the newest release"
}

// follows holds the numbers of a release against the one before.
func follows(r protocol.Release, last store.Release) error {
	if r.Number != last.Number+1 {
		return refuse("fetch the tags and run `plumb release create` again", "release %d does not follow release %d, the newest", r.Number, last.Number)
	}
	if r.RollbackTo >= r.Number {
		return refuse("run `plumb release create` again", "release %d cannot be taken back to release %d", r.Number, r.RollbackTo)
	}
	return nil
}

// maxAhead is how far an author's clock may be ahead of ours.
const maxAhead = 10 * time.Minute

// timely refuses a key that is not valid now, whatever time its tag claims, and a tag from the future.
func timely(r protocol.Release, signers protocol.Signers, now time.Time) error {
	if r.Tagged.After(now.Add(maxAhead)) {
		return refuse("set the clock of the machine that signs and sign again", "release %d was signed in the future, at %s", r.Number, r.Tagged.Format(time.RFC3339))
	}
	for _, s := range signers {
		if s.Fingerprint() != r.Key {
			continue
		}
		if (s.After.IsZero() || !now.Before(s.After)) && (s.Before.IsZero() || now.Before(s.Before)) {
			return nil
		}
	}
	return refuse("sign it with a key that is valid now", "the key of %s is not valid now", r.Signer)
}

// matches holds the bundle that a tag promises against the one that its commit gives.
func matches(r protocol.Release, v verdict) error {
	if r.Bundle != inventory.Digest(v.bundle) || r.Size != int64(len(v.bundle)) {
		return refuse("run `plumb release create` again on a clean clone, with the same version of plumb as the server's",
			"release %d promises a bundle that its commit %.12s does not give", r.Number, r.Commit)
	}
	return nil
}

// keep stores a release whose tag is verified and whose commit is good. Objects go first:
// a row never names what is not there.
func (d *Desk) keep(ctx context.Context, raw []byte, r protocol.Release, v verdict) (store.Release, error) {
	commit, err := d.Repo.Commit(r.Commit)
	if err != nil {
		return store.Release{}, err
	}
	now := d.Now()
	row := store.Release{
		Number: r.Number, Commit: r.Commit, Subject: commit.Subject, Author: commit.Author, Committed: commit.When, Made: now,
		Tag: inventory.Digest(raw), Bundle: r.Bundle, Size: r.Size, RollbackTo: r.RollbackTo,
		Signer: r.Signer, Key: r.Key, Trial: r.Key == d.Authority.TrialSigner().Fingerprint(), Signers: v.next.text,
	}
	if err := d.Store.PutObject(ctx, store.Ref{Kind: store.KindBundle, Digest: row.Bundle}, v.bundle, now); err != nil {
		return row, fmt.Errorf("cannot store the bundle of release %d: %w", r.Number, err)
	}
	if err := d.Store.PutObject(ctx, store.Ref{Kind: store.KindTag, Digest: row.Tag}, raw, now); err != nil {
		return row, fmt.Errorf("cannot store the tag of release %d: %w", r.Number, err)
	}
	if d.Plan != nil {
		if err := d.Plan(ctx, row, v.rollouts); err != nil {
			return row, fmt.Errorf("cannot plan the rollout of release %d: %w", r.Number, err)
		}
	}
	if err := d.Store.AddRelease(ctx, row); err != nil {
		return row, fmt.Errorf("cannot store release %d: %w", r.Number, err)
	}
	d.log().Info("release made", "number", row.Number, "commit", row.Commit, "signer", row.Signer)
	if d.Released != nil {
		d.Released(row)
	}
	return row, nil
}
