package api

import (
	"errors"
	"fmt"
	"net/http"

	"plumb/server/rollout"
	"plumb/server/store"
	"plumb/server/views"
)

// ActRequest is what a person wants to be done, and why.
type ActRequest struct {
	// Ring is the ring that it is about, where it is about one.
	Ring string `json:"ring"`
	// Reason is kept with the person's name.
	Reason string `json:"reason"`
}

func (a *API) rollouts(c *Call) (any, error) {
	limit, err := c.number("limit", 20)
	if err != nil {
		return nil, err
	}
	states, err := a.Rollouts.List(c.Request.Context(), limit)
	if err != nil {
		return nil, err
	}
	return views.RolloutList(states), nil
}

func (a *API) rollout(c *Call) (any, error) {
	n, err := a.rolloutNumber(c)
	if err != nil {
		return nil, err
	}
	p, err := a.Rollouts.Show(c.Request.Context(), n)
	return views.RolloutOf(p), unknownRelease(err, n)
}

// rolloutNumber is the number in the path, where the word newest stands for the newest release.
func (a *API) rolloutNumber(c *Call) (uint64, error) {
	if c.Param("number") != "newest" {
		return c.releaseNumber()
	}
	r, err := a.Store.LatestRelease(c.Request.Context())
	if errors.Is(err, store.ErrNotFound) {
		return 0, notFound("there is no release yet", "push a policy to main")
	}
	return r.Number, err
}

func (a *API) actOn(verb rollout.Verb) func(*Call) (any, error) {
	return func(c *Call) (any, error) {
		n, err := c.releaseNumber()
		if err != nil {
			return nil, err
		}
		var in ActRequest
		if err := c.Decode(&in); err != nil {
			return nil, err
		}
		if verb == rollout.Promote && in.Ring == "" {
			return nil, badRequest("which ring shall pass?", "name it: `plumb rollout promote N RING`")
		}
		p, err := a.Rollouts.Do(c.Request.Context(), n, verb, in.Ring, c.act(in))
		if err != nil {
			return nil, unknownRelease(err, n)
		}
		detail := fmt.Sprintf("release %d", n)
		if in.Ring != "" {
			detail += ", ring " + in.Ring
		}
		return views.RolloutOf(p), a.record(c, string(verb)+" rollout", detail+": "+in.Reason)
	}
}

func (c *Call) act(in ActRequest) rollout.Act {
	return rollout.Act{At: c.Now.UTC(), Who: c.Caller.Name, Why: in.Reason}
}

func unknownRelease(err error, n uint64) error {
	if errors.Is(err, store.ErrNotFound) {
		return &Error{Code: http.StatusNotFound, Text: fmt.Sprintf("there is no release %d", n), Hint: "`plumb release list` shows them"}
	}
	return err
}

func (a *API) frozen(c *Call) (any, error) {
	act, err := a.Rollouts.Freezing(c.Request.Context())
	return views.FreezeOf(act), err
}

func (a *API) freeze(c *Call) (any, error) {
	var in ActRequest
	if err := c.Decode(&in); err != nil {
		return nil, err
	}
	if err := a.Rollouts.Freeze(c.Request.Context(), c.act(in)); err != nil {
		return nil, err
	}
	return nil, a.record(c, "freeze", in.Reason)
}

func (a *API) unfreeze(c *Call) (any, error) {
	var in ActRequest
	if err := c.Decode(&in); err != nil {
		return nil, err
	}
	if err := a.Rollouts.Unfreeze(c.Request.Context(), c.act(in)); err != nil {
		return nil, err
	}
	return nil, a.record(c, "unfreeze", in.Reason)
}
