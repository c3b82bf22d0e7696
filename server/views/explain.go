package views

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"plumb/policies"
	"plumb/server/store"
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
	// Waivers are the exceptions that are for it, whether they hold or not.
	Waivers []policies.Waiver `json:"waivers,omitempty"`
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
	if err == nil {
		one.Waivers, err = r.waiversOf(ctx, h, e.Address)
	}
	return one, err
}

// waiversOf returns the exceptions that the host's newest catalog has for a resource.
func (r Reader) waiversOf(ctx context.Context, h store.Host, address string) ([]policies.Waiver, error) {
	var catalog policies.Catalog
	raw, err := r.object(ctx, store.KindCatalog, h.Catalog)
	if err != nil || raw == nil {
		return nil, err
	}
	if err := json.Unmarshal(raw, &catalog); err != nil {
		return nil, fmt.Errorf("cannot decode the catalog of %s: %w", h.Name, err)
	}
	var list []policies.Waiver
	if res := catalog.Find(address); res != nil {
		for _, name := range res.Waivers {
			if w, known := catalog.Waivers[name]; known {
				list = append(list, w)
			}
		}
	}
	return list, nil
}

// Waived is the exception by which the resource is not mended now, though policy would; false where there is none.
func (e Explained) Waived(now time.Time) (longest policies.Waiver, waived bool) {
	for _, w := range e.Waivers {
		if w.Holds(now) && w.Expires.After(longest.Expires) {
			longest, waived = w, true
		}
	}
	return longest, waived
}

// Exception says so in words, empty where there is none.
func (e Explained) Exception(now time.Time) string {
	w, waived := e.Waived(now)
	if !waived {
		return ""
	}
	would := "this would be measured"
	if word := string(e.Mode.Value); word == `"enforce"` {
		would = "this would be enforced"
	}
	return would + ", but it is " + w.String()
}
