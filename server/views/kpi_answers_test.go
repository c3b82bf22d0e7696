package views

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plumb/inventory"
	"plumb/policies"
	"plumb/policies/patch"
	"plumb/server/kpi"
	"plumb/server/store"
)

func kpiMinute(n int) time.Time { return kpiStart.Add(time.Duration(n) * time.Minute) }

// found stores what a run found of the policies p (a and b) and q (c), and counts it.
func found(t *testing.T, s *store.Store, a, b, c policies.Status) (string, map[policies.Status]int) {
	t.Helper()
	result := policies.Result{Resources: []policies.ResourceResult{{Address: "policy.p.file.a", Status: a}, {Address: "policy.p.file.b", Status: b}, {Address: "policy.q.file.c", Status: c}}}
	raw, err := json.Marshal(result)
	if err == nil {
		err = s.PutObject(t.Context(), store.Ref{Kind: store.KindResult, Digest: inventory.Digest(raw)}, raw, kpiStart)
	}
	if err != nil {
		t.Fatal(err)
	}
	return inventory.Digest(raw), result.Counts()
}

// worked is a history of 100 minutes:
//
//	web1  10 all three in order   40 p's a has drifted (seen in order at 10)   70 it is mended
//	db1   20 all three in order   80 q's c had drifted (seen in order at 20) and was mended by the same run
//
// Release 1 was made at minute 5. Both hosts call until minute 100.
func worked(t *testing.T) Reader {
	s := kpiStore(t)
	good, repaired, bad := policies.Compliant, policies.Repaired, policies.Noncompliant
	drift := func(at, checked int, kind, address string, status policies.Status) store.Event {
		return store.Event{At: kpiMinute(at), Checked: kpiMinute(checked), Kind: kind, Address: address, Cause: policies.Corrective, Status: status, Release: 1}
	}
	type run struct {
		at      int
		a, b, c policies.Status
		events  []store.Event
	}
	for name, runs := range map[string][]run{
		"web1": {{10, good, good, good, nil},
			{40, bad, good, good, []store.Event{drift(40, 10, store.EventOpened, "policy.p.file.a", bad)}},
			{70, repaired, good, good, []store.Event{drift(70, 0, store.EventRepaired, "policy.p.file.a", repaired), drift(70, 0, store.EventClosed, "policy.p.file.a", repaired)}}},
		"db1": {{20, good, good, good, nil},
			{80, good, good, repaired, []store.Event{drift(80, 20, store.EventRepaired, "policy.q.file.c", repaired)}}},
	} {
		id := kpiHost(t, s, name)
		epoch := ""
		for i, r := range runs {
			result, counts := found(t, s, r.a, r.b, r.c)
			worst := policies.Worst(r.a, r.b, r.c)
			step := store.Step{NewInterval: true, Events: r.events, Report: policies.Report{Epoch: "e", Seq: uint64(i + 1)},
				Host: store.Host{Release: 1, Commit: "c1", Facts: "f", Catalog: "c", Result: result, Since: kpiMinute(r.at), Ran: kpiMinute(r.at), Found: worst, Counts: counts}}
			kpiMust(t, s.Seen(t.Context(), id, store.Heartbeat{}, kpiMinute(r.at)))
			kpiMust(t, s.Accept(t.Context(), id, epoch, uint64(i), []store.Step{step}, kpiMinute(r.at)))
			epoch = "e"
		}
		kpiMust(t, s.Seen(t.Context(), id, store.Heartbeat{}, kpiMinute(100)))
		terms, err := json.Marshal(patch.Terms{Groups: []string{name[:len(name)-1]}})
		kpiMust(t, err)
		h, err := s.Host(t.Context(), id)
		kpiMust(t, err)
		kpiMust(t, s.SetExpected(t.Context(), []store.Expectation{{Host: h, Terms: terms}}, kpiStart))
	}
	kpiMust(t, s.AddRelease(t.Context(), store.Release{Number: 1, Commit: "c1", Made: kpiMinute(5)}))
	return Reader{Store: s}
}

