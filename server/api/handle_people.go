package api

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"plumb/policies"
	"plumb/server/store"
	"plumb/server/views"
)

// Views reads the store for people.
func (a *API) Views() views.Reader {
	return views.Reader{Store: a.Store, Policy: a.Policy.Status, Plans: a.Policy.Plans, Live: a.live, Memory: &a.memory}
}

// status returns how the fleet stands, or with as_of how it stood.
func (a *API) status(c *Call) (any, error) {
	t, err := c.past()
	if err != nil {
		return nil, err
	}
	if t.IsZero() {
		return a.Views().Fleet(c.Request.Context(), c.Now)
	}
	return a.Views().FleetAt(c.Request.Context(), t)
}

// past is the instant that as_of asks about, zero when it asks about none. Nothing is known of
// what is still to come, so it is now at the latest.
func (c *Call) past() (time.Time, error) {
	t, err := c.time("as_of", time.Time{})
	if t.After(c.Now) {
		t = c.Now
	}
	return t, err
}

func (a *API) hosts(c *Call) (any, error) {
	f, err := HostFilter(c)
	if err != nil {
		return nil, err
	}
	return a.Views().Hosts(c.Request.Context(), f)
}

// HostFilter reads the filter of a list of hosts: q, status, label=KEY=VALUE, after, limit, revoked.
func HostFilter(c *Call) (store.HostFilter, error) {
	f := store.HostFilter{
		Contains: c.Query("q"), Status: policies.Status(c.Query("status")), After: c.Query("after"),
		Revoked: c.Query("revoked") != "", Labels: map[string]string{},
	}
	for _, pair := range c.Request.URL.Query()["label"] {
		key, value, ok := strings.Cut(pair, "=")
		if !ok {
			return f, badRequest(fmt.Sprintf("the label filter %q has no =", pair), "write label=role=web")
		}
		f.Labels[key] = value
	}
	var err error
	f.Limit, err = c.number("limit", 1000)
	return f, err
}

// number reads a query parameter that counts something; without it the default holds.
func (c *Call) number(name string, otherwise int) (int, error) {
	text := c.Query(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > 10_000 {
		return 0, badRequest(fmt.Sprintf("%s=%q is not a number from 0 to 10000", name, text), "")
	}
	return n, nil
}

func (a *API) host(c *Call) (any, error) {
	t, err := c.past()
	if err != nil {
		return nil, err
	}
	if t.IsZero() {
		d, err := a.Views().Detail(c.Request.Context(), c.Param("name"))
		return d, unknownHost(err, c.Param("name"))
	}
	d, err := a.Views().DetailAt(c.Request.Context(), c.Param("name"), t)
	return d, unknownHost(err, c.Param("name"))
}

func (a *API) revokeHost(c *Call) (any, error) {
	ctx, name := c.Request.Context(), c.Param("name")
	h, err := a.Store.HostByName(ctx, name)
	if err != nil {
		return nil, unknownHost(err, name)
	}
	if err := a.Store.Revoke(ctx, h.ID, c.Caller.Name, c.Now); err != nil {
		return nil, err
	}
	a.Drop(h.ID)
	return nil, a.record(c, "revoke host", name)
}

func (a *API) releases(c *Call) (any, error) {
	limit, err := c.number("limit", 50)
	if err != nil {
		return nil, err
	}
	return a.Views().Releases(c.Request.Context(), limit, 0)
}

func (a *API) release(c *Call) (any, error) {
	n, err := c.releaseNumber()
	if err != nil {
		return nil, err
	}
	return a.Views().Release(c.Request.Context(), n)
}

func (c *Call) releaseNumber() (uint64, error) {
	n, err := strconv.ParseUint(c.Param("number"), 10, 63)
	if err != nil || n == 0 {
		return 0, badRequest(fmt.Sprintf("%q is not the number of a release", c.Param("number")), "`plumb release list` shows them")
	}
	return n, nil
}

func (a *API) releasePlan(c *Call) (any, error) { return a.Policy.Status(c.Request.Context()) }
