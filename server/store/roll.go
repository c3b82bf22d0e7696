package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"plumb/inventory"
	"plumb/policies"
)

// Entry is what a list of all hosts says of one of them.
type Entry struct {
	ID   inventory.HostID
	Name string
	// Labels is the JSON of the labels; hosts often share it.
	Labels   string
	Status   policies.Status
	Since    time.Time
	Release  uint64
	LastSeen time.Time
	Revoked  time.Time
	Mismatch bool
	Audit    bool
	// Paused is the JSON of the pause while the host's administrator holds changes back; Expired is
	// true after a run past its lease.
	Paused  string
	Expired bool
	// Flapping is true while the host leaves a resource alone for which somebody else fights.
	Flapping bool
	Problem  string
	// OS is what the host calls its system, Words what can be looked for in its facts, in lower
	// case. Both are empty while they are not known.
	OS, Words string
	// Unbriefed is true where the host has facts, and the two are not made of them yet.
	Unbriefed bool
	// Terms is the digest of what policy says about its patching, which also names its groups.
	Terms string
}

const rollColumns = `h.id, h.name, h.labels, h.status, h.since, h.release, c.last_seen, h.revoked, h.mismatch, h.audit,
	c.paused, h.stale, h.problem, COALESCE(b.os, ''), COALESCE(b.words, ''), h.terms, CASE WHEN b.facts IS NULL AND h.facts <> '' THEN 1 ELSE 0 END`

const rollRows = `hosts h LEFT JOIN beats c ON c.host = h.id LEFT JOIN briefs b ON b.facts = h.facts`

// Roll calls each with all hosts, revoked ones too, by name. As with EachHost none is kept, and each must not ask the store.
func (s *Store) Roll(ctx context.Context, each func(Entry)) error {
	flapping, err := s.flapping(ctx)
	if err != nil {
		return err
	}
	err = s.eachOfRoll(ctx, func(e Entry) {
		e.Flapping = flapping[e.ID]
		each(e)
	})
	if err != nil {
		return fmt.Errorf("cannot call all hosts: %w", err)
	}
	return nil
}

func (s *Store) eachOfRoll(ctx context.Context, each func(Entry)) error {
	all, has, err := s.rostered(ctx)
	if err == nil && !has {
		return s.readRoll(ctx, each)
	}
	for _, row := range all {
		each(row.Entry)
	}
	return err
}

// readRoll reads all rows.
func (s *Store) readRoll(ctx context.Context, each func(Entry)) error {
	rows, err := s.r.QueryContext(ctx, `SELECT `+rollColumns+` FROM `+rollRows+` ORDER BY h.name, h.id`)
	return eachEntry(rows, err, each)
}

func eachEntry(rows *sql.Rows, err error, each func(Entry)) error {
	same := sharing{texts: map[string]string{}}
	return walk(rows, err, func(scan func(...any) error) error {
		e, err := scanEntry(scan)
		if err == nil {
			each(same.entry(e))
		}
		return err
	})
}

// entry shares what hosts often have alike.
func (s sharing) entry(e Entry) Entry {
	e.Labels, e.Status, e.Problem = s.text(e.Labels), policies.Status(s.text(string(e.Status))), s.text(e.Problem)
	e.OS, e.Terms = s.text(e.OS), s.text(e.Terms)
	return e
}

func scanEntry(scan func(...any) error) (Entry, error) {
	var e Entry
	var since, seen, revoked, mismatch, audit, expired, unbriefed int64
	err := scan(&e.ID, &e.Name, &e.Labels, &e.Status, &since, &e.Release, &seen, &revoked, &mismatch, &audit, &e.Paused, &expired, &e.Problem, &e.OS, &e.Words, &e.Terms, &unbriefed)
	e.Since, e.LastSeen, e.Revoked = at(since), at(seen), at(revoked)
	e.Mismatch, e.Audit, e.Expired, e.Unbriefed = mismatch != 0, audit != 0, expired != 0, unbriefed != 0
	return e, err
}

func (s *Store) flapping(ctx context.Context) (map[inventory.HostID]bool, error) {
	rows, err := s.r.QueryContext(ctx, `SELECT DISTINCT host FROM findings WHERE flapping = 1`)
	ids, err := list(rows, err, func(scan func(...any) error) (id inventory.HostID, err error) { return id, scan(&id) })
	if err != nil {
		return nil, fmt.Errorf("cannot list what flaps: %w", err)
	}
	known := map[inventory.HostID]bool{}
	for _, id := range ids {
		known[id] = true
	}
	return known, nil
}

// MakeBriefs makes up to max briefs that facts of hosts lack, as those do that were stored by an
// older program, and returns how many it made.
func (s *Store) MakeBriefs(ctx context.Context, max int) (int, error) {
	rows, err := s.r.QueryContext(ctx, `SELECT DISTINCT h.facts FROM hosts h JOIN objects o ON o.kind = 'facts' AND o.digest = h.facts
		LEFT JOIN briefs b ON b.facts = h.facts WHERE b.facts IS NULL`+limit(max, standardPage))
	digests, err := list(rows, err, func(scan func(...any) error) (d string, err error) { return d, scan(&d) })
	if err != nil {
		return 0, fmt.Errorf("cannot list facts: %w", err)
	}
	for _, digest := range digests {
		raw, err := s.Object(ctx, Ref{Kind: KindFacts, Digest: digest})
		if err != nil {
			return 0, err
		}
		err = s.write(ctx, "store what facts say in brief", func(ctx context.Context, tx *sql.Tx) error { return putBrief(ctx, tx, digest, raw) })
		if err != nil {
			return 0, err
		}
	}
	return len(digests), nil
}

func putBrief(ctx context.Context, tx *sql.Tx, digest string, raw []byte) error {
	os, words := brief(raw)
	_, err := tx.ExecContext(ctx, `INSERT INTO briefs (facts, os, words) VALUES ($1, $2, $3) ON CONFLICT (facts) DO NOTHING`, digest, os, words)
	return err
}

const (
	// maxOS and maxBrief bound what a host can make the server remember, in bytes.
	maxOS    = 80
	maxBrief = 800
)

// brief takes from facts what people look for. Packages and mounts are left out: they are most of
// the text. What cannot be read says nothing.
func brief(raw []byte) (os, words string) {
	var f inventory.Facts
	if json.Unmarshal(raw, &f) != nil {
		return "", ""
	}
	if os = f.OS.Name; os == "" {
		os = strings.TrimSpace(f.OS.ID + " " + f.OS.Version)
	}
	list := []string{os, f.OS.ID, f.OS.Codename, f.Kernel, f.Arch, f.Hostname, f.FQDN, f.Chassis, f.Virtual, f.PackageManager, f.Timezone}
	for _, addresses := range f.Interfaces {
		list = append(list, addresses...)
	}
	if custom, err := json.Marshal(f.Custom); err == nil && len(f.Custom) > 0 {
		list = append(list, string(custom))
	}
	slices.Sort(list[11:])
	list = slices.DeleteFunc(list, func(s string) bool { return s == "" })
	return cut(os, maxOS), cut(strings.ToLower(strings.Join(list, "\n")), maxBrief)
}

// cut keeps the first bytes of a text, and whole characters.
func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "")
}
