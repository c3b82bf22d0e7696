package agent

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"plumb/policies"
	"plumb/policies/bundle"
	"plumb/policies/calendar"
)

// windowed is the policy of rig.tree, to be changed at noon UTC only, for an hour.
func (r *rig) windowed(text string) bundle.Tree {
	r.t.Helper()
	tree := r.tree(text)
	var catalog policies.Catalog
	if err := json.Unmarshal(tree["catalog.json"], &catalog); err != nil {
		r.t.Fatal(err)
	}
	catalog.Windows = map[string]calendar.Window{"noon": {Name: "noon", Cron: "0 12 * * *", Duration: 3600, Timezone: "UTC"}}
	catalog.Resources[0].Window = []string{"noon"}
	raw, err := json.Marshal(catalog)
	if err != nil {
		r.t.Fatal(err)
	}
	return bundle.Tree{"catalog.json": raw}
}

// setClocks makes it so many hours after a midnight to come, for the host and the server.
func (r *rig) setClocks(hours int) {
	midnight := time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, 1)
	r.clock = time.Until(midnight.Add(time.Duration(hours)*time.Hour + time.Minute))
	ahead := r.clock
	r.Now = func() time.Time { return time.Now().Add(ahead) }
}

func (r *rig) message() string {
	r.t.Helper()
	last, ok, err := r.agent.Newest()
	if err != nil || !ok {
		r.t.Fatal("nothing was run", err)
	}
	return last.Result.Resources[0].Message
}

func TestWindowsHoldOffline(t *testing.T) {
	r := newRig(t)
	r.setClocks(1)
	r.publish(1, 0, r.windowed("one"))
	r.enroll("")
	out := r.round()
	r.want("", 1)
	if wait := out.Opens.Sub(r.agent.Now()); out.Counts[policies.Pending] != 1 || wait < 10*time.Hour || wait > 11*time.Hour {
		t.Fatalf("before the window: %+v, which opens in %s", out, wait)
	}
	r.Before(func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(503); return true })
	for _, c := range []struct {
		hours int
		want  string
	}{{11, ""}, {12, "one"}} {
		r.setClocks(c.hours)
		if out := r.round(); out.Called == nil {
			t.Fatal("the server was reached")
		}
		r.want(c.want, 1)
	}
	r.spoil()
	r.setClocks(14)
	if out := r.round(); out.Counts[policies.Pending] != 1 || !out.Opens.After(r.agent.Now()) {
		t.Errorf("after the window: %+v", out)
	}
	r.want("drift", 1)
}

func TestAClockThatIsOffOpensNoWindow(t *testing.T) {
	for name, off := range map[string]time.Duration{"ahead of": 2 * time.Minute, "behind": -2 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.setClocks(12)
			r.clock += 10 * time.Minute // into the window with both clocks
			server := r.clock
			r.Now = func() time.Time { return time.Now().Add(server) }
			r.publish(1, 0, r.windowed("one"))
			r.enroll("")
			r.clock += off
			r.round()
			r.want("", 1)
			if got := r.message(); !strings.Contains(got, "the host's clock is more than a minute "+name+" the server's") {
				t.Errorf("it says %q", got)
			}
			r.clock = server
			r.round()
			r.want("one", 1)
		})
	}
}

// A clock that is days ahead takes every lease for old, and one that went back is behind the
// last lease. Either is seen without a lease that is accepted.
func TestAClockThatIsFarOffOpensNoWindow(t *testing.T) {
	for name, c := range map[string]struct {
		days    int
		offline bool
		says    string
	}{
		"days ahead":                        {3, false, "ahead of"},
		"set back while there is no server": {-3, true, "behind"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.setClocks(1)
			server := r.clock
			r.Now = func() time.Time { return time.Now().Add(server) }
			r.publish(1, 0, r.windowed("one"))
			r.enroll("")
			r.round()
			if c.offline {
				r.Before(func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(503); return true })
			}
			r.clock += time.Duration(c.days)*24*time.Hour + 11*time.Hour // noon of another day, it believes
			r.round()
			r.want("", 1)
			if got := r.message(); !strings.Contains(got, "more than a minute "+c.says+" the server's") {
				t.Errorf("it says %q", got)
			}
		})
	}
}

func TestAZoneThatIsNotKnownOpensNoWindow(t *testing.T) {
	zone, untimed := timing(job{zone: "Mars/Olympus"})
	if zone != time.UTC || !strings.Contains(untimed, "the host's own zone is not known") {
		t.Errorf("timing = %s, %q", zone, untimed)
	}
}

// A host that looks in once a day must not sleep through its window.
func TestTheDaemonWakesUpForAWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var opens time.Time
		d := live(t, 12*time.Hour, func(daemon *Daemon, d *diary) {
			opens = d.start.Add(5 * time.Hour)
			daemon.Interval = 10 * time.Hour
			daemon.Round = func(_ context.Context, call bool) (Outcome, error) {
				d.round(call)
				return Outcome{Opens: opens}, nil
			}
		})
		woke := 0
		for _, at := range d.calls {
			if late := at - 5*time.Hour; late >= 0 && late < openingDelay {
				woke++
			}
		}
		if woke != 1 {
			t.Errorf("rounds at %v, calls at %v, want one within a minute of the opening", d.rounds, d.calls)
		}
	})
}
