package api

import (
	"fmt"
	"slices"
	"strings"

	"plumb/server/views"
)

// standingRoutes say how the fleet stands with what policy wants, and stood before.
func (a *API) standingRoutes() []Route {
	return []Route{
		{"GET", "/v1/policies", Viewer, a.policies, 0, nil},
		{"GET", "/v1/controls", Viewer, a.controls, 0, nil},
		{"GET", "/v1/trend", Viewer, a.trend, 0, nil},
	}
}

// policies answers with each policy that hosts or the newest release have, and how hosts stand with its
// resources.
func (a *API) policies(c *Call) (any, error) {
	v, err := a.Views().Compliance(c.Request.Context())
	return struct {
		Hosts      int                    `json:"hosts"`
		Unanswered int                    `json:"unanswered"`
		Policies   []views.PolicyStanding `json:"policies"`
		// Release and Undescribed are as in views.Compliance.
		Release     uint64 `json:"release"`
		Undescribed string `json:"undescribed,omitempty"`
	}{v.Hosts, v.Unanswered, v.Policies, v.Release, v.Undescribed}, err
}

// controls answers with the controls that resources are evidence for.
func (a *API) controls(c *Call) (any, error) {
	v, err := a.Views().Compliance(c.Request.Context())
	return struct {
		Hosts      int                      `json:"hosts"`
		Unanswered int                      `json:"unanswered"`
		Frameworks []views.ControlFramework `json:"frameworks"`
	}{v.Hosts, v.Unanswered, v.Frameworks}, err
}

func (a *API) trend(c *Call) (any, error) {
	period, err := TrendPeriod(c)
	if err != nil {
		return nil, err
	}
	return a.Views().Trend(c.Request.Context(), period, c.Now)
}

// TrendPeriod reads how far back a trend goes: a week, if nobody says otherwise.
func TrendPeriod(c *Call) (string, error) {
	period := c.Query("period")
	if period == "" {
		return "7d", nil
	}
	if !slices.Contains(views.Periods(), period) {
		return "", badRequest(fmt.Sprintf("period=%q is no period", period), "it is one of "+strings.Join(views.Periods(), ", "))
	}
	return period, nil
}
