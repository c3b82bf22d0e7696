package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
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
	"plumb/modules"
	"plumb/modules/system"
	"plumb/policies"
	"plumb/policies/bundle"
)

// rig is a server and one host. The host's policies are JSON catalogs, so that these tests are
// about the agent and not about the language.
type rig struct {
	*testserver.Server
	t       *testing.T
	agent   *Agent
	root    string
	clock   time.Duration // what the host's clock is ahead
	compile int           // how often the policy was compiled
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{Server: testserver.Start(t), t: t, root: t.TempDir()}
	dir, err := state.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	r.agent = &Agent{Dir: dir, Root: r.root, Version: "test", Now: func() time.Time { return time.Now().Add(r.clock) },
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Compile: r.compiled, Decode: decodeTest,
		Facts: func(context.Context) (inventory.Facts, error) {
			return inventory.Facts{Hostname: "h1", Arch: "amd64", BootID: "boot-1"}, nil
		}}
	return r
}

func (r *rig) compiled(_ context.Context, raw []byte, _ inventory.Host, _ inventory.Facts) (Compiled, error) {
	r.compile++
	tree, err := bundle.Unpack(raw)
	if err != nil {
		return Compiled{}, err
	}
	if _, ok := tree["catalog.json"]; !ok {
		return Compiled{}, &Rejected{Problems: []policies.Problem{{Severity: "error", Summary: "Nothing here", File: "x.hcl", Line: 3}}}
	}
	return Compiled{Raw: tree["catalog.json"], Digest: inventory.Digest(tree["catalog.json"]), Reads: []string{}}, nil
}

// broken is a service that never starts.
type broken struct{ Path string }

func (b *broken) Identity() string            { return b.Path }
func (b *broken) Validate() []modules.Mistake { return nil }
func (b *broken) Check(context.Context, *system.System) ([]policies.Change, error) {
	return []policies.Change{{Attribute: "running", Before: "no", After: "yes"}}, nil
}
func (b *broken) Apply(context.Context, *system.System, []policies.Change) error {
	return errors.New("it does not start")
}

func decodeTest(r policies.Resource) (modules.Resource, error) {
	if r.Kind == "broken" {
		return &broken{r.Address}, nil
	}
	return modules.Decode(r)
}

// tree is a policy that wants the text in /motd, and more resources.
func (r *rig) tree(text string, more ...policies.Resource) bundle.Tree {
	r.t.Helper()
	attributes, err := json.Marshal(map[string]string{"path": "/motd", "content": text})
	if err != nil {
		r.t.Fatal(err)
	}
	list := append([]policies.Resource{{Address: "file.motd", Kind: "file", Policy: "p", Mode: policies.Enforce, Attributes: attributes}}, more...)
	raw, err := json.Marshal(policies.Catalog{Resources: list})
	if err != nil {
		r.t.Fatal(err)
	}
	return bundle.Tree{"catalog.json": raw}
}

func bad(address string) policies.Resource {
	return policies.Resource{Address: address, Kind: "broken", Policy: "p", Mode: policies.Enforce, Attributes: []byte("{}")}
}

func (r *rig) publish(number, rollbackTo uint64, tree bundle.Tree) protocol.Lease {
	r.t.Helper()
	return r.Publish(r.t, number, rollbackTo, tree, r.Author)
}

func (r *rig) enroll(server string) {
	r.t.Helper()
	if _, err := r.agent.Enroll(context.Background(), r.Token(), "h1", server); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) round() Outcome {
	r.t.Helper()
	out, err := r.agent.Round(context.Background(), true)
	if err != nil {
		r.t.Fatal(err)
	}
	return out
}

func (r *rig) motd() string {
	raw, _ := os.ReadFile(filepath.Join(r.root, "motd"))
	return string(raw)
}

func (r *rig) spoil() {
	r.t.Helper()
	if err := os.WriteFile(filepath.Join(r.root, "motd"), []byte("drift"), 0o644); err != nil {
		r.t.Fatal(err)
	}
}

