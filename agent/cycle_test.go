package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"plumb/agent/protocol"
	"plumb/modules"
	"plumb/modules/system"
	"plumb/policies"
	"plumb/policies/bundle"
	"plumb/policies/patch"
)

// cycle is a test kind: a patch cycle that is done once it was applied.
type cycle struct {
	orders []patch.Order // what the newest run gave it
	done   uint64        // the newest cycle that is in
	begun  bool
	reboot string // why it wants a reboot, until it is empty
	dies   bool   // the agent is killed in the middle of it
	fails  bool
	runs   int
}

func (c *cycle) Identity() string            { return "web" }
func (c *cycle) Validate() []modules.Mistake { return nil }

func (c *cycle) Presses(*system.System, time.Time) string {
	if c.begun {
		return "it was begun"
	}
	return ""
}

func (c *cycle) Check(_ context.Context, sys *system.System) ([]policies.Change, error) {
	c.orders, c.runs = slices.Clone(sys.Orders), c.runs+1
	if c.begun {
		sys.RebootWanted = c.reboot
	}
	if !c.begun && (len(sys.Orders) == 0 || sys.Orders[0].Cycle <= c.done) {
		return nil, nil
	}
	return []policies.Change{{Attribute: "bash", Before: "1", After: "2"}}, nil
}

func (c *cycle) Apply(_ context.Context, sys *system.System, _ []policies.Change) error {
	switch {
	case c.dies:
		runtime.Goexit() // nothing that follows in the round is done
	case c.fails:
		return errors.New("a postinst failed")
	case c.reboot != "":
		c.begun, sys.RebootWanted = true, c.reboot
		return fmt.Errorf("it has to boot: %w", modules.ErrWait)
	}
	c.begun = false
	if len(sys.Orders) > 0 {
		c.done = sys.Orders[0].Cycle
	}
	return nil
}

func (c *cycle) Patched() *policies.Patched {
	p := &policies.Patched{Phase: policies.PhaseIdle, Cycle: c.done}
	if c.reboot != "" && c.begun {
		p.Phase, p.Reboot = policies.PhaseReboot, []string{c.reboot}
	}
	return p
}

// patchRig is a rig whose policy has a patch resource, of release 1.
func patchRig(t *testing.T) (*rig, *cycle) {
	t.Helper()
	r, one := newRig(t), &cycle{}
	r.agent.Decode = func(res policies.Resource) (modules.Resource, error) {
		if res.Kind == patchKind {
			return one, nil
		}
		return decodeTest(res)
	}
	r.publish(1, 0, r.patchTree("one"))
	r.enroll("")
	return r, one
}

func (r *rig) patchTree(text string, more ...policies.Resource) bundle.Tree {
	return r.tree(text, append(more, policies.Resource{Address: "rollout.web", Kind: patchKind, Policy: "web", Mode: policies.Enforce,
		Attributes: []byte(`{"rollout":"web"}`)})...)
}

func webSet(version string) patch.Set {
	return patch.Set{Rollout: "web", Baseline: "b", Items: []patch.Item{{Manager: "apt", Package: "bash", Version: version, Repository: "r"}}}
}

// grant serves a set and puts it into every lease to come.
func (r *rig) grant(cycle uint64, set any) protocol.PatchGrant {
	r.t.Helper()
	raw, err := json.Marshal(set)
	if err != nil {
		r.t.Fatal(err)
	}
	g := protocol.PatchGrant{Rollout: "web", Cycle: cycle, Set: r.Serve(raw), Offered: time.Unix(1_790_000_000, 0)}
	r.Grant(g)
	return g
}

// patchResult is what the newest run says of the patch resource.
func (r *rig) patchResult() policies.ResourceResult {
	r.t.Helper()
	last, ok, err := r.agent.Newest()
	if err != nil || !ok {
		r.t.Fatal("nothing was run", err)
	}
	return last.Result.Resources[len(last.Result.Resources)-1]
}

func (r *rig) offline() {
	r.Before(func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(503); return true })
}

func (r *rig) sets() int {
	found, _ := filepath.Glob(filepath.Join(r.agent.Dir.Path, "sets", "*"))
	return len(found)
}
