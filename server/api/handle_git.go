package api

import "io"

// hook is how stock git asks, from inside a push, whether a commit may land.
func (a *API) hook(c *Call) (any, error) {
	body, err := io.ReadAll(c.Request.Body)
	if err != nil {
		return nil, undecodable(err)
	}
	return a.Policy.Hook(c.Request.Context(), body)
}

// webhook is how a forge says that there is news. It proves itself with a shared secret.
func (a *API) webhook(c *Call) (any, error) {
	body, err := io.ReadAll(c.Request.Body)
	if err != nil {
		return nil, undecodable(err)
	}
	return nil, a.Policy.Webhook(c.Request.Context(), c.Request.Header, body)
}
