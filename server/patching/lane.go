package patching

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"plumb/inventory"
	"plumb/policies"
	"plumb/policies/compiler"
	"plumb/policies/patch"
	"plumb/server/rollout"
	"plumb/server/store"
)

// lanes knows the rollouts of one bundle, and which advisories cannot wait by them. The compiler
// is asked once about each advisory.
type lanes struct {
	store    *store.Store
	compiler Compiler
	log      *slog.Logger

	bundle string
	known  []policies.Rollout
	judged map[string][]string // rollouts by the digest of what they can read of an advisory
}

// maxAsked is about how many advisories one child is asked.
const maxAsked = 5_000

func (l *lanes) rollouts(ctx context.Context, bundle string) ([]policies.Rollout, error) {
	if l.bundle == bundle {
		return l.known, nil
	}
	res, err := l.ask(ctx, bundle, nil)
	if err != nil {
		return nil, err
	}
	l.bundle, l.known, l.judged = bundle, res.Rollouts, map[string][]string{}
	return l.known, nil
}

func (l *lanes) ask(ctx context.Context, bundle string, list []patch.Advisory) (compiler.Response, error) {
	raw, err := l.store.Object(ctx, store.Ref{Kind: store.KindBundle, Digest: bundle})
	if err != nil {
		return compiler.Response{}, fmt.Errorf("cannot read the bundle %.12s: %w", bundle, err)
	}
	res, err := l.compiler.Compile(ctx, compiler.Request{Bundle: raw, Advisories: list})
	if err == nil && slices.ContainsFunc(res.Problems, func(p policies.Problem) bool { return p.Severity == "error" }) {
		err = errors.New("the policy of the newest release does not compile here")
	}
	return res, err
}

// urgent returns the names of those advisories that cannot wait by the words of the rollout.
func (l *lanes) urgent(ctx context.Context, name string, list []patch.Advisory) (map[string]bool, error) {
	keys := make([]string, len(list))
	var fresh []patch.Advisory
	var freshKeys []string
	for i, a := range list {
		a.Affected = nil // an emergency block cannot read it
		keys[i] = keyOf(a)
		if _, known := l.judged[keys[i]]; !known {
			fresh, freshKeys = append(fresh, a), append(freshKeys, keys[i])
		}
	}
	for from := 0; from < len(fresh); from += maxAsked {
		to := min(from+maxAsked, len(fresh))
		if err := l.judge(ctx, fresh[from:to], freshKeys[from:to]); err != nil {
			return nil, err
		}
	}
	urgent := map[string]bool{}
	for i, a := range list {
		if slices.Contains(l.judged[keys[i]], name) {
			urgent[a.ID] = true
		}
	}
	return urgent, nil
}

func keyOf(a patch.Advisory) string {
	raw, err := json.Marshal(a)
	if err != nil {
		panic(fmt.Sprintf("cannot encode an advisory: %v", err)) // it is plain text and numbers
	}
	return inventory.Digest(raw)
}

func (l *lanes) judge(ctx context.Context, list []patch.Advisory, keys []string) error {
	res, err := l.ask(ctx, l.bundle, list)
	if err != nil {
		return fmt.Errorf("cannot find out what is an emergency: %w", err)
	}
	if n := len(res.Unjudged); n > 0 { // each advisory is asked about once, so this is said once
		l.log.Warn("an emergency block cannot judge some advisories", "advisories", n, "first", res.Unjudged[0].Detail, "file", res.Unjudged[0].File, "line", res.Unjudged[0].Line)
	}
	for i, a := range list {
		l.judged[keys[i]] = []string{}
		for name, ids := range res.Emergencies {
			if slices.Contains(ids, a.ID) {
				l.judged[keys[i]] = append(l.judged[keys[i]], name)
			}
		}
	}
	return nil
}

// emergency begins an emergency cycle when an advisory that cannot wait has an answer on offer
// that is on no short lane yet.
func (m *Maker) emergency(ctx context.Context, seen *Sight, members []member, plan policies.Rollout, release store.Release, p past) (bool, error) {
	ids, err := m.lanes.urgent(ctx, plan.Name, seen.open(members))
	if err != nil || len(ids) == 0 {
		return false, err
	}
	items, answered := seen.urgent(members, p.tested, ids, m.Now())
	if len(answered) == 0 {
		return false, nil
	}
	m.Log.Warn("emergency", "rollout", plan.Name, "advisories", answered)
	_, err = m.begin(ctx, seen, members, rollout.Cycle{Plan: plan, Bundle: release.Bundle, Emergency: true}, items)
	return err == nil, err
}

// open returns the advisories that something on offer to the hosts answers, each once.
func (s *Sight) open(members []member) []patch.Advisory {
	var list []patch.Advisory
	known := map[string]bool{}
	for _, a := range members {
		for _, o := range a.Offers.List {
			for _, one := range s.Answered(a.Alike, o) {
				if !known[one.ID] {
					known[one.ID] = true
					list = append(list, one.Advisory)
				}
			}
		}
	}
	return list
}
