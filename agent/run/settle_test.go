package run

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"plumb/modules"
	"plumb/modules/system"
	"plumb/policies"
)

// hatchling is a box that is to be looked at a second after it was changed.
type hatchling struct {
	box
	Dies bool
	born time.Time
}

func (h *hatchling) Apply(ctx context.Context, sys *system.System, changes []policies.Change) error {
	h.born = time.Now()
	return h.box.Apply(ctx, sys, changes)
}

func (h *hatchling) Settles() (time.Time, bool) { return h.born.Add(time.Second), !h.born.IsZero() }

func (h *hatchling) Settled(context.Context, *system.System) error {
	h.note("settle")
	h.born = time.Time{}
	if h.Dies {
		return errors.New("it died")
	}
	return nil
}

// nest is a bench of hatchlings; those whose text ends in "dies" do.
func nest(t *testing.T) *bench {
	b := newBench(t)
	b.edit = func(r *Runner) {
		r.Decode = func(res policies.Resource) (modules.Resource, error) {
			h := &hatchling{}
			err := json.Unmarshal(res.Attributes, &h.box)
			h.Dies = strings.HasSuffix(h.Text, "dies")
			return h, err
		}
	}
	return b
}

func dies(_ *policies.Resource, b *box) { b.Text += " dies" }

// Of many that are started each is looked at again, and the host waits for all of them once.
func TestSettleWaitsOnce(t *testing.T) {
	b := nest(t)
	list := []policies.Resource{b.box("a", nil), b.box("b", dies), b.box("c", nil)}
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		if got := brief(b.run(list...)); got != "repaired/initial error/initial repaired/initial" {
			t.Errorf("the run said %s", got)
		}
		if took := time.Since(began); took != time.Second {
			t.Errorf("it took %s, want one second for all", took)
		}
	})
	if got := b.trace(); got != "apply a, apply b, apply c, settle a, settle b, settle c" {
		t.Errorf("it did %s", got)
	}
	if left := b.memory["box.b"].Status; left != policies.Failed {
		t.Errorf("the memory of the run says %q of what died", left)
	}
}

// What depends on something is touched only when that has shown that it holds.
func TestSettleBeforeDependents(t *testing.T) {
	b := nest(t)
	after := b.box("b", func(r *policies.Resource, _ *box) { r.DependsOn = []string{"box.a"} })
	synctest.Test(t, func(t *testing.T) {
		if got := brief(b.run(b.box("a", dies), after)); got != "error/initial skipped" {
			t.Errorf("the run said %s", got)
		}
	})
	if got := b.trace(); got != "apply a, settle a" {
		t.Errorf("it did %s", got)
	}
}

// A mend leaves the second look to a later run, so that other drift need not wait for it.
func TestSettleLater(t *testing.T) {
	b := nest(t)
	kinds, owed, last := b.edit, Unsettled(nil), (*Runner)(nil)
	b.edit = func(r *Runner) {
		kinds(r)
		r.Later, r.Before, last = true, owed, r
	}
	list := []policies.Resource{b.box("a", dies), b.box("b", nil)}
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		if got := brief(b.run(list...)); got != "repaired/initial repaired/initial" || time.Since(began) != 0 {
			t.Errorf("the mend said %s after %s", got, time.Since(began))
		}
		if at, ok := last.Unsettled.Due(); !ok || !at.Equal(began.Add(time.Second)) || len(last.Unsettled) != 2 {
			t.Errorf("it owes %d looks, the first at %s, %t", len(last.Unsettled), at, ok)
		}
		owed = last.Unsettled
		time.Sleep(time.Second) // of the test's own clock
		if got := brief(b.run(list...)); got != "error/corrective compliant" {
			t.Errorf("the next run said %s", got)
		}
		if len(owed) != 0 {
			t.Errorf("%d looks are owed still", len(owed))
		}
	})
	if got := b.trace(); got != "apply a, apply b, settle a, settle b" {
		t.Errorf("it did %s", got)
	}
}

// fickle differs in another way after it was mended, for whoever changes it was not done yet.
type fickle struct {
	box
	times int
}

func (f *fickle) Check(ctx context.Context, sys *system.System) ([]policies.Change, error) {
	raw, _ := os.ReadFile(f.Path)
	if len(raw) >= f.times {
		return nil, nil
	}
	return []policies.Change{{Attribute: strings.Repeat("x", len(raw)+1), After: "true"}}, nil
}

func (f *fickle) Apply(context.Context, *system.System, []policies.Change) error {
	appendTo(f.Path, "x")
	return nil
}

func TestMendChasesWhatDiffersAnew(t *testing.T) {
	for times, want := range map[int]string{1: "repaired/initial", 3: "repaired/initial", 4: "error/initial"} {
		b := newBench(t)
		b.edit = func(r *Runner) {
			r.Decode = func(res policies.Resource) (modules.Resource, error) {
				f := &fickle{times: times}
				return f, json.Unmarshal(res.Attributes, &f.box)
			}
		}
		got := b.run(b.box("a", nil))
		if brief(got) != want || times == 3 && len(got[0].Changes) != 3 {
			t.Errorf("%d changes of a stranger: %s with %d changes, want %s", times, brief(got), len(got[0].Changes), want)
		}
	}
}
