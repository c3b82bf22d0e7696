package web

import (
	"maps"
	"net/http"
	"strings"
	"testing"

	"plumb/server/views"
)

// TestPagesAsOfThen asks pages about a day on which the fleet stood otherwise, and about days that there were not.
func TestPagesAsOfThen(t *testing.T) {
	f := newFleet(t)
	f.showPast(12)
	f.show()
	const bad, early = "?as_of=2026-09-24T18:00", "?as_of=2026-01-01"
	pages, session := f.serve(), f.session()
	for name, c := range map[string]struct {
		address     string
		want, lacks []string
	}{
		"hosts":             {"/hosts" + bad, []string{"As of <time", "2026-09-24 18:00:00 UTC", `<a href="/hosts">Back to now</a>`, `href="/hosts/app01.example.org?as_of=2026-09-24T18%3A00%3A00Z"`, "last seen where it is not shown", `value="2026-09-24T18:00"`}, []string{"web01.example.org"}},
		"hosts that failed": {"/hosts" + bad + "&status=error", []string{"that this filter selects", `name="status" value="error"`, `href="/hosts?as_of=2026-09-24T18%3A00%3A00Z"`, `href="/hosts?status=error">Back to now`}, []string{"No hosts"}},
		"a host":            {"/hosts/app01.example.org" + bad, []string{"What was wrong", "not now.", "not known of then", `href="/hosts?as_of=`, `days=1`, "declared at"}, []string{"Where its values come from", "Newest run ended", "on offer</", "explain?", `href="/drift?control=cis_debian12%3A5.1.16"`}},
		"policies": {"/policies" + bad, []string{`href="/policies/time?as_of=`, `href="/controls?as_of=`, "titles of policies", `href="/standing?as_of=2026-09-24T18%3A00%3A00Z&amp;policy=time">12</a>`, `href="/drift?address=policy.time.service.chrony&amp;as_of=2026-09-24T18%3A00%3A00Z">3</a>`,
			`class="spark" role="img" aria-label="`}, nil},
		"a policy": {"/policies/time" + bad, []string{"hosts had it", `href="/policies?as_of=`, `href="/standing?as_of=2026-09-24T18%3A00%3A00Z&amp;policy=time&amp;status=error">3 error</a>`, "Hosts that failed", `href="/hosts/app05.example.org?as_of=2026-09-24T18%3A00%3A00Z"`,
			`href="/policies/time?as_of=2026-09-20T00%3A00%3A00Z">2026-09-20 00:00</a>`, "at the end: 24 September 18:00 UTC: 9 of 12 hosts as wanted"}, []string{"Hosts that fail<", "as_of=2026-09-25"}},
		"controls":              {"/controls" + bad, []string{"of 2 pass", "5.1.16", `href="/standing?as_of=2026-09-24T18%3A00%3A00Z&amp;control=cis_debian12%3A5.1.2"`}, nil},
		"standing":              {"/standing" + bad + "&policy=time&status=error", []string{"app01.example.org", "app05.example.org", "app09.example.org", `href="/standing?as_of=2026-09-24T18%3A00%3A00Z&amp;policy=time">Show all`, `<a href="/standing?policy=time&amp;status=error">Back to now`}, []string{"app02.example.org"}},
		"standing of a control": {"/standing" + bad + "&control=cis_debian12:5.1.2", []string{"app12.example.org", `href="/standing?as_of=2026-09-20T00%3A00%3A00Z&amp;control=cis_debian12%3A5.1.2">2026-09-20 00:00</a>`, `href="/controls?as_of=`}, nil},
		"overview": {"/" + bad, []string{"3 of 12 hosts needed a look.", `href="/hosts?as_of=2026-09-24T18%3A00%3A00Z&amp;status=error">3</a>`, `href="/drift?address=policy.time.service.chrony&amp;as_of=2026-09-24T18%3A00%3A00Z">3</a> hosts differed`,
			`href="/?as_of=2026-09-24T18%3A00%3A00Z&amp;period=90d#trend"`, `href="/?as_of=2026-09-20T00%3A00%3A00Z&amp;period=7d">2026-09-20 00:00</a>`, "/kpis?as_of=2026-09-24T18%3A00%3A00Z&amp;from=2026-08-25", "Settle what was found in week"}, []string{"Open alerts", "Trial mode", "runs on", "Under way", "All changes"}},
		"overview of 90 days":  {"/" + bad + "&period=90d", []string{"the last 90 days", `<a href="/?period=90d">Back to now`, `name="period" value="90d"`}, nil},
		"overview before":      {"/" + early, []string{"There were no hosts yet."}, []string{"plumb token create", "Policy repository"}},
		"drift":                {"/drift" + bad, []string{"3 differences from policy.", "What differed then", `href="/hosts/app09.example.org?as_of=2026-09-24T18%3A00%3A00Z"`, "cannot start chrony.service", "time.hcl:12", "What had drifted lately", `href="/drift/feed?as_of=2026-09-24T18%3A00%3A00Z"`, "since when a resource did not pass", `type="hidden" name="as_of"`}, []string{"days=", `id="days"`, "Nothing had to be mended"}},
		"drift of a host":      {"/drift" + bad + "&host=app05.example.org&days=7", []string{"1 difference from policy.", `href="/drift?as_of=2026-09-24T18%3A00%3A00Z">Clear`, `<a href="/drift?host=app05.example.org">Back to now`}, []string{"app01.example.org"}},
		"drift of a control":   {"/drift" + bad + "&control=cis_debian12:5.1.2", []string{"Nothing that this filter selects differed from policy."}, nil},
		"drift before":         {"/drift" + early, []string{"Nothing differed from policy."}, nil},
		"what had drifted":     {"/drift/feed" + bad + "&days=7", []string{"What had drifted", `datetime="2026-09-2`, `href="/drift?as_of=`, `href="/drift/feed?as_of=2026-09-24T18%3A00%3A00Z&amp;cause=upstream&amp;days=7"`, `href="/drift/feed?days=7">Back to now`}, []string{`<time datetime="2026-10`, `<time datetime="2026-11`, `<time datetime="2026-08`}},
		"a history":            {"/hosts/app01.example.org/history" + bad, []string{"What had happened", `datetime="2026-09-2`, `href="/hosts/app01.example.org?as_of=`, `href="/hosts/app01.example.org/history?as_of=2026-09-24T18%3A00%3A00Z&amp;what=drift"`}, []string{`<time datetime="2026-10`, `<time datetime="2026-11`}},
		"packages":             {"/hosts/app01.example.org/packages" + bad, []string{"not known of then: updates on offer", " installed", `href="/hosts?as_of=`}, []string{"On offer</th>"}},
		"before there was one": {"/hosts" + early, []string{"There were no hosts yet."}, []string{"plumb token create"}},
		"policies before":      {"/policies" + early, []string{"No host had a policy yet."}, nil},
		"controls before":      {"/controls" + early, []string{"No resource named a control then."}, nil},
		"to come is now":       {"/hosts?as_of=2027-01-01", []string{"As of another time"}, []string{"Back to now"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := body(t, pages, session, c.address)
			check(t, got)
			for _, want := range c.want {
				if !strings.Contains(strings.ToLower(got), strings.ToLower(want)) {
					t.Errorf("GET %s lacks %q", c.address, want)
				}
			}
			_, main, _ := strings.Cut(got, "<main")
			for _, no := range c.lacks {
				if strings.Contains(main, no) {
					t.Errorf("GET %s has %q", c.address, no)
				}
			}
			if t.Failed() {
				t.Log(got)
			}
		})
	}
	for address, code := range map[string]int{"/hosts?as_of=zebra": 400, "/policies?as_of=zebra": 400, "/controls?as_of=1": 400, "/hosts/app01.example.org?as_of=x": 400,
		"/?as_of=x": 400, "/drift?as_of=x": 400, "/drift/feed?as_of=x": 400, "/standing?as_of=x": 400, "/hosts/app01.example.org/history?as_of=x": 400, "/hosts/app01.example.org/packages?as_of=x": 400,
		"/drift" + early + "&host=app01.example.org": 404, "/drift/feed" + early + "&host=app01.example.org": 404, "/hosts/app01.example.org/history" + early: 404, "/hosts/app01.example.org/packages" + early: 404,
		"/hosts/app01.example.org" + early: http.StatusNotFound, "/policies/zebra" + bad: http.StatusNotFound} {
		if got := f.visit(address); got.StatusCode != code {
			t.Errorf("GET %s = %d, want %d", address, got.StatusCode, code)
		}
	}
}

