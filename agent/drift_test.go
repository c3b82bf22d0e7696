package agent

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"plumb/agent/watch"
	"plumb/modules"
	"plumb/modules/system"
	"plumb/policies"
)

// counted notes which files are looked at.
type counted struct {
	modules.Applier
	address string
	looks   map[string]int
}

func (c counted) Check(ctx context.Context, sys *system.System) ([]policies.Change, error) {
	c.looks[c.address]++
	return c.Applier.Check(ctx, sys)
}

// watchedRig has release 1 in force, which wants /motd and /other, and watches both.
func watchedRig(t *testing.T) (r *rig, looks map[string]int) {
	t.Helper()
	r, looks = newRig(t), map[string]int{}
	w, err := watch.Open(watch.Options{Log: r.agent.Log, Own: os.Getpid(), Root: r.root})
	if err != nil {
		t.Skip("needs inotify:", err)
	}
	t.Cleanup(func() { _ = w.Close() })
	r.agent.Watch, r.agent.Breaker = w, watch.NewBreaker()
	r.enroll("")
	attributes, err := json.Marshal(map[string]string{"path": "/other", "content": "as it was"})
	if err != nil {
		t.Fatal(err)
	}
	other := policies.Resource{Address: "file.other", Kind: "file", Policy: "p", Mode: policies.Enforce, Attributes: attributes}
	r.publish(1, 0, r.tree("hello", other))
	r.round()
	r.want("hello", 1)
	r.agent.Decode = func(res policies.Resource) (modules.Resource, error) {
		one, err := modules.Decode(res)
		return counted{one.(modules.Applier), res.Address, looks}, err
	}
	return r, looks
}

// tamper lets another program change a file of the host: one that outlives who started it, for what
// an agent started is no stranger.
func (r *rig) tamper(name string) {
	r.t.Helper()
	path := filepath.Join(r.root, name)
	if out, err := exec.Command("sh", "-c", "(sleep 0.05; echo drift > "+path+") >/dev/null 2>&1 &").CombinedOutput(); err != nil {
		r.t.Fatalf("cannot tamper: %v: %s", err, out)
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if raw, err := os.ReadFile(path); err == nil && string(raw) == "drift\n" {
			return
		}
		if time.Now().After(deadline) {
			r.t.Fatal("the file was never tampered with")
		}
	}
}

// mend waits for an event that names the address and has it mended.
func (r *rig) mend(address string) {
	r.t.Helper()
	deadline := time.After(10 * time.Second)
	for {
		select {
		case event := <-r.agent.Watch.Events():
			if _, err := r.agent.Mend(context.Background(), event); err != nil {
				r.t.Fatal(err)
			}
			for _, one := range event.Addresses() {
				if one == address {
					return
				}
			}
		case <-deadline:
			r.t.Fatalf("no event named %s", address)
		}
	}
}

func (r *rig) last() map[string]policies.ResourceResult {
	r.t.Helper()
	last, ok, err := r.agent.Newest()
	if err != nil || !ok {
		r.t.Fatal("there is no last run:", err)
	}
	list := map[string]policies.ResourceResult{}
	for _, one := range last.Result.Resources {
		list[one.Address] = one
	}
	return list
}

func TestDriftIsMendedWithoutARound(t *testing.T) {
	r, looks := watchedRig(t)
	r.tamper("motd")
	r.mend("file.motd")
	r.want("hello", 1)
	last := r.last()
	if got := last["file.motd"]; got.Status != policies.Repaired || got.Cause != policies.Corrective {
		t.Errorf("/motd is %s (%s), want repaired (corrective)", got.Status, got.Cause)
	}
	if got := last["file.other"]; got.Status != policies.Compliant || looks["file.other"] != 0 {
		t.Errorf("/other is %s after %d looks, want compliant without one", got.Status, looks["file.other"])
	}
	r.tamper("other")
	r.mend("file.other")
	if got := r.last()["file.motd"]; got.Status != policies.Compliant || len(got.Changes) > 0 {
		t.Errorf("/motd is %+v after its repair was told, want compliant", got)
	}
	r.round()
	if got := r.last(); len(got) != 2 || got["file.motd"].Status != policies.Compliant || looks["file.other"] == 0 {
		t.Errorf("after a round the host is %+v, want all looked at and compliant", got)
	}
}

// TestRepairOfAMendIsReported looks for the repair in what the server received.
func TestRepairOfAMendIsReported(t *testing.T) {
	r, _ := watchedRig(t)
	r.tamper("motd")
	r.mend("file.motd")
	spool, err := r.agent.openSpool()
	if err != nil {
		t.Fatal(err)
	}
	if spool.Len() != 1 {
		t.Errorf("%d reports wait after a mend, want 1", spool.Len())
	}
}

