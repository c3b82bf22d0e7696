package alerts

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plumb/inventory"
	"plumb/policies"
	"plumb/server/rollout"
	"plumb/server/store"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// bench is a real store with hosts in it, and a clock that the test turns.
type bench struct {
	*testing.T
	store  *store.Store
	now    time.Time
	log    bytes.Buffer
	states []rollout.State
	freeze *rollout.Act
	late   func() ([]Late, error)
}

func newBench(t *testing.T) *bench {
	t.Helper()
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "plumb.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return &bench{T: t, store: s, now: noon, late: func() ([]Late, error) { return nil, nil }}
}

func (b *bench) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// station is a server's station, as after a start of the server.
func (b *bench) station(c Config) *Station {
	b.Helper()
	s, err := New(Options{
		Store: b.store, Config: c, Server: "plumb.example", Now: func() time.Time { return b.now }, Log: slog.New(slog.NewTextHandler(&b.log, nil)),
		States: func() []rollout.State { return b.states }, Frozen: func(context.Context) (*rollout.Act, error) { return b.freeze, nil },
		Overdue: func(context.Context, time.Time) ([]Late, error) { return b.late() },
	})
	b.must(err)
	return s
}

func (b *bench) host(name string) inventory.HostID {
	b.Helper()
	ctx, id := b.Context(), inventory.HostID("id-"+name)
	b.must(b.store.CreateToken(ctx, store.Token{ID: name, Hash: name, Created: noon, Expires: noon.Add(time.Hour)}))
	b.must(b.store.CreateHost(ctx, store.Host{Host: inventory.Host{ID: id, Name: name}, Key: name}, name, noon))
	return id
}

// report stores a report with findings.
func (b *bench) report(id inventory.HostID, seq uint64, problem string, findings ...store.Finding) {
	b.Helper()
	epoch := "e"
	if seq == 1 {
		epoch = ""
	}
	h := store.Host{Release: 7, Facts: "f", Catalog: "c", Result: fmt.Sprint(seq), Since: b.now, Ran: b.now, Found: policies.Compliant, Problem: problem}
	step := store.Step{Report: policies.Report{Epoch: "e", Seq: seq}, Host: h, NewInterval: true, Findings: findings}
	b.must(b.store.Accept(b.Context(), id, epoch, seq-1, []store.Step{step}, b.now))
}

func (b *bench) silence() {
	b.Helper()
	_, err := b.store.MarkStale(b.Context(), b.now.Add(time.Second), b.now)
	b.must(err)
}

func (b *bench) calls(id inventory.HostID) {
	b.Helper()
	b.must(b.store.Seen(b.Context(), id, store.Heartbeat{}, b.now))
}

// told is what is stored to be told, as "WHAT KIND SUBJECT", the oldest first.
func (b *bench) told() []string {
	b.Helper()
	all, err := b.store.Deliveries(b.Context(), store.DeliveryFilter{})
	b.must(err)
	list := []string{}
	for i := len(all) - 1; i >= 0; i-- {
		e, err := b.store.Episode(b.Context(), all[i].Episode)
		b.must(err)
		list = append(list, all[i].What+" "+e.Kind+" "+e.Subject)
	}
	return list
}

func (b *bench) same(what string, got, want any) {
	b.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		b.Fatalf("%s differ (-want +got):\n%s", what, diff)
	}
}

// receiver is a real HTTP server that remembers what it was told.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	got    []received
	answer func(n int, w http.ResponseWriter)
}

type received struct {
	method, path string
	header       http.Header
	body         []byte
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(r.take))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) take(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body)
	r.mu.Lock()
	r.got = append(r.got, received{req.Method, req.URL.Path, req.Header.Clone(), body})
	n, answer := len(r.got), r.answer
	r.mu.Unlock()
	if answer != nil {
		answer(n, w)
	}
}

func (r *receiver) all() []received {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]received{}, r.got...)
}

func (r *receiver) hook(change func(*Webhook)) Config {
	w := Webhook{Name: "ops", URL: Secret(r.URL + "/in"), Secret: "s3cret", AllowPrivate: true}
	if change != nil {
		change(&w)
	}
	return Config{Webhooks: []Webhook{w}}
}

func TestOneAlertAnEpisode(t *testing.T) {
	b := newBench(t)
	id := b.host("web1")
	s := b.station(newReceiver(t).hook(nil))
	b.silence()
	for range 5 {
		b.must(s.Step(t.Context(), b.now))
		b.now = b.now.Add(3 * time.Second)
	}
	b.same("deliveries", b.told(), []string{"opened host_silent web1"})

	b.calls(id)
	b.must(s.Step(t.Context(), b.now))
	b.same("deliveries at once", b.told(), []string{"opened host_silent web1"})
	gone := b.now
	b.now = b.now.Add(standardSettle)
	for range 3 {
		b.must(s.Step(t.Context(), b.now))
	}
	b.same("deliveries", b.told(), []string{"opened host_silent web1", "closed host_silent web1"})
	all, err := b.store.Episodes(t.Context(), store.EpisodeFilter{})
	b.must(err)
	b.same("episodes", []any{len(all), all[0].Closed}, []any{1, gone})
}