// TestPastIsWhatItWas asks about now as about the past: but for what nobody writes down, it is the same.
func TestPastIsWhatItWas(t *testing.T) {
	f := newFleet(t)
	f.showPast(12)
	ctx, read := t.Context(), f.reader()
	now, err := read.Compliance(ctx)
	must(t, err)
	then, _, err := read.ComplianceAt(ctx, start)
	must(t, err)
	if len(now.Policies) != len(then.Policies) || now.Hosts != then.Hosts || now.Unanswered != then.Unanswered {
		t.Fatalf("ComplianceAt = %+v, want %+v", then, now)
	}
	for i, p := range now.Policies {
		if q := then.Policies[i]; p.Name != q.Name || !sameTally(p.Status, q.Status) || len(p.Resources) != len(q.Resources) {
			t.Errorf("policy %s stands at %v, as of the same instant at %v", p.Name, p.Status, q.Status)
		}
	}
	for i, f := range now.Frameworks {
		for k, control := range f.Controls {
			if other := then.Frameworks[i].Controls[k]; control.Verdict != other.Verdict || !sameTally(control.Status, other.Status) {
				t.Errorf("control %s is %s, as of the same instant %s", control.Control, control.Verdict, other.Verdict)
			}
		}
	}
}

func (f *fleet) reader() views.Reader { return views.Reader{Store: f.store} }

func sameTally(a, b views.Tally) bool { return maps.Equal(a, b) }