func TestFlappingIsLeftAlone(t *testing.T) {
	r, _ := watchedRig(t)
	for range 5 {
		r.tamper("motd")
		r.mend("file.motd")
		r.want("hello", 1)
	}
	r.tamper("motd")
	r.mend("file.motd")
	r.want("drift\n", 1)
	if got := r.last()["file.motd"]; got.Flapping == nil || got.Flapping.Mends != 5 {
		t.Errorf("right after the last mend /motd is %s (%s), want it shown as flapping", got.Status, got.Message)
	}
	r.round()
	r.want("drift\n", 1)
	r.restart()
	r.round()
	r.want("drift\n", 1)
	if got := r.last()["file.motd"]; got.Status != policies.Noncompliant || !strings.Contains(got.Message, "it flaps") {
		t.Errorf("/motd is %s (%s), want noncompliant because it flaps", got.Status, got.Message)
	}
	r.clock = 2 * time.Hour
	r.round()
	r.want("hello", 1)
}

// restart starts the agent's daemon anew.
func (r *rig) restart() {
	r.agent.Breaker = watch.NewBreaker()
	r.agent.WatchLast()
}

// TestPolicyEndsAFight changes what is fought for: that is no drift.
func TestPolicyEndsAFight(t *testing.T) {
	r, _ := watchedRig(t)
	for range 6 {
		r.tamper("motd")
		r.mend("file.motd")
	}
	r.want("drift\n", 1)
	r.publish(2, 0, r.tree("new"))
	r.round()
	r.want("new", 2)
}

// TestWriterIsReported looks for who did it in the result.
func TestWriterIsReported(t *testing.T) {
	r, _ := watchedRig(t)
	r.agent.Audit = true
	r.round()
	event := watch.Event{Drifts: []watch.Drift{{Address: "file.motd", By: watch.Writer{PID: 12, Comm: "vim", Login: "ann"}}}}
	if err := os.WriteFile(filepath.Join(r.root, "motd"), []byte("drift\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	steps := map[string]func(){
		"a mend":         func() { _, _ = r.agent.Mend(context.Background(), event) },
		"a round later":  func() { r.round() },
		"the mend of it": func() { r.agent.Audit = false; r.round() },
	}
	for _, name := range []string{"a mend", "a round later", "the mend of it"} {
		steps[name]()
		if got := r.last()["file.motd"]; got.By != "vim (pid 12) of ann" || got.Status.Passing() == r.agent.Audit {
			t.Errorf("after %s /motd is %s by %q, want vim named", name, got.Status, got.By)
		}
	}
	r.round()
	if got := r.last()["file.motd"]; got.By != "" {
		t.Errorf("%q is blamed for a file that is in order", got.By)
	}
}

// fledgling is a file that has to be looked at once more after it was mended.
type fledgling struct {
	counted
	at time.Time
}

func (f *fledgling) Apply(ctx context.Context, sys *system.System, changes []policies.Change) error {
	f.at = time.Now()
	return f.Applier.Apply(ctx, sys, changes)
}

func (f *fledgling) Settles() (time.Time, bool) { return f.at, !f.at.IsZero() }

func (f *fledgling) Settled(context.Context, *system.System) error {
	f.at = time.Time{}
	return errors.New("it did not stay up")
}

// TestMendLooksAgain has a mend that does not hold.
func TestMendLooksAgain(t *testing.T) {
	r, looks := watchedRig(t)
	r.agent.Decode = func(res policies.Resource) (modules.Resource, error) {
		one, err := modules.Decode(res)
		return &fledgling{counted: counted{one.(modules.Applier), res.Address, looks}}, err
	}
	r.spoil()
	event := watch.Event{Drifts: []watch.Drift{{Address: "file.motd"}}}
	for i, want := range []policies.Status{policies.Repaired, policies.Failed} {
		out, err := r.agent.Mend(t.Context(), event)
		if got := r.last()["file.motd"]; err != nil || got.Status != want || out.Again.IsZero() != (i == 1) {
			t.Errorf("mend %d left it %s (%s), again at %s, %v, want %s", i, got.Status, got.Message, out.Again, err, want)
		}
		event = watch.Event{}
	}
	r.agent.unsettled = map[string]modules.Settler{"file.gone": &fledgling{at: time.Now()}}
	if out, err := r.agent.Mend(t.Context(), event); err != nil || !out.Again.IsZero() {
		t.Errorf("what the policy has nothing of is looked at again at %s, %v", out.Again, err)
	}
}

// TestMendWithoutARunIsARound has nothing to build upon.
func TestMendWithoutARunIsARound(t *testing.T) {
	r, looks := watchedRig(t)
	if err := r.agent.Dir.Save(lastFile, Last{}); err != nil {
		t.Fatal(err)
	}
	r.agent.standing = nil // as after a start
	r.tamper("motd")
	r.mend("file.motd")
	r.want("hello", 1)
	if looks["file.other"] == 0 {
		t.Error("a mend without a last run did not look at everything")
	}
}
