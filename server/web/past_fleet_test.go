package web

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"plumb/inventory"
	"plumb/policies"
	"plumb/policies/bundle"
	"plumb/server/store"
	"plumb/testenv/browser"
)

// story is the past of one host that is told report by report.
type story struct {
	f    *fleet
	id   inventory.HostID
	at   time.Time
	seq  uint64
	last map[string]policies.Status
}

// someStory enrols a host so many days ago.
func (f *fleet) someStory(name string, days int) *story {
	f.t.Helper()
	at := start.AddDate(0, 0, -days)
	ctx := f.t.Context()
	must(f.t, f.store.CreateToken(ctx, store.Token{ID: "t-" + name, Hash: "h-" + name, Created: at, Expires: at.Add(time.Hour)}))
	id := inventory.HostID("id-" + name)
	h := store.Host{Host: inventory.Host{ID: id, Name: name, Labels: map[string]string{"role": "app"}}, Key: "SHA256:" + name}
	must(f.t, f.store.CreateHost(ctx, h, "h-"+name, at))
	return &story{f: f, id: id, at: at, last: map[string]policies.Status{}}
}

// tell stores what a run found at an instant; what is not named is in order.
func (s *story) tell(at time.Time, release uint64, found map[string]policies.ResourceResult) {
	f := s.f
	f.t.Helper()
	result := f.result(found)
	h := store.Host{Release: release, Commit: fmt.Sprintf("%040d", release), Facts: f.put(store.KindFacts, someFacts()), Catalog: f.put(store.KindCatalog, someCatalog()),
		Result: f.put(store.KindResult, result), Since: at, Ran: at, Found: worstOf(result), Counts: result.Counts(), BootID: "b"}
	step := store.Step{Report: policies.Report{Epoch: "e", Seq: s.seq + 1}, NewInterval: true, Host: h}
	events, findings := f.happened(h, result, at)
	for _, e := range events {
		e.Checked = s.at
		if e.Kind == store.EventOpened && s.last[e.Address] != "" {
			continue // it was open before
		}
		step.Events = append(step.Events, e)
	}
	now := map[string]policies.Status{}
	for _, one := range findings {
		now[one.Address] = one.Status
	}
	for _, address := range sortedAddresses(s.last) {
		if now[address] == "" {
			step.Events = append(step.Events, store.Event{At: at, Kind: store.EventClosed, Address: address, Status: policies.Compliant, Before: s.last[address], Release: release})
		}
	}
	step.Findings, s.last = findings, now
	epoch := "e"
	if s.seq == 0 {
		epoch = ""
	}
	must(f.t, f.store.Seen(f.t.Context(), s.id, store.Heartbeat{Agent: "0.1.0"}, at))
	must(f.t, f.store.Accept(f.t.Context(), s.id, epoch, s.seq, []store.Step{step}, at))
	s.seq, s.at = s.seq+1, at
}

func sortedAddresses(m map[string]policies.Status) []string {
	var list []string
	for address := range m {
		list = append(list, address)
	}
	slices.Sort(list)
	return list
}

// showPast adds hosts with months behind them: releases every ten days, drift now and then that is mended
// at the next run or the one after, a bad week, and a night of silence.
func (f *fleet) showPast(hosts int) {
	f.t.Helper()
	dice := rand.New(rand.NewPCG(4, 2))
	var releases []time.Time
	for days := 88; days > 12; days -= 10 {
		at := start.AddDate(0, 0, -days).Add(-time.Duration(days%3) * time.Hour)
		releases = append(releases, at)
		f.policyRelease(fmt.Sprintf("Settle what was found in week %d", 13-days/7), at)
	}
	for i := range hosts {
		s := f.someStory(fmt.Sprintf("app%02d.example.org", i+1), 92-i%40)
		s.live(dice, releases, i)
	}
	f.showAlerts()
}

