package release

import (
	"context"
	"errors"
	"fmt"

	"plumb/agent/protocol"
	"plumb/inventory"
	"plumb/server/repo"
	"plumb/server/store"
)

// restoreTags puts release tags back that the store has and the repository lost, such as
// after an older copy of the repository was restored. Of the others it sees to it that they
// are still those that were released.
func (d *Desk) restoreTags(ctx context.Context) error {
	tags, err := d.Repo.Releases()
	if err != nil {
		return err
	}
	before := uint64(0)
	for {
		page, err := d.Store.Releases(ctx, 100, before)
		if err != nil || len(page) == 0 {
			return err
		}
		var there []store.Release
		for _, row := range page {
			before = row.Number
			if tags[row.Number] != "" {
				there = append(there, row)
			} else if err := d.restoreTag(ctx, row); err != nil {
				return err
			}
		}
		if err := d.compareTags(ctx, there, tags); err != nil {
			return err
		}
	}
}

func (d *Desk) restoreTag(ctx context.Context, row store.Release) error {
	if _, err := d.Repo.Commit(row.Commit); errors.Is(err, repo.ErrNone) {
		d.alarm("a release's commit is not in the repository", "release", row.Number, "commit", row.Commit)
		return nil
	}
	raw, err := d.Store.Object(ctx, store.Ref{Kind: store.KindTag, Digest: row.Tag})
	if err != nil {
		return fmt.Errorf("cannot read the tag of release %d: %w", row.Number, err)
	}
	_, err = d.Repo.WriteTag(ctx, protocol.TagName(row.Number), raw)
	return err
}

// compareTags raises an alarm for each tag in the repository that is not the one that was
// released. Hosts get theirs from the store, so nothing else is at stake.
func (d *Desk) compareTags(ctx context.Context, rows []store.Release, tags map[uint64]string) error {
	view, err := d.Repo.View("")
	if err != nil {
		return err
	}
	var hashes []string
	for _, row := range rows {
		hashes = append(hashes, tags[row.Number])
	}
	list, err := view.TagObjects(ctx, hashes, protocol.MaxTag)
	if err != nil {
		d.alarm("release tags in the repository are not those that were released", "error", err)
		return ctx.Err()
	}
	for i, row := range rows {
		if inventory.Digest(list[i]) != row.Tag {
			d.alarm("a release tag in the repository is not the one that was released", "release", row.Number)
		}
	}
	return nil
}

func (d *Desk) alarm(text string, args ...any) { d.log().Error("alarm: "+text, args...) }
