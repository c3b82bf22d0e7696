package agent

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"plumb/agent/protocol"
	"plumb/modules"
	"plumb/policies"
)

// An update that fails is the matter of its cycle. The release on trial is not to blame.
func TestAFailedUpdateQuarantinesNoRelease(t *testing.T) {
	r, one := patchRig(t)
	r.round()
	r.grant(1, webSet("2"))
	one.fails = true
	r.publish(2, 1, r.patchTree("two"))
	out := r.round()
	r.want("two", 2)
	if got := r.patchResult(); got.Status != policies.Failed || out.Problem != "" || out.Counts[policies.Failed] != 1 {
		t.Errorf("the resource is %s, Round = %+v", got.Status, out)
	}
	r.publish(3, 1, r.patchTree("three", bad("broken.new")))
	if out = r.round(); !strings.Contains(out.Problem, "broken.new failed") {
		t.Errorf("a release that fails beside it: %+v", out)
	}
	r.want("two", 2)
}

// An agent that is too old for what a rollout wants runs the rest of the release.
func TestAPatchResourceThatIsNotUnderstoodQuarantinesNoRelease(t *testing.T) {
	r, _ := patchRig(t)
	r.round()
	decode := r.agent.Decode
	r.agent.Decode = func(res policies.Resource) (modules.Resource, error) {
		if res.Kind == patchKind {
			return nil, errors.New("unknown attribute")
		}
		return decode(res)
	}
	r.publish(2, 1, r.patchTree("two"))
	if out := r.round(); out.Problem != "" || r.patchResult().Status != policies.Failed {
		t.Errorf("Round = %+v, the resource is %+v", out, r.patchResult())
	}
	r.want("two", 2)
}

func TestJudgedWithoutPatches(t *testing.T) {
	catalog := policies.Catalog{Resources: []policies.Resource{{Address: "rollout.web", Kind: patchKind}, {Address: "a", Kind: "file"}}}
	after := result("rollout.web", "error", "a", "error")
	got := regressions(result("rollout.web", "compliant", "a", "compliant"), judged(catalog, *after))
	if len(got) != 1 || got[0].Address != "a" || len(after.Resources) != 2 {
		t.Errorf("regressions = %+v of %d resources", got, len(after.Resources))
	}
}

// The agent is killed in the middle of an upgrade as often as it takes to quarantine a release.
func TestAKillWhilePatchingQuarantinesNoRelease(t *testing.T) {
	r, one := patchRig(t)
	r.grant(1, webSet("2"))
	one.dies = true
	for range maxAttempts + 2 {
		done := make(chan bool)
		go func() { // the kill ends this goroutine
			defer close(done)
			r.agent.Round(context.Background(), true)
		}()
		<-done
	}
	one.dies = false
	if out := r.round(); out.Problem != "" || out.Release != 1 || one.done != 1 {
		t.Errorf("Round = %+v, it did cycle %d", out, one.done)
	}
	if held, _ := r.agent.Dir.Releases(); held.Quarantined != nil || held.Good == nil {
		t.Errorf("releases = %+v", held)
	}
}

// In audit mode a release on trial is measured whole, with the updates that are on offer.
func TestAuditMeasuresPatches(t *testing.T) {
	r, one := patchRig(t)
	r.grant(1, webSet("2"))
	r.agent.Audit = true
	r.round()
	if got := r.patchResult(); got.Status != policies.Noncompliant || len(got.Changes) != 1 || one.done != 0 {
		t.Errorf("in audit mode: %+v, it did cycle %d", got, one.done)
	}
}

func TestAFreezeStopsPatches(t *testing.T) {
	r, one := patchRig(t)
	r.round()
	r.grant(1, webSet("2"))
	frozen := r.Lease(protocol.Lease{Release: 1, Freeze: true})
	r.Answers(func(a *protocol.Answer) { a.Lease = frozen })
	r.round()
	if got := r.patchResult(); got.Status != policies.Pending || got.Message != "changes are frozen" || one.done != 0 {
		t.Errorf("in a freeze: %+v", got)
	}
	r.Answers(nil)
	if r.round(); one.done != 1 {
		t.Errorf("after it: %+v", r.patchResult())
	}
}

// boots counts the reboots that the agent asks for.
func (r *rig) boots(result error) *[]string {
	var list []string
	r.agent.Reboot = func(_ context.Context, reason string) error {
		list = append(list, reason)
		return result
	}
	return &list
}

