package agent

import (
	"context"
	"errors"
	"fmt"

	"plumb/inventory"
	"plumb/modules/system"
)

const offersFile = "offers.json"

// knownOffers is what was found on offer, and what it was found from.
type knownOffers struct {
	Key string `json:"key"`
	Raw []byte `json:"raw"`
}

// findOffers looks at what the package manager offers, when something changed on which that
// depends. A host that cannot tell reports no offers: that is never taken for "up to date".
func (r *round) findOffers(ctx context.Context) {
	sys := &system.System{Root: r.Root}
	r.refreshLists(ctx, sys)
	from, err := sys.OfferSource()
	if errors.Is(err, system.ErrNoOffers) {
		return
	}
	if err == nil {
		r.rawOffers, err = r.offers(ctx, from)
	}
	if err != nil {
		r.Log.Warn("cannot tell which updates are on offer", "error", err)
	}
}

func (r *round) offers(ctx context.Context, from system.OfferSource) ([]byte, error) {
	key, err := from.OffersKey()
	if err != nil {
		return nil, err
	}
	var old knownOffers
	if ok, err := r.Dir.Load(offersFile, &old); err == nil && ok && old.Key == key {
		return old.Raw, nil
	}
	found, err := from.Offers(ctx)
	if err != nil {
		return nil, err
	}
	raw, err := encode(found)
	if err != nil {
		return nil, err
	}
	if err := r.Dir.Save(offersFile, knownOffers{Key: key, Raw: raw}); err != nil {
		return nil, fmt.Errorf("cannot keep what is on offer: %w", err)
	}
	return raw, nil
}

// offersDigest names the offers in reports, empty when they are not known.
func (r *round) offersDigest() string {
	if r.rawOffers == nil {
		return ""
	}
	return inventory.Digest(r.rawOffers)
}