// policyRelease adds a release with a policy in it, which says something else each time.
func (f *fleet) policyRelease(subject string, made time.Time) {
	f.t.Helper()
	n := f.policy.Release + 1
	tree := bundle.Tree{"ssh/baseline.hcl": fmt.Appendf(nil, "policy \"ssh_baseline\" {\n  mode = \"enforce\"\n\n  resource \"sshd_directive\" \"limits\" {\n    name  = \"MaxAuthTries\"\n    value = %d\n  }\n}\n", n),
		fmt.Sprintf("hosts/rack%d.hcl", n): []byte("host \"app01.example.org\" {}\n")}
	raw, err := bundle.Pack(tree)
	must(f.t, err)
	digest := inventory.Digest(raw)
	must(f.t, f.store.PutObject(f.t.Context(), store.Ref{Kind: store.KindBundle, Digest: digest}, raw, made))
	f.policy.Release, f.policy.Commit = n, inventory.Digest([]byte(subject))[:40]
	must(f.t, f.store.AddRelease(f.t.Context(), store.Release{Number: n, Commit: f.policy.Commit, Subject: subject, Author: "Ada Lovelace <ada@example.org>",
		Committed: made.Add(-time.Hour), Made: made, Bundle: digest, Tag: digest, Size: int64(len(raw)), RollbackTo: n - 1, Signer: "plumb-trial", Key: "SHA256:abc", Trial: true}))
}

// live tells what happened to a host until today.
func (s *story) live(dice *rand.Rand, releases []time.Time, i int) {
	silent := 0
	for day := s.at; day.Before(start.Add(-12 * time.Hour)); day = day.Add(time.Duration(20+dice.IntN(60)) * time.Hour) {
		at := day.Add(time.Duration(dice.IntN(90)) * time.Minute)
		release := uint64(1)
		for n, made := range releases {
			if at.After(made.Add(time.Duration(i) * 40 * time.Minute)) {
				release = uint64(n + 1)
			}
		}
		ago := start.Sub(at).Hours() / 24
		switch chance := dice.IntN(100); {
		case ago > 55 && ago < 63 && i%4 == 0:
			s.tell(at, release, map[string]policies.ResourceResult{chrony: {Status: policies.Failed, Cause: policies.Corrective, Message: "cannot start chrony.service"}})
		case chance < 12:
			s.tell(at, release, map[string]policies.ResourceResult{dropin: edited()})
		case chance < 22:
			s.tell(at, release, map[string]policies.ResourceResult{maxAuth: {Status: policies.Noncompliant, Cause: policies.Corrective}})
			s.tell(at.Add(time.Duration(1+dice.IntN(300))*time.Minute), release, nil)
		case chance < 27:
			s.tell(at, release, map[string]policies.ResourceResult{openssl: {Status: policies.Pending, Message: "waits for the window sat_night"}})
		case chance < 29 && silent == 0:
			silent++
			_, err := s.f.store.MarkStale(s.f.t.Context(), at, at)
			must(s.f.t, err)
		case chance < 50:
			s.tell(at, release, map[string]policies.ResourceResult{maxAuth: {Status: policies.Repaired, Cause: policies.Intentional, Changes: []policies.Change{{Attribute: "value", Before: "6", After: "4"}}}})
		default:
			s.tell(at, release, nil)
		}
	}
	s.tell(start.Add(-time.Duration(i)*7*time.Minute), s.f.policy.Release, nil)
	must(s.f.t, s.f.store.Seen(s.f.t.Context(), s.id, store.Heartbeat{Agent: "0.1.0"}, start.Add(-time.Minute)))
}