func TestFlappingIsOneEpisode(t *testing.T) {
	b := newBench(t)
	id := b.host("web1")
	s := b.station(newReceiver(t).hook(nil))
	for range 10 {
		b.silence()
		b.must(s.Step(t.Context(), b.now))
		b.now = b.now.Add(time.Minute)
		b.calls(id)
		b.must(s.Step(t.Context(), b.now))
		b.now = b.now.Add(standardSettle - time.Second)
		b.must(s.Step(t.Context(), b.now))
	}
	b.same("deliveries", b.told(), []string{"opened host_silent web1"})
	open, err := b.store.OpenEpisodes(t.Context())
	b.must(err)
	b.same("returns", open[0].Returns, 9)
	b.now = b.now.Add(time.Second)
	b.must(s.Step(t.Context(), b.now))
	b.silence()
	b.must(s.Step(t.Context(), b.now))
	b.same("deliveries", b.told(), []string{"opened host_silent web1", "closed host_silent web1", "opened host_silent web1"})
}

func TestRestartNeitherRepeatsNorLoses(t *testing.T) {
	b := newBench(t)
	id := b.host("web1")
	r := newReceiver(t)
	b.silence()
	b.must(b.station(r.hook(nil)).Step(t.Context(), b.now)) // and is killed before it tells anybody
	again := b.station(r.hook(nil))
	b.must(again.Step(t.Context(), b.now))
	b.must(again.deliver(t.Context(), again.sinks[0]))
	if got := len(r.all()); got != 1 {
		t.Fatalf("the receiver was told %d things, want 1", got)
	}
	b.calls(id)
	b.must(again.Step(t.Context(), b.now))
	b.now = b.now.Add(standardSettle)
	last := b.station(r.hook(nil))
	b.must(last.Step(t.Context(), b.now))
	b.must(last.deliver(t.Context(), last.sinks[0]))
	b.must(b.station(r.hook(nil)).deliver(t.Context(), last.sinks[0]))
	b.same("deliveries", b.told(), []string{"opened host_silent web1", "closed host_silent web1"})
	if got := len(r.all()); got != 2 {
		t.Fatalf("the receiver was told %d things, want 2", got)
	}
}

// TestTwoStationsOpenOne has two processes look at once: the database allows one open episode.
func TestTwoStationsOpenOne(t *testing.T) {
	b := newBench(t)
	b.host("web1")
	b.silence()
	one, other := b.station(Config{}), b.station(Config{})
	v, _ := one.look(t.Context(), b.now)
	for i, s := range []*Station{one, other} {
		changes, err := s.judge(t.Context(), nil, v, b.now.Add(time.Duration(i)*time.Second))
		b.must(err)
		b.must(b.store.ChangeEpisodes(t.Context(), changes))
	}
	open, err := b.store.OpenEpisodes(t.Context())
	b.must(err)
	b.same("open episodes", len(open), 1)
}

func TestWhatCannotBeLookedAtStays(t *testing.T) {
	b := newBench(t)
	s := b.station(Config{})
	b.late = func() ([]Late, error) {
		return []Late{{Name: "fast", Hosts: 3, Advisory: "DSA-1", Severity: "critical"}}, nil
	}
	b.must(s.Step(t.Context(), b.now))
	b.late = func() ([]Late, error) { return nil, errors.New("the disk is gone") }
	b.host("web1")
	b.silence()
	for range 5 {
		b.now = b.now.Add(time.Hour)
		if err := s.Step(t.Context(), b.now); err == nil || !strings.Contains(err.Error(), "the disk is gone") {
			t.Fatalf("Step() = %v, want what could not be looked at", err)
		}
	}
	open, err := b.store.OpenEpisodes(t.Context())
	b.must(err)
	if len(open) != 2 || open[0].Kind != PatchOverdue || !open[0].Cleared.IsZero() || open[0].Severity != "critical" || open[1].Kind != HostSilent {
		t.Errorf("open = %+v", open)
	}
}

