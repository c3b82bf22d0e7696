package views

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"

	"plumb/policies"
	"plumb/server/store"
)

// policyCounts tells how many resources of one policy were in order, by what was found. Each result is
// read once: what costs is distinct state, and not hosts.
type policyCounts struct {
	store *store.Store
	// prefix begins the addresses of its resources.
	prefix string

	mu    sync.Mutex
	known map[string]int // by digest
}

func newPolicyCounts(s *store.Store, policy string) *policyCounts {
	if policy == "" {
		return nil
	}
	return &policyCounts{store: s, prefix: "policy." + policy + ".", known: map[string]int{}}
}

// inOrder counts the resources of the policy in a result; none where there is no policy to count, or no result.
func (p *policyCounts) inOrder(ctx context.Context, result string) (int, error) {
	if p == nil || result == "" {
		return 0, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if n, ok := p.known[result]; ok {
		return n, nil
	}
	var found policies.Result
	raw, err := p.store.Object(ctx, store.Ref{Kind: store.KindResult, Digest: result})
	if err == nil {
		err = json.Unmarshal(raw, &found)
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return 0, fmt.Errorf("cannot read the result %.12s: %w", result, err)
	}
	for _, one := range found.Resources {
		if one.Status.Passing() && strings.HasPrefix(one.Address, p.prefix) {
			p.known[result]++
		}
	}
	n := p.known[result]
	p.known[result] = n // also when it is none
	return n, nil
}
