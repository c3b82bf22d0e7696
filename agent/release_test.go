package agent

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"plumb/agent/protocol"
	"plumb/agent/state"
	"plumb/agent/testserver"
	"plumb/inventory"
	"plumb/policies/bundle"
)

func TestReleaseThatFailsHereGivesWay(t *testing.T) {
	r := newRig(t)
	r.publish(1, 0, r.tree("one", bad("broken.old")))
	r.enroll("")
	r.round()
	r.want("one", 1)
	r.publish(2, 1, r.tree("two", bad("broken.old"), bad("broken.new")))
	out := r.round()
	r.want("one", 1)
	if out.Release != 1 || !strings.Contains(out.Problem, "broken.new failed: it does not start") {
		t.Errorf("Round = %+v", out)
	}
	got := r.Reports()
	failed, back := got[len(got)-2], got[len(got)-1]
	if failed.Release != 2 || back.Release != 1 || !strings.Contains(failed.Problem, "release 1 stays in force") || back.Problem == "" {
		t.Errorf("reported %+v and %+v", failed, back)
	}
	r.Before(func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(503); return true })
	if out := r.round(); !strings.Contains(out.Problem, "release 2 is quarantined") {
		t.Errorf("without the server the problem is %q", out.Problem)
	}
	r.Before(nil)
	r.want("one", 1)
	r.publish(3, 1, r.tree("three", bad("broken.old")))
	if out := r.round(); out.Problem != "" {
		t.Errorf("problem = %q", out.Problem)
	}
	r.want("three", 3)
}

func TestReleaseThatDoesNotCompileGivesWay(t *testing.T) {
	r := newRig(t)
	r.publish(1, 0, r.tree("one"))
	r.enroll("")
	r.round()
	r.publish(2, 1, bundle.Tree{"x.hcl": []byte("{")})
	out := r.round()
	r.want("one", 1)
	if !strings.Contains(out.Problem, "Nothing here") {
		t.Errorf("problem = %q", out.Problem)
	}
	var told bool
	for _, one := range r.Reports() {
		told = told || one.Release == 2 && one.Catalog == "" && strings.Contains(one.Problem, "Nothing here")
	}
	if !told {
		t.Errorf("no report of release 2: %+v", r.Reports())
	}
	compiled := r.compile
	r.round()
	if r.compile != compiled {
		t.Error("a quarantined release was compiled again")
	}
}

func TestReleaseThatKillsTheAgentGivesWay(t *testing.T) {
	r := newRig(t)
	r.publish(1, 0, r.tree("one"))
	r.enroll("")
	r.round()
	r.publish(2, 1, r.tree("two"))
	healthy := r.agent.Decode
	r.agent.Decode = nil
	for range maxAttempts { // the agent dies in the middle of each first run
		func() {
			defer func() { _ = recover() }()
			r.agent.Compile = func(context.Context, []byte, inventory.Host, inventory.Facts) (Compiled, error) { panic("killed") }
			r.agent.Round(context.Background(), true)
		}()
	}
	r.agent.Compile, r.agent.Decode = r.compiled, healthy
	out := r.round()
	r.want("one", 1)
	if !strings.Contains(out.Problem, "in 3 attempts") {
		t.Errorf("problem = %q", out.Problem)
	}
}

// A policy that is too costly for the compiler must not stop the mending of drift.
func TestReleaseThatKillsTheCompilerGivesWay(t *testing.T) {
	r := newRig(t)
	r.publish(1, 0, r.tree("one"))
	r.enroll("")
	r.round()
	r.agent.Compile = func(ctx context.Context, raw []byte, h inventory.Host, f inventory.Facts) (Compiled, error) {
		if tree, _ := bundle.Unpack(raw); tree["costly"] != nil {
			return Compiled{}, errors.New("the policy compiler died")
		}
		return r.compiled(ctx, raw, h, f)
	}
	tree := r.tree("two")
	tree["costly"] = []byte("x")
	r.publish(2, 1, tree)
	for range maxAttempts + 2 {
		r.spoil()
		if out := r.round(); out.Problem == "" || out.Release != 1 {
			t.Errorf("Round = %+v", out)
		}
		r.want("one", 1)
	}
	if held, _ := r.agent.Dir.Releases(); held.Quarantined == nil || held.Trial != nil {
		t.Errorf("held: %+v", held)
	}
}

func TestPausedHostMeasuresOnly(t *testing.T) {
	r := newRig(t)
	r.publish(1, 0, r.tree("one"))
	r.enroll("")
	r.round()
	if err := r.agent.Dir.Pause(time.Now().Add(time.Hour), "debugging"); err != nil {
		t.Fatal(err)
	}
	r.publish(2, 1, r.tree("two", bad("broken.new")))
	r.round()
	r.want("one", 1)
	last := r.Reports()[len(r.Reports())-1]
	if !last.Audit || last.Release != 2 {
		t.Errorf("reported %+v, want an audit of release 2", last)
	}
	if in := r.CheckIns(); in[len(in)-1].Paused == nil || in[len(in)-1].Paused.Reason != "debugging" {
		t.Error("the server was not told of the pause")
	}
	if err := r.agent.Dir.Resume(); err != nil {
		t.Fatal(err)
	}
	r.round()
	r.want("one", 1) // tried now, and it failed
}

