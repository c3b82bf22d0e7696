package web

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"plumb/policies"
	"plumb/server/store"
	"plumb/server/views"
)

// TestDaysAreWhatTheyWere counts each of 40 days at once and for itself, twice: the second time most is remembered.
func TestDaysAreWhatTheyWere(t *testing.T) {
	f := newFleet(t)
	f.showPast(12)
	f.show()
	ctx, read := t.Context(), views.Reader{Store: f.store, Memory: &views.Memory{}}
	for _, now := range []time.Time{start, start.Add(time.Hour), start.AddDate(0, 0, -20)} {
		days, err := read.Days(ctx, 40, now)
		must(t, err)
		for _, day := range days {
			want, _, err := f.reader().ComplianceAt(ctx, day.At)
			must(t, err)
			policies, controls := map[string]views.Tally{}, map[string]views.Tally{}
			for _, p := range want.Policies {
				policies[p.Name] = p.Status
			}
			for _, framework := range want.Frameworks {
				for _, control := range framework.Controls {
					controls[control.Control] = control.Status
				}
			}
			if !maps.EqualFunc(day.Policies, policies, sameTally) || !maps.EqualFunc(day.Controls, controls, sameTally) {
				t.Errorf("at %s policies stood at %v and controls at %v, want %v and %v", day.At, day.Policies, day.Controls, policies, controls)
			}
		}
		if first, last := days[0].At, days[39].At; !last.Equal(now.Truncate(24*time.Hour)) || last.Sub(first) != 39*24*time.Hour {
			t.Errorf("days from %s to %s as of %s", first, last, now)
		}
	}
}

// TestDaysOfAKnownFleet has two hosts, of which the answers are known.
func TestDaysOfAKnownFleet(t *testing.T) {
	f := newFleet(t)
	day := func(n int, clock time.Duration) time.Time {
		return start.Truncate(24*time.Hour).AddDate(0, 0, n).Add(clock)
	}
	bad := map[string]policies.ResourceResult{maxAuth: {Status: policies.Noncompliant}}
	a, b := f.someStory("a.example.org", 6), f.someStory("b.example.org", 4)
	a.tell(day(-5, 0), 1, nil) // at midnight: it counts on that day
	a.tell(day(-4, time.Hour), 1, bad)
	a.tell(day(-4, 2*time.Hour), 1, nil) // no day begins with it
	a.tell(day(-3, 23*time.Hour), 1, bad)
	a.tell(day(-1, 0), 1, nil)
	b.tell(day(-3, time.Minute), 1, bad)
	_, err := f.store.MarkStale(t.Context(), day(-2, time.Hour), day(-2, time.Hour))
	must(t, err)
	b.tell(day(0, 0), 1, nil)
	days, err := f.reader().Days(t.Context(), 7, start)
	must(t, err)
	want := []string{"map[]", "map[compliant:1]", "map[compliant:1]", "map[compliant:1]", "map[noncompliant:2]", "map[compliant:1 stale:1]", "map[compliant:2]"}
	for i, one := range days {
		got := fmt.Sprint(map[policies.Status]int(one.Policies["ssh_baseline"]))
		if got != want[i] || fmt.Sprint(map[policies.Status]int(one.Controls["cis_debian12:5.1.16"])) != want[i] {
			t.Errorf("at %s: %s, want %s", one.At, got, want[i])
		}
	}
}

// TestListsOfThePast asks who stood how now and as of the same instant, and about instants of which the answer is known.
func TestListsOfThePast(t *testing.T) {
	f := newFleet(t)
	f.showPast(12)
	f.show()
	ctx, read := t.Context(), f.reader()
	for _, filter := range []views.StandingFilter{{}, {Policy: "ssh_baseline"}, {Control: "cis_debian12:5.1.16", Status: policies.Noncompliant}, {Address: chrony}, {Policy: "time", Status: policies.Stale}, {Policy: "time", Limit: 3, After: "app02.example.org"}} {
		now, err := read.HostStandings(ctx, filter)
		must(t, err)
		then, err := read.HostStandingsAt(ctx, filter, start)
		must(t, err)
		if !slices.Equal(now, then) {
			t.Errorf("%+v: hosts stand like %v, as of the same instant like %v", filter, now, then)
		}
	}
	for _, one := range []struct {
		now  store.FindingFilter
		then views.PastDriftFilter
	}{{}, {store.FindingFilter{Policy: "time"}, views.PastDriftFilter{Policy: "time"}}, {store.FindingFilter{Status: policies.Noncompliant}, views.PastDriftFilter{Status: policies.Noncompliant}},
		{store.FindingFilter{Control: "cis_debian12:5.1.2"}, views.PastDriftFilter{Control: "cis_debian12:5.1.2"}}, {store.FindingFilter{Address: chrony}, views.PastDriftFilter{Address: chrony}}} {
		drift, err := read.Drift(ctx, views.DriftFilter{FindingFilter: one.now})
		must(t, err)
		one.then.Limit = 1000
		drift.Findings = slices.DeleteFunc(drift.Findings, func(one views.Finding) bool { return one.Status == policies.Pending }) // the server has none
		then, more, _, err := read.DriftAt(ctx, one.then, start)
		must(t, err)
		if got, want := named(then), named(drift.Findings); more || len(want) == 0 || !slices.Equal(got, want) {
			t.Errorf("%+v: %v differs, as of the same instant %v", one.then, want, got)
		}
	}
	whole, _, _, err := read.DriftAt(ctx, views.PastDriftFilter{Limit: 1000}, start)
	must(t, err)
	var pages []views.Finding
	for after, more := "", true; more; after = pages[len(pages)-1].Host {
		var page []views.Finding
		page, more, _, err = read.DriftAt(ctx, views.PastDriftFilter{Limit: 2, After: after}, start)
		must(t, err)
		pages = append(pages, page...)
	}
	if !slices.Equal(named(pages), named(whole)) {
		t.Errorf("pages have %v, want %v", named(pages), named(whole))
	}
}

func named(list []views.Finding) []string {
	var names []string
	for _, one := range list {
		names = append(names, fmt.Sprint(one.Host, " ", one.Address, " ", one.Status, " ", one.Message, " ", one.Changes, " ", one.Source))
	}
	slices.Sort(names)
	return names
}

// TestTrendOfThePast has its last point where the fleet stood then, and the ones before where it stands today.
func TestTrendOfThePast(t *testing.T) {
	f := newFleet(t)
	f.showPast(12)
	ctx, read := t.Context(), f.reader()
	for _, then := range []time.Time{start, start.AddDate(0, 0, -58).Add(6*time.Hour + time.Millisecond), start.AddDate(-1, 0, 0)} {
		for _, period := range views.Periods() {
			trend, err := read.TrendAt(ctx, period, then)
			must(t, err)
			if last := trend.Points[len(trend.Points)-1]; !last.At.Equal(then) {
				t.Errorf("the trend as of %s ends at %s", then, last.At)
			}
			for i, point := range trend.Points {
				fleet, err := read.FleetAt(ctx, point.At)
				must(t, err)
				if !maps.Equal(point.Status, fleet.Status) && len(point.Status)+len(fleet.Status) > 0 {
					t.Errorf("as of %s, %s, point %d at %s: %v, want %v", then, period, i, point.At, point.Status, fleet.Status)
				}
			}
		}
	}
}
