package views

import (
	"context"
	"fmt"
	"time"

	"plumb/policies"
	"plumb/server/rollout"
)

// Fleet answers: are we fine?
type Fleet struct {
	// Hosts counts enrolled hosts, Revoked those that were.
	Hosts   int `json:"hosts"`
	Revoked int `json:"revoked"`
	// Status counts hosts by their worst resource.
	Status map[policies.Status]int `json:"status"`
	// Mismatch counts hosts whose catalog is not the one that the server compiled, Problems
	// those whose newest release was refused, quarantined or did not compile.
	Mismatch int `json:"mismatch"`
	Problems int `json:"problems"`
	// Findings counts the hosts for each resource that does not pass and is not waived.
	Findings map[string]int `json:"findings"`
	// Flapping counts the resources that hosts leave alone because somebody else fights for them.
	Flapping int    `json:"flapping"`
	Policy   Policy `json:"policy"`
	// Rollout is the newest release's way through the rings while it is on it.
	Rollout *RolloutBrief `json:"rollout,omitempty"`
	At      time.Time     `json:"at"`
	// AsOf is the past instant that was asked about, and Unknown names what nobody wrote down then.
	AsOf    *time.Time `json:"as_of,omitempty"`
	Unknown string     `json:"unknown,omitempty"`
}

// Fine tells whether nothing needs a person.
func (f Fleet) Fine() bool {
	good := f.Status[policies.Compliant] + f.Status[policies.Repaired] + f.Status[policies.NotApplicable] + f.Status[policies.Waived]
	return f.Hosts == good && f.Mismatch == 0 && f.Problems == 0 && f.Policy.Problem == "" && !f.Halted()
}

// Halted tells whether the newest rollout waits for a person to end its halt.
func (f Fleet) Halted() bool { return f.Rollout != nil && f.Rollout.Phase == string(rollout.Halted) }

// Fleet returns how the fleet stands.
func (r Reader) Fleet(ctx context.Context, now time.Time) (Fleet, error) {
	counts, err := r.Store.FleetCounts(ctx)
	if err != nil {
		return Fleet{}, fmt.Errorf("cannot count hosts: %w", err)
	}
	findings, err := r.Store.FindingsByAddress(ctx)
	if err != nil {
		return Fleet{}, fmt.Errorf("cannot count findings: %w", err)
	}
	flapping, err := r.Store.CountFlapping(ctx)
	if err != nil {
		return Fleet{}, err
	}
	policy, err := r.Policy(ctx)
	if err != nil {
		return Fleet{}, fmt.Errorf("cannot read the policy repository: %w", err)
	}
	brief, err := r.rolloutBrief(ctx, policy.Release)
	if err != nil {
		return Fleet{}, err
	}
	return Fleet{
		Rollout: brief,
		Hosts:   counts.Total, Revoked: counts.Revoked, Status: orEmpty(counts.Status),
		Mismatch: counts.Mismatch, Problems: counts.Problems,
		Findings: orEmpty(findings), Flapping: flapping, Policy: policy, At: now.UTC(),
	}, nil
}

func orEmpty[K comparable](m map[K]int) map[K]int {
	if m == nil {
		return map[K]int{}
	}
	return m
}
