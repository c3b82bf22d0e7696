package fleet

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"plumb/agent/protocol"
	"plumb/inventory"
	"plumb/policies"
	"plumb/server/store"
)

// CheckIn notes that a host called, takes its reports and answers with a lease. When it has
// returned without an error, the reports up to Answer.Accepted are on the disk.
func (f *Fleet) CheckIn(ctx context.Context, id inventory.HostID, in protocol.CheckIn, now time.Time) (protocol.Answer, error) {
	h, err := f.host(ctx, id)
	if err != nil {
		return protocol.Answer{}, err
	}
	return f.CheckInOf(ctx, h, in, now)
}

// CheckInOf is CheckIn of a host whose row was just read, to see who calls.
func (f *Fleet) CheckInOf(ctx context.Context, h store.Host, in protocol.CheckIn, now time.Time) (answer protocol.Answer, err error) {
	if err := clean(&in); err != nil {
		return protocol.Answer{}, err
	}
	beat := store.Heartbeat{Agent: in.Agent, Counter: in.Counter, Floor: in.Floor, Paused: in.Paused}
	if err := f.Store.Heard(ctx, h, beat, now); err != nil && !errors.Is(err, store.ErrFull) {
		return protocol.Answer{}, err // on a full disk the call is forgotten, but the host gets its lease
	}
	answer = protocol.Answer{Epoch: h.Epoch, Accepted: h.Seq, Want: []string{}, Interval: int(f.interval().Seconds())}
	if len(in.Reports) > 0 {
		if err := f.take(ctx, h, in, &answer, now); err != nil {
			return protocol.Answer{}, err
		}
	}
	f.lives.hear(h.ID, h.Name, in.Patching, now)
	if f.twins.hear(h.ID, in.Instance, now) {
		f.tellTwin(ctx, h, now)
	}
	if len(answer.Want) > 0 {
		return answer, nil // it checks in again when it has sent that, and gets its lease then
	}
	answer.Lease, err = f.lease(ctx, h, in, now)
	return answer, err
}

// tellTwin tells of two machines with one identity. That it cannot be stored must not keep the host from its lease.
func (f *Fleet) tellTwin(ctx context.Context, h store.Host, now time.Time) {
	f.log().Error("two machines use the identity of one host, which gets no change now", "host", h.Name)
	if err := f.Store.NoteTwin(ctx, h.ID, now); err != nil {
		f.log().Error("cannot note that a host has a twin", "host", h.Name, "error", err)
	}
}

// attempts is how often reports are tried when the same host delivers twice at once.
const attempts = 5

func (f *Fleet) take(ctx context.Context, h store.Host, in protocol.CheckIn, answer *protocol.Answer, now time.Time) error {
	var err error
	for range attempts {
		if err = f.takeOnce(ctx, h, in, answer, now); !errors.Is(err, store.ErrConflict) {
			return err
		}
		if h, err = f.host(ctx, h.ID); err != nil {
			return err
		}
	}
	return fmt.Errorf("cannot take the reports: %w", store.ErrConflict)
}

// takeOnce accepts the reports that follow without a gap on what is stored, up to the first
// one that names an object which nobody has sent yet.
func (f *Fleet) takeOnce(ctx context.Context, h store.Host, in protocol.CheckIn, answer *protocol.Answer, now time.Time) error {
	epoch := in.Reports[0].Epoch
	accepted := h.Seq
	if epoch != h.Epoch {
		var err error
		if accepted, err = f.Store.Accepted(ctx, h.ID, epoch); err != nil {
			return err
		}
	}
	answer.Epoch, answer.Accepted, answer.Want = epoch, accepted, []string{}
	fresh := following(in.Reports, accepted)
	if len(fresh) == 0 {
		return nil
	}
	f.takeInline(fresh, in.Objects, now)
	missing, err := f.Store.Missing(ctx, f.unknown(fresh))
	if err != nil {
		return err
	}
	ready := untilMissing(fresh, missing)
	if ready == 0 {
		f.ask(h, missing, answer, now)
		return nil
	}
	steps, err := f.steps(ctx, h, fresh[:ready], now)
	if err != nil {
		return err
	}
	if err := f.Store.Accept(ctx, h.ID, h.Epoch, h.Seq, steps, now); err != nil {
		return err
	}
	answer.Accepted = fresh[ready-1].Seq
	f.settle(steps)
	f.inbox.done(h.ID)
	f.lives.forget(h.ID)
	f.tell(h, steps)
	f.ask(h, missing, answer, now)
	return nil
}