func TestFreezeHoldsReleasesBack(t *testing.T) {
	r := newRig(t)
	r.publish(1, 0, r.tree("one"))
	r.enroll("")
	r.round()
	two := r.publish(2, 1, r.tree("two"))
	two.Freeze = true
	r.Assign(two)
	r.spoil()
	r.round()
	r.want("one", 1)
	two.Freeze = false
	r.Assign(two)
	r.round()
	r.want("two", 2)
}

// From trial mode to authors' keys: the last release that the trial key may sign says so.
func TestReleaseKeysChange(t *testing.T) {
	r := newRig(t)
	author := testserver.NewKey(t)
	one := r.publish(1, 0, r.tree("one"))
	r.enroll("")
	r.round()
	tree := r.tree("two")
	tree[protocol.SignersFile] = []byte(testserver.SignerLine("anna", author) + "\n")
	r.publish(2, 1, tree)
	r.round()
	r.want("two", 2)
	r.publish(3, 1, r.tree("three"))
	if out := r.round(); !strings.Contains(out.Problem, "not pinned") {
		t.Errorf("problem = %q", out.Problem)
	}
	r.Assign(one)
	r.round()
	r.want("two", 2)
	r.Publish(t, 4, 1, r.tree("four"), author)
	r.round()
	r.want("four", 4)
}

func TestCertificateIsRenewedAtHalfLife(t *testing.T) {
	r := newRig(t)
	r.publish(1, 0, r.tree("one"))
	r.enroll("")
	r.round()
	r.clock = 3 * 24 * time.Hour
	r.round()
	if r.Renewals() != 0 {
		t.Error("renewed too early")
	}
	r.clock, r.Now = 4*24*time.Hour, func() time.Time { return time.Now().Add(4 * 24 * time.Hour) }
	for range 2 {
		if out := r.round(); out.Called != nil {
			t.Fatal(out.Called)
		}
	}
	if r.Renewals() != 1 {
		t.Errorf("renewed %d times, want once", r.Renewals())
	}
}

func TestLostFloorsTakeNothingNew(t *testing.T) {
	r := newRig(t)
	r.publish(1, 0, r.tree("one"))
	r.enroll("")
	r.round()
	for _, name := range []string{"floors.a", "floors.b"} {
		os.Remove(filepath.Join(r.agent.Dir.Path, name))
	}
	r.publish(2, 1, r.tree("two"))
	r.spoil()
	out := r.round()
	r.want("one", 1)
	if !strings.Contains(out.Problem, "enrol the host again") {
		t.Errorf("problem = %q", out.Problem)
	}
}

func TestReportsSurviveALostAnswerAndARestoredServer(t *testing.T) {
	r := newRig(t)
	r.publish(1, 0, r.tree("one"))
	r.enroll("")
	r.round()
	r.Answers(func(a *protocol.Answer) { a.Accepted = 0; a.Epoch = "" }) // acknowledgements get lost
	for range 3 {
		r.spoil()
		r.round()
	}
	r.Answers(nil)
	r.spoil()
	r.round()
	seen := map[time.Time]int{}
	for _, one := range r.Reports() {
		seen[one.Started]++
	}
	if len(seen) != 5 || len(r.Reports()) != 5 {
		t.Errorf("%d reports of %d runs, want 5 of 5", len(r.Reports()), len(seen))
	}
	r.Forget()
	for range 3 {
		r.spoil()
		r.round()
	}
	if n := len(r.Reports()); n != 8 {
		t.Errorf("%d reports after the server was restored, want 8", n)
	}
}

func TestEnrolmentIsPickyAboutTheServer(t *testing.T) {
	for name, edit := range map[string]func(*rig, *protocol.Token){
		"another authority": func(r *rig, k *protocol.Token) { k.CA = testserver.NewCA(r.t).Digest() },
		"wrong secret":      func(_ *rig, k *protocol.Token) { k.Secret = "x" },
		"damaged signers":   func(_ *rig, k *protocol.Token) { k.Signers = []string{"nobody"} },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			token := r.Token()
			edit(r, &token)
			if _, err := r.agent.Enroll(context.Background(), token, "h1", ""); err == nil {
				t.Error("it enrolled")
			}
			if _, err := r.agent.Dir.Identity(); !errors.Is(err, state.ErrNotEnrolled) {
				t.Errorf("Identity = %v", err)
			}
		})
	}
	r := newRig(t)
	r.enroll("")
	if _, err := r.agent.Enroll(context.Background(), r.Token(), "h1", ""); !errors.Is(err, ErrEnrolled) {
		t.Errorf("a second enrolment: %v", err)
	}
}
