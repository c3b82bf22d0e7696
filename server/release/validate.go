package release

import (
	"context"
	"errors"
	"time"

	"plumb/policies"
	"plumb/policies/bundle"
	"plumb/server/repo"
	"plumb/server/rollout"
)

// maxProblems is how many mistakes one answer shows.
const maxProblems = 50

// verdict is what validation found out about a commit.
type verdict struct {
	commit    string
	tree      bundle.Tree
	bundle    []byte
	problems  []policies.Problem
	next      signing // who may sign after it
	rollouts  []policies.Rollout
	groups    map[string][]string // of each host, by its name
	policies  map[string]bool     // names of policies that hold for some host
	resources map[string]bool     // addresses of their resources
	hosts     int                 // compiled for
	changed   int                 // of those, get another catalog
}

func (v verdict) bad() bool {
	for _, p := range v.problems {
		if p.Severity != "warning" {
			return true
		}
	}
	return false
}

// Validate returns the mistakes in a tree: those of its own and those that a known host would
// run into. The error says that it could not be found out.
func (d *Desk) Validate(ctx context.Context, tree bundle.Tree) ([]policies.Problem, error) {
	now, _, err := d.state(ctx)
	if err != nil {
		return nil, err
	}
	v, err := d.judge(ctx, tree, now)
	return v.problems, err
}

// recent is how long a good verdict holds: through the hooks of one push, so that it is
// compiled for the fleet once and what was judged is what is released.
const recent = time.Minute

// memory is the newest good verdict.
type memory struct {
	verdict verdict
	signers string // in force when it was judged
	at      time.Time
}

func (d *Desk) recall(commit string, now signing) (verdict, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	m, age := d.memory, d.Now().Sub(d.memory.at)
	return m.verdict, m.verdict.commit == commit && m.signers == now.text && age >= 0 && age < recent
}

func (d *Desk) remember(v verdict, now signing) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.memory = memory{verdict: v, signers: now.text, at: d.Now()}
}

// inspect reads and validates a commit, which may still be in quarantine.
func (d *Desk) inspect(ctx context.Context, view repo.View, commit string, now signing) (verdict, error) {
	if v, ok := d.recall(commit, now); ok {
		return v, nil
	}
	tree, err := view.Tree(ctx, commit)
	if fault := (*repo.TreeError)(nil); errors.As(err, &fault) {
		return verdict{commit: commit, problems: []policies.Problem{{Severity: "error", Summary: "Unusable policy tree", Detail: upper(fault.Reason), File: fault.File, Line: 1, Column: 1}}}, nil
	}
	if err != nil {
		return verdict{}, err
	}
	v, err := d.judge(ctx, tree, now)
	v.commit = commit
	if err == nil && !v.bad() {
		d.remember(v, now)
	}
	return v, err
}

func (d *Desk) judge(ctx context.Context, tree bundle.Tree, now signing) (verdict, error) {
	v := verdict{tree: tree}
	var err error
	if v.bundle, err = bundle.Pack(tree); err != nil {
		v.problems = append(v.problems, policies.Problem{Severity: "error", Summary: "Unusable policy tree", Detail: upper(err.Error())})
		return v, nil
	}
	next, fault := d.after(now, tree)
	if v.next = next; fault != nil {
		v.problems = append(v.problems, *fault)
	}
	if err := d.compile(ctx, &v); err != nil || v.bad() {
		return v, err
	}
	if carrier := rollout.Carrier(v.rollouts); carrier != nil {
		v.add(rollout.Strays(*carrier, v.groups))
	}
	return v, nil
}