func TestARebootComesAfterTheReport(t *testing.T) {
	r, one := patchRig(t)
	r.grant(1, webSet("2"))
	one.reboot = "linux-image-amd64"
	var told []string
	r.agent.Reboot = func(context.Context, string) error {
		for _, report := range r.Reports() {
			var result policies.Result
			if json.Unmarshal(r.Object(report.Result), &result) == nil {
				for _, res := range result.Resources {
					if res.Patched != nil {
						told = append(told, res.Patched.Phase)
					}
				}
			}
		}
		return nil
	}
	out := r.round()
	if out.Reboot != "linux-image-amd64" || !out.Soon || len(told) == 0 || told[len(told)-1] != policies.PhaseReboot {
		t.Errorf("Round = %+v; before the reboot the server knew the phases %v", out, told)
	}
}

// A server that is not there holds no reboot up: the report is in the spool.
func TestARebootWithoutTheServer(t *testing.T) {
	r, one := patchRig(t)
	r.grant(1, webSet("2"))
	r.round()
	one.reboot, one.begun = "linux-image-amd64", true
	r.offline()
	list := r.boots(nil)
	if r.round(); len(*list) != 1 {
		t.Fatalf("%d reboots", len(*list))
	}
	r.Before(nil)
	one.reboot = ""
	r.round()
	reports := r.Reports()
	phases := map[string]bool{}
	for _, report := range reports {
		var result policies.Result
		if err := json.Unmarshal(r.Object(report.Result), &result); err != nil {
			t.Fatal(err)
		}
		if p := result.Resources[len(result.Resources)-1].Patched; p != nil {
			phases[p.Phase] = true
		}
	}
	if !phases[policies.PhaseReboot] {
		t.Errorf("the server was never told of the reboot: %v", phases)
	}
}

// A round without a call that wants a reboot calls the server all the same.
func TestTheLastWordBeforeAReboot(t *testing.T) {
	r, one := patchRig(t)
	r.grant(1, webSet("2"))
	r.round()
	one.reboot, one.begun = "linux-image-amd64", true
	list, before := r.boots(nil), len(r.Reports())
	if _, err := r.agent.Round(context.Background(), false); err != nil {
		t.Fatal(err)
	}
	if len(*list) != 1 || len(r.Reports()) != before+1 {
		t.Errorf("%d reboots, %d new reports", len(*list), len(r.Reports())-before)
	}
}

// Who stops the agent while it speaks to the server for the last time stops the reboot, too.
func TestAStopHoldsARebootUp(t *testing.T) {
	r, one := patchRig(t)
	r.grant(1, webSet("2"))
	r.round()
	one.reboot, one.begun = "linux-image-amd64", true
	list := r.boots(nil)
	ctx, stop := context.WithCancel(context.Background())
	r.Before(func(_ http.ResponseWriter, req *http.Request) bool { stop(); <-req.Context().Done(); return true })
	if _, err := r.agent.Round(ctx, false); err != nil {
		t.Fatal(err)
	}
	if len(*list) != 0 {
		t.Error("it boots though it was told to stop")
	}
}

func TestWhoForbidsAReboot(t *testing.T) {
	for name, edit := range map[string]func(*rig){
		"audit mode": func(r *rig) { r.agent.Audit = true },
		"a pause": func(r *rig) {
			if err := r.agent.Dir.Pause(r.agent.Now().Add(time.Hour), "a test"); err != nil {
				r.t.Fatal(err)
			}
		},
		"nobody who can": func(r *rig) { r.agent.Reboot = nil },
	} {
		t.Run(name, func(t *testing.T) {
			r, one := patchRig(t)
			r.grant(1, webSet("2"))
			r.round()
			one.reboot, one.begun = "linux-image-amd64", true
			list := r.boots(nil)
			edit(r)
			out := r.round()
			if len(*list) != 0 || (out.Reboot != "") != (name == "nobody who can") {
				t.Errorf("%d reboots, Round = %+v", len(*list), out)
			}
		})
	}
}

// A reboot that does not come is asked for again every ten minutes, also by another process, and
// told to the server. In the next boot all is forgotten.
func TestARebootThatDoesNotCome(t *testing.T) {
	for name, failure := range map[string]error{"": nil, "systemctl ended with 1": errors.New("systemctl ended with 1")} {
		t.Run(name, func(t *testing.T) {
			r, one := patchRig(t)
			r.grant(1, webSet("2"))
			r.round()
			one.reboot, one.begun = "linux-image-amd64", true
			list := r.boots(failure)
			for _, minute := range []int{0, 1, 9, 10, 19, 20, 24} {
				r.clock = time.Duration(minute) * time.Minute
				r.round()
			}
			if len(*list) != 3 {
				t.Errorf("asked %d times in 25 minutes, want 3", len(*list))
			}
			if got := r.patchResult().Message; !strings.Contains(got, "was asked for 3 times and has not come") || !strings.Contains(got, name) {
				t.Errorf("it says %q", got)
			}
			r.clock = 0 // a clock that goes back makes no loop, and no end of the asking
			r.round()
			r.round()
			if len(*list) != 4 {
				t.Errorf("asked %d times after the clock went back, want once more", len(*list))
			}
			r.bootID = "boot-2"
			one.reboot = ""
			if r.round(); one.begun || strings.Contains(r.patchResult().Message, "asked") {
				t.Errorf("after the boot: %+v", r.patchResult())
			}
			if there, _ := r.agent.Dir.Load(rebootFile, &asked{}); there {
				t.Error("the reboot is still remembered")
			}
		})
	}
}

