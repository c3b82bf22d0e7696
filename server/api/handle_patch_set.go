package api

import (
	"errors"
	"fmt"
	"net/http"

	"plumb/server/rollout"
	"plumb/server/store"
)

// Begun is the patch cycle that a person began.
type Begun struct {
	Rollout string `json:"rollout"`
	Cycle   uint64 `json:"cycle"`
}

// patchSetBytes gives a host a patch set by its digest: only one that a cycle carries.
func (a *API) patchSetBytes(c *Call) (any, error) {
	known, err := a.Store.HasSet(c.Request.Context(), c.Param("digest"))
	if err != nil {
		return nil, err
	}
	if !known {
		return nil, notFound("no patch cycle carries this set", "")
	}
	return a.immutable(c, store.KindSet, "application/json")
}

func (a *API) patchSets(c *Call) (any, error) {
	limit, err := c.number("limit", 20)
	if err != nil {
		return nil, err
	}
	return list(a.Views().PatchSets(c.Request.Context(), c.Query("rollout"), limit))
}

func list[T any](all []T, err error) (any, error) { return all, err }

func (a *API) patchSet(c *Call) (any, error) {
	id, err := c.rolloutID()
	if err != nil {
		return nil, err
	}
	v, err := a.Views().PatchSet(c.Request.Context(), id.Rollout, id.Number)
	if errors.Is(err, store.ErrNotFound) {
		return nil, noSuchSet(id)
	}
	return v, err
}

func noSuchSet(id rollout.ID) error {
	text := fmt.Sprintf("there is no patch cycle %s", id)
	if id.Number == 0 {
		text = fmt.Sprintf("the rollout %s has no patch cycle yet", id)
	}
	return &Error{Code: http.StatusNotFound, Text: text, Hint: "`plumb patch set list` shows them"}
}

func (a *API) newPatchSet(c *Call) (any, error) {
	var in ActRequest
	if err := c.Decode(&in); err != nil {
		return nil, err
	}
	name := c.Param("name")
	number, err := a.Patches.New(c.Request.Context(), name, c.act(in))
	if err != nil {
		return nil, err
	}
	return Begun{name, number}, a.record(c, "new patch set", fmt.Sprintf("cycle %d of %s: %s", number, name, in.Reason))
}
