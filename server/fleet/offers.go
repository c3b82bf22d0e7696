package fleet

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"plumb/inventory"
	"plumb/policies"
	"plumb/server/advisories"
	"plumb/server/store"
)

// maxOffers is more packages than any release of a distribution has.
const maxOffers = 50_000

// maxOfferWord bounds each text of an offer, in bytes.
const maxOfferWord = 256

// managers are the package managers of which hosts tell.
var managers = []string{"apt", "dnf", "zypper"}

func decodeOffers(raw []byte) (*inventory.Offers, error) {
	found := &inventory.Offers{}
	if err := json.Unmarshal(raw, found); err != nil {
		return nil, err
	}
	if !slices.Contains(managers, found.Manager) {
		return nil, fmt.Errorf("%.100q is no package manager that is known", found.Manager)
	}
	if err := advisories.CheckNotices(found.Notices); err != nil {
		return nil, err
	}
	if len(found.List) > maxOffers {
		return nil, fmt.Errorf("it has %d offers; %d is the most", len(found.List), maxOffers)
	}
	for i, o := range found.List {
		if o.Package == "" || o.Candidate == "" || o.Manager != found.Manager {
			return nil, fmt.Errorf("the offer %d names no package, no version or another package manager", i+1)
		}
		if o.Size < 0 || o.Phased < 0 || o.Phased > 100 {
			return nil, fmt.Errorf("the offer of %.100q has an unusable number", o.Package)
		}
		for _, word := range []string{o.Package, o.Source, o.Installed, o.Candidate, o.SourceVersion, o.InstalledSource,
			o.Arch, o.Origin, o.Suite, o.Label, o.Codename, o.Component, o.Site, o.Manager} {
			if len(word) > maxOfferWord {
				return nil, fmt.Errorf("the offer of %.100q has a text of %d bytes", o.Package, len(word))
			}
		}
	}
	return found, nil
}

// offers loads what a report says is on offer, nil when it does not say.
func (f *Fleet) offers(ctx context.Context, r policies.Report) (*inventory.Offers, error) {
	if r.Offers == "" {
		return nil, nil
	}
	return load[*inventory.Offers](ctx, f, store.Ref{Kind: store.KindOffers, Digest: r.Offers})
}
