package store

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"plumb/inventory"
)

// Unverified returns hosts whose catalog was not yet compared with an expected one since
// release, facts or catalog changed.
func (s *Store) Unverified(ctx context.Context, max int) ([]Host, error) {
	rows, err := s.r.QueryContext(ctx, `SELECT `+hostColumns+` FROM `+hostRows+` WHERE verified = 0 ORDER BY id`+limit(max, allHosts))
	hosts, err := list(rows, err, scanHost)
	if err != nil {
		return nil, fmt.Errorf("cannot look for hosts to verify: %w", err)
	}
	return hosts, nil
}

// SameInput tells whether what was verified of the host still holds as it stands later.
func (h Host) SameInput(later Host) bool {
	return h.Release == later.Release && h.Facts == later.Facts && h.Catalog == later.Catalog
}

// Expectation is what the server compiled for a host as it was read.
type Expectation struct {
	Host Host
	// Catalog is the digest of its catalog, empty when it does not compile here.
	Catalog string
	// Terms are what policy says about its patching, as JSON; nil leaves those that are stored.
	Terms []byte
}

func (e Expectation) mismatch() bool { return e.Catalog != "" && e.Catalog != e.Host.Catalog }

// holdsFor tells whether the host still is as it was when this was compiled for it.
func (e Expectation) holdsFor(h Host) bool {
	return e.Host.SameInput(h) && e.Host.Mismatch == h.Mismatch
}

// SetExpected stores what the server compiled for hosts, and adds an event for each that shows a new
// mismatch. Hosts that have moved on since are passed over: they are not verified.
func (s *Store) SetExpected(ctx context.Context, list []Expectation, now time.Time) error {
	list = slices.SortedFunc(slices.Values(list), func(a, b Expectation) int { return cmp.Compare(a.Host.ID, b.Host.ID) }) // all who lock many hosts do it in this order
	return s.write(ctx, "store expected catalogs", func(ctx context.Context, tx *sql.Tx) error {
		return (&writing{store: s, ctx: ctx, tx: tx}).expect(list, now)
	})
}

const updateExpected = `UPDATE hosts SET expected = $2, mismatch = $3, terms = $4, verified = 1 WHERE id = $1`

func (w *writing) expect(list []Expectation, now time.Time) error {
	ids := make([]string, len(list))
	for i, e := range list {
		ids[i] = string(e.Host.ID)
	}
	if err := w.lock(ids); err != nil {
		return err
	}
	if err := w.send(); err != nil {
		return err
	}
	var rows, objects [][]any
	for _, e := range list {
		h, there := w.hosts[e.Host.ID]
		if !there || !e.holdsFor(h) {
			continue
		}
		touch(w.ctx, h.ID)
		if e.Terms != nil {
			o, err := termsOf(e.Terms)
			if err != nil {
				return err
			}
			h.Terms, objects = o.Digest, append(objects, objectRow(o, now))
		}
		rows = append(rows, []any{string(h.ID), e.Catalog, bit(e.mismatch()), h.Terms})
		if e.mismatch() && !h.Mismatch {
			if err := insertEvent(w.ctx, w.tx, Event{Host: h.ID, At: now, Kind: EventMismatch, Seq: h.Seq, Release: h.Release, Commit: h.Commit,
				Message: fmt.Sprintf("the host compiled catalog %s, the server %s", h.Catalog, e.Catalog)}); err != nil {
				return err
			}
		}
	}
	return w.putExpected(rows, objects)
}

func (w *writing) putExpected(rows, objects [][]any) error {
	slices.SortFunc(objects, compareRows(2))
	objects = slices.CompactFunc(objects, func(a, b []any) bool { return compareRows(2)(a, b) == 0 }) // most hosts have the same terms
	if err := w.put(insertObject, objects, nil); err != nil {
		return err
	}
	if err := w.put(updateExpected, rows, nil); err != nil {
		return err
	}
	return w.send()
}

// termsOf is the object that keeps terms.
func termsOf(raw []byte) (Object, error) {
	ref := Ref{KindTerms, inventory.Digest(raw)}
	coding, content, err := pack(ref.Kind, raw)
	return Object{ref, coding, content}, err
}
