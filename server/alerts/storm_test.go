package alerts

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"plumb/inventory"
	"plumb/policies"
	"plumb/server/store"
)

// hosts makes many hosts, web01 and so on.
func (b *bench) hosts(n int) {
	b.Helper()
	for i := range n {
		b.host(fmt.Sprintf("web%02d", i+1))
	}
}

// TestStormIsToldAsOne lets thirty hosts fall silent at once.
func TestStormIsToldAsOne(t *testing.T) {
	b := newBench(t)
	b.hosts(30)
	r := newReceiver(t)
	c := r.hook(func(w *Webhook) { w.Events = []string{HostSilent} })
	c.StormLimit = 4
	s := b.station(c)
	b.silence()
	for range 3 {
		b.must(s.Step(t.Context(), b.now))
		b.now = b.now.Add(3 * time.Second)
	}
	want := []string{"opened host_silent web01", "opened host_silent web02", "opened host_silent web03", "opened host_silent web04",
		"opened alert_storm host_silent"}
	b.same("deliveries", b.told(), want)
	open, err := b.store.OpenEpisodes(t.Context())
	b.must(err)
	b.same("open alerts", len(open), 31)

	b.must(s.deliver(t.Context(), s.sinks[0]))
	b.same("told before the storm could be counted", len(r.all()), 4)
	b.now = b.now.Add(stormWait)
	b.must(s.deliver(t.Context(), s.sinks[0]))
	body := string(r.all()[4].body)
	if !strings.Contains(body, "and 26 more beside those that were told: web05, web06, web07, web08, web09 and 21 more") {
		t.Errorf("the storm is told as %s", body)
	}

	for i := range 29 { // all but the last come back
		b.calls(hostID(i + 1))
	}
	b.must(s.Step(t.Context(), b.now))
	b.now = b.now.Add(standardSettle)
	b.must(s.Step(t.Context(), b.now))
	b.same("deliveries after most came back", b.told()[5:], []string{"closed host_silent web01", "closed host_silent web02", "closed host_silent web03", "closed host_silent web04"})
	b.calls(hostID(30))
	b.must(s.Step(t.Context(), b.now))
	b.now = b.now.Add(standardSettle)
	b.must(s.Step(t.Context(), b.now))
	b.same("the last delivery", b.told()[9:], []string{"closed alert_storm host_silent"})
	open, err = b.store.OpenEpisodes(t.Context())
	b.must(err)
	b.same("open alerts at the end", len(open), 0)
}

// TestStormEndsWithItsMinute tells what begins later one by one again.
func TestStormEndsWithItsMinute(t *testing.T) {
	b := newBench(t)
	b.hosts(6)
	c := newReceiver(t).hook(nil)
	c.StormLimit = 4
	s := b.station(c)
	for i := range 6 {
		b.report(hostID(i+1), 1, "bad signature")
		b.must(s.Step(t.Context(), b.now))
		b.now = b.now.Add(20 * time.Second)
	}
	for _, one := range b.told() {
		if strings.Contains(one, Storm) {
			t.Errorf("%q, but there were three in a minute at the most", one)
		}
	}
	b.same("deliveries", len(b.told()), 6)
}

// TestStormStaysWhatCannotBeLookedAt has its kind not looked at for a while.
func TestStormStaysWhatCannotBeLookedAt(t *testing.T) {
	b := newBench(t)
	b.hosts(3)
	c := newReceiver(t).hook(nil)
	c.StormLimit = 1
	s := b.station(c)
	b.silence()
	b.must(s.Step(t.Context(), b.now))
	open, err := b.store.OpenEpisodes(t.Context())
	b.must(err)
	for _, looked := range []map[string]bool{{}, {Storm: true}, {FreezeSet: true}} {
		changes, err := s.judge(t.Context(), open, view{looked: looked}, b.now.Add(time.Minute))
		b.must(err)
		b.same("changes", len(changes), 0)
	}
}

func TestOldAlertsAreForgotten(t *testing.T) {
	b := newBench(t)
	old, late := noon.Add(-500*24*time.Hour), noon.Add(-time.Hour)
	b.must(b.store.ChangeEpisodes(t.Context(), []store.EpisodeChange{
		{Episode: store.Episode{Key: "old", Kind: HostSilent, Opened: old, Closed: old}},
		{Episode: store.Episode{Key: "late", Kind: HostSilent, Opened: old, Closed: late}},
		{Episode: store.Episode{Key: "open", Kind: HostSilent, Opened: old}},
		{Episode: store.Episode{Key: "untold", Kind: HostSilent, Opened: old, Closed: old},
			Tell: []store.Delivery{{Sink: "ops", What: Closed, Token: "t", State: store.DeliveryPending, Made: old, Next: old}}},
	}))
	b.must(b.store.ForgetEpisodes(t.Context(), noon.Add(-Config{}.keep())))
	all, err := b.store.Episodes(t.Context(), store.EpisodeFilter{})
	b.must(err)
	var keys []string
	for _, e := range all {
		keys = append(keys, e.Key)
	}
	b.same("what is kept", keys, []string{"untold", "open", "late"})
}

// TestFlappingAlert has one resource that two managers fight for.
func TestFlappingAlert(t *testing.T) {
	b := newBench(t)
	id := b.host("web1")
	r := newReceiver(t)
	s := b.station(r.hook(func(w *Webhook) { w.Events = []string{Flapping} }))
	fight := store.Finding{Address: "file.motd", Severity: "low", Status: policies.Noncompliant, Since: noon,
		Flapping: &policies.Flapping{Since: noon, Until: noon.Add(time.Hour), Mends: 5, Writers: []string{"puppet", "vim of ann"}}}
	for seq := range uint64(3) {
		b.report(id, seq+1, "", fight)
		b.must(s.Step(t.Context(), b.now))
		b.now = b.now.Add(10 * time.Second)
	}
	b.same("deliveries", b.told(), []string{"opened flapping file.motd on web1"})
	b.must(s.deliver(t.Context(), s.sinks[0]))
	if body := string(r.all()[0].body); !strings.Contains(body, "by plumb-agent and puppet, vim of ann") {
		t.Errorf("the receiver was told %s", body)
	}
	if n, err := b.store.CountFlapping(t.Context()); err != nil || n != 1 {
		t.Errorf("%d resources flap, %v; want 1", n, err)
	}
	b.report(id, 4, "")
	b.must(s.Step(t.Context(), b.now))
	b.now = b.now.Add(standardSettle)
	b.must(s.Step(t.Context(), b.now))
	b.same("deliveries", b.told(), []string{"opened flapping file.motd on web1", "closed flapping file.motd on web1"})
}

func hostID(i int) inventory.HostID { return inventory.HostID(fmt.Sprintf("id-web%02d", i)) }
