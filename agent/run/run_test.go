package run

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"plumb/modules"
	"plumb/modules/system"
	"plumb/policies"
)

func TestStatuses(t *testing.T) {
	for name, c := range map[string]struct {
		edit   func(*policies.Resource, *box)
		runner func(*Runner)
		want   string
	}{
		"repaired":       {nil, nil, "repaired/initial"},
		"audit":          {func(r *policies.Resource, _ *box) { r.Mode = policies.Audit }, nil, "noncompliant/initial"},
		"forced audit":   {nil, func(r *Runner) { r.Audit = true }, "noncompliant/initial"},
		"frozen":         {nil, func(r *Runner) { r.Frozen = true }, "pending/initial"},
		"check":          {func(r *policies.Resource, _ *box) { r.Check = true }, nil, "noncompliant/initial"},
		"not applicable": {func(r *policies.Resource, _ *box) { r.NotApplicable = true }, nil, "not_applicable"},
		"error":          {func(_ *policies.Resource, b *box) { b.Fail = true }, nil, "error/initial"},
		"lie":            {func(_ *policies.Resource, b *box) { b.Lie = true }, nil, "error/initial"},
		"panic":          {func(_ *policies.Resource, b *box) { b.Panic = true }, nil, "error"},
		"busy":           {func(_ *policies.Resource, b *box) { b.Wait = true }, nil, "pending"},
		"unknown":        {func(_ *policies.Resource, b *box) { b.Unknown = true }, nil, "unknown"},
		"damaged":        {nil, func(r *Runner) { r.Decode = func(policies.Resource) (modules.Resource, error) { panic("x") } }, "error"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.edit = c.runner
			if got := brief(b.run(b.box("a", c.edit))); got != c.want {
				t.Errorf("status = %s, want %s", got, c.want)
			}
		})
	}
}

func TestCauses(t *testing.T) {
	b := newBench(t)
	want := b.box("a", nil)
	steps := []struct{ before, want string }{
		{"", "repaired/initial"},
		{"", "compliant"},
		{"drift", "repaired/corrective"},
		{"policy", "repaired/intentional"},
		{"", "compliant"},
	}
	for i, s := range steps {
		switch s.before {
		case "drift":
			os.WriteFile(b.path("a"), []byte("bad"), 0o600)
		case "policy":
			want = b.box("a", func(_ *policies.Resource, one *box) { one.Text = "better" })
		}
		if got := brief(b.run(want)); got != s.want {
			t.Errorf("step %d: %s, want %s", i, got, s.want)
		}
	}
}

func TestFreezeLetsDriftBeMended(t *testing.T) {
	b := newBench(t)
	b.run(b.box("a", nil))
	os.WriteFile(b.path("a"), []byte("bad"), 0o600)
	b.edit = func(r *Runner) { r.Frozen = true }
	if got := brief(b.run(b.box("a", nil), b.box("b", nil))); got != "repaired/corrective pending/initial" {
		t.Errorf("got %s", got)
	}
}

func TestDependencies(t *testing.T) {
	after := func(names ...string) func(*policies.Resource, *box) {
		return func(r *policies.Resource, _ *box) { r.DependsOn = names }
	}
	b := newBench(t)
	got := b.run(
		b.box("a", func(_ *policies.Resource, b *box) { b.Fail = true }), b.box("b", after("box.a")), b.box("c", after("box.b")),
		b.box("d", func(_ *policies.Resource, b *box) { b.Wait = true }), b.box("e", after("box.d")), b.box("f", nil))
	if brief(got) != "error/initial skipped skipped pending pending repaired/initial" {
		t.Errorf("got %s", brief(got))
	}
	if got[1].Message != "box.a failed" {
		t.Errorf("message = %q", got[1].Message)
	}
}

func notifies(r *policies.Resource, _ *box) { r.Notify = []string{"box.z"} }

func TestNotifyOnceAtTheEnd(t *testing.T) {
	b := newBench(t)
	list := []policies.Resource{b.box("a", notifies), b.box("b", notifies), b.box("z", nil), b.box("c", notifies)}
	if got := brief(b.run(list...)); got != "repaired/initial repaired/initial repaired/initial+refreshed repaired/initial" {
		t.Errorf("got %s", got)
	}
	if got := b.trace(); got != "apply a, apply b, apply z, apply c, refresh z" {
		t.Errorf("acts: %s", got)
	}
	b.run(list...)
	if got := b.trace(); got != "" {
		t.Errorf("a quiet run did: %s", got)
	}
}

