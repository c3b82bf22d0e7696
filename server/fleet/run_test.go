package fleet

import (
	"encoding/json"
	"maps"
	"slices"

	"plumb/policies"
)

// runOf makes the catalog and the result of a run with the outcome.
func runOf(found outcome) (policies.Catalog, policies.Result) {
	c := policies.Catalog{Resources: []policies.Resource{}}
	r := policies.Result{Resources: []policies.ResourceResult{}}
	for _, address := range slices.Sorted(maps.Keys(found)) {
		c.Resources = append(c.Resources, policies.Resource{Address: address, Kind: "file", Policy: "p", Mode: policies.Enforce,
			Severity: "high", Controls: []string{"cis:" + address}, Attributes: json.RawMessage(`{}`)})
		one := policies.ResourceResult{Address: address, Status: found[address], Mode: policies.Enforce}
		if !one.Status.Passing() || one.Status == policies.Repaired {
			one.Cause = policies.Corrective
			one.Changes = []policies.Change{{Attribute: "mode", Before: "0644", After: "0600"}}
		}
		r.Resources = append(r.Resources, one)
	}
	return c, r
}
