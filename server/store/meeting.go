package store

import "sync"

// meeting is where those wait who come while something is under way that serves one at a time: they share the next go.
// A go begins after all who share it have come.
type meeting[T any] struct {
	mu      sync.Mutex
	waiting []T
	busy    bool
}

// add tells whether somebody has to begin to serve.
func (m *meeting[T]) add(one T) (begin bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.waiting = append(m.waiting, one)
	begin = !m.busy
	m.busy = true
	return begin
}

// next returns those whom choose takes of all who wait; nobody serves any more when there are none.
func (m *meeting[T]) next(choose func(waiting []T) (batch, left []T)) []T {
	m.mu.Lock()
	defer m.mu.Unlock()
	var batch []T
	batch, m.waiting = choose(m.waiting)
	m.busy = len(batch) > 0
	return batch
}
