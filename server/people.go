package server

import (
	"plumb/server/api"
	"plumb/server/people"
)

// newPeople reads what the settings name of the provider; it is asked for nothing yet.
func (s *Server) newPeople(at api.Addresses) (*people.People, error) {
	p := people.New(s.store, people.Standard(), s.log)
	if !s.config.OIDC.Used() {
		return p, nil
	}
	var err error
	p.Provider, err = people.NewProvider(s.config.OIDC, "https://"+at.People, s.now)
	return p, err
}