// The next reboot is another one: it is asked for at once, though the last was a minute ago.
func TestTheNextBootMayNeedAReboot(t *testing.T) {
	r, one := patchRig(t)
	r.grant(1, webSet("2"))
	r.round()
	one.reboot, one.begun = "linux-image-amd64", true
	list := r.boots(nil)
	r.round()
	r.bootID = "boot-2"
	if r.round(); len(*list) != 2 || strings.Contains(r.patchResult().Message, "asked") {
		t.Errorf("%d reboots, %+v", len(*list), r.patchResult())
	}
}

// A kill right after a reboot was asked for must not make the next process ask again.
func TestARebootIsRememberedBeforeItIsAskedFor(t *testing.T) {
	r, one := patchRig(t)
	r.grant(1, webSet("2"))
	r.round()
	one.reboot, one.begun = "linux-image-amd64", true
	times := 0
	r.agent.Reboot = func(context.Context, string) error {
		times++
		panic("killed")
	}
	for range 3 {
		func() {
			defer func() { _ = recover() }()
			r.agent.Round(context.Background(), true)
		}()
	}
	if times != 1 {
		t.Errorf("it was asked for %d times", times)
	}
}

func TestTheDaemonLooksAgainSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := live(t, time.Hour, func(one *Daemon, d *diary) {
			one.Round = func(_ context.Context, call bool) (Outcome, error) {
				d.round(call)
				return Outcome{Soon: len(d.rounds) < 5, Interval: 30 * time.Minute}, nil
			}
		})
		for i := 1; i < 5; i++ {
			if gap := d.rounds[i] - d.rounds[i-1]; gap > soonDelay {
				t.Errorf("a gap of %s while a cycle is under way", gap)
			}
		}
		if len(d.rounds) > 7 || len(d.calls) != len(d.rounds) {
			t.Errorf("rounds at %v, calls at %v", d.rounds, d.calls)
		}
	})
}

// What the server gives out in a window is asked for when it opens, though it was not reached for
// long and is left alone otherwise.
func TestTheDaemonCallsWhenAWindowOpens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opens := 5 * time.Hour
		d := live(t, 8*time.Hour, func(one *Daemon, d *diary) {
			one.Round = func(_ context.Context, call bool) (Outcome, error) {
				d.round(call)
				out := Outcome{}
				if at := d.start.Add(opens); time.Now().Before(at) {
					out.Opens = at
				}
				if call && time.Since(d.start) < opens {
					out.Called = errors.New("no route")
				}
				return out, nil
			}
		})
		for _, at := range d.calls {
			if late := at - opens; late >= 0 && late <= openingDelay {
				return
			}
		}
		t.Errorf("calls at %v, none within a minute of the opening", d.calls)
	})
}

// What is told while a cycle is under way is no report, and changes nothing of the round.
func TestProgressReachesTheServer(t *testing.T) {
	r, _ := patchRig(t)
	r.round()
	one, err := r.agent.begin()
	if err != nil {
		t.Fatal(err)
	}
	defer one.hangUp()
	if one.live() != nil {
		t.Error("a round that does not call would tell the server")
	}
	if err := one.dial(); err != nil {
		t.Fatal(err)
	}
	before := one.floors
	want := protocol.Progress{Rollout: "web", Cycle: 3, Phase: policies.PhaseInstall, Done: 1, Total: 2}
	one.live()(context.Background(), want)
	list := r.CheckIns()
	got := list[len(list)-1]
	if len(got.Patching) != 1 || got.Patching[0] != want || len(got.Reports) != 0 || got.Counter != before.Counter {
		t.Errorf("the server got %+v", got)
	}
	if floors, err := r.agent.Dir.Floors(); err != nil || floors != before {
		t.Errorf("floors = %+v, %v; before %+v", floors, err, before)
	}
	one.out.Called = errors.New("no route")
	if one.live() != nil {
		t.Error("a server that was not reached would be told")
	}
}
