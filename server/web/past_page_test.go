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
		"hosts":                {"/hosts" + bad, []string{"As of <time", "2026-09-24 18:00:00 UTC", `<a href="/hosts">Back to now</a>`, `href="/hosts/app01.example.org?as_of=2026-09-24T18%3A00%3A00Z"`, "last seen where it is not shown", `value="2026-09-24T18:00"`}, []string{"web01.example.org"}},
		"hosts that failed":    {"/hosts" + bad + "&status=error", []string{"that this filter selects", `name="status" value="error"`, `href="/hosts?as_of=2026-09-24T18%3A00%3A00Z"`, `href="/hosts?status=error">Back to now`}, []string{"No hosts"}},
		"a host":               {"/hosts/app01.example.org" + bad, []string{"What was wrong", "not now.", "not known of then", `href="/hosts?as_of=`, `days=1`, "declared at"}, []string{"Where its values come from", "Newest run ended", "on offer</", "explain?"}},
		"policies":             {"/policies" + bad, []string{`href="/policies/time?as_of=`, `href="/controls?as_of=`, "titles of policies"}, []string{"/standing", "/drift?"}},
		"a policy":             {"/policies/time" + bad, []string{"hosts had it", `href="/policies?as_of=`}, []string{"/standing", "/drift?", "Hosts that fail"}},
		"controls":             {"/controls" + bad, []string{"of 2 pass", "5.1.16"}, []string{"/standing", "/drift?"}},
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
