package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plumb/agent/protocol"
	"plumb/agent/state"
	"plumb/modules"
	"plumb/policies"
	"plumb/policies/patch"
)

func TestOrdersReachTheKind(t *testing.T) {
	for _, how := range []string{"https://", "ssh://"} {
		t.Run(how, func(t *testing.T) {
			r, one := newRig(t), &cycle{}
			r.agent.Decode = func(res policies.Resource) (modules.Resource, error) {
				if res.Kind == patchKind {
					return one, nil
				}
				return decodeTest(res)
			}
			r.publish(1, 0, r.patchTree("one"))
			r.enroll(how)
			g := r.grant(7, webSet("2"))
			before := time.Now().Unix()
			if out := r.round(); out.Called != nil || out.Problem != "" {
				t.Fatalf("Round = %+v", out)
			}
			if len(one.orders) != 1 || one.orders[0].Taken < before || one.orders[0].Taken > time.Now().Unix() {
				t.Fatalf("orders = %+v", one.orders)
			}
			want := patch.Order{Rollout: "web", Cycle: 7, Digest: g.Set, Set: webSet("2"), Offered: 1_790_000_000, Taken: one.orders[0].Taken}
			if diff := cmp.Diff(want, one.orders[0]); diff != "" {
				t.Errorf("order (-want +got):\n%s", diff)
			}
			var result policies.Result
			reports := r.Reports()
			if err := json.Unmarshal(r.Object(reports[len(reports)-1].Result), &result); err != nil {
				t.Fatal(err)
			}
			if got := result.Resources[1]; got.Status != policies.Repaired || got.Patched == nil || got.Patched.Cycle != 7 {
				t.Errorf("reported %+v", got)
			}
		})
	}
}

// An order is held until a lease takes it away. Its time of taking is that of the first lease.
func TestOrdersComeAndGo(t *testing.T) {
	r, one := patchRig(t)
	first := r.grant(1, webSet("2"))
	r.round()
	taken := one.orders[0].Taken
	asked := 0
	r.Before(func(_ http.ResponseWriter, req *http.Request) bool {
		if strings.HasPrefix(req.URL.Path, protocol.PathSets) {
			asked++
		}
		return false
	})
	r.clock += time.Hour
	first.Undo, first.Emergency = true, true
	r.Grant(first)
	r.round()
	if got := one.orders[0]; got.Taken != taken || !got.Undo || !got.Emergency || asked != 0 {
		t.Errorf("the same cycle an hour later: %+v, fetched %d times", got, asked)
	}
	second := r.grant(2, webSet("3"))
	r.round()
	if got := one.orders[0]; got.Cycle != 2 || got.Digest != second.Set || got.Taken < taken+3600 || r.sets() != 1 {
		t.Errorf("the next cycle: %+v, %d sets are held", got, r.sets())
	}
	r.Grant()
	r.round()
	if len(one.orders) != 0 || r.sets() != 0 {
		t.Errorf("a lease without patches leaves %+v and %d sets", one.orders, r.sets())
	}
	r.Grant(first)
	r.clock += time.Hour
	r.round()
	if got := one.orders[0]; got.Taken < taken+2*3600 {
		t.Errorf("an order that was taken away and given again was taken at %d, first at %d", got.Taken, taken)
	}
}

func TestOrdersHoldOffline(t *testing.T) {
	r, one := patchRig(t)
	r.grant(1, webSet("2"))
	r.round()
	r.offline()
	r.clock = 23 * time.Hour
	if r.round(); len(one.orders) != 1 {
		t.Errorf("without the server, within the lease: %+v", one.orders)
	}
}

// Past its lease a host begins nothing, and ends what it has begun.
func TestAStaleHostBeginsNoCycle(t *testing.T) {
	r, one := patchRig(t)
	r.grant(1, webSet("2"))
	r.round()
	r.offline()
	r.clock = 25 * time.Hour
	if r.round(); r.patchResult().Status != policies.Compliant || r.patchResult().Patched.Cycle != 1 {
		t.Errorf("past the lease a host that has the cycle says %+v", r.patchResult())
	}
	one.done = 0
	if r.round(); one.done != 0 || !strings.Contains(r.patchResult().Message, "the lease has run out") {
		t.Errorf("past the lease it did cycle %d and says %q", one.done, r.patchResult().Message)
	}
	one.begun = true
	if r.round(); one.begun {
		t.Error("what was begun was not brought to its end")
	}
}