// want checks what the host holds after a round.
func (r *rig) want(motd string, release uint64) {
	r.t.Helper()
	if got := r.motd(); got != motd {
		r.t.Errorf("/motd is %q, want %q", got, motd)
	}
	held, err := r.agent.Dir.Releases()
	if err != nil {
		r.t.Fatal(err)
	}
	if got := held.Good; got == nil && release > 0 || got != nil && got.Number != release {
		r.t.Errorf("in force is %+v, want release %d", got, release)
	}
}

func TestFromEnrolmentToReport(t *testing.T) {
	for _, how := range []string{"https://", "ssh://"} {
		t.Run(how, func(t *testing.T) {
			r := newRig(t)
			r.publish(1, 0, r.tree("one"))
			r.enroll(how)
			out := r.round()
			if out.Called != nil || out.Release != 1 || out.Counts[policies.Repaired] != 1 {
				t.Fatalf("Round = %+v", out)
			}
			r.want("one", 1)
			got := r.Reports()
			if len(got) != 1 || got[0].Release != 1 || got[0].Seq != 1 || got[0].BootID != "boot-1" || got[0].Stale {
				t.Fatalf("reports = %+v", got)
			}
			var result policies.Result
			if err := json.Unmarshal(r.Object(got[0].Result), &result); err != nil {
				t.Fatal(err)
			}
			if result.Catalog != got[0].Catalog || result.Resources[0].Cause != policies.Initial {
				t.Errorf("the result is %+v", result)
			}
			if inventory.Digest(r.Object(got[0].Catalog)) != got[0].Catalog || r.Object(got[0].Facts) == nil {
				t.Error("catalog or facts did not arrive")
			}
		})
	}
}

func TestQuietHostsOnlyCheckIn(t *testing.T) {
	r := newRig(t)
	r.publish(1, 0, r.tree("one"))
	r.enroll("")
	for range 5 {
		r.round()
	}
	if n := len(r.Reports()); n != 2 {
		t.Errorf("%d reports, want the repair and the all clear", n)
	}
	if r.compile != 1 {
		t.Errorf("compiled %d times, want once", r.compile)
	}
	r.clock += 2 * time.Hour
	r.round()
	if n := len(r.Reports()); n != 3 {
		t.Errorf("%d reports after an hour, want one more", n)
	}
	r.spoil()
	r.round()
	got := r.Reports()
	var result policies.Result
	if err := json.Unmarshal(r.Object(got[len(got)-1].Result), &result); err != nil || len(got) != 4 || result.Resources[0].Cause != policies.Corrective {
		t.Errorf("drift was reported as %+v, %v", result, err)
	}
}

func TestOfflineGoesOn(t *testing.T) {
	r := newRig(t)
	r.publish(1, 0, r.tree("one"))
	r.enroll("")
	r.round()
	r.Before(func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(503); return true })
	for day := range 30 {
		r.clock += 24 * time.Hour
		r.spoil()
		if out := r.round(); out.Called == nil {
			t.Fatal("the server was reached")
		}
		r.want("one", 1)
		if day == 29 {
			break
		}
	}
	r.Before(nil)
	r.clock = 0
	if out := r.round(); out.Called != nil {
		t.Fatal(out.Called)
	}
	got := r.Reports()
	if len(got) < 31 || !got[10].Stale || got[0].Stale {
		t.Errorf("%d reports, stale on the first day: %t, on the tenth: %t", len(got), got[0].Stale, got[10].Stale)
	}
	for i, one := range got {
		if one.Seq != uint64(i+1) {
			t.Fatalf("report %d has the number %d", i, one.Seq)
		}
	}
}

// T04: the same valid lease for ever freezes nobody's drift repair, but lets nothing new in.
func TestExpiredLeaseTakesNoRelease(t *testing.T) {
	r := newRig(t)
	one := r.publish(1, 0, r.tree("one"))
	r.enroll("")
	r.round()
	frozen := r.Lease(one)
	r.Answers(func(a *protocol.Answer) { a.Lease = frozen })
	r.round()
	r.clock = 25 * time.Hour
	r.spoil()
	out := r.round()
	r.want("one", 1)
	last := r.Reports()[len(r.Reports())-1]
	if !last.Stale || !strings.Contains(out.Problem, "ran out") {
		t.Errorf("stale = %t, problem = %q", last.Stale, out.Problem)
	}
	two := r.publish(2, 1, r.tree("two"))
	r.Answers(func(a *protocol.Answer) { a.Lease = r.Sign(r.expired(two)) })
	r.round()
	r.want("one", 1)
}

