package views

import (
	"context"
	"time"

	"plumb/server/rollout"
	"plumb/server/store"
)

// ChangeRecordOf is ChangeRecord by the ID as people write it: store.ErrNotFound when it is none.
func (r Reader) ChangeRecordOf(ctx context.Context, id string, now time.Time) (ChangeRecord, error) {
	of, err := rollout.ParseID(id)
	if err != nil {
		return ChangeRecord{}, store.ErrNotFound
	}
	return r.ChangeRecord(ctx, of, now)
}
