package api

import (
	"errors"

	"plumb/server/alerts"
	"plumb/server/store"
	"plumb/server/views"
)

// alertRoutes are about alerts and who is told of them.
func (a *API) alertRoutes() []Route {
	return []Route{
		{"GET", "/v1/alerts", Viewer, a.alerts, 0, nil},
		{"GET", "/v1/alert-deliveries", Auditor, a.alertDeliveries, 0, nil},
		{"POST", "/v1/alert-tests/:name", Admin, a.testAlert, small, nil},
	}
}

// alerts answers with those that are open, or with all of them with all=1.
func (a *API) alerts(c *Call) (any, error) {
	f := store.EpisodeFilter{Open: c.Query("all") == "", Kind: c.Query("kind")}
	var err error
	if f.Limit, err = c.number("limit", 200); err != nil {
		return nil, err
	}
	v := views.AlertList{Receivers: []views.AlertReceiver{}}
	if v.Alerts, err = a.Views().Alerts(c.Request.Context(), f); err != nil {
		return nil, err
	}
	for _, one := range a.Alerts.Sinks() {
		v.Receivers = append(v.Receivers, views.AlertReceiver{Name: one.Name, Kind: one.Kind})
	}
	return v, nil
}

func (a *API) alertDeliveries(c *Call) (any, error) {
	f := store.DeliveryFilter{Sink: c.Query("receiver"), State: c.Query("state")}
	var err error
	if f.Limit, err = c.number("limit", 200); err != nil {
		return nil, err
	}
	return a.Views().AlertDeliveries(c.Request.Context(), f)
}

// testAlert tells one receiver a test. That the receiver did not take it is an answer, not an error.
func (a *API) testAlert(c *Call) (any, error) {
	name := c.Param("name")
	d, err := a.Alerts.Test(c.Request.Context(), name, c.Caller.Name)
	if errors.Is(err, alerts.ErrNoSink) {
		return nil, notFound("there is no receiver of alerts with this name", "`plumb alert list` names those in the server's settings")
	}
	if err != nil {
		return nil, err
	}
	return views.AlertDeliveryOf(d), a.record(c, "alert test", name)
}
