package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"plumb/policies"
	"plumb/server/api"
	"plumb/server/store"
	"plumb/server/views"
)

// hostPage is one host: what is wrong, since when, from which line of policy, and what happened.
type hostPage struct {
	frame
	Past past
	Host views.Detail
	// Groups are those of policy that it is in.
	Groups []string
	// Wrong are the resources that do not pass, Mended those that the newest run changed.
	Wrong  []wrong
	Mended []wrong
	// Course is how it stood over the last days.
	Course course
	// Events are the newest things that happened; More is true when there are older ones.
	Events eventList
	More   bool
	// Patches is how it stands with each rollout that carries patches.
	Patches []views.HostPatches
	// Software is what is installed and what is on offer.
	Software hostSoftware
	// Resources are all of them, each with what it should be.
	Resources []declared
	// Facts are what its agent found out, in groups.
	Facts []factGroup
}

// wrong is a resource that does not pass, or did not, and when that began.
type wrong struct {
	views.Resource
	// Opened is zero where the server has not noted it.
	Opened time.Time
	// Explain is the page that tells where its values come from; Release is what declares it.
	Explain string
	Release uint64
	Commit  string
	Now     time.Time
	Past    past
}

// declared is a resource with what it should be.
type declared struct {
	views.Resource
	Wanted  []views.Wanted
	Explain string
}

const (
	// hostEvents are on the page of a host, the rest in its history.
	hostEvents = 15
	// wantedShown bounds for how many resources values stand on the page; each has its own page.
	wantedShown = 300
	// hostUpdates are on the page of a host, the rest on the page of its packages.
	hostUpdates = 8
)

func (s *site) host(c *api.Call) (any, error) {
	ctx, name := c.Request.Context(), c.Param("name")
	then, err := instantOf(c, "/hosts/"+url.PathEscape(name), query(c, "days"))
	if err != nil {
		return nil, err
	}
	detail, err := s.detail(ctx, name, then)
	if err != nil {
		return nil, err
	}
	then.Unknown = detail.Unknown
	p := hostPage{frame: then.moved(s.frame(c, detail.Name, "/hosts")), Past: then, Host: detail, Facts: factGroups(detail.Facts)}
	cut := min(len(detail.Events), hostEvents)
	p.Events, p.More = eventList{First: detail.Events[:cut], Now: p.Now}, len(detail.Events) > cut
	days := courseSpan(c)
	drawn, err := s.Read().Course(ctx, name, p.Now.AddDate(0, 0, -days), p.Now)
	if err != nil {
		return nil, err
	}
	p.Course = newCourse(drawn, detail.Name, days)
	for i := range p.Course.Spans {
		p.Course.Spans[i].Link = then.To(p.Course.Spans[i].Link)
	}
	for i := range p.Course.Lanes {
		p.Course.Lanes[i].Link = then.To(p.Course.Lanes[i].Link)
	}
	if then.Is() {
		err = s.faredThen(ctx, &p)
	} else {
		err = s.fares(ctx, &p)
	}
	if err != nil {
		return nil, err
	}
	return s.show("host", p)
}

// detail is the host as it is, or was.
func (s *site) detail(ctx context.Context, name string, then past) (d views.Detail, err error) {
	if !then.Is() {
		d, err = s.Read().Detail(ctx, name)
		return d, unknownHost(err, name)
	}
	d, err = s.Read().DetailAt(ctx, name, then.At)
	return d, unknownThen(err, name, then)
}

func unknownThen(err error, name string, then past) error {
	if errors.Is(err, store.ErrNotFound) {
		return &api.Error{Code: http.StatusNotFound, Text: fmt.Sprintf("there was no host %q at %s", name, exactly(then.At)), Hint: "ask about a later time"}
	}
	return err
}

// faredThen fills in how the host stood with its resources. Nobody wrote down what was on offer then, and in which groups it was.
func (s *site) faredThen(ctx context.Context, p *hostPage) error {
	p.Past.Unknown = "its agent, pauses, when the newest run ended, the number of reports, whether its catalog was the server's, groups, patches, updates on offer, since when a resource did not pass"
	if p.Host.LastSeen == nil {
		p.Past.Unknown += ", when it had last called"
	}
	wanted, err := s.Read().WantedAt(ctx, p.Host.Name, p.Past.At)
	if err != nil {
		return err
	}
	p.rows(nil, wanted)
	p.Software = installed(p.Host.Facts)
	return nil
}

// History and Packages are the pages with all of that.
func (p hostPage) History() string  { return p.Past.Host(p.Host.Name, "history") }
func (p hostPage) Packages() string { return p.Past.Host(p.Host.Name, "packages") }

// fares fills in how the host stands with its resources and with patches.
func (s *site) fares(ctx context.Context, p *hostPage) (err error) {
	name := p.Host.Name
	if p.Software, err = s.software(ctx, name, p.Host.Facts, p.Now); err != nil {
		return err
	}
	if p.Groups, err = s.Read().GroupsOf(ctx, name); err != nil {
		return err
	}
	if p.Patches, err = s.Read().HostPatches(ctx, name); err != nil {
		return err
	}
	opened, err := s.opened(ctx, p.Host)
	if err != nil {
		return err
	}
	wanted, err := s.Read().Wanted(ctx, name)
	if err != nil {
		return err
	}
	p.rows(opened, wanted)
	return nil
}

// rows puts each resource where it belongs. Where values come from is told of now only.
func (p *hostPage) rows(opened map[string]time.Time, wanted map[string][]views.Wanted) {
	for i, r := range p.Host.Resources {
		one := wrong{Resource: r, Opened: opened[r.Address], Explain: explainLink(p.Host.Name, r.Address), Release: p.Host.Release, Commit: p.Host.Commit, Now: p.Now, Past: p.Past}
		if p.Past.Is() {
			one.Explain = ""
		}
		switch {
		case r.Status == policies.Repaired:
			p.Mended = append(p.Mended, one)
		case !views.Fine(r.Status):
			p.Wrong = append(p.Wrong, one)
		}
		d := declared{Resource: r, Explain: one.Explain}
		if i < wantedShown {
			d.Wanted = wanted[r.Address]
		}
		p.Resources = append(p.Resources, d)
	}
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

// Lead are the updates that stand on the page.
func (p hostPage) Lead() []views.PatchUpdate {
	return p.Software.Updates[:min(len(p.Software.Updates), hostUpdates)]
}

func unknownHost(err error, name string) error {
	if errors.Is(err, store.ErrNotFound) {
		return &api.Error{Code: http.StatusNotFound, Text: fmt.Sprintf("there is no host %q", name), Hint: "the page of hosts lists them"}
	}
	return err
}
