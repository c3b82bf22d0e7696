package system

// PackageManager returns the host's package manager for patching: [ErrNoOffers] when there is
// none that we know. Manager stands in for it where it is set.
func (s *System) PackageManager() (PackageManager, error) {
	if s.Manager != nil {
		return s.Manager, nil
	}
	source, err := s.OfferSource()
	if err != nil {
		return nil, err
	}
	switch source := source.(type) {
	case PackageManager: // dnf and zypper are both
		return source, nil
	case aptOffers:
		return newAptManager(s), nil
	}
	return nil, ErrNoOffers
}