func kpiMust(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestKnownAnswers were worked out on paper: by host, group, policy and period.
func TestKnownAnswers(t *testing.T) {
	r := worked(t)
	for name, c := range map[string]struct {
		filter KPIFilter
		want   string
	}{
		// In order: web1 3·30 + 2·30 + 3·30 = 240 resource minutes, db1 3·60 + 3·20 = 240.
		"everything": {KPIFilter{}, "success 1 of 1; 2 episodes; detect 45; repair 15; between 480 / 2 = 240"},
		"web1":       {KPIFilter{Host: "web1"}, "success 1 of 1; 1 episodes; detect 30; repair 30; between 240 / 1 = 240"},
		"db1":        {KPIFilter{Host: "db1"}, "success 1 of 1; 1 episodes; detect 60; repair 0; between 240 / 1 = 240"},
		"group web":  {KPIFilter{Group: "web"}, "success 1 of 1; 1 episodes; detect 30; repair 30; between 240 / 1 = 240"},
		"group db":   {KPIFilter{Group: "db"}, "success 1 of 1; 1 episodes; detect 60; repair 0; between 240 / 1 = 240"},
		// Of p: web1 2·30 + 1·30 + 2·30 = 150, db1 2·80 = 160. Of q: web1 90, db1 80.
		"policy p":        {KPIFilter{Query: kpi.Query{Policy: "p"}}, "success 1 of 1; 1 episodes; detect 30; repair 30; between 310 / 1 = 310"},
		"policy q":        {KPIFilter{Query: kpi.Query{Policy: "q"}}, "success 1 of 1; 1 episodes; detect 60; repair 0; between 170 / 1 = 170"},
		"policy p on db1": {KPIFilter{Host: "db1", Query: kpi.Query{Policy: "p"}}, "success 1 of 1; 0 episodes; detect none; repair none; between 160 / 0 = none"},
		"no such policy":  {KPIFilter{Query: kpi.Query{Policy: "z"}}, "success 1 of 1; 0 episodes; detect none; repair none; between 0 / 0 = none"},
		// The first hour: web1 90 + 2·20 = 130, db1 3·40 = 120; the rest of both is in the second one.
		"first hour": {KPIFilter{Query: kpi.Query{To: kpiMinute(60)}}, "success 1 of 1; 1 episodes; detect 30; repair none; between 250 / 1 = 250"},
		"the rest":   {KPIFilter{Query: kpi.Query{From: kpiMinute(60)}}, "success 0 of 0; 1 episodes; detect 60; repair 15; between 230 / 1 = 230"},
		// As of minute 50 db1 has not drifted yet, and web1 was in order for 90 + 2·10, db1 for 3·30.
		"as of minute 50":         {KPIFilter{Query: kpi.Query{To: kpiMinute(50), AsOf: kpiMinute(50)}}, "success 1 of 1; 1 episodes; detect 30; repair none; between 200 / 1 = 200"},
		"web1, p, the first hour": {KPIFilter{Host: "web1", Query: kpi.Query{Policy: "p", To: kpiMinute(60)}}, "success 1 of 1; 1 episodes; detect 30; repair none; between 80 / 1 = 80"},
	} {
		f := c.filter
		for _, at := range []struct {
			t         *time.Time
			otherwise time.Time
		}{{&f.From, kpiStart}, {&f.AsOf, kpiMinute(100)}, {&f.To, kpiMinute(100)}} {
			if at.t.IsZero() {
				*at.t = at.otherwise
			}
		}
		got, err := r.KPIs(t.Context(), f)
		kpiMust(t, err)
		if diff := cmp.Diff(c.want, answer(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// answer is in minutes.
func answer(f KPIs) string {
	minutes := func(seconds *float64) string {
		if seconds == nil {
			return "none"
		}
		return fmt.Sprintf("%g", *seconds/60)
	}
	return fmt.Sprintf("success %d of %d; %d episodes; detect %s; repair %s; between %g / %d = %s", f.Changes.Success.Count, f.Changes.Success.Of,
		f.Drift.Episodes, minutes(f.Drift.Detect.Mean), minutes(f.Drift.Repair.Mean), f.Drift.InOrder/60, f.Drift.Episodes, minutes(f.Drift.Between))
}
