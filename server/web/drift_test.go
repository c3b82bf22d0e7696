package web

import (
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"plumb/policies"
	"plumb/server/store"
)

func TestDriftShowsFights(t *testing.T) {
	f := newFleet(t)
	f.show()
	f.fight("fight1.example.org")
	for address, want := range map[string]bool{"/drift": true, "/drift?policy=ssh_baseline": true, "/drift?policy=time": false, "/drift?host=web01.example.org": false, "/drift?host=fight1.example.org": true} {
		body := f.visit(address).body
		check(t, body)
		if got := strings.Contains(body, "plumb-agent and puppet, vim of alice fight for it"); got != want {
			t.Errorf("%s shows the fight: %v, want %v", address, got, want)
		}
	}
}

func TestDriftFilters(t *testing.T) {
	f := newFleet(t)
	f.show()
	cases := map[string]struct {
		address string
		want    int
	}{
		"all": {"/drift", 7}, "policy": {"/drift?policy=ssh_baseline", 5}, "another policy": {"/drift?policy=ssh", 0}, "control": {"/drift?control=cis_debian12%3A5.1.16", 4},
		"host": {"/drift?host=db1.example.org", 1}, "lately": {"/drift?days=1", 7},
	}
	for name, c := range cases {
		if got := len(rows(check(t, f.visit(c.address).body))); got != c.want {
			t.Errorf("%s: %s lists %d, want %d", name, c.address, got, c.want)
		}
	}
	for address, code := range map[string]int{"/drift?days=x": 400, "/drift?days=0": 400, "/drift?host=zebra": 404, "/drift/feed?cause=zebra": 400, "/drift/feed?before=x": 400} {
		if got := f.visit(address); got.StatusCode != code {
			t.Errorf("GET %s = %d, want %d", address, got.StatusCode, code)
		}
	}
}

// The feed has each event once, over all its pages, and tells who did it.
func TestDriftFeed(t *testing.T) {
	f := newFleet(t)
	f.release("Begin", start.Add(-30*24*time.Hour))
	id := f.enrol("web1", nil)
	var events []store.Event
	add := func(n int, e store.Event) {
		for range n {
			e.At, e.Address = start.Add(-time.Hour), dropin
			events = append(events, e)
		}
	}
	add(historyShown+20, store.Event{Kind: store.EventRepaired, Cause: policies.Corrective, Status: policies.Repaired, By: "vim (pid 7) of alice"})
	add(3, store.Event{Kind: store.EventRepaired, Cause: policies.Upstream, Status: policies.Repaired})
	add(2, store.Event{Kind: store.EventRepaired, Cause: policies.Intentional, Status: policies.Repaired})
	add(1, store.Event{Kind: store.EventFlapping, Cause: policies.Corrective})
	step := store.Step{Report: policies.Report{Epoch: "e", Seq: 1}, NewInterval: true, Host: store.Host{Since: start.Add(-time.Hour), Ran: start, Found: policies.Compliant}, Events: events}
	must(t, f.store.Accept(t.Context(), id, "", 0, []store.Step{step}, start))
	for query, want := range map[string]int{"": historyShown + 21, "cause=upstream": 3, "cause=intentional&policy=ssh_baseline": 2, "cause=all": len(events),
		"cause=all&policy=time": 0, "host=web1&days=1": historyShown + 21, "address=policy.x": 0} {
		got := 0
		for address := "/drift/feed?" + query; address != ""; {
			answer := f.visit(address)
			if query == "" && !strings.Contains(answer.body, "by <strong>vim (pid 7) of alice</strong>") {
				t.Error("the feed does not say who did it")
			}
			doc := check(t, answer.body)
			for d := range doc.Descendants() {
				if d.Type == html.ElementNode && strings.HasPrefix(attr(d, "class"), "k-") {
					got++
				}
			}
			address = next(doc)
		}
		if got != want {
			t.Errorf("%q: %d events, want %d", query, got, want)
		}
	}
}
