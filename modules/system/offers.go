package system

import (
	"context"
	"errors"

	"plumb/inventory"
)

// OfferSource is one package manager, asked what it would upgrade. It changes nothing.
type OfferSource interface {
	// OffersKey is equal while nothing changed on which the offers depend; it is cheap.
	OffersKey() (string, error)
	// Offers reads what is on offer.
	Offers(ctx context.Context) (inventory.Offers, error)
}

// ErrNoOffers means that no package manager is there that we could ask.
var ErrNoOffers = errors.New("there is no package manager that can be asked for updates")

// OfferSource returns the host's package manager: [ErrNoOffers] when there is none.
func (s *System) OfferSource() (OfferSource, error) {
	switch s.rpmTool() {
	case "dnf":
		return dnfManager{s}, nil
	case "zypper":
		return zypperManager{s}, nil
	}
	if there, err := s.Files().Exists(aptLists); err != nil || !there {
		return nil, errors.Join(ErrNoOffers, err)
	}
	return aptOffers{s}, nil
}