func TestNotifyOnlyForRealChanges(t *testing.T) {
	b := newBench(t)
	list := []policies.Resource{b.box("a", func(r *policies.Resource, one *box) { notifies(r, one); one.Fail = true }), b.box("z", nil)}
	b.run(list...)
	if got := b.trace(); got != "apply a, apply z" {
		t.Errorf("acts: %s; want no refresh", got)
	}
}

func TestFailedRefreshIsAnErrorAndTriedAgain(t *testing.T) {
	b := newBench(t)
	broken := b.box("z", func(_ *policies.Resource, one *box) { one.RefreshFails = true })
	got := b.run(b.box("a", notifies), broken)
	if got[1].Status != policies.Failed || !strings.Contains(got[1].Message, "box.a") {
		t.Errorf("got %+v", got[1])
	}
	b.trace()
	got = b.run(b.box("a", notifies), b.box("z", nil))
	if !got[1].Refreshed || b.trace() != "refresh z" {
		t.Errorf("it was not refreshed again: %+v", got[1])
	}
}

func TestPauseKeepsNotifications(t *testing.T) {
	b := newBench(t)
	b.run(b.box("z", nil))
	j, err := OpenJournal(b.dir, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	if err := j.begin("box.a", []string{"box.z"}, nil, policies.Initial); err != nil {
		t.Fatal(err)
	}
	j.Close()
	b.trace()
	b.edit = func(r *Runner) { r.Audit = true }
	b.run(b.box("z", nil))
	if got := b.trace(); got != "" {
		t.Errorf("a paused host did: %s", got)
	}
	b.edit = nil
	b.run(b.box("z", nil))
	if got := b.trace(); got != "refresh z" {
		t.Errorf("after the pause: %s", got)
	}
}

func TestStopBetweenResources(t *testing.T) {
	b := newBench(t)
	ctx, stop := context.WithCancel(context.Background())
	b.edit = func(r *Runner) {
		r.Decode = func(res policies.Resource) (modules.Resource, error) {
			one, err := decodeBox(res)
			return &stopper{one.(*box), stop}, err
		}
	}
	_, err := b.try(ctx, b.box("a", notifies), b.box("z", nil))
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("Run = %v", err)
	}
	if got := b.trace(); got != "apply a" {
		t.Errorf("acts: %s; want the resource at hand finished and no other begun", got)
	}
	b.edit = nil
	got := b.run(b.box("a", notifies), b.box("z", nil))
	if brief(got) != "repaired/initial repaired/initial+refreshed" {
		t.Errorf("the next run: %s; want the first repair told and the notification delivered", brief(got))
	}
}

// stopper asks for the end of the run in the middle of its Apply, as SIGTERM does.
type stopper struct {
	*box
	stop func()
}

func (s *stopper) Apply(ctx context.Context, sys *system.System, changes []policies.Change) error {
	s.stop()
	if ctx.Err() != nil {
		return errors.New("it was torn away in the middle")
	}
	return s.box.Apply(ctx, sys, changes)
}

func TestRetryAndTimeout(t *testing.T) {
	b := newBench(t)
	b.run(b.box("a", func(r *policies.Resource, one *box) { one.Fail, r.Retry = true, &policies.Retry{Attempts: 3} }))
	if got := b.trace(); got != "apply a, apply a, apply a" {
		t.Errorf("acts: %s", got)
	}
	b.edit = func(r *Runner) {
		r.Decode = func(policies.Resource) (modules.Resource, error) { return &sleeper{}, nil }
	}
	got := b.run(b.box("a", func(r *policies.Resource, _ *box) { r.Timeout = 1 }))
	if got[0].Status != policies.Failed || !strings.Contains(got[0].Message, "stopped after 1s") {
		t.Errorf("got %+v", got[0])
	}
}

type sleeper struct{ box }

