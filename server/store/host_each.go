package store

import (
	"context"
	"fmt"
	"strings"

	"plumb/inventory"
	"plumb/policies"
)

// eachColumns are those of hostColumns that EachHost reads.
const eachColumns = `id, name, labels, last_seen, seq, release, facts, result, status, found, counts, audit, mismatch, problem, offers, terms`

// EachHost calls each with the hosts that are not revoked, by name, with no more of a host than rollouts and
// patching ask for: see eachColumns. It is for who looks at the whole fleet: no host is kept longer than the call,
// and what hosts often share (labels, counts, terms, offers) they share in memory, so nobody may write it.
// Each must not ask the store: its connection is in use until the last host.
func (s *Store) EachHost(ctx context.Context, each func(Host)) error {
	if err := s.freshBeats(ctx); err != nil {
		return err
	}
	same := sharing{texts: map[string]string{}, decoded: map[[2]string]*Host{}}
	rows, err := s.r.QueryContext(ctx, `SELECT `+eachColumns+` FROM `+hostRows+` WHERE revoked = 0 ORDER BY name`)
	err = walk(rows, err, func(scan func(...any) error) error {
		h, err := same.host(scan)
		if err == nil {
			each(h)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("cannot list hosts: %w", err)
	}
	return nil
}

// HostNames returns the names of the hosts that are not revoked.
func (s *Store) HostNames(ctx context.Context) (map[inventory.HostID]string, error) {
	names := map[inventory.HostID]string{}
	err := s.lines(ctx, func(l string) error {
		id, name, _ := strings.Cut(l, " ")
		names[inventory.HostID(id)] = name
		return nil
	}, `SELECT id || ' ' || name FROM hosts WHERE revoked = 0`)
	if err != nil {
		return nil, fmt.Errorf("cannot list the names of hosts: %w", err)
	}
	return names, nil
}

// sharing lets values that many rows have be one in memory.
type sharing struct {
	texts map[string]string
	// decoded has the labels and the counts by their JSON.
	decoded map[[2]string]*Host
}

// text returns the value that was there first.
func (s sharing) text(value string) string {
	if known, ok := s.texts[value]; ok {
		return known
	}
	s.texts[value] = value
	return value
}

func (s sharing) host(scan func(...any) error) (Host, error) {
	var h Host
	var seen, audit, mismatch int64
	var labels, counts string
	err := scan(&h.ID, &h.Name, &labels, &seen, &h.Seq, &h.Release, &h.Facts, &h.Result, &h.Status, &h.Found, &counts, &audit, &mismatch, &h.Problem, &h.Offers, &h.Terms)
	if err != nil {
		return h, err
	}
	h.LastSeen, h.Audit, h.Mismatch = at(seen), audit != 0, mismatch != 0
	h.Result, h.Offers, h.Terms = s.text(h.Result), s.text(h.Offers), s.text(h.Terms)
	h.Status, h.Found = policies.Status(s.text(string(h.Status))), policies.Status(s.text(string(h.Found)))
	key := [2]string{labels, counts}
	if s.decoded[key] == nil {
		s.decoded[key] = &Host{}
		if err := s.decoded[key].decode(labels, counts, ""); err != nil {
			return h, err
		}
	}
	h.Labels, h.Counts = s.decoded[key].Labels, s.decoded[key].Counts
	return h, nil
}
