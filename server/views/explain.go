package views

import (
	"context"

	"plumb/policies"
)

// Explained is where what a resource of a host should be comes from, and how it stands.
type Explained struct {
	Host string `json:"host"`
	// Release and Commit are those that the explanation is read from.
	Release uint64 `json:"release"`
	Commit  string `json:"commit"`
	// Status and InForce, the mode under which the host looked at it, are those of its newest
	// run; empty where that did not have it.
	Status  policies.Status `json:"status,omitempty"`
	InForce policies.Mode   `json:"mode_in_force,omitempty"`
	Message string          `json:"message,omitempty"`
	policies.Explanation
}

// Explained adds to an explanation what is known of the host and of the release.
func (r Reader) Explained(ctx context.Context, name string, number uint64, e policies.Explanation) (Explained, error) {
	one := Explained{Host: name, Release: number, Explanation: e}
	h, err := r.Store.HostByName(ctx, name)
	if err != nil {
		return one, err
	}
	release, err := r.Store.Release(ctx, number)
	if err != nil {
		return one, err
	}
	one.Commit = release.Commit
	rows, err := r.resources(ctx, h)
	for _, row := range rows {
		if row.Address == e.Address {
			one.Status, one.InForce, one.Message = row.Status, row.Mode, row.Message
		}
	}
	return one, err
}
