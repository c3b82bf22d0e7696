package rollout

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"plumb/server/store"
)

// load reads the tracks: what releases and patch cycles still say about hosts.
func (d *Driver) load(ctx context.Context) error {
	names, err := d.Store.CycleRollouts(ctx)
	if err != nil {
		return err
	}
	if d.decoded == nil {
		d.decoded = map[ID]*decoded{}
	}
	for _, one := range d.decoded {
		one.used = false
	}
	tracks := map[string]*track{}
	for _, name := range append([]string{""}, names...) {
		t := d.tracks[name]
		if t == nil {
			t = &track{name: name}
		}
		if t.book, err = d.book(ctx, name); err != nil {
			return err
		}
		tracks[name] = t
	}
	d.tracks = tracks
	maps.DeleteFunc(d.decoded, func(_ ID, one *decoded) bool { return !one.used })
	return nil
}

func (d *Driver) book(ctx context.Context, name string) ([]State, error) {
	if name != "" {
		return d.cycles(ctx, name)
	}
	return d.releases(ctx)
}

// releases returns the rollouts of releases that still say something about hosts, the newest
// first: up to the first one that is for all of them. Behind the newest one is at least one more,
// which it may have to take over from.
func (d *Driver) releases(ctx context.Context) ([]State, error) {
	newest, err := d.Store.LatestRelease(ctx)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var book []State
	for before := newest.Number + 1; ; before = book[len(book)-1].Release {
		rows, err := d.Store.Rollouts(ctx, 20, before)
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			s, err := d.known(ID{Number: row.Release}, row.State, func() (State, error) { return Read(row) })
			if err != nil {
				return nil, err
			}
			if book = append(book, s); s.forAll() && len(book) > 1 {
				return planned(book, newest), nil
			}
		}
		if len(rows) == 0 {
			return planned(book, newest), nil
		}
	}
}

// maxCycles is how many cycles of a rollout can still say something about a host.
const maxCycles = 20

// cycles returns the patch cycles that still say something about hosts, as releases does. Where
// there are clusters a cycle that is done may not have reached all of their hosts.
func (d *Driver) cycles(ctx context.Context, rollout string) ([]State, error) {
	rows, err := d.Store.Cycles(ctx, rollout, maxCycles, 0)
	if err != nil {
		return nil, err
	}
	var book []State
	for _, row := range rows {
		s, err := d.known(ID{row.Rollout, row.Number}, row.State, func() (State, error) { return ReadCycle(row) })
		if err != nil {
			return nil, err
		}
		if book = append(book, s); s.forAll() && s.Plan.Cluster == nil && len(book) > 1 {
			break
		}
	}
	return book, nil
}

// decoded is a state with the digest of its JSON.
type decoded struct {
	digest [sha256.Size]byte
	state  State
	used   bool
}

// known reads a state, if what is stored is not what was read for the step before: it may name 100,000 hosts, and few
// steps change it.
func (d *Driver) known(id ID, stored string, read func() (State, error)) (State, error) {
	digest := sha256.Sum256([]byte(stored))
	if known, ok := d.decoded[id]; ok && known.digest == digest {
		known.used = true
		return known.state, nil
	}
	s, err := read()
	if err == nil {
		s.History = slices.Clip(s.History) // what is noted in a copy must not be seen in another one
		d.decoded[id] = &decoded{digest, s, true}
	}
	return s, err
}

// planned adds the newest release where a Plumb without rollouts made it.
func planned(book []State, newest store.Release) []State {
	if len(book) > 0 && book[0].Release == newest.Number {
		return book
	}
	return []State{New(newest, nil)}
}

// Read returns the state in a stored rollout.
func Read(row store.Rollout) (State, error) {
	var s State
	if err := json.Unmarshal([]byte(row.State), &s); err != nil {
		return State{}, fmt.Errorf("cannot read the rollout of release %d: %w", row.Release, err)
	}
	return s, nil
}

// ReadCycle returns the state in a stored patch cycle.
func ReadCycle(row store.Cycle) (State, error) {
	var s State
	if err := json.Unmarshal([]byte(row.State), &s); err != nil {
		return State{}, fmt.Errorf("cannot read cycle %d of %s: %w", row.Number, row.Rollout, err)
	}
	if s.Plan == nil || len(s.Plan.Rings) != len(s.Rings) {
		return State{}, fmt.Errorf("cannot read cycle %d of %s: it has no plan", row.Number, row.Rollout)
	}
	return s, nil
}

func (d *Driver) save(ctx context.Context, states ...State) error {
	now := d.Now()
	var releases []store.Rollout
	var cycles []store.Cycle
	for _, s := range states {
		raw, err := json.Marshal(s)
		if err != nil {
			return fmt.Errorf("cannot encode the rollout of %s: %w", s.Title(), err)
		}
		if s.Rollout == "" {
			releases = append(releases, store.Rollout{Release: s.Release, State: string(raw), Updated: now})
		} else {
			cycles = append(cycles, store.Cycle{Rollout: s.Rollout, Number: s.Release, Set: s.Set, Made: s.Made, State: string(raw), Updated: now})
		}
	}
	if len(releases) > 0 {
		if err := d.Store.PutRollouts(ctx, releases...); err != nil {
			return err
		}
	}
	if len(cycles) == 0 {
		return nil
	}
	return d.Store.SaveCycle(ctx, cycles...)
}

// settingFreeze holds the Act of a freeze as JSON, empty when there is none.
const settingFreeze = "freeze"

func (d *Driver) freeze(ctx context.Context) (*Act, error) {
	text, err := d.Store.Setting(ctx, settingFreeze)
	if errors.Is(err, store.ErrNotFound) || err == nil && text == "" {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var act Act
	if err := json.Unmarshal([]byte(text), &act); err != nil {
		return nil, fmt.Errorf("cannot read the freeze: %w", err)
	}
	return &act, nil
}

func (d *Driver) setFreeze(ctx context.Context, act *Act) error {
	text := ""
	if act != nil {
		raw, err := json.Marshal(act)
		if err != nil {
			return err
		}
		text = string(raw)
	}
	return d.Store.SetSetting(ctx, settingFreeze, text)
}
