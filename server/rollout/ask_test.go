package rollout

import (
	"context"
	"errors"
	"testing"
	"time"

	"plumb/policies"
)

// oracle answers queries, and counts how often it was asked.
type oracle struct {
	good  bool
	err   error
	asked int
}

func (o *oracle) Ask(context.Context, string) (bool, error) {
	o.asked++
	return o.good, o.err
}

func askAbout(p *policies.Rollout) { p.Rings[0].Gate = policies.Gate{Converged: 100, Query: "up"} }

// queried is a release whose canary ring has converged, and waits for the answer to its query.
func queried(t *testing.T, o *oracle) *server {
	t.Helper()
	v := newServer(t)
	if o != nil {
		v.asker = o
	}
	v.restart()
	v.fleet()
	v.release(2, plan(askAbout))
	v.later()
	v.run("c1", policies.Compliant, policies.Enforce)
	v.run("c2", policies.Compliant, policies.Enforce)
	v.step()
	v.step()
	return v
}

func (v *server) canary() (Phase, string) {
	v.t.Helper()
	p, err := v.Show(v.t.Context(), ID{Number: 2})
	v.ok(err)
	return p.Rings[0].Phase, p.Waits["canary"]
}

func TestQuery(t *testing.T) {
	for name, c := range map[string]struct {
		oracle *oracle
		phase  Phase
		waits  string
	}{
		"good":      {&oracle{good: true}, Passed, ""},
		"not good":  {&oracle{}, Soaking, "a good answer to its query; the newest one is not"},
		"no answer": {&oracle{good: true, err: errors.New("cannot ask Prometheus: it is down")}, Soaking, "an answer to its query: cannot ask Prometheus: it is down"},
		"nobody":    {nil, Soaking, "an answer to its query: " + nobody},
	} {
		t.Run(name, func(t *testing.T) {
			v := queried(t, c.oracle)
			if phase, waits := v.canary(); phase != Soaking || c.oracle != nil && waits != "an answer to its query, which nobody has asked yet" {
				t.Fatalf("before anybody asked it is %s and waits for %q", phase, waits)
			}
			if c.oracle != nil {
				v.inquire(t.Context())
			}
			if phase, waits := v.canary(); phase != c.phase || waits != c.waits {
				t.Errorf("it is %s and waits for %q, want %s, %q", phase, waits, c.phase, c.waits)
			}
		})
	}
}

func TestQueryIsAskedSeldom(t *testing.T) {
	o := &oracle{}
	v := queried(t, o)
	for range 16 { // seconds
		v.inquire(t.Context())
		v.later()
	}
	if o.asked != 2 {
		t.Errorf("asked %d times in 16 s, want 2", o.asked)
	}
	v.ok(func() error { _, err := v.Do(t.Context(), ID{Number: 2}, Promote, "canary", ada); return err }())
	v.now = v.now.Add(time.Hour)
	if v.inquire(t.Context()) || o.asked != 2 {
		t.Error("a ring that has passed still asks")
	}
}

// An answer counts for a minute, and not beyond a restart: what was good then need not be now.
func TestOldAnswerIsNone(t *testing.T) {
	for name, age := range map[string]func(v *server){
		"old":               func(v *server) { v.now = v.now.Add(time.Minute) },
		"from the future":   func(v *server) { v.now = v.now.Add(-time.Second) },
		"of another server": func(v *server) { v.restart() },
	} {
		t.Run(name, func(t *testing.T) {
			v := queried(t, &oracle{good: true})
			v.inquire(t.Context())
			age(v)
			if phase, waits := v.canary(); phase != Soaking {
				t.Errorf("it is %s and waits for %q", phase, waits)
			}
		})
	}
}

// A Prometheus that does not answer holds up nothing but the gate that asks it.
func TestAskingHoldsNothingUp(t *testing.T) {
	began, stuck, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
	v := queried(t, nil)
	v.Driver.Asker = asks(func(context.Context) (bool, error) {
		close(began)
		<-stuck
		return true, nil
	})
	v.step()
	go func() { v.inquire(t.Context()); close(done) }()
	<-began
	if phase, _ := v.canary(); phase != Soaking {
		t.Errorf("it is %s while nobody has answered", phase)
	}
	close(stuck)
	<-done
	if phase, _ := v.canary(); phase != Passed {
		t.Errorf("it is %s with a good answer", phase)
	}
}

type asks func(context.Context) (bool, error)

func (a asks) Ask(ctx context.Context, _ string) (bool, error) { return a(ctx) }

// An emergency shortens the soak and skips no approval and no query.
func TestEmergencyKeepsApprovalAndQuery(t *testing.T) {
	w := newWorld(t, 2, 1, func(p *policies.Rollout) {
		p.Emergency = &policies.Emergency{Soak: 10}
		p.Rings[0].Deferral = 3600
		p.Rings[0].Gate = policies.Gate{Converged: 100, Soak: 3600, Approval: true, Query: "up"}
	})
	w.state.Emergency = true
	w.step(time.Second)
	w.given(2)
	w.all("canary", nil)
	w.step(time.Second)
	w.step(9 * time.Second)
	if got := w.state.waits(0, Tally{Members: 2, Converged: 2}); got != "1s more of soak" {
		t.Errorf("it waits for %q", got)
	}
	w.step(time.Minute)
	if got := w.state.waits(0, Tally{Members: 2, Converged: 2}); got != "the approval of a person" {
		t.Errorf("it waits for %q", got)
	}
	w.state = must(t)(w.state.Promote("canary", ada))
	w.step(time.Second)
	w.phases(Soaking, Waiting)
	w.state.Rings[0].Asked = &Answer{Good: true}
	w.step(time.Second)
	w.phases(Passed, Rolling)
}
