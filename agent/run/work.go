package run

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"plumb/modules"
	"plumb/policies"
)

// work is one resource of a run.
type work struct {
	*pass
	res     policies.Resource
	secrets secrets
	wanted  string
	astray  bool             // the catalog does not have it
	checked bool             // Check gave an answer
	waits   bool             // something had to wait for a window or a freeze
	waiver  *policies.Waiver // that holds
	fares   *policies.Patched
	broken  error // a fault of a kind that was asked whether it presses
	one     modules.Resource
	out     policies.ResourceResult
}

func (w *work) do(ctx context.Context) {
	if w.res.NotApplicable {
		w.out.Status = policies.NotApplicable
		return
	}
	if w.skips() {
		return
	}
	if status, why := w.blocked(w.res); status != "" {
		w.out.Status, w.out.Message = status, why
		return
	}
	w.one = w.target(w.res)
	if err := w.errs[w.res.Address]; err != nil {
		w.fail(err)
		return
	}
	if w.leave() {
		return
	}
	defer w.tell()
	if err := w.before(ctx); err != nil {
		w.checked = true
		w.out.Cause = w.why()
		w.fail(err)
		return
	}
	changes, err := w.first(ctx)
	if err != nil {
		w.fail(err)
		return
	}
	w.checked = true
	w.settle(ctx, changes)
}

// first is the check in its turn, unless it was done ahead and all was well.
func (w *work) first(ctx context.Context) ([]policies.Change, error) {
	if !w.astray && w.at < len(w.fine) && w.fine[w.at] {
		return nil, nil
	}
	if quiet, ok := w.one.(modules.Quiet); !ok || !quiet.Quiet() {
		defer w.touched()
	}
	return w.check(ctx)
}

// settle decides what becomes of the difference that Check found.
func (w *work) settle(ctx context.Context, changes []policies.Change) {
	address := w.res.Address
	before, begun := w.Journal.repairs[address]
	if len(changes) == 0 {
		w.out.Status = policies.Compliant
		if begun { // a run that was killed mended it, and nobody was told
			w.out.Status, w.out.Changes, w.out.Cause = policies.Repaired, before.Changes, before.Cause
			w.meant()
		}
		w.needless()
		return
	}
	w.out.Changes, w.out.Cause = changes, w.why()
	if begun {
		w.out.Cause = before.Cause
	}
	w.meant()
	applier, can := w.one.(modules.Applier)
	switch {
	case w.waived():
	case !can || w.out.Mode == policies.Audit:
		w.out.Status = policies.Noncompliant
	case w.flaps():
	case w.frozen():
		w.out.Status, w.out.Message = policies.Pending, "changes are frozen"
	default:
		w.begin(ctx, applier, changes)
	}
}

// flaps leaves a resource alone for which somebody else fights. What policy itself wants otherwise
// is no fight.
func (w *work) flaps() bool {
	flap, ok := w.Flapping[w.res.Address]
	if !ok || w.out.Cause == policies.Intentional {
		return false
	}
	w.out.Status, w.out.Message, w.out.Flapping = policies.Noncompliant, flap.String(), &flap
	return true
}

// frozen tells whether a freeze of the server's stops the change. What the host or its own
// patching did to a resource is drift. A patch cycle is none; see [work.permit].
func (w *work) frozen() bool {
	return w.Frozen && w.res.Kind != patchKind && w.out.Cause != policies.Corrective && w.out.Cause != policies.Upstream
}

// begin mends the resource when its windows and the freezes let it. Drift waits too.
func (w *work) begin(ctx context.Context, applier modules.Applier, changes []policies.Change) {
	if why := w.barred(); why != "" {
		w.out.Status, w.out.Message = policies.Pending, why
		return
	}
	w.mend(ctx, applier, changes)
}

