package rollout

import "plumb/policies"

// exceeded tells whether more hosts failed than the budget tolerates; without a budget a
// single one is too many. A percentage counts once enough outcomes are known, or all of them.
func exceeded(b *policies.Budget, t Tally) bool {
	if b == nil {
		return t.Failed > 0
	}
	if b.Count != nil && t.Failed > *b.Count {
		return true
	}
	known := t.Converged + t.Failed
	return b.Percent != nil && known >= min(b.MinSample, t.Members) && float64(t.Failed)*100 > *b.Percent*float64(known)
}

// bearable is how many hosts may be under way at a time: at first no more than the budget could
// bear to lose, with the one that halts the ring, and then as many as have converged. So a
// release that harms every host harms one more than the budget allows, and a ring without
// failures is through after a few rounds that double.
func bearable(b policies.Budget, t Tally) int {
	first := max(b.MinSample, 1)
	if b.Percent != nil {
		first = max(first, int(*b.Percent*float64(t.Members)/100)+1)
	}
	if b.Count != nil {
		first = *b.Count + 1
	}
	return max(first-t.Failed, t.Converged)
}
