package fleet

import (
	"testing"
	"time"

	"plumb/agent/protocol"
	"plumb/server/authority"
	"plumb/server/store"
)

// T15: a machine that runs with a copy of a host's state is noticed at its second call, and both get
// no change any more. Reboots are no twins, and agents that do not name their machine tell nothing.
func TestTwinIsNoticed(t *testing.T) {
	for name, c := range map[string]struct {
		calls []string
		want  bool
	}{
		"one machine":     {[]string{"a", "a", "a", "a"}, false},
		"reboots":         {[]string{"a", "b", "b", "c", "d", "d", "e"}, false},
		"an old agent":    {[]string{"", "a", "", "a", "", "a"}, false},
		"overtaken once":  {[]string{"a", "b", "a", "a"}, false},
		"a copy":          {[]string{"a", "a", "b", "a", "b"}, true},
		"a copy, busy":    {[]string{"a", "a", "b", "b", "b", "a", "b"}, true},
		"and it reboots":  {[]string{"a", "b", "c", "b", "c"}, true},
		"three of a kind": {[]string{"a", "b", "c", "a", "b"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFleet(t)
			must(t, f.Store.AddRelease(t.Context(), store.Release{Number: 1, Tag: "tag", Bundle: "bundle", Made: start}))
			a, now := f.enrol(t, "web1"), start
			var lease protocol.Lease
			for _, instance := range c.calls {
				now = now.Add(time.Minute)
				answer, err := f.CheckIn(t.Context(), a.id, protocol.CheckIn{Version: 1, Instance: instance}, now)
				must(t, err)
				lease, err = protocol.OpenLease(answer.Lease, f.Authority.(*authority.Authority).LeaseKey())
				must(t, err)
			}
			events, err := f.Store.Events(t.Context(), store.EventFilter{Host: a.id, Kinds: []string{store.EventTwin}})
			must(t, err)
			if got := len(events) == 1; got != c.want || lease.Freeze != c.want {
				t.Errorf("%d events, freeze %t; want a twin: %t", len(events), lease.Freeze, c.want)
			}
			if f.twins.has(a.id, now.Add(25*time.Hour)) {
				t.Error("a day after the last sign of a twin there is still one")
			}
		})
	}
}