func (r *rig) expired(l protocol.Lease) protocol.Lease {
	id, err := r.agent.Dir.Identity()
	if err != nil {
		panic(err)
	}
	l.Host, l.Counter = id.Host.ID, 1e15
	l.Issued = time.Now()
	l.Expires = l.Issued.Add(24 * time.Hour)
	return l
}

// T03: leases v1..v20 replayed in every pair, also after a restart and after the loss of a copy
// of the floors.
func TestRollbackMatrix(t *testing.T) {
	r := newRig(t)
	r.publish(1, 0, r.tree("1"))
	r.enroll("")
	var signed [21]string
	for v := uint64(1); v <= 20; v++ {
		signed[v] = r.Lease(r.publish(v, v-1, r.tree(fmt.Sprint(v))))
	}
	for j := 1; j <= 20; j++ {
		serve := func(v int) Outcome {
			r.Answers(func(a *protocol.Answer) { a.Lease = signed[v] })
			return r.round()
		}
		serve(j)
		r.want(fmt.Sprint(j), uint64(j))
		os.Remove(filepath.Join(r.agent.Dir.Path, []string{"floors.a", "floors.b"}[j%2]))
		for i := 1; i < j; i++ {
			if out := serve(i); !strings.Contains(out.Problem, "went back") {
				t.Fatalf("lease %d after %d: problem = %q", i, j, out.Problem)
			}
		}
		r.want(fmt.Sprint(j), uint64(j))
	}
}

func TestStepBackAsFarAsTheNewestAllows(t *testing.T) {
	r := newRig(t)
	var body [6]protocol.Lease
	for v := uint64(1); v <= 5; v++ {
		body[v] = r.publish(v, v-1, r.tree(fmt.Sprint(v)))
	}
	r.enroll("")
	r.round()
	r.want("5", 5)
	r.Assign(body[3])
	if out := r.round(); !strings.Contains(out.Problem, "older than 4") {
		t.Errorf("problem = %q", out.Problem)
	}
	r.want("5", 5)
	r.Assign(body[4])
	r.round()
	r.want("4", 4)
	r.Assign(body[5])
	r.round()
	r.want("5", 5)
}

// T20: what the server's owner signs himself runs nowhere.
func TestForeignReleaseRunsNowhere(t *testing.T) {
	r := newRig(t)
	r.publish(1, 0, r.tree("one"))
	r.enroll("")
	r.round()
	r.Publish(t, 2, 1, r.tree("evil"), testserver.NewKey(t))
	if out := r.round(); !strings.Contains(out.Problem, "not pinned") {
		t.Errorf("problem = %q", out.Problem)
	}
	r.want("one", 1)
	mixed := r.publish(3, 1, r.tree("three"))
	mixed.Bundle = r.publish(4, 1, r.tree("four")).Bundle
	r.Assign(mixed)
	if out := r.round(); !strings.Contains(out.Problem, "another bundle") {
		t.Errorf("problem = %q", out.Problem)
	}
	r.want("one", 1)
}

func TestBundleOfOtherBytesIsRefused(t *testing.T) {
	r := newRig(t)
	r.publish(1, 0, r.tree("one"))
	r.enroll("")
	r.round()
	r.publish(2, 1, r.tree("two"))
	r.Before(func(w http.ResponseWriter, req *http.Request) bool {
		if !strings.HasPrefix(req.URL.Path, protocol.PathBundles) {
			return false
		}
		raw, _ := bundle.Pack(r.tree("TWO"))
		w.Write(raw)
		return true
	})
	if out := r.round(); !strings.Contains(out.Problem, "digest") {
		t.Errorf("problem = %q", out.Problem)
	}
	r.want("one", 1)
	r.Before(nil)
	r.round()
	r.want("two", 2)
}

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
	r.round()
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
