package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"plumb/inventory"
)

// Version is one version of a package in one repository.
type Version struct {
	// Manager is apt, Repository as inventory.Offer.Repository names it.
	Manager    string
	Repository string
	Package    string
	Version    string
}

// VersionOf is the version that an offer would install.
func VersionOf(o inventory.Offer) Version {
	return Version{Manager: o.Manager, Repository: o.Repository(), Package: o.Package, Version: o.Candidate}
}

const insertVersion = `INSERT INTO versions (manager, repository, package, version, first_seen, security) VALUES ($1, $2, $3, $4, $5, $6)
	ON CONFLICT (manager, repository, package, version) DO NOTHING`

// versionRows are those that remember when the versions on offer were first seen.
func versionRows(offers []inventory.Offer, now time.Time) [][]any {
	rows := make([][]any, len(offers))
	for i, o := range offers {
		v := VersionOf(o)
		rows[i] = []any{v.Manager, v.Repository, v.Package, v.Version, ms(now), bit(o.Security)}
	}
	return rows
}

// FirstSeen returns when the versions were first on offer to any host, by the server's clock.
// One that never was is left out.
func (s *Store) FirstSeen(ctx context.Context, versions []Version) (map[Version]time.Time, error) {
	known := make(map[Version]time.Time, len(versions))
	for _, v := range versions {
		if _, twice := known[v]; twice {
			continue
		}
		var seen int64
		err := s.r.QueryRowContext(ctx, `SELECT first_seen FROM versions WHERE manager = $1 AND repository = $2 AND package = $3 AND version = $4`,
			v.Manager, v.Repository, v.Package, v.Version).Scan(&seen)
		if errors.Is(found(err), ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("cannot read when a version was first seen: %w", err)
		}
		known[v] = at(seen)
	}
	return known, nil
}
