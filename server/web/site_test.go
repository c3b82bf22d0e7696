package web

import (
	"cmp"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"plumb/modules"
	"plumb/server/api"
	"plumb/server/people"
	"plumb/server/store"
	"plumb/server/views"
)

// policyStub stands in for the policy repository, which pages only ask how it stands.
type policyStub struct{ f *fleet }

func (p policyStub) Status(context.Context) (views.Policy, error)       { return p.f.policy, nil }
func (p policyStub) Signers(context.Context) ([]string, error)          { return nil, nil }
func (p policyStub) Hook(context.Context, []byte) (any, error)          { return nil, nil }
func (p policyStub) Plans(context.Context) (views.Plans, error)         { return p.f.plans, p.f.planless }
func (p policyStub) Webhook(context.Context, http.Header, []byte) error { return nil }

// serve serves the pages as the server does, with its own routing, access and headers.
func (f *fleet) serve() http.Handler {
	a := &api.API{Store: f.store, Policy: policyStub{f}, Log: slog.New(slog.DiscardHandler), Now: f.clock}
	read := func() views.Reader {
		r := a.Views()
		r.Live = func(time.Time) []views.PatchProgress { return slices.Clone(f.work) }
		return r
	}
	pages := Pages{Read: read, Explain: f.explain, Diff: modules.TextDiff, People: f.people(), Version: "0.1.0"}
	if f.driver != nil {
		pages.Rollouts, pages.Nexts = f.driver, someNexts
	}
	if f.glancer != nil {
		pages.Rollouts = f.glancer
	}
	a.Start(pages.Routes()...)
	return a.Handler(api.PeopleDoor)
}

// someNexts stands in for what the server finds out with its compiler.
func someNexts(context.Context, time.Time) ([]views.PatchNext, error) {
	return []views.PatchNext{{Rollout: "everything", Cycle: 2, Phase: "rolling", Ring: "early", Sentence: "14 packages on 312 hosts, Saturday 22:00 host time, ring early; soak of ring canary ends Sunday"},
		{Rollout: "security", Cycle: 4, Phase: "halted", Sentence: "cycle 4 is halted in ring early (3 hosts failed): it waits for a person to resume, promote or roll back"},
		{Rollout: "later", Phase: "none", Sentence: "no cycle yet: nothing is approved"}}, nil
}

func (f *fleet) clock() time.Time { return start.Add(f.later) }

// session signs a viewer in and returns the cookie.
func (f *fleet) session() *http.Cookie {
	f.t.Helper()
	secret := people.Secret()
	must(f.t, f.store.CreateSession(f.t.Context(), store.Session{Hash: api.HashSecret(secret), Name: "grace", Role: cmp.Or(f.role, "viewer"), Expires: f.clock().Add(time.Hour)}))
	return &http.Cookie{Name: api.SessionCookie, Value: secret}
}

// answer is what a browser got.
type answer struct {
	*http.Response
	body string
}

func ask(t testing.TB, h http.Handler, r *http.Request) answer {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	resp := w.Result()
	raw, err := io.ReadAll(resp.Body)
	must(t, err)
	return answer{resp, string(raw)}
}

// visit opens an address as somebody who is signed in.
func (f *fleet) visit(address string) answer {
	f.t.Helper()
	r := httptest.NewRequest(http.MethodGet, address, nil)
	r.AddCookie(f.session())
	return ask(f.t, f.serve(), r)
}

// said is what a page must say, as HTML.
type said struct {
	address string
	code    int
	want    []string
}