func (s *sleeper) Check(ctx context.Context, _ *system.System) ([]policies.Change, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestSecretsAreNeverShown(t *testing.T) {
	b := newBench(t)
	secret := "hunter2 is the password"
	got := b.run(b.box("a", func(r *policies.Resource, one *box) {
		r.Sensitive, one.Text, one.Fail = []string{"Text", "text"}, secret, true
	}))
	raw, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	journal, _ := os.ReadFile(b.path("journal"))
	if strings.Contains(string(raw)+string(journal), "hunter2") {
		t.Errorf("the secret is in %s or %s", raw, journal)
	}
	want := []policies.Change{{Attribute: "text", After: "(sensitive)"}}
	if diff := cmp.Diff(want, got[0].Changes); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
}

func TestManagedPaths(t *testing.T) {
	b := newBench(t)
	sys := &system.System{Root: "/"}
	b.edit = func(r *Runner) { r.System = sys }
	b.run(b.box("a", nil), b.box("b", func(r *policies.Resource, _ *box) { r.NotApplicable = true }))
	if diff := cmp.Diff(map[string]bool{b.path("a"): true}, sys.Managed); diff != "" {
		t.Errorf("managed (-want +got):\n%s", diff)
	}
}

// The real file kind, twice, then with drift.
func TestRealFile(t *testing.T) {
	root := t.TempDir()
	attributes, err := json.Marshal(map[string]string{"path": "/motd", "content": "Welcome\n"})
	if err != nil {
		t.Fatal(err)
	}
	b := newBench(t)
	b.edit = func(r *Runner) { r.Decode, r.System = nil, &system.System{Root: root, State: t.TempDir()} }
	res := policies.Resource{Address: "file.motd", Kind: "file", Mode: policies.Enforce, Attributes: attributes}
	for i, want := range []string{"repaired/initial", "compliant", "repaired/corrective"} {
		if i == 2 {
			os.WriteFile(filepath.Join(root, "motd"), []byte("mine"), 0o644)
		}
		if got := b.run(res); brief(got) != want {
			t.Errorf("run %d: %s, want %s (%s)", i, brief(got), want, got[0].Message)
		}
	}
}

func TestCleanCutsAndStrips(t *testing.T) {
	out := policies.ResourceResult{Message: "a\x1b[31mred\xff" + strings.Repeat("é", maxMessage)}
	clean(&out, secrets{})
	if strings.Contains(out.Message, "\x1b") || !utf8.ValidString(out.Message) || len(out.Message) > maxMessage || !strings.HasSuffix(out.Message, "…") {
		t.Errorf("message = %.40q… of %d bytes", out.Message, len(out.Message))
	}
	result := policies.Result{}
	for i := range 500 {
		result.Resources = append(result.Resources, policies.ResourceResult{Address: fmt.Sprint(i), Status: policies.Failed,
			Changes: []policies.Change{{Attribute: "a", Before: strings.Repeat("x", 900), Diff: strings.Repeat("y", 900)}}})
	}
	trim(&result, 150_000)
	if got := size(result); got > 150_000 || result.Resources[0].Changes == nil || result.Counts()[policies.Failed] != 500 {
		t.Errorf("trimmed to %d bytes with %d changes", got, len(result.Resources[0].Changes))
	}
	trim(&result, 10)
	if result.Resources[0].Changes != nil || result.Counts()[policies.Failed] != 500 {
		t.Error("the statuses did not survive")
	}
}

// TestFitsNeverBelittles compares the bound with the true length, for texts that take the most room.
func TestFitsNeverBelittles(t *testing.T) {
	for _, text := range []string{"", "a", "\x01", "\xff", "<", "é", "\u2028"} {
		result := policies.Result{Catalog: text, Resources: []policies.ResourceResult{}}
		for range 20 {
			limit := size(result) - 1
			if fits(result, limit) {
				t.Errorf("%d resources of %q: it has %d bytes, and fits into %d", len(result.Resources), text, limit+1, limit)
			}
			result.Resources = append(result.Resources, policies.ResourceResult{Address: text, Status: policies.Status(text), Mode: policies.Mode(text),
				Cause: policies.Cause(text), From: text, To: text, Message: text, By: text, Refreshed: true})
		}
		if !fits(result, MaxResult) {
			t.Errorf("20 resources of %q do not fit", text)
		}
	}
	long := policies.Result{Resources: []policies.ResourceResult{{Changes: []policies.Change{{Before: strings.Repeat("x", MaxResult)}}}}}
	if fits(long, MaxResult) {
		t.Error("a change of 4 MiB fits")
	}
}
