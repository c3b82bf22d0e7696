package store

import (
	"context"
	"fmt"
	"strings"

	"plumb/inventory"
)

// EachOffered calls each with the hosts that are not revoked, by name, with no more of a host than tells what is on offer
// to it: ID, name, report, release, offers and terms. As with EachHost none is kept, and each must not ask the store.
func (s *Store) EachOffered(ctx context.Context, each func(Host)) error {
	all, has, err := s.rostered(ctx)
	if err == nil && !has {
		err = s.readOffered(ctx, each)
	}
	if err != nil {
		return fmt.Errorf("cannot list what is on offer to hosts: %w", err)
	}
	for _, row := range all {
		if row.Revoked.IsZero() {
			each(Host{Host: inventory.Host{ID: row.ID, Name: row.Name}, Seq: row.seq, Release: row.Release, Offers: row.offers, Terms: row.Terms})
		}
	}
	return nil
}

func (s *Store) readOffered(ctx context.Context, each func(Host)) error {
	same := sharing{texts: map[string]string{}}
	const line = `id || ' ' || CAST(seq AS TEXT) || ' ' || CAST(release AS TEXT) || ' ' || offers || ' ' || terms || ' ' || name`
	return s.lines(ctx, func(l string) error {
		f := strings.SplitN(l, " ", 6)
		n, err := numbers(f, 6, 1, 2)
		if err == nil {
			each(Host{Host: inventory.Host{ID: inventory.HostID(strings.Clone(f[0])), Name: strings.Clone(f[5])}, Seq: uint64(n[0]), Release: uint64(n[1]),
				Offers: same.text(f[3]), Terms: same.text(f[4])})
		}
		return err
	}, `SELECT `+line+` FROM hosts WHERE revoked = 0 ORDER BY name`)
}