func saidByPages() map[string]said {
	return map[string]said{
		"overview": {"/", 200, []string{
			"6 of 20 hosts need a look.", "ALARM:", `href="/hosts?mismatch=1">1 host</a> compiled another catalog than this server`,
			`href="/hosts?problem=1">1 host</a> refused or could not use the newest release`, `href="/hosts?status=noncompliant">3</a>`,
			"Trial mode: this server&#39;s own key signs releases", `<title>compliant: 13</title>`, "Keep time with chrony",
			`href="/drift?address=policy.ssh_baseline.sshd_directive.limits%5B%22MaxAuthTries%22%5D">4</a>`, `href="/hosts?release=3">`}},
		"hosts":              {"/hosts", 200, []string{"20 hosts", `href="/hosts/web01.example.org"`, "ALARM: compiled another catalog than the server", "role=web"}},
		"hosts by status":    {"/hosts?status=stale", 200, []string{">1 host ", "cache1.example.org", `aria-current="true"><span class="word">stale`}},
		"hosts by name":      {"/hosts?q=web1", 200, []string{">2 hosts ", "web10.example.org", "web11.example.org", `value="web1"`}},
		"hosts by label":     {"/hosts?label=role%3Ddb", 200, []string{">3 hosts "}},
		"hosts by release":   {"/hosts?release=2", 200, []string{">1 host ", "cache1.example.org", `type="hidden" name="release" value="2"`}},
		"hosts of a problem": {"/hosts?problem=1", 200, []string{">1 host ", "edge2.example.org", "Unknown fact"}},
		"hosts of an alarm":  {"/hosts?mismatch=1", 200, []string{">1 host ", "edge1.example.org"}},
		"revoked hosts":      {"/hosts?revoked=1&q=retired", 200, []string{"retired1.example.org", ">revoked<"}},
		"no such hosts":      {"/hosts?q=zebra", 200, []string{"No hosts"}},
		"bad label":          {"/hosts?label=zebra", 400, []string{"<h1>The label filter &#34;zebra&#34; has no =</h1>"}},
		"bad release":        {"/hosts?release=-1", 400, []string{"is not the number of a release"}},
		"host": {"/hosts/build1.example.org", 200, []string{"<h1>build1.example.org</h1>", `s-error`, "since <time datetime=\"2026-11-21T10:00:00Z\"",
			"declared at <code>time.hcl:12</code>", "adjtimex", "PermitRootLogin no", `class="add"`, `href="/drift?control=cis_debian12%3A5.1.16"`, "waits for the window",
			"bookworm", "package-07", "policy.<wbr>laptops.<wbr>file.<wbr>vpn"}},
		"host that is silent":      {"/hosts/cache1.example.org", 200, []string{"The host is silent. When it last reported,"}},
		"host that is fine":        {"/hosts/web01.example.org", 200, []string{"Nothing: every resource that applies passes."}},
		"revoked host":             {"/hosts/retired1.example.org", 200, []string{"<dt>Revoked</dt>"}},
		"host that never reported": {"/hosts/new1.example.org", 200, []string{"unknown", "Nothing was reported yet."}},
		"unknown host":             {"/hosts/zebra", 404, []string{"<h1>There is no host &#34;zebra&#34;</h1>", `href="/hosts"`}},
		"drift":                    {"/drift", 200, []string{"7 differences from policy in 4 resources.", "build1.example.org", "What drifted lately", "PermitRootLogin no"}},
		"drift of a resource":      {"/drift?address=" + "policy.time.service.chrony", 200, []string{"1 difference from policy shown.", "build1.example.org", "time.hcl:12"}},
		"drift of a host":          {"/drift?host=db1.example.org", 200, []string{"1 difference from policy shown.", "at most 4"}},
		"drift of a control":       {"/drift?control=cis_debian12:5.1.2", 200, []string{"1 difference from policy shown."}},
		"drift of no host":         {"/drift?host=zebra", 404, []string{"There is no host"}},
		"no drift":                 {"/drift?status=missing", 200, []string{"Nothing that this filter selects differs from policy."}},
		"changes":                  {"/changes", 200, []string{"Trial mode", "Allow only four tries", "Ada Lovelace, <code", `href="/changes/security/4">security/4: 2 packages by security, emergency</a>`, `href="/hosts?release=3">18</a> of 20`}},
		"change":                   {"/changes/3", 200, []string{"<h1>Change 3: Keep time with chrony on every server</h1>", "<strong>1</strong> failed", "build1.example.org", "edge2.example.org"}},
		"change, refusals":         {"/changes/3?kind=refused", 200, []string{"Only what is <strong>refused</strong>", "edge2.example.org"}},
		"rings": {"/rings", 200, []string{`<meta http-equiv="refresh" content="5">`, "3 h 12 min of 24 h soaked", `href="/rings/hosts?of=everything%2F2&amp;ring=canary&amp;outcome=converged">7 converged</a>`,
			`<h2 id="board-2">Patches: security</h2>`, "Halted:", `href="/hosts/db1.example.org">db1.example.org</a>`, "Nobody is in it.", `web08.example.org</a> installing 3 of 20 <meter min="0" max="20" value="3"`, "Sat 2026-11-21 22:00 on each host's clock",
			"95 % of hosts converged, at least 2", "the approval of a person", `href="/changes/security/4">Cycle 4 of security</a>`, "Waits for the ring canary"}},
		"rings, held still":         {"/rings?still=1", 200, []string{"This page stays as it is."}},
		"hosts of a ring":           {"/rings/hosts?of=security/4&ring=early", 200, []string{"<h1>Ring early with security/4</h1>", "db3.example.org"}},
		"failed hosts of a ring":    {"/rings/hosts?of=security/4&ring=early&outcome=failed", 200, []string{"db3.example.org", `aria-current="true">failed <span class="muted">3</span>`}},
		"hosts of an older change":  {"/rings/hosts?of=security/3&ring=early", 404, []string{"It is not known who is in the ring"}},
		"hosts of no change at all": {"/rings/hosts?of=%2F&ring=early", 404, []string{"It is not known who is in the ring"}},
		"patches": {"/patches", 200, []string{"20 hosts: 1 with nothing on offer", "What happens next", "soak of ring canary ends Sunday.", `href="/patches?state=approved#updates">30 approved</a>`,
			`href="/patches?state=rejected#updates">15 rejected</a>`, "Pending reboots", "the running kernel is not the newest one", "the build farm is not ready for it", "SLA standard", "overdue",
			`href="/advisories/DSA-5990-1">DSA-5990-1</a>`, "it has not reported yet"}},
		"patches in a state":     {"/patches?state=rejected", 200, []string{"docker.io", `aria-current="true">rejected <span class="muted">1</span>`}},
		"patches in no state":    {"/patches?state=zebra", 200, []string{"No update is in that state."}},
		"hosts of an update":     {"/patches/hosts?package=openssl&version=3.0.17-1~deb12u2&state=approved&baseline=security", 200, []string{"Hosts with openssl 3.0.17-1~deb12u2 on offer", "web11.example.org"}},
		"hosts of no update":     {"/patches/hosts?package=zebra", 200, []string{"No hosts, by now."}},
		"hosts of what?":         {"/patches/hosts", 404, []string{"Which update is it about?"}},
		"reboots":                {"/patches/hosts?what=reboot", 200, []string{"mail1.example.org", "libc6 was replaced"}},
		"unknown hosts":          {"/patches/hosts?what=unknown", 200, []string{"new1.example.org"}},
		"advisories":             {"/advisories", 200, []string{"40 advisories; hosts lack the answer to 2, and are late with 1", "CVE-2026-1000", "exploited", `href="/advisories/DSA-5990-1">15</a>`, "late on 15"}},
		"open advisories":        {"/advisories?open=1", 200, []string{"2 advisories; "}},
		"critical advisories":    {"/advisories?severity=critical&open=1", 200, []string{"1 advisory; ", "DSA-5990-1", `value="critical" selected`}},
		"no such advisories":     {"/advisories?severity=zebra", 200, []string{"No advisories"}},
		"advisory":               {"/advisories/DSA-5990-1", 200, []string{"<h1>DSA-5990-1</h1>", "15 hosts without the answer", "openssl 3.0.17-1~deb12u2", "web01.example.org"}},
		"advisory of no concern": {"/advisories/DSA-6010-1", 200, []string{"An answer is not on offer"}},
		"unknown advisory":       {"/advisories/zebra", 404, []string{"There is no advisory"}},
		"patch cycle": {"/changes/security/4", 200, []string{"<h1>Change security/4: 2 packages by security, emergency</h1>", "s-error", "New since the cycle before", "3.0.16-1~deb12u1",
			"No longer in it: zlib1g", "DSA-5990-1", `href="/changes/security/4?outcome=rolled&#43;back#hosts">4 rolled back</a>`, "probe nginx failed"}},
		"patch cycle, some hosts":   {"/changes/security/4?outcome=waiting", 200, []string{"Only what is <strong>waiting</strong>", "mail1.example.org"}},
		"unknown patch cycle":       {"/changes/security/9", 404, []string{"There is no patch cycle security/9"}},
		"patch cycle of nothing":    {"/changes/zebra/1", 404, []string{"There is no patch cycle zebra/1"}},
		"host with patches":         {"/hosts/db1.example.org", 200, []string{`<h2 id="patching">Patching</h2>`, "openssl went back to", "nginx 1.26 needs libpcre3", "legacy-app is held by a person", "/etc/ssl/openssl.cnf", "cron.service", "rolled back"}},
		"host that needs a restart": {"/hosts/mail1.example.org", 200, []string{"reboot pending", "libc6 was replaced"}},
		"unknown change":            {"/changes/99", 404, []string{"There is no change 99"}},
		"change without number":     {"/changes/zebra", 400, []string{"is not the number of a release"}},
	}
}

