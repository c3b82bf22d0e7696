package web

import (
	"cmp"
	"context"
	"sync"
	"time"
)

// slow keeps what takes so long to find out that a page should rather be without it than wait.
type slow[T any] struct {
	mu    sync.Mutex
	known bool
	at    time.Time
	value T
	// patience is how long the first who asks waits for it; zero for slowPatience.
	patience time.Duration
	// looking is closed once somebody has found it out anew; nil while nobody tries.
	looking chan struct{}
}

const (
	// slowFresh is for how long a value is kept as it is.
	slowFresh    = time.Minute
	slowPatience = 250 * time.Millisecond
)

// soon returns the value if it is known, or will be in a moment. What is shown may be of some
// minutes ago; a newer one is then on its way.
func (m *slow[T]) soon(ctx context.Context, now time.Time, find func(context.Context) (T, error)) (value T, known bool) {
	m.mu.Lock()
	if age := now.Sub(m.at); m.looking == nil && (!m.known || age < 0 || age > slowFresh) {
		m.looking = make(chan struct{})
		go m.look(context.WithoutCancel(ctx), now, find)
	}
	value, known = m.value, m.known
	looking := m.looking
	m.mu.Unlock()
	if known || looking == nil {
		return value, known
	}
	select {
	case <-looking:
	case <-ctx.Done():
	case <-time.After(cmp.Or(m.patience, slowPatience)):
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.value, m.known
}

func (m *slow[T]) look(ctx context.Context, now time.Time, find func(context.Context) (T, error)) {
	ctx, stop := context.WithTimeout(ctx, memoPatience)
	defer stop()
	value, err := find(ctx)
	m.mu.Lock()
	defer m.mu.Unlock()
	close(m.looking)
	if m.looking = nil; err == nil {
		m.value, m.at, m.known = value, now, true
	}
}
