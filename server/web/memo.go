package web

import (
	"context"
	"sync"
	"time"
)

// memo keeps what takes long to find out in a large fleet, so that it is found out once for all
// who look at about the same time. Whoever looks soon after gets what is known, and only makes
// somebody look again. What nobody would be shown any more is let go.
type memo[T any] struct {
	mu    sync.Mutex
	at    time.Time
	value T
	// took is how long it took to find it out.
	took time.Duration
	// looking is true while somebody finds it out anew.
	looking bool
	// aged lets the value go.
	aged *time.Timer
}

const (
	// memoFresh is for how long a value is kept as it is.
	memoFresh = 5 * time.Second
	// memoStale is the age up to which it is shown while a newer one is found out.
	memoStale = time.Minute
	// memoRest is how many times as long as it took a value is kept at least, so that a large
	// fleet is not looked at all the time.
	memoRest = 20
	// memoPatience bounds how long that may take.
	memoPatience = 5 * time.Minute
)

// of returns the value, and when it was true. Find may go on after the request has ended.
func (m *memo[T]) of(ctx context.Context, now time.Time, find func(context.Context) (T, error)) (T, time.Time, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	age := now.Sub(m.at)
	switch known := !m.at.IsZero() && age >= 0; {
	case known && age < max(memoFresh, min(memoRest*m.took, memoStale)):
		return m.value, m.at, nil
	case known && age < memoStale:
		if !m.looking {
			m.looking = true
			go m.again(context.WithoutCancel(ctx), now, find)
		}
		return m.value, m.at, nil
	}
	begun := time.Now()
	value, err := find(ctx)
	if err == nil {
		m.keep(value, now, time.Since(begun))
	}
	return value, now, err
}

// keep keeps a value, until it is too old to be shown. It may be of a large fleet and as large.
func (m *memo[T]) keep(value T, now time.Time, took time.Duration) {
	if m.value, m.at, m.took = value, now, took; m.aged == nil {
		m.aged = time.AfterFunc(memoStale, m.forget)
		return
	}
	m.aged.Reset(memoStale)
}

func (m *memo[T]) forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	var none T
	m.value, m.at = none, time.Time{}
}

// again finds the value out beside those who look. When that fails the old one ages on, and who
// waits for a new one gets to know.
func (m *memo[T]) again(ctx context.Context, now time.Time, find func(context.Context) (T, error)) {
	ctx, stop := context.WithTimeout(ctx, memoPatience)
	defer stop()
	begun := time.Now()
	value, err := find(ctx)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.looking = false; err == nil && now.After(m.at) {
		m.keep(value, now, time.Since(begun))
	}
}

// memos are memos by name.
type memos[T any] struct {
	mu  sync.Mutex
	all map[string]*memo[T]
}

// mostMemos bounds how many are kept: of a large fleet each may hold a row for each host.
const mostMemos = 8

func (m *memos[T]) named(name string) *memo[T] {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.all[name] == nil && len(m.all) >= mostMemos || m.all == nil {
		m.all = map[string]*memo[T]{}
	}
	if m.all[name] == nil {
		m.all[name] = &memo[T]{}
	}
	return m.all[name]
}