// following returns the reports that come right after the stored one, without a gap.
func following(reports []policies.Report, accepted uint64) []policies.Report {
	next := []policies.Report{}
	for _, r := range reports {
		if r.Seq == accepted+1 {
			next = append(next, r)
			accepted++
		}
	}
	return next
}

// ask lists the objects that are missing in answer.Want.
func (f *Fleet) ask(h store.Host, missing []store.Ref, answer *protocol.Answer, now time.Time) {
	if len(missing) == 0 {
		return
	}
	f.inbox.ask(h.ID, missing, now)
	for _, ref := range missing {
		answer.Want = append(answer.Want, ref.Digest)
	}
}

// settle notes that objects are on the disk now, with the reports that name them.
func (f *Fleet) settle(steps []store.Step) {
	for _, step := range steps {
		for _, o := range step.Objects {
			if p := f.inbox.get(o.Ref); p != nil {
				f.objects.put(o.Ref, p.value)
				f.inbox.stored(o.Ref)
			}
		}
	}
}

// untilMissing is how many reports from the first on lack nothing.
func untilMissing(reports []policies.Report, missing []store.Ref) int {
	for i, r := range reports {
		if slices.ContainsFunc(refs(r), func(ref store.Ref) bool { return slices.Contains(missing, ref) }) {
			return i
		}
	}
	return len(reports)
}

// unknown returns the objects, each once, that this process has neither seen in the store before nor
// holds for it.
func (f *Fleet) unknown(reports []policies.Report) []store.Ref {
	seen := map[store.Ref]bool{}
	list := []store.Ref{}
	for _, r := range reports {
		for _, ref := range refs(r) {
			if !seen[ref] && !f.objects.has(ref) && f.inbox.get(ref) == nil {
				list = append(list, ref)
			}
			seen[ref] = true
		}
	}
	return list
}

func refs(r policies.Report) []store.Ref {
	all := []store.Ref{}
	for _, ref := range []store.Ref{{Kind: store.KindFacts, Digest: r.Facts}, {Kind: store.KindCatalog, Digest: r.Catalog}, {Kind: store.KindResult, Digest: r.Result},
		{Kind: store.KindOffers, Digest: r.Offers}} {
		if ref.Digest != "" {
			all = append(all, ref)
		}
	}
	return all
}

// lease returns the signed lease for a host, empty while there is no release for it.
func (f *Fleet) lease(ctx context.Context, h store.Host, in protocol.CheckIn, now time.Time) (string, error) {
	h.Floor = max(h.Floor, in.Floor)
	release, err := f.assigned(ctx, h)
	if errors.Is(err, store.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	var patches []protocol.PatchGrant
	if f.Patches != nil {
		patches = f.Patches(h)
	}
	said := protocol.Lease{
		Host: h.ID, Counter: max(in.Counter+1, h.Counter+1, uint64(now.UnixMilli())),
		Release: release.Number, Tag: release.Tag, Bundle: release.Bundle,
		Issued: now.UTC(), Expires: now.Add(f.expires()).UTC(),
		Freeze: f.Frozen != nil && f.Frozen() || f.twins.has(h.ID, now), Patches: patches,
	}
	if text, known := f.leases.again(said, in.Counter, now); known {
		return text, nil
	}
	text, err := f.Authority.SignLease(said)
	if err == nil {
		f.leases.keep(said, text, now)
	}
	return text, err
}

func (f *Fleet) assigned(ctx context.Context, h store.Host) (store.Release, error) {
	newest, err := f.Store.LatestReleaseFor(ctx, h)
	if err != nil || f.Assign == nil {
		return newest, err
	}
	number := f.Assign(h, newest)
	if number == newest.Number {
		return newest, nil
	}
	return f.Store.Release(ctx, number)
}
