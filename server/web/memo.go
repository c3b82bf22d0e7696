package web

import (
	"sync"
	"time"
)

// memo keeps what takes long to find out in a large fleet, so that it is found out once for all
// who look at about the same time.
type memo[T any] struct {
	mu    sync.Mutex
	at    time.Time
	value T
}

// memoLife is for how long a value is kept.
const memoLife = 5 * time.Second

// of returns the value, and when it was true.
func (m *memo[T]) of(now time.Time, find func() (T, error)) (T, time.Time, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.at.IsZero() && !now.Before(m.at) && now.Before(m.at.Add(memoLife)) {
		return m.value, m.at, nil
	}
	value, err := find()
	if err != nil {
		return value, now, err
	}
	m.value, m.at = value, now
	return value, now, nil
}

// memos are memos by name.
type memos[T any] struct {
	mu  sync.Mutex
	all map[string]*memo[T]
}

// mostMemos bounds how many are kept.
const mostMemos = 64

func (m *memos[T]) of(name string, now time.Time, find func() (T, error)) (T, error) {
	value, _, err := m.named(name).of(now, find)
	return value, err
}

func (m *memos[T]) named(name string) *memo[T] {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.all == nil || len(m.all) >= mostMemos {
		m.all = map[string]*memo[T]{}
	}
	if m.all[name] == nil {
		m.all[name] = &memo[T]{}
	}
	return m.all[name]
}