func TestKinds(t *testing.T) {
	finding := func(address, severity string, status policies.Status) store.Finding {
		return store.Finding{Address: address, Severity: severity, Status: status, Since: noon}
	}
	plan := &policies.Rollout{Name: "main", Rings: []policies.Ring{{Name: "canary", Gate: policies.Gate{Approval: true}}}}
	ring := func(phase rollout.Phase) rollout.State {
		return rollout.State{Release: 7, Plan: plan, Rings: []rollout.Ring{{Name: "canary", Phase: phase}},
			History: []rollout.Entry{{Ring: "canary", What: string(rollout.Halted), Why: "2 of 3 failed"}}}
	}
	cases := map[string]struct {
		make func(b *bench)
		want []string
	}{
		"nothing": {func(*bench) {}, []string{}},
		"silent":  {func(b *bench) { b.host("web1"); b.silence() }, []string{"host_silent web1 high last seen 2026-11-21T12:00:00Z"}},
		"severe findings": {func(b *bench) {
			b.report(b.host("web1"), 1, "", finding("a", "high", policies.Failed), finding("b", "critical", policies.Noncompliant),
				finding("c", "critical", policies.Unknown), finding("d", "medium", policies.Failed))
		}, []string{"host_noncompliant web1 critical 1 critical, such as b; 1 high, such as a"}},
		"twin": {func(b *bench) { b.must(b.store.NoteTwin(b.Context(), b.host("web1"), b.now)) },
			[]string{"host_twin web1 critical both get no change; revoke it, remove the state folder on one of them and enrol both anew"}},
		"twin that is long over": {func(b *bench) { b.must(b.store.NoteTwin(b.Context(), b.host("web1"), b.now.Add(-25*time.Hour))) }, []string{}},
		"twin that was revoked": {func(b *bench) {
			id := b.host("web1")
			b.must(b.store.NoteTwin(b.Context(), id, b.now))
			b.must(b.store.Revoke(b.Context(), id, "ada", b.now))
		}, []string{}},
		"mild findings":    {func(b *bench) { b.report(b.host("web1"), 1, "", finding("d", "medium", policies.Failed)) }, []string{}},
		"refused":          {func(b *bench) { b.report(b.host("web1"), 1, "bad\nsignature") }, []string{"release_refused web1 high bad signature"}},
		"halted":           {func(b *bench) { b.states = []rollout.State{ring(rollout.Halted)} }, []string{"rollout_halted release 7 critical in the ring canary: 2 of 3 failed"}},
		"waits for a word": {func(b *bench) { b.states = []rollout.State{ring(rollout.Soaking)} }, []string{"approval_pending release 7 medium in the ring canary"}},
		"rolls":            {func(b *bench) { b.states = []rollout.State{ring(rollout.Rolling)} }, []string{}},
		"halted and superseded": {func(b *bench) {
			s := ring(rollout.Halted)
			s.Superseded = 8
			b.states = []rollout.State{s}
		}, []string{}},
		"frozen": {func(b *bench) { b.freeze = &rollout.Act{Who: "ada", Why: "audit"} }, []string{"freeze_set all hosts low by ada: audit"}},
		"overdue": {func(b *bench) {
			b.late = func() ([]Late, error) {
				return []Late{{Name: "fast", Hosts: 2, Advisory: "DSA-1", Severity: "unknown"}}, nil
			}
		}, []string{"patch_overdue fast medium 2 answers are missing on hosts, DSA-1 for the longest time"}},
		"revoked and silent": {func(b *bench) {
			id := b.host("web1")
			b.silence()
			b.must(b.store.Revoke(b.Context(), id, "ada", b.now))
		}, []string{}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			c.make(b)
			b.must(b.station(Config{}).Step(t.Context(), b.now))
			open, err := b.store.OpenEpisodes(t.Context())
			b.must(err)
			got := []string{}
			for _, e := range open {
				got = append(got, e.Kind+" "+e.Subject+" "+e.Severity+" "+e.Detail)
			}
			b.same("alerts", got, c.want)
		})
	}
}

func TestReceiversChoose(t *testing.T) {
	b := newBench(t)
	id := b.host("web1")
	s := b.station(Config{Webhooks: []Webhook{
		{Name: "all", URL: "https://a.example", Secret: "x"},
		{Name: "worst", URL: "https://b.example", Secret: "x", MinSeverity: "critical"},
		{Name: "freezes", URL: "https://c.example", Secret: "x", Events: []string{FreezeSet}},
	}})
	wrong := func(severity string) store.Finding {
		return store.Finding{Address: "a", Severity: severity, Status: policies.Failed, Since: noon}
	}
	told := func() map[string][]string {
		all, err := b.store.Deliveries(t.Context(), store.DeliveryFilter{})
		b.must(err)
		got := map[string][]string{}
		for i := len(all) - 1; i >= 0; i-- {
			got[all[i].Sink] = append(got[all[i].Sink], all[i].What)
		}
		return got
	}
	for seq, severity := range []string{"high", "critical", "high", "critical"} {
		b.report(id, uint64(seq+1), "", wrong(severity))
		b.must(s.Step(t.Context(), b.now))
	}
	b.same("told", told(), map[string][]string{"all": {Opened}, "worst": {Opened}})
	b.report(id, 5, "")
	b.must(s.Step(t.Context(), b.now))
	b.now = b.now.Add(standardSettle)
	b.must(s.Step(t.Context(), b.now))
	b.same("told", told(), map[string][]string{"all": {Opened, Closed}, "worst": {Opened, Closed}})
}

func TestRunTells(t *testing.T) {
	b := newBench(t)
	b.host("web1")
	b.silence()
	r := newReceiver(t)
	told := make(chan struct{}, 1)
	r.answer = func(int, http.ResponseWriter) { told <- struct{}{} }
	s := b.station(r.hook(nil))
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { s.Run(ctx); close(done) }()
	select {
	case <-told:
	case <-time.After(20 * time.Second):
		t.Error("nobody was told")
	}
	stop()
	<-done
}
