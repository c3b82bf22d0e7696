package agent

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
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
	t       testing.TB
	agent   *Agent
	root    string
	clock   time.Duration // what the host's clock is ahead
	compile int           // how often the policy was compiled
	bootID  string
}

func newRig(t testing.TB) *rig {
	t.Helper()
	r := &rig{Server: testserver.Start(t), t: t, root: t.TempDir(), bootID: "boot-1"}
	dir, err := state.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	r.agent = &Agent{Dir: dir, Root: r.root, Version: "test", Now: func() time.Time { return time.Now().Add(r.clock) },
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Compile: r.compiled, Decode: decodeTest,
		Facts: func(context.Context) (inventory.Facts, error) {
			return inventory.Facts{Hostname: "h1", Arch: "amd64", BootID: r.bootID}, nil
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
