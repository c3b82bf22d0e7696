package fleet

import (
	"testing"
	"time"

	"plumb/policies"
	"plumb/server/store"
)

// TestDriftTellsWhenItWasLastInOrder delivers runs a minute apart, at once and one by one. The
// newest one finds drift of the resource a.
func TestDriftTellsWhenItWasLastInOrder(t *testing.T) {
	at := func(minutes int) time.Time { return start.Add(time.Duration(minutes) * time.Minute) }
	const ok, mended, bad, waits = policies.Compliant, policies.Repaired, policies.Noncompliant, policies.Pending
	for name, c := range map[string]struct {
		before []outcome
		found  policies.Status
		want   time.Time
	}{
		"by the run before, which changed nothing": {[]outcome{{"a": ok}, {"a": ok}, {"a": ok}}, mended, at(2)},
		"while another resource was broken":        {[]outcome{{"a": ok, "b": bad}}, bad, at(0)},
		"mended by the run before":                 {[]outcome{{"a": ok}, {"a": mended}}, mended, at(1)},
		"it waited for a window":                   {[]outcome{{"a": ok}, {"a": waits}}, mended, time.Time{}},
		"it was open":                              {[]outcome{{"a": ok}, {"a": bad}}, mended, time.Time{}},
		"it was not there":                         {[]outcome{{"b": ok}}, bad, time.Time{}},
		"no run before":                            {nil, bad, time.Time{}},
	} {
		for _, way := range []string{"at once", "one by one"} {
			t.Run(name+", "+way, func(t *testing.T) {
				f := newFleet(t)
				a := f.enrol(t, "web1")
				var reports []policies.Report
				for i, found := range append(c.before, outcome{"a": c.found}) {
					reports = append(reports, a.report(1, found, at(i)))
				}
				for len(reports) > 0 {
					n := len(reports)
					if way == "one by one" {
						n = 1
						f.objects = cache{} // as after a start of the server
					}
					_, err := a.deliver(t.Context(), at(60), reports[:n]...)
					must(t, err)
					reports = reports[n:]
				}
				events, err := f.Store.Events(t.Context(), store.EventFilter{Address: "a", Kinds: []string{store.EventRepaired, store.EventOpened}})
				must(t, err)
				same(t, "checked", events[0].Checked, c.want)
			})
		}
	}
}

// TestDriftAfterARunThatProvesNothing has a result that belongs to another catalog.
func TestDriftAfterARunThatProvesNothing(t *testing.T) {
	f := newFleet(t)
	a := f.enrol(t, "web1")
	first, other := a.report(1, outcome{"a": policies.Compliant}, start), a.report(1, outcome{"a": policies.Compliant, "b": policies.Compliant}, start)
	first.Seq, other.Seq, first.Result = 1, 2, other.Result
	drift := a.report(1, outcome{"a": policies.Repaired}, start)
	drift.Seq = 2
	for _, r := range []policies.Report{first, drift} {
		_, err := a.deliver(t.Context(), start, r)
		must(t, err)
	}
	events, err := f.Store.Events(t.Context(), store.EventFilter{Address: "a", Kinds: []string{store.EventRepaired}})
	must(t, err)
	same(t, "checked", []time.Time{events[0].Checked}, []time.Time{{}})
}
