package fleet

import (
	"fmt"
	"testing"
	"time"

	"plumb/agent/protocol"
	"plumb/inventory"
	"plumb/policies"
)

func installing(done int) protocol.Progress {
	return protocol.Progress{Rollout: "os", Cycle: 3, Phase: policies.PhaseInstall, Done: done, Total: 20}
}

func (a *agent) tells(t *testing.T, now time.Time, list ...protocol.Progress) error {
	t.Helper()
	_, err := a.fleet.CheckIn(t.Context(), a.id, protocol.CheckIn{Version: 1, Patching: list}, now)
	return err
}

func TestProgressIsKeptUntilTheReportComes(t *testing.T) {
	f := newFleet(t)
	b, a := f.enrol(t, "b"), f.enrol(t, "a")
	at := func(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }
	live := func(now time.Time) []string {
		got := []string{}
		for _, one := range f.Live(now) {
			got = append(got, fmt.Sprintf("%s %s %d of %d, %s %s", one.Name, one.Phase, one.Done, one.Total, one.Since.Format("05"), one.Told.Format("05")))
		}
		return got
	}
	must(t, b.tells(t, at(0), installing(0)))
	must(t, a.tells(t, at(5), installing(1)))
	must(t, b.tells(t, at(10), installing(7)))
	same(t, "two at work", live(at(10)), []string{"a install 1 of 20, 05 05", "b install 7 of 20, 00 10"})

	restart := installing(20)
	restart.Phase = policies.PhaseRestart
	must(t, b.tells(t, at(20), restart))
	must(t, b.tells(t, at(25))) // any other call says nothing about it
	same(t, "another phase", live(at(25)), []string{"a install 1 of 20, 05 05", "b restart 20 of 20, 20 20"})

	_, err := b.deliver(t.Context(), at(30), b.report(1, outcome{"x": policies.Compliant}, at(29)))
	must(t, err)
	same(t, "after the report", live(at(30)), []string{"a install 1 of 20, 05 05"})
	same(t, "just before five minutes", live(at(304)), []string{"a install 1 of 20, 05 05"})
	same(t, "after five minutes", live(at(305)), []string{})
	must(t, a.tells(t, at(310), installing(1)))
	same(t, "from then on anew", live(at(310)), []string{"a install 1 of 20, 10 10"})
}

func TestProgressThatCannotBe(t *testing.T) {
	a := newFleet(t).enrol(t, "a")
	for name, change := range map[string]func(*protocol.Progress){
		"no rollout":        func(p *protocol.Progress) { p.Rollout = "" },
		"an odd rollout":    func(p *protocol.Progress) { p.Rollout = "\x1b[2J" },
		"no cycle":          func(p *protocol.Progress) { p.Cycle = 0 },
		"a huge cycle":      func(p *protocol.Progress) { p.Cycle = 1 << 63 },
		"another phase":     func(p *protocol.Progress) { p.Phase = "dancing" },
		"less than nothing": func(p *protocol.Progress) { p.Done = -1 },
		"more than all":     func(p *protocol.Progress) { p.Done = 21 },
		"endless":           func(p *protocol.Progress) { p.Total = maxPackages + 1 },
	} {
		p := installing(3)
		change(&p)
		t.Run(name, func(t *testing.T) { wantRefused(t, a.tells(t, start, p)) })
	}
	wantRefused(t, a.tells(t, start, make([]protocol.Progress, maxLive+1)...))
	same(t, "what was kept", a.fleet.Live(start), []Live{})
}

func TestProgressOfTooManyHosts(t *testing.T) {
	var l lives
	for i := range liveHosts + 1 {
		l.hear(inventory.HostID(fmt.Sprint(i)), "h", []protocol.Progress{installing(1)}, start)
	}
	l.hear("0", "h", []protocol.Progress{installing(2)}, start.Add(time.Minute))
	same(t, "kept", len(l.held), liveHosts)
	same(t, "one that was known", l.held["0"][0].Done, 2)
	l.hear("late", "h", []protocol.Progress{installing(1)}, start.Add(liveFor))
	same(t, "kept when the others are over", len(l.held), 2)
}
