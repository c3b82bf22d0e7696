package run

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"plumb/agent/protocol"
	"plumb/modules"
	"plumb/modules/system"
	"plumb/policies"
)

// slowCycle takes half a minute, and tells how far it is.
type slowCycle struct {
	*cycle
	panics bool
}

func (s *slowCycle) Apply(ctx context.Context, sys *system.System, changes []policies.Change) error {
	time.Sleep(35 * time.Second)
	return s.cycle.Apply(ctx, sys, changes)
}

func (s *slowCycle) Progress(*system.System) (uint64, string, int, int) {
	if s.panics {
		panic("a fault")
	}
	return 3, policies.PhaseInstall, 1, 2
}

func TestProgressIsToldWhileACycleIsApplied(t *testing.T) {
	for name, c := range map[string]struct{ panics, hangs bool }{"fine": {}, "a fault in it": {panics: true}, "nobody listens": {hangs: true}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var told []protocol.Progress
				b, res := patches(t, open, &cycle{}, func(r *Runner) {
					decode := r.Decode
					r.Decode = func(res policies.Resource) (modules.Resource, error) {
						one, err := decode(res)
						return &slowCycle{one.(*cycle), c.panics}, err
					}
					r.Live = func(ctx context.Context, p protocol.Progress) {
						told = append(told, p)
						if c.hangs {
							<-ctx.Done()
						}
					}
				})
				began := time.Now()
				if got := brief(b.run(res)); got != "repaired/intentional" || time.Since(began) != 35*time.Second {
					t.Errorf("got %s after %s", got, time.Since(began))
				}
				one := protocol.Progress{Rollout: "web", Cycle: 3, Phase: policies.PhaseInstall, Done: 1, Total: 2}
				want := []protocol.Progress{one, one, one}
				if c.panics {
					want = nil
				}
				if diff := cmp.Diff(want, told); diff != "" {
					t.Errorf("told (-want +got):\n%s", diff)
				}
			})
		})
	}
}
