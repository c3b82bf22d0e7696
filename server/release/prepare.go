package release

import (
	"context"
	"fmt"
	"time"

	"plumb/agent/protocol"
	"plumb/policies/bundle"
	"plumb/server/repo"
	"plumb/server/store"
)

// Prepare returns the release of a revision of an author's clone that follows release number
// last (0: the first), and the message of its tag. The author signs it:
//
//	git tag -s -F MESSAGE release/N COMMIT && git push origin release/N
func Prepare(ctx context.Context, dir, revision string, last uint64, now time.Time) (protocol.Release, string, error) {
	view, err := repo.Local(ctx, dir)
	if err != nil {
		return protocol.Release{}, "", err
	}
	v := verdict{}
	if v.commit, err = view.Resolve(ctx, revision); err != nil {
		return protocol.Release{}, "", err
	}
	if v.tree, err = view.Tree(ctx, v.commit); err != nil {
		return protocol.Release{}, "", err
	}
	if v.bundle, err = bundle.Pack(v.tree); err != nil {
		return protocol.Release{}, "", fmt.Errorf("cannot pack %.12s: %w", v.commit, err)
	}
	r := describe(store.Release{Number: last}, v, now)
	return r, r.Message(), nil
}
