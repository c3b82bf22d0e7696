package run

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"plumb/modules"
	"plumb/modules/system"
	"plumb/policies"
)

// leaf is a box that may be looked at ahead of its turn. What it breaks when it is mended is a file
// that another one holds.
type leaf struct {
	box
	Breaks string
	checks *atomic.Int32
}

func (*leaf) Quiet() bool { return true }

func (l *leaf) Check(ctx context.Context, sys *system.System) ([]policies.Change, error) {
	l.checks.Add(1)
	return l.box.Check(ctx, sys)
}

func (l *leaf) Apply(ctx context.Context, sys *system.System, changes []policies.Change) error {
	if l.Breaks != "" {
		if err := os.WriteFile(l.Breaks, []byte("broken"), 0o600); err != nil {
			return err
		}
	}
	return l.box.Apply(ctx, sys, changes)
}

// leaves makes a catalog of many, all in order.
func leaves(t *testing.T, b *bench, n int) (list []policies.Resource, checks *atomic.Int32) {
	t.Helper()
	checks = &atomic.Int32{}
	b.edit = func(r *Runner) {
		r.Decode = func(res policies.Resource) (modules.Resource, error) {
			one := &leaf{checks: checks}
			return one, json.Unmarshal(res.Attributes, one)
		}
	}
	for i := range n {
		name := fmt.Sprintf("%03d", i)
		list = append(list, b.box(name, nil))
		if err := os.WriteFile(b.path(name), []byte("good "+name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return list, checks
}

func breaking(t *testing.T, r *policies.Resource, victim string) {
	t.Helper()
	var all map[string]any
	if err := json.Unmarshal(r.Attributes, &all); err != nil {
		t.Fatal(err)
	}
	all["Breaks"] = victim
	raw, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	r.Attributes = raw
}

func TestWhatIsInOrderIsCheckedOnce(t *testing.T) {
	b := newBench(t)
	list, checks := leaves(t, b, 300)
	for _, one := range b.run(list...) {
		if one.Status != policies.Compliant {
			t.Fatalf("%s is %s", one.Address, one.Status)
		}
	}
	if got := checks.Load(); got != 300 {
		t.Errorf("300 resources were checked %d times", got)
	}
}

// TestAChangeIsSeenByAllBehindIt mends the third of many, which breaks the ninetieth: that was in
// order when it was looked at ahead.
func TestAChangeIsSeenByAllBehindIt(t *testing.T) {
	b := newBench(t)
	list, checks := leaves(t, b, 300)
	breaking(t, &list[2], b.path("090"))
	if err := os.Remove(b.path("002")); err != nil {
		t.Fatal(err)
	}
	for i, one := range b.run(list...) {
		want := policies.Compliant
		if i == 2 || i == 90 {
			want = policies.Repaired
		}
		if one.Status != want {
			t.Errorf("%s is %s, want %s", one.Address, one.Status, want)
		}
	}
	if got := checks.Load(); got > 3*300 {
		t.Errorf("300 resources were checked %d times", got)
	}
}

// TestManyChangesAreNotCheckedOverAndOver bounds what is looked at in vain when nothing is in order.
func TestManyChangesAreNotCheckedOverAndOver(t *testing.T) {
	b := newBench(t)
	list, checks := leaves(t, b, 300)
	for i := range list {
		if err := os.Remove(b.path(fmt.Sprintf("%03d", i))); err != nil {
			t.Fatal(err)
		}
	}
	for _, one := range b.run(list...) {
		if one.Status != policies.Repaired {
			t.Errorf("%s is %s", one.Address, one.Status)
		}
	}
	if got := checks.Load(); got > 4*300 {
		t.Errorf("300 resources were checked %d times", got)
	}
}

// TestGuardTakesTheNearerEnd: a time for many checks replaces that of each, but never a shorter one.
func TestGuardTakesTheNearerEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		tests := map[string]struct {
			ctx     context.Context
			timeout int // seconds
			want    time.Duration
		}{
			"in its turn": {t.Context(), 0, time.Hour}, "in its turn, with its own": {t.Context(), 5, 5 * time.Second},
			"with others": {all, 0, time.Hour}, "with others, with its own": {all, 5, 5 * time.Second}, "a longer one": {all, 7200, time.Hour},
		}
		for name, tt := range tests {
			w := &work{pass: &pass{Runner: &Runner{Limit: time.Hour}}, res: policies.Resource{Timeout: tt.timeout}}
			err := w.guard(tt.ctx, func(ctx context.Context) error {
				if end, ok := ctx.Deadline(); !ok || time.Until(end) != tt.want {
					t.Errorf("%s: it ends in %s, want %s", name, time.Until(end), tt.want)
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		}
	})
}
