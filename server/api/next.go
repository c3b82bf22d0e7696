package api

import (
	"context"
	"time"

	"plumb/server/rollout"
	"plumb/server/views"
)

// PatchNexts says for each rollout that carries patches what happens next.
func (a *API) PatchNexts(ctx context.Context, now time.Time) ([]views.PatchNext, error) {
	plans, err := a.Patches.Plans(ctx)
	if err != nil {
		return nil, err
	}
	if len(plans) == 0 {
		return []views.PatchNext{}, nil
	}
	windows, err := a.Policy.Plans(ctx)
	if err != nil {
		return nil, err
	}
	show := func(ctx context.Context, name string) (rollout.Picture, error) {
		return a.Rollouts.Show(ctx, rollout.ID{Rollout: name})
	}
	return a.Views().PatchNexts(ctx, views.PatchPlans{Rollouts: plans, Show: show, Plans: windows}, now)
}
