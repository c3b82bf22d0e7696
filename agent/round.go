package agent

import (
	"context"
	"errors"
	"syscall"
	"time"

	"plumb/agent/protocol"
	"plumb/agent/spool"
	"plumb/agent/state"
	"plumb/agent/transport"
	"plumb/agent/trust"
	"plumb/inventory"
	"plumb/policies"
)

// Outcome is what a round came to.
type Outcome struct {
	// Release is the number of the release that was run last, 0 when there was none.
	Release uint64
	// Counts are the statuses of its resources.
	Counts map[policies.Status]int
	// Problem says what is wrong with a release or with the host's trust, if something is.
	Problem string
	// Called is the error of the call to the server, nil when it went well or was not due.
	Called error
	// Interval is how long the server wants to be left alone, 0 when it did not say.
	Interval time.Duration
	// Opens is when to look again because a window opens: one that a change waits for, or one in
	// which patch cycles are given out. It is zero when there is none.
	Opens time.Time
	// Soon asks for another round soon: a patch cycle is under way.
	Soon bool
	// Again is when [Agent.Mend] is to look once more at what it changed; zero is never.
	Again time.Time
	// Reboot says why the host has to boot again, and is empty when it need not.
	Reboot string
}

// Worst is how the host stands after the round.
func (o Outcome) Worst() policies.Status {
	var list []policies.Status
	for status := range o.Counts {
		list = append(list, status)
	}
	return policies.Worst(list...)
}

// round is one round under way.
type round struct {
	*Agent
	id       state.Identity
	floors   trust.Floors
	releases state.Releases
	lease    lease
	granted  []state.Granted // the patch cycles of the lease
	spool    *spool.Spool
	client   *transport.Client
	pause    *protocol.Pause
	tag      []byte          // of the release that is being taken
	blind    bool            // the floors are lost, so nothing new can be believed
	trouble  string          // what is wrong with the host
	problem  string          // what stands against the release that the server wants
	only     map[string]bool // the suspects of [Agent.Mend], nil in a whole round
	last     Last            // with only: the run before
	patches  bool            // the release that was just tried has patch resources
	older    bool            // the catalog that was run is older than what it would be made from
	out      Outcome

	found    inventory.Facts
	rawFacts []byte
	// rawOffers is nil when it is not known what is on offer.
	rawOffers []byte
}

// lease is what is remembered of the newest accepted lease.
type lease struct {
	Release  uint64    `json:"release"`
	Expires  time.Time `json:"expires"`
	Freeze   bool      `json:"freeze,omitempty"`
	Interval int       `json:"interval,omitempty"` // seconds, as the server last said
	// Skew is how far the host's clock was ahead of the server's when the lease came, in seconds.
	Skew int `json:"skew,omitempty"`
}

const leaseFile = "lease.json"

// Round does one round. With call it talks to the server first; without, or when that fails,
// it goes on with what the host holds. The error is one of the host itself.
func (a *Agent) Round(ctx context.Context, call bool) (Outcome, error) {
	if a.Reserve {
		a.Dir.HoldBack()
	}
	out, err := a.oneRound(ctx, call, "")
	full := errors.Join(err, out.Called)
	if !errors.Is(full, syscall.ENOSPC) || !a.Dir.GiveUp() {
		return out, err
	}
	a.Log.Error("the disk is full; what was held back is used up to tell of it", "error", full)
	return a.oneRound(ctx, call, "the host's disk is full: "+full.Error())
}

// oneRound does one round; trouble is what its report is to tell besides.
func (a *Agent) oneRound(ctx context.Context, call bool, trouble string) (Outcome, error) {
	r, err := a.begin()
	if err != nil {
		return Outcome{}, err
	}
	defer r.hangUp()
	r.trouble = trouble
	if call {
		r.out.Called = r.call(ctx)
	}
	if err := ctx.Err(); err != nil {
		return r.out, err
	}
	spooled := r.spool.Len()
	if err := r.enforce(ctx); err != nil {
		return r.out, err
	}
	if call && r.out.Called == nil && r.spool.Len() > spooled {
		_, r.out.Called = r.deliver(ctx)
	}
	r.out.Problem = r.told()
	return r.out, r.boot(ctx)
}

// told is what stands against a release, and what is wrong with the host.
func (r *round) told() string {
	if r.problem == "" || r.trouble == "" {
		return r.problem + r.trouble
	}
	return r.trouble + "; " + r.problem
}

// begin reads the state. Damaged floors are not fatal: drift is mended, nothing new is taken.
func (a *Agent) begin() (*round, error) {
	r := &round{Agent: a}
	var err error
	if r.id, err = a.Dir.Identity(); err != nil {
		return nil, err
	}
	if r.releases, err = a.Dir.Releases(); errors.Is(err, state.ErrDamaged) {
		a.Log.Error("which releases are held is lost, until the server is reached", "error", err)
		r.releases, err = state.Releases{}, nil
	}
	if err != nil {
		return nil, err
	}
	if _, err = a.Dir.Load(leaseFile, &r.lease); err != nil {
		a.Log.Warn("the newest lease is lost", "error", err)
	}
	if r.granted, err = a.Dir.Granted(); err != nil {
		a.Log.Warn("the patch orders are lost until the server is reached", "error", err)
	}
	if r.floors, err = a.Dir.Floors(); err != nil {
		if !errors.Is(err, state.ErrNoFloors) {
			return nil, err
		}
		r.blind = true
		r.problem = "no new release is taken: " + err.Error() + "; enrol the host again"
	}
	if q := r.releases.Quarantined; q != nil && q.Number == r.lease.Release && !r.blind {
		r.problem = quarantined(*q) // until the server is heard to want another one
	}
	r.pause = a.Dir.Paused(a.Now())
	r.spool, err = a.openSpool()
	return r, err
}

// clock is the time to judge leases and certificates by.
func (r *round) clock() time.Time { return trust.Clock(r.Now(), r.Built, r.floors) }

// stale tells whether the lease has run out, or whether there never was one.
func (r *round) stale() bool { return !r.clock().Before(r.lease.Expires) }