func TestLostFloorsBeginNoCycle(t *testing.T) {
	r, one := patchRig(t)
	r.grant(1, webSet("2"))
	r.round()
	for _, name := range []string{"floors.a", "floors.b"} {
		os.Remove(filepath.Join(r.agent.Dir.Path, name))
	}
	one.done = 0
	if r.round(); one.done != 0 || !strings.Contains(r.patchResult().Message, "nothing new is begun") {
		t.Errorf("without floors it did cycle %d and says %q", one.done, r.patchResult().Message)
	}
}

// T03: the counter of the lease is the floor of its patch cycles, too.
func TestAnOlderLeaseBringsNoOlderCycle(t *testing.T) {
	r, one := patchRig(t)
	r.grant(1, webSet("2"))
	old := r.Lease(r.publish(2, 0, r.patchTree("one")))
	r.grant(2, webSet("3"))
	r.round()
	r.Answers(func(a *protocol.Answer) { a.Lease = old })
	out := r.round()
	if !strings.Contains(out.Problem, "went back") || len(one.orders) != 1 || one.orders[0].Cycle != 2 {
		t.Errorf("problem = %q, orders = %+v", out.Problem, one.orders)
	}
}

// A set that is not believed is told by its resource, is not fetched at each check-in, and stands
// against no release.
func TestSetsThatAreNotBelieved(t *testing.T) {
	other := webSet("2")
	other.Rollout = "db"
	for name, c := range map[string]struct {
		set  any
		says string
	}{
		"another rollout's": {other, `one of the rollout "db"`},
		"with a new field":  {map[string]any{"rollout": "web", "baseline": "b", "items": []any{}, "script": "x"}, "unknown field"},
	} {
		t.Run(name, func(t *testing.T) {
			r, one := patchRig(t)
			g := r.grant(3, c.set)
			asked := 0
			r.Before(func(_ http.ResponseWriter, req *http.Request) bool {
				if req.URL.Path == protocol.PathSets+g.Set {
					asked++
				}
				return false
			})
			var out Outcome
			for range 3 {
				out = r.round()
			}
			got := r.patchResult()
			if got.Status != policies.Failed || !strings.Contains(got.Message, c.says) || got.Patched == nil || got.Patched.Cycle != 3 || got.Patched.Set != g.Set {
				t.Errorf("the resource says %+v", got)
			}
			if asked != 1 || len(one.orders) != 0 || out.Problem != "" || out.Called != nil || r.sets() != 0 {
				t.Errorf("fetched %d times, orders = %+v, Round = %+v, %d sets", asked, one.orders, out, r.sets())
			}
			r.want("one", 1)
			r.agent.Version = "newer"
			if r.round(); asked != 2 {
				t.Errorf("a newer agent fetched it %d times, want once more", asked)
			}
			r.grant(4, webSet("2"))
			if r.round(); len(one.orders) != 1 || r.patchResult().Status != policies.Repaired {
				t.Errorf("a good set afterwards: %+v, %+v", one.orders, r.patchResult())
			}
		})
	}
}

// A server that sends other bytes than it names is not believed, and not obeyed in part.
func TestASetOfOtherBytes(t *testing.T) {
	r, one := patchRig(t)
	r.grant(1, webSet("2"))
	r.Before(func(w http.ResponseWriter, req *http.Request) bool {
		if !strings.HasPrefix(req.URL.Path, protocol.PathSets) {
			return false
		}
		raw, _ := json.Marshal(webSet("9"))
		w.Write(raw)
		return true
	})
	out := r.round()
	if out.Called == nil || !strings.Contains(out.Called.Error(), "something else") || len(one.orders) != 0 || r.sets() != 0 {
		t.Errorf("Round = %+v, orders = %+v", out, one.orders)
	}
	r.want("one", 1)
	r.Before(nil)
	if out = r.round(); out.Called != nil || len(one.orders) != 1 {
		t.Errorf("an honest server: %+v, %+v", out, one.orders)
	}
}

