package api

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"plumb/policies"
	"plumb/server/store"
	"plumb/server/views"
)

// drift lists what does not pass: host, address, status, control, policy, cause and since select.
func (a *API) drift(c *Call) (any, error) {
	f := views.DriftFilter{Cause: policies.Cause(c.Query("cause")), FindingFilter: store.FindingFilter{Address: c.Query("address"),
		Control: c.Query("control"), Policy: c.Query("policy"), Status: policies.Status(c.Query("status"))}}
	if f.Cause != "" && !slices.Contains(policies.Causes, f.Cause) {
		return nil, badRequest(fmt.Sprintf("there is no cause %q", f.Cause), "it is one of "+causes())
	}
	var err error
	if f.Since, err = c.time("since", time.Time{}); err != nil {
		return nil, err
	}
	if name := c.Query("host"); name != "" {
		h, err := a.Store.HostByName(c.Request.Context(), name)
		if err != nil {
			return nil, unknownHost(err, name)
		}
		f.Host = h.ID
	}
	return a.Views().Drift(c.Request.Context(), f)
}

func causes() string {
	var list []string
	for _, one := range policies.Causes {
		list = append(list, string(one))
	}
	return strings.Join(list, ", ")
}
