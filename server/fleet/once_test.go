package fleet

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"plumb/inventory"
	"plumb/policies"
	"plumb/server/store"
)

// TestReportsCountOnce delivers the same reports to two hosts: to one in order, to the other
// shuffled, in pieces, several times and at once, results within the check-in or by themselves. What is stored
// must be the same.
func TestReportsCountOnce(t *testing.T) {
	f := newFleet(t)
	hosts := 0
	rapid.Check(t, func(rt *rapid.T) {
		hosts++
		plain := f.enrol(t, fmt.Sprintf("plain%d", hosts))
		wild := f.enrol(t, fmt.Sprintf("wild%d", hosts))
		reports := drawReports(rt, plain)
		wild.objects = plain.objects
		now := start.Add(24 * time.Hour)
		ctx := context.Background()
		for _, r := range reports {
			_, err := plain.deliver(ctx, now, r)
			must(t, err)
			contentOf(t, f, plain)
		}
		for range rapid.IntRange(1, 3).Draw(rt, "bursts") {
			burst(rt, t, wild, reports, now)
		}
		for at := 0; at < len(reports); { // the agent never gives up
			answer, err := wild.deliver(ctx, now, reports[at:]...)
			must(t, err)
			at = int(answer.Accepted)
		}
		same(t, "content", contentOf(t, f, wild), contentOf(t, f, plain))
	})
}

// burst delivers pieces of the reports at once.
func burst(rt *rapid.T, t *testing.T, a *agent, reports []policies.Report, now time.Time) {
	var wg sync.WaitGroup
	for range rapid.IntRange(1, 4).Draw(rt, "deliveries") {
		from := rapid.IntRange(0, len(reports)-1).Draw(rt, "from")
		to := rapid.IntRange(from+1, len(reports)).Draw(rt, "to")
		piece := slices.Clone(reports[from:to])
		if rapid.Bool().Draw(rt, "backwards") {
			slices.Reverse(piece)
		}
		sender := *a
		sender.inline = rapid.Bool().Draw(rt, "inline")
		wg.Go(func() {
			if _, err := sender.deliver(context.Background(), now, piece...); err != nil {
				t.Errorf("cannot deliver: %v", err)
			}
		})
	}
	wg.Wait()
}

func drawReports(rt *rapid.T, a *agent) []policies.Report {
	statuses := []policies.Status{policies.Compliant, policies.Repaired, policies.Noncompliant, policies.Failed, policies.Pending}
	var reports []policies.Report
	for i := range rapid.IntRange(1, 8).Draw(rt, "reports") {
		found := outcome{}
		for _, address := range []string{"a", "b", "c"} {
			if rapid.IntRange(0, 9).Draw(rt, "declared") > 0 {
				found[address] = rapid.SampledFrom(statuses).Draw(rt, address)
			}
		}
		minutes := time.Duration(rapid.IntRange(-5, 5).Draw(rt, "skew")+10*i) * time.Minute
		r := a.report(uint64(rapid.IntRange(1, 2).Draw(rt, "release")), found, start.Add(minutes))
		r.BootID = rapid.SampledFrom([]string{"boot1", "boot2"}).Draw(rt, "boot")
		if rapid.IntRange(0, 9).Draw(rt, "broken") == 0 {
			r.Catalog, r.Result, r.Problem = "", "", "does not compile"
		}
		reports = append(reports, r)
	}
	return reports
}

// content is everything that reports leave behind.
type content struct {
	Host      store.Host
	Intervals []store.Interval
	Events    []store.Event
	Findings  []store.Finding
}

// contentOf reads what is stored of a host, without what tells two hosts apart.
func contentOf(t *testing.T, f *Fleet, a *agent) content {
	t.Helper()
	c, err := readContent(context.Background(), f.Store, a.id)
	must(t, err)
	c.Host.ID, c.Host.Name, c.Host.Key = "", "", ""
	if allPass(c.Host) && len(c.Findings) > 0 {
		t.Fatalf("allPass(%v) = true, but there are %d findings", c.Host.Counts, len(c.Findings))
	}
	for i := range c.Intervals {
		c.Intervals[i].Host = ""
	}
	for i := range c.Events {
		c.Events[i].ID, c.Events[i].Host, c.Events[i].HostName = 0, "", ""
	}
	for i := range c.Findings {
		c.Findings[i].Host, c.Findings[i].HostName = "", ""
	}
	return c
}

func readContent(ctx context.Context, s *store.Store, id inventory.HostID) (content, error) {
	var c content
	var errs [4]error
	c.Host, errs[0] = s.Host(ctx, id)
	c.Intervals, errs[1] = s.Intervals(ctx, id, 0)
	c.Events, errs[2] = s.Events(ctx, store.EventFilter{Host: id, Limit: 1_000_000})
	c.Findings, errs[3] = s.Findings(ctx, store.FindingFilter{Host: id})
	return c, errors.Join(errs[:]...)
}