func TestASetThatIsLostOnTheDisk(t *testing.T) {
	for name, spoil := range map[string]func(string) error{
		"removed": os.Remove,
		"rotten": func(path string) error {
			return os.WriteFile(path, []byte(`{"rollout":"web","baseline":"b","items":[]}`), 0o600)
		},
	} {
		t.Run(name, func(t *testing.T) {
			r, one := patchRig(t)
			g := r.grant(1, webSet("2"))
			r.round()
			taken := one.orders[0].Taken
			if err := spoil(filepath.Join(r.agent.Dir.Path, "sets", g.Set+".json")); err != nil {
				t.Fatal(err)
			}
			r.offline()
			if r.round(); len(one.orders) != 0 {
				t.Errorf("without the server: %+v", one.orders)
			}
			r.Before(nil)
			r.clock = time.Hour
			if r.round(); len(one.orders) != 1 || one.orders[0].Taken != taken {
				t.Errorf("with the server: %+v, first taken at %d", one.orders, taken)
			}
		})
	}
}

func TestOrdersThatAreDamaged(t *testing.T) {
	r, one := patchRig(t)
	r.grant(1, webSet("2"))
	r.round()
	if err := os.WriteFile(filepath.Join(r.agent.Dir.Path, "orders.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.offline()
	if r.round(); len(one.orders) != 0 {
		t.Errorf("without the server: %+v", one.orders)
	}
	r.Before(nil)
	if r.round(); len(one.orders) != 1 {
		t.Errorf("with the server: %+v", one.orders)
	}
}

// The steps of taking a lease, cut off at each: what the lease takes away never outlives it, and
// an order never names a set that is not there.
func TestOrdersWhenTheAgentIsKilled(t *testing.T) {
	block := func(name string) func(*rig) func() {
		return func(r *rig) func() { // a folder stands where the file is to be put: the write fails
			path := filepath.Join(r.agent.Dir.Path, name)
			saved, _ := os.ReadFile(path)
			os.RemoveAll(path)
			if err := os.MkdirAll(filepath.Join(path, "in the way"), 0o700); err != nil {
				r.t.Fatal(err)
			}
			return func() {
				os.RemoveAll(path)
				if saved != nil {
					os.WriteFile(path, saved, 0o600)
				}
			}
		}
	}
	for name, c := range map[string]struct {
		cut  func(*rig) func()
		want string // the orders after the kill, without the server
	}{
		"before the orders are dropped": {block("orders.json"), "web 1"},
		"before the lease is kept":      {block("lease.json"), ""},
		"before the set is held": {func(r *rig) func() { // a file stands where the folder is to be
			path := filepath.Join(r.agent.Dir.Path, "sets")
			os.RemoveAll(path)
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				r.t.Fatal(err)
			}
			return func() { os.Remove(path) }
		}, ""},
		"not at all": {func(r *rig) func() { return func() {} }, "web 2"},
	} {
		t.Run(name, func(t *testing.T) {
			r, one := patchRig(t)
			r.grant(1, webSet("2"))
			r.round()
			r.grant(2, webSet("3"))
			restore := c.cut(r)
			_, _ = r.agent.Round(context.Background(), true) // it fails in the middle, which is its end
			restore()
			r.offline()
			r.round()
			got := ""
			for _, o := range one.orders {
				got += fmt.Sprintf("%s %d", o.Rollout, o.Cycle)
			}
			if got != c.want {
				t.Errorf("after the kill it holds %q, want %q", got, c.want)
			}
			r.Before(nil)
			if out := r.round(); len(one.orders) != 1 || one.orders[0].Cycle != 2 || one.done != 2 {
				t.Errorf("with the server it goes on with %+v and did %d: %+v", one.orders, one.done, out)
			}
			var list []state.Granted
			if ok, err := r.agent.Dir.Load("orders.json", &list); !ok || err != nil || len(list) != 1 {
				t.Errorf("orders.json holds %+v, %v", list, err)
			}
		})
	}
}
