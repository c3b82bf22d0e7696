package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"plumb/policies"
	"plumb/server/api"
	"plumb/server/store"
	"plumb/server/views"
)

// hostPage is one host: what is wrong, since when, from which line of policy, and what happened.
type hostPage struct {
	frame
	Host views.Detail
	// Wrong are the resources that do not pass, Mended those that the newest run changed.
	Wrong  []wrong
	Mended []views.Resource
	// Patches is how it stands with each rollout that carries patches.
	Patches []views.HostPatches
	// Facts are what its agent found out, in groups.
	Facts []factGroup
}

// wrong is a resource that does not pass and when that began.
type wrong struct {
	views.Resource
	// Opened is zero where the server has not noted it.
	Opened time.Time
}

func (s *site) host(c *api.Call) (any, error) {
	ctx, name := c.Request.Context(), c.Param("name")
	detail, err := s.Read().Detail(ctx, name)
	if err != nil {
		return nil, unknownHost(err, name)
	}
	p := hostPage{frame: s.frame(c, detail.Name, "/hosts"), Host: detail, Facts: factGroups(detail.Facts)}
	if p.Patches, err = s.Read().HostPatches(ctx, name); err != nil {
		return nil, err
	}
	opened, err := s.opened(ctx, detail)
	if err != nil {
		return nil, err
	}
	for _, r := range detail.Resources {
		switch {
		case r.Status == policies.Repaired:
			p.Mended = append(p.Mended, r)
		case !views.Fine(r.Status) || r.Status == policies.Waived:
			p.Wrong = append(p.Wrong, wrong{Resource: r, Opened: opened[r.Address]})
		}
	}
	return s.show("host", p)
}

// opened tells for each resource of the host that does not pass when it stopped passing.
func (s *site) opened(ctx context.Context, d views.Detail) (map[string]time.Time, error) {
	h, err := s.Read().Store.HostByName(ctx, d.Name)
	if err != nil {
		return nil, err
	}
	findings, err := s.Read().Store.Findings(ctx, store.FindingFilter{Host: h.ID})
	if err != nil {
		return nil, err
	}
	times := map[string]time.Time{}
	for _, f := range findings {
		times[f.Address] = f.Since
	}
	return times, nil
}

// Counts says how many resources stand how, the best first.
func (p hostPage) Counts() []segment {
	counts := map[policies.Status]int{}
	for _, r := range p.Host.Resources {
		counts[r.Status]++
	}
	return bar(counts)
}

func unknownHost(err error, name string) error {
	if errors.Is(err, store.ErrNotFound) {
		return &api.Error{Code: http.StatusNotFound, Text: fmt.Sprintf("there is no host %q", name), Hint: "the page of hosts lists them"}
	}
	return err
}
