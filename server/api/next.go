package api

import "plumb/server/views"

// PatchNexts says for each rollout that carries patches what happens next, for the pages.
func (a *API) PatchNexts(c *Call) ([]views.PatchNext, error) { return a.patchNexts(c) }
