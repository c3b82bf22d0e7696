package rollout

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"plumb/server/store"
)

// load returns the rollouts that still say something about hosts, the newest first: up to the
// first one that is for all of them. Behind the newest one is at least one more, which it may
// have to take over from.
func (d *Driver) load(ctx context.Context) ([]State, error) {
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
			s, err := Read(row)
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

func (d *Driver) save(ctx context.Context, states ...State) error {
	if len(states) == 0 {
		return nil
	}
	now := d.Now()
	rows := make([]store.Rollout, 0, len(states))
	for _, s := range states {
		raw, err := json.Marshal(s)
		if err != nil {
			return fmt.Errorf("cannot encode the rollout of release %d: %w", s.Release, err)
		}
		rows = append(rows, store.Rollout{Release: s.Release, State: string(raw), Updated: now})
	}
	return d.Store.PutRollouts(ctx, rows...)
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