// mend applies the changes and checks again. The journal knows of it before it begins.
func (w *work) mend(ctx context.Context, applier modules.Applier, changes []policies.Change) {
	w.touched()
	waiting := w.Journal.waits(w.res.Address)
	if err := w.announce(changes); err != nil {
		w.fail(err)
		return
	}
	left, err := w.put(ctx, applier, changes)
	for range maxChases { // somebody is not done yet: disable --now stops the service after its links are gone
		if err != nil || len(left) == 0 || w.res.Kind == patchKind || overlap(changes, left) {
			break
		}
		changes = append(changes, left...)
		w.out.Changes = changes
		if err = w.announce(changes); err == nil {
			left, err = w.put(ctx, applier, left)
		}
	}
	w.owe(w.res.Address, w.one)
	switch {
	case err == nil && len(left) == 0:
		w.out.Status = policies.Repaired
		return
	case err == nil:
		err = errors.New("it was applied and still differs")
		w.out.Changes = left
	}
	w.fail(err)
	if !waiting && sameChanges(changes, left) { // nothing was really changed, so nobody is to be notified
		w.note(w.Journal.undo(w.res.Address))
	}
}

// announce tells the journal what is about to be changed.
func (w *work) announce(changes []policies.Change) error {
	shown := policies.ResourceResult{Changes: append([]policies.Change(nil), changes...)}
	clean(&shown, w.secrets)
	return w.Journal.begin(w.res.Address, w.res.Notify, shown.Changes, w.out.Cause)
}

// maxChases is how often what differs anew is mended, too.
const maxChases = 2

// put applies changes and checks again.
func (w *work) put(ctx context.Context, applier modules.Applier, changes []policies.Change) ([]policies.Change, error) {
	w.touched()
	applied := w.apply(ctx, applier, changes)
	left, err := w.check(ctx)
	if applied != nil {
		err = applied
	}
	return left, err
}

// overlap tells whether an attribute that was changed still differs.
func overlap(changed, left []policies.Change) bool {
	return slices.ContainsFunc(left, func(l policies.Change) bool {
		return slices.ContainsFunc(changed, func(c policies.Change) bool { return c.Attribute == l.Attribute })
	})
}

// apply tries as often as the resource says.
func (w *work) apply(ctx context.Context, applier modules.Applier, changes []policies.Change) (err error) {
	defer w.watch()()
	attempts, delay := 1, 0
	if w.res.Retry != nil {
		attempts, delay = max(1, w.res.Retry.Attempts), w.res.Retry.Delay
	}
	for i := range attempts {
		if i > 0 {
			time.Sleep(time.Duration(delay) * time.Second)
		}
		err = w.guard(ctx, func(ctx context.Context) error { return applier.Apply(ctx, w.System, changes) })
		if err == nil || errors.Is(err, modules.ErrWait) || errors.Is(err, modules.ErrUnknown) {
			return err
		}
	}
	return err
}

func (w *work) check(ctx context.Context) (changes []policies.Change, err error) {
	err = w.guard(ctx, func(ctx context.Context) (err error) {
		changes, err = w.one.Check(ctx, w.System)
		return err
	})
	return changes, err
}

// guard bounds a call into a kind in time and turns its panic into an error.
func (w *work) guard(ctx context.Context, call func(context.Context) error) (err error) {
	limit := w.Limit
	if w.res.Timeout > 0 {
		limit = time.Duration(w.res.Timeout) * time.Second
	}
	if w.res.Kind == patchKind && w.res.Timeout == 0 {
		limit *= patchShare
	}
	if end, bound := ctx.Deadline(); limit > 0 && !(bound && time.Until(end) <= limit) {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	err = w.shield(func() error { return call(ctx) })
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("it was stopped after %s: %w", limit, err)
	}
	return err
}

// shield turns a panic of a kind into an error.
func (w *work) shield(call func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the kind %s broke down, which is a fault of the agent: %v\n%.1500s", w.res.Kind, p, debug.Stack())
		}
	}()
	return call()
}

// fail sets the status that an error stands for.
func (w *work) fail(err error) {
	w.out.Message = err.Error()
	switch {
	case errors.Is(err, modules.ErrWait):
		w.out.Status = policies.Pending
	case errors.Is(err, modules.ErrUnknown):
		w.out.Status = policies.Unknown
	default:
		w.out.Status = policies.Failed
	}
}

// note keeps an error of the journal, which must not be lost and must not hide another.
func (w *work) note(err error) {
	if err != nil {
		w.out.Status, w.out.Message = policies.Failed, w.out.Message+"; "+err.Error()
	}
}

func sameChanges(a, b []policies.Change) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}
