package patching

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"plumb/modules/system"
	"plumb/policies"
)

func TestProbes(t *testing.T) {
	answers := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/moved":
			http.Redirect(w, r, "/bad", http.StatusFound)
		case "/bad":
			http.Error(w, "no", http.StatusInternalServerError)
		}
	}))
	defer answers.Close()
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := gone.Addr().String()
	gone.Close()
	cases := map[string]struct {
		probe policies.Probe
		want  string
	}{
		"a good page":              {policies.Probe{HTTP: answers.URL}, ""},
		"a page that moved":        {policies.Probe{HTTP: answers.URL + "/moved"}, ""},
		"a bad page":               {policies.Probe{HTTP: answers.URL + "/bad"}, "500"},
		"no server":                {policies.Probe{HTTP: "http://" + closed}, "refused"},
		"an open port":             {policies.Probe{TCP: strings.TrimPrefix(answers.URL, "http://")}, ""},
		"a closed port":            {policies.Probe{TCP: closed}, "refused"},
		"a good command":           {policies.Probe{Command: []string{"true"}}, ""},
		"a bad command":            {policies.Probe{Command: []string{"sh", "-c", "echo so sorry; exit 3"}}, "so sorry"},
		"a command not there":      {policies.Probe{Command: []string{"no-such-command"}}, "not installed"},
		"a probe of nothing":       {policies.Probe{}, "asks nothing"},
		"a unit that is not there": {policies.Probe{Unit: "no-such-unit"}, "no-such-unit"},
	}
	host := realHost{&system.System{Root: "/"}}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if c.probe.Unit != "" && !host.sys.SystemdRuns() {
				t.Skip("needs systemd: a unit is asked for")
			}
			err := host.Probe(context.Background(), c.probe)
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("Probe = %v, want %q", err, c.want)
			}
		})
	}
}

// patient is a host on which a probe gets better with time.
type patient struct {
	fakeHost
	asked, good int
	slept       time.Duration
}

func (p *patient) Probe(context.Context, policies.Probe) error {
	if p.asked++; p.asked >= p.good {
		return nil
	}
	return os.ErrNotExist
}

func (p *patient) Sleep(_ context.Context, d time.Duration) { p.slept += d }

func TestProbeIsPatient(t *testing.T) {
	cases := map[string]struct {
		good, within, asked int
		fine                bool
	}{
		"at once":       {1, 60, 1, true},
		"after a while": {4, 60, 4, true},
		"too late":      {100, 10, 6, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			host := &patient{fakeHost: fakeHost{w}, good: c.good}
			m := w.machine()
			m.host = host
			err := m.ask(context.Background(), policies.Probe{Name: "p", Within: c.within})
			if (err == nil) != c.fine || host.asked != c.asked || host.slept != time.Duration(c.asked-1)*probePause {
				t.Errorf("ask = %v after %d questions and %s, want %+v", err, host.asked, host.slept, c)
			}
		})
	}
}

func TestRealHost(t *testing.T) {
	host := realHost{&system.System{Root: "/"}}
	if id, err := host.BootID(); err != nil || len(id) != 36 {
		t.Errorf("BootID = %q, %v", id, err)
	}
	volume, free, err := host.Free(t.TempDir())
	if err != nil || volume == "" || free <= 0 {
		t.Errorf("Free = %s, %d, %v", volume, free, err)
	}
	if _, _, err := host.Free("/no/such/place"); err == nil {
		t.Error("Free of a place that is not there = nil, want an error")
	}
	mark := filepath.Join(t.TempDir(), "mark")
	if err := host.Hook(context.Background(), []string{"touch", mark}); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(mark); err != nil {
		t.Error("the hook did not run:", err)
	}
	if err := host.Hook(context.Background(), []string{"sh", "-c", "echo no >&2; exit 4"}); err == nil || !strings.Contains(err.Error(), "ended with 4: no") {
		t.Errorf("a failing hook = %v", err)
	}
	if _, err := exec.LookPath("systemctl"); err != nil || !host.sys.SystemdRuns() {
		t.Skip("needs systemd: the rest is about units")
	}
	if _, err := host.FailedUnits(context.Background()); err != nil {
		t.Errorf("FailedUnits = %v", err)
	}
}

const failedUnits = `nginx.service      loaded failed     failed       A high performance web server
crash.service loaded activating auto-restart It crashes

`

func TestParseUnits(t *testing.T) {
	want := []string{"crash.service", "nginx.service"}
	if got := parseUnits([]byte(failedUnits)); !slices.Equal(got, want) {
		t.Errorf("parseUnits = %v, want %v", got, want)
	}
}

func FuzzParseUnits(f *testing.F) {
	f.Add([]byte(failedUnits))
	f.Add([]byte("● x.service loaded failed failed\n\xff"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, unit := range parseUnits(raw) {
			if unit == "" || strings.ContainsAny(unit, " \n\t") || !strings.Contains(unit, ".") {
				t.Errorf("parseUnits(%q) has %q", raw, unit)
			}
		}
	})
}

func TestJournalOnTheDisk(t *testing.T) {
	dir := t.TempDir()
	s := shelfOf(dir, "r")
	j := journal{Rollout: "r", Cycle: 3, Stage: stageBack, Moves: []move{{Name: "a", Before: "1", After: "2"}}}
	if err := s.save(&j); err != nil {
		t.Fatal(err)
	}
	got, err := s.load()
	if err != nil || got.Cycle != 3 || got.Stage != stageBack || len(got.Moves) != 1 || got.Seq != 1 {
		t.Errorf("load = %+v, %v", got, err)
	}
	if other, err := shelfOf(dir, "other").load(); err != nil || other.Stage != stageIdle {
		t.Errorf("the journal of another rollout = %+v, %v", other, err)
	}
	info, err := os.Stat(s.copies()[0])
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("its mode is %v, %v", info, err)
	}
}
