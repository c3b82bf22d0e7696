package policies

import "time"

// Change is one attribute that differs from what is wanted. It is what Check found,
// what Apply made so, and what a report shows.
type Change struct {
	// Attribute is the kind's attribute, such as content or mode.
	Attribute string `json:"attribute"`
	// Before is what was found, in words fit for a person; empty when there was nothing.
	Before string `json:"before"`
	// After is what is wanted.
	After string `json:"after"`
	// Diff is a short unified diff of text, where one helps. Never set for sensitive attributes.
	Diff string `json:"diff,omitempty"`
}

// Result is what one run found, in catalog order. It names neither host nor time, so equal
// hosts in order share one result.
type Result struct {
	// Catalog is the digest of the catalog that was run.
	Catalog string `json:"catalog"`
	// Resources has one entry for each resource of the catalog.
	Resources []ResourceResult `json:"resources"`
}

// ResourceResult is how one resource fared in a run.
type ResourceResult struct {
	Address string `json:"address"`
	Status  Status `json:"status"`
	// Mode is the mode in force, after the host's own pause or forced audit.
	Mode Mode `json:"mode"`
	// Cause is set when there were changes, made or left alone.
	Cause Cause `json:"cause,omitempty"`
	// From and To are the commits between which policy came to want what it wants, for the cause
	// intentional. They are equal when what changed was a fact.
	From string `json:"from,omitempty"`
	To   string `json:"to,omitempty"`
	// Changes are those made (repaired) or still wanted (noncompliant, error).
	Changes []Change `json:"changes,omitempty"`
	// Message says why: the error, the failed dependency, what was unknown.
	Message string `json:"message,omitempty"`
	// Refreshed is true when a notification was delivered in this run.
	Refreshed bool `json:"refreshed,omitempty"`
	// Patched is set for the kind patch.
	Patched *Patched `json:"patched,omitempty"`
	// By says who changed it, as far as the host's kernel told: vim (pid 812) of alice. It is empty
	// where nobody was asked.
	By string `json:"by,omitempty"`
	// Flapping is set while the resource is left alone because somebody else fights for it.
	Flapping *Flapping `json:"flapping,omitempty"`
}

// Counts returns how many resources have each status.
func (r Result) Counts() map[Status]int {
	counts := map[Status]int{}
	for _, one := range r.Resources {
		counts[one.Status]++
	}
	return counts
}

// Report is one run of one host. The agent spools it before it sends it; the pair of
// Epoch and Seq makes the server count it once, however often it arrives.
type Report struct {
	// Epoch is a random UUID made with the agent's state folder.
	Epoch string `json:"epoch"`
	// Seq counts the reports of an epoch from 1 without gaps.
	Seq uint64 `json:"seq"`
	// Release is the number of the release that was run.
	Release uint64 `json:"release"`
	// Commit is the Git commit of that release.
	Commit string `json:"commit"`
	// Facts, Catalog and Result are digests of JSON objects. Catalog and Result are
	// empty when the release failed to compile; Problem then says why.
	Facts   string `json:"facts"`
	Catalog string `json:"catalog,omitempty"`
	Result  string `json:"result,omitempty"`
	// Offers is the digest of what the package manager offers; empty when it could not be asked.
	Offers string `json:"offers,omitempty"`
	// Started and Finished are the agent's clock.
	Started  time.Time `json:"started"`
	Finished time.Time `json:"finished"`
	// Audit is true when the host itself forced audit mode for the whole run.
	Audit bool `json:"audit,omitempty"`
	// BootID tells a reboot.
	BootID string `json:"boot_id,omitempty"`
	// Stale is true when the lease had run out: the run mended drift but took no new change.
	Stale bool `json:"stale,omitempty"`
	// Problem says in a sentence why a release was refused, quarantined or not compiled.
	Problem string `json:"problem,omitempty"`
}