func TestPagesSay(t *testing.T) {
	f := newFleet(t)
	f.show()
	f.showPatching()
	for name, c := range saidByPages() {
		t.Run(name, func(t *testing.T) {
			got := f.visit(c.address)
			if got.StatusCode != c.code {
				t.Fatalf("GET %s = %d, want %d\n%s", c.address, got.StatusCode, c.code, got.body)
			}
			for _, want := range c.want {
				if !strings.Contains(got.body, want) {
					t.Errorf("GET %s does not say %q", c.address, want)
				}
			}
			if t.Failed() {
				t.Log(got.body)
			}
		})
	}
}

// TestEmptyFleet wants each page to say something sensible before there is anything to show.
func TestEmptyFleet(t *testing.T) {
	f := newFleet(t)
	for address, want := range map[string]string{
		"/rings": "No rollout takes changes through rings yet", "/patches": "Nothing is on offer to any host.", "/patches/hosts?what=reboot": "No hosts, by now.",
		"/advisories": "No advisories", "/changes": "No changes yet", "/": "There are no hosts yet.",
	} {
		got := f.visit(address)
		if got.StatusCode != http.StatusOK || !strings.Contains(got.body, want) || strings.Contains(got.body, "http-equiv") {
			t.Errorf("GET %s = %d, want %q", address, got.StatusCode, want)
		}
		check(t, got.body)
	}
}

// policyless is for tests that only look at the table of routes.
func policyless() views.Reader { return views.Reader{} }
