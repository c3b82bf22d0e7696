package store

import (
	"sync"
	"testing"
	"time"

	"plumb/policies"
)

func TestEpisodesAndDeliveries(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		opening := EpisodeChange{
			Episode: Episode{Key: "host_silent/1", Kind: "host_silent", Subject: "web1", Severity: "high", Detail: "d", Opened: start},
			Tell:    []Delivery{{Sink: "ops", What: "opened", Token: "t1", State: DeliveryPending, Made: start, Next: start}},
		}
		var wg sync.WaitGroup
		for range 4 { // one of them wins, and nobody hears of it twice
			wg.Go(func() { must(t, s.ChangeEpisodes(ctx, []EpisodeChange{opening})) })
		}
		wg.Wait()
		open, err := s.OpenEpisodes(ctx)
		must(t, err)
		want := opening.Episode
		want.ID = open[0].ID
		same(t, "open episodes", open, []Episode{want})

		e := open[0]
		e.Cleared, e.Closed = start.Add(time.Minute), start.Add(time.Minute)
		closing := EpisodeChange{Episode: e, Tell: []Delivery{{Sink: "ops", What: "closed", Token: "t2", State: DeliveryPending, Made: start, Next: start}}}
		must(t, s.ChangeEpisodes(ctx, []EpisodeChange{closing}))
		due, err := s.DueDeliveries(ctx, "ops", start, 10)
		must(t, err)
		if len(due) != 1 || due[0].What != "opened" {
			t.Fatalf("due = %+v, want only the opening", due)
		}
		due[0].State, due[0].Done, due[0].Attempts, due[0].Ref = DeliveryDelivered, start, 1, "INC1"
		must(t, s.NoteDelivery(ctx, due[0]))
		due, err = s.DueDeliveries(ctx, "ops", start, 10)
		must(t, err)
		if len(due) != 1 || due[0].What != "closed" {
			t.Fatalf("due = %+v, want the end", due)
		}
		all, err := s.EpisodeDeliveries(ctx, e.ID)
		must(t, err)
		same(t, "ref", all[0].Ref, "INC1")

		again := opening
		again.Episode.Opened, again.Tell = start.Add(time.Hour), nil
		must(t, s.ChangeEpisodes(ctx, []EpisodeChange{again}))
		counts, err := s.OpenAlerts(ctx)
		must(t, err)
		same(t, "open alerts", counts, map[string]int{"host_silent": 1})
		history, err := s.Episodes(ctx, EpisodeFilter{Kind: "host_silent"})
		must(t, err)
		same(t, "episodes", []any{len(history), history[1].Closed}, []any{2, start.Add(time.Minute)})
	})
}

func TestForgetDeliveries(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		tell := func(token, sink, state string, done time.Time) Delivery {
			return Delivery{Sink: sink, What: "opened", Token: token, State: state, Made: start, Next: start, Done: done}
		}
		must(t, s.ChangeEpisodes(ctx, []EpisodeChange{
			{Episode: Episode{Key: "open", Opened: start}, Tell: []Delivery{tell("needed", "ops", DeliveryDelivered, start)}},
			{Episode: Episode{Key: "over", Opened: start, Closed: start}, Tell: []Delivery{
				tell("old", "ops", DeliveryDelivered, start), tell("new", "ops", DeliveryFailed, start.Add(2*time.Hour)),
				tell("waits", "ops", DeliveryPending, time.Time{}), tell("lost", "gone", DeliveryPending, time.Time{})}},
		}))
		must(t, s.ForgetDeliveries(ctx, []string{"ops"}, start.Add(time.Hour), start.Add(3*time.Hour)))
		all, err := s.Deliveries(ctx, DeliveryFilter{})
		must(t, err)
		got := map[string]string{}
		for _, d := range all {
			got[d.Token] = d.State
		}
		same(t, "deliveries", got, map[string]string{"needed": DeliveryDelivered, "new": DeliveryFailed, "waits": DeliveryPending, "lost": DeliverySkipped})
		n, err := s.PendingDeliveries(ctx)
		must(t, err)
		same(t, "pending", n, 1)
		must(t, s.ForgetDeliveries(ctx, nil, start, start))
		n, err = s.PendingDeliveries(ctx)
		must(t, err)
		same(t, "pending without receivers", n, 0)
	})
}

func TestWhatAlertsLookFor(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		web, db := enrol(t, s, "web1", start), enrol(t, s, "db1", start)
		one := step("e", 1, "r", start)
		one.Host.Problem, one.Host.Release = "bad signature", 7
		one.Findings = []Finding{
			{Address: "b", Severity: "critical", Status: policies.Failed, Since: start}, {Address: "a", Severity: "critical", Status: policies.Noncompliant, Since: start},
			{Address: "c", Severity: "high", Status: policies.Unknown, Since: start}, {Address: "d", Severity: "low", Status: policies.Failed, Since: start}}
		must(t, s.Accept(ctx, web, "", 0, []Step{one}, start))
		hosts, err := s.TroubledHosts(ctx)
		must(t, err)
		same(t, "hosts", hosts, []Troubled{{ID: web, Name: "web1", LastSeen: start, Problem: "bad signature", Release: 7}})
		severe, err := s.SevereFindings(ctx)
		must(t, err)
		same(t, "findings", severe, []Severe{{ID: web, Name: "web1", Severity: "critical", Count: 2, First: "a"}})
		must(t, s.Revoke(ctx, web, "ada", start))
		_, err = s.MarkStale(ctx, start.Add(time.Hour), start.Add(time.Hour))
		must(t, err)
		hosts, err = s.TroubledHosts(ctx)
		must(t, err)
		same(t, "hosts", hosts, []Troubled{{ID: db, Name: "db1", LastSeen: start, Silent: true}})
		severe, err = s.SevereFindings(ctx)
		must(t, err)
		same(t, "findings", severe, []Severe{})
		size, err := s.Size(ctx)
		must(t, err)
		if n, err := s.PendingReboots(ctx); err != nil || n != 0 || size < 1<<14 {
			t.Errorf("reboots %d, %v; size %d", n, err, size)
		}
	})
}
