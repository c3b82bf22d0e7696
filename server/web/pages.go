package web

import (
	"context"
	"net/http"
	"time"

	"plumb/agent/protocol"
	"plumb/server/api"
	"plumb/server/people"
	"plumb/server/views"
)

// Pages serves the pages of one server.
type Pages struct {
	// Read returns the views that the pages show.
	Read func() views.Reader
	// People says who may sign in by themselves; without it only links of the administrator's work.
	People *people.People
	// Rollouts tells how changes stand in their rings; without it there are no boards.
	Rollouts views.Glancer
	// Nexts says what happens next to patches; without it that is left out.
	Nexts func(ctx context.Context, now time.Time) ([]views.PatchNext, error)
	// Diff compares two versions of a file; without it changes only name their files.
	Diff func(before, after []byte) string
	// Explain says where what a resource of a host should be comes from.
	Explain func(ctx context.Context, host, address string) (views.Explained, error)
	// Version is the version of this program.
	Version string
}

// Routes returns the pages' lines of the route table. A mistake in a template stops the
// server here, at its start, and not at the first visitor.
func (p Pages) Routes() []api.Route {
	s := newSite(p)
	routes := []api.Route{
		{Path: "/", Access: api.Viewer, Handle: s.overview},
		{Path: "/hosts", Access: api.Viewer, Handle: s.hosts},
		{Path: "/hosts/:name", Access: api.Viewer, Handle: s.host},
		{Path: "/hosts/:name/explain", Access: api.Viewer, Handle: s.explain},
		{Path: "/hosts/:name/history", Access: api.Viewer, Handle: s.history},
		{Path: "/hosts/:name/packages", Access: api.Viewer, Handle: s.packages},
		{Path: "/policies", Access: api.Viewer, Handle: s.policies},
		{Path: "/policies/:name", Access: api.Viewer, Handle: s.policyPage},
		{Path: "/controls", Access: api.Viewer, Handle: s.controls},
		{Path: "/standing", Access: api.Viewer, Handle: s.standing},
		{Path: "/drift", Access: api.Viewer, Handle: s.drift},
		{Path: "/drift/feed", Access: api.Viewer, Handle: s.driftFeed},
		{Path: "/rings", Access: api.Viewer, Handle: s.rings},
		{Path: "/rings/hosts", Access: api.Viewer, Handle: s.ringHosts},
		{Path: "/patches", Access: api.Viewer, Handle: s.patches},
		{Path: "/patches/hosts", Access: api.Viewer, Handle: s.patchHosts},
		{Path: "/advisories", Access: api.Viewer, Handle: s.advisories},
		{Path: "/advisories/:id", Access: api.Viewer, Handle: s.advisory},
		{Path: "/changes", Access: api.Viewer, Handle: s.changes},
		{Path: "/changes/:number", Access: api.Viewer, Handle: s.change},
		{Path: "/changes/:number/:cycle", Access: api.Viewer, Handle: s.cycle},
		{Path: "/alerts", Access: api.Viewer, Handle: s.alerts},
		{Path: "/kpis", Access: api.Viewer, Handle: s.kpis},
		{Path: "/events", Access: api.Viewer, Handle: s.events},

		{Path: "/account", Access: api.Viewer, Handle: s.account},
		{Path: "/account/password", Access: api.Viewer, Handle: s.changePassword, Method: http.MethodPost, Body: formBytes},
		{Path: "/account/sessions/:id/end", Access: api.Viewer, Handle: s.endSession, Method: http.MethodPost, Body: formBytes},

		{Path: "/signin", Access: api.Open, Handle: s.signInHelp},
		{Path: "/signin", Access: api.Open, Handle: s.signInByPassword, Method: http.MethodPost, Body: formBytes},
		{Path: "/signin/oidc", Access: api.Open, Handle: s.goToProvider},
		{Path: people.CallbackPath, Access: api.Open, Handle: s.comeFromProvider},
		{Path: "/signin/:code", Access: api.Open, Handle: s.askFirst},
		{Path: "/signin/:code", Access: api.Open, Handle: s.signIn, Method: http.MethodPost, Body: formBytes},
		{Path: "/welcome/:code", Access: api.Open, Handle: s.welcome},
		{Path: "/welcome/:code", Access: api.Open, Handle: s.accept, Method: http.MethodPost, Body: formBytes},
		{Path: "/signout", Access: api.Open, Handle: s.signOut, Method: http.MethodPost},
		{Path: "/static/:name", Access: api.Open, Handle: s.static},
	}
	for i := range routes {
		if routes[i].Method == "" {
			routes[i].Method = http.MethodGet
		}
		routes[i].Trouble = s.trouble
	}
	return routes
}

// site is the pages with their templates parsed and their static files named.
type site struct {
	Pages
	pages map[string]page
	files files
	// patched and notices are what takes long to find out.
	patched memo[patching]
	notices memo[[]*views.AdvisoryRow]
	rolls   memo[*views.Roll]
	records memo[[]views.ChangeRecord]
	ones    memos[changed]
	cycles  memos[cycleRecord]
	// standings, thens, trends, days, figures, month and lately are how the fleet stands, stood and fared.
	standings memo[views.Compliance]
	summary   memo[summary]
	trends    memos[views.Trend]
	figures   memos[views.KPIs]
	days      memos[[]views.Day]
	thens     memos[stoodThen]
	month     slow[views.KPIs]
	lately    slow[[]views.Day]
}

func newSite(p Pages) *site {
	f := readFiles()
	return &site{Pages: p, files: f, pages: parsePages(), lately: slow[[]views.Day]{patience: daysPatience}}
}

// troublePage tells of an error.
type troublePage struct {
	frame
	Code int
	protocol.Problem
}

// trouble shows an error as a page. Whoever is not signed in learns how to, and no more.
func (s *site) trouble(r *http.Request, code int, p protocol.Problem) api.Raw {
	if code == http.StatusUnauthorized {
		page := s.newSignin(r.Context(), s.strange("Sign in"), wantedBy(r))
		if page.Problem = p; p.Error == api.NotSignedIn {
			page.Problem, page.Nobody = protocol.Problem{}, true
		}
		return s.must("signin", page)
	}
	f := s.strange(sentence(p.Error))
	f.Menu = true
	return s.must("trouble", troublePage{frame: f, Code: code, Problem: p})
}

// must renders pages that cannot fail but by a mistake of ours, and then says so in plain text.
func (s *site) must(name string, value any) api.Raw {
	raw, err := s.render(name, value)
	if err != nil {
		return api.Raw{Type: "text/plain; charset=utf-8", Body: []byte("the server could not show this page\n")}
	}
	return raw
}