// showAlerts has open alerts, ended ones, and what was told of them.
func (f *fleet) showAlerts() {
	f.t.Helper()
	opened := func(kind, subject, severity, detail string, ago, lasted time.Duration) store.EpisodeChange {
		e := store.Episode{Key: kind + subject + detail, Kind: kind, Subject: subject, Severity: severity, Detail: detail, Opened: start.Add(-ago)}
		if lasted > 0 {
			e.Cleared, e.Closed = start.Add(lasted-ago), start.Add(lasted-ago)
		}
		state, answer := store.DeliveryDelivered, ""
		if severity == "medium" {
			state, answer = store.DeliveryFailed, "503 Service Unavailable, 12 times in a day"
		}
		return store.EpisodeChange{Episode: e, Tell: []store.Delivery{{Sink: "pager", What: "opened", Token: e.Key, State: state, Attempts: 2, Made: e.Opened, Done: e.Opened, Answer: answer, Ref: "INC-4711"}}}
	}
	must(f.t, f.store.ChangeEpisodes(f.t.Context(), []store.EpisodeChange{
		opened("host_noncompliant", "web03.example.org", "high", "1 high, such as "+dropin, 30*24*time.Hour, 2*time.Hour),
		opened("rollout_halted", "release 2", "critical", "in the ring canary: 2 of 3 hosts failed", 9*24*time.Hour, 40*time.Minute),
		opened("patch_overdue", "standard", "medium", "15 hosts lack DSA-5990-1", 3*24*time.Hour, 0),
		opened("host_silent", "cache1.example.org", "high", "last seen 2026-11-20T10:00:00Z", 25*time.Hour, 0),
		opened("catalog_mismatch", "edge1.example.org", "critical", "release 3", time.Hour, 0),
	}))
}

// pastPages are the pages that show more when there is a past.
var pastPages = map[string]string{"overview": "/?period=30d", "overview-90d": "/?period=90d", "policies": "/policies", "policy": "/policies/ssh_baseline", "controls": "/controls",
	"standing": "/standing?policy=ssh_baseline", "kpis": "/kpis", "kpis-90d": "/kpis?from=2026-08-23", "alerts": "/alerts", "events": "/events?what=drift&from=2026-11-01",
	"hosts-then": "/hosts?as_of=2026-09-24T18:00", "host-then": "/hosts/app01.example.org?as_of=2026-09-24T18:00", "policies-then": "/policies?as_of=2026-09-24T18:00",
	"policy-then": "/policies/time?as_of=2026-09-24T18:00", "controls-then": "/controls?as_of=2026-09-24T18:00",
	"overview-then": "/?as_of=2026-09-24T18:00", "drift-then": "/drift?as_of=2026-09-24T18:00", "drift_feed-then": "/drift/feed?as_of=2026-09-24T18:00", "standing-control": "/standing?control=cis_debian12:5.1.16",
	"standing-then": "/standing?policy=time&status=error&as_of=2026-09-24T18:00", "history-then": "/hosts/app01.example.org/history?as_of=2026-09-24T18:00", "packages-then": "/hosts/app01.example.org/packages?as_of=2026-09-24T18:00",
	"overview-before": "/?as_of=2026-01-01", "drift": "/drift",
	"changes": "/changes", "change": "/changes/5", "policy-new": "/policies/tmp_mounts"}

// TestPastScreenshots makes pictures of a fleet with months behind it, and of a new server.
func TestPastScreenshots(t *testing.T) {
	if *screenshots == "" {
		t.Skip("needs -screenshots DIR: pictures are for people to look at")
	}
	t.Run("past", func(t *testing.T) {
		f := newFleet(t)
		f.showPast(40)
		f.show()
		f.showPatching()
		f.plans = somePlans()
		f.shoot(browser.Start(t), "past-", pastPages)
	})
	t.Run("calm", func(t *testing.T) {
		f := newFleet(t)
		f.plans = somePlans()
		f.role = "auditor"
		f.showPast(40)
		f.shoot(browser.Start(t), "calm-", pastPages)
	})
	t.Run("new", func(t *testing.T) {
		newFleet(t).shoot(browser.Start(t), "new-", map[string]string{"overview": "/", "policies": "/policies", "controls": "/controls", "kpis": "/kpis", "alerts": "/alerts"})
	})
}

func (f *fleet) shoot(ctx context.Context, prefix string, pages map[string]string) {
	address := f.open(ctx)
	for _, scheme := range []string{"light", "dark"} {
		for size, width := range map[string]int64{"wide": 1280, "narrow": 390} {
			for name, path := range pages {
				must(f.t, chromedp.Do(ctx, chromedp.EmulateViewport(width, 900), wanting(scheme), chromedp.Navigate(address+path)))
				picture, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
				must(f.t, err)
				must(f.t, os.WriteFile(filepath.Join(*screenshots, prefix+name+"-"+size+"-"+scheme+".png"), picture, 0o600))
			}
		}
	}
}
