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
	id, err := c.rolloutID()
	if err != nil {
		return nil, err
	}
	p, err := a.Rollouts.Show(c.Request.Context(), id)
	if err != nil {
		return nil, unknownRollout(err, id)
	}
	shown := views.RolloutOf(p)
	for _, one := range a.Views().PatchProgress(shown.Name, c.Now) {
		if one.Cycle == shown.Cycle {
			shown.Work = append(shown.Work, one)
		}
	}
	return shown, nil
}

// rolloutID reads which rollout the path names: the release of a number, or a cycle of a rollout
// by its name. The word newest stands for the newest.
func (c *Call) rolloutID() (rollout.ID, error) {
	text := c.Param("number")
	if name := c.Param("name"); name != "" {
		text = name + "/" + text
	}
	id, err := rollout.ParseID(text)
	if err != nil {
		return id, badRequest(err.Error(), "`plumb rollout list` shows them")
	}
	return id, nil
}

func (a *API) actOn(verb rollout.Verb) func(*Call) (any, error) {
	return func(c *Call) (any, error) {
		id, err := c.rolloutID()
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
		p, err := a.Rollouts.Do(c.Request.Context(), id, verb, in.Ring, c.act(in))
		if err != nil {
			return nil, unknownRollout(err, id)
		}
		detail := p.Title()
		if in.Ring != "" {
			detail += ", ring " + in.Ring
		}
		return views.RolloutOf(p), a.record(c, string(verb)+" rollout", detail+": "+in.Reason)
	}
}

func (c *Call) act(in ActRequest) rollout.Act {
	return rollout.Act{At: c.Now.UTC(), Who: c.Caller.Name, Why: in.Reason}
}

func unknownRollout(err error, id rollout.ID) error {
	if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	text, hint := fmt.Sprintf("there is no release %d", id.Number), "`plumb release list` shows them"
	switch {
	case id == rollout.ID{}:
		text, hint = "there is no release yet", "push a policy to main"
	case id.Rollout != "" && id.Number == 0:
		text, hint = fmt.Sprintf("the rollout %s has no patch cycle", id.Rollout), "`plumb rollout list` shows them"
	case id.Rollout != "":
		text, hint = fmt.Sprintf("the rollout %s has no cycle %d", id.Rollout, id.Number), "`plumb rollout list` shows them"
	}
	return &Error{Code: http.StatusNotFound, Text: text, Hint: hint}
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
