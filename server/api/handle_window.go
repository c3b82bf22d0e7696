package api

import (
	"plumb/server/views"
)

// windows returns the calendar of the fleet, or with host=NAME that of one host.
func (a *API) windows(c *Call) (any, error) {
	v, err := a.calendar(c)
	if err != nil {
		return nil, err
	}
	return v, nil
}

// windowsFeed returns the same for calendar programs.
func (a *API) windowsFeed(c *Call) (any, error) {
	v, err := a.calendar(c)
	if err != nil {
		return nil, err
	}
	return Raw{Type: "text/calendar; charset=utf-8", Body: v.ICal(c.Now)}, nil
}

func (a *API) calendar(c *Call) (views.Calendar, error) {
	days, err := c.number("days", 60)
	if err != nil {
		return views.Calendar{}, err
	}
	plans, err := a.plans(c)
	if err != nil {
		return views.Calendar{}, err
	}
	return plans.Calendar(c.Now, min(days, views.MaxDays))
}

func (a *API) plans(c *Call) (views.Plans, error) {
	if name := c.Query("host"); name != "" {
		p, err := a.Views().HostPlans(c.Request.Context(), name)
		return p, unknownHost(err, name)
	}
	return a.Policy.Plans(c.Request.Context())
}

// waivers lists the exceptions of the newest release, and what has come of them.
func (a *API) waivers(c *Call) (any, error) {
	plans, err := a.Policy.Plans(c.Request.Context())
	if err != nil {
		return nil, err
	}
	return a.Views().Waivers(c.Request.Context(), plans, c.Now)
}
