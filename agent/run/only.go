package run

import "plumb/policies"

// known finds the results of the last run, by address.
func known(last policies.Result) map[string]policies.ResourceResult {
	list := make(map[string]policies.ResourceResult, len(last.Resources))
	for _, one := range last.Resources {
		list[one.Address] = one
	}
	return list
}

// Carry is the result of a resource that is as it was: what was done then is not told again.
func Carry(one policies.ResourceResult) policies.ResourceResult {
	one.Refreshed = false
	if one.Status == policies.Repaired {
		one = policies.ResourceResult{Address: one.Address, Status: policies.Compliant, Mode: one.Mode, Patched: one.Patched}
	}
	return one
}

// carried is the result of a resource that this run does not look at: that of the last run, but
// what was done then is not told again. One that a killed run was about to mend is looked at, for
// nobody has been told of it.
func (p *pass) carried(res policies.Resource) (policies.ResourceResult, bool) {
	one, ok := p.last[res.Address]
	if _, begun := p.Journal.repairs[res.Address]; p.Only == nil || p.Only[res.Address] || begun || !ok {
		return policies.ResourceResult{}, false
	}
	one = Carry(one)
	if left, ok := p.Memory[res.Address]; ok {
		p.left[res.Address] = left
	}
	return one, true
}
