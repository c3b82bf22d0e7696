package store

import (
	"context"
	"fmt"

	"plumb/inventory"
)

// PatchHostsOf returns how one host stands with each rollout that carries patches, by rollout.
func (s *Store) PatchHostsOf(ctx context.Context, id inventory.HostID) ([]PatchHost, error) {
	rows, err := s.r.QueryContext(ctx, `SELECT `+patchHostColumns+` FROM patch_hosts p WHERE p.host = $1 ORDER BY p.rollout`, string(id))
	all, err := list(rows, err, scanPatchHost)
	if err != nil {
		return nil, fmt.Errorf("cannot read how a host stands with patches: %w", err)
	}
	return all, nil
}
